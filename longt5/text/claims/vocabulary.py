"""Words of numbers, dates and units by language, from the Unicode CLDR as Babel ships it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from os.path import commonprefix
from threading import Lock
from typing import Any

from ..language import likely_languages

# Languages that a sentence is compared with: those most documents are in. More would only make
# short sentences less certain.
LANGUAGES = tuple(
    "en de fr es it pt nl pl cs ru uk sv da no fi tr el hu ro zh ja ko ar hi id vi".split()
)
# CLDR's unit, its symbol here, and pint's expression where that is not CLDR's word.
CLDR_UNITS = (
    "kilometer:km meter:m centimeter:cm millimeter:mm micrometer:µm nanometer:nm mile:mile "
    "yard:yd foot:ft inch:in nautical-mile:nmi light-year:ly "
    "kilogram:kg gram:g milligram:mg microgram:µg tonne:t ton:ton:short_ton ounce:oz pound:lb "
    "square-kilometer:km²:kilometer**2 square-meter:m²:meter**2 "
    "square-centimeter:cm²:centimeter**2 "
    "square-mile:mile²:mile**2 square-foot:ft²:foot**2 hectare:ha acre:acre "
    "cubic-kilometer:km³:kilometer**3 cubic-meter:m³:meter**3 cubic-centimeter:cm³:centimeter**3 "
    "cubic-foot:ft³:foot**3 liter:l milliliter:ml deciliter:dl centiliter:cl hectoliter:hl "
    "gallon:gal barrel:bbl:oil_barrel "
    "hour:h minute:min second:s millisecond:ms day:d week:week month:month year:year decade:decade "
    "century:century percent:% permille:‰:permille degree:° celsius:°c:degC fahrenheit:°f:degF "
    "kelvin:k:kelvin gigawatt:gw megawatt:mw kilowatt:kw watt:w kilowatt-hour:kwh:kilowatt*hour "
    "joule:j kilojoule:kj kilocalorie:kcal volt:v ampere:a hertz:hz kilohertz:khz megahertz:mhz "
    "gigahertz:ghz bar:bar pascal:pa hectopascal:hpa kilopascal:kpa megapascal:mpa "
    "kilometer-per-hour:km/h:kilometer/hour meter-per-second:m/s:meter/second "
    "mile-per-hour:mile/h:mile/hour knot:kn byte:byte kilobyte:kb megabyte:mb gigabyte:gb "
    "terabyte:tb horsepower:hp"
).split()
# Those that CLDR does not have, in its spelling of symbols.
OTHER_UNITS = {
    "km2": "km²", "sq km": "km²", "sqkm": "km²", "m2": "m²", "sq m": "m²", "m3": "m³",
    "gwh": "gwh", "mwh": "mwh", "twh": "twh", "ug": "µg", "mcg": "µg", "μg": "µg", "kph": "km/h",
    "kmh": "km/h", "℃": "°c", "℉": "°f", "％": "%", "pct": "%", "degree": "°", "degrees": "°",
    "page": "page", "pages": "page", "metric tons": "t", "ton": "t", "tons": "t", "kilo": "kg",
    "kilos": "kg", "hr": "h", "hrs": "h", "secs": "s", "公里": "km", "千米": "km", "公斤": "kg",
    "percentage point": "pp", "percentage points": "pp", "prozentpunkte": "pp",
    "prozentpunkten": "pp", "prozentpunkt": "pp", "puntos porcentuales": "pp",
    "points de pourcentage": "pp", "punti percentuali": "pp", "pontos percentuais": "pp",
    "procentpunten": "pp", "procentenheter": "pp",
}  # fmt: skip
OTHER_EXPRESSIONS = {"gwh": "gigawatt*hour", "mwh": "megawatt*hour", "twh": "terawatt*hour"}
NO_UNITS = frozenset(["in"])  # an inch, but nearly always the preposition
SINGLE_LETTERS = frozenset("mglsht")  # symbols of one letter; others are more often no unit
CURRENCIES = (
    "USD EUR GBP JPY CNY INR CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF RUB UAH TRY BRL MXN KRW ZAR "
    "ILS THB SGD HKD IDR PHP VND EGP RON"
).split()
SIGNS = {
    "$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr", "₽": "rub", "₩": "krw",
    "₺": "try", "₴": "uah", "zł": "pln", "kč": "czk", "ft": "huf", "fr.": "chf", "us$": "usd",
    "c$": "cad", "a$": "aud", "rs": "inr", "rs.": "inr", "元": "cny", "円": "jpy", "日元": "jpy",
    "원": "krw", "yen": "jpy", "yuan": "cny", "renminbi": "cny",
}  # fmt: skip
NO_CURRENCY_NOUNS = frozenset("won real ft rs rand".split())  # are words or units as well
# Powers of ten that CLDR's compact forms do not have.
OTHER_SCALES = {
    "hundred": 2, "lakh": 5, "crore": 7, "mio": 6, "mrd": 9, "mln": 6, "mld": 9, "bn": 9, "tn": 12,
    "百": 2, "千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8, "兆": 12, "만": 4, "억": 8, "조": 12,
}  # fmt: skip


@dataclass(frozen=True)
class ClaimWords:
    """The words of one or more languages; words of more than three letters are in lower case."""

    languages: tuple[str, ...]
    months: dict[str, int]
    capital_months: frozenset[str]  # written with a capital in the language
    month_stems: dict[str, int]  # of languages that inflect them
    units: dict[str, str]
    currencies: dict[str, str]
    scales: dict[str, int]
    has_decimal_comma: bool


def likely_words(text: str, document: tuple[str, ...] = ()) -> ClaimWords:
    """Return the words of the languages that a text may be in, and of its document's."""
    own = likely_languages(text, LANGUAGES)
    known = [language for language in document if language in LANGUAGES]
    return words_of_languages(tuple(dict.fromkeys((*known, *own, "en"))))


