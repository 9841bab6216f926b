"""Bytes of text in any common encoding are decoded to characters."""

from __future__ import annotations

import codecs

from ..warning import AppWarning, WarningKind
from .characters import has_binary, strip_controls

_WESTERN_SIGNS = frozenset(
    "äöüÄÖÜßéèçàêâîôûëïñãõåæœÉÈÀÇÊÑÅÆŒáíóúÁÍÓÚ¿¡“”‘’„‚–—…«»€£°§·•´\u00a0©®™½¼×±²³"
)
_ENCODING_NAMES = {  # the encodings that are guessed among, as people know them
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252",
    "cp1253": "Windows-1253", "cp1254": "Windows-1254", "cp1255": "Windows-1255",
    "cp1256": "Windows-1256", "cp1257": "Windows-1257", "iso8859_2": "ISO 8859-2",
    "koi8_r": "KOI8-R", "cp932": "Shift JIS", "euc_jp": "EUC-JP", "gb18030": "GB 18030",
    "big5": "Big5", "cp949": "EUC-KR", "mac_roman": "Mac Roman", "cp850": "DOS 850",
}  # fmt: skip
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Bytes looked at by the guesses. Chosen by hand: enough letters to tell, too few to take time.
_UTF8_SAMPLE, _UTF16_SAMPLE = 65_536, 4_096


def decode_text(data: bytes) -> tuple[str, AppWarning | None]:
    """Return the text of the bytes without control characters, and a warning when its encoding
    is only a guess."""
    content, warning = decode_raw_text(data)
    return strip_controls(content), warning


def decode_raw_text(data: bytes) -> tuple[str, AppWarning | None]:
    """Return the text of the bytes with its control characters, and a warning when its encoding
    is only a guess."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), None
    guess = _utf16_by_nuls(data)
    if guess:
        message = f"The text was read as {guess.upper()}."
        return data.decode(guess, "replace"), AppWarning(WarningKind.ENCODING_GUESSED, message)
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        pass
    text, name = _decode_legacy(data)
    message = f"The text is not UTF-8; it was read as {name}, so check its letters."
    return text, AppWarning(WarningKind.ENCODING_GUESSED, message)


def is_plain_text(data: bytes) -> bool:
    """Return whether bytes of unknown kind are text: with a byte order mark, or UTF-8 without
    control characters."""
    if any(data.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS):
        return True
    try:
        head = codecs.getincrementaldecoder("utf-8")().decode(data[:_UTF8_SAMPLE])
    except UnicodeDecodeError:
        return False
    return not has_binary(head)


def _decode_legacy(data: bytes) -> tuple[str, str]:
    """Return (text, name of the encoding) of bytes in an encoding from before Unicode."""
    western = _decode_western(data)
    if _is_western(western[0]):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=list(_ENCODING_NAMES)).best()
    if best is None:
        return western
    return str(best), _ENCODING_NAMES.get(best.encoding, best.encoding)


def _decode_western(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def _is_western(text: str) -> bool:
    """Return whether the characters beyond ASCII look like the accents and signs of Western
    Europe. A guess by frequency takes French for Czech, and a few accents for Chinese."""
    high = [c for c in text if c > "\x7f"]
    usual = sum(c in _WESTERN_SIGNS for c in high)
    letters = sum(c.isalpha() for c in high)
    # Chosen by hand: other scripts write most of their letters beyond ASCII, Western ones few.
    is_sparse = letters < 10 or letters < 0.25 * sum(c.isalpha() for c in text)
    return is_sparse and usual >= (0.7 if letters > 3 else 0.5) * len(high)


def _utf16_by_nuls(data: bytes) -> str | None:
    """Return the UTF-16 encoding of text without a byte order mark: every second byte is NUL."""
    head = data[:_UTF16_SAMPLE]
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.3 * len(head) / 2 and odd > 4 * even:
        return "utf-16-le"
    if even > 0.3 * len(head) / 2 and even > 4 * odd:
        return "utf-16-be"
    return None
