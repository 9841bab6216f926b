"""The kind of a file is found by its content; its name only decides where content does not."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from ..errors import NotReadable
from ..warning import AppWarning, WarningKind
from .encoding import is_plain_text

SUFFIXES = {
    "pdf": (".pdf",),
    "docx": (".docx", ".docm", ".dotx"),
    "pptx": (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx"),
    "sheet": (".xlsx", ".xlsm", ".xls", ".ods"),
    "odt": (".odt", ".ott", ".fodt"),
    "odp": (".odp", ".otp", ".fodp"),
    "rtf": (".rtf",),
    "epub": (".epub",),
    "html": (".html", ".htm", ".xhtml"),
    "mhtml": (".mhtml", ".mht"),
    "mail": (".eml", ".mbox"),
    "notebook": (".ipynb",),
    "tex": (".tex", ".latex"),
    "markdown": (".md", ".markdown"),
    "picture": (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"),
    "text": (".txt", ".text", ".srt", ".vtt", ".ass", ".ssa", ".sbv", ".ttml", ".dfxp", ".lrc"),
}
# Content alone does not tell these apart.
_KINDS_BY_NAME = ("html", "mhtml", "mail", "notebook", "tex", "markdown", "text")
_KIND_NAMES = {
    "pdf": "a PDF",
    "docx": "a Word document",
    "pptx": "PowerPoint slides",
    "sheet": "a spreadsheet",
    "odt": "an OpenDocument text",
    "odp": "OpenDocument slides",
    "rtf": "an RTF document",
    "epub": "an EPUB book",
    "html": "a web page",
    "mhtml": "a saved web page",
    "mail": "a mail",
    "notebook": "a Jupyter notebook",
    "tex": "a LaTeX source",
    "markdown": "Markdown",
    "picture": "a picture",
    "text": "plain text",
}
_PICTURE_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")
_OTHER_SIGNATURES = (  # the first bytes of files that cannot be read
    (b"GIF8", "a GIF picture"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"%!PS", "a PostScript file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
)
_ZIP_CONTENT = (  # in the names or the first member of a ZIP archive
    (b"application/epub", "epub"),
    (b"META-INF/container.xml", "epub"),
    (b"\nword/", "docx"),
    (b"\nppt/", "pptx"),
    (b"\nxl/", "sheet"),
    (b"word/", "docx"),  # of an archive whose list of names is damaged
    (b"ppt/", "pptx"),
    (b"xl/", "sheet"),
    (b"opendocument.text", "odt"),
    (b"opendocument.presentation", "odp"),
    (b"opendocument.spreadsheet", "sheet"),
    (b"opendocument", "an OpenDocument file"),
    (b"content.xml", "odt"),  # of an archive that was packed again
)
_FLAT_CONTENT = (  # of Office documents in one XML file
    (b"<pkg:package", b'progid="PowerPoint', "pptx"),
    (b"<pkg:package", b"", "docx"),
    (b"<office:document", b"opendocument.text", "odt"),
    (b"<office:document", b"opendocument.presentation", "odp"),
)
_MAX_NAMES = 5_000  # of an archive that are looked at
_FIRST_MEMBER = 200  # bytes in which the first member says what the archive is
_OLD_OFFICE_SIGNATURE = b"\xd0\xcf\x11\xe0"
_LOCKABLE = {".docx": "Word", ".docm": "Word", ".pptx": "PowerPoint", ".xlsx": "Excel"}
_OLD_OFFICE_FILES = {  # by suffix: what the file is, and what to do
    ".doc": ("an old Word document", "open it in Word or LibreOffice and save it as DOCX or PDF"),
    ".dot": ("an old Word template", "open it in Word or LibreOffice and save it as DOCX or PDF"),
    ".ppt": ("old PowerPoint slides", "open it in PowerPoint or LibreOffice and save it as PPTX"),
    ".pps": ("old PowerPoint slides", "open it in PowerPoint or LibreOffice and save it as PPTX"),
    ".msg": ("an Outlook message", "drag it out of Outlook on the web as EML, or print it as PDF"),
}
_MAIL_HEADERS = re.compile(  # of a mail or a saved page, one of which stands first
    rb"(?:[A-Za-z][\w-]{0,60}:[ \t]?[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+", re.S
)
_NEEDED_HEADERS = (b"message-id:", b"received:", b"mime-version:", b"content-type:")
_CONTAINER_HEAD = 65_536  # bytes in which the headers of a mail or the first cell must stand
_CHOOSE_OTHER = "save it as PDF, DOCX or plain text, or choose another file"


def file_kind(data: bytes, name: str) -> tuple[str, AppWarning | None]:
    """Return the kind of a file, a key of SUFFIXES, and a warning when its name is of another
    kind. Raises NotReadable, with what the file looks like instead."""
    suffix = Path(name).suffix.lower()
    kind, looks = _kind_by_content(data, suffix)
    if kind is None:
        raise NotReadable(_refusal(data, name, suffix, looks))
    if suffix == ".pdf" and kind in _KINDS_BY_NAME:
        # A page saved under the name of a PDF is most often a login or error page.
        cure = "give it a name that ends in .txt" if kind == "text" else _CHOOSE_OTHER
        raise NotReadable(f"“{name}” is not a PDF; it looks like {_KIND_NAMES[kind]}: {cure}.")
    others = [other for other, ends in SUFFIXES.items() if suffix in ends and other != kind]
    if not others or (kind == "text" and others == ["html"]):
        return kind, None
    message = (
        f"By its content the file is {_KIND_NAMES[kind]}, not {_KIND_NAMES[others[0]]} as named."
    )
    return kind, AppWarning(WarningKind.MISNAMED_FILE, message)


def _kind_by_content(data: bytes, suffix: str) -> tuple[str | None, str]:
    """Return (kind, ""), or (None, what the file looks like)."""
    named = next((kind for kind in _KINDS_BY_NAME if suffix in SUFFIXES[kind]), None)
    # A text about PDF may hold its signature; a PDF may have junk before it.
    if b"%PDF-" in (data[:8] if named else data[:1024]):
        return "pdf", ""
    if data.startswith(b"PK\x03\x04"):
        found = _zip_content(data)
        if found == "odt":  # packed again, by its name only
            found = next((kind for kind in ("odp", "sheet") if suffix in SUFFIXES[kind]), found)
        return (found, "") if found in SUFFIXES else (None, found)
    if data.startswith(_OLD_OFFICE_SIGNATURE):
        return ("sheet", "") if suffix == ".xls" else (None, _old_office_name(suffix))
    if data.startswith(b"{\\rtf"):
        return "rtf", ""
    if data[:8].lstrip(b"\xef\xbb\xbf").startswith(b"<?xml") and (flat := _flat_kind(data)):
        return flat, ""
    if data.startswith(_PICTURE_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return "picture", ""
    looks = next((what for signature, what in _OTHER_SIGNATURES if data.startswith(signature)), "")
    if looks:
        return None, looks
    if named and named != "text":
        # Text in another encoding than UTF-8 is known by its name only.
        return named, ""
    head = data[:1024].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if contained := _container_kind(data):
        return contained, ""
    if named:
        return named, ""
    if b"<html" in head or head.startswith(b"<!doctype html"):
        return "html", ""
    return ("text" if is_plain_text(data) else None), ""


def _zip_content(data: bytes) -> str:
    """Return what a ZIP archive holds, by its first member and its names: slides may hold a
    spreadsheet in a file of its own, whose names stand in the archive too."""
    inner = data[:4000] + data[-20_000:]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = "\n".join(archive.namelist()[:_MAX_NAMES])
            inner = data[:_FIRST_MEMBER] + b"\n" + names.encode("utf-8", "surrogateescape")
    except Exception:  # damaged in one of many ways: its reader says so
        pass
    return next((what for name, what in _ZIP_CONTENT if name in inner), "a ZIP archive")


def _flat_kind(data: bytes) -> str:
    """Return the kind of an Office document in one XML file, "" for other XML."""
    head = data[:_CONTAINER_HEAD]
    found = (kind for root, word, kind in _FLAT_CONTENT if root in head and word in head)
    return next(found, "")


def _old_office_name(suffix: str) -> str:
    return _OLD_OFFICE_FILES.get(suffix, ("an old Office document", ""))[0]


def _container_kind(data: bytes) -> str | None:
    """Return the kind of a mail, a saved page or a notebook, which are text of one form."""
    head = data[:_CONTAINER_HEAD]
    begins = head.partition(b"\n")[2] if head.startswith(b"From ") else head
    found = _MAIL_HEADERS.match(begins)
    headers = found[0].lower() if found else b""
    if sum(name in headers for name in _NEEDED_HEADERS) >= 2:
        is_page = b"multipart/related" in headers and b"snapshot-content-location" in headers
        return "mhtml" if is_page else "mail"
    if head.lstrip().startswith(b"{") and b'"cells"' in head and b'"cell_type"' in head:
        return "notebook"
    return None


def _refusal(data: bytes, name: str, suffix: str, looks: str) -> str:
    """Return the sentence for a file of no kind that can be read."""
    if data.startswith(_OLD_OFFICE_SIGNATURE) and suffix in _LOCKABLE:
        program = _LOCKABLE[suffix]
        return f"“{name}” is protected by a password: save a copy without one in {program} first."
    if looks and suffix in _OLD_OFFICE_FILES and data.startswith(_OLD_OFFICE_SIGNATURE):
        what, cure = _OLD_OFFICE_FILES[suffix]
        return f"“{name}” is {what}, which cannot be read here: {cure}."
    if not looks:
        return f"“{name}” is not a kind of file that can be read here: {_CHOOSE_OTHER}."
    kind = next((kind for kind, ends in SUFFIXES.items() if suffix in ends), "")
    what = "a document or text" if kind in ("", *_KINDS_BY_NAME) else _KIND_NAMES[kind]
    return f"“{name}” is not {what}; it looks like {looks}: {_CHOOSE_OTHER}."
