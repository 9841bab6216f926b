"""Paragraphs and headings become parts of about 3,000 characters, and headings an outline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longt5.text.sentences import sentence_starts

from .. import limits

MAX_TITLE = 300
MAX_CELL = 300  # characters; a table with longer cells only arranges the page


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading (`level` from 1), or a row of a list or table."""

    text: str
    level: int = 0
    is_row: bool = False


def row_of(cells: Sequence[str]) -> list[Block] | None:
    """The row of a table, [] when it is empty; None when its cells are texts of their own."""
    if len(cells) < 2 or any(len(cell) > MAX_CELL for cell in cells):
        return None
    row = " | ".join(cell for cell in cells if cell)
    return [Block(row, 0, True)] if row else []


def pack(blocks: Iterable[Block], at_headings: bool = True) -> list[list[Block]]:
    """Blocks shared out to parts; a heading stays with what follows it, and begins a part where
    the one before is half full, unless `at_headings` is false."""
    parts: list[list[Block]] = []
    size = 0
    room = limits.PART_CHARACTERS * 5 // 4
    for block in _short(blocks, room):
        length = len(block.text) + 2
        is_full = size >= limits.PART_CHARACTERS or size + length - 2 > room
        begins = at_headings and block.level and size >= limits.PART_CHARACTERS // 2
        if not parts or is_full or begins:
            carried = _trailing_headings(parts[-1]) if parts else []
            parts.append(carried)
            size = sum(len(b.text) + 2 for b in carried)
        parts[-1].append(block)
        size += length
    return parts


def join_blocks(blocks: Sequence[Block]) -> str:
    """The text of a part: paragraphs with a blank line between, rows on lines of their own."""
    text = ""
    for i, block in enumerate(blocks):
        rows = bool(i) and block.is_row and blocks[i - 1].is_row
        text += ("\n" if rows else "\n\n" if i else "") + block.text
    return text


def outline_of(parts: Sequence[Sequence[Block]]) -> list[list[Any]]:
    """[title, number of the part, level] of each heading."""
    found = [
        [" ".join(block.text.split())[:MAX_TITLE], number, block.level]
        for number, part in enumerate(parts, 1)
        for block in part
        if block.level
    ]
    return found[: limits.MAX_OUTLINE]


def paragraphs_of(content: str) -> list[Block]:
    """The paragraphs of plain text, as blank lines part them."""
    return [Block(piece) for piece in re.split(r"\n[ \t]*\n\s*", content) if piece.strip()]


def _trailing_headings(part: list[Block]) -> list[Block]:
    """Takes the headings off the end of a part, unless it holds nothing else."""
    count = 0
    while count < len(part) and part[-1 - count].level:
        count += 1
    if not count or count == len(part):
        return []
    carried = part[-count:]
    del part[-count:]
    return carried


def _short(blocks: Iterable[Block], room: int) -> Iterator[Block]:
    """The blocks, those longer than a part cut at a line end, else a sentence, else a word."""
    for block in blocks:
        if len(block.text) <= room:
            yield block
            continue
        text, begin = block.text, 0
        while len(text) - begin > room:
            cut = _cut(text, begin, room)
            if cut is None:
                break
            piece = text[begin:cut].strip()
            if piece:
                yield Block(piece, 0, block.is_row)
            begin = cut
        if rest := text[begin:].strip():
            yield Block(rest, 0, block.is_row)


def _cut(text: str, begin: int, room: int) -> int | None:
    """Where to cut text that has more than `room` characters; None inside one endless word."""
    low, high = begin + room // 2, begin + room
    if (line := text.rfind("\n", low, high)) >= 0:
        return line + 1
    if starts := sentence_starts(text, low, high):
        return starts[-1]
    if (space := text.rfind(" ", low, high)) >= 0:
        return space + 1
    following = re.compile(r"\s").search(text, high)
    return following.end() if following else None
