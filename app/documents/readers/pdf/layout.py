"""The layout of a PDF page's lines, measured by PDFium: type size, weight, margins, gaps."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

import pypdfium2.raw as pdfium

from ...line_layout import NEAR_MARGIN, LineLayout, PageLayout, line_key

# In type sizes where nothing else is said; all chosen by hand on the sample documents.
_LABEL_LETTERS = 5  # of a bullet or number at a line's start, whose gap is no table's
_MIN_WORD_GAP = 0.1
_MIN_CELL_GAP = 1.2
_CELL_GAP_FACTOR = 2  # times the median gap: the gaps of a justified line are all alike
_VERY_WIDE_GAP = 3.0  # a gap that wide separates cells whatever the others are
_MAX_CELL_RISE = 8  # from the end of a cell to the beginning of the next one; more is a column
_LEAD_GAP_FACTOR = 1.4  # times the usual gap: it sets bold words at a line's start off
_COLUMN_TOLERANCE = 3  # lines that begin so near to each other share a column
_MIN_COLUMN_LINES = 4  # that show where a column's right margin is
_MIN_LIST_LINES, _MAX_FULL_SHARE = 6, 0.35  # of a list, few of whose lines reach the margin
_NEW_LINE_MOVE, _NEW_LINE_STEP_BACK = 0.9, 0.4  # up or down; less where the letter is left too
_MAX_PAGE_LETTERS = 40_000  # more would take seconds
_MAX_PAGE_LINES = 400  # more are a drawing or a listing; plain text rules do for it
_MIN_BOLD_WEIGHT = 600  # above which a font is bold
_BOLD_FONT_NAMES = ("bold", "black", "heavy", "-semi", "cmbx")

_Letter = tuple[int, str, Any]  # index in the text page, character, box


@dataclass(frozen=True)
class _MeasuredLine:
    """A line with its edges in points from the left and bottom edge of the page; `size` is the
    height of the type. The other fields are those of LineLayout."""

    text: str
    left: float
    right: float
    bottom: float
    size: float
    is_bold: bool
    is_row: bool
    bold_letters: int
    is_lead_set_off: bool


def page_layout(textpage: Any) -> PageLayout:
    """Return the layout of the lines of a pypdfium2 text page; {} where it has too many."""
    lines = _measured_lines(textpage) if textpage.count_chars() <= _MAX_PAGE_LETTERS else []
    if len(lines) > _MAX_PAGE_LINES:
        return {}
    layout: dict[str, tuple[LineLayout, ...]] = {}
    for index, line in enumerate(lines):
        above = lines[index - 1] if index else None
        space_above = 0.0
        if above is not None and above.left < line.right and line.left < above.right:
            space_above = max(0.0, (above.bottom - line.bottom) / line.size)
        key = line_key(line.text)
        if key:
            found = LineLayout(
                size=line.size,
                is_bold=line.is_bold,
                left=line.left / line.size,
                space_right=_space_right(line, lines),
                space_above=space_above,
                is_row=line.is_row,
                index=index,
                bold_letters=line.bold_letters,
                is_lead_set_off=line.is_lead_set_off,
                is_new_cell=above is not None and _is_new_cell(above, line),
            )
            layout[key] = (*layout.get(key, ()), found)
    return layout


def _space_right(line: _MeasuredLine, lines: Sequence[_MeasuredLine]) -> float | None:
    """Return the space, in type sizes, from a line to the right margin of its column; infinity in
    a list, None where too few lines show the margin."""
    rights = [p.right for p in lines if abs(p.left - line.left) < _COLUMN_TOLERANCE * line.size]
    if len(rights) < _MIN_COLUMN_LINES:
        return None
    margin = min(quantiles(rights, n=10)[8], max(rights))
    full = sum(margin - right < NEAR_MARGIN * line.size for right in rights)
    # Where few lines reach the margin they are rows of a list and do not run on.
    is_list = len(rights) >= _MIN_LIST_LINES and full < _MAX_FULL_SHARE * len(rights)
    return math.inf if is_list else (margin - line.right) / line.size


def _is_new_cell(above: _MeasuredLine, line: _MeasuredLine) -> bool:
    """Return whether a line begins another cell of a table than the line before it ends: it is to
    the right and hardly lower, or to the left and lower; a column of a page begins far above."""
    rise, gap = (line.bottom - above.bottom) / line.size, _MIN_CELL_GAP * line.size
    if line.left - above.right > gap:
        return -1 < rise < _MAX_CELL_RISE
    return above.left - line.right > gap and -_MAX_CELL_RISE < rise < 0


def _measured_lines(textpage: Any) -> list[_MeasuredLine]:
    """Return the lines in PDFium's order, separated by place: PDFium itself joins lines at a soft
    hyphen and splits them at a superscript."""
    handle = textpage.raw
    lines: list[_MeasuredLine] = []
    line: list[_Letter] = []
    for index in range(textpage.count_chars()):
        code = pdfium.FPDFText_GetUnicode(handle, index)
        if code <= 32 or code in (0xAD, 0xFFFE, 0xFFFF):
            continue
        box = pdfium.FS_RECTF()
        if not pdfium.FPDFText_GetLooseCharBox(handle, index, box) or box.top <= box.bottom:
            continue
        if line and _is_on_next_line(line[0][2], line[-1][2], box):
            lines.append(_measure_line(line, handle))
            line = []
        line.append((index, chr(code), box))
    if line:
        lines.append(_measure_line(line, handle))
    return lines


def _is_on_next_line(first: Any, last: Any, box: Any) -> bool:
    """Return whether a letter is on another line than the first and the last one before it."""
    size = max(last.top - last.bottom, first.top - first.bottom)
    moved = min(abs(box.bottom - last.bottom), abs(box.bottom - first.bottom)) / size
    return moved > _NEW_LINE_MOVE or (moved > _NEW_LINE_STEP_BACK and box.left < last.left)


def _measure_line(letters: list[_Letter], handle: Any) -> _MeasuredLine:
    """Return the measures of a line. Its first, middle and last letter show the style; a
    superscript is only one of them."""
    samples = [letters[0], letters[len(letters) // 2], letters[-1]]
    sizes = sorted(box.top - box.bottom for _, _, box in samples)
    bottoms = sorted(box.bottom for _, _, box in samples)
    left = min(letters[0][2].left, letters[-1][2].left)  # in either direction of writing
    right = max(letters[0][2].right, letters[-1][2].right)
    first, *others = (_is_bold_letter(handle, index) for index, _, _ in samples)
    text = "".join(char for _, char, _ in letters)
    boxes = [box for _, _, box in letters]
    lead, is_set_off = 0, False
    if first and not others[-1]:
        lead, is_set_off = _bold_lead([_is_bold_letter(handle, i) for i, _, _ in letters], boxes)
    return _MeasuredLine(
        text=text,
        left=left,
        right=right,
        bottom=bottoms[1],
        size=sizes[1],
        is_bold=first and all(others),
        is_row=_has_cells(boxes, sizes[1]),
        bold_letters=len(line_key(text[:lead])),
        is_lead_set_off=is_set_off,
    )


def _bold_lead(bold: list[bool], boxes: list[Any]) -> tuple[int, bool]:
    """Return how many letters a line begins with in bold, and whether more than a space follows.
    A word in another type may be among them, where more than a space follows."""
    ends = [i for i, pair in enumerate(pairwise(bold), 1) if pair == (True, False)]
    for end in reversed(ends):
        if _is_set_off(boxes, end):
            return end, True
    return ends[0], False


def _is_set_off(boxes: list[Any], count: int) -> bool:
    """Return whether the gap after the first letters of a line is wider than those between its
    words."""
    gaps = [two.left - one.right for one, two in pairwise(boxes)]
    usual = [gap for gap in gaps if gap > _MIN_WORD_GAP * (boxes[0].top - boxes[0].bottom)]
    return bool(usual) and gaps[count - 1] > _LEAD_GAP_FACTOR * median(usual)


def _has_cells(boxes: list[Any], size: float) -> bool:
    """Return whether wide gaps split a line into cells. A gap after a bullet or a number at its
    start does not, nor do the gaps of a line stretched to the margin, which are all alike."""
    pairs = zip(boxes[_LABEL_LETTERS - 1 :], boxes[_LABEL_LETTERS:], strict=False)
    gaps = [max(two.left - one.right, one.left - two.right) / size for one, two in pairs]
    gaps = [gap for gap in gaps if gap > _MIN_WORD_GAP]
    widest = max(gaps, default=0.0)
    is_wider = widest > _CELL_GAP_FACTOR * median(gaps) if gaps else False
    return widest > _MIN_CELL_GAP and (is_wider or widest > _VERY_WIDE_GAP)


def _is_bold_letter(handle: Any, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(handle, index, name, 128, None)
    font = name.value.decode("utf-8", "replace").lower()
    if any(word in font for word in _BOLD_FONT_NAMES):
        return True
    weight: int = pdfium.FPDFText_GetFontWeight(handle, index)
    return weight > _MIN_BOLD_WEIGHT