_vocabulary_loading = Lock()


@lru_cache(256)
def words_of_languages(languages: tuple[str, ...]) -> ClaimWords:
    """Return the words of some languages; the first that has a word gives its meaning."""
    parts = [_one_language(language) for language in languages]
    return ClaimWords(
        languages,
        _merged(part.months for part in parts),
        frozenset().union(*(part.capital_months for part in parts)),
        _merged(part.month_stems for part in parts),
        _merged(part.units for part in parts) | OTHER_UNITS,
        _merged(part.currencies for part in parts) | SIGNS,
        _merged(part.scales for part in parts) | OTHER_SCALES,
        parts[0].has_decimal_comma,
    )


def _merged(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for table in tables:
        for word, meaning in table.items():
            merged.setdefault(word, meaning)
    return merged


def _one_language(language: str) -> ClaimWords:
    """Return the words of a language, made once, at first use."""
    with _vocabulary_loading:
        return _load_language(language)


@cache
def _load_language(language: str) -> ClaimWords:
    from babel import Locale

    places = [Locale(language), *([Locale("en", "GB")] if language == "en" else [])]
    months, capitals = _months(places[0])
    return ClaimWords(
        (language,),
        months | ({"sept": 9} if language == "en" else {}),
        capitals | ({"sept"} if language == "en" else set()),
        _month_stems(places[0]),
        _merged(_units(place) for place in places),
        _merged(_currencies(place) for place in places),
        _merged(_scales(place) for place in places),
        places[0].number_symbols["latn"]["decimal"] == ",",
    )


def _months(locale: Any) -> tuple[dict[str, int], frozenset[str]]:
    months: dict[str, int] = {}
    capitals: set[str] = set()
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in locale.months[context][width].items():
                word = plain(name).rstrip(".")
                if len(word) < 3 or word[0].isdigit():
                    continue
                months.setdefault(word, number)
                if name[0].isupper():
                    capitals.add(word)
    return months, frozenset(capitals)


def _month_stems(locale: Any) -> dict[str, int]:
    """Return the beginnings that the cases of a month's name share, where CLDR has two cases."""
    stems = {}
    for number, genitive in locale.months["format"]["wide"].items():
        forms = [plain(genitive), plain(locale.months["stand-alone"]["wide"][number])]
        if forms[0] != forms[1]:
            stems[commonprefix(forms)] = number
    return stems


def _units(locale: Any) -> dict[str, str]:
    from babel.units import UnknownUnitError, format_unit

    units: dict[str, str] = {}
    for row in CLDR_UNITS:
        name, symbol = row.split(":")[:2]
        for length in ("long", "short"):
            for count in (1, 2, 5, 1.5):
                try:
                    word = _without_number(format_unit(count, name, length, locale=locale))
                except UnknownUnitError:
                    continue
                if (
                    len(word) > 1
                    or not word.isalpha()
                    or word in SINGLE_LETTERS
                    or not word.isascii()
                ):
                    units.setdefault(unit_key(word), symbol)
    for word in NO_UNITS:
        units.pop(word, None)
    return units


def _currencies(locale: Any) -> dict[str, str]:
    names: dict[str, str] = {}
    nouns: dict[str, str] = {}
    for code in CURRENCIES:
        symbol = code.lower()
        english = plain(_currency_name(code, 5, "en")).split()[-1]
        names[symbol] = symbol
        for count in (1, 2, 5):
            name = plain(_currency_name(code, count, locale))
            names.setdefault(name, symbol)
            words = re.split(r"[\s-]+", name)
            shared = [w for w in words if w[:3] == english[:3]] or words[-1:]
            for noun in shared:
                if len(noun) > 2 and noun not in NO_CURRENCY_NOUNS:
                    nouns.setdefault(noun, symbol)
    return names | {noun: symbol for noun, symbol in nouns.items() if noun not in names}


def _currency_name(code: str, count: int, locale: Any) -> str:
    from babel.numbers import get_currency_name

    return str(get_currency_name(code, count, locale))


def _scales(locale: Any) -> dict[str, int]:
    scales: dict[str, int] = {}
    for formats in (locale.compact_decimal_formats, locale.compact_currency_formats):
        for plurals in formats.values():
            for patterns in plurals.values():
                for power, pattern in _powers(patterns):
                    scales.setdefault(power, pattern)
    return scales


def _powers(patterns: Any) -> Iterator[tuple[str, int]]:
    for number, pattern in patterns.items():
        written = str(pattern.pattern).split(";")[0].replace("'", "")
        word = re.sub(r"[0¤\s\u200e\u200f]", "", written).rstrip(".")
        if word and "0" in written:
            yield unit_key(word), len(number) - written.count("0")


def _without_number(written: str) -> str:
    return " ".join(re.sub(r"[\d.,٫٠-٩०-९]+", " ", written).split()).rstrip(".")


@lru_cache(16384)
def plain(word: str) -> str:
    """Return a word in lower case and without accents, its spaces simple."""
    letters = unicodedata.normalize("NFD", word.casefold())
    kept = "".join(c for c in letters if unicodedata.category(c) != "Mn")
    return " ".join(unicodedata.normalize("NFC", kept).split())


def unit_key(word: str) -> str:
    """Return what a unit is looked up by: short symbols as they are, words in lower case."""
    return word if len(word) < 4 and word.isascii() else plain(word)
