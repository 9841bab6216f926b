"""PDFs are extracted: pypdf and PDFium both read, the better text of each page is cleaned."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2

from ....errors import NotReadable, PasswordNeeded, TooLong, WrongPassword
from ....warning import AppWarning, WarningKind
from ....wording import capital, places
from ... import limits
from ...cleaning import Cleaned, clean_pages
from ...headings import MIN_LEVEL_HEADINGS, headings_in_text
from ...line_layout import PageLayout
from ...model import (
    Block,
    Extracted,
    ExtractedPage,
    OnProgress,
    OutlineItem,
    PageStatus,
    ReadRequest,
)
from . import ocr as ocr_engine
from . import quality
from .heading_by_type_size import outline_by_type_size
from .layout import page_layout

_TYPE_OVER_WORDS = 1.5  # times the headings found by words: from there those by type are taken
_MIN_PICTURE_SHARE = 0.2  # of a page without text, that is no logo; chosen by hand


@dataclass(frozen=True)
class RawPage:
    """Raw text of one page, its status, and the layout of its lines."""

    text: str
    status: PageStatus
    layout: PageLayout


def read_pdf(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a PDF; `ocr` reads pages that are pictures or unreadable glyphs. Raises NotReadable,
    PasswordNeeded, WrongPassword, TooLong."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would log parts of the document
    reader, pdfium, total = _open(Path(request.path), request.password, request.name)
    labels = _page_labels(reader, total)
    on_progress(0, total)
    pages: list[RawPage] = []
    ocr = _OcrPages(pdfium) if request.ocr else None
    characters = 0
    for index in range(total):
        page = read_page(reader, pdfium, index)
        pages.append(ocr.better(page, index) if ocr else page)
        characters += len(pages[-1].text)
        if characters > limits.MAX_DOCUMENT_CHARACTERS:
            raise limits.too_many_characters(request.name)
        on_progress(index + 1, total)
    cleaned = _clean(pages)
    if hidden := _pictures_under_headers(pdfium, pages, cleaned):
        for index in hidden:
            pages[index] = RawPage("", "scanned", {})
            pages[index] = ocr.better(pages[index], index) if ocr else pages[index]
        cleaned = _clean(pages)
    return Extracted(
        unit="page",
        pages=_extracted_pages(labels, cleaned, pages),
        outline=_best_outline(_file_outline(reader, total), cleaned, pages),
        contents=tuple(index + 1 for index in cleaned.contents),
        notes=ocr.warnings(labels) if ocr else (),
    )


def _clean(pages: Sequence[RawPage]) -> Cleaned:
    return clean_pages(
        [page.text if page.status == "ok" else "" for page in pages],
        [page.layout for page in pages],
    )


def _extracted_pages(
    labels: Sequence[str], cleaned: Cleaned, pages: Sequence[RawPage]
) -> tuple[ExtractedPage, ...]:
    """Return the cleaned pages, a block for each paragraph. A page with nothing but its running
    header or a table of contents is empty."""
    found = []
    for number, (label, text, page) in enumerate(zip(labels, cleaned.pages, pages, strict=True), 1):
        status = "empty" if page.status == "ok" and not text else page.status
        paragraphs = text.split("\n\n") if text else []
        blocks = tuple(Block(paragraph, page=number) for paragraph in paragraphs)
        found.append(ExtractedPage(label, status, blocks))
    return tuple(found)


def _best_outline(
    outline: tuple[OutlineItem, ...], cleaned: Cleaned, pages: Sequence[RawPage]
) -> tuple[OutlineItem, ...]:
    """Return the outline of the file; where it is too short, the headings in larger type, if
    these are many."""
    if len(outline) >= MIN_LEVEL_HEADINGS:
        return outline
    by_type = outline_by_type_size(cleaned.pages, [page.layout for page in pages])
    # Numbers and names are surer signs of a heading than type, where nearly all headings have them.
    by_words = headings_in_text("\n\n".join(cleaned.pages))
    is_enough = len(by_type) >= max(MIN_LEVEL_HEADINGS, _TYPE_OVER_WORDS * len(by_words))
    return by_type if is_enough else outline


def _pictures_under_headers(
    pdfium: pypdfium2.PdfDocument | None, pages: Sequence[RawPage], cleaned: Cleaned
) -> list[int]:
    """Return the indexes of pages with no text but a running header, and a picture that is no
    logo."""
    return [
        index
        for index, (page, text) in enumerate(zip(pages, cleaned.pages, strict=True))
        if page.status == "ok"
        and not text
        and index not in cleaned.contents
        and _picture_share(pdfium, index) >= _MIN_PICTURE_SHARE
    ]


def _picture_share(document: pypdfium2.PdfDocument | None, index: int) -> float:
    """Return the share of a page that its largest picture covers."""
    if document is None or index >= len(document):
        return 0.0
    try:
        page = document[index]
        width, height = page.get_size()
        image = pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
        boxes = [found.get_bounds() for found in page.get_objects(filter=[image])]
        page.close()
        areas = [(right - left) * (top - bottom) for left, bottom, right, top in boxes]
        return max(areas, default=0.0) / (width * height)
    except Exception:  # any damage to one page must not end the document
        return 0.0


class _OcrPages:
    """Pages read by OCR from what PDFium draws; the engine is loaded for the first of them."""

    def __init__(self, pdfium: pypdfium2.PdfDocument | None) -> None:
        self._pdfium = pdfium
        self._recognize: Callable[[Any], str] | None = None
        self._read: list[int] = []
        self._failed: list[int] = []

    def better(self, page: RawPage, index: int) -> RawPage:
        """Return the page, read by OCR where it has no usable text and OCR finds some."""
        if page.status not in ("scanned", "garbled") or self._pdfium is None:
            return page
        if self._recognize is None:
            self._recognize = ocr_engine.load_engine()
        try:
            text = self._recognize(ocr_engine.draw_for_ocr(self._pdfium[index]))
        except Exception:  # one page that cannot be drawn must not end the document
            self._failed.append(index + 1)
            return page
        if not text.strip():
            return page
        self._read.append(index + 1)
        return RawPage(text, "ok", {})

    def warnings(self, labels: Sequence[str]) -> tuple[AppWarning, ...]:
        """Return warnings about the pages whose text is a guess, and those on which OCR failed."""
        what = "read by OCR, so letters and numbers may be wrong there"
        return (
            *_ocr_warning(WarningKind.OCR_USED, self._read, what, labels),
            *_ocr_warning(WarningKind.OCR_FAILED, self._failed, "too much for OCR", labels),
        )


def _ocr_warning(
    kind: WarningKind, pages: Sequence[int], what: str, labels: Sequence[str]
) -> tuple[AppWarning, ...]:
    if not pages:
        return ()
    verb = "was" if len(pages) == 1 else "were"
    return (AppWarning(kind, f"{capital(places(pages, 'page', labels))} {verb} {what}."),)


def _open(
    path: Path, password: str | None, name: str
) -> tuple[pypdf.PdfReader | None, pypdfium2.PdfDocument | None, int]:
    """Return (pypdf's reader, PDFium's document, number of pages); None for one that cannot read
    the file. Raises NotReadable, PasswordNeeded, WrongPassword, TooLong."""
    reader = _open_pypdf(path, password, name)
    pdfium, is_locked = _open_pdfium(path, password)
    if reader is None and is_locked:
        raise _password_error(password, name)
    ours, theirs = _page_count(reader), len(pdfium) if pdfium is not None else 0
    total = max(ours, theirs)
    if total == 0:
        size = f"{path.stat().st_size:,} bytes"
        raise NotReadable(f"“{name}” is damaged or cut off ({size}): download it again.")
    if total > limits.MAX_DOCUMENT_PAGES:
        raise TooLong(
            f"“{name}” has {total:,} pages and the limit is {limits.MAX_DOCUMENT_PAGES:,}: "
            "split it first."
        )
    # Readers that count pages differently skip damaged ones: their page 5 is not the same page.
    return reader if ours == total else None, pdfium if theirs == total else None, total


def _password_error(password: str | None, name: str) -> PasswordNeeded | WrongPassword:
    if password:
        return WrongPassword(f"That password does not open “{name}”: try another.")
    return PasswordNeeded(f"“{name}” is protected: enter its password.")


def _open_pypdf(path: Path, password: str | None, name: str) -> pypdf.PdfReader | None:
    """Return the reader, unlocked; None when pypdf cannot read the file."""
    try:
        reader = pypdf.PdfReader(str(path))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        if is_locked and not (password and reader.decrypt(password)):
            raise _password_error(password, name)
        return reader
    except (PasswordNeeded, WrongPassword):
        raise
    except MemoryError as error:
        raise limits.too_complex(name) from error
    except Exception:  # pypdf raises many types on damaged files; PDFium may still read them
        return None


def _open_pdfium(path: Path, password: str | None) -> tuple[pypdfium2.PdfDocument | None, bool]:
    """Return (the document or None, is only the password missing?)."""
    is_locked = False
    for secret in dict.fromkeys((None, password)):
        try:
            return pypdfium2.PdfDocument(str(path), password=secret), False
        except pypdfium2.PdfiumError as error:
            is_locked = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        except Exception:  # damaged; pypdf may still read it
            is_locked = False
    return None, is_locked


def _page_count(reader: pypdf.PdfReader | None) -> int:
    try:
        return len(reader.pages) if reader is not None else 0
    except Exception:  # a damaged page tree; PDFium rebuilds it
        return 0


def read_page(
    reader: pypdf.PdfReader | None, pdfium: pypdfium2.PdfDocument | None, index: int
) -> RawPage:
    """Return the better reading of the page at a 0-based index."""
    first = _pypdf_text(reader, index)
    second, has_picture, layout = _pdfium_text(pdfium, index)
    if first is None and second is None:
        return RawPage("", "failed", {})
    text = quality.better_text(first, second)
    if not text.strip():
        return RawPage("", "scanned" if has_picture else "empty", {})
    return RawPage(text, "garbled" if quality.is_garbled(text) else "ok", layout)


def _pypdf_text(reader: pypdf.PdfReader | None, index: int) -> str | None:
    if reader is None:
        return None
    try:
        return reader.pages[index].extract_text()
    except Exception:  # any damage to one page must not end the document
        return None


def _pdfium_text(
    document: pypdfium2.PdfDocument | None, index: int
) -> tuple[str | None, bool, PageLayout]:
    """Return (text, does the page show a picture and no text?, layout of its lines)."""
    if document is None or index >= len(document):
        return None, False, {}
    page = None
    try:
        page = document[index]
        textpage = page.get_textpage()
        text = textpage.get_text_bounded().replace("\x02", "\ufffe")  # a hyphen at a line's end
        if text.strip():
            return text, False, page_layout(textpage)
        image = pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
        return text, next(iter(page.get_objects(filter=[image])), None) is not None, {}
    except Exception:  # any damage to one page must not end the document
        return None, False, {}
    finally:
        if page is not None:
            page.close()


def _page_labels(reader: pypdf.PdfReader | None, total: int) -> list[str]:
    """Return the printed page labels, else the physical numbers."""
    numbers = [str(n) for n in range(1, total + 1)]
    try:
        labels = [str(label) for label in reader.page_labels] if reader is not None else []
    except Exception:  # labels are an extra; physical numbers always work
        return numbers
    return labels if len(labels) == total else numbers


def _file_outline(reader: pypdf.PdfReader | None, total: int) -> tuple[OutlineItem, ...]:
    """Return the outline of the file in reading order; () when it has none."""
    found: list[OutlineItem] = []
    if reader is None:
        return ()

    def walk(items: list[Any], level: int) -> None:
        for item in items:
            is_full = len(found) >= limits.MAX_OUTLINE_ITEMS
            if is_full or level > limits.MAX_OUTLINE_LEVEL:
                return
            if isinstance(item, list):
                walk(item, level + 1)
                continue
            try:
                page = reader.get_destination_page_number(item)
            except Exception:  # a dangling entry
                page = None
            if page is not None and 0 <= page < total:
                found.append(OutlineItem(str(item.title or ""), page + 1, level))

    with contextlib.suppress(Exception):  # a broken tree: the items before it stay
        walk(reader.outline, 1)
    return tuple(found)
