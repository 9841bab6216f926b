"""Parts that several export formats and the page have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

from ..events import PartKind, Sentence, Summary
from ..evidence.coverage import cite_pages, split_unit
from ..wording import counted, page_span

BY_SECTION_HEADING = "By section"
FROM_SUMMARY = "From the document’s own summary"
UNSUPPORTED = "no passage supports this"


class Headed(Protocol):
    """A section that has a heading: started, being written, or finished."""

    @property
    def title(self) -> str:
        """Title in the document; empty where it has none."""

    @property
    def pages(self) -> tuple[int, int]:
        """First and last physical page, 1-based."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Printed page labels."""

    @property
    def kind(self) -> PartKind:
        """Paragraph of the answer, or summary of a section."""

    @property
    def from_summary(self) -> bool:
        """True if it quotes the author's own summary."""


def section_heading(section: Headed) -> str:
    """Return the label of a part of a summary, such as `2 The plan, pages 3-7`.

    A paragraph of the answer that comes from no named part of the document has none: "".
    """
    title = FROM_SUMMARY if section.from_summary else section.title
    if not title and section.kind is PartKind.ANSWER:
        return ""
    return heading_with_pages(title, section.labels or section.pages)


def heading_with_pages(title: str, pages: Sequence[int | str]) -> str:
    """Return a title followed by its pages; the pages alone where there is no title."""
    where = page_range(pages)
    return f"{title}, {where[0].lower()}{where[1:]}" if title else where


def page_range(pages: Sequence[int | str]) -> str:
    """Return `Page 3`, `Pages 3-7` or `Part 3` for the first to the last of `pages`."""
    unit, names = split_unit(pages)
    word, first, last = (unit or "page").capitalize(), names[0], names[-1]
    return f"{word}{'' if first == last else 's'} {page_span(first, last)}"


def support_notes(sentence: Sentence) -> list[str]:
    """Return the citation of a sentence, or a note that no passage supports it."""
    if sentence.labels:
        return [cite_pages(sentence.labels)]
    return [] if sentence.pages else [UNSUPPORTED]


def quoted_passage(sentence: Sentence) -> str:
    """Return the passage that a sentence cites, "" where the sentence itself quotes all of it."""
    passage = " ".join(sentence.passages[0].split()) if sentence.passages else ""
    return "" if _letters(passage) in _letters(sentence.text) else passage


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def page_address(name: str, sentence: Sentence) -> str:
    """Return `report.pdf#page=11`, the place in a PDF that a sentence cites; "" elsewhere."""
    if not sentence.pages or not name.lower().endswith(".pdf"):
        return ""
    return f"{quote(name)}#page={sentence.pages[0]}"


def sentences_of(summary: Summary) -> Iterator[Sentence]:
    """Yield the sentences of a summary: of the answer, then of its sections."""
    for section in (*summary.sections, *summary.by_section):
        yield from section.sentences


def flagged_spans(sentence: Sentence) -> Iterator[tuple[str, str]]:
    """Yield the text of a sentence in spans, each with the reason to doubt it ("" for none)."""
    at = 0
    for flag in sentence.flags:
        start, end = flag["span"]
        if start >= at:
            yield sentence.text[at:start], ""
            yield sentence.text[start:end], flag["reason"]
            at = end
    yield sentence.text[at:], ""


def provenance_line(summary: Summary) -> str:
    """Return one line with the pages, the model and the length of a summary."""
    pages = counted(summary.pages, summary.unit)
    words = summary.options.get("words")
    length = f"{words:,} words" if words else summary.options.get("length", "")
    stopped = "; stopped before the end" if summary.stopped else ""
    return (
        f"{pages}; model {summary.model}{f'; length {length}' if length else ''}{stopped}. "
        "Made by a machine: check what matters."
    )
