"""The copy rule of extractive models: a search that leaves the source's sentences pays a price.

A small extractive model sometimes jumps from one sentence of the source into another where both
share a word. With the rule, a token that continues no sentence of the source costs ``penalty``.
Where the source ends a sentence, any other sentence may begin, and only there may the answer end.
A plan (:mod:`longt5.text.plan`) names the sentences to copy, in order.

:class:`CopySource` holds what may be copied from one text, :func:`copy_rule` makes the logits
processor of a search. Not in transformers; pass it to ``stream`` as a ``logits_processor``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from .logits_processors import Processor
from .text.sentences import Span
from .text.source import SourceText
from .text.tidying import tidy
from .tokenizer import Tokenizer, token_range

# The penalty with which no search leaves the source: more than the 1e9 by which a search marks
# hypotheses that do not exist. With less, an answer that left the source would count as a finished
# one, and might end the search.
FORBIDDING_PENALTY = 1e10
# A row that has left the source returns where its last tokens occur in the source; so many of them
# are compared at most. Chosen by hand: phrases that two sentences share are rarely longer.
MAX_RECENT_TOKENS = 16
BEGIN, END = -1, -2  # markers around each sentence; no token has these ids


@dataclass(frozen=True)
class CopySource:
    """The sentences of one text that a summary may copy, as tokens.

    ``in_order``: they are a plan, and only the next one may begin; else any may.
    """

    sentences: Sequence[Sequence[int]]
    in_order: bool = False

    @classmethod
    def of(
        cls,
        source: SourceText,
        encoding: tuple[Sequence[int], Sequence[tuple[int, int]]],
        tokenizer: Tokenizer,
        plan: Sequence[Span] | None = None,
    ) -> CopySource:
        """Return the tidied sentences of a plan, or all candidates of a source.

        ``encoding``: the input ids, and the (start, end) of each token in the text; sentences
        beyond the ids are left out.
        """
        ids, offsets = encoding
        spans = source.candidates if plan is None else plan
        ranges = [(span, token_range(source.text, offsets, *span)) for span in spans]
        inside = [(span, ids[begin:stop]) for span, (begin, stop) in ranges if stop <= len(ids)]
        sentences = tidy_sentences(
            [(source.sentence(span), tokens) for span, tokens in inside],
            partial(tokenizer.encode, add_eos=False),
            source.following([span for span, _ in inside]) if plan is not None else (),
        )
        return cls(sentences, plan is not None)


def tidy_sentences(
    sentences: Sequence[tuple[str, Sequence[int]]],
    encode: Callable[[str], Sequence[int]],
    following: Collection[int] = (),
) -> list[Sequence[int]]:
    """Return the tokens of each (text, tokens) as a summary should write it.

    Sentences that :func:`longt5.text.tidying.tidy` changes are encoded again, the others keep
    the tokens of the source. ``following``: the numbers of those that follow the sentence before
    them in the source as well.
    """
    found = []
    for number, (text, tokens) in enumerate(sentences):
        tidied = tidy(text, follows=number in following)
        found.append(tokens if tidied == " ".join(text.split()) else encode(tidied))
    return found


def copy_rule(
    sources: Sequence[CopySource],
    beams: int,
    eos: int,
    penalty: float = FORBIDDING_PENALTY,
    most_sentences: int | None = None,
) -> CopyPenalty:
    """Return the logits processor that keeps each source's ``beams`` rows to its sentences."""
    return CopyPenalty(
        penalty,
        [source.sentences for source in sources],
        beams,
        eos,
        most_sentences,
        [source.in_order for source in sources],
    )


class SourceRuns:
    """The sentences of one source, joined into one token list; a place is an index into it.

    >>> runs = SourceRuns([[5, 6, 9], [5, 7]])
    >>> begun = runs.step(runs.starts, 5)
    >>> list(runs.after(begun)), runs.sentences(runs.step(begun, 7))
    ([6, 7], frozenset({1}))
    >>> [list(runs.after(runs.ending(recent))) for recent in ((8, 6), (5, 7), (8,))]
    [[9], [-2], []]
    """

    def __init__(self, sentences: Iterable[Sequence[int]]) -> None:
        self._tokens: list[int] = []  # all sentences, each between BEGIN and END
        self._number: list[int] = []  # of the sentence at each place
        self._places: dict[int, list[int]] = {}  # the places of each token
        for number, sentence in enumerate(sentences):
            for token in (BEGIN, *sentence, END) if len(sentence) else ():
                self._places.setdefault(token, []).append(len(self._tokens))
                self._tokens.append(token)
                self._number.append(number)
        self.starts = tuple(self._places.get(BEGIN, ()))

    def after(self, at: Iterable[int]) -> dict[int, set[int]]:
        """Return the tokens that follow these places, each with the sentences where it does."""
        found: dict[int, set[int]] = {}
        for place in at:
            found.setdefault(self._tokens[place + 1], set()).add(self._number[place])
        return found

    def step(self, at: Iterable[int], token: int) -> tuple[int, ...]:
        """Return the next places, of those followed by ``token``."""
        return tuple(place + 1 for place in at if self._tokens[place + 1] == token)

    def ending(self, recent: Sequence[int]) -> tuple[int, ...]:
        """Return where the longest suffix of ``recent`` that occurs in the source ends."""
        found = self._places.get(recent[-1], []) if recent else []
        for back, token in enumerate(recent[-2::-1], 1):
            longer = [at for at in found if at >= back and self._tokens[at - back] == token]
            if not longer:
                break
            found = longer
        return tuple(found)

    def sentences(self, at: Iterable[int]) -> frozenset[int]:
        """Return the numbers of the sentences that these places are in."""
        return frozenset(self._number[place] for place in at)


