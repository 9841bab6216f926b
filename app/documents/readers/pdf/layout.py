"""How lines stand on a page, seen by PDFium: type size, weight, margins, space above."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import pypdfium2.raw as pdfium

from .paragraphs import FULL, Mark, Marks, line_key

LABEL = 5  # letters of a bullet or number at the start of a line
WORD_GAP = 0.1  # type sizes between words, at least
CELL_GAP = 1.2  # type sizes between the cells of a row
CELL_RISE = 8  # type sizes from the end of a cell to the beginning of the next one, at most
LEAD_GAP = 1.4  # times the usual gap between words: what bold words at a line's start keep apart
MAX_LETTERS = 40_000
MAX_LINES = 400  # more on one page is a drawing or a listing; plain text rules do for it
_BOLD = ("bold", "black", "heavy", "-semi", "cmbx")


@dataclass(frozen=True)
class _Line:
    """Points from the left and bottom edge of the page; `size` is the height of the type."""

    text: str
    left: float
    right: float
    bottom: float
    size: float
    is_bold: bool
    is_row: bool
    lead: int
    is_set_off: bool


def page_marks(textpage: Any) -> Marks:
    """The marks of the lines of a pypdfium2 text page, by their letters; empty where unclear."""
    lines = _lines(textpage) if textpage.count_chars() <= MAX_LETTERS else []
    if len(lines) > MAX_LINES:
        return {}
    marks: dict[str, tuple[Mark, ...]] = {}
    for i, line in enumerate(lines):
        # Lines that begin near each other share a column and so a right margin.
        peers = [p for p in lines if abs(p.left - line.left) < 3 * line.size]
        rights = [p.right for p in peers]
        room = None
        if len(rights) >= 4:
            margin = min(quantiles(rights, n=10)[8], max(rights))
            full = sum(margin - right < FULL * line.size for right in rights)
            # Where few lines reach the margin they are rows of a list and do not run on.
            is_list = len(rights) >= 6 and full < 0.35 * len(rights)
            room = math.inf if is_list else (margin - line.right) / line.size
        above = lines[i - 1] if i else None
        gap = 0.0
        if above is not None and above.left < line.right and line.left < above.right:
            gap = max(0.0, (above.bottom - line.bottom) / line.size)
        key = line_key(line.text)
        if key:
            left = line.left / line.size
            mark = Mark(
                line.size,
                line.is_bold,
                left,
                room,
                gap,
                line.is_row,
                i,
                line.lead,
                line.is_set_off,
                above is not None and _is_beside(above, line),
            )
            marks[key] = (*marks.get(key, ()), mark)
    return marks


def _is_beside(above: _Line, line: _Line) -> bool:
    """Whether a line begins another cell of a table than the one before it ends: it stands on the
    right of it and hardly lower, or on its left and lower; a column of a page begins far above."""
    rise, gap = (line.bottom - above.bottom) / line.size, CELL_GAP * line.size
    if line.left - above.right > gap:
        return -1 < rise < CELL_RISE
    return above.left - line.right > gap and -CELL_RISE < rise < 0


def _lines(textpage: Any) -> list[_Line]:
    """Lines in PDFium's order, told apart by place: PDFium itself joins lines at a soft hyphen
    and parts them at a superscript."""
    handle = textpage.raw
    lines: list[_Line] = []
    line: list[tuple[int, str, Any]] = []
    for index in range(textpage.count_chars()):
        code = pdfium.FPDFText_GetUnicode(handle, index)
        if code <= 32 or code in (0xAD, 0xFFFE, 0xFFFF):
            continue
        box = pdfium.FS_RECTF()
        if not pdfium.FPDFText_GetLooseCharBox(handle, index, box) or box.top <= box.bottom:
            continue
        if line and _is_next_line(line[0][2], line[-1][2], box):
            lines.append(_line(line, handle))
            line = []
        line.append((index, chr(code), box))
    if line:
        lines.append(_line(line, handle))
    return lines


def _is_next_line(first: Any, last: Any, box: Any) -> bool:
    """Whether a letter stands on another line than the first and the last one before it."""
    size = max(last.top - last.bottom, first.top - first.bottom)
    moved = min(abs(box.bottom - last.bottom), abs(box.bottom - first.bottom)) / size
    return moved > 0.9 or (moved > 0.4 and box.left < last.left)


def _line(letters: list[tuple[int, str, Any]], handle: Any) -> _Line:
    """Three letters tell the style: first, middle and last (a superscript is only one)."""
    samples = [letters[0], letters[len(letters) // 2], letters[-1]]
    sizes = sorted(box.top - box.bottom for _, _, box in samples)
    bottoms = sorted(box.bottom for _, _, box in samples)
    left = min(letters[0][2].left, letters[-1][2].left)  # either way of writing
    right = max(letters[0][2].right, letters[-1][2].right)
    first, *others = (_is_bold(handle, index) for index, _, _ in samples)
    text = "".join(char for _, char, _ in letters)
    boxes = [box for _, _, box in letters]
    is_row = _has_cells(boxes, sizes[1])
    lead, is_set_off = 0, False
    if first and not others[-1]:
        lead, is_set_off = _lead([_is_bold(handle, index) for index, _, _ in letters], boxes)
    return _Line(
        text,
        left,
        right,
        bottoms[1],
        sizes[1],
        first and all(others),
        is_row,
        len(line_key(text[:lead])),
        is_set_off,
    )


def _lead(bold: list[bool], boxes: list[Any]) -> tuple[int, bool]:
    """How many letters a line begins with in bold, and whether more than a space follows. A word
    in another type may be among them, where this is so."""
    ends = [i for i, pair in enumerate(pairwise(bold), 1) if pair == (True, False)]
    for end in reversed(ends):
        if _is_set_off(boxes, end):
            return end, True
    return ends[0], False


def _is_set_off(boxes: list[Any], lead: int) -> bool:
    """Whether the gap after the first letters of a line is wider than those between its words."""
    gaps = [two.left - one.right for one, two in pairwise(boxes)]
    usual = [gap for gap in gaps if gap > WORD_GAP * (boxes[0].top - boxes[0].bottom)]
    return bool(usual) and gaps[lead - 1] > LEAD_GAP * median(usual)


def _has_cells(boxes: list[Any], size: float) -> bool:
    """Whether wide gaps part a line; one after a bullet or a number at its start is none, nor
    are those of a line stretched to the margin, which are all alike."""
    pairs = zip(boxes[LABEL - 1 :], boxes[LABEL:], strict=False)
    gaps = [max(two.left - one.right, one.left - two.right) / size for one, two in pairs]
    gaps = [gap for gap in gaps if gap > WORD_GAP]
    widest = max(gaps, default=0.0)
    return widest > CELL_GAP and (widest > 2 * median(gaps) or widest > 2.5 * CELL_GAP)


def _is_bold(handle: Any, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(handle, index, name, 128, None)
    font = name.value.decode("utf-8", "replace").lower()
    return any(word in font for word in _BOLD) or pdfium.FPDFText_GetFontWeight(handle, index) > 600
