"""Which pages a sentence of a summary came from: word overlap with the source, and where the
model looked while it wrote.

A passage is a sentence of the source. Overlap is the share of a summary sentence's words and
word pairs found in a passage, rare ones counting more; attention is the share of the model's
cross-attention on a passage. Overlap finds copies; attention decides between passages that say
the same, and finds rewritten ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from longt5.text.sentences import split_sentences
from longt5.tokenizer import token_range

from ..documents.model import Chunk

ATTENTION_WEIGHT = 0.35  # of the share of attention, beside the share of words
PAIR_WEIGHT = 1.0  # of a pair of neighbouring words, beside a single one
SECOND_SHARE = 0.3  # a second passage is cited when it adds this share of the sentence
WEAK = 0.12  # below this score nothing supports the sentence
WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*(?:['’][^\W\d_]+)?")
MAX_PASSAGE = 600  # characters; a longer run without a sentence end is cut


@dataclass(frozen=True)
class Passage:
    """A sentence of the source: characters of its chunk, pages, tokens [begin, stop)."""

    start: int
    end: int
    pages: tuple[int, ...]
    tokens: tuple[int, int]
    words: Counter[str] = field(repr=False, default_factory=Counter)


@dataclass(frozen=True)
class Citation:
    """Where a sentence came from: passages best first, their pages in order. Both empty when
    nothing in the source supports the sentence."""

    passages: tuple[Passage, ...]
    pages: tuple[int, ...]
    score: float


def find_passages(chunk: Chunk, offsets: Sequence[tuple[int, int]]) -> list[Passage]:
    """The passages of a chunk; ``offsets`` are the characters of each of its tokens."""
    passages = []
    for begin, end in split_sentences(chunk.text):
        for start in range(begin, end, MAX_PASSAGE):
            stop = min(end, start + MAX_PASSAGE)
            pages = tuple(s.page for s in chunk.spans if s.start < stop and start < s.end)
            tokens = token_range(chunk.text, offsets, start, stop)
            words = features(chunk.text[start:stop])
            passages.append(Passage(start, stop, pages or chunk.pages[:1], tokens, words))
    return passages


def features(text: str) -> Counter[str]:
    """Words without their endings, and pairs of neighbours."""
    words = [stem(w) for w in WORD.findall(text.lower())]
    pairs = [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
    return Counter(words) + Counter(pairs)


def stem(word: str) -> str:
    """A crude stem: enough to match plurals and verb endings."""
    for ending in ("'s", "’s", "ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


class Citer:
    """Cites sentences over the passages of one chunk."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages
        counts = Counter(word for passage in passages for word in passage.words)
        self._total = len(passages) + 1
        self._counts = counts

    def weight(self, feature: str) -> float:
        """How much a word or pair says: rare ones more, words of the source's own only."""
        rarity = math.log(self._total / (1 + self._counts.get(feature, 0))) + 0.1
        return max(0.05, rarity) * (PAIR_WEIGHT if " " in feature else 1.0)

    def cite(self, sentence: str, attention: Sequence[float] | None = None) -> Citation:
        """The passages behind a sentence. ``attention``: the share on each passage, or None."""
        wanted = {f: self.weight(f) for f in features(sentence)}
        whole = sum(wanted.values()) or 1.0
        overlap = [_found(wanted, p.words) / whole for p in self.passages]
        seen = _shares(attention, len(self.passages))
        scores = [o + ATTENTION_WEIGHT * a for o, a in zip(overlap, seen, strict=True)]
        if not scores or max(scores) < WEAK:
            return Citation((), (), max(scores, default=0.0))
        best = max(range(len(scores)), key=scores.__getitem__)
        cited = [self.passages[best]]
        rest = {f: w for f, w in wanted.items() if f not in cited[0].words}
        second = self._second(rest, whole, seen, best)
        if second is not None:
            cited.append(second)
        pages = sorted({page for passage in cited for page in passage.pages})
        return Citation(tuple(cited), tuple(pages), scores[best])

    def _second(
        self, rest: dict[str, float], whole: float, seen: Sequence[float], best: int
    ) -> Passage | None:
        """The passage that holds most of what the best one lacks, if that is a good share."""
        added = [
            0.0 if i == best else _found(rest, p.words) / whole for i, p in enumerate(self.passages)
        ]
        ranks = [a + ATTENTION_WEIGHT / 2 * s for a, s in zip(added, seen, strict=True)]
        second = max(range(len(ranks)), key=ranks.__getitem__)
        return self.passages[second] if added[second] >= SECOND_SHARE else None


def _found(wanted: dict[str, float], words: Counter[str]) -> float:
    return sum(weight for feature, weight in wanted.items() if feature in words)


def _shares(attention: Sequence[float] | None, count: int) -> list[float]:
    """Attention over the passages, as shares of what they got together."""
    if attention is None:
        return [0.0] * count
    whole = sum(attention) or 1.0
    return [a / whole for a in attention]
