"""Text that was encoded as UTF-8 twice, so that it shows "Ã©" for "é", is decoded once more."""

from __future__ import annotations

import re

# What Windows-1252 shows for the bytes 0x80 to 0x9F, of which it leaves five without a character.
_SHOWN = bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_LATER = rf"[\x80-\xbf{_SHOWN}]"
_SEQUENCE = re.compile(
    rf"[\xc3-\xdf]{_LATER}|\xc2{_LATER}|[\xe0-\xef]{_LATER}{{2}}|[\xf0-\xf4]{_LATER}{{3}}"
)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_MIN_SEQUENCES = 2
_MIN_SEQUENCE_SHARE = 0.8  # of the characters beyond ASCII: any language's own are mostly others


def decode_again(text: str) -> str | None:
    """Return a text that was encoded twice as it was meant; None for any other."""
    if text.isascii():
        return None
    found = _SEQUENCE.findall(text)
    size = len(_BEYOND_ASCII.findall(text))
    if len(found) < _MIN_SEQUENCES or sum(map(len, found)) < _MIN_SEQUENCE_SHARE * size:
        return None
    return _SEQUENCE.sub(lambda match: _decoded(match[0]), text)


def _decoded(shown: str) -> str:
    """Return the character whose bytes are shown; the same characters where they are none."""
    data = b"".join(bytes([ord(c)]) if ord(c) < 0x100 else c.encode("cp1252") for c in shown)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return shown
