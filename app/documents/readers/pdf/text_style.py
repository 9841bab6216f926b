"""The type of a PDF's text objects: size, weight, direction, and whether they are drawn."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass

import pypdfium2.raw as pdfium

from .pdfium_calls import C_ADDRESS, C_NUMBER, as_function

_BOLD_WEIGHT = 600
_BOLD_NAMES = ("bold", "black", "heavy", "-semi", "cmbx", "demi")
_INVISIBLE_MODES = (3, 7)  # neither filled nor stroked; only a clipping path
_LIGHT = 245  # of 255, each of red, green and blue: white for the eye
_PALE, _SHEER = 170, 128  # of 255: grey or transparent type, as stamps across pages have
_FAINT = 16  # of 255: a text so transparent is not seen
_QUARTER_TURNS = 4


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The type of a text object: size in points on the page, weight, quarter turns (None for any
    other angle), whether it is drawn at all, in white, in pale type, and whether all letters of
    its font are equally wide."""

    size: float
    is_bold: bool
    turns: int | None
    is_drawn: bool
    is_light: bool
    is_pale: bool = False
    is_monospaced: bool = False


class StyleReader:
    """Reads the styles of the text objects of one page after another."""

    def __init__(self) -> None:
        pointers, size = (C_ADDRESS,) * 4, ctypes.c_ulong
        self._size_of = as_function(pdfium.FPDFTextObj_GetFontSize, C_NUMBER, C_ADDRESS, C_ADDRESS)
        self._matrix_of = as_function(
            pdfium.FPDFText_GetMatrix, C_NUMBER, C_ADDRESS, C_NUMBER, C_ADDRESS
        )
        self._color_of = as_function(
            pdfium.FPDFPageObj_GetFillColor, C_NUMBER, C_ADDRESS, *pointers
        )
        self._mode_of = as_function(pdfium.FPDFTextObj_GetTextRenderMode, C_NUMBER, C_ADDRESS)
        self._font_of = as_function(pdfium.FPDFTextObj_GetFont, C_ADDRESS, C_ADDRESS)
        self._name_of = as_function(
            pdfium.FPDFText_GetFontInfo, size, C_ADDRESS, C_NUMBER, C_ADDRESS, size, C_ADDRESS
        )
        self._weight_of = as_function(pdfium.FPDFText_GetFontWeight, C_NUMBER, C_ADDRESS, C_NUMBER)
        # Colour, size and matrix lie side by side, so that their bytes tell known styles apart.
        self._bytes = ctypes.create_string_buffer(44)
        at = ctypes.addressof(self._bytes)
        self._color = (ctypes.c_uint * 4).from_buffer(self._bytes)
        self._numbers = (ctypes.c_float * 7).from_buffer(self._bytes, 16)
        self._color_at, self._size_at, self._matrix_at = range(at, at + 16, 4), at + 16, at + 20
        self._known: dict[tuple[object, ...], TextStyle] = {}

    def begin_page(self) -> None:
        """Forget the fonts of the page before, whose addresses are used again."""
        self._known.clear()

    def read(self, handle: int, index: int, owner: int) -> tuple[TextStyle, int, float, float]:
        """Return the style of the text object at address `owner`, which holds the character at an
        index of the text page at `handle`, the address of its font, and x and y of its baseline."""
        self._size_of(owner, self._size_at)
        self._matrix_of(handle, index, self._matrix_at)
        has_color = self._color_of(owner, *self._color_at)
        key = (self._bytes.raw[:36], has_color, self._mode_of(owner), self._font_of(owner))
        if key not in self._known:
            is_bold = self._is_bold(handle, index)
            self._known[key] = self._style(bool(has_color), key[2], is_bold)
        return self._known[key], key[3], self._numbers[5], self._numbers[6]

    def _style(self, has_color: bool, mode: int, is_bold: bool) -> TextStyle:
        size, a, b, c, d, *_ = self._numbers
        *paint, alpha = self._color
        turns = math.atan2(b, a) / (math.pi / 2)
        is_straight = abs(turns - round(turns)) < 0.03
        return TextStyle(
            size=round(abs(size) * math.hypot(c, d), 2),
            is_bold=is_bold,
            turns=round(turns) % _QUARTER_TURNS if is_straight else None,
            is_drawn=mode not in _INVISIBLE_MODES and not (has_color and alpha < _FAINT),
            is_light=has_color and min(paint) >= _LIGHT and mode in (0, 4),
            is_pale=has_color and (min(paint) >= _PALE or alpha <= _SHEER),
        )

    def _is_bold(self, handle: int, index: int) -> bool:
        buffer = ctypes.create_string_buffer(128)
        self._name_of(handle, index, ctypes.addressof(buffer), 128, None)
        name = buffer.value.decode("utf-8", "replace").lower()
        weight = self._weight_of(handle, index)
        return bool(weight > _BOLD_WEIGHT or any(n in name for n in _BOLD_NAMES))
