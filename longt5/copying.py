"""A rule for models that copy: leaving the source inside a sentence has a price.

A small extractive model sometimes jumps from one sentence of the source into another where both
share a word. Here a token that continues no run of a source sentence costs ``penalty``; where
the source ends a sentence, any other one may begin, and only there may the answer end. Which one
begins may have a price as well: that of the least salient ones is the highest
(:mod:`longt5.salience`). Not in transformers; given to ``stream`` as a ``logits_processor``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .logits_processors import Processor
from .salience import Ranking
from .tidying import tidy

CONTEXT = 16  # tokens looked back at: a sentence may say "tonnes of carbon" twice
BEGIN, END = -1, -2  # what stands before and after each sentence


def tidied(
    sentences: Sequence[tuple[str, Sequence[int]]], encode: Callable[[str], Sequence[int]],
    plan: Collection[int] = (),
) -> list[Sequence[int]]:  # fmt: skip
    """The tokens of each sentence as a summary should say it (:func:`longt5.tidying.tidy`):
    those of the source, but where it changes. ``plan``: the sentences that are likely there.
    """
    found = []
    for number, (text, tokens) in enumerate(sentences):
        said = tidy(text, follows=number - 1 in plan)
        found.append(tokens if said == " ".join(text.split()) else encode(said))
    return found


class SourceRuns:
    """What follows each run of up to CONTEXT tokens inside the sentences of one source.

    >>> runs = SourceRuns([[5, 6, 9], [5, 7]])
    >>> runs.after((BEGIN,)), runs.after((BEGIN, 5)), runs.after((8, 6)), runs.after((5, 7))
    ((5,), (6, 7), (9,), (-2,))
    >>> runs.sentences((BEGIN, 5), 7)
    frozenset({1})
    """

    def __init__(self, sentences: Iterable[Sequence[int]]) -> None:
        self._text: list[int] = []  # all sentences, each between BEGIN and END
        self._places: dict[int, list[int]] = {}  # of each token in the text
        self._begin: dict[int, list[tuple[int, int]]] = {}  # number, place, by the first token
        self._known: dict[tuple[int, ...], tuple[int, ...]] = {}
        for number, sentence in enumerate(sentences):
            self._begin.setdefault(next(iter(sentence), END), []).append((number, len(self._text)))
            for token in (BEGIN, *sentence, END):
                self._places.setdefault(token, []).append(len(self._text))
                self._text.append(token)

    def after(self, recent: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens that follow the longest end of ``recent`` that the source has."""
        if recent not in self._known:
            self._known[recent] = self._found(recent)
        return self._known[recent]

    def _found(self, recent: tuple[int, ...]) -> tuple[int, ...]:
        text, found = self._text, self._places.get(recent[-1], []) if recent else []
        for back, token in enumerate(recent[-2::-1], 1):
            longer = [at for at in found if at >= back and text[at - back] == token]
            if not longer:
                break
            found = longer
        return tuple(dict.fromkeys(text[at + 1] for at in found))

    def sentences(self, beginning: tuple[int, ...], token: int) -> frozenset[int]:
        """The sentences that begin with ``beginning`` (BEGIN first) and ``token``."""
        wanted = [*beginning, token]
        return frozenset(
            number
            for number, at in self._begin.get(wanted[1], ())
            if self._text[at : at + len(wanted)] == wanted
        )


@dataclass(frozen=True)
class Place:
    """Where a row is: its last tokens, the sentences it may be in, those already said, and how
    many it has begun."""

    recent: tuple[int, ...] = (BEGIN,)
    inside: frozenset[int] = frozenset()
    said: frozenset[int] = frozenset()
    begun: int = 1


