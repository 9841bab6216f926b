"""How readable a page's text is: decides between two readers and notices garbage."""

from __future__ import annotations

import re
import unicodedata

GLUED_LETTERS = 18  # a word longer than this is probably several, glued
GLUED_WORDS = 3  # fewer are names or compounds, unless one is longer than any compound
LONGEST_COMPOUND = 40
GLUED_SHARE = 0.10  # of all letters; ordinary German comes near 0.085
GLYPH_SHARE = 0.05  # of all characters inside names such as /g18
BAD_SHARE = 0.05  # U+FFFD, private use, control characters
MIN_LETTERS = 20  # fewer say nothing about quality

_GLYPH_NAME = re.compile(r"/(?:g|G|c|C|uni|cid|glyph|a)\d{1,5}\b|\(cid:\d+\)")
_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


def _without_marks(text: str) -> str:
    """Text without vowel signs and accents that stand for themselves: patterns take them for gaps
    between words, and Hindi, Tamil or pointed Hebrew is full of them."""
    if text.isascii():
        return text
    return "".join(char for char in text if unicodedata.category(char)[0] != "M")


def _words_of(text: str) -> list[str]:
    """The runs of letters, without their marks."""
    return _WORD.findall(_without_marks(text))


def letters(text: str) -> int:
    """How many letters the text has."""
    return sum(len(word) for word in _words_of(text))


def bad_share(text: str) -> float:
    """Share of characters that no writer typed: replacement, private use, control."""
    if not text:
        return 0.0
    bad = sum(1 for c in text if c not in "\n\r\t\f" and _is_bad(c))
    return bad / len(text)


def _is_bad(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char) in ("Co", "Cc", "Cn") and char != "\ufffe"


def _glued(text: str) -> list[str]:
    """Words too long to be one; those of scripts without spaces do not count, nor identifiers
    such as CollectionTypeConstant, whose parts are short."""
    words = (word for word in _words_of(text) if not _NO_SPACES.search(word))
    return [word for word in words if max(map(len, _HUMP.split(word))) > GLUED_LETTERS]


def glued_share(text: str) -> float:
    """Share of letters inside words too long to be one; 0 when they are few."""
    words = [word for word in _words_of(text) if not _NO_SPACES.search(word)]
    total, glued = sum(map(len, words)), _glued(text)
    longest = max(map(len, glued), default=0)
    is_few = len(glued) < GLUED_WORDS and longest <= LONGEST_COMPOUND
    return 0.0 if total < MIN_LETTERS or is_few else sum(map(len, glued)) / total


def spaced_share(text: str) -> float:
    """Share of letters standing alone ("H e l l o"); ordinary prose stays below 0.1."""
    words = [word for word in _words_of(text) if not _NO_SPACES.search(word)]
    total = sum(map(len, words))
    return sum(1 for word in words if len(word) == 1) / total if total >= MIN_LETTERS else 0.0


def glyph_share(text: str) -> float:
    """Share of characters inside glyph names left in place of letters."""
    return sum(len(name) for name in _GLYPH_NAME.findall(text)) / len(text) if text else 0.0


def is_garbled(text: str) -> bool:
    """True when the text would be nonsense to a reader."""
    return (
        glued_share(text) > GLUED_SHARE
        or glyph_share(text) > GLYPH_SHARE
        or bad_share(text) > BAD_SHARE
        or spaced_share(text) > 0.5
    )


def score(text: str) -> float:
    """0 (garbage or nothing) to 1 (sound), in steps of 0.01 so that equal texts tie."""
    if not text.strip():
        return 0.0
    worst = glued_share(text) + 2 * glyph_share(text) + 2 * bad_share(text) + spaced_share(text) / 2
    return round(max(0.01, 1.0 - worst), 2)


def better(first: str | None, second: str | None) -> str:
    """The better of two readings of one page; ties, and small differences, go to the first."""
    one, two = first or "", second or ""
    most = max(letters(one), letters(two), 1)
    # A reader that lost a part of the page loses in proportion; a tenth is noise.
    rank_one = score(one) * min(1.0, letters(one) / (0.9 * most))
    rank_two = score(two) * min(1.0, letters(two) / (0.9 * most))
    if is_garbled(one) != is_garbled(two) and one.strip() and two.strip():
        return two if is_garbled(one) else one
    if rank_two > rank_one + 0.02 or (not one.strip() and two.strip()):
        return two
    complete = letters(two) >= 0.98 * most and rank_two >= rank_one - 0.02
    return two if complete and _splits(one, two) and not _splits(two, one) else one


def _splits(one: str, two: str) -> bool:
    """Whether words that are glued in the first reading are apart in the second."""
    plain = _without_marks(two)
    missing = [word for word in _glued(one) if word not in plain]
    if not missing:
        return False
    run = "".join(_words_of(plain))
    return any(word in run for word in missing)
