"""The characters of a PDF page as PDFium sees them, with box, baseline, type and visibility."""

from __future__ import annotations

import ctypes
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pypdfium2.raw as pdfium

MAX_PAGE_GLYPHS = 150_000  # more would take seconds; no page that a person reads has them
_BOLD_WEIGHT = 600
_BOLD_NAMES = ("bold", "black", "heavy", "-semi", "cmbx", "demi")
_INVISIBLE_MODES = (3, 7)  # neither filled nor stroked; only a clipping path
_LIGHT = 245  # of 255, each of red, green and blue: white for the eye
_FAINT = 16  # of 255: a text so transparent is not seen
_QUARTER_TURNS = 4


@dataclass(frozen=True)
class TextStyle:
    """The type of a text object: size in points on the page, weight, quarter turns (None for any
    other angle), and whether it is drawn at all, and in white."""

    size: float
    is_bold: bool
    turns: int | None
    is_drawn: bool
    is_light: bool


@dataclass(frozen=True)
class Glyphs:
    """The characters of a page in PDFium's order. `boxes` holds left, top, right and bottom of
    each; `objects` the address of its text object, None for a space or line end that PDFium
    added. `origins` has the index of the first letter of each text object, and x and y of its
    baseline, which the others share."""

    codes: Sequence[int]
    boxes: Sequence[float]
    origins: dict[int, tuple[int, float, float]]
    objects: Sequence[int | None]
    styles: dict[int, TextStyle]


def _as_function(function: Any, result: Any, *arguments: Any) -> Any:
    """Return a function of PDFium with plain addresses as arguments: converting a pointer object
    would take longer than the call."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.CFUNCTYPE(result, *arguments)(address)


class GlyphReader:
    """Reads the characters of pages."""

    def __init__(self) -> None:
        address, number = ctypes.c_void_p, ctypes.c_int
        self._unicode = _as_function(pdfium.FPDFText_GetUnicode, ctypes.c_uint, address, number)
        self._box = _as_function(pdfium.FPDFText_GetLooseCharBox, number, address, number, address)
        self._object = _as_function(pdfium.FPDFText_GetTextObject, address, address, number)
        self._bold_fonts: dict[int | None, bool] = {}  # of one page: addresses are used again
        self._size, self._matrix = ctypes.c_float(), pdfium.FS_MATRIX()
        self._colors = tuple(ctypes.c_uint() for _ in range(4))

    def read(self, textpage: Any) -> Glyphs | None:
        """Return the characters of a pypdfium2 text page; None where it has too many."""
        count = textpage.count_chars()
        if count > MAX_PAGE_GLYPHS:
            return None
        handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
        boxes = (ctypes.c_float * (4 * count))()
        at, every = ctypes.addressof(boxes), range(count)
        # The loops run inside map: a Python call for each character would take most of the time.
        deque(map(self._box, repeat(handle), every, range(at, at + 16 * count, 16)), maxlen=0)
        objects = list(map(self._object, repeat(handle), every))
        styles: dict[int, TextStyle] = {}
        origins: dict[int, tuple[int, float, float]] = {}
        self._bold_fonts.clear()
        last = None
        x, y = ctypes.c_double(), ctypes.c_double()
        for index, found in enumerate(objects):
            if found != last and found is not None and found not in styles:
                styles[found] = self._style(textpage.raw, index, found)
                pdfium.FPDFText_GetCharOrigin(textpage.raw, index, x, y)
                origins[found] = index, x.value, y.value
            last = found
        return Glyphs(
            self._codes(textpage.raw, handle, count), list(boxes), origins, objects, styles
        )

    def _codes(self, raw: Any, handle: int | None, count: int) -> Sequence[int]:
        """Return the code points, in one call where each character has one unit of UTF-16."""
        buffer = (ctypes.c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(raw, 0, count, buffer) == count + 1:
            codes = list(buffer)[:count]
            if not any(0xD800 <= code < 0xE000 for code in codes):
                return codes
        return list(map(self._unicode, repeat(handle), range(count)))

    def _style(self, handle: Any, index: int, address: int) -> TextStyle:
        """Return the style of the text object that holds a character."""
        shown = ctypes.cast(address, pdfium.FPDF_PAGEOBJECT)
        size, matrix, (red, green, blue, alpha) = self._size, self._matrix, self._colors
        pdfium.FPDFTextObj_GetFontSize(shown, size)
        pdfium.FPDFText_GetMatrix(handle, index, matrix)
        turns = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
        is_straight = abs(turns - round(turns)) < 0.03
        has_color = pdfium.FPDFPageObj_GetFillColor(shown, red, green, blue, alpha)
        mode = pdfium.FPDFTextObj_GetTextRenderMode(shown)
        light = min(red.value, green.value, blue.value) >= _LIGHT
        return TextStyle(
            size=round(abs(size.value) * math.hypot(matrix.c, matrix.d), 2),
            is_bold=self._is_bold(handle, index, shown),
            turns=round(turns) % _QUARTER_TURNS if is_straight else None,
            is_drawn=mode not in _INVISIBLE_MODES and not (has_color and alpha.value < _FAINT),
            is_light=bool(has_color) and light and mode in (0, 4),
        )

    def _is_bold(self, handle: Any, index: int, shown: Any) -> bool:
        font = ctypes.cast(pdfium.FPDFTextObj_GetFont(shown), ctypes.c_void_p).value
        if font not in self._bold_fonts:
            buffer = ctypes.create_string_buffer(128)
            pdfium.FPDFText_GetFontInfo(handle, index, buffer, 128, None)
            name = buffer.value.decode("utf-8", "replace").lower()
            weight = pdfium.FPDFText_GetFontWeight(handle, index)
            self._bold_fonts[font] = weight > _BOLD_WEIGHT or any(n in name for n in _BOLD_NAMES)
        return self._bold_fonts[font]
