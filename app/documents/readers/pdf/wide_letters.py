"""Capitals that a file sets wide by blanks between them, as in some headings, become words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .glyphs import Word

_WIDE_CAPITALS = re.compile(
    r"[^\W\d_a-z] [^\W\d_a-z] [^\W\d_a-z] [^\W\d_a-z] [^\W\d_a-z] [^\W\d_a-z]\b"
)
_MIN_WIDE_LETTERS = 6  # fewer may be initials, the heads of columns or a row of answers
_WORD_BLANKS = 1.5  # times the narrowest gap: two blanks or more stand between words


def has_wide_letters(text: str) -> bool:
    """Return whether a text may have capitals with blanks between them."""
    return _WIDE_CAPITALS.search(text) is not None


def join_wide_letters(words: Sequence[Word]) -> list[Word]:
    """Return the words of a page, those that are single capitals with even gaps joined."""
    found: list[Word] = []
    run: list[Word] = []
    for word in words:
        is_capital = len(word[0]) == 1 and word[0].isupper()
        if run and not (is_capital and word[1] == run[-1][1]):
            found += _joined_run(run)
            run = []
        if is_capital:
            run.append(word)
        else:
            found.append(word)
    return found + _joined_run(run)


def _joined_run(run: Sequence[Word]) -> list[Word]:
    """Return the words of capitals of one text object; the run itself where it is an alphabet or
    does not run to the right."""
    gaps = [two[3][0] - one[4][2] for one, two in pairwise(run)]
    is_alphabet = all(one[0] < two[0] for one, two in pairwise(run))
    if len(run) < _MIN_WIDE_LETTERS or is_alphabet or min(gaps) <= 0:
        return list(run)
    words = [[run[0]]]
    for letter, gap in zip(run[1:], gaps, strict=True):
        if gap > _WORD_BLANKS * min(gaps):
            words.append([])
        words[-1].append(letter)
    return [
        ("".join(letter[0] for letter in own), own[0][1], own[0][2], own[0][3], own[-1][4])
        for own in words
    ]
