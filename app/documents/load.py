"""A file becomes pages of text: the front door of reading."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import EmptyFile, NoTextLayer, NotReadable, TooLong
from ..warning import AppWarning, WarningKind
from ..wording import capital, places
from . import limits
from .child import read_in_child
from .file_kinds import kind_of
from .front_matter import imprints
from .model import Document, OutlineItem, Page
from .readers import encoding as text
from .readers.parts import join_blocks, pack
from .readers.pdf import ocr as ocr_engine
from .readers.plain import BREAK, blocks_of


def load_document(
    path: str | Path,
    *,
    password: str | None = None,
    name: str | None = None,
    ocr: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    stop_event: threading.Event | None = None,
) -> Document:
    """Reads a PDF, DOCX, ODT, PPTX, EPUB, HTML, Markdown, text or subtitles file; `ocr` reads
    pictures of text in a PDF too. Raises AppError with a sentence for the person."""
    path = Path(path)
    name = text.shown_name(name or path.name)
    data = _bytes_of(path, name)
    kind, misnamed = kind_of(data, name)
    digest = hashlib.sha256(data).hexdigest()
    del data
    if ocr and kind == "pdf":
        ocr_engine.require(name)
    request = {
        "path": str(path.resolve()),
        "name": name,
        "kind": kind,
        "password": password,
        "ocr": ocr,
    }
    found = read_in_child(request, on_progress, stop_event)
    contents = tuple(found.get("contents", ()))
    pages, imprint = _without_imprints(found, contents)
    outline = tuple(
        OutlineItem(title, page, level)
        for given, page, level in found["outline"]
        if (title := text.one_line(given))
    )
    warnings = (
        *((misnamed,) if misnamed else ()),
        *map(AppWarning.from_dict, found["warnings"]),
        *_warnings(pages, contents, imprint, found["unit"]),
    )
    return Document(name, digest, found["unit"], pages, warnings, outline, contents, imprint, ocr)


def _without_imprints(
    found: dict[str, Any], contents: Sequence[int]
) -> tuple[tuple[Page, ...], tuple[int, ...]]:
    """The pages that were read, skipped where an imprint or the like, or a table of contents, was
    all that there was; and the numbers of those that were an imprint or the like."""
    has_parts = found["unit"] == "part"  # where these end says nothing of what they are
    texts = [content if status == "ok" else "" for _, content, status in found["pages"]]
    imprint = () if has_parts else tuple(index + 1 for index in imprints(texts))
    pages = []
    for number, (label, content, status) in enumerate(found["pages"], 1):
        is_left_out = number in imprint or (status == "empty" and number in contents)
        left, became = ("", "skipped") if is_left_out else (content, status)
        pages.append(Page(number, text.one_line(label) or str(number), left, became))
    return tuple(pages), imprint


def document_from_text(content: str, name: str = "Pasted text") -> Document:
    """Text as a document of parts of about 3,000 characters; raises EmptyFile, TooLong."""
    if len(content) > limits.MAX_CHARACTERS:
        raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it first.")
    content = BREAK.join(map(text.scrub, content.split(BREAK))).strip()
    if not content:
        raise EmptyFile(f"“{name}” is empty: choose a file or paste text with words in it.")
    blocks, left_out = blocks_of(content)
    if not blocks:
        raise EmptyFile(f"“{name}” has no text, only subtitles without words: choose another file.")
    parts = [join_blocks(part) for part in pack(blocks)]
    pages = tuple(Page(n, str(n), part, "ok") for n, part in enumerate(parts, 1))
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Document(name, digest, "part", pages, tuple(left_out))


def require_text(document: Document) -> None:
    """Raises NoTextLayer or EmptyFile when no page has usable text."""
    if any(page.status == "ok" and page.text.strip() for page in document.pages):
        return
    statuses = {page.status for page in document.pages}
    count = len(document.pages)
    if "scanned" in statuses:
        where = f"its {document.unit}" if count == 1 else f"any of its {count} {document.unit}s"
        cure = "" if document.unit == "page" else "save it as PDF and "
        raise NoTextLayer(
            f"“{document.name}” has no text on {where}, only pictures: {cure}turn on OCR for it "
            "(--ocr on the command line)."
        )
    if "garbled" in statuses:
        raise NoTextLayer(
            f"The text of “{document.name}” is unreadable glyphs: turn on OCR for it (--ocr on the "
            "command line)."
        )
    if "failed" in statuses:
        raise NotReadable(f"No page of “{document.name}” could be read: download it again.")
    left_out = {*document.imprint, *document.contents}
    if any(p.status == "skipped" and p.number not in left_out for p in document.pages):
        if left_out:
            raise EmptyFile(
                f"“{document.name}” has on the chosen pages only what is left out, such as a table "
                "of contents or an imprint: choose others."
            )
        raise EmptyFile(f"“{document.name}” has no text on the chosen pages: choose others.")
    raise EmptyFile(f"“{document.name}” has no text on any page: choose another file.")


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > limits.MAX_BYTES:
            most = limits.MAX_BYTES // 1024**2
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


def _warnings(
    pages: tuple[Page, ...], contents: Sequence[int], imprint: Sequence[int], unit: str
) -> tuple[AppWarning, ...]:
    found, labels = [], [page.label for page in pages]
    if imprint:
        where = places(imprint, unit, labels)
        message = f"What is an imprint, a licence or thanks ({where}) is left out."
        found.append(AppWarning(WarningKind.FRONT_MATTER_LEFT_OUT, message))
    if contents:
        where = places(contents, unit, labels)
        index = " or index" if contents[-1] > len(pages) / 2 else ""
        message = f"The table of contents{index} ({where}) is left out."
        found.append(AppWarning(WarningKind.CONTENTS_LEFT_OUT, message))
    for status, kind, reason in (
        ("failed", WarningKind.PAGES_FAILED, "could not be read"),
        (
            "scanned",
            WarningKind.PAGES_SCANNED,
            "no text layer, so pictures of text there need OCR first",
        ),
        ("garbled", WarningKind.PAGES_GARBLED, "the text is unreadable glyphs"),
    ):
        numbers = [page.number for page in pages if page.status == status]
        if numbers:
            which = capital(places(numbers, unit, labels))
            verb = "is" if len(numbers) == 1 else "are"
            found.append(AppWarning(kind, f"{which} {verb} left out ({reason})."))
    return tuple(found)
