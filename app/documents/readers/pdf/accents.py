"""Accents that a file draws over letters, as older TeX fonts do, are joined with these."""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

REMOVED = "\ufdd0"  # stands for a character that is none of its own; no text holds it
_COMBINING = {
    "`": "\u0300", "\u00b4": "\u0301", "\u02c6": "\u0302", "\u02dc": "\u0303", "\u00af": "\u0304",
    "\u02d8": "\u0306", "\u02d9": "\u0307", "\u00a8": "\u0308", "\u02da": "\u030a",
    "\u02dd": "\u030b", "\u02c7": "\u030c", "\u00b8": "\u0327", "\u02db": "\u0328",
}  # fmt: skip
_DRAWN_ACCENT = re.compile(f"[{''.join(_COMBINING)}]")
_DOTLESS = {"\u0131": "i", "\u0237": "j"}
_MAX_ASIDE = 0.12  # of the height of type, between the middles of an accent and its letter
_MAX_RISE = 0.4  # of the height of type: over capitals, accents are raised
_MAX_ACCENTS, _MAX_NEAR = 3_000, 500  # of a page, letters of a column looked at for each
_GLUED = re.compile(f"(?<=[^\\s{REMOVED}]){REMOVED}+(?=[^\\s{REMOVED}])")

Edges = tuple[float, float, float, float]  # left, top, right, bottom


def join_accents(
    text: str,
    boxes_of: Callable[[Sequence[int]], Iterable[Edges]],
    is_added: Callable[[int], bool],
) -> tuple[str, frozenset[int]]:
    """Return the characters of an upright page with accents joined to the letters below them, and
    where words go on after an accent that was taken out. REMOVED stands for such accents, and for
    the spaces beside them that PDFium has added (`is_added`), so that every index stays."""
    accents = [match.start() for match in _DRAWN_ACCENT.finditer(text)]
    if not 0 < len(accents) <= _MAX_ACCENTS:
        return text, frozenset()
    letters = [i for i, char in enumerate(text) if char.isalpha() and char not in _COMBINING]
    boxes = sorted(
        (_middle(box), i, box) for i, box in zip(letters, boxes_of(letters), strict=True)
    )
    found = list(text)
    for accent, place in zip(accents, boxes_of(accents), strict=True):
        reach = _MAX_ASIDE * (place[1] - place[3])
        first = bisect_left(boxes, (_middle(place) - reach,))
        near = [
            (abs(middle - _middle(place)), i)
            for middle, i, box in boxes[first : first + _MAX_NEAR]
            if abs(place[3] - box[3]) <= _MAX_RISE * (box[1] - box[3])
        ]
        distance, letter = min(near, default=(math.inf, -1))
        joined = _joined(found[letter], text[accent]) if distance <= reach else ""
        if not joined:
            continue
        found[letter], found[accent] = joined, REMOVED
        for step in (-1, 1):
            space = accent + step
            while 0 <= space < len(text) and text[space] == " " and is_added(space):
                found[space] = REMOVED
                space += step
    whole = "".join(found)
    return whole, frozenset(match.end() for match in _GLUED.finditer(whole))


def _joined(letter: str, accent: str) -> str:
    """Return a letter with an accent as one character; "" where there is none."""
    both = unicodedata.normalize("NFC", _DOTLESS.get(letter, letter) + _COMBINING[accent])
    return both if len(both) == 1 else ""


def _middle(box: Edges) -> float:
    return (box[0] + box[2]) / 2
