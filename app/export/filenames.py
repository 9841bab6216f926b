"""Turn the name of a document into the file name of its summary."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"  # zero-width joiners: between letters, as in Persian, or between emoji
TRIMMED = f" ._-{JOINERS}"  # invisible or with a meaning at the edges of a file name
MAX_STEM_BYTES = 80  # file systems allow 255 bytes; a browser may add a counter


def safe_filename(name: str, ext: str) -> str:
    """Return a file name for the summary of a document that is valid on every system."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", re.split(r"[\\/]", name)[-1])
    stem = "".join(c if _is_allowed(c) else "/" for c in unicodedata.normalize("NFC", stem))
    stem = re.sub("/+", "_", stem).strip(TRIMMED)
    stem = stem.encode()[:MAX_STEM_BYTES].decode("utf-8", "ignore").rstrip(TRIMMED) or "document"
    if re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)", stem):  # reserved on Windows
        stem = f"_{stem}"
    return f"{stem}-summary.{ext.lstrip('.')}"


def _is_allowed(character: str) -> bool:
    """Allow letters and digits of every script, with vowel signs, and emoji with modifiers."""
    if character.isascii():
        return character.isalnum() or character in "_ .()-"
    return (
        character.isalnum()
        or character in JOINERS
        or unicodedata.category(character) in ("Mn", "Mc", "Me", "So", "Sk")
    )
