"""Filled form fields and notes of a PDF page: values are read beside their labels."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from .lines import Line, PageArea

_MAX_ANNOTATIONS = 5_000  # of a page
_MAX_VALUE = 20_000  # UTF-16 units
_MAX_SIZE, _SIZE_SHARE = 12.0, 0.8  # of the type of a value, beside the height of its field
_LINE_FACTOR = 1.2
_TICK = "☑"
_COMMENTS = (
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_SQUIGGLY,
    pdfium.FPDF_ANNOT_CARET,
)
_SILENT = (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP)
_HIDDEN_FLAGS = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW


@dataclass(frozen=True)
class PageNotes:
    """The values of form fields and texts typed onto a page as lines at their places, comments,
    and how many annotations are left out."""

    values: tuple[Line, ...] = ()
    comments: tuple[tuple[str, PageArea], ...] = ()
    left_out: int = 0


def page_notes(page: Any, formenv: Any, lines: Sequence[Line]) -> PageNotes:
    """Return what is filled in and noted on a pypdfium2 page."""
    count = min(pdfium.FPDFPage_GetAnnotCount(page.raw), _MAX_ANNOTATIONS)
    values: list[Line] = []
    comments: list[tuple[str, PageArea]] = []
    left_out = 0
    for index in range(count):
        found = pdfium.FPDFPage_GetAnnot(page.raw, index)
        if not found:
            continue
        try:
            kind = pdfium.FPDFAnnot_GetSubtype(found)
            if kind in _SILENT or pdfium.FPDFAnnot_GetFlags(found) & _HIDDEN_FLAGS:
                continue
            box = _box(found)
            if kind == pdfium.FPDF_ANNOT_WIDGET:
                if value := _field_value(found, formenv):
                    values += _value_lines(value, box, [*lines, *values])
            elif kind == pdfium.FPDF_ANNOT_FREETEXT:
                if text := _string(found, b"Contents"):
                    values += _value_lines(text, box, [*lines, *values])
            elif kind in _COMMENTS and (text := _string(found, b"Contents")):
                comments.append((text, box))
            elif kind not in _COMMENTS:
                left_out += 1
        finally:
            pdfium.FPDFPage_CloseAnnot(found)
    return PageNotes(tuple(values), tuple(comments), left_out)


def _field_value(found: Any, formenv: Any) -> str:
    """Return the value of a form field as it is read: a tick, the chosen option or the text."""
    state = _string(found, b"AS")
    if formenv is None:
        return _string(found, b"V") if not state else ""
    kind = pdfium.FPDFAnnot_GetFormFieldType(formenv, found)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return _TICK if pdfium.FPDFAnnot_IsChecked(formenv, found) else ""
    if kind in (pdfium.FPDF_FORMFIELD_PUSHBUTTON, pdfium.FPDF_FORMFIELD_SIGNATURE):
        return ""
    if pdfium.FPDFAnnot_GetFormFieldFlags(formenv, found) & 1 << 13:  # a password
        return ""
    if kind in (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX):
        chosen = list(_chosen_options(found, formenv))
        if chosen:
            return ", ".join(chosen)
    return _read_text(pdfium.FPDFAnnot_GetFormFieldValue, formenv, found)


def _chosen_options(found: Any, formenv: Any) -> Iterator[str]:
    for index in range(min(pdfium.FPDFAnnot_GetOptionCount(formenv, found), 500)):
        if pdfium.FPDFAnnot_IsOptionSelected(formenv, found, index):
            yield _read_text(pdfium.FPDFAnnot_GetOptionLabel, formenv, found, index)


def _string(found: Any, key: bytes) -> str:
    return _read_text(pdfium.FPDFAnnot_GetStringValue, found, key)


def _read_text(function: Any, *arguments: Any) -> str:
    """Return the text that a function of PDFium writes as UTF-16."""
    size = function(*arguments, None, 0)
    if not 2 < size <= 2 * _MAX_VALUE:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace").strip()


def _box(found: Any) -> PageArea:
    box = pdfium.FS_RECTF()
    if not pdfium.FPDFAnnot_GetRect(found, box):
        return 0.0, 0.0, 0.0, 0.0
    return box.left, box.bottom, box.right, box.top


def _value_lines(value: str, box: PageArea, lines: Sequence[Line]) -> list[Line]:
    """Return a value as lines at its place: on the baseline of the label beside it, else where the
    text of the field stands."""
    left, bottom, right, top = box
    beside = [
        line
        for line in lines
        if line.bottom < top
        and bottom < line.top
        and (line.right <= left + 2 or line.left >= right - 2)
    ]
    label = min(
        beside, key=lambda line: min(abs(left - line.right), abs(line.left - right)), default=None
    )
    size = label.size if label else max(min(_MAX_SIZE, _SIZE_SHARE * (top - bottom)), 1.0)
    baseline = label.baseline if label else max(bottom, top - size)
    # A paragraph break inside a value would tear it from its label.
    text = " ".join(value.split())
    return [
        Line(
            text=text,
            left=left,
            bottom=min(bottom, baseline),
            right=max(right, left + 1),
            top=max(top, baseline + size / 2),
            baseline=baseline,
            size=size,
            is_bold=False,
            bold_letters=0,
            letters=sum(map(str.isalnum, text)),
            index=label.index if label else len(lines),
        )
    ]