class CopyPenalty(Processor):
    """Take ``penalty`` from each token that continues no run of its source: scores [R, V].

    ``sources``: for each source its sentences as tokens; ``beams``: rows of each. No sentence
    is free to begin twice, and none after the first ``most_sentences``. ``rankings``: for each
    source what its sentences cost to begin. What remains is normalised: a sentence does not
    suffer for a place where the model would rather have left it. So scores are at most 0 still,
    as the commit rule needs.
    """

    def __init__(
        self, penalty: float, sources: Sequence[Iterable[Sequence[int]]], beams: int, eos: int,
        most_sentences: int | None = None, rankings: Sequence[Ranking | None] | None = None,
    ) -> None:  # fmt: skip
        self.penalty, self.beams, self.eos = penalty, beams, eos
        self.most_sentences = most_sentences
        self.rankings = rankings or [None] * len(sources)
        self.runs = [SourceRuns(sentences) for sentences in sources]
        self.places = [Place()] * (len(self.runs) * beams)

    def _free(self, row: int) -> tuple[tuple[int, ...], bool]:
        """(tokens without a price, whether a sentence may end here)."""
        place, runs = self.places[row], self.runs[row // self.beams]
        follows = runs.after(place.recent)
        free = tuple(t for t in follows if t != END)
        if place.recent[:1] == (BEGIN,):
            free = self._unsaid(runs, place.recent, free, place.said)
        return free, END in follows

    @staticmethod
    def _unsaid(
        runs: SourceRuns, recent: tuple[int, ...], tokens: Sequence[int], said: frozenset[int]
    ) -> tuple[int, ...]:
        """The tokens that do not lead only into sentences already said."""
        return tuple(t for t in tokens if not said.issuperset(runs.sentences(recent, t)))

    def _starts(self, row: int) -> tuple[int, ...]:
        place, runs = self.places[row], self.runs[row // self.beams]
        if self.most_sentences is not None and place.begun >= self.most_sentences:
            return ()
        said = place.said | place.inside
        return self._unsaid(runs, (BEGIN,), runs.after((BEGIN,)), said)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        rows: list[int] = []
        columns: list[int] = []
        prices: list[float] = []
        for row in range(len(self.places)):
            free, may_end = self._free(row)
            # A token may both go on and begin: the first price is that of going on.
            cost = dict(zip(free, self._going_on(row, free), strict=True))
            if may_end:
                for token, price in self._beginning(row, self._starts(row)):
                    cost.setdefault(token, price)
                cost.setdefault(self.eos, 0.0)
            rows += [row] * len(cost)
            columns += cost
            prices += cost.values()
        lowered = scores - self.penalty
        lowered[rows, columns] = scores[rows, columns] - scores.new_tensor(prices)
        allowed = torch.full_like(scores, -torch.inf)
        allowed[rows, columns] = lowered[rows, columns]
        # Where all ways lead out of the source each step pays: else a row that left stays out.
        inside = ~allowed.amax(-1, keepdim=True).isinf()
        return torch.where(inside, lowered.log_softmax(-1), lowered)

    def _beginning(self, row: int, tokens: Sequence[int]) -> Iterator[tuple[int, float]]:
        """First tokens of sentences, each with the price of the cheapest one it may begin."""
        place, runs = self.places[row], self.runs[row // self.beams]
        said = place.said | place.inside
        for token in tokens:
            yield token, self._price(row, runs.sentences((BEGIN,), token), said)

    def _going_on(self, row: int, tokens: Sequence[int]) -> list[float]:
        """What it costs that a token narrows down which sentence was begun."""
        place, runs = self.places[row], self.runs[row // self.beams]
        if self.rankings[row // self.beams] is None or place.recent[:1] != (BEGIN,):
            return [0.0] * len(tokens)
        paid = self._price(row, place.inside, place.said) if place.inside else 0.0
        return [
            max(0.0, self._price(row, runs.sentences(place.recent, t), place.said) - paid)
            for t in tokens
        ]

    def _price(self, row: int, sentences: frozenset[int], said: frozenset[int]) -> float:
        """That of the cheapest of these sentences that has not been said."""
        ranking = self.rankings[row // self.beams]
        if ranking is None:
            return 0.0
        prices = ranking.prices(said)
        return min((prices[i] for i in sentences if i not in said), default=0.0)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        self.places = [
            self._next(parent, token) for parent, token in zip(parents, tokens, strict=True)
        ]

    def _next(self, row: int, token: int) -> Place:
        place, runs = self.places[row], self.runs[row // self.beams]
        free, may_end = self._free(row)
        if may_end and token not in free and token in self._starts(row):
            said = place.said | place.inside
            inside = runs.sentences((BEGIN,), token)
            return Place((BEGIN, token), inside, said, place.begun + 1)
        inside = place.inside
        if place.recent[:1] == (BEGIN,):
            inside = runs.sentences(place.recent, token)
        return Place((*place.recent, token)[-CONTEXT:], inside, place.said, place.begun)
