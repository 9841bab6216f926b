"""Plain text and Markdown: bytes in any common encoding become clean characters."""

from __future__ import annotations

import codecs
import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> tuple[str, str | None]:
    """Text of the bytes, and a warning when the encoding was only a guess."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return scrub(data[len(bom) :].decode(encoding, "replace")), None
    guess = _utf16_by_nuls(data)
    if guess:
        return scrub(data.decode(guess, "replace")), f"The text was read as {guess.upper()}."
    try:
        return scrub(data.decode("utf-8")), None
    except UnicodeDecodeError:
        pass
    try:
        text, name = data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, name = data.decode("latin-1"), "Latin-1"
    return scrub(text), f"The text is not UTF-8; it was read as {name}, so check its accents."


def is_plain(data: bytes) -> bool:
    """Whether bytes of an unknown kind are plainly text: marked, or UTF-8 without controls."""
    if any(data.startswith(bom) for bom, _ in _BOMS):
        return True
    try:
        head = codecs.getincrementaldecoder("utf-8")().decode(data[:65_536])
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(_ANSI.sub("", head))


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
    """Text without terminal colours, NULs and other control characters, lines ended by \\n."""
    text = _CONTROL.sub("", _ANSI.sub("", text))
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
