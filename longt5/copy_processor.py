"""A rule for models that copy: leaving the source inside a sentence has a price.

A small extractive model sometimes jumps from one sentence of the source into another where both
share a word. Here a token that continues no run of a source sentence costs ``penalty``; where
the source ends a sentence, any other one may begin, and only there may the answer end. Which one
begins may have a price as well: that of the least salient ones is the highest
(:mod:`longt5.text.salience`). Not in transformers; given to ``stream`` as a ``logits_processor``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from .logits_processors import Processor
from .text.salience import Ranking
from .text.tidying import tidy

CONTEXT = 16  # tokens looked back at by a row that has left the source
BEGIN, END = -1, -2  # what stands before and after each sentence


def tidied(
    sentences: Sequence[tuple[str, Sequence[int]]],
    encode: Callable[[str], Sequence[int]],
    plan: Collection[int] = (),
) -> list[Sequence[int]]:
    """The tokens of each sentence as a summary should say it (:func:`longt5.text.tidying.tidy`):
    those of the source, but where it changes. ``plan``: the sentences that are likely there.
    """
    found = []
    for number, (text, tokens) in enumerate(sentences):
        said = tidy(text, follows=number - 1 in plan)
        found.append(tokens if said == " ".join(text.split()) else encode(said))
    return found


class SourceRuns:
    """The sentences of one source as one text, by places in it.

    >>> runs = SourceRuns([[5, 6, 9], [5, 7]])
    >>> begun = runs.step(runs.starts, 5)
    >>> list(runs.after(begun)), runs.sentences(runs.step(begun, 7))
    ([6, 7], frozenset({1}))
    >>> [list(runs.after(runs.ending(recent))) for recent in ((8, 6), (5, 7), (8,))]
    [[9], [-2], []]
    """

    def __init__(self, sentences: Iterable[Sequence[int]]) -> None:
        self._text: list[int] = []  # all sentences, each between BEGIN and END
        self._number: list[int] = []  # of the sentence at each place
        self._places: dict[int, list[int]] = {}  # of each token in the text
        for number, sentence in enumerate(sentences):
            for token in (BEGIN, *sentence, END) if len(sentence) else ():
                self._places.setdefault(token, []).append(len(self._text))
                self._text.append(token)
                self._number.append(number)
        self.starts = tuple(self._places.get(BEGIN, ()))

    def after(self, at: Iterable[int]) -> dict[int, set[int]]:
        """The tokens that follow these places, each with the sentences where it does."""
        found: dict[int, set[int]] = {}
        for place in at:
            found.setdefault(self._text[place + 1], set()).add(self._number[place])
        return found

    def step(self, at: Iterable[int], token: int) -> tuple[int, ...]:
        """The places one further where the token stands."""
        return tuple(place + 1 for place in at if self._text[place + 1] == token)

    def ending(self, recent: Sequence[int]) -> tuple[int, ...]:
        """Where the longest end of ``recent`` that the source has ends."""
        found = self._places.get(recent[-1], []) if recent else []
        for back, token in enumerate(recent[-2::-1], 1):
            longer = [at for at in found if at >= back and self._text[at - back] == token]
            if not longer:
                break
            found = longer
        return tuple(found)

    def sentences(self, at: Iterable[int]) -> frozenset[int]:
        """The numbers of the sentences that these places are in."""
        return frozenset(self._number[place] for place in at)


@dataclass(frozen=True)
class Place:
    """Where a row is: the places of the source where all of its sentence so far (all since it
    left the source, if it has) stands; its last tokens; the sentences it may be in, those already
    said, and how many it has begun."""

    at: tuple[int, ...]
    recent: tuple[int, ...] = ()
    left: bool = False
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
        self,
        penalty: float,
        sources: Sequence[Iterable[Sequence[int]]],
        beams: int,
        eos: int,
        most_sentences: int | None = None,
        rankings: Sequence[Ranking | None] | None = None,
    ) -> None:
        self.penalty, self.beams, self.eos = penalty, beams, eos
        self.most_sentences = most_sentences
        self.rankings = rankings or [None] * len(sources)
        self.runs = [SourceRuns(sentences) for sentences in sources]
        self.places = [Place(runs.starts) for runs in self.runs for _ in range(beams)]

    def _fresh(self, row: int) -> tuple[int, ...]:
        """Where a sentence may begin after the one at hand."""
        place, runs = self.places[row], self.runs[row // self.beams]
        if self.most_sentences is not None and place.begun >= self.most_sentences:
            return ()
        told = place.said | place.inside
        return tuple(at for at in runs.starts if told.isdisjoint(runs.sentences((at,))))

    def _costs(self, row: int) -> dict[int, float]:
        """The tokens that do not leave the source, each with its price."""
        place, runs = self.places[row], self.runs[row // self.beams]
        follows = runs.after(place.at)
        may_end = follows.pop(END, None) is not None
        if place.left:
            costs = dict.fromkeys(follows, 0.0)
        else:  # a token may narrow down which sentence was begun, to a dearer one
            price = partial(self._price, row, place.said)
            paid = price(place.inside) if place.recent else 0.0
            costs = {t: max(0.0, price(some) - paid) for t, some in follows.items()}
        if may_end:
            # A token may both go on and begin: the first price is that of going on.
            for token, some in runs.after(self._fresh(row)).items():
                costs.setdefault(token, self._price(row, place.said | place.inside, some))
            costs.setdefault(self.eos, 0.0)
        return costs

    def _price(self, row: int, said: Collection[int], sentences: Collection[int]) -> float:
        """That of the cheapest of these sentences after those said."""
        ranking = self.rankings[row // self.beams]
        if ranking is None:
            return 0.0
        prices = ranking.prices(said)
        return min((prices[i] for i in sentences), default=0.0)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        rows: list[int] = []
        columns: list[int] = []
        prices: list[float] = []
        for row in range(len(self.places)):
            costs = self._costs(row)
            rows += [row] * len(costs)
            columns += costs
            prices += costs.values()
        # To the device once, not again for each use.
        at = torch.tensor([rows, columns], dtype=torch.long, device=scores.device).unbind()
        free = scores[at] - torch.tensor(prices, dtype=scores.dtype, device=scores.device)
        lowered = (scores - self.penalty).index_put_(at, free)
        allowed = torch.full_like(scores, -torch.inf).index_put_(at, free)
        # Where all ways lead out of the source each step pays: else a row that left stays out.
        inside = ~allowed.amax(-1, keepdim=True).isinf()
        return torch.where(inside, lowered.log_softmax(-1), lowered)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        self.places = [
            self._next(parent, token) for parent, token in zip(parents, tokens, strict=True)
        ]

    def _next(self, row: int, token: int) -> Place:
        place, runs = self.places[row], self.runs[row // self.beams]
        recent = (*place.recent, token)[-CONTEXT:]
        at = runs.step(place.at, token)
        if at:
            inside = place.inside if place.left else runs.sentences(at)
            return replace(place, at=at, recent=recent, inside=inside)
        if END in runs.after(place.at):
            at = runs.step(self._fresh(row), token)
        if at:
            said = place.said | place.inside
            return Place(at, (token,), False, runs.sentences(at), said, place.begun + 1)
        return replace(place, at=runs.ending(recent), recent=recent, left=True)
