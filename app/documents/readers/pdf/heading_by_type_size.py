"""Headings that a PDF sets in larger type: an outline where the file has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import is_caption
from longt5.text.words import count_words

from .paragraphs import LARGE, Mark, Marks, body_of, line_key

_ENDS = re.compile(r"[.,;:]$")
_NAME = re.compile(r"[^\W\d_]{3}")
ALIKE = 1.04  # times a size: one that differs less is the same
LEAST = 2  # headings of a size that has any
LINES = 3  # of a heading at most, about
PROSE = 8  # words of a paragraph at least
HEADED = 40  # words to a heading on average, at least: slides have fewer


@dataclass(frozen=True)
class _Line:
    page: int
    text: str
    size: float
    has_prose: bool  # below it


def outline_by_type(pages: Sequence[str], marks: Sequence[Marks]) -> list[list[Any]]:
    """[title, physical page, level] of the short paragraphs in type larger than the text; larger
    type is a higher level. Sizes that stand above no prose are those of a title page."""
    body = body_of(marks)
    lines = list(_large(pages, marks, body.size)) if body.size else []
    groups: list[list[_Line]] = []
    for line in sorted(lines, key=lambda line: -line.size):
        if groups and line.size * ALIKE >= groups[-1][0].size:
            groups[-1].append(line)
        else:
            groups.append([line])
    kept = [g for g in groups if len(g) >= LEAST and 2 * sum(x.has_prose for x in g) >= len(g)]
    levels = {id(line): level for level, group in enumerate(kept, 1) for line in group}
    found = [[x.text, x.page, levels[id(x)]] for x in lines if id(x) in levels]
    return found if sum(map(count_words, pages)) >= HEADED * len(found) else []


def _large(pages: Sequence[str], marks: Sequence[Marks], size: float) -> Iterator[_Line]:
    for number, (page, own) in enumerate(zip(pages, marks, strict=True), 1):
        blocks = page.split("\n\n")
        for block, below in zip(blocks, [*blocks[1:], ""], strict=True):
            mark = _mark_of(block, own)
            if mark is not None and mark.size >= LARGE * size and not mark.is_row:
                yield _Line(number, block, mark.size, count_words(below) >= PROSE)


def _mark_of(block: str, marks: Marks) -> Mark | None:
    """The mark of what may be a heading by its words, on one line or on several."""
    if len(block) > MAX_HEADING_CHARACTERS or "\n" in block or _ENDS.search(block):
        return None
    if not _NAME.search(block) or is_caption(block):
        return None
    key = line_key(block)
    begun = key if key in marks else max((k for k in marks if key.startswith(k)), default="")
    return marks[begun][0] if len(key) <= LINES * len(begun) else None
