"""Citations: the passages of the source, and their pages, behind a sentence of a summary.

A passage is a sentence of the source. Overlap is the share of a summary sentence's words and
word pairs found in a passage, rare ones counting more; attention is the share of the model's
cross-attention on a passage. Overlap finds copies; attention decides between passages with the
same words, and finds paraphrased ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from longt5 import token_range
from longt5.text.words import stems_of

from ..documents.model import Chunk

# Weights and thresholds are chosen by hand; tests/tools/measure_citations.py shows what another
# value does.
# Of the share of attention, against 1 for the share of words. With more, attention overrules
# exact copies; with none, paraphrases are cited by chance.
ATTENTION_WEIGHT = 0.35
# A second passage is cited when it adds this share of the sentence's words.
MIN_SECOND_SHARE = 0.3
# Below this score the best passage shares only common words with the sentence: nothing is cited.
MIN_CITATION_SCORE = 0.12
# What even the most common word weighs, so that sentences of common words get a score as well.
MIN_FEATURE_WEIGHT = 0.05


@dataclass(frozen=True)
class Passage:
    """A sentence of the source: characters of its chunk, pages, tokens [begin, stop)."""

    start: int
    end: int
    pages: tuple[int, ...]
    tokens: tuple[int, int]
    features: Counter[str] = field(repr=False, default_factory=Counter)


@dataclass(frozen=True)
class Citation:
    """The passages that a sentence came from, best first, and their pages in order.

    Both are empty when nothing in the source supports the sentence.
    """

    passages: tuple[Passage, ...]
    pages: tuple[int, ...]
    score: float


def find_passages(chunk: Chunk) -> list[Passage]:
    """Return the passages of a chunk in order."""
    passages = []
    for start, end in chunk.source.spans:
        pages = tuple(s.page for s in chunk.spans if s.start < end and start < s.end)
        tokens = token_range(chunk.text, chunk.offsets, start, end)
        features = overlap_features(chunk.text[start:end])
        passages.append(Passage(start, end, pages or chunk.pages[:1], tokens, features))
    return passages


def overlap_features(text: str) -> Counter[str]:
    """Count the stems of a text and the pairs of neighbouring ones."""
    words = stems_of(text)
    pairs = [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
    return Counter(words) + Counter(pairs)


class Citer:
    """Cites sentences over the passages of one chunk."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages
        self._total = len(passages) + 1
        self._counts = Counter(feature for passage in passages for feature in passage.features)

    def weight(self, feature: str) -> float:
        """Return the weight of a word or pair: the rarer in the source, the higher."""
        rarity = math.log(self._total / (1 + self._counts.get(feature, 0))) + 0.1
        return max(MIN_FEATURE_WEIGHT, rarity)

    def cite(self, sentence: str, attention: Sequence[float] | None = None) -> Citation:
        """Return the passages behind a sentence; ``attention``: the share on each passage."""
        wanted = {f: self.weight(f) for f in overlap_features(sentence)}
        total = sum(wanted.values()) or 1.0
        overlap = [_weight_found(wanted, p.features) / total for p in self.passages]
        shares = _normalised(attention, len(self.passages))
        scores = [o + ATTENTION_WEIGHT * a for o, a in zip(overlap, shares, strict=True)]
        if not scores or max(scores) < MIN_CITATION_SCORE:
            return Citation((), (), max(scores, default=0.0))
        best = max(range(len(scores)), key=scores.__getitem__)
        cited = [self.passages[best]]
        rest = {f: w for f, w in wanted.items() if f not in cited[0].features}
        second = self._second(rest, total, shares, best)
        if second is not None:
            cited.append(second)
        pages = sorted({page for passage in cited for page in passage.pages})
        return Citation(tuple(cited), tuple(pages), scores[best])

    def _second(
        self, rest: dict[str, float], total: float, shares: Sequence[float], best: int
    ) -> Passage | None:
        """Return the passage with most of what the best one lacks, if that is a good share."""
        added = [
            0.0 if i == best else _weight_found(rest, p.features) / total
            for i, p in enumerate(self.passages)
        ]
        ranks = [a + ATTENTION_WEIGHT / 2 * s for a, s in zip(added, shares, strict=True)]
        second = max(range(len(ranks)), key=ranks.__getitem__)
        return self.passages[second] if added[second] >= MIN_SECOND_SHARE else None


def _weight_found(wanted: dict[str, float], features: Counter[str]) -> float:
    return sum(weight for feature, weight in wanted.items() if feature in features)


def _normalised(attention: Sequence[float] | None, count: int) -> list[float]:
    """Return attention as shares of its sum over the passages, zeros without attention."""
    if attention is None:
        return [0.0] * count
    total = sum(attention) or 1.0
    return [a / total for a in attention]
