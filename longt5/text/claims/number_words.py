"""Numbers written as words, by text2num where it knows the language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

SPELLED_LANGUAGES = frozenset("en de fr es it pt nl da".split())  # those of text2num
DOZENS = frozenset("dozen dutzend douzaine docena dozzina dúzia dozijn".split())
HALVES = frozenset("half halbe halber halbes halben demi demie medio media".split())
_FRACTIONS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4,
              "fifth": 5, "fifths": 5, "tenth": 10, "tenths": 10}  # fmt: skip
_SPELLED_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_JOINERS = frozenset("and et y e und en og".split())
_ONES = frozenset("one ein eine einen einem einer eines un une una uno um uma een en et".split())
# “One” that counts nothing: “one of the oldest”, “no one”.
_NO_COUNT_AFTER = frozenset(
    "of another or may can must should would could has is who that day".split()
)
_NO_COUNT_BEFORE = frozenset("no any every each this that which some the".split())


@lru_cache(8192)
def spelled_value(words: str, languages: tuple[str, ...]) -> int | None:
    """Return the value of number words in one of some languages, None for other words."""
    from text_to_num import text2num

    for language in languages:
        if language in SPELLED_LANGUAGES:
            try:
                return int(text2num(words, language))
            except (ValueError, TypeError):
                continue
    return None


def spelled_numbers(
    text: str, languages: tuple[str, ...]
) -> Iterator[tuple[tuple[int, int], Decimal, str]]:
    """Yield (span, value, unit) of number words; the unit is "fraction" for a part of a whole."""
    known = tuple(language for language in languages if language in SPELLED_LANGUAGES)
    if not known:
        return
    tokens = [
        (match.start(), match.end(), match[0].lower()) for match in _SPELLED_WORD.finditer(text)
    ]
    begins = {word for word in {token[2] for token in tokens} if _may_begin(word, known)}
    end = 0
    for at, token in enumerate(tokens):
        if at < end or token[2] not in begins:
            continue
        end, value = _longest_run(tokens, at, text, known)
        fraction = _fraction(tokens, at, end, value) if "en" in known else None
        if fraction:
            end, part = fraction
            yield (token[0], tokens[end - 1][1]), part, "fraction"
        elif value is not None and not _counts_nothing(tokens, at, end):
            yield (token[0], tokens[end - 1][1]), value, ""


def _may_begin(word: str, languages: tuple[str, ...]) -> bool:
    is_other = word in DOZENS or word in HALVES or word == "a" or _hyphened(word) is not None
    return is_other or _is_number_word(word, languages)


def _hyphened(word: str) -> Decimal | None:
    """Return the value of “two-thirds”, None for other words."""
    count, _, part = word.partition("-")
    value = spelled_value(count, ("en",)) if part in _FRACTIONS else None
    return Decimal(value) / _FRACTIONS[part] if value else None


def _longest_run(
    tokens: list[tuple[int, int, str]], at: int, text: str, languages: tuple[str, ...]
) -> tuple[int, Decimal | None]:
    """Return the end of the run of number words that begins at a token, and its value."""
    end = at
    while end < len(tokens) and (end == at or _is_space(text, tokens[end - 1][1], tokens[end][0])):
        word = tokens[end][2]
        joins = end > at and word in _JOINERS and end + 1 < len(tokens)
        if not (_is_number_word(word, languages) or joins):
            break
        end += 1
    for stop in range(end, at, -1):
        words = " ".join(word for _, _, word in tokens[at:stop])
        value = spelled_value(words, languages)
        if value is not None:
            return _with_dozen(tokens, stop, Decimal(value))
    if tokens[at][2] in DOZENS:
        return at + 1, Decimal(12)
    if tokens[at][2] in HALVES and _has_scale_after(tokens, at, languages):
        return at + 1, Decimal("0.5")
    return at, None


def _is_number_word(word: str, languages: tuple[str, ...]) -> bool:
    return word not in _JOINERS and spelled_value(word, languages) is not None


def _is_space(text: str, start: int, end: int) -> bool:
    return not text[start:end].strip()


def _with_dozen(
    tokens: list[tuple[int, int, str]], stop: int, value: Decimal
) -> tuple[int, Decimal]:
    if stop < len(tokens) and tokens[stop][2] in DOZENS:
        return stop + 1, 12 * value
    words = [word for _, _, word in tokens[stop : stop + 3]]
    if words == ["and", "a", "half"]:
        return stop + 3, value + Decimal("0.5")
    return stop, value


def _has_scale_after(
    tokens: list[tuple[int, int, str]], at: int, languages: tuple[str, ...]
) -> bool:
    """Return whether “half” is followed by what it halves: “half a million”, “half an hour”."""
    words = [word for _, _, word in tokens[at + 1 : at + 3]]
    return bool(words) and (words[0] in ("a", "an") or tokens[at][2] != "half")


def _fraction(
    tokens: list[tuple[int, int, str]], at: int, end: int, value: Decimal | None
) -> tuple[int, Decimal] | None:
    """Return the end and value of “a third of”, “three quarters of”, “half of”, “half the”."""
    words = [word for _, _, word in tokens[at : at + 4]]
    hyphened = _hyphened(words[0])
    if hyphened is not None:
        return at + 1, hyphened
    if words[:1] == ["half"] and words[1:2] in (["of"], ["the"]):
        return at + 1, Decimal("0.5")
    if words[0] in ("a", "one") and len(words) > 2 and words[2] == "of" and words[1] in _FRACTIONS:
        return at + 2, Decimal(1) / _FRACTIONS[words[1]]
    if value is not None and 1 < value < 10 and end < len(tokens):
        name = tokens[end][2]
        if name.endswith("s") and name in _FRACTIONS:
            return end + 1, value / _FRACTIONS[name]
    return None


def _counts_nothing(tokens: list[tuple[int, int, str]], at: int, end: int) -> bool:
    if end - at > 1 or tokens[at][2] not in _ONES:
        return False
    if tokens[at][2] != "one":
        return True
    after = tokens[end][2] if end < len(tokens) else ""
    before = tokens[at - 1][2] if at else ""
    return after in _NO_COUNT_AFTER or before in _NO_COUNT_BEFORE
