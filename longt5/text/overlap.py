"""ROUGE-N of a growing set of sentences, for greedy choices.

Reported scores come from the rouge-score package. A choice among sentences needs thousands of
comparisons per document, each of which differs from the last by one sentence. On ASCII text the
numbers are those of rouge-score without a stemmer, except that no n-gram spans two sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

Gram = tuple[str, ...]


def ngrams(words: Sequence[str], n: int) -> Counter[Gram]:
    """Count each run of ``n`` words."""
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


def f_measure(hits: int, candidate: int, reference: int) -> float:
    """Return the harmonic mean of ``hits / candidate`` and ``hits / reference``."""
    return 2 * hits / (candidate + reference) if hits else 0.0


@dataclass(frozen=True)
class Profile:
    """The n-grams of a sentence that its reference has, and the number of all its n-grams."""

    shared: dict[Gram, int]
    total: int


class Growing:
    """ROUGE-N F of a set of sentences that grows, against the sentences of one reference."""

    def __init__(self, reference: Iterable[Sequence[str]], n: int) -> None:
        self.n = n
        self.reference: Counter[Gram] = Counter()
        for words in reference:
            self.reference.update(ngrams(words, n))
        self.size = sum(self.reference.values())
        self.counts: Counter[Gram] = Counter()
        self.hits = self.total = 0

    def profile(self, words: Sequence[str]) -> Profile:
        """Return what :meth:`score_with` and :meth:`add` need of a sentence."""
        grams = ngrams(words, self.n)
        shared = {gram: count for gram, count in grams.items() if gram in self.reference}
        return Profile(shared, max(0, len(words) - self.n + 1))

    def gain(self, profile: Profile) -> int:
        """Return the number of shared n-grams that a sentence would add."""
        return sum(
            min(count, max(0, self.reference[gram] - self.counts[gram]))
            for gram, count in profile.shared.items()
        )

    def score(self) -> float:
        """Return F of the sentences added so far."""
        return f_measure(self.hits, self.total, self.size)

    def score_with(self, profile: Profile) -> float:
        """Return F with one more sentence."""
        hits = self.hits + self.gain(profile)
        return f_measure(hits, self.total + profile.total, self.size)

    def add(self, profile: Profile) -> None:
        """Add a sentence."""
        self.hits += self.gain(profile)
        self.counts.update(profile.shared)
        self.total += profile.total


def rouge_n(candidate: Sequence[str], reference: Sequence[str], n: int) -> float:
    """Return ROUGE-N F of one list of words against another."""
    growing = Growing([reference], n)
    return growing.score_with(growing.profile(candidate))


class Remainder:
    """ROUGE-1 F of chosen sentences against the rest of their own document (PEGASUS)."""

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        self.sentences = [Counter(words) for words in sentences]
        self.sizes = [len(words) for words in sentences]
        self.document = Counter(chain.from_iterable(sentences))
        self.length = sum(self.sizes)
        self.counts: Counter[str] = Counter()
        self.hits = self.chosen = 0

    def _gain(self, index: int) -> int:
        gain = 0
        for word, count in self.sentences[index].items():
            have, whole = self.counts[word], self.document[word]
            gain += min(have + count, whole - have - count) - min(have, whole - have)
        return gain

    def score_with(self, index: int) -> float:
        """Return F of the chosen sentences and one more against all others."""
        chosen = self.chosen + self.sizes[index]
        return f_measure(self.hits + self._gain(index), chosen, self.length - chosen)

    def add(self, index: int) -> None:
        """Move a sentence from the rest to the chosen ones."""
        self.hits += self._gain(index)
        self.counts.update(self.sentences[index])
        self.chosen += self.sizes[index]
