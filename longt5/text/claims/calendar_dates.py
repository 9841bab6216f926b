"""Dates of a text: with a month's name in the text's language, in ISO, in figures, in CJK."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..sentences import Span
from .vocabulary import ClaimWords, likely_words, plain

Date = tuple[int, int, int]  # year, month, day; 0 for a part that is not written

_DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|re|ère|[ºª°.]|-?го|-?е)?\s*(?:(?:of|de|del|di|den)\s+|d['’])?"
    r"\b(?P<month>[^\W\d_]{3,})\.?(?:,?\s+(?:(?:of|de|del|di)\s+)?(?P<year>\d{4})(?![\d%]))?",
    re.I,
)
_DAY_AFTER = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b(?![.,]?\d|\s?%)(?:,?\s+(?P<year>\d{4})(?![\d%]))?", re.I
)
_YEAR_AFTER = re.compile(r"(?P<year>\d{4})(?![\d%])")
_MONTH_BEFORE = re.compile(
    r"(?<![^\W_])(?P<month>[^\W\d_]{3,})\.?,?\s+(?:(?:of|de|del|di|the)\s+)?\Z", re.I
)
MONTH_REACH = 24  # characters of the longest month and the words behind it
_WIDE_DIGITS = {ord("０") + digit: str(digit) for digit in range(10)}
_ANY_NUMBER = re.compile(r"(?<![\w.,:/])\d{1,4}(?!\d)")
_ISO = re.compile(
    r"(?<![\w.,/-])(?P<year>[12]\d{3})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?![\w/-]|[.,]\d)"
)
_FIGURES = re.compile(
    r"(?<![\w.,/-])(?P<first>\d{1,2})(?P<mark>[-/.])\s?(?P<second>\d{1,2})(?P=mark)\s?"
    r"(?P<year>[12]\d{3})(?![\w/-]|[.,]\d)"
)
_CJK_DATE = re.compile(
    r"(?:(?P<year>[12]\d{3})\s?[年년]\s?)?(?<!\d)(?P<month>\d{1,2})\s?[月월]\s?"
    r"(?:(?P<day>\d{1,2})\s?[日号號일])?"
)
_RANGE = re.compile(
    r"(?<![\w.,:/])(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?\s?"
    r"(?:[-–—]|to|and|or|bis|und|au|et|al?|y|e|do|i|по|и|en|tot|och|till)\s?\Z",
    re.I,
)


def dates(text: str, vocabulary: ClaimWords | None = None) -> list[tuple[Date, Span]]:
    """Return ((year, month, day), span) of every date with a month; 0 for a missing part."""
    return [(readings[0], span) for readings, span in dated_spans(text, vocabulary)]


def dated_spans(
    text: str, vocabulary: ClaimWords | None = None
) -> list[tuple[tuple[Date, ...], Span]]:
    """Return the readings and the span of every date: 3/5/2021 has two."""
    words = vocabulary or likely_words(text)
    text = text.translate(_WIDE_DIGITS)
    found: dict[Span, tuple[Date, ...]] = {}
    is_taken = bytearray(len(text))
    for readings, span in _candidates(text, words):
        if any(is_taken[span[0] : span[1]]):
            continue
        found[span] = readings
        earlier = _range_start(text, span, readings[0])
        if earlier:
            found[earlier[1]] = (earlier[0],)
            span = (earlier[1][0], span[1])
        is_taken[span[0] : span[1]] = b"\1" * (span[1] - span[0])
    return [(found[span], span) for span in sorted(found)]


def _candidates(text: str, words: ClaimWords) -> Iterator[tuple[tuple[Date, ...], Span]]:
    for pattern in (_ISO, _CJK_DATE):
        for match in pattern.finditer(text):
            date = (int(match["year"] or 0), int(match["month"]), int(match["day"] or 0))
            if _is_possible(date) and (date[0] or date[2]):
                yield (date,), match.span()
    for match in _FIGURES.finditer(text):
        readings = _readings(match, words)
        if readings:
            yield readings, match.span()
    for number in _ANY_NUMBER.finditer(text):
        dated = _named(text, number, words)
        if dated:
            yield (dated[0],), dated[1]


def _named(text: str, number: re.Match[str], words: ClaimWords) -> tuple[Date, Span] | None:
    """Return the date, and its span, that a number makes with a month after or before it."""
    start, is_day = number.start(), len(number[0]) < 3
    match = _DAY_FIRST.match(text, start) if is_day else None
    month = _month(match["month"], words) if match else None
    if match is None or not month:
        match = (_DAY_AFTER if is_day else _YEAR_AFTER).match(text, start)
        low = max(0, start - MONTH_REACH)
        before = _MONTH_BEFORE.search(text, low, start) if match else None
        month = _month(before["month"], words) if before else None
        if match is None or before is None or not month:
            return None
        start = before.start()
    parts = match.groupdict()
    date = (int(parts["year"] or 0), month, int(parts.get("day") or 0))
    return (date, (start, match.end())) if _is_possible(date) else None


def _month(name: str, words: ClaimWords) -> int | None:
    word = plain(name)
    if word in words.capital_months and not name[0].isupper():
        return None
    if word in words.months:
        return words.months[word]
    stems = [word[:size] for size in range(len(word) - 1, 1, -1) if len(word) - size <= 3]
    return next((words.month_stems[stem] for stem in stems if stem in words.month_stems), None)


def _readings(match: re.Match[str], words: ClaimWords) -> tuple[Date, ...]:
    """Return the dates that figures may mean, the usual order of the language first."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    readings = [(year, second, first), (year, first, second)]
    if match["mark"] != "/":
        readings = readings[:1] if second <= 12 else readings
    elif words.languages[0] == "en":
        readings.reverse()
    return tuple(dict.fromkeys(date for date in readings if _is_possible(date)))


def _is_possible(date: Date) -> bool:
    return 1 <= date[1] <= 12 and date[2] <= 31


def _range_start(text: str, span: Span, date: Date) -> tuple[Date, Span] | None:
    """Return the first date of “3 to 9 May 2021”."""
    begins = _RANGE.search(text, max(0, span[0] - 12), span[0]) if date[2] else None
    if begins is None or not text[span[0]].isdigit() or not 1 <= int(begins["day"]) < date[2]:
        return None
    return (*date[:2], int(begins["day"])), begins.span("day")


def dates_agree(claimed: Date, other: Date) -> bool:
    """Return whether a date says no more than another, or only adds the year."""
    return all(
        a in (0, b) or (b == 0 and part == 0)
        for part, (a, b) in enumerate(zip(claimed, other, strict=True))
    )
