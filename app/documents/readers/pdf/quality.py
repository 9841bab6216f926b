"""The readability of a page's text: the better of two readings is chosen, garbled text found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ...line_patterns import LETTER_RUN

# Chosen by hand; the tests hold samples of sound and garbled text in many scripts.
_MAX_WORD_LETTERS = 18  # a longer word is probably several, glued
_MIN_GLUED_WORDS = 3  # fewer are names or compounds, unless one is longer than any compound
_MAX_COMPOUND_LETTERS = 40
# A page with little text may repeat one compound: "Zusammenhangskomponente" in a proof.
_FEW_COMPOUNDS, _USUAL_COMPOUND_LETTERS, _MAX_COMPOUND_SHARE = 8, 26, 0.25
_MAX_GLUED_SHARE = 0.10  # of all letters; ordinary German comes near 0.085
_MAX_GLYPH_SHARE = 0.05  # of all characters inside names such as /g18
_MAX_BAD_SHARE = 0.05  # of U+FFFD, private use and control characters
_MAX_SPACED_SHARE = 0.5  # of letters standing alone; ordinary prose stays below 0.1
_MIN_LETTERS_TO_JUDGE = 20
_LOSS_NOISE = 0.1  # share of a page's letters by which two sound readers may differ
_COMPLETE_SHARE = 0.98  # of the letters that a reading without glued words must have
_MIN_SHARE_WITHOUT_LEADERS = 0.5  # of the characters; where less stays, all text is lost
_SCORE_NOISE = 0.02  # a smaller difference of scores keeps the first reading

_GLYPH_NAME = re.compile(r"/(?:g|G|c|C|uni|cid|glyph|a)\d{1,5}\b|\(cid:\d+\)")
# No page without any of these is garbled: long words, glyph names, controls, letters alone.
_DOUBTFUL = re.compile(r"[^\W\d_]{19}|/[a-zA-Z]+\d|\(cid|[\x00-\x08\x0e-\x1f\x7f]|(?:\b\w ){6}")
_LOST_LEADERS = re.compile(r"([\ufffd\ue000-\uf8ff])(?:\s?\1){3,}")
_CASE_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MAX_LINE_BAD_SHARE = 0.25  # of a line; a bullet or a sign that has no code is less
_SPACELESS_SCRIPT = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


def _without_marks(text: str) -> str:
    """Return the text without vowel signs and accents that are characters of their own: patterns
    take them for gaps between words, and Hindi, Tamil or pointed Hebrew is full of them."""
    if text.isascii():
        return text
    marks = [char for char in set(text) if unicodedata.category(char)[0] == "M"]
    return text.translate(dict.fromkeys(map(ord, marks))) if marks else text


def _letter_runs(text: str) -> list[str]:
    """Return the runs of letters, without their marks."""
    return LETTER_RUN.findall(_without_marks(text))


def count_letters(text: str) -> int:
    """Return how many letters the text has."""
    return sum(len(word) for word in _letter_runs(text))


def bad_share(text: str) -> float:
    """Return the share of characters that no writer typed: replacement, private use, control."""
    if not text:
        return 0.0
    bad = sum(text.count(c) for c in set(text) if c not in "\n\r\t\f" and _is_bad(c))
    return bad / len(text)


def _is_bad(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char) in ("Co", "Cc", "Cn") and char != "\ufffe"


def _spaced_words(text: str) -> list[str]:
    """Return the words of the scripts that write spaces between them."""
    words = _letter_runs(text)
    if text.isascii() or not _SPACELESS_SCRIPT.search(text):
        return words
    return [word for word in words if not _SPACELESS_SCRIPT.search(word)]


def _too_long(words: Iterable[str]) -> list[str]:
    """Return the words too long to be one, but for identifiers such as CollectionTypeConstant,
    whose parts are short."""
    return [
        word
        for word in words
        if len(word) > _MAX_WORD_LETTERS
        and max(map(len, _CASE_CHANGE.split(word))) > _MAX_WORD_LETTERS
    ]


def _glued_words(text: str) -> list[str]:
    """Return the words of a text that are too long to be one."""
    return _too_long(_spaced_words(text))


def glued_share(text: str) -> float:
    """Return the share of letters inside words too long to be one; 0 when they are few."""
    return _glued_share(_spaced_words(text))


def _glued_share(words: Sequence[str]) -> float:
    total, glued = sum(map(len, words)), _too_long(words)
    longest = max(map(len, glued), default=0)
    letters = sum(map(len, glued))
    is_few = (len(glued) < _MIN_GLUED_WORDS and longest <= _MAX_COMPOUND_LETTERS) or (
        len(glued) < _FEW_COMPOUNDS
        and longest <= _USUAL_COMPOUND_LETTERS
        and letters <= _MAX_COMPOUND_SHARE * total
    )
    return 0.0 if total < _MIN_LETTERS_TO_JUDGE or is_few else letters / total


def spaced_share(text: str) -> float:
    """Return the share of letters standing alone ("H e l l o")."""
    return _spaced_share(_spaced_words(text))


def _spaced_share(words: Sequence[str]) -> float:
    total = sum(map(len, words))
    if total < _MIN_LETTERS_TO_JUDGE:
        return 0.0
    return sum(1 for word in words if len(word) == 1) / total


def glyph_share(text: str) -> float:
    """Return the share of characters inside glyph names in place of letters."""
    return sum(len(name) for name in _GLYPH_NAME.findall(text)) / len(text) if text else 0.0


def without_lost_leaders(text: str) -> str:
    """Return the text without runs of one character that has no meaning: leaders of a table,
    whose dots have no code in the file."""
    return _LOST_LEADERS.sub("", text) if not text.isascii() else text


def is_unreadable_line(text: str) -> bool:
    """Return whether a line has no letters but characters without a meaning among a few others."""
    return bad_share(text) > _MAX_LINE_BAD_SHARE


def is_garbled(text: str) -> bool:
    """Return whether the text would be nonsense to a reader."""
    if text.isascii() and not _DOUBTFUL.search(text):
        return False
    shorter = without_lost_leaders(text)
    if len(shorter) >= _MIN_SHARE_WITHOUT_LEADERS * len(text):
        text = shorter
    words = _spaced_words(text)
    return (
        _glued_share(words) > _MAX_GLUED_SHARE
        or glyph_share(text) > _MAX_GLYPH_SHARE
        or bad_share(text) > _MAX_BAD_SHARE
        or _spaced_share(words) > _MAX_SPACED_SHARE
    )


def readability(text: str) -> float:
    """Return a score from 0 (nothing) to 1 (sound), in steps of 0.01 so that equal texts tie."""
    if not text.strip():
        return 0.0
    words = _spaced_words(text)
    glued, spaced = _glued_share(words), _spaced_share(words)
    worst = glued + 2 * glyph_share(text) + 2 * bad_share(text) + spaced / 2
    return round(max(0.01, 1.0 - worst), 2)


def better_text(first: str | None, second: str | None) -> str:
    """Return the better of two readings of one page; the first at ties and small differences."""
    one, two = first or "", second or ""
    most = max(count_letters(one), count_letters(two), 1)
    # A reader that lost a part of the page loses in proportion.
    rank_one, rank_two = (
        readability(text) * min(1.0, count_letters(text) / ((1 - _LOSS_NOISE) * most))
        for text in (one, two)
    )
    if is_garbled(one) != is_garbled(two) and one.strip() and two.strip():
        return two if is_garbled(one) else one
    if rank_two > rank_one + _SCORE_NOISE or (not one.strip() and two.strip()):
        return two
    is_complete = count_letters(two) >= _COMPLETE_SHARE * most
    if not is_complete or rank_two < rank_one - _SCORE_NOISE:
        return one
    return two if _unglues(two, one) and not _unglues(one, two) else one


def _unglues(text: str, other: str) -> bool:
    """Return whether words that are glued in the other text are apart in this one."""
    plain = _without_marks(text)
    missing = [word for word in _glued_words(other) if word not in plain]
    if not missing:
        return False
    run = "".join(_letter_runs(plain))
    return any(word in run for word in missing)
