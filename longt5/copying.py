"""A rule for models that copy: leaving the source inside a sentence has a price.

A small extractive model sometimes jumps from one sentence of the source into another where both
share a word. Here a token that continues no run of a source sentence costs ``penalty``; where
the source ends a sentence, any other one may begin, and only there may the answer end. Not in
transformers; given to ``stream`` as a ``logits_processor``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from .logits_processors import Processor

CONTEXT = 6  # tokens looked back at
BEGIN, END = -1, -2  # what stands before and after each sentence


class SourceRuns:
    """What follows each run of up to CONTEXT tokens inside the sentences of one source.

    >>> runs = SourceRuns([[5, 6, 9], [5, 7]])
    >>> runs.after((BEGIN,)), runs.after((BEGIN, 5)), runs.after((8, 6)), runs.after((5, 7))
    ((5,), (6, 7), (9,), (-2,))
    """

    def __init__(self, sentences: Iterable[Sequence[int]]) -> None:
        found: dict[tuple[int, ...], dict[int, None]] = {}
        for sentence in sentences:
            recent: tuple[int, ...] = (BEGIN,)
            for token in (*sentence, END):
                for size in range(1, len(recent) + 1):
                    found.setdefault(recent[-size:], {})[token] = None
                recent = (*recent, token)[-CONTEXT:]
        self._follows = {run: tuple(tokens) for run, tokens in found.items()}
        self.starts = self._follows.get((BEGIN,), ())

    def after(self, recent: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens that follow the longest end of ``recent`` that the source has."""
        while recent and recent not in self._follows:
            recent = recent[1:]
        return self._follows.get(recent, ())


class CopyPenalty(Processor):
    """Take ``penalty`` from each token that continues no run of its source: scores [R, V].

    ``sources``: for each source its sentences as tokens; ``beams``: rows of each. Scores are
    only ever lowered, as the commit rule needs.
    """

    def __init__(
        self, penalty: float, sources: Sequence[Iterable[Sequence[int]]], beams: int, eos: int
    ) -> None:
        self.penalty, self.beams, self.eos = penalty, beams, eos
        self.runs = [SourceRuns(sentences) for sentences in sources]
        self.recent: list[tuple[int, ...]] = [(BEGIN,)] * (len(self.runs) * beams)

    def _free(self, row: int) -> tuple[tuple[int, ...], bool]:
        """(tokens without a price, whether a sentence may end here)."""
        follows = self.runs[row // self.beams].after(self.recent[row])
        return tuple(t for t in follows if t != END), END in follows

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        rows: list[int] = []
        columns: list[int] = []
        for row in range(len(self.recent)):
            free, may_end = self._free(row)
            if may_end:
                free = (*free, *self.runs[row // self.beams].starts, self.eos)
            rows += [row] * len(free)
            columns += free
        lowered = scores - self.penalty
        lowered[rows, columns] = scores[rows, columns]
        return lowered

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        self.recent = [
            self._next(parent, token) for parent, token in zip(parents, tokens, strict=True)
        ]

    def _next(self, row: int, token: int) -> tuple[int, ...]:
        free, may_end = self._free(row)
        begins = may_end and token not in free and token in self.runs[row // self.beams].starts
        return (BEGIN, token) if begins else (*self.recent[row], token)[-CONTEXT:]

