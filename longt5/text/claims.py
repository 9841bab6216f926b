"""Claims of a sentence that its source does not support: numbers, units, dates and names.

No model is used. A number is compared at its own precision: 69 supports 68.9 and not 68.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, getcontext
from functools import cached_property

from ..tokenizer import UNSPACED_SCRIPTS
from .sentences import sentence_ends

MONTHS = (
    "january february march april may june july august september october november december"
).split()
MONTH = "|".join(rf"{m[:3]}(?:{m[3:]})?\.?" if len(m) > 3 else m for m in MONTHS)
DATE = re.compile(
    rf"\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{MONTH})(?:,?\s+(?P<year>\d{{4}}))?"
    rf"|(?P<month2>{MONTH})\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<year2>\d{{4}}))?"
    rf"|(?P<month3>{MONTH})\s+(?P<year3>\d{{4}}))\b",
    re.I,
)
# A digit that touches a word belongs to it, but for words of scripts without spaces.
NUMBER = re.compile(
    rf"(?:(?<![\w.])|(?<={UNSPACED_SCRIPTS.pattern}))"
    r"[-−]?(?:\d{1,3}(?:[,\u202f ]\d{3})+|\d+)(?:\.\d+)?(?![\d])"
)
SCALE = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
NUMBER_WORDS = dict(
    zip(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split(),
        range(1, 21),
        strict=True,
    ),
    thirty=30,
    forty=40,
    fifty=50,
    sixty=60,
    seventy=70,
    eighty=80,
    ninety=90,
)
UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "km": "km", "kilometre": "km", "kilometer": "km",
    "m": "m", "metre": "m", "meter": "m", "cm": "cm", "centimetre": "cm", "centimeter": "cm",
    "mm": "mm", "millimetre": "mm", "millimeter": "mm", "kg": "kg", "kilogram": "kg", "g": "g",
    "gram": "g", "tonne": "t", "ton": "t", "hectare": "ha", "ha": "ha", "acre": "acre",
    "litre": "l", "liter": "l", "hour": "h", "minute": "min", "second": "s", "day": "d",
    "week": "week", "month": "month", "year": "year", "euro": "eur", "eur": "eur", "€": "eur",
    "dollar": "usd", "usd": "usd", "$": "usd", "pound": "gbp", "£": "gbp", "mile": "mile",
    "degree": "°", "°c": "°", "kwh": "kwh", "mw": "mw", "gw": "gw", "kw": "kw", "page": "page",
}  # fmt: skip
_UNIT_ALTERNATIVES = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
_UNIT_AFTER = re.compile(rf"\s?({_UNIT_ALTERNATIVES})(?:s|es)?(?!\w)", re.I)
_NAME_WORD = re.compile(r"[^\W\d_][\w.'’-]*")
NO_NAMES = frozenset(
    "The A An In On At By For From To Of And But Or If It Its This That These Those He She They "
    "We You I His Her Their Our My When While After Before During Since Because Although As With "
    "Without Under Over Between Each Every Both Some Many Most All No Not Only Also However "
    "There Here Then Thus Moreover Furthermore Finally First Second Third One Two Three Such So "
    "What Which Who Whose Where Why How Yet Still Even Chapter Section Figure Table Page".split()
)


@dataclass(frozen=True)
class Flag:
    """An unsupported span of a sentence: characters [start, end), its kind, and the reason."""

    span: tuple[int, int]
    kind: str  # number | unit | date | name
    reason: str


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


class Facts:
    """Numbers, dates and words of a text, each found once, at first use."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def quantities(self) -> list[Quantity]:
        """The numbers of the text."""
        return quantities(self._text)

    @cached_property
    def dates(self) -> set[tuple[int, int, int]]:
        """The dates of the text, as (year, month, day)."""
        return {date for date, _ in dates(self._text)}

    @cached_property
    def words(self) -> set[str]:
        """The words of the text in lower case."""
        return {_bare(word).lower() for word in _NAME_WORD.findall(self._text)}


def check(sentence: str, passage: str, document: str | Facts, where: str = "") -> list[Flag]:
    """Return the flags of a sentence against the passage that it cites, then the document.

    Who checks many sentences of a document gives it as Facts. ``where`` names the passage
    ("p. 4"). No flag means that the source has everything, not that the sentence is true.
    """
    near, far = Facts(passage), document if isinstance(document, Facts) else Facts(document)
    flags = [
        *_dates(sentence, near, far, where),
        *_quantities(sentence, near, far, where),
        *_names(sentence, near, far, where),
    ]
    return sorted(flags, key=lambda flag: flag.span)


def quantities(text: str) -> list[Quantity]:
    """Return every number of a text, in digits or (one to ninety) in words, without dates."""
    masked = DATE.sub(lambda m: " " * len(m[0]), text)
    found = [_quantity(masked, m.start(), m.end(), m[0]) for m in NUMBER.finditer(masked)]
    for match in re.finditer(r"\b[A-Za-z]+(?:-[a-z]+)?\b", masked):
        value = _spelled(match[0].lower())
        if value is not None:
            found.append(_quantity(masked, match.start(), match.end(), str(value)))
    return sorted(found, key=lambda q: q.span)


