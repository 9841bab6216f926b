"""Set paragraphs as pages of a new PDF, in a font that every viewer has."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ...model import Box

if TYPE_CHECKING:
    from .highlights import SummaryLine

FONTS = {False: b"Helvetica", True: b"Helvetica-Bold"}
ENCODING = "cp1252"  # of the letters that the fonts have
SIZE, LINE_HEIGHT, MARGIN = 10.5, 15.0, 56.0  # points
PageLink = tuple[int, Box, int]  # of a page of this PDF from 0, its box, the cited page from 1


def can_typeset(text: str) -> bool:
    """Return True where the font has all letters of a text: those of Western languages."""
    try:
        text.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True


def typeset(
    lines: Sequence[SummaryLine], size: tuple[float, float]
) -> tuple[bytes, list[PageLink]]:
    """Return a PDF of pages of this size, and the places of the lines that lead to a page."""
    setter = _Setter(size)
    for line in lines:
        setter.paragraph(line)
    return setter.finish(), setter.links


class _Setter:
    """Sets words from left to right and lines from top to bottom."""

    def __init__(self, size: tuple[float, float]) -> None:
        import pypdfium2

        self._size = size
        self._document = pypdfium2.PdfDocument.new()
        self._page: Any = None
        self._number, self._y = -1, 0.0
        self._widths: dict[tuple[str, bool], float] = {}
        self.links: list[PageLink] = []

    def paragraph(self, line: SummaryLine) -> None:
        """Set one paragraph."""
        words, row, width = line.text.split(), "", self._size[0] - 2 * MARGIN
        for word in words:
            longer = f"{row} {word}" if row else word
            if row and self._width(longer, line.is_heading) > width:
                self._row(row, line)
                row = word
            else:
                row = longer
        if row:
            self._row(row, line)
        self._y -= LINE_HEIGHT / 2

    def finish(self) -> bytes:
        """Return the PDF."""
        self._close_page()
        out = BytesIO()
        self._document.save(out)
        return out.getvalue()

    def _row(self, text: str, line: SummaryLine) -> None:
        if self._page is None or self._y < MARGIN:
            self._close_page()
            self._page = self._document.new_page(*self._size)
            self._number += 1
            self._y = self._size[1] - MARGIN
        self._put(text, line.is_heading)
        if line.page:
            right = MARGIN + self._width(text, line.is_heading)
            box = (MARGIN, self._y - LINE_HEIGHT / 4, right, self._y + SIZE)
            self.links.append((self._number, box, line.page))
        self._y -= LINE_HEIGHT

    def _put(self, text: str, is_heading: bool) -> None:
        import pypdfium2.raw as pdfium

        item = self._text_object(text, is_heading)
        pdfium.FPDFPageObj_Transform(item, 1, 0, 0, 1, MARGIN, self._y)
        pdfium.FPDFPage_InsertObject(self._page.raw, item)

    def _width(self, text: str, is_heading: bool) -> float:
        import pypdfium2.raw as pdfium

        item = self._text_object(text, is_heading)
        edges = [ctypes.c_float() for _ in range(4)]
        pdfium.FPDFPageObj_GetBounds(item, *edges)
        pdfium.FPDFPageObj_Destroy(item)
        return float(edges[2].value)

    def _text_object(self, text: str, is_heading: bool) -> Any:
        import pypdfium2.raw as pdfium

        item = pdfium.FPDFPageObj_NewTextObj(self._document.raw, FONTS[is_heading], SIZE)
        letters = ctypes.create_string_buffer((text + "\0").encode("utf-16-le"))
        buffer = ctypes.cast(letters, ctypes.POINTER(ctypes.c_ushort))
        pdfium.FPDFText_SetText(item, buffer)
        return item

    def _close_page(self) -> None:
        import pypdfium2.raw as pdfium

        if self._page is not None:
            pdfium.FPDFPage_GenerateContent(self._page.raw)
            self._page.close()
            self._page = None
