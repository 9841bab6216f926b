"""A file becomes pages of text: the front door of reading."""

from __future__ import annotations

import hashlib
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from app import errors
from app.documents import limits, text
from app.errors import (
    AppError,
    BadOption,
    Cancelled,
    EmptyFile,
    NoTextLayer,
    NotReadable,
    TooLong,
)

TEXT_SUFFIXES = (".txt", ".text", ".md", ".markdown")
_SIGNS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)
_ZIP_MARKS = (
    (b"word/", "a Word document"),
    (b"xl/", "an Excel sheet"),
    (b"ppt/", "PowerPoint slides"),
    (b"application/epub", "an EPUB book"),
)


@dataclass(frozen=True)
class Page:
    """One page: physical number from 1, printed label, cleaned text, what became of it."""

    number: int
    label: str
    text: str
    status: str  # ok | empty | scanned | garbled | failed | skipped


@dataclass(frozen=True)
class OutlineItem:
    """A heading of the document's own outline and the physical page it points to."""

    title: str
    page: int
    level: int


@dataclass(frozen=True)
class Document:
    """What was read from one file."""

    name: str
    sha256: str
    unit: str  # page | chapter | part
    pages: tuple[Page, ...]
    warnings: tuple[str, ...]
    outline: tuple[OutlineItem, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The object that `extract` prints."""
        pages = [
            {"number": p.number, "label": p.label, "text": p.text, "status": p.status}
            for p in self.pages
        ]
        warnings = list(self.warnings)
        return {"name": self.name, "unit": self.unit, "pages": pages, "warnings": warnings}


def load_document(
    path: str | Path,
    *,
    password: str | None = None,
    name: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    stop_event: threading.Event | None = None,
) -> Document:
    """Reads a PDF, text or Markdown file; raises AppError with a sentence for the person."""
    path = Path(path)
    name = name or path.name
    data = _bytes_of(path, name)
    kind = _kind(data, name)
    digest = hashlib.sha256(data).hexdigest()
    if kind == "text":
        content, warning = text.decode(data)
        document = document_from_text(content, name)
        notes = ((warning,) if warning else ()) + document.warnings
        return replace(document, sha256=digest, warnings=notes)
    del data
    found = _read_in_child(path.resolve(), name, password, on_progress, stop_event)
    pages = tuple(
        Page(number, label, content, status)
        for number, (label, content, status) in enumerate(found["pages"], 1)
    )
    outline = tuple(OutlineItem(*item) for item in found["outline"])
    warnings = _warnings(pages, found["contents"])
    return Document(name, digest, "page", pages, warnings, outline)


def document_from_text(content: str, name: str = "Pasted text") -> Document:
    """Text as a document of parts of about 3,000 characters; raises EmptyFile, TooLong."""
    if len(content) > limits.MAX_CHARACTERS:
        raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it first.")
    content = text.scrub(content).strip()
    if not content:
        raise EmptyFile(f"“{name}” is empty: choose a file or paste text with words in it.")
    parts: list[str] = []
    for paragraph in re.split(r"\n[ \t]*\n\s*", content):
        room = limits.PART_CHARACTERS * 5 // 4
        last = len(parts[-1]) if parts else room
        if last < limits.PART_CHARACTERS and last + len(paragraph) <= room:
            parts[-1] += "\n\n" + paragraph
        else:
            parts.append(paragraph)
    pages = tuple(Page(n, str(n), part, "ok") for n, part in enumerate(parts, 1))
    return Document(name, hashlib.sha256(content.encode()).hexdigest(), "part", pages, ())


def select_pages(document: Document, spec: str) -> Document:
    """Keeps the pages named as in "1-5,9"; the others are skipped. Raises BadOption."""
    if not spec.strip():
        return document
    wanted: list[tuple[int, int]] = []
    for piece in spec.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})?\s*)?", piece)
        if not match:
            raise BadOption(f"“{spec}” is not a list of pages: write it as 1-5,9.")
        first = int(match[1])
        dash = "-" in piece or "–" in piece
        last = int(match[2]) if match[2] else len(document.pages) if dash else first
        if first < 1 or (last < first and match[2]):
            raise BadOption(f"“{piece.strip()}” is not a range of pages: write it as 1-5,9.")
        wanted.append((first, last))
    pages = tuple(
        page
        if any(first <= page.number <= last for first, last in wanted)
        else replace(page, text="", status="skipped")
        for page in document.pages
    )
    if all(page.status == "skipped" for page in pages):
        raise BadOption(f"“{document.name}” has no page {spec}: it ends at {len(pages)}.")
    return replace(document, pages=pages)


def require_text(document: Document) -> None:
    """Raises NoTextLayer or EmptyFile when no page has usable text."""
    if any(page.status == "ok" and page.text.strip() for page in document.pages):
        return
    statuses = {page.status for page in document.pages}
    count = len(document.pages)
    if "scanned" in statuses:
        raise NoTextLayer(
            f"“{document.name}” has no text layer on its {count} pages: run OCR on it first."
        )
    if "garbled" in statuses:
        raise NoTextLayer(
            f"The text of “{document.name}” is unreadable glyphs: run OCR on it first."
        )
    if "failed" in statuses:
        raise NotReadable(f"No page of “{document.name}” could be read: download it again.")
    raise EmptyFile(f"“{document.name}” has no text on the chosen pages: choose others.")


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


def _kind(data: bytes, name: str) -> str:
    """"pdf" or "text", by content first; NotReadable says what else it looks like."""
    suffix = Path(name).suffix.lower()
    is_text = suffix in TEXT_SUFFIXES
    # A note on the format may name the sign; in other files junk may stand before it.
    if b"%PDF-" in (data[:8] if is_text else data[:1024]):
        return "pdf"
    looks = _looks_like(data)
    if is_text and looks in (None, "a web page"):
        return "text"
    cure = "save or print it as PDF, or choose a PDF or text file"
    if looks is None and text.is_plain(data):
        if suffix != ".pdf":
            return "text"
        looks, cure = "plain text", "give it a name that ends in .txt"
    if looks is None:
        raise NotReadable(f"“{name}” is not a PDF or text file: {cure}.")
    raise NotReadable(f"“{name}” is not a PDF; it looks like {looks}: {cure}.")


def _looks_like(data: bytes) -> str | None:
    """What the first bytes say a file is, when it is no PDF and no text."""
    if data.startswith(b"PK\x03\x04"):
        inner = data[:4000] + data[-20_000:]
        return next((label for mark, label in _ZIP_MARKS if mark in inner), "a ZIP archive")
    head = data[:1024].lstrip().lower()
    if b"<html" in head or head.startswith(b"<!doctype html"):
        return "a web page"
    return next((label for sign, label in _SIGNS if data.startswith(sign)), None)


def _warnings(pages: tuple[Page, ...], contents: list[int]) -> tuple[str, ...]:
    found = []
    if contents:
        where = f"page {contents[0]}" if len(contents) == 1 else f"pages {_ranges(contents)}"
        index = " or index" if contents[-1] > len(pages) / 2 else ""
        found.append(f"The table of contents{index} ({where}) is left out.")
    for status, sentence in (
        ("failed", "could not be read"),
        ("scanned", "no text layer, so pictures of text there need OCR first"),
        ("garbled", "the text is unreadable glyphs"),
    ):
        numbers = [page.number for page in pages if page.status == status]
        if numbers:
            one = len(numbers) == 1
            which = f"Page {numbers[0]} is" if one else f"Pages {_ranges(numbers)} are"
            found.append(f"{which} left out ({sentence}).")
    return tuple(found)


def _ranges(numbers: list[int]) -> str:
    """[1, 2, 3, 7] -> "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _read_in_child(
    path: Path,
    name: str,
    password: str | None,
    on_progress: Callable[[int, int], None] | None,
    stop_event: threading.Event | None,
) -> dict[str, Any]:
    """Runs the worker; its time is limited and it dies with a stop, a limit or an error."""
    # -m finds `app` in the working folder, in a checkout as in an installed package.
    process = subprocess.Popen(
        _command(),
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no black box on Windows
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None and process.stdout is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, lines), daemon=True)
    listener.start()
    try:
        request = {"path": str(path), "name": name, "password": password}
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.close()
        except OSError as error:
            raise _too_complex(name) from error
        return _follow(lines, name, on_progress, stop_event)
    finally:
        process.kill()
        process.wait()
        listener.join(5)
        process.stdout.close()


def _command() -> list[str]:
    """What starts the worker; the request, and so the password, goes to its stdin only."""
    return [sys.executable, "-X", "utf8", "-m", "app.documents.worker"]


def _listen(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _follow(
    lines: queue.Queue[str | None],
    name: str,
    on_progress: Callable[[int, int], None] | None,
    stop_event: threading.Event | None,
) -> dict[str, Any]:
    started = time.monotonic()
    allowed = limits.BASE_SECONDS
    while True:
        if stop_event is not None and stop_event.is_set():
            raise Cancelled(f"Reading “{name}” was stopped: start again when you like.")
        if time.monotonic() - started > allowed:
            raise _too_complex(name)
        try:
            line = lines.get(timeout=0.05)
        except queue.Empty:
            continue
        if line is None:
            raise _too_complex(name)
        message = json.loads(line)
        if "result" in message:
            return dict(message["result"])
        if "error" in message:
            kind = getattr(errors, message["error"], AppError)
            raise kind(message["message"])
        allowed = limits.seconds_for(message["total"])
        if on_progress is not None:
            on_progress(message["done"], message["total"])


def _too_complex(name: str) -> NotReadable:
    return NotReadable(f"“{name}” is too complex to read safely: print it to a new PDF first.")
