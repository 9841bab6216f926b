"""Write the document itself as a PDF in which the passages that a summary cites are highlighted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..documents.readers.pdf.highlights import Highlight, SummaryLine, highlighted_pdf
from ..documents.readers.pdf.typeset import can_typeset
from ..errors import BadOption
from ..events import Sentence, Summary
from .shared import BY_SECTION_HEADING, provenance_line, section_heading, support_notes

ONLY_PDF = "“{name}” is not a PDF, which a copy with highlights needs: choose another format."
NO_LETTERS = (
    "The page with the summary can be written in the letters of Western languages only: leave it "
    "out. The highlights have the sentences as notes."
)


def is_pdf(summary: Summary) -> bool:
    """Return True where the summary is of a PDF."""
    return summary.unit == "page" and summary.name.lower().endswith(".pdf")


def to_pdf(
    summary: Summary, source: Path | str, password: str = "", first_page: bool = False
) -> bytes:
    """Return a copy of the summarized PDF with the cited passages highlighted.

    Each has its section and the sentence that cites it as a note. `first_page` puts the summary
    before the document, with links. Raises BadOption and NotReadable.
    """
    if not is_pdf(summary):
        raise BadOption(ONLY_PDF.format(name=summary.name))
    lines = list(_summary_lines(summary)) if first_page else []
    if not all(can_typeset(line.text) for line in lines):
        raise BadOption(NO_LETTERS)
    return highlighted_pdf(source, list(_highlights(summary)), password, lines)


def _highlights(summary: Summary) -> Iterator[Highlight]:
    for section in (*summary.sections, *summary.by_section):
        title = section_heading(section) or "Summary"
        for sentence in section.sentences:
            for page in sentence.pages:
                marks = [mark for mark in sentence.marks if mark.page == page]
                yield Highlight(page, marks, sentence.passages, title, sentence.text)


def _summary_lines(summary: Summary) -> Iterator[SummaryLine]:
    yield SummaryLine(f"Summary of {summary.name}", is_heading=True)
    for part in summary.sections:
        if heading := section_heading(part):
            yield SummaryLine(heading, is_heading=True)
        yield from map(_line, part.sentences)
    if summary.by_section:
        yield SummaryLine(BY_SECTION_HEADING, is_heading=True)
    for part in summary.by_section:
        yield SummaryLine(section_heading(part), is_heading=True)
        yield from map(_line, part.sentences)
    yield SummaryLine(provenance_line(summary))


def _line(sentence: Sentence) -> SummaryLine:
    notes = "; ".join(support_notes(sentence))
    return SummaryLine(f"{sentence.text} ({notes})", sentence.pages[0] if sentence.pages else 0)
