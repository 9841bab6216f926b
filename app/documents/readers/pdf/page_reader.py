"""One page of a PDF is read: PDFium's characters, and pypdf's text where these are doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium

from ...cleaning import PlacedLine, text_lines
from ...model import PageStatus
from . import quality
from .annotations import PageNotes, page_notes
from .drawing import drawing_of
from .furniture import drop_line_numbers
from .glyphs import GlyphReader
from .lines import PageLines, join_pieces, page_lines

if TYPE_CHECKING:
    import pypdf

_WITH_LETTERS = (pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_FORM)


@dataclass
class RawPage:
    """A page before cleaning: its lines as PDFium has them, or `text` of another reader where
    these are of no use, or lines `seen` by OCR; with form values, comments and the count of line
    numbers dropped."""

    status: PageStatus
    lines: PageLines | None = None
    text: str = ""
    notes: PageNotes = field(default_factory=PageNotes)
    line_numbers: int = 0
    unreadable: int = 0  # passages in a font without codes, on a page that is read
    has_picture: bool = False
    is_blank: bool = False  # what is drawn on it holds no letters
    seen: tuple[PlacedLine, ...] = ()

    @property
    def characters(self) -> int:
        """Return how many characters the page has, about."""
        own = sum(len(line.text) for line in self.lines.lines) if self.lines else 0
        return own + len(self.text) + sum(len(line.cells[0]) for line in self.seen)

    def placed(self) -> Sequence[PlacedLine]:
        """Return the lines that PDFium has not read."""
        return self.seen or (text_lines(self.text) if self.text else ())


OpenPypdf = Callable[[], "pypdf.PdfReader | None"]


class PageReader:
    """Reads the pages of an open document; either library may fail to open it."""

    def __init__(
        self,
        open_pypdf: OpenPypdf,
        document: pypdfium2.PdfDocument | None,
        hidden: frozenset[str] = frozenset(),
    ) -> None:
        # Its pages are parsed for the first doubtful one: they take more memory than all text.
        self._pypdf = cache(open_pypdf)
        self._document = document
        self._hidden_layers = hidden
        self._glyphs = GlyphReader()
        self._formenv: Any = None
        if document is not None and document.get_formtype() != pdfium.FORMTYPE_NONE:
            try:
                document.init_forms()
                self._formenv = document.formenv.raw if document.formenv else None
            except Exception:  # a broken form: its values are read without it
                self._formenv = None

    def read(self, index: int) -> RawPage:
        """Return the page at a 0-based index."""
        page = self._by_pdfium(index)
        text = _text_of(page)
        if page is not None and text.strip() and not quality.is_garbled(text):
            _drop_lost_leaders(page)
            return page
        other = None if page is not None and page.is_blank else self._by_pypdf(index)
        if page is None and other is None:
            return RawPage("failed")
        found = page or RawPage("empty")
        best = quality.better_text(text, other)
        if page is not None and quality.is_garbled(best) and _drop_unreadable_passages(page):
            return page
        if best.strip() and best != text:
            status: PageStatus = "garbled" if quality.is_garbled(best) else "ok"
            return RawPage(status, None, best, found.notes, has_picture=found.has_picture)
        if text.strip():
            found.status = "garbled"
        elif not found.notes.comments:
            found.status = "scanned" if found.has_picture else "empty"
        return found

    def _by_pypdf(self, index: int) -> str | None:
        reader = self._pypdf()
        try:
            return None if reader is None else reader.pages[index].extract_text()
        except Exception:  # any damage to one page must not end the document
            return None

    def _by_pdfium(self, index: int) -> RawPage | None:
        if self._document is None or index >= len(self._document):
            return None
        page = None
        try:
            page = self._document[index]
            textpage = page.get_textpage()
            glyphs = self._glyphs.read(textpage)
            if glyphs is None:  # a flood of characters: their text alone
                return RawPage("ok", None, textpage.get_text_bounded().replace("\x02", "\ufffe"))
            shown = page.get_cropbox()
            lines = page_lines(glyphs, shown, drawing_of(page, glyphs, shown, self._hidden_layers))
            numbers = drop_line_numbers(lines)
            lines.lines = join_pieces(lines.lines)
            notes = page_notes(page, self._formenv, lines.lines)
            lines.lines += notes.values
            found = RawPage("ok", lines, "", notes, numbers)
            if not lines.lines:
                kinds = {drawn.type for drawn in page.get_objects()}
                found.has_picture = pdfium.FPDF_PAGEOBJ_IMAGE in kinds
                # Where there is nothing at all, PDFium may have failed to read the page.
                found.is_blank = bool(kinds) and kinds.isdisjoint(_WITH_LETTERS)
            return found
        except Exception:  # any damage to one page must not end the document
            return None
        finally:
            if page is not None:
                page.close()


def _text_of(page: RawPage | None) -> str:
    return "\n".join(line.text for line in page.lines.lines) if page and page.lines else ""


def _drop_unreadable_passages(page: RawPage) -> bool:
    """Remove the lines in a font whose letters have no codes, as a side bar may have, and return
    whether the rest, most of the page, is sound."""
    if page.lines is None:
        return False
    lines = page.lines.lines
    bad = [quality.is_unreadable_line(line.text) for line in lines]
    rest = [line for line, is_bad in zip(lines, bad, strict=True) if not is_bad]
    letters = sum(line.letters for line in rest)
    is_most = 2 * letters >= sum(len(line.text) for line in lines)
    if not is_most or quality.is_garbled("\n".join(line.text for line in rest)):
        return False
    page.lines.lines = rest
    page.unreadable = sum(is_bad and not before for before, is_bad in pairwise((False, *bad)))
    return True


def _drop_lost_leaders(page: RawPage) -> None:
    if page.lines is None:
        return
    for line in page.lines.lines:
        line.text = quality.without_lost_leaders(line.text).rstrip()
    page.lines.lines = [line for line in page.lines.lines if line.text]
