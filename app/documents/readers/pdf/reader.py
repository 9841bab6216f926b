"""PDFs are extracted: pages are read by their geometry, cleaned together, and losses named."""

from __future__ import annotations

import contextlib
import gc
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pypdfium2

from ....errors import NotReadable, PasswordNeeded, TooLong, WrongPassword
from ... import limits, running_lines
from ...cleaning import CELL_SEPARATOR, CleanedPages, PlacedLine, clean_pages, text_lines
from ...model import (
    Block,
    BlockKind,
    Extracted,
    ExtractedPage,
    LineBox,
    Loss,
    LossKind,
    OnProgress,
    ReadRequest,
)
from . import parallel
from .furniture import drop_furniture
from .layers import hidden_layers
from .lines import PageLines
from .ocr import PageOcr, draw_for_ocr
from .outline import best_outline, file_outline
from .page_model import placed_lines
from .page_reader import OpenPypdf, PageReader, RawPage
from .page_tree import count_pages
from .plain_files import is_plain
from .tex_codes import mend_tex_codes
from .wrong_letters import find_wrong_letters, letters_warning, mend

if TYPE_CHECKING:
    import pypdf

_LONE_NUMBER = re.compile(r"\W*(?:\d{1,4}|[ivxlc]{1,7})\W*", re.I)
_MIN_PICTURE_SHARE = 0.2  # of a page without text, that is no logo; chosen by hand


