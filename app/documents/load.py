"""A file or a pasted text becomes a Document."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import EmptyFile, NoTextLayer, NotReadable, TooLong
from ..warning import AppWarning, WarningKind
from ..wording import capital, places
from . import limits
from .characters import display_name, one_line
from .child import read_in_child
from .file_kinds import file_kind
from .front_matter import find_front_matter
from .model import Document, Extracted, LossKind, OnProgress, Page, ReadRequest
from .readers.pdf import ocr as ocr_engine
from .readers.plain import clean_text, extract_text

_ADDRESS = re.compile(r"\s*https?://\S+\s*")
_UNREADABLE_PAGES = (  # status, kind of the warning, reason to show
    ("failed", WarningKind.PAGES_FAILED, "could not be read"),
    (
        "scanned",
        WarningKind.PAGES_SCANNED,
        "no text layer, so pictures of text there need OCR first",
    ),
    ("garbled", WarningKind.PAGES_GARBLED, "the text is unreadable glyphs"),
)


def load_document(
    path: str | Path,
    *,
    password: str | None = None,
    name: str | None = None,
    ocr: bool = False,
    on_progress: OnProgress | None = None,
    stop_event: threading.Event | None = None,
) -> Document:
    """Read a file of any kind in `file_kinds.SUFFIXES`. `ocr` reads pictures of text in a PDF too;
    a file that is a picture is always read by OCR.
    Raises AppError with a sentence for the person."""
    path = Path(path)
    name = display_name(name or path.name)
    data = _read_bytes(path, name)
    kind, misnamed = file_kind(data, name)
    digest = hashlib.sha256(data).hexdigest()
    del data
    ocr = ocr or kind == "picture"
    if ocr and kind in ("pdf", "picture"):
        ocr_engine.require_ocr(name, is_picture=kind == "picture")
    request = ReadRequest(str(path.resolve()), name, kind, password, ocr)
    extracted = read_in_child(request, on_progress, stop_event)
    imprint = _front_matter_pages(extracted)
    pages = _document_pages(extracted, imprint)
    outline = tuple(
        replace(item, title=title) for item in extracted.outline if (title := one_line(item.title))
    )
    warnings = (
        *((misnamed,) if misnamed else ()),
        *extracted.notes,
        *losses_warning(extracted),
        *_page_warnings(pages, extracted.contents, imprint, extracted.unit),
    )
    return Document(
        name,
        digest,
        extracted.unit,
        pages,
        warnings,
        outline,
        contents=extracted.contents,
        imprint=imprint,
        ocr=ocr,
        losses=extracted.losses,
        coverage=extracted.coverage,
    )


def document_from_text(content: str, name: str = "Pasted text") -> Document:
    """Return a text as a document of parts of about 3,000 characters. Raises EmptyFile, TooLong,
    and NotReadable for a text that is only an address."""
    if _ADDRESS.fullmatch(content):
        raise NotReadable(
            "This is an address, and nothing is fetched: save the page or the file, and choose it."
        )
    content = clean_text(content, name)
    extracted = extract_text(content, name)
    pages = _document_pages(extracted, ())
    digest = hashlib.sha256(content.encode()).hexdigest()
    warnings = (*extracted.notes, *losses_warning(extracted))
    outline = extracted.outline
    return Document(name, digest, extracted.unit, pages, warnings, outline, losses=extracted.losses)


def losses_warning(extracted: Extracted) -> tuple[AppWarning, ...]:
    """Return one warning that names the content left out of a document, with pages; () where all
    is read."""
    if not extracted.losses:
        return ()
    labels = [page.label for page in extracted.pages]
    counts: dict[LossKind, int] = {}
    pages: dict[LossKind, set[int]] = {}
    for loss in extracted.losses:
        counts[loss.kind] = counts.get(loss.kind, 0) + loss.count
        pages.setdefault(loss.kind, set()).update([loss.page] if loss.page else [])
    parts = [
        kind.nouns(count)
        + (f" ({places(sorted(pages[kind]), extracted.unit, labels)})" if pages[kind] else "")
        for kind, count in counts.items()
    ]
    share = ""
    if extracted.coverage is not None:
        share = f" {min(math.floor(100 * extracted.coverage), 99)} % of the characters are read."
    return (AppWarning(WarningKind.CONTENT_LEFT_OUT, f"Left out: {', '.join(parts)}.{share}"),)


def require_text(document: Document) -> None:
    """Raise NoTextLayer, NotReadable or EmptyFile when no page has usable text."""
    if any(page.status == "ok" and page.text.strip() for page in document.pages):
        return
    statuses = {page.status for page in document.pages}
    count = len(document.pages)
    if "scanned" in statuses:
        where = f"its {document.unit}" if count == 1 else f"any of its {count} {document.unit}s"
        cure = "" if document.unit == "page" else "save it as PDF and "
        raise NoTextLayer(
            f"“{document.name}” has no text on {where}, only pictures: {cure}"
            + ocr_engine.how_to_read_pictures()
        )
    if "garbled" in statuses:
        raise NoTextLayer(
            f"The text of “{document.name}” is unreadable glyphs: "
            + ocr_engine.how_to_read_pictures()
        )
    if "failed" in statuses:
        raise NotReadable(f"No page of “{document.name}” could be read: download it again.")
    left_out = {*document.imprint, *document.contents}
    if any(p.status == "skipped" and p.number not in left_out for p in document.pages):
        if left_out:
            raise EmptyFile(
                f"“{document.name}” has only text that is left out on the chosen pages, such as a "
                "table of contents or an imprint: choose others."
            )
        raise EmptyFile(f"“{document.name}” has no text on the chosen pages: choose others.")
    raise EmptyFile(f"“{document.name}” has no text on any page: choose another file.")


def _read_bytes(path: Path, name: str) -> bytes:
    """Return the content of a file. Raises TooLong, NotReadable, EmptyFile."""
    try:
        size = path.stat().st_size
        if size > limits.MAX_FILE_BYTES:
            most = limits.MAX_FILE_BYTES // 1024**2
            raise TooLong(
                f"“{name}” is {size / 1024**2:.0f} MB and the limit is {most} MB: split it first."
            )
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise NotReadable(f"“{name}” cannot be opened ({reason}): choose another file.") from error
    if not data.strip(b"\x00 \t\r\n\f\xef\xbb\xbf\xff\xfe"):
        raise EmptyFile(f"“{name}” is empty: choose another file.")
    return data


def _front_matter_pages(extracted: Extracted) -> tuple[int, ...]:
    """Return the numbers of pages that are an imprint, a licence or acknowledgements."""
    if extracted.unit == "part":  # a part has no edges of its own, so tells nothing
        return ()
    texts = [page.text if page.status == "ok" else "" for page in extracted.pages]
    return tuple(index + 1 for index in find_front_matter(texts))


def _document_pages(extracted: Extracted, imprint: Sequence[int]) -> tuple[Page, ...]:
    """Return the pages of the document; front matter, and pages that lost all their text as a
    table of contents, are skipped."""
    pages = []
    for number, page in enumerate(extracted.pages, 1):
        label = one_line(page.label) or str(number)
        is_contents = page.status == "empty" and number in extracted.contents
        if number in imprint or is_contents:
            pages.append(Page(number, label, "", "skipped"))
        else:
            pages.append(Page(number, label, page.text, page.status, page.lines, page.non_prose))
    return tuple(pages)


def _page_warnings(
    pages: tuple[Page, ...], contents: Sequence[int], imprint: Sequence[int], unit: str
) -> tuple[AppWarning, ...]:
    """Return the warnings about pages that are left out or could not be read."""
    found, labels = [], [page.label for page in pages]
    if imprint:
        where = places(imprint, unit, labels)
        message = f"Left out: imprint, licence or acknowledgements ({where})."
        found.append(AppWarning(WarningKind.FRONT_MATTER_LEFT_OUT, message))
    if contents:
        where = places(contents, unit, labels)
        index = " or index" if contents[-1] > len(pages) / 2 else ""
        message = f"The table of contents{index} ({where}) is left out."
        found.append(AppWarning(WarningKind.CONTENTS_LEFT_OUT, message))
    for status, kind, reason in _UNREADABLE_PAGES:
        numbers = [page.number for page in pages if page.status == status]
        if numbers:
            which = capital(places(numbers, unit, labels))
            verb = "is" if len(numbers) == 1 else "are"
            found.append(AppWarning(kind, f"{which} {verb} left out ({reason})."))
    return tuple(found)
