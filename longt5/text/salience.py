"""Which sentences of a document a summary would repeat: a small network over what can be counted.

A small model that copies knows how to repeat a sentence better than which one. Where a sentence
stands, how much of the document recurs in it, what the headings say and how it is built say a
good deal about that (:mod:`longt5.text.features`); the network's weights lie beside the
model's (``salience.json``) and are learnt from pairs of documents and summaries
(:mod:`longt5.training.salience`). Scores are relative: log-odds of one sentence against another.
:class:`Ranking` turns them into prices for :mod:`longt5.copy_processor`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..checkpoint import checked_types, read_object, replacing
from ..errors import reason
from .features import FEATURES, Sentences
from .sentences import Span
from .source import SourceText

FILE = "salience.json"
ORDER = 15.0  # log-probability: the price of passing over a sentence of the plan

Row = tuple[float, ...]


@dataclass(frozen=True)
class Salience:
    """A score: ``linear`` · x + ``out`` · relu(``hidden`` x + ``bias``), x the FEATURES.

    ``strength`` multiplies scores against the model's own log-probabilities, ``repetition`` is
    the price of being just like a sentence already said, ``dangling`` that of beginning with a
    word that points to the sentence before, where that is left out.
    """

    linear: Row
    hidden: tuple[Row, ...] = ()
    bias: Row = ()
    out: Row = ()
    strength: float = 4.0
    repetition: float = 3.0
    dangling: float = 0.3

    @classmethod
    def load(cls, folder: str | Path) -> Salience | None:
        """What lies beside a checkpoint's weights, None without it. Raises ValueError when it is
        none."""
        path = Path(folder) / FILE
        if not path.is_file():
            return None
        values = read_object(path)
        if values.pop("features", None) != list(FEATURES):
            raise ValueError(f"{path} does not have the features of this version")
        try:
            made = cls(**checked_types(cls, values))
            made.score([0.0] * len(FEATURES))
            return made
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not whole ({reason(error)})") from error

    @property
    def digest(self) -> str:
        """What tells it from another one."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def save(self, folder: str | Path) -> None:
        """Write :data:`FILE` into a checkpoint's folder."""
        text = json.dumps({"features": FEATURES, **asdict(self)}) + "\n"
        with replacing(Path(folder) / FILE) as part:
            part.write_text(text.replace("], ", "],\n"), encoding="utf-8")

    def score(self, x: Sequence[float]) -> float:
        """That of one sentence."""
        units = zip(self.hidden, self.bias, self.out, strict=True)
        wide = (out * max(0.0, _dot(row, x) + bias) for row, bias, out in units)
        return _dot(self.linear, x) + sum(wide)

    def rank(
        self,
        source: SourceText,
        words: int,
        later: bool = False,
        spans: Sequence[Span] | None = None,
    ) -> Ranking:
        """Rank the candidates of a source, or ``spans``, for a summary of about ``words``.

        ``later``: the text continues an earlier part of its document.
        """
        sentences = Sentences(source, spans)
        scores = list(map(self.score, sentences.features(later)))
        return Ranking(self, sentences, scores, words)


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


class Ranking:
    """What each sentence costs as the next one of a summary, given those already said.

    The best ones that together have the summary's length are the ``plan``. The first of them in
    the document that is not said yet is free; each that is passed over costs ORDER, and so does
    leaving the plan, with what the sentence is worth less. After the plan the best one left is
    free.
    """

    def __init__(
        self, salience: Salience, sentences: Sentences, scores: Sequence[float], words: int
    ) -> None:
        self.salience, self.sentences, self.scores = salience, sentences, scores
        self.plan, self.floor = self._planned(words)
        self._known: dict[frozenset[int], list[float]] = {}

    def _planned(
        self, words: int, barred: frozenset[int] = frozenset()
    ) -> tuple[frozenset[int], float]:
        """The best sentences, as long as each brings their length nearer; the last one's worth.
        None that points to a sentence left out is the first of several."""
        plan: set[int] = set()
        length, floor = 0, -math.inf
        nearest = [0.0] * len(self.scores)  # likeness to the plan so far, kept up as it grows

        def worth(i: int) -> float:
            return self._alone(i, plan) - self.salience.repetition * nearest[i]

        while left := set(range(len(self.scores))) - plan - barred:
            best = max(sorted(left), key=worth)
            size = len(self.sentences.text[slice(*self.sentences.spans[best])].split())
            if plan and abs(length + size - words) >= abs(length - words):
                break
            floor = worth(best)
            plan.add(best)
            length += size
            nearest = [max(n, self.sentences.alike(i, best)) for i, n in enumerate(nearest)]
        first = min(plan, default=0)
        if first and len(plan) > 1 and self.sentences.dangles[first]:
            return self._planned(words, barred | {first})
        return frozenset(plan), floor

    def prices(self, said: Collection[int]) -> list[float]:
        """[n]: the price of each sentence as the next one."""
        key = frozenset(said)
        if key not in self._known:
            self._known[key] = self._priced(key)
        return self._known[key]

    def _priced(self, said: frozenset[int]) -> list[float]:
        # Against the plan as well: what it says already is worth no more before it is said.
        worth = [self._worth(i, said | self.plan) for i in range(len(self.scores))]
        floor, leaving = self.floor, ORDER
        if said >= self.plan:
            floor, leaving = max((w for i, w in enumerate(worth) if i not in said), default=0), 0
        prices = [self.salience.strength * max(0.0, floor - w) + leaving for w in worth]
        for passed, i in enumerate(sorted(self.plan - said)):
            prices[i] = ORDER * passed
        return prices

    def _worth(self, i: int, said: Collection[int]) -> float:
        nearest = max((self.sentences.alike(i, j) for j in said if j != i), default=0.0)
        return self._alone(i, said) - self.salience.repetition * nearest

    def _alone(self, i: int, said: Collection[int]) -> float:
        """A sentence's score, less the price of pointing to one that is not said."""
        points = self.sentences.dangles[i] and i - 1 not in said
        return self.scores[i] - self.salience.dangling * points
