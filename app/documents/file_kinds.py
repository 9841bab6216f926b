"""What a file is, told from its content; its name only settles what content leaves open."""

from __future__ import annotations

from pathlib import Path

from ..errors import NotReadable
from ..warning import AppWarning, WarningKind
from .readers import encoding as text

SUFFIXES = {
    "pdf": (".pdf",),
    "docx": (".docx",),
    "pptx": (".pptx",),
    "odt": (".odt",),
    "epub": (".epub",),
    "html": (".html", ".htm", ".xhtml"),
    "markdown": (".md", ".markdown"),
    "text": (".txt", ".text", ".srt", ".vtt"),
}
_NAMED = ("html", "markdown", "text")  # told apart by the name alone
_NAMES = {
    "pdf": "a PDF",
    "docx": "a Word document",
    "pptx": "PowerPoint slides",
    "odt": "an OpenDocument text",
    "epub": "an EPUB book",
    "html": "a web page",
    "markdown": "Markdown",
    "text": "plain text",
}
_SIGNS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)
_ZIP_MARKS = (
    (b"application/epub", "epub"),
    (b"META-INF/container.xml", "epub"),
    (b"word/", "docx"),
    (b"xl/", "an Excel sheet"),
    (b"ppt/", "pptx"),
    (b"opendocument.text", "odt"),
    (b"opendocument", "an OpenDocument file"),
    (b"content.xml", "odt"),  # of an archive that was packed again
)
_OFFICE = b"\xd0\xcf\x11\xe0"
_LOCKABLE = {".docx": "Word", ".pptx": "PowerPoint"}
_ANY = "save it as PDF, DOCX or plain text, or choose another file"


def kind_of(data: bytes, name: str) -> tuple[str, AppWarning | None]:
    """(a key of SUFFIXES, a warning when the name says another). NotReadable says what else the
    file looks like."""
    suffix = Path(name).suffix.lower()
    kind, looks = _by_content(data, suffix)
    if kind is None:
        raise NotReadable(_refusal(data, name, suffix, looks))
    if suffix == ".pdf" and kind in ("html", "text"):
        # A page saved under the name of a PDF is most often a login or error page.
        cure = "give it a name that ends in .txt" if kind == "text" else _ANY
        raise NotReadable(f"“{name}” is not a PDF; it looks like {_NAMES[kind]}: {cure}.")
    others = [other for other, ends in SUFFIXES.items() if suffix in ends and other != kind]
    if not others or (kind == "text" and others == ["html"]):
        return kind, None
    message = f"By its content the file is {_NAMES[kind]}, not {_NAMES[others[0]]} as named."
    return kind, AppWarning(WarningKind.MISNAMED_FILE, message)


def _by_content(data: bytes, suffix: str) -> tuple[str | None, str]:
    """(kind or None, what the file looks like when it is none)."""
    named = next((kind for kind in _NAMED if suffix in SUFFIXES[kind]), None)
    # A note on the format may name the sign; in other files junk may stand before it.
    if b"%PDF-" in (data[:8] if named else data[:1024]):
        return "pdf", ""
    if data.startswith(b"PK\x03\x04"):
        inner = data[:4000] + data[-20_000:]
        found = next((what for mark, what in _ZIP_MARKS if mark in inner), "a ZIP archive")
        return (found, "") if found in SUFFIXES else (None, found)
    if data.startswith(_OFFICE):
        return None, "an old Office document"
    looks = next((label for sign, label in _SIGNS if data.startswith(sign)), "")
    if looks:
        return None, looks
    if named:
        # Other encodings than UTF-8 may stand behind a name that says text.
        return named, ""
    head = data[:1024].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if b"<html" in head or head.startswith(b"<!doctype html"):
        return "html", ""
    return ("text" if text.is_plain(data) else None), ""


def _refusal(data: bytes, name: str, suffix: str, looks: str) -> str:
    if data.startswith(_OFFICE) and suffix in _LOCKABLE:
        program = _LOCKABLE[suffix]
        return f"“{name}” is protected by a password: save a copy without one in {program} first."
    if not looks:
        return f"“{name}” is of no kind that can be read here: {_ANY}."
    kind = next((kind for kind, ends in SUFFIXES.items() if suffix in ends), "")
    what = "a document or text" if kind in ("", *_NAMED) else _NAMES[kind]
    return f"“{name}” is not {what}; it looks like {looks}: {_ANY}."
