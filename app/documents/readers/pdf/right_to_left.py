"""Arabic, Hebrew and other text that runs to the left, put into the order in which it is read.

Producers differ in how they write such text, and PDFium turns some of it around and some not. The
places of the letters are the same for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from .letter_widths import GlyphBox

# As in :mod:`.glyphs`: letters, their text object, what stands before, boxes of first and last.
PlacedWord = tuple[str, int | None, int, GlyphBox, GlyphBox]
_LEFTWARD = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Digits, letters of other scripts, and the signs of amounts.
_RIGHTWARD = re.compile(
    "[^\\W_\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\u0660-\u0669\u06f0-\u06f9%$€£¥₪°#]"
)
_SEPARATORS = frozenset(".,:/٫٬-–")  # inside a number, a time or a date
# The opening sign of a pair that is not turned stands before a letter or digit.
_TURNED_BRACKETS = [
    (re.compile(rf"\s?\{closing}\s?([^()\[\]]+?)\s?\{opening}(?!\w)"), rf" {opening}\1{closing}")
    for opening, closing in ("()", "[]")
]


def has_leftward_letters(text: str) -> bool:
    """Return whether a text has letters of a script that runs to the left."""
    return not text.isascii() and _LEFTWARD.search(text) is not None


def order_leftward_words(words: Sequence[PlacedWord]) -> list[PlacedWord]:
    """Return the words of an upright page with the letters of those that run to the left in the
    order of their places, from the right."""
    found: list[PlacedWord] = []
    is_leftward = False
    for token in _tokens(words):
        has_letters = any(_LEFTWARD.search(text) for text, *_ in token)
        is_inside = is_leftward and _is_left_of(token[0], found[-1])
        if has_letters or is_inside:
            token = _from_the_right(token)
        is_leftward = has_letters or is_inside
        found += token
    return found


def _tokens(words: Sequence[PlacedWord]) -> Iterator[list[PlacedWord]]:
    """Yield words that follow each other without a space, on one line."""
    token: list[PlacedWord] = []
    for word in words:
        if token and (word[2] or word[1] is None or not _is_level(token[-1], word)):
            yield token
            token = []
        token.append(word)
    if token:
        yield token


def _is_level(one: PlacedWord, two: PlacedWord) -> bool:
    """Return whether two words stand on one line."""
    return one[4][3] < two[3][1] and two[3][3] < one[4][1]


def _is_left_of(one: PlacedWord, two: PlacedWord) -> bool:
    return one[1] is not None and _is_level(one, two) and one[4][2] <= two[3][2]


def _from_the_right(token: Sequence[PlacedWord]) -> list[PlacedWord]:
    """Return the words of a token by their places; a number keeps the order of its digits."""
    parts = sorted(token, key=lambda part: -(part[3][0] + part[4][2]))
    rightward = [_RIGHTWARD.match(part[0]) is not None for part in parts]
    for index in range(1, len(parts) - 1):
        is_between = parts[index - 1][0][-1].isdigit() and parts[index + 1][0][:1].isdigit()
        rightward[index] |= is_between and parts[index][0] in _SEPARATORS
    ordered: list[PlacedWord] = []
    pairs = zip(rightward, parts, strict=True)
    for runs_right, group in groupby(pairs, itemgetter(0)):
        run = [part for _, part in group]
        ordered += run[::-1] if runs_right else run
    return [
        (text, owner, token[0][2] if not index else 0, first, last)
        for index, (text, owner, _, first, last) in enumerate(ordered)
    ]


def with_turned_brackets(text: str) -> str:
    """Return a line that runs to the left with its brackets around what they enclose: some files
    name them as they look.

    >>> with_turned_brackets("אב) גד( ה")
    'אב (גד) ה'
    """

    for pattern, right in _TURNED_BRACKETS:
        text = pattern.sub(right, text)
    return text.strip()
