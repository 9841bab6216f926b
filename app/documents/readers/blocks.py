"""Blocks of documents without pages are packed into parts of about 3,000 characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from longt5.text.sentences import sentence_starts

from ...warning import AppWarning, WarningKind
from .. import limits
from ..characters import normalize_characters
from ..model import Block, BlockKind, Extracted, ExtractedPage, Loss, LossKind, OutlineItem
from ..table_of_contents import typed_contents

MAX_OUTLINE_TITLE = 300  # characters; a longer "heading" is a paragraph in the wrong style
_MAX_CELL = 300  # characters; a table with longer cells only arranges the page

CONTENTS_LEFT_OUT = AppWarning(WarningKind.CONTENTS_LEFT_OUT, "The table of contents is left out.")


def losses_of(counts: Mapping[LossKind, int], page: int | None = None) -> tuple[Loss, ...]:
    """Return a loss for each kind of content that was left out at least once."""
    return tuple(Loss(kind, page, count) for kind, count in counts.items() if count)


def extracted_parts(
    blocks: Iterable[Block], has_picture: bool, had_contents: bool, counts: Mapping[LossKind, int]
) -> Extracted:
    """Return the extract of a text document without pages, with what was left out of it."""
    read, had_typed = without_typed_contents(list(blocks))
    parts = pack_blocks(read)
    pages = pages_of_parts(parts)
    if not pages:
        pages = (ExtractedPage("1", "scanned" if has_picture else "empty"),)
    notes = (CONTENTS_LEFT_OUT,) if had_contents or had_typed else ()
    outline = outline_of_parts(parts)
    return Extracted("part", pages, outline, notes=notes, losses=losses_of(counts))


def without_typed_contents(blocks: Sequence[Block]) -> tuple[list[Block], bool]:
    """Return the blocks without a table of contents that somebody typed, and whether there was
    one."""
    contents = typed_contents([block.text for block in blocks])
    return [*blocks[: contents.start], *blocks[contents.stop :]], bool(contents)


def lines_of(text: str) -> str:
    """Return the text of a paragraph cleaned, without blank lines."""
    return "\n".join(line for line in normalize_characters(text).split("\n") if line)


def is_on(element: Any, attribute: str) -> bool:
    """Return the setting of a switch of Office: on where the element is there, unless it says
    otherwise."""
    return element is not None and element.get(attribute) not in ("0", "false", "off")


def table_row(cells: Sequence[str]) -> list[Block] | None:
    """Return the row of a table as a block, [] when it is empty; None when its cells are texts of
    their own."""
    if len(cells) < 2 or any(len(cell) > _MAX_CELL for cell in cells):
        return None
    row = " | ".join(cell for cell in cells if cell)
    return [Block(row, BlockKind.TABLE_ROW)] if row else []


def heading_or_paragraph(text: str, level: int) -> Block:
    """Return a block in a heading style: a heading where it has words, else a paragraph."""
    shown = " ".join(text.split())
    if level and re.search(r"\w", text):
        return Block(shown, BlockKind.HEADING, level)
    return Block(shown)


def list_item(text: str) -> Block:
    """Return an item of a list with its bullet."""
    return Block(f"• {text}", BlockKind.LIST_ITEM)


def paragraphs_of(content: str) -> list[Block]:
    """Return the paragraphs of plain text, which blank lines separate."""
    return [Block(piece) for piece in re.split(r"\n[ \t]*\n\s*", content) if piece.strip()]


def on_page(blocks: Iterable[Block], number: int) -> tuple[Block, ...]:
    """Return the blocks with the number of their page."""
    return tuple(replace(block, page=number) for block in blocks)


def pages_of_parts(parts: Sequence[Sequence[Block]]) -> tuple[ExtractedPage, ...]:
    """Return each part as a page."""
    return tuple(
        ExtractedPage(str(number), "ok", on_page(part, number))
        for number, part in enumerate(parts, 1)
    )


def outline_of_parts(parts: Sequence[Sequence[Block]]) -> tuple[OutlineItem, ...]:
    """Return the headings of all parts."""
    found = [
        OutlineItem(" ".join(block.text.split())[:MAX_OUTLINE_TITLE], number, block.level)
        for number, part in enumerate(parts, 1)
        for block in part
        if block.level
    ]
    return tuple(found[: limits.MAX_OUTLINE_ITEMS])


def pack_blocks(blocks: Iterable[Block], at_headings: bool = True) -> list[list[Block]]:
    """Return the blocks packed into parts. A heading stays with the text below it, and begins a
    part where the one before is half full, unless `at_headings` is false."""
    parts: list[list[Block]] = []
    size = 0
    most = limits.PART_CHARACTERS * 5 // 4
    for block in _split_long_blocks(blocks, most):
        length = len(block.text) + 2  # with the blank line
        is_full = size >= limits.PART_CHARACTERS or size + length - 2 > most
        begins = at_headings and block.level and size >= limits.PART_CHARACTERS // 2
        if not parts or is_full or begins:
            carried = _pop_trailing_headings(parts[-1]) if parts else []
            parts.append(carried)
            size = sum(len(b.text) + 2 for b in carried)
        parts[-1].append(block)
        size += length
    return parts


def _pop_trailing_headings(part: list[Block]) -> list[Block]:
    """Remove and return the headings at the end of a part, unless it holds nothing else."""
    count = 0
    while count < len(part) and part[-1 - count].level:
        count += 1
    if not count or count == len(part):
        return []
    carried = part[-count:]
    del part[-count:]
    return carried


def _split_long_blocks(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    """Yield the blocks; one of more than `most` characters is split at a line's end, else at a
    sentence's, else at a word's."""
    for block in blocks:
        if len(block.text) <= most:
            yield block
            continue
        kind = BlockKind.PARAGRAPH if block.level else block.kind
        text, begin = block.text, 0
        while len(text) - begin > most:
            cut = _place_to_split(text, begin, most)
            if cut is None:
                break
            piece = text[begin:cut].strip()
            if piece:
                yield Block(piece, kind)
            begin = cut
        if rest := text[begin:].strip():
            yield Block(rest, kind)


def _place_to_split(text: str, begin: int, most: int) -> int | None:
    """Return where to split text that has more than `most` characters after `begin`; None inside
    one endless word."""
    low, high = begin + most // 2, begin + most
    if (line := text.rfind("\n", low, high)) >= 0:
        return line + 1
    if starts := sentence_starts(text, low, high):
        return starts[-1]
    if (space := text.rfind(" ", low, high)) >= 0:
        return space + 1
    following = re.compile(r"\s").search(text, high)
    return following.end() if following else None
