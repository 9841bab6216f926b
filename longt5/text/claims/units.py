"""Units of numbers: found after or before them, and compared by pint."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache, lru_cache
from threading import Lock

from .vocabulary import (
    CLDR_UNITS,
    CURRENCIES,
    OTHER_EXPRESSIONS,
    ClaimWords,
    plain,
    unit_key,
)

_UNIT_WORD = re.compile(r"[^\W\d_]+[²³23]?\.?|[%‰％°℃℉$€£¥₹₽₩₺₴]")
_UNIT_WORDS = 4  # words of the longest unit: “miles per square inch”
_PER = re.compile(r"\s?(?:/|\b(?:per|pro|par|por|an?|na|в|за|je)\b)\s?", re.I)
_OF = re.compile(r"\s?(?:d['’]|de\s|di\s|of\s|of the\s)")
_PERIODS = frozenset("d week month year".split())  # what is said otherwise as well: “daily”
_BEFORE = re.compile(r"(?:US\$|[CA]\$|[$€£¥₹₽₩₺₴]|\b[A-Z]{3}|\bRs\.?)\s?$")
_CURRENCY_SYMBOLS = frozenset(code.lower() for code in CURRENCIES)
# Words that name several units.
_MAY_BE = {
    "date": {"year"},
    "gbp": {"lb"},
    "°": {"°c", "°f"},
    "usd": {"cad", "aud", "nzd", "hkd", "sgd"},
    "t": {"short_ton"},
}


def unit_after(text: str, at: int, words: ClaimWords) -> tuple[str, int]:
    """Return the unit that stands at a place behind a number, and its end; "" for none."""
    unit, end = _simple_unit(text, at, words)
    if unit and unit not in _CURRENCY_SYMBOLS:
        per = _PER.match(text, end)
        below, stop = _simple_unit(text, per.end(), words) if per else ("", end)
        if below and below not in _PERIODS and "/" not in unit + below:
            return f"{unit}/{below}", stop
    return unit, end


def _simple_unit(text: str, at: int, words: ClaimWords) -> tuple[str, int]:
    """Return the longest unit at a place after at most one space or hyphen."""
    begin = at
    if text[begin : begin + 1] in (" ", "\u00a0", "\u202f", "\u2009", "-", "\n"):
        begin += 1
    joined = _OF.match(text, at)
    if joined:
        begin = joined.end()
    ends, place = [], begin
    for _ in range(_UNIT_WORDS):
        match = _UNIT_WORD.match(text, place)
        if match is None:
            break
        ends.append(match.end())
        place = match.end()
        if text[place : place + 1] in (" ", "\u00a0", "-", "/"):
            place += 1
    for end in reversed(ends):
        unit = _lookup(text[begin:end], words)
        if unit and not _goes_on(text, end):
            return unit, end - (text[end - 1] == ".")
    for end in range(min(begin + 4, len(text)), begin, -1):  # scripts without spaces
        if not text[begin:end].isascii():
            unit = words.units.get(text[begin:end]) or words.currencies.get(text[begin:end])
            if unit and ord(text[begin]) > 0x2E7F:
                return unit, end
    return "", at


def _goes_on(text: str, end: int) -> bool:
    return text[end - 1].isalnum() and text[end : end + 1].isalnum() and ord(text[end]) < 0x2E80


def _lookup(written: str, words: ClaimWords) -> str | None:
    for word in (written, written.rstrip(".")):
        key, low = unit_key(word), plain(word)
        unit = words.units.get(key) or (words.units.get(low) if len(low) > 1 else None)
        unit = unit or words.currencies.get(low)
        if unit is None and len(low) > 3 and low.endswith("s"):
            unit = words.units.get(low[:-1]) or words.currencies.get(low[:-1])
        if unit:
            return unit
    return None


def unit_before(text: str, start: int, words: ClaimWords) -> tuple[str, int]:
    """Return the currency that stands before a number, and where it begins; "" for none."""
    match = _BEFORE.search(text, max(0, start - 5), start)
    currency = words.currencies.get(plain(match[0])) if match else None
    return (currency, match.start()) if match and currency else ("", start)


def is_currency(unit: str) -> bool:
    """Return whether a unit is money."""
    return unit in _CURRENCY_SYMBOLS


def is_temperature(unit: str) -> bool:
    """Return whether a unit counts degrees."""
    return unit.startswith("°") or unit == "k"


def may_be_same(claimed: str, other: str) -> bool:
    """Return whether two units, as they are written, can be the same."""
    if not claimed or not other or claimed == other:
        return True
    return other in _MAY_BE.get(claimed, ()) or claimed in _MAY_BE.get(other, ())


_registry_loading = Lock()


def unit_registry() -> object:
    """Return pint's registry of units, made once, at first use."""
    with _registry_loading:
        return _load_registry()


@cache
def _load_registry() -> object:
    import pint

    return pint.UnitRegistry()


@cache
def _expressions() -> dict[str, str]:
    rows = [row.split(":") for row in CLDR_UNITS]
    table = {row[1]: row[2] if len(row) > 2 else row[0].replace("-", "_") for row in rows}
    return table | OTHER_EXPRESSIONS | {"fraction": "dimensionless"}


@lru_cache(1024)
def _to_base(unit: str) -> tuple[str, Decimal, Decimal] | None:
    """Return the base unit of a unit, its value at 0 and the growth from 0 to 1 there."""
    import pint

    parts = [_expressions().get(part) for part in (_is_known(unit) or unit.split("/"))]
    if None in parts:
        return None
    registry = unit_registry()
    try:
        whole = "/".join(f"({part})" for part in parts)
        values = [registry.Quantity(n, whole).to_base_units() for n in (0, 1)]  # type: ignore[attr-defined]
    except (pint.PintError, ValueError):
        return None
    zero, one = (Decimal(repr(float(value.magnitude))) for value in values)
    return str(values[0].units), zero, one - zero


def _is_known(unit: str) -> list[str] | None:
    return [unit] if unit in _expressions() else None


def converted(value: Decimal, unit: str, wanted: str) -> Decimal | None:
    """Return a value in another unit, None where the units measure different things."""
    source, target = _to_base(unit), _to_base(wanted)
    if source is None or target is None or source[0] != target[0] or not target[2]:
        return None
    return (source[1] + value * source[2] - target[1]) / target[2]
