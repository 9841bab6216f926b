"""A finished summary as a Word document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from unicodedata import bidirectional

from ..events import Sentence, Summary
from ..evidence.coverage import coverage_line
from ..evidence.provenance import provenance_rows
from .formats import IN_SHORT, heading_of, pieces, provenance, support

# What XML 1.0 has no way to write.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
STRONG = ("L", "R", "AL")  # what a letter can be; AL: Arabic, which runs as R does
MAX_TITLE = 255  # characters of a property; python-docx refuses more


def to_docx(summary: Summary) -> bytes:
    """The file's bytes."""
    import docx

    document = docx.Document()
    document.core_properties.title = _plain(f"Summary of {summary.name}")[:MAX_TITLE]
    document.core_properties.author = ""
    document.add_heading(_plain(f"Summary of {summary.name}"), 1)
    if summary.overview:
        document.add_heading(IN_SHORT, 2)
        _paragraph(document, summary.overview)
    for section in summary.sections:
        if len(summary.sections) > 1:
            _turn(document.add_heading(_plain(heading_of(section)), 2))
        if section.sentences:
            _paragraph(document, section.sentences)
        else:
            _turn(document.add_paragraph(_plain(section.text)))
    for warning in summary.warnings:
        document.add_paragraph(_plain(warning.message), style="List Bullet")
    if summary.coverage:
        document.add_paragraph(_plain(coverage_line(summary) + "."))
    document.add_paragraph(_plain(provenance(summary)))
    for label, value in provenance_rows(summary.provenance):
        document.add_paragraph(_plain(f"{label}: {value}"))
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _paragraph(document: Any, sentences: Sequence[Sentence]) -> None:
    paragraph = document.add_paragraph()
    for sentence in sentences:
        for text, reason in pieces(sentence):
            run = paragraph.add_run(_plain(text))
            run.underline = bool(reason) or None
        run.add_text(" ")
        marks = support(sentence)
        marks += [flag["reason"].rstrip(".") for flag in sentence.flags]
        if marks:
            paragraph.add_run(_plain(f"({'; '.join(marks)}) ")).italic = True
    _turn(paragraph)


def _turn(paragraph: Any) -> None:
    """Let it run from right to left where its first letter does, which Word does not find out."""
    if _directions(paragraph.text)[:1] != ["R"]:
        return
    from docx.oxml import OxmlElement

    paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
    for run in paragraph.runs:
        if "R" in _directions(run.text):
            run.font.rtl = True


def _directions(text: str) -> list[str]:
    """L or R of each letter; what is no letter has none."""
    found = map(bidirectional, text)
    return ["L" if direction == "L" else "R" for direction in found if direction in STRONG]


def _plain(text: str) -> str:
    return FORBIDDEN.sub("", text)
