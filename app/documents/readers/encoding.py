"""Plain text: bytes in any common encoding become clean characters."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from ...warning import AppWarning, WarningKind

_ANSI = re.compile(  # colours, window titles and the like, in both of their spellings
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\f\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[@-_]"
)
_NO_TEXT = r"\x00-\x08\x0b\x0e-\x1f\x7f"
_BINARY = re.compile(f"[{_NO_TEXT}]")
_CONTROL = re.compile(rf"[{_NO_TEXT}\x80-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|\x85")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # as Python holds such bytes of a file's name
_WESTERN = frozenset("äöüÄÖÜßéèçàêâîôûëïñãõåæœÉÈÀÇÊÑÅÆŒáíóúÁÍÓÚ¿¡“”‘’„‚–—…«»€£°§·•´\u00a0©®™½¼×±²³")
_NAMES = {  # what is guessed among, as people know it
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252",
    "cp1253": "Windows-1253", "cp1254": "Windows-1254", "cp1255": "Windows-1255",
    "cp1256": "Windows-1256", "cp1257": "Windows-1257", "iso8859_2": "ISO 8859-2",
    "koi8_r": "KOI8-R", "cp932": "Shift JIS", "euc_jp": "EUC-JP", "gb18030": "GB 18030",
    "big5": "Big5", "cp949": "EUC-KR", "mac_roman": "Mac Roman", "cp850": "DOS 850",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> tuple[str, AppWarning | None]:
    """Text of the bytes, and a warning when the encoding was only a guess."""
    content, warning = decoded(data)
    return scrub(content), warning


def decoded(data: bytes) -> tuple[str, AppWarning | None]:
    """The same with what :func:`scrub` takes away."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace"), None
    guess = _utf16_by_nuls(data)
    if guess:
        message = f"The text was read as {guess.upper()}."
        return data.decode(guess, "replace"), AppWarning(WarningKind.ENCODING_GUESSED, message)
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        pass
    text, name = _legacy(data)
    message = f"The text is not UTF-8; it was read as {name}, so check its letters."
    return text, AppWarning(WarningKind.ENCODING_GUESSED, message)


def read_text(path: Path, name: str) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"} of a text file."""
    from ..load import document_from_text

    content, warning = decoded(path.read_bytes())
    document = document_from_text(content, name)
    return {
        "unit": "part",
        "pages": [[p.label, p.text, p.status] for p in document.pages],
        "outline": [],
        "warnings": [*([warning] if warning else []), *document.warnings],
    }


def _legacy(data: bytes) -> tuple[str, str]:
    """(text, name of the encoding) of bytes in an encoding from before Unicode."""
    western = _western(data)
    if _is_western(western[0]):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=list(_NAMES)).best()
    return western if best is None else (str(best), _NAMES.get(best.encoding, best.encoding))


def _western(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def _is_western(text: str) -> bool:
    """Whether what is not ASCII looks like the accents and signs of Western Europe: guessing by
    frequency mistakes French for Czech, and a few accents for Chinese."""
    high = [c for c in text if c > "\x7f"]
    usual = sum(c in _WESTERN for c in high)
    letters = sum(c.isalpha() for c in high)
    is_sparse = letters < 10 or letters < 0.25 * sum(c.isalpha() for c in text)
    return is_sparse and usual >= (0.7 if letters > 3 else 0.5) * len(high)


def is_plain(data: bytes) -> bool:
    """Whether bytes of an unknown kind are plainly text: marked, or UTF-8 without controls."""
    if any(data.startswith(bom) for bom, _ in _BOMS):
        return True
    try:
        head = codecs.getincrementaldecoder("utf-8")().decode(data[:65_536])
    except UnicodeDecodeError:
        return False
    return not _BINARY.search(_ANSI.sub("", head))


def _utf16_by_nuls(data: bytes) -> str | None:
    """UTF-16 without a mark shows as NULs in every second byte."""
    head = data[:4096]
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.3 * len(head) / 2 and odd > 4 * even:
        return "utf-16-le"
    if even > 0.3 * len(head) / 2 and even > 4 * odd:
        return "utf-16-be"
    return None


def scrub(text: str) -> str:
    """Text without terminal colours, control characters, characters of no width and halves of
    surrogate pairs, which no file can hold; lines ended by \\n."""
    text = _CONTROL.sub("", _ANSI.sub("", text))
    return _LINE_END.sub("\n", text).replace("\f", "\n\n")


def one_line(text: str) -> str:
    """A title or a label, scrubbed, on one line."""
    return " ".join(scrub(text).split())


def shown_name(name: str) -> str:
    """A file's name as it can be shown, with U+FFFD for what is no UTF-8."""
    return one_line(_NOT_UTF8.sub("\ufffd", name)) or "unnamed"
