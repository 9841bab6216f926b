"""Letters of TeX fonts that the file names by code alone: ligatures, quotes and dashes are mended.

Bitmap fonts of TeX have no names for their letters, so PDFium gives their codes as characters. The
codes below 32 are ligatures and punctuation, in one of two tables: T1 (Cork) or the older OT1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LOST_RETURN = "\x8d"  # stands for code 13, which is also the end of a line
_T1 = {
    "\x10": "“", "\x11": "”", "\x12": "„", "\x13": "«", "\x14": "»", "\x15": "–", "\x16": "—",
    "\x17": "", "\x19": "ı", "\x1b": "ff", "\x1c": "fi", "\x1d": "fl", "\x1e": "ffi", "\x1f": "ffl",
}  # fmt: skip
_OT1 = {
    "\x0b": "ff", "\x0c": "fi", LOST_RETURN: "fl", "\x0e": "ffi", "\x0f": "ffl", "\x10": "ı",
    "\x19": "ß", "\x1a": "æ", "\x1b": "œ", "\x1c": "ø", "\x1d": "Æ", "\x1e": "Œ", "\x1f": "Ø",
}  # fmt: skip
_T1_LIGATURE = re.compile(r"(?<=[a-z])[\x1b-\x1f]|[\x1b-\x1f](?=[a-z])")
_OT1_LIGATURE = re.compile(r"(?<=[a-z])[\x0b\x0c\x0e\x0f]|[\x0b\x0c\x0e\x0f](?=[a-z])")
_MIN_LIGATURES = 3  # in words; one control character in a word may be anything
_OT1_QUOTED = re.compile(r"(?<!\w)\\([^\\\"\n]{1,120})\"")
_OT1_RANGE = re.compile(r"(?<=\d)\{(?=\d)")


def mend_tex_codes(texts: Sequence[str]) -> Sequence[str]:
    """Return the lines of a document with the letters of TeX's fonts in place of their codes."""
    t1, ot1 = (
        sum(len(pattern.findall(text)) for text in texts if not text.isprintable())
        for pattern in (_T1_LIGATURE, _OT1_LIGATURE)
    )
    if max(t1, ot1) < _MIN_LIGATURES:
        return texts
    table = str.maketrans(_T1 if t1 >= ot1 else _OT1)
    mended = [text if text.isprintable() else text.translate(table) for text in texts]
    if t1 >= ot1:
        return mended
    return [_OT1_RANGE.sub("–", _OT1_QUOTED.sub(r"“\1”", text)) for text in mended]
