"""Numbers of a text with their units, in digits or in words, and which supports which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, getcontext

from .calendar_dates import dates
from .number_words import spelled_numbers
from .numerals import NUMBER, number_value, uses_decimal_comma
from .units import (
    converted,
    is_currency,
    is_temperature,
    may_be_same,
    unit_after,
    unit_before,
)
from .vocabulary import ClaimWords, likely_words, plain

# A converted value is hardly ever round: 5 miles are 8.05 km. What differs by more is another.
_CONVERSION_TOLERANCE = Decimal("0.02")
_DEGREE_TOLERANCE = Decimal("0.5")
_SCALE_WORD = re.compile(r"[\s\u00a0\u202f-]*([^\W\d_]+)\.?")
_ARTICLE = re.compile(r"\s+an?(?=\s)")  # of “half a million”
_OF_AN = re.compile(r"\s+of\s+an?(?=\s)")  # of “three quarters of an hour”
_ONE_AND_A_HALF = re.compile(r"\b[Aa]n?(?=\s+[a-z]+\s+and a half\b)")
_AND_A_HALF = re.compile(r"\s+and a half\b")
_VULGAR = {"½": Decimal("0.5"), "¼": Decimal("0.25"), "¾": Decimal("0.75")}
_DECADE = re.compile(r"(?<![\d.,])[12]\d{2}0['’]?s\b")
_SHORT_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12}  # of money, or as capitals
_MONEY_SIGNS = tuple("€$£¥₹")
_MINUS = re.compile(r"\b(?:minus|moins|menos|meno)\s$", re.I)
_VERSION = re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w.]*\d)")


@dataclass(frozen=True)
class Quantity:
    """A number as written: value, the place of its last digit, unit ("" for none)."""

    value: Decimal
    exponent: int
    unit: str
    span: tuple[int, int]

    def stands_for(self, other: Quantity) -> bool:
        """Return whether this number is the other one, or the other one rounded to its digits."""
        if self.value == other.value:
            return True
        digits = other.value.adjusted() - self.exponent + 1
        if self.exponent <= other.exponent or digits >= getcontext().prec:
            return False
        return self.value == other.value.quantize(Decimal(1).scaleb(self.exponent), ROUND_HALF_UP)

    def is_supported_by(self, other: Quantity) -> bool:
        """Return whether the other one says the same, with this unit or one that converts."""
        if may_be_same(self.unit, other.unit) and self.stands_for(_signed_as(other, self)):
            return True
        if not self.unit or not other.unit or self.unit == other.unit:
            return False
        value = converted(other.value, other.unit, self.unit)
        if value is None:
            return False
        tolerance = _CONVERSION_TOLERANCE * abs(value)
        if is_temperature(self.unit):  # a share of degrees near zero is nothing
            tolerance = max(tolerance, _DEGREE_TOLERANCE)
        return abs(value - self.value) <= tolerance


def _signed_as(other: Quantity, claimed: Quantity) -> Quantity:
    """Return a number without its minus where a claim has none: “fell by 4 %” of “-4 %”."""
    if other.value >= 0 or claimed.value < 0 or is_temperature(claimed.unit):
        return other
    return Quantity(-other.value, other.exponent, other.unit, other.span)


def quantities(
    text: str,
    vocabulary: ClaimWords | None = None,
    date_spans: Iterable[tuple[int, int]] | None = None,
) -> list[Quantity]:
    """Return every number of a text, in digits or in words, without dates and versions.

    ``date_spans``: where the dates stand, if that is known.
    """
    words = vocabulary or likely_words(text)
    if date_spans is None:
        date_spans = [span for _, span in dates(text, words)]
    masked = list(text)
    for start, end in date_spans:
        masked[start:end] = " " * (end - start)
    shown = "".join(masked)
    has_comma = uses_decimal_comma(shown, words.has_decimal_comma)
    found = list(_in_digits(shown, words, has_comma))
    for start, end in (quantity.span for quantity in found):
        masked[start:end] = " " * (end - start)
    found += _in_words("".join(masked), words)
    return sorted(found, key=lambda quantity: quantity.span)


def _in_digits(text: str, words: ClaimWords, has_comma: bool) -> Iterator[Quantity]:
    text = _VERSION.sub(lambda m: m[0] if number_value(m[0], has_comma) else " " * len(m[0]), text)
    for match in NUMBER.finditer(text):
        value = number_value(match[0], has_comma)
        if value is not None:
            end = match.end()
            if text[end : end + 1] in _VULGAR:
                value, end = value + _VULGAR[text[end]], end + 1
            yield _quantity(text, match.start(), end, value, words)
            continue
        at = match.start()
        for part in match[0].split(","):  # a list without spaces
            value = number_value(part, False) if part[:1].isdigit() else None
            if value is not None:
                yield _quantity(text, at, at + len(part), value, words)
            at += len(part) + 1


def _in_words(text: str, words: ClaimWords) -> Iterator[Quantity]:
    for match in _ONE_AND_A_HALF.finditer(text) if "en" in words.languages else ():
        yield _quantity(text, match.start(), match.end(), Decimal(1), words)
    read = 0  # up to here the text belongs to a number: “half a million”
    for (start, end), value, unit in spelled_numbers(text, words.languages):
        if start < read:
            continue
        whole = _OF_AN.match(text, end) if unit else None
        part_of, stop = unit_after(text, whole.end(), words) if whole else ("", end)
        if part_of:
            yield Quantity(value, int(value.as_tuple().exponent), part_of, (start, stop))
            continue
        if unit:
            yield Quantity(value, int(value.as_tuple().exponent), unit, (start, end))
            continue
        found = _quantity(text, start, end, value, words)
        if value == Decimal("0.5") and found.unit == "" and found.value == value:
            continue  # “half a loaf” counts no unit
        read = found.span[1]
        yield found


def _quantity(text: str, start: int, end: int, value: Decimal, words: ClaimWords) -> Quantity:
    exponent = int(value.as_tuple().exponent)
    currency, begin = unit_before(text, start, words)
    article = _ARTICLE.match(text, end) if value == Decimal("0.5") else None
    power, after = _scale(text, article.end() if article else end, bool(currency), words)
    if power:
        value, exponent, end = value.scaleb(power), exponent + power, after
    elif article:
        end = article.end()
    if currency:
        return Quantity(value, exponent, currency, (begin, end))
    if _DECADE.match(text, start):
        return Quantity(value, exponent, "", (start, end))
    unit, stop = unit_after(text, end, words)
    minus = _MINUS.search(text, max(0, start - 6), start) if is_temperature(unit) else None
    if minus:  # of other units it may be “five minus 3 metres”
        return Quantity(-value, exponent, unit, (minus.start(), stop))
    if unit and not power and not is_currency(unit):
        half = _AND_A_HALF.match(text, stop)
        if half:
            return Quantity(value + Decimal("0.5"), -1, unit, (start, half.end()))
    return Quantity(value, exponent, unit, (start, stop))


def _scale(text: str, at: int, is_money: bool, words: ClaimWords) -> tuple[int, int]:
    """Return the power of ten of the words at a place, as in “million”, and their end."""
    power, end = 0, at
    while match := _SCALE_WORD.match(text, end):
        word = match[1]
        if ord(word[0]) > 0x2E7F:
            size = next((n for n in (2, 1) if word[:n] in words.scales), 0)
            if not size:
                break
            power, end = power + words.scales[word[:size]], match.start(1) + size
            continue
        # “£2m”, and “2 M€”, where the sign follows at once.
        is_glued = match.start(1) == end or text[match.end(1) : match.end(1) + 1] in _MONEY_SIGNS
        if len(word) == 1:
            is_short = is_glued and not power and word.lower() in _SHORT_SCALES
            if is_short and (is_money or word in "KMB" or _has_currency(text, match.end(1), words)):
                return _SHORT_SCALES[word.lower()], match.end(1)
            break
        step = words.scales.get(plain(word), words.scales.get(plain(word).removesuffix("s"), 0))
        if not step:
            break
        is_short = len(word) < 4  # “Mio.”: the point belongs to the word
        power, end = power + step, match.end() if is_short else match.end(1)
    return power, end


def _has_currency(text: str, at: int, words: ClaimWords) -> bool:
    return is_currency(unit_after(text, at, words)[0])
