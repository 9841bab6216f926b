"""What was read of a file: a document, its pages, its outline, and a choice of its pages."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from longt5.text.sentences import split_sentences
from longt5.text.source import SourceText

from ..errors import BadOption
from ..warning import AppWarning

# A longer run without a sentence end, as in a transcript without punctuation, is cut into pieces
# of this size: a passage must stay short enough to be quoted and read.
MAX_PASSAGE_CHARS = 600


@dataclass(frozen=True)
class Page:
    """One page: physical number from 1, printed label, cleaned text, what became of it."""

    number: int
    label: str
    text: str
    status: str  # ok | empty | scanned | garbled | failed | skipped


@dataclass(frozen=True)
class OutlineItem:
    """A heading of the document's own outline and the physical page it points to."""

    title: str
    page: int
    level: int


@dataclass(frozen=True)
class Document:
    """What was read from one file."""

    name: str
    sha256: str
    unit: str  # page | slide | chapter | part
    pages: tuple[Page, ...]
    warnings: tuple[AppWarning, ...]
    outline: tuple[OutlineItem, ...] = ()
    contents: tuple[int, ...] = ()  # chosen pages that lost a table of contents
    imprint: tuple[int, ...] = ()  # chosen pages that were an imprint, a licence or thanks
    ocr: bool = False  # were pictures of text read?

    @property
    def labels(self) -> tuple[str, ...]:
        """What is printed on its pages; empty where that is their numbers."""
        labels = tuple(page.label for page in self.pages)
        return () if labels == tuple(str(page.number) for page in self.pages) else labels

    def to_dict(self) -> dict[str, Any]:
        """The object that `extract` prints."""
        pages = [
            {"number": p.number, "label": p.label, "text": p.text, "status": p.status}
            for p in self.pages
        ]
        warnings = [warning.message for warning in self.warnings]
        return {"name": self.name, "unit": self.unit, "pages": pages, "warnings": warnings}


@dataclass(frozen=True)
class PageSpan:
    """The part of a chunk that lies on one page.

    `start` and `end` are characters of the chunk's text, `token_start` and `token_end` positions
    in its `input_ids`.
    """

    page: int
    start: int
    end: int
    token_start: int
    token_end: int


@dataclass(frozen=True)
class Chunk:
    """The part of a document that one encoder pass reads.

    `input_ids` ends with `</s>`; `offsets` are each token's (start, end) in `text`. `cut` names
    the boundary at the chunk's end: "end" (of the document), "section", "paragraph", "sentence" or
    "token". The first `overlap` characters repeat the end of the chunk before. `title` joins the
    titles of the chunk's sections.
    """

    input_ids: list[int]
    offsets: list[tuple[int, int]]
    pages: tuple[int, int]
    text: str
    spans: tuple[PageSpan, ...]
    cut: str
    overlap: int = 0
    title: str = ""

    @cached_property
    def source(self) -> SourceText:
        """The text split into passages: sentences, and pieces of overlong ones."""
        passages = [
            (piece, min(end, piece + MAX_PASSAGE_CHARS))
            for start, end in split_sentences(self.text)
            for piece in range(start, end, MAX_PASSAGE_CHARS)
        ]
        return SourceText.of(self.text, passages)


def select_pages(document: Document, spec: str) -> Document:
    """Keeps the pages named as in "1-5,9"; the others are skipped. Raises BadOption."""
    if not spec.strip():
        return document
    wanted = number_ranges(spec, len(document.pages), "page")
    chosen = {
        page.number
        for page in document.pages
        if any(first <= page.number <= last for first, last in wanted)
    }
    if not chosen:
        raise BadOption(f"“{document.name}” has no page {spec}: it ends at {len(document.pages)}.")
    pages = tuple(
        page if page.number in chosen else replace(page, text="", status="skipped")
        for page in document.pages
    )
    return with_pages(document, pages, chosen)


def with_pages(document: Document, pages: tuple[Page, ...], chosen: Collection[int]) -> Document:
    """The document with these pages, of which only the chosen ones have had something left out."""
    contents, imprint = (
        tuple(number for number in numbers if number in chosen)
        for numbers in (document.contents, document.imprint)
    )
    return replace(document, pages=pages, contents=contents, imprint=imprint)


def number_ranges(spec: str, count: int, unit: str) -> list[tuple[int, int]]:
    """[(first, last)] of "1-5,9" for `count` things called `unit`; an open end is the last one.
    Raises BadOption."""
    wanted: list[tuple[int, int]] = []
    for piece in spec.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})?\s*)?", piece)
        if not match:
            raise BadOption(f"“{spec}” is not a list of {unit}s: write it as 1-5,9.")
        first = int(match[1])
        dash = "-" in piece or "–" in piece
        last = int(match[2]) if match[2] else count if dash else first
        if first < 1 or (last < first and match[2]):
            raise BadOption(f"“{piece.strip()}” is not a range of {unit}s: write it as 1-5,9.")
        wanted.append((first, last))
    return wanted
