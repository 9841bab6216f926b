"""The sentences of a text as vectors of their words, weighted by tf-idf."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .roles import Role
from .sentences import Span
from .source import SourceText
from .words import content_words

# Added to a sentence's words in a mean, since means over few words vary most. Chosen by hand.
SMOOTHING_WORDS = 6

Floats = NDArray[np.float64]


class Sentences:
    """Sentences of a text, each a unit vector [V] over the content words of all.

    The vectors lie as one list of entries: ``rows`` are the sentences, ``columns`` the words,
    ``weights`` the values. ``counts`` says how often a word stands in a sentence.
    """

    def __init__(self, source: SourceText, spans: Sequence[Span] | None = None) -> None:
        """Count the words of ``spans``, by default of the source's candidates."""
        self.source, self.text = source, source.text
        self.spans = list(source.candidates if spans is None else spans)
        self.words = [content_words(self.text[a:b]) for a, b in self.spans]
        self.vocabulary: dict[str, int] = {}
        numbers = [[self._number(word) for word in words] for words in self.words]
        sizes = [len(own) for own in numbers]
        size, count = max(1, len(self.vocabulary)), len(numbers)
        entries = np.repeat(np.arange(count), sizes) * size
        entries += np.array([n for own in numbers for n in own], dtype=np.int64)
        found, times = np.unique(entries, return_counts=True)
        self.rows, self.columns = found // size, found % size
        self.counts: Floats = times.astype(np.float64)
        in_sentences = np.bincount(self.columns, minlength=size)
        self.rarity: Floats = np.log(1 + count / np.maximum(1, in_sentences))
        weights = self.counts * self.rarity[self.columns]
        lengths = np.sqrt(np.bincount(self.rows, weights**2, minlength=count))
        self.weights: Floats = weights / lengths[self.rows]

    @cached_property
    def roles(self) -> list[Role]:
        """The role of the part that each sentence stands in."""
        by_span = dict(zip(self.source.candidates, self.source.roles, strict=True))
        return [by_span.get(span, Role.BODY) for span in self.spans]

    def __len__(self) -> int:
        return len(self.spans)

    def _number(self, word: str) -> int:
        return self.vocabulary.setdefault(word, len(self.vocabulary))

    def total(self, shares: Floats | None = None) -> Floats:
        """Return the sum [V] of the vectors, each times its share [n], by default 1."""
        weights = self.weights if shares is None else self.weights * shares[self.rows]
        found = np.bincount(self.columns, weights, minlength=len(self.rarity))
        return found.astype(np.float64)

    def products(self, vector: Floats) -> Floats:
        """Return the product of each sentence's vector with one vector [V], as [n]."""
        values = self.weights * vector[self.columns]
        found = np.bincount(self.rows, values, minlength=len(self))
        return found.astype(np.float64)

    def likeness(self, vector: Floats) -> Floats:
        """Return the cosine of each sentence with one vector [V], as [n]."""
        length = float(np.sqrt(vector @ vector))
        return self.products(vector) / length if length else np.zeros(len(self))

    def likeness_to_group(self, members: Sequence[int]) -> Floats:
        """Return the cosine of each sentence with the sum of some, itself left out, as [n]."""
        chosen = np.zeros(len(self))
        chosen[list(members)] = 1.0
        total = self.total(chosen)
        products, square = self.products(total), float(total @ total)
        # |total - v|^2 = |total|^2 - 2 total.v + |v|^2, and the vectors have length 1.
        own = np.bincount(self.rows, self.weights**2, minlength=len(self)) * chosen
        squares = square - 2 * products * chosen + own
        lengths = np.sqrt(np.maximum(squares, 0.0))
        return np.where(lengths > 1e-4, (products - own) / np.maximum(lengths, 1e-4), 0.0)

    def similarities(self, one: int) -> Floats:
        """Return the cosine of each sentence with one of them, from 0 to 1, as [n]."""
        own = self.entries(one)
        vector = np.zeros(len(self.rarity))
        vector[self.columns[own]] = self.weights[own]
        return self.products(vector)

    def entries(self, one: int) -> slice:
        """Return where the entries of a sentence lie in the list of all."""
        low, high = np.searchsorted(self.rows, (one, one + 1))
        return slice(int(low), int(high))
