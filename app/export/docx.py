"""Write a summary as a Word document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from unicodedata import bidirectional

from ..events import SectionSummary, Sentence, Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .docx_footnotes import Footnotes
from .shared import (
    BY_SECTION_HEADING,
    flagged_spans,
    provenance_line,
    quoted_passage,
    section_heading,
    support_notes,
)
from .style import TERMINAL_STYLE, ExportStyle

# Characters that XML 1.0 cannot represent.
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
STRONG_DIRECTIONS = ("L", "R", "AL")  # Unicode classes of letters; AL (Arabic) runs as R does
MAX_PROPERTY_CHARACTERS = 255  # python-docx refuses longer document properties


def to_docx(summary: Summary, style: ExportStyle = TERMINAL_STYLE) -> bytes:
    """Return the content of a .docx file."""
    import docx

    document, footnotes = docx.Document(), Footnotes()
    title = _xml_text(f"Summary of {summary.name}")
    document.core_properties.title = title[:MAX_PROPERTY_CHARACTERS]
    document.core_properties.author = ""
    document.add_heading(title, 1)
    _add_parts(document, summary.sections, style, footnotes)
    if summary.by_section:
        document.add_heading(BY_SECTION_HEADING, 2)
        _add_parts(document, summary.by_section, style, footnotes)
    if summary.warnings:
        document.add_heading("Note", 3)  # or they would seem to belong to the last section
    for warning in summary.warnings:
        document.add_paragraph(_xml_text(warning.message), style="List Bullet")
    if summary.coverage:
        document.add_paragraph(_xml_text(coverage_line(summary) + "."))
    document.add_paragraph(_xml_text(provenance_line(summary)))
    for label, value in provenance_rows(summary.provenance):
        document.add_paragraph(_xml_text(f"{label}: {value}"))
    footnotes.attach(document)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _add_parts(
    document: Any, parts: Sequence[SectionSummary], style: ExportStyle, footnotes: Footnotes
) -> None:
    notes = footnotes if style.footnotes else None
    for part in parts:
        if heading := section_heading(part):
            _set_direction(document.add_heading(_xml_text(heading), 3))
        if style.bullets:
            for sentence in part.sentences:
                _add_sentences(document.add_paragraph(style="List Bullet"), [sentence], notes)
        elif part.sentences:
            _add_sentences(document.add_paragraph(), part.sentences, notes)
        else:
            _set_direction(document.add_paragraph(_xml_text(part.text)))


def _add_sentences(
    paragraph: Any, sentences: Sequence[Sentence], footnotes: Footnotes | None
) -> None:
    for sentence in sentences:
        for text, reason in flagged_spans(sentence):
            run = paragraph.add_run(_xml_text(text))
            run.underline = bool(reason) or None
        run.add_text(" ")
        notes = support_notes(sentence)
        notes += [flag["reason"].rstrip(".") for flag in sentence.flags]
        if footnotes is not None and (passage := quoted_passage(sentence)):
            cited = "; ".join(support_notes(sentence))
            footnotes.add(paragraph, _xml_text(f"{cited}: “{passage}”"))
        if notes:
            paragraph.add_run(_xml_text(f"({'; '.join(notes)}) ")).italic = True
    _set_direction(paragraph)


def _set_direction(paragraph: Any) -> None:
    """Mark a paragraph as right-to-left where its first letter is; Word does not detect it."""
    if _letter_directions(paragraph.text)[:1] != ["R"]:
        return
    from docx.oxml import OxmlElement

    paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
    for run in paragraph.runs:
        if "R" in _letter_directions(run.text):
            run.font.rtl = True


def _letter_directions(text: str) -> list[str]:
    """Return "L" or "R" for each letter; other characters have no direction."""
    classes = (bidirectional(letter) for letter in text)
    return ["L" if c == "L" else "R" for c in classes if c in STRONG_DIRECTIONS]


def _xml_text(text: str) -> str:
    return NOT_IN_XML.sub("", text)