@dataclass(frozen=True)
class RowState:
    """The position of a row of the search in its source."""

    # Where the tokens of the sentence at hand end in the source; of a row that has left the
    # source, those since then.
    at: tuple[int, ...]
    recent: tuple[int, ...] = ()  # the last tokens
    left: bool = False  # the row has left the source
    inside: frozenset[int] = frozenset()  # the sentences that the row may be in
    copied: frozenset[int] = frozenset()  # the sentences that may be complete
    begun: int = 1  # the number of sentences begun


class CopyPenalty(Processor):
    """Lower the score of each token that continues no sentence of its source by ``penalty``.

    Scores are [R, V] with R = sources x ``beams``. ``sources``: for each source its sentences as
    tokens. No sentence may begin twice, and none after the first ``most_sentences``.
    ``in_order``: for each source, whether its sentences must come in order. The scores are
    normalised afterwards, so that a sentence does not suffer for a token where the model would
    rather have left it; they stay at most 0, which the commit rule needs.
    """

    def __init__(
        self,
        penalty: float,
        sources: Sequence[Iterable[Sequence[int]]],
        beams: int,
        eos: int,
        most_sentences: int | None = None,
        in_order: Sequence[bool] | None = None,
    ) -> None:
        self.penalty, self.beams, self.eos = penalty, beams, eos
        self.most_sentences = most_sentences
        self.in_order = in_order or [False] * len(sources)
        self.runs = [SourceRuns(sentences) for sentences in sources]
        pairs = zip(self.runs, self.in_order, strict=True)
        begins = [runs.starts[: 1 if ordered else None] for runs, ordered in pairs]
        self.rows = [RowState(starts) for starts in begins for _ in range(beams)]

    def _next_starts(self, row: int) -> tuple[int, ...]:
        """Return the starts of the sentences that may follow the one at hand."""
        state, runs = self.rows[row], self.runs[row // self.beams]
        if self.most_sentences is not None and state.begun >= self.most_sentences:
            return ()
        used = state.copied | state.inside
        left = tuple(at for at in runs.starts if used.isdisjoint(runs.sentences((at,))))
        return left[:1] if self.in_order[row // self.beams] else left

    def _free_tokens(self, row: int) -> set[int]:
        """Return the tokens that stay in the source."""
        state, runs = self.rows[row], self.runs[row // self.beams]
        follows = runs.after(state.at)
        may_end = follows.pop(END, None) is not None
        free = set(follows)
        if may_end:
            free |= {*runs.after(self._next_starts(row)), self.eos}
        return free

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        free = [(row, token) for row in range(len(self.rows)) for token in self._free_tokens(row)]
        # One transfer to the device instead of one per use.
        at = torch.tensor(free, dtype=torch.long, device=scores.device).reshape(-1, 2).T.unbind()
        lowered = (scores - self.penalty).index_put_(at, scores[at])
        allowed = torch.full_like(scores, -torch.inf).index_put_(at, scores[at])
        # Where no token stays in the source, the scores are not normalised: every step pays, else
        # a row that has left would stay outside for free.
        inside = ~allowed.amax(-1, keepdim=True).isinf()
        return torch.where(inside, lowered.log_softmax(-1), lowered)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        self.rows = [
            self._next(parent, token) for parent, token in zip(parents, tokens, strict=True)
        ]

    def _next(self, row: int, token: int) -> RowState:
        state, runs = self.rows[row], self.runs[row // self.beams]
        recent = (*state.recent, token)[-MAX_RECENT_TOKENS:]
        at = runs.step(state.at, token)
        if at:
            inside = state.inside if state.left else runs.sentences(at)
            return replace(state, at=at, recent=recent, inside=inside)
        if END in runs.after(state.at):
            at = runs.step(self._next_starts(row), token)
        if at:
            copied = state.copied | state.inside
            return RowState(at, (token,), False, runs.sentences(at), copied, state.begun + 1)
        return replace(state, at=runs.ending(recent), recent=recent, left=True)
