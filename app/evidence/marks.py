"""Marks: where on its pages a cited passage stands, by the places of the lines it was read from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from ..documents.cleaning import CELL_SEPARATOR
from ..documents.model import Chunk, Mark, Page
from .citations import Passage

MAX_MARKS = 200  # lines; more than two passages have, and quick to draw


def marks_of(passage: Passage, chunk: Chunk, pages: Mapping[int, Page]) -> tuple[Mark, ...]:
    """Return the lines of pages, or parts of these, that a passage of a chunk was read from; none
    on pages whose lines have no known places. `pages` are those of the document by number."""
    found: list[Mark] = []
    for span in chunk.spans:
        start, end = max(span.start, passage.start), min(span.end, passage.end)
        if start < end and span.page in pages:
            by = span.page_start - span.start
            found += _marks_in(pages[span.page], start + by, end + by)
    return tuple(found)


def _marks_in(page: Page, start: int, end: int) -> Iterator[Mark]:
    """Yield the marks of the characters [start, end) of a page."""
    first = max(bisect_right(page.lines, start, key=itemgetter(0)) - 1, 0)
    for line in page.lines[first:]:
        if line.start >= end:
            return
        letters = _count_letters(page.text[line.start : line.end])
        before = _count_letters(page.text[line.start : max(line.start, start)])
        until = _count_letters(page.text[line.start : min(end, line.end)])
        if until > before:
            yield Mark(page.number, line.box, round(before / letters, 4), round(until / letters, 4))


def checked_marks(values: Any) -> list[Mark]:
    """Return the marks that a browser sent back, at most MAX_MARKS; [] where these are no marks."""
    try:
        return msgspec.convert(values, list[Mark])[:MAX_MARKS]
    except msgspec.ValidationError:
        return []


def _count_letters(text: str) -> int:
    """Return how many characters of a text are drawn, without spaces and signs between cells."""
    return len("".join(text.replace(CELL_SEPARATOR, " ").split()))
