"""Processors that forbid or discount tokens, each updated by one token per step.

R rows, V vocabulary. A processor gets scores [R, V] and the number of tokens so far; after each
step it gets the parent and the token of every row. Order and arithmetic
are transformers' (generation/logits_process.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FORBIDDEN_SCORE = -float("inf")
NO_TOKEN = -1  # pads the shorter sources of a joined batch


class Processor:
    """One rule; ``length`` counts the start token."""

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        raise NotImplementedError

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        """Let row i continue row ``parents[i]`` with ``tokens[i]``."""


def discount(scores: Tensor, at: Tensor, penalty: float) -> Tensor:
    """Multiply negative scores by the penalty and divide positive ones by it, at tokens [R, N].

    A token may be named several times.
    """
    found = scores.gather(1, at)
    return scores.scatter(1, at, torch.where(found < 0, found * penalty, found / penalty))


class RepetitionPenalty(Processor):
    """Discount every token already generated, the start token included (Keskar et al. 2019)."""

    def __init__(self, penalty: float, rows: int, start: int, device: torch.device):
        self.penalty = penalty
        self.seen = torch.full((rows, 1), start, device=device)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return discount(scores, self.seen, self.penalty)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        both = torch.tensor([parents, tokens], device=self.seen.device)
        self.seen = torch.cat([self.seen.index_select(0, both[0]), both[1, :, None]], 1)


class EncoderRepetitionPenalty(Processor):
    """Favour (penalty > 1) the tokens of the source; fixed for the whole search."""

    def __init__(self, penalty: float, source: Tensor, beams: int):
        self.penalty = 1 / penalty
        # Padding comes after the first token, which may be named again.
        seen = source.where(source != NO_TOKEN, source[:, :1])
        self.seen = seen.repeat_interleave(beams, dim=0)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return discount(scores, self.seen, self.penalty)


class NgramTable:
    """The followers of each run of ``n - 1`` tokens in one growing row, start token included."""

    def __init__(self, n: int, start: int) -> None:
        self.n = n
        self.recent: tuple[int, ...] = ()
        self.follows: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.append(start)

    def append(self, token: int) -> None:
        if len(self.recent) == self.n - 1:
            self.follows[self.recent] = (*self.follows.get(self.recent, ()), token)
        self.recent = (*self.recent, token)[-(self.n - 1) :] if self.n > 1 else ()

    def copy(self) -> NgramTable:
        twin = NgramTable.__new__(NgramTable)
        twin.n, twin.recent, twin.follows = self.n, self.recent, self.follows.copy()
        return twin


def followers(n: int, tokens: Sequence[int]) -> dict[tuple[int, ...], list[int]]:
    """Return the followers of each run of ``n - 1`` tokens in a source, each token once."""
    found: dict[tuple[int, ...], dict[int, None]] = {}
    for at in range(len(tokens) - n + 1):
        *before, last = tokens[at : at + n]
        found.setdefault(tuple(before), {})[last] = None
    return {before: list(last) for before, last in found.items()}


def ban(scores: Tensor, banned: Sequence[Sequence[int]]) -> Tensor:
    """Forbid ``banned[i]`` in row i, with one write."""
    rows = [row for row, tokens in enumerate(banned) for _ in tokens]
    if not rows:
        return scores
    columns = [token for tokens in banned for token in tokens]
    scores = scores.clone()
    scores[rows, columns] = FORBIDDEN_SCORE
    return scores


class NoRepeatNgram(Processor):
    """Forbid a token that would repeat an n-gram of its own row (Paulus et al. 2017)."""

    def __init__(self, n: int, rows: int, start: int):
        self.tables = [NgramTable(n, start) for _ in range(rows)]

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return ban(scores, [t.follows.get(t.recent, ()) for t in self.tables])

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        last_use = {parent: row for row, parent in enumerate(parents)}
        old = self.tables
        # The last child takes its parent's table as it is; the others get copies.
        self.tables = [
            old[parent] if last_use[parent] == row else old[parent].copy()
            for row, parent in enumerate(parents)
        ]
        for table, token in zip(self.tables, tokens, strict=True):
            table.append(token)


class EncoderNoRepeatNgram(Processor):
    """Forbid a token that would copy an n-gram of the source, its padding and EOS included."""

    def __init__(self, n: int, source: Tensor, beams: int, start: int):
        rows = ([t for t in row if t != NO_TOKEN] for row in source.tolist())
        self.tables = [followers(n, row) for row in rows]
        self.n, self.beams = n, beams
        self.recent = [(start,)[-(n - 1) :] if n > 1 else ()] * (source.shape[0] * beams)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return ban(
            scores,
            [
                self.tables[row // self.beams].get(recent, ())
                for row, recent in enumerate(self.recent)
            ],
        )

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        keep = self.n - 1
        self.recent = [
            (*self.recent[parent], token)[-keep:] if keep else ()
            for parent, token in zip(parents, tokens, strict=True)
        ]


class BadWords(Processor):
    """Forbid the last token of each given sequence when the row ends in the rest of it.

    Sequences with tokens outside the vocabulary are ignored.
    """

    def __init__(
        self, words: Sequence[Sequence[int]], rows: int, start: int, eos: Sequence[int], vocab: int
    ):
        ends = {(e,) for e in eos}
        kept = [tuple(w) for w in words if w and tuple(w) not in ends and max(w) < vocab]
        self.words = kept
        self.reach = max((len(w) for w in kept), default=1)
        self.recent: list[tuple[int, ...]] = [(start,)] * rows

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        banned = [
            [w[-1] for w in self.words if len(w) == 1 or recent[-(len(w) - 1) :] == w[:-1]]
            for recent in self.recent
        ]
        return ban(scores, banned)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        self.recent = [
            (*self.recent[p], t)[-self.reach :] for p, t in zip(parents, tokens, strict=True)
        ]


class MinLength(Processor):
    """Forbid EOS before ``minimum`` tokens, the start token counted."""

    def __init__(self, minimum: int, eos: Sequence[int]):
        self.minimum = minimum
        self.eos = torch.tensor([token for token in eos if token >= 0], dtype=torch.long)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        if length >= self.minimum:
            return scores
        return scores.index_fill(1, self.eos.to(scores.device), FORBIDDEN_SCORE)


class Forced(Processor):
    """Allow only the given tokens at one length, with score 0."""

    def __init__(self, at: int, tokens: Sequence[int]):
        self.at, self.tokens = at, list(tokens)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        if length != self.at:
            return scores
        scores = torch.full_like(scores, FORBIDDEN_SCORE)
        scores[:, self.tokens] = 0.0
        return scores


class SuppressTokens(Processor):
    """Forbid the given tokens always; ignore those outside the vocabulary."""

    def __init__(self, tokens: Sequence[int], vocab: int):
        self.tokens = [token for token in tokens if 0 <= token < vocab]

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        scores = scores.clone()
        scores[:, self.tokens] = FORBIDDEN_SCORE
        return scores


class BeginSuppressTokens(SuppressTokens):
    """Forbid the given tokens at one length."""

    def __init__(self, tokens: Sequence[int], at: int, vocab: int):
        super().__init__(tokens, vocab)
        self.at = at

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return super().__call__(scores, length) if length == self.at else scores


class SequenceBias(Processor):
    """Add a number to the score of each given sequence's last token when the row ends in the rest.

    Raises ValueError for tokens outside the vocabulary.
    """

    def __init__(
        self,
        biases: Sequence[tuple[Sequence[int], float]],
        rows: int,
        start: int,
        vocab: int,
        device: torch.device,
    ):
        # Of two biases for one sequence the later one counts.
        given = {tuple(sequence): bias for sequence, bias in biases}
        unknown = sorted({t for sequence in given for t in sequence if not 0 <= t < vocab})
        if unknown:
            raise ValueError(f"sequence_bias has ids that the vocabulary lacks: {unknown}.")
        self.always = torch.zeros(vocab, device=device)
        self.groups: dict[int, list[tuple[tuple[int, ...], float]]] = {}
        for sequence, bias in given.items():
            if len(sequence) == 1:
                self.always[sequence[0]] = bias
            else:
                self.groups.setdefault(len(sequence) - 1, []).append((sequence, bias))
        self.recent = torch.full((rows, 1), start, device=device)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        bias = torch.zeros_like(scores) + self.always
        for size, group in self.groups.items():
            if size > self.recent.shape[1]:
                continue
            sequences = torch.tensor([s for s, _ in group], device=scores.device)
            amounts = torch.tensor([b for _, b in group], device=scores.device)
            matches = (self.recent[:, None, -size:] == sequences[:, :-1]).all(-1)
            added = torch.where(matches, amounts, 0.0).to(bias.dtype)
            bias.index_add_(1, sequences[:, -1], added)
        return scores + bias

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        device, longest = self.recent.device, max(self.groups, default=1)
        grown = torch.tensor(tokens, device=device)[:, None]
        rows = self.recent[torch.tensor(parents, device=device)]
        self.recent = torch.cat([rows, grown], 1)[:, -longest:]


class ExponentialDecayLengthPenalty(Processor):
    """Raise the score of EOS exponentially with each token after ``begin`` new ones.

    Raises ValueError for a negative EOS.
    """

    def __init__(self, begin: int, factor: float, eos: Sequence[int]):
        if any(token < 0 for token in eos):
            raise ValueError(f"exponential_decay_length_penalty needs EOS ids of 0 or more: {eos}.")
        self.begin, self.factor, self.eos = begin + 1, factor, list(eos)

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        if length <= self.begin or not self.eos:
            return scores
        ends = scores[:, self.eos]
        raised = ends.abs() * (self.factor ** (length - self.begin) - 1)
        penalties = torch.zeros_like(scores)
        penalties[:, self.eos] = raised.masked_fill(~torch.isfinite(ends), 0.0)
        return scores + penalties


class RemoveInvalidValues(Processor):
    """Replace NaN by 0 and infinite scores by the largest finite ones."""

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        limits = torch.finfo(scores.dtype)
        return scores.nan_to_num(0.0, limits.max, limits.min)


class Renormalize(Processor):
    """Turn scores into log-probabilities again."""

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return scores.log_softmax(-1)