def _spelled(word: str) -> int | None:
    if word in NUMBER_WORDS:
        return NUMBER_WORDS[word]
    tens, _, ones = word.partition("-")
    if ones in NUMBER_WORDS and NUMBER_WORDS.get(tens, 0) >= 20 and NUMBER_WORDS[ones] < 10:
        return NUMBER_WORDS[tens] + NUMBER_WORDS[ones]
    return None


def _quantity(text: str, start: int, end: int, digits: str) -> Quantity:
    value = Decimal(re.sub(r"[,\u202f ]", "", digits).replace("−", "-"))
    exponent = int(value.as_tuple().exponent)
    scale = re.match(r"[\s-]+(hundred|thousand|million|billion|trillion)s?\b", text[end:], re.I)
    if scale:
        power = SCALE[scale[1].lower()]
        value, exponent, end = value.scaleb(power), exponent + power, end + scale.end()
    unit, after = "", _UNIT_AFTER.match(text[end:])
    if after:
        unit = UNITS[after[1].lower()]
        end += after.end()
    elif start and text[start - 1] in "€$£":
        unit, start = UNITS[text[start - 1]], start - 1
    return Quantity(value, exponent, unit, (start, end))


def _quantities(sentence: str, near: Facts, far: Facts, where: str) -> Iterator[Flag]:
    for claimed in quantities(sentence):
        same = [q for q in near.quantities if claimed.stands_for(q)]
        if any(not claimed.unit or not q.unit or claimed.unit == q.unit for q in same):
            continue
        words = sentence[claimed.span[0] : claimed.span[1]]
        if same:
            yield Flag(claimed.span, "unit", f"{_place(where)} has this number with another unit.")
        elif any(claimed.unit == q.unit and claimed.stands_for(q) for q in far.quantities):
            yield Flag(claimed.span, "number", f"“{words}” stands elsewhere, not {_on(where)}.")
        else:
            yield Flag(claimed.span, "number", f"“{words}” stands nowhere in the document.")


def dates(text: str) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Return ((year, month, day), span) of every date with a month; 0 for a missing part."""
    found = []
    for m in DATE.finditer(text):
        month = m["month"] or m["month2"] or m["month3"]
        number = next(n for n, name in enumerate(MONTHS, 1) if name.startswith(month[:3].lower()))
        year = m["year"] or m["year2"] or m["year3"] or 0
        found.append(((int(year), number, int(m["day"] or m["day2"] or 0)), m.span()))
    return found


def _dates(sentence: str, near: Facts, far: Facts, where: str) -> Iterator[Flag]:
    for claimed, span in dates(sentence):
        words = sentence[span[0] : span[1]]
        if any(_agrees(claimed, other) for other in near.dates):
            continue
        if any(_agrees(claimed, other) for other in far.dates):
            yield Flag(span, "date", f"“{words}” stands elsewhere, not {_on(where)}.")
        else:
            yield Flag(span, "date", f"“{words}” stands nowhere in the document.")


def _agrees(claimed: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    return all(
        a in (0, b) or (b == 0 and part == 0)
        for part, (a, b) in enumerate(zip(claimed, other, strict=True))
    )


def names(text: str) -> list[tuple[str, tuple[int, int]]]:
    """Return (word, span) of the capitalized words inside sentences, without months."""
    firsts = {0, *sentence_ends(text)}
    found = []
    for match in _NAME_WORD.finditer(text):
        word = _bare(match[0])
        at = max(end for end in firsts if end <= match.start())
        begins = not text[at : match.start()].strip("\"'“‘([ \n")
        if not word[:1].isupper() or len(word) < 2 or word in NO_NAMES or begins:
            continue
        if word.lower().rstrip(".") in MONTHS:
            continue
        found.append((word, (match.start(), match.start() + len(word))))
    return found


def _names(sentence: str, near: Facts, far: Facts, where: str) -> Iterator[Flag]:
    for word, span in names(sentence):
        if _known(word, near.words):
            continue
        if _known(word, far.words):
            yield Flag(span, "name", f"“{word}” stands elsewhere, not {_on(where)}.")
        else:
            yield Flag(span, "name", f"“{word}” stands nowhere in the document.")


def _bare(word: str) -> str:
    """Return a word without an 's and without punctuation after it."""
    return re.sub(r"['’]s$|[.,'’-]+$", "", word)


def _known(word: str, vocabulary: set[str]) -> bool:
    return word.lower() in vocabulary or all(
        part in vocabulary for part in re.split(r"[-’']", word.lower()) if part
    )


def _on(where: str) -> str:
    return f"on {where}" if where else "in the text cited"


def _place(where: str) -> str:
    return where[:1].upper() + where[1:] if where else "The text cited"
