"""Check a sentence against the passage that it cites, then against the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from threading import Thread

from .calendar_dates import Date, dated_spans, dates_agree
from .proper_names import NAME_WORD, bare, is_known, names
from .quantities import Quantity, quantities
from .units import unit_registry
from .vocabulary import ClaimWords, likely_words


@dataclass(frozen=True)
class Flag:
    """An unsupported span of a sentence: characters [start, end), its kind, and the reason."""

    span: tuple[int, int]
    kind: str  # number | unit | date | name
    reason: str


class Facts:
    """Numbers, dates and words of a text, each found once, at first use.

    ``language``: ISO 639-1 code of the document the text is from, where it is known.
    """

    def __init__(self, text: str, language: str = "") -> None:
        self._text, self._language = text, language

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages that the text may be in, the likeliest first."""
        return self._vocabulary.languages

    @cached_property
    def quantities(self) -> list[Quantity]:
        """The numbers of the text, and the years of its dates, which support no other unit."""
        spans = [span for _, span in self._dated_spans]
        found = quantities(self._text, self._vocabulary, spans)
        years = {(dates[0][0], span) for dates, span in self._dated_spans if dates[0][0]}
        found += [Quantity(Decimal(year), 0, "date", span) for year, span in sorted(years)]
        return found

    @cached_property
    def dates(self) -> set[Date]:
        """The dates of the text, as (year, month, day), in every reading."""
        return {date for readings, _ in self._dated_spans for date in readings}

    @cached_property
    def words(self) -> set[str]:
        """The words of the text in lower case."""
        return {bare(word).lower() for word in NAME_WORD.findall(self._text)}

    def has_date(self, readings: Iterable[Date]) -> bool:
        """Return whether the text has a date, in one of its readings."""
        return any(dates_agree(date, other) for date in readings for other in self.dates)

    def has_quantity(self, claimed: Quantity) -> bool:
        """Return whether the text supports a number with its unit."""
        return any(claimed.is_supported_by(quantity) for quantity in self.quantities)

    def has_word(self, word: str) -> bool:
        """Return whether the text has a word, or all parts of it."""
        return is_known(word, self.words)

    @cached_property
    def _vocabulary(self) -> ClaimWords:
        return likely_words(self._text, (self._language,) if self._language else ())

    @cached_property
    def _dated_spans(self) -> list[tuple[tuple[Date, ...], tuple[int, int]]]:
        return dated_spans(self._text, self._vocabulary)


class JoinedFacts:
    """The facts of a document, page by page: a page is searched only if those before fail."""

    def __init__(self, pages: Sequence[Facts]) -> None:
        self._pages = pages

    def has_date(self, readings: Iterable[Date]) -> bool:
        """Return whether a page has a date, in one of its readings."""
        dates = tuple(readings)
        return any(page.has_date(dates) for page in self._pages)

    def has_quantity(self, claimed: Quantity) -> bool:
        """Return whether a page supports a number with its unit."""
        return any(page.has_quantity(claimed) for page in self._pages)

    def has_word(self, word: str) -> bool:
        """Return whether a page has a word, or all parts of it."""
        return any(page.has_word(word) for page in self._pages)


class _Claims:
    """The claims of one sentence and where they are looked up."""

    def __init__(self, sentence: str, near: Facts, far: Facts | JoinedFacts, where: str) -> None:
        self.sentence, self.near, self.far, self.where = sentence, near, far, where
        vocabulary = likely_words(sentence, near.languages[:2])
        self.dated = dated_spans(sentence, vocabulary)
        spans = [span for _, span in self.dated]
        self.counted = quantities(sentence, vocabulary, spans)
        taken = spans + [quantity.span for quantity in self.counted]
        self.named = [
            (word, (start, end))
            for word, (start, end) in names(sentence, vocabulary)
            if all(end <= begin or start >= stop for begin, stop in taken)
        ]

    def flags(self) -> Iterator[Flag]:
        """Yield the flags of dates, numbers and names."""
        for readings, span in self.dated:
            if not self.near.has_date(readings):
                yield self._missing("date", span, self.far.has_date(readings))
        for claimed in self.counted:
            if not self.near.has_quantity(claimed):
                yield self._unsupported(claimed)
        for word, span in self.named:
            if not self.near.has_word(word):
                yield self._missing("name", span, self.far.has_word(word))

    def _unsupported(self, claimed: Quantity) -> Flag:
        if any(claimed.stands_for(quantity) for quantity in self.near.quantities):
            place = self.where[:1].upper() + self.where[1:] or "The text cited"
            return Flag(claimed.span, "unit", f"{place} has this number with another unit.")
        return self._missing("number", claimed.span, self.far.has_quantity(claimed))

    def _missing(self, kind: str, span: tuple[int, int], is_far: bool) -> Flag:
        words = self.sentence[slice(*span)]
        if not is_far:
            return Flag(span, kind, f"“{words}” stands nowhere in the document.")
        on = f"on {self.where}" if self.where else "in the text cited"
        return Flag(span, kind, f"“{words}” stands elsewhere, not {on}.")


def load_checks_in_background(language: str = "") -> None:
    """Begin to load what checks need: the words of a document's language and English, the units.

    This takes about a second, in which a model can read.
    """
    Thread(target=_load, args=(language,), name="claims", daemon=True).start()


def _load(language: str) -> None:
    likely_words("", (language,))
    unit_registry()


def check(
    sentence: str, passage: str | Facts, document: str | Facts | JoinedFacts, where: str = ""
) -> list[Flag]:
    """Return the flags of a sentence against the passage that it cites, then the document.

    Who checks many sentences gives passage and document as facts. ``where`` names the passage
    ("p. 4"). No flag means that the source has everything, not that the sentence is true.
    """
    near = passage if isinstance(passage, Facts) else Facts(passage)
    far = Facts(document) if isinstance(document, str) else document
    claims = _Claims(sentence, near, far, where)
    return sorted(claims.flags(), key=lambda flag: flag.span)
