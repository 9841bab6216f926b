"""Bytes of text in any common encoding are decoded to characters."""

from __future__ import annotations

import codecs
import re
import unicodedata

from ..warning import AppWarning, WarningKind
from .characters import has_binary, strip_controls
from .language_letters import IS_LANGUAGE, language_score
from .twice_encoded import decode_again

_ENCODING_NAMES = {  # the encodings that are guessed among, as people know them
    "cp1252": "Windows-1252", "latin_1": "Latin-1", "cp1250": "Windows-1250",
    "cp1251": "Windows-1251", "cp1253": "Windows-1253", "cp1254": "Windows-1254",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256", "cp1257": "Windows-1257", "cp1258": "Windows-1258",
    "cp874": "Windows-874", "iso8859_2": "ISO 8859-2", "iso8859_5": "ISO 8859-5",
    "iso8859_6": "ISO 8859-6", "koi8_u": "KOI8", "cp932": "Shift JIS", "euc_jp": "EUC-JP",
    "gb18030": "GB 18030", "big5": "Big5", "cp949": "EUC-KR", "mac_roman": "Mac Roman",
    "mac_cyrillic": "Mac Cyrillic", "cp850": "DOS 850", "cp437": "DOS 437", "cp852": "DOS 852",
    "cp857": "DOS 857", "cp866": "DOS 866", "cp737": "DOS 737", "cp862": "DOS 862",
    "cp865": "DOS 865", "cp775": "DOS 775", "cp861": "DOS 861",
}  # fmt: skip
# Python's codecs that read what browsers read under these names.
_BROWSER_CODECS = {
    "shift_jis": "cp932", "gbk": "gb18030", "euc-kr": "cp949", "big5": "big5hkscs",
    "utf-16le": "utf-8", "utf-16be": "utf-8",  # a page that could declare it is no UTF-16
    "x-user-defined": "cp1252", "replacement": "utf-8",
}  # fmt: skip
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEVEN_BIT = (  # what begins two-byte characters in encodings of ASCII bytes
    (b"\x1b$)C", "iso2022_kr", "ISO-2022-KR"),
    (b"\x1b$", "iso2022_jp_2", "ISO-2022-JP"),
    (b"~{", "hz", "HZ"),
)
# Bytes looked at by the guesses. Chosen by hand: enough letters to tell, too few to take time.
_MAX_SPARSE_SHARE = 0.02  # of bytes beyond ASCII that are a few signs in English text
_UTF8_SAMPLE, _UTF16_SAMPLE, _LEGACY_SAMPLE = 65_536, 4_096, 8_192


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
    if (found := _decode_seven_bit(data)) is not None:
        message = f"The text was read as {found[1]}."
        return found[0], AppWarning(WarningKind.ENCODING_GUESSED, message)
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError:
        pass  # then the encoding is guessed, and the reader is told
    else:
        mended = decode_again(content)
        if mended is None:
            return content, None
        message = "The text was encoded twice, and was decoded twice: check its letters."
        return mended, AppWarning(WarningKind.ENCODING_GUESSED, message)
    text, name = _decode_legacy(data)
    message = f"The text is not UTF-8; it was read as {name}, so check its letters."
    if name is None:
        message = (
            "The text is in an unknown encoding, and many of its letters are wrong: save it as "
            "UTF-8 first."
        )
    return text, AppWarning(WarningKind.ENCODING_GUESSED, message)


def codec_of_label(label: str) -> str | None:
    """Return Python's codec for the label of an encoding, as browsers understand it; None where
    nobody knows it."""
    import webencodings

    name = label.strip().strip("\"'").lower()
    found = webencodings.lookup(name)
    if found is not None:
        codec = _BROWSER_CODECS.get(found.name, found.codec_info.name)
        return codec
    numbered = re.fullmatch(r"(?:x-)?(?:cp|dos|ibm|oem|windows|win|ms)[-_ ]?(\d{3,5})", name)
    try:
        codec = codecs.lookup(f"cp{numbered[1]}" if numbered else name)
    except LookupError:
        return None
    return codec.name if codec._is_text_encoding else None


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


def _decode_seven_bit(data: bytes) -> tuple[str, str] | None:
    """Return (text, name of the encoding) of ASCII bytes that stand for East Asian text; None for
    any others."""
    if not data.isascii():
        return None
    for mark, codec, shown in _SEVEN_BIT:
        if mark in data[:_LEGACY_SAMPLE]:
            text = data.decode(codec, "replace")
            if not text.isascii() and language_score(text) >= IS_LANGUAGE:
                return text, shown
    return None


def _decode_legacy(data: bytes) -> tuple[str, str | None]:
    """Return (text, name of the encoding) of bytes in an encoding from before Unicode: the one
    in which they are most like a language. The name is None where no encoding makes them one."""
    best, text, name = 0.0, "", ""
    for codec, shown in _ENCODING_NAMES.items():
        try:
            sample = data[:_LEGACY_SAMPLE].decode(codec, _errors_at_cut(data))
        except UnicodeDecodeError:
            continue
        score = language_score(sample)
        if score > best and (decoded := _decoded(data, codec)) is not None:
            best, text, name = score, decoded, shown
    if best >= IS_LANGUAGE:
        return text, name
    high = sum(byte > 0x7F for byte in data[:_LEGACY_SAMPLE])
    is_sparse = high < _MAX_SPARSE_SHARE * len(data[:_LEGACY_SAMPLE])
    return data.decode("cp1252", "replace"), "Windows-1252" if is_sparse else None


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return unicodedata.normalize("NFC", data.decode(codec))
    except UnicodeDecodeError:
        return None


def _errors_at_cut(data: bytes) -> str:
    """Return how to treat bytes that cannot be decoded: the sample may end inside a character."""
    return "ignore" if len(data) > _LEGACY_SAMPLE else "strict"


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
