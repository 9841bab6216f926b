"""A PDF becomes raw page texts: pypdf and PDFium both read, the better text wins per page."""

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
from ...headings import MIN_TITLES, headings_in_text
from . import ocr as ocr_engine
from . import quality
from .heading_by_type_size import outline_by_type
from .layout import page_marks
from .paragraphs import Marks

MORE = 1.5  # times the headings known by their words: those in large type are taken
PICTURE = 0.2  # of a page, from which on what is on a picture is worth a word


def read_pdf(
    path: Path,
    password: str | None,
    name: str,
    on_progress: Callable[[int, int], None],
    *,
    ocr: bool = False,
) -> dict[str, Any]:
    """{"unit", "pages": [[label, text, status]...], "outline": [[title, page, level]...],
    "contents": [page...], "warnings"}: what was read, pages from 1, and where a table of contents
    was left out. `ocr` reads pages that are pictures or unreadable glyphs."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would log parts of the document
    reader, pdfium, total = _open(path, password, name)
    labels = _labels(reader, total)
    on_progress(0, total)
    readings: list[Reading] = []
    drawn = _Drawn(pdfium) if ocr else None
    characters = 0
    for index in range(total):
        reading = read_page(reader, pdfium, index)
        readings.append(drawn.better(reading, index) if drawn else reading)
        characters += len(readings[-1].text)
        if characters > limits.MAX_CHARACTERS:
            raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it.")
        on_progress(index + 1, total)
    cleaned = _cleaned(readings)
    if hidden := _pictures_under_headers(pdfium, readings, cleaned):
        for index in hidden:
            readings[index] = Reading("", "scanned", {})
            readings[index] = drawn.better(readings[index], index) if drawn else readings[index]
        cleaned = _cleaned(readings)
    pages = [
        # A page with nothing but its running header or a table of contents is empty now.
        [label, content, "empty" if page.status == "ok" and not content else page.status]
        for label, content, page in zip(labels, cleaned.pages, readings, strict=True)
    ]
    outline = _outline(reader, total)
    if len(outline) < MIN_TITLES:
        typeset = outline_by_type(cleaned.pages, [reading.marks for reading in readings])
        # Numbers and names tell more surely what is a heading, where nearly all have them.
        named = headings_in_text("\n\n".join(cleaned.pages))
        outline = typeset if len(typeset) >= max(MIN_TITLES, MORE * len(named)) else outline
    return {
        "unit": "page",
        "pages": pages,
        "outline": outline,
        "contents": [index + 1 for index in cleaned.contents],
        "warnings": drawn.warnings(labels) if drawn else [],
    }


def _cleaned(readings: list[Reading]) -> Cleaned:
    return clean_pages(
        [page.text if page.status == "ok" else "" for page in readings],
        [page.marks for page in readings],
    )


def _pictures_under_headers(
    pdfium: pypdfium2.PdfDocument | None, readings: list[Reading], cleaned: Cleaned
) -> list[int]:
    """The indexes of pages with no text but a running header, and a picture that is no logo."""
    return [
        index
        for index, (reading, text) in enumerate(zip(readings, cleaned.pages, strict=True))
        if reading.status == "ok"
        and not text
        and index not in cleaned.contents
        and _picture_share(pdfium, index) >= PICTURE
    ]


def _picture_share(document: pypdfium2.PdfDocument | None, index: int) -> float:
    """How much of a page its largest picture covers."""
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


class _Drawn:
    """Pages read by OCR from what PDFium draws; its engine is loaded for the first of them."""

    def __init__(self, pdfium: pypdfium2.PdfDocument | None) -> None:
        self._pdfium = pdfium
        self._read: Callable[[Any], str] | None = None
        self._pages: list[int] = []
        self._failed: list[int] = []

    def better(self, reading: Reading, index: int) -> Reading:
        """The reading of a page, by OCR where it has no usable text and OCR finds some."""
        if reading.status not in ("scanned", "garbled") or self._pdfium is None:
            return reading
        if self._read is None:
            self._read = ocr_engine.engine()
        try:
            text = self._read(ocr_engine.draw(self._pdfium[index]))
        except Exception:  # one page that cannot be drawn must not end the document
            self._failed.append(index + 1)
            return reading
        if not text.strip():
            return reading
        self._pages.append(index + 1)
        return Reading(text, "ok", {})

    def warnings(self, labels: Sequence[str]) -> list[AppWarning]:
        """What the person must know about text that was guessed from pictures."""
        found = []
        for kind, pages, what in (
            (
                WarningKind.OCR_USED,
                self._pages,
                "read by OCR, so letters and numbers may be wrong there",
            ),
            (WarningKind.OCR_FAILED, self._failed, "too much for OCR"),
        ):
            if pages:
                verb = "was" if len(pages) == 1 else "were"
                message = f"{capital(places(pages, 'page', labels))} {verb} {what}."
                found.append(AppWarning(kind, message))
        return found


def _open(
    path: Path, password: str | None, name: str
) -> tuple[pypdf.PdfReader | None, pypdfium2.PdfDocument | None, int]:
    """Both readers, None for one that cannot read the file, and the number of pages."""
    reader = _open_pypdf(path, password, name)
    pdfium, is_locked = _open_pdfium(path, password)
    if reader is None and is_locked:
        raise _locked(password, name)
    ours, theirs = _count(reader), len(pdfium) if pdfium is not None else 0
    total = max(ours, theirs)
    if total == 0:
        size = f"{path.stat().st_size:,} bytes"
        raise NotReadable(f"“{name}” is damaged or cut off ({size}): download it again.")
    if total > limits.MAX_PAGES:
        raise TooLong(
            f"“{name}” has {total:,} pages and the limit is {limits.MAX_PAGES:,}: split it first."
        )
    # Readers that count pages differently skip damaged ones: their page 5 is not the same page.
    return reader if ours == total else None, pdfium if theirs == total else None, total


def _locked(password: str | None, name: str) -> PasswordNeeded | WrongPassword:
    if password:
        return WrongPassword(f"That password does not open “{name}”: try another.")
    return PasswordNeeded(f"“{name}” is protected: enter its password.")


def _open_pypdf(path: Path, password: str | None, name: str) -> pypdf.PdfReader | None:
    """The reader, unlocked; None when pypdf cannot make sense of the file."""
    try:
        reader = pypdf.PdfReader(str(path))
        is_locked = reader.is_encrypted and not reader.decrypt("")
        if is_locked and not (password and reader.decrypt(password)):
            raise _locked(password, name)
        return reader
    except (PasswordNeeded, WrongPassword):
        raise
    except MemoryError as error:
        raise NotReadable(
            f"“{name}” is too complex to read safely: print it to a new PDF first."
        ) from error
    except Exception:  # pypdf raises many types on damaged files; PDFium may still read them
        return None


def _open_pdfium(path: Path, password: str | None) -> tuple[pypdfium2.PdfDocument | None, bool]:
    """(the document or None, is it the password that it lacks?)"""
    is_locked = False
    for secret in dict.fromkeys((None, password)):
        try:
            return pypdfium2.PdfDocument(str(path), password=secret), False
        except pypdfium2.PdfiumError as error:
            is_locked = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        except Exception:  # damaged; pypdf may still read it
            is_locked = False
    return None, is_locked


def _count(reader: pypdf.PdfReader | None) -> int:
    try:
        return len(reader.pages) if reader is not None else 0
    except Exception:  # a damaged page tree; PDFium rebuilds it
        return 0


@dataclass(frozen=True)
class Reading:
    """Raw text of one page, what became of it, and how its lines stand on the page."""

    text: str
    status: str
    marks: Marks


def read_page(
    reader: pypdf.PdfReader | None, pdfium: pypdfium2.PdfDocument | None, index: int
) -> Reading:
    """The better reading of the page at a 0-based index."""
    first = _pypdf_text(reader, index)
    second, has_image, marks = _pdfium_text(pdfium, index)
    if first is None and second is None:
        return Reading("", "failed", {})
    text = quality.better(first, second)
    if not text.strip():
        return Reading("", "scanned" if has_image else "empty", {})
    return Reading(text, "garbled" if quality.is_garbled(text) else "ok", marks)


def _pypdf_text(reader: pypdf.PdfReader | None, index: int) -> str | None:
    if reader is None:
        return None
    try:
        return reader.pages[index].extract_text()
    except Exception:  # any damage to one page must not end the document
        return None


def _pdfium_text(
    document: pypdfium2.PdfDocument | None, index: int
) -> tuple[str | None, bool, Marks]:
    """(text, does the page show a picture and no text?, how its lines stand)"""
    if document is None or index >= len(document):
        return None, False, {}
    page = None
    try:
        page = document[index]
        textpage = page.get_textpage()
        text = textpage.get_text_bounded().replace("\x02", "\ufffe")  # a hyphen at a line's end
        if text.strip():
            return text, False, page_marks(textpage)
        image = pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
        return text, next(iter(page.get_objects(filter=[image])), None) is not None, {}
    except Exception:  # any damage to one page must not end the document
        return None, False, {}
    finally:
        if page is not None:
            page.close()


def _labels(reader: pypdf.PdfReader | None, total: int) -> list[str]:
    """The printed page labels, else the physical numbers."""
    numbers = [str(n) for n in range(1, total + 1)]
    try:
        labels = [str(label) for label in reader.page_labels] if reader is not None else []
    except Exception:  # labels are an extra; physical numbers always work
        return numbers
    return labels if len(labels) == total else numbers


def _outline(reader: pypdf.PdfReader | None, total: int) -> list[list[Any]]:
    """[title, physical page, level] in reading order; empty when the file has none."""
    found: list[list[Any]] = []
    if reader is None:
        return found

    def walk(items: list[Any], level: int) -> None:
        for item in items:
            if len(found) >= limits.MAX_OUTLINE or level > limits.MAX_OUTLINE_LEVEL:
                return
            if isinstance(item, list):
                walk(item, level + 1)
                continue
            try:
                page = reader.get_destination_page_number(item)
            except Exception:  # a dangling entry
                page = None
            if page is not None and 0 <= page < total:
                found.append([str(item.title or ""), page + 1, level])

    with contextlib.suppress(Exception):  # a broken tree: what was found stays
        walk(reader.outline, 1)
    return found