def read_pdf(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a PDF; `ocr` reads pages that are pictures or unreadable glyphs. Raises NotReadable,
    PasswordNeeded, WrongPassword, TooLong."""
    usual = gc.get_threshold()
    gc.set_threshold(parallel.COLLECT_AFTER)
    try:
        return _read_pdf(request, on_progress)
    finally:
        gc.set_threshold(*usual)


def _read_pdf(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it would log parts of the document
    reader, pdfium, total = _open(Path(request.path), request.password, request.name)
    _refuse_containers(reader, pdfium, request.name)
    open_pypdf = partial(_open_pypdf_again, request, total)
    hidden = hidden_layers(reader)
    del reader
    labels, outline = _page_labels(pdfium, total), file_outline(pdfium)
    on_progress(0, total)
    pages: list[RawPage] = []
    ocr = _ocr_of(pdfium) if request.ocr else None
    characters = 0
    for index, page in enumerate(_read_pages(request, open_pypdf, pdfium, total, hidden)):
        pages.append(_read_by_ocr(ocr, page, index))
        characters += pages[-1].characters
        if characters > limits.MAX_DOCUMENT_CHARACTERS:
            raise limits.too_many_characters(request.name)
        on_progress(index + 1, total)
    wrong = _mend_letters(pages)
    drop_furniture([page.lines or _no_lines() for page in pages], labels)
    cleaned = _clean(pages)
    under_headers = _pictures_under_headers(pdfium, pages, cleaned)
    for index in under_headers:
        pages[index] = _read_by_ocr(ocr, RawPage("scanned"), index)
    if under_headers:
        cleaned = _clean(pages)
    return Extracted(
        unit="page",
        pages=_extracted_pages(labels, cleaned, pages),
        outline=best_outline(outline, cleaned.pages),
        contents=tuple(index + 1 for index in cleaned.contents),
        notes=(*letters_warning(wrong), *(ocr.warnings(labels) if ocr else ())),
        losses=_losses(pages, pdfium),
        coverage=_coverage(pages, cleaned),
    )


def _read_pages(
    request: ReadRequest,
    open_pypdf: OpenPypdf,
    pdfium: pypdfium2.PdfDocument | None,
    total: int,
    hidden: frozenset[str],
) -> Iterator[RawPage]:
    """Yield the pages in order, read by several processes where that is faster."""
    processes = parallel.processes_for(total)
    if processes > 1:

        def open_reader() -> PageReader:
            path, password = Path(request.path), request.password
            return PageReader(
                open_pypdf,
                _open_pdfium(path, password)[0] if pdfium is not None else None,
                hidden,
            )

        yield from parallel.read_pages(open_reader, total, processes)
    else:
        yield from map(PageReader(open_pypdf, pdfium, hidden).read, range(total))


def _mend_letters(pages: Sequence[RawPage]) -> dict[str, str]:
    """Put the letters of ligatures into lines that hold other letters for them; return these."""
    lines = [line for page in pages if page.lines for line in page.lines.lines]
    for line, text in zip(lines, mend_tex_codes([line.text for line in lines]), strict=True):
        line.text = text
    wrong = find_wrong_letters(line.text for line in lines)
    if wrong:
        for line in lines:
            line.text = mend(line.text, wrong)
    return wrong


def _no_lines() -> PageLines:
    return PageLines([], 0.0, 0.0, 0)


def _refuse_containers(
    reader: pypdf.PdfReader | None, pdfium: pypdfium2.PdfDocument | None, name: str
) -> None:
    """Raise NotReadable for a form whose pages only Adobe's programs draw, and for a portfolio of
    other files."""
    if pdfium is not None and pdfium.get_formtype() == pypdfium2.raw.FORMTYPE_XFA_FULL:
        raise NotReadable(
            f"“{name}” is a dynamic XFA form, which only Adobe's programs can show: print it to a "
            "new PDF there."
        )
    try:
        is_portfolio = reader is not None and "/Collection" in reader.root_object
    except Exception:  # a damaged catalogue has no portfolio
        is_portfolio = False
    if is_portfolio:
        raise NotReadable(
            f"“{name}” is a portfolio, a PDF that only holds other files: save these from it and "
            "choose them."
        )


def _clean(pages: Sequence[RawPage]) -> CleanedPages:
    """Return the blocks of all pages."""
    found: list[Sequence[PlacedLine]] = []
    plain = running_lines.drop_running_lines(
        [
            "\n".join(line.cells[0] for line in page.placed()) if page.status == "ok" else ""
            for page in pages
        ]
    )
    for page, text in zip(pages, plain, strict=True):
        if page.status != "ok":
            found.append(())
        elif page.lines is not None:
            found.append(placed_lines(page.lines))
        else:
            found.append(text_lines(text, page.seen))
    return clean_pages(found)


def _extracted_pages(
    labels: Sequence[str], cleaned: CleanedPages, pages: Sequence[RawPage]
) -> tuple[ExtractedPage, ...]:
    """Return the cleaned pages with the comments on them. A page with nothing but its running
    header, its number or a table of contents is empty."""
    found = []
    for number, (label, own, page) in enumerate(zip(labels, cleaned.pages, pages, strict=True), 1):
        is_bare = len(own) == 1 and _LONE_NUMBER.fullmatch(own[0].text) is not None
        blocks = [] if is_bare else [replace(block, page=number) for block in own]
        blocks += [
            Block(
                f"Note: {text}",
                BlockKind.NOTE,
                page=number,
                lines=(LineBox(0, len(text) + len("Note: "), box),),
            )
            for text, box in page.notes.comments
        ]
        status = "empty" if page.status == "ok" and not blocks else page.status
        found.append(ExtractedPage(label, status, tuple(blocks)))
    return tuple(found)


def _losses(pages: Sequence[RawPage], pdfium: pypdfium2.PdfDocument | None) -> tuple[Loss, ...]:
    """Return what was seen and left out, page by page."""
    found: list[Loss] = []
    for number, page in enumerate(pages, 1):
        lines = page.lines
        counts = {LossKind.ANNOTATION: page.notes.left_out}
        if lines is not None:
            counts |= {
                LossKind.HIDDEN_TEXT: _count_passages(lines.hidden),
                LossKind.OFF_PAGE_TEXT: _count_passages(lines.outside),
                LossKind.WATERMARK: _count_passages(lines.turned),
                LossKind.UNREADABLE_TEXT: page.unreadable,
            }
        found += [Loss(kind, number, count) for kind, count in counts.items() if count]
    # Marks are many and small: their number says enough.
    marks = sum(line.marks for page in pages if page.lines for line in page.lines.lines)
    totals = {
        LossKind.NOTE_MARK: marks,
        LossKind.LINE_NUMBER: sum(page.line_numbers for page in pages),
    }
    found += [Loss(kind, None, count) for kind, count in totals.items() if count]
    files = 0
    if pdfium is not None:
        files = max(pypdfium2.raw.FPDFDoc_GetAttachmentCount(pdfium.raw), 0)
    return (*found, *([Loss(LossKind.EMBEDDED_FILE, None, files)] if files else []))


def _count_passages(texts: Sequence[str]) -> int:
    return sum(1 for text in texts if any(map(str.isalnum, text)))


def _coverage(pages: Sequence[RawPage], cleaned: CleanedPages) -> float | None:
    """Return the share of the characters that one can see on the pages which are in the text;
    running heads, contents and note marks are not. None where there are none."""
    seen = sum(
        page.lines.seen - sum(map(len, (*page.lines.hidden, *page.lines.outside)))
        for page in pages
        if page.lines is not None
    )
    kept = sum(
        len("".join(block.text.replace(CELL_SEPARATOR, " ").split()))
        for page, blocks in zip(pages, cleaned.pages, strict=True)
        if page.lines is not None
        for block in blocks
    )
    return min(1.0, round(kept / seen, 4)) if seen > 0 else None


def _pictures_under_headers(
    pdfium: pypdfium2.PdfDocument | None, pages: Sequence[RawPage], cleaned: CleanedPages
) -> list[int]:
    """Return the indexes of pages with no text but a running header, and a picture that is no
    logo."""
    return [
        index
        for index, (page, blocks) in enumerate(zip(pages, cleaned.pages, strict=True))
        if page.status == "ok"
        and not blocks
        and not page.notes.comments
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


def _ocr_of(pdfium: pypdfium2.PdfDocument | None) -> PageOcr | None:
    return None if pdfium is None else PageOcr(lambda index: draw_for_ocr(pdfium[index]))


def _read_by_ocr(ocr: PageOcr | None, page: RawPage, index: int) -> RawPage:
    """Return the page, read by OCR where it has no usable text and OCR finds some."""
    if ocr is None or page.status not in ("scanned", "garbled"):
        return page
    lines = ocr.lines(index)
    return RawPage("ok", seen=tuple(lines)) if lines else page


def _open(
    path: Path, password: str | None, name: str
) -> tuple[pypdf.PdfReader | None, pypdfium2.PdfDocument | None, int]:
    """Return (pypdf's reader, PDFium's document, number of pages); None for one that cannot read
    the file, or that is not needed for it. Raises NotReadable, PasswordNeeded, WrongPassword,
    TooLong."""
    pdfium, is_locked = _open_pdfium(path, password)
    if pdfium is not None and is_plain(path, len(pdfium)):
        return None, pdfium, _within_limit(len(pdfium), name)
    reader = _open_pypdf(path, password, name)
    if reader is None and is_locked:
        raise _password_error(password, name)
    ours, theirs = count_pages(reader), len(pdfium) if pdfium is not None else 0
    total = max(ours, theirs)
    if total == 0:
        size = f"{path.stat().st_size:,} bytes"
        raise NotReadable(f"“{name}” is damaged or cut off ({size}): download it again.")
    _within_limit(total, name)
    return reader if ours == total else None, pdfium if theirs == total else None, total


def _within_limit(pages: int, name: str) -> int:
    """Return the number of pages. Raises TooLong."""
    if pages > limits.MAX_DOCUMENT_PAGES:
        raise TooLong(
            f"“{name}” has {pages:,} pages and the limit is {limits.MAX_DOCUMENT_PAGES:,}: "
            "split it first."
        )
    return pages


def _open_pypdf_again(request: ReadRequest, total: int) -> pypdf.PdfReader | None:
    """Return pypdf's reader for doubtful pages; None where it skips damaged pages, so that its
    page 5 is not the same page."""
    reader = _open_pypdf(Path(request.path), request.password, request.name)
    try:
        return reader if reader is not None and len(reader.pages) == total else None
    except Exception:  # a damaged page tree
        return None


def _password_error(password: str | None, name: str) -> PasswordNeeded | WrongPassword:
    if password:
        return WrongPassword(f"That password does not open “{name}”: try another.")
    return PasswordNeeded(f"“{name}” is protected: enter its password.")


def _open_pypdf(path: Path, password: str | None, name: str) -> pypdf.PdfReader | None:
    """Return the reader, unlocked; None when pypdf cannot read the file."""
    import pypdf  # a third of the time until the first page is read, and of the memory

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


def _page_labels(pdfium: pypdfium2.PdfDocument | None, total: int) -> list[str]:
    """Return the printed page labels, the physical numbers where there are none."""
    found = [""] * total
    if pdfium is not None:
        with contextlib.suppress(Exception):  # labels are an extra; physical numbers always work
            found = [pdfium.get_page_label(index) for index in range(total)]
    return [label or str(number) for number, label in enumerate(found, 1)]
