"""Salience: which sentences of a document a summary would repeat.

A small model that copies knows how to repeat a sentence better than which one. A network of one
hidden layer scores each sentence by its features (:mod:`longt5.text.features`): its place, how
central its words are, its headings, its form. The weights lie in the model's folder
(``salience.json``) and are learnt from pairs of documents and summaries
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

SALIENCE_FILE = "salience.json"
# Log-probability: the price of passing over a sentence of the plan. Chosen by hand: high enough
# that a summary follows the plan, low enough that the model leaves it where it is very sure.
SKIP_PRICE = 15.0

Row = tuple[float, ...]


@dataclass(frozen=True)
class Salience:
    """The network: ``linear`` · x + ``out`` · relu(``hidden`` x + ``bias``), x the FEATURES.

    ``strength`` multiplies scores against the model's own log-probabilities. ``repetition`` is
    the price of being equal to a sentence that is already in the summary, ``dangling`` that of
    beginning with a word that points to the sentence before, where that is left out.
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
        """Return the salience network in a checkpoint's folder, None without a file.

        Raises ValueError for a damaged file.
        """
        path = Path(folder) / SALIENCE_FILE
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
        """A hash of the weights."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def save(self, folder: str | Path) -> None:
        """Write :data:`SALIENCE_FILE` into a checkpoint's folder."""
        text = json.dumps({"features": FEATURES, **asdict(self)}) + "\n"
        with replacing(Path(folder) / SALIENCE_FILE) as part:
            part.write_text(text.replace("], ", "],\n"), encoding="utf-8")

    def score(self, x: Sequence[float]) -> float:
        """Return the score of one sentence."""
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
    """Prices of each sentence as the next one of a summary, given the sentences in it.

    The best sentences that together have the summary's length are the ``plan``. The first of
    them in the document that is not in the summary is free. Each that is passed over costs
    SKIP_PRICE, and so does leaving the plan, plus the difference in worth. After the plan, the
    best sentence left is free.
    """

    def __init__(
        self, salience: Salience, sentences: Sentences, scores: Sequence[float], words: int
    ) -> None:
        self.salience, self.sentences, self.scores = salience, sentences, scores
        self.plan, self.floor = self._choose_plan(words)
        self._prices: dict[frozenset[int], list[float]] = {}

    def _choose_plan(
        self, words: int, excluded: frozenset[int] = frozenset()
    ) -> tuple[frozenset[int], float]:
        """Return the plan and the worth of its last sentence.

        Add the best sentence as long as that brings the length nearer to ``words``. A sentence
        that points to one left out is never the first of several.
        """
        plan: set[int] = set()
        length, floor = 0, -math.inf
        nearest = [0.0] * len(self.scores)  # similarity to the plan so far

        def worth(i: int) -> float:
            return self._own_worth(i, plan) - self.salience.repetition * nearest[i]

        while left := set(range(len(self.scores))) - plan - excluded:
            best = max(sorted(left), key=worth)
            size = len(self.sentences.text[slice(*self.sentences.spans[best])].split())
            if plan and abs(length + size - words) >= abs(length - words):
                break
            floor = worth(best)
            plan.add(best)
            length += size
            nearest = [max(n, self.sentences.similarity(i, best)) for i, n in enumerate(nearest)]
        first = min(plan, default=0)
        if first and len(plan) > 1 and self.sentences.dangles[first]:
            return self._choose_plan(words, excluded | {first})
        return frozenset(plan), floor

    def prices(self, said: Collection[int]) -> list[float]:
        """Return the price of each sentence after those already ``said``, [n]."""
        key = frozenset(said)
        if key not in self._prices:
            self._prices[key] = self._compute_prices(key)
        return self._prices[key]

    def _compute_prices(self, said: frozenset[int]) -> list[float]:
        # Against the plan as well: its sentences will be in the summary.
        worth = [self._worth(i, said | self.plan) for i in range(len(self.scores))]
        floor, leaving = self.floor, SKIP_PRICE
        if said >= self.plan:
            floor, leaving = max((w for i, w in enumerate(worth) if i not in said), default=0), 0
        prices = [self.salience.strength * max(0.0, floor - w) + leaving for w in worth]
        for passed, i in enumerate(sorted(self.plan - said)):
            prices[i] = SKIP_PRICE * passed
        return prices

    def _worth(self, i: int, said: Collection[int]) -> float:
        nearest = max((self.sentences.similarity(i, j) for j in said if j != i), default=0.0)
        return self._own_worth(i, said) - self.salience.repetition * nearest

    def _own_worth(self, i: int, said: Collection[int]) -> float:
        """Return a sentence's score, less the price of pointing to one that is left out."""
        points = self.sentences.dangles[i] and i - 1 not in said
        return self.scores[i] - self.salience.dangling * points
