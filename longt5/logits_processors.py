"""Processors that forbid or discount tokens, each updated by one token per step.

R rows, V vocabulary. A processor gets scores [R, V] and the number of tokens so far; after each
step it gets the parent and the token of every row. Order and arithmetic
are transformers' (generation/logits_process.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .generation_config import GenerationConfig, as_ids

FORBIDDEN_SCORE = -float("inf")
NO_TOKEN = -1  # pads the shorter sources of a joined batch


class Processor:
    """One rule; ``length`` counts the start token."""

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        raise NotImplementedError

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        """Let row i continue row ``parents[i]`` with ``tokens[i]``."""


def discount(scores: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Multiply negative scores by the penalty and divide positive ones by it, where ``seen``."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


class RepetitionPenalty(Processor):
    """Discount every token already generated, the start token included (Keskar et al. 2019)."""

    def __init__(self, penalty: float, rows: int, vocab: int, start: int, device: torch.device):
        self.penalty = penalty
        self.seen = torch.zeros(rows, vocab, dtype=torch.bool, device=device)
        self.seen[:, start] = True

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return discount(scores, self.seen, self.penalty)

    def advance(self, parents: Sequence[int], tokens: Sequence[int]) -> None:
        if list(parents) != list(range(len(parents))):
            self.seen = self.seen[torch.tensor(parents, device=self.seen.device)]
        rows = torch.arange(len(tokens), device=self.seen.device)
        self.seen[rows, torch.tensor(tokens, device=self.seen.device)] = True


class EncoderRepetitionPenalty(Processor):
    """Favour (penalty > 1) the tokens of the source; fixed for the whole search."""

    def __init__(self, penalty: float, source: Tensor, beams: int, vocab: int):
        self.penalty = 1 / penalty
        # An additional column collects the positions without a token.
        seen = torch.zeros(source.shape[0], vocab + 1, dtype=torch.bool, device=source.device)
        seen.scatter_(1, source.where(source != NO_TOKEN, vocab), True)
        self.seen = seen[:, :vocab].repeat_interleave(beams, dim=0)

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
        self.minimum, self.eos = minimum, [token for token in eos if token >= 0]

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        if length >= self.minimum:
            return scores
        scores = scores.clone()
        scores[:, self.eos] = FORBIDDEN_SCORE
        return scores


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


class Temperature(Processor):
    """Divide the scores: below 1 sharpens the distribution, above 1 flattens it."""

    def __init__(self, temperature: float):
        self.temperature = temperature

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        return scores / self.temperature


class TopK(Processor):
    """Keep the ``k`` best tokens (Fan et al. 2018), and all that tie with the last of them."""

    def __init__(self, k: int):
        self.k = k

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        kept = torch.topk(scores, min(self.k, scores.shape[-1]))[0][:, -1:]
        return scores.masked_fill(scores < kept, FORBIDDEN_SCORE)


class TopP(Processor):
    """Keep the fewest best tokens with a total probability of ``p`` (Holtzman 2020)."""

    def __init__(self, p: float, at_least: int):
        self.p, self.at_least = p, at_least

    def __call__(self, scores: Tensor, length: int) -> Tensor:
        rising, order = torch.sort(scores)
        unlikely = rising.softmax(-1).cumsum(-1) <= 1 - self.p
        unlikely[:, -self.at_least :] = False
        return scores.masked_fill(unlikely.scatter(1, order, unlikely), FORBIDDEN_SCORE)


def build_processors(
    config: GenerationConfig,
    source: Tensor | None,
    rows: int,
    vocab: int,
    start: int,
    eos: Sequence[int],
    device: torch.device,
) -> list[Processor]:
    """Return the processors of a ``config``, in transformers' order."""
    c, beams = config, config.rows_per_source
    processors: list[Processor] = []
    if source is not None and c.encoder_repetition_penalty != 1.0:
        processors.append(
            EncoderRepetitionPenalty(c.encoder_repetition_penalty, source, beams, vocab)
        )
    if c.repetition_penalty != 1.0:
        processors.append(RepetitionPenalty(c.repetition_penalty, rows, vocab, start, device))
    if c.no_repeat_ngram_size:
        processors.append(NoRepeatNgram(c.no_repeat_ngram_size, rows, start))
    if source is not None and c.encoder_no_repeat_ngram_size:
        size = c.encoder_no_repeat_ngram_size
        processors.append(EncoderNoRepeatNgram(size, source, beams, start))
    if c.bad_words_ids:
        processors.append(BadWords(c.bad_words_ids, rows, start, eos, vocab))
    if c.shortest > 0:
        processors.append(MinLength(c.shortest, eos))
    if c.forced_bos_token_id is not None:
        processors.append(Forced(1, [c.forced_bos_token_id]))
    if c.forced_eos_token_id is not None:
        processors.append(Forced(c.longest - 1, as_ids(c.forced_eos_token_id)))
    if c.suppress_tokens:
        processors.append(SuppressTokens(c.suppress_tokens, vocab))
    if c.do_sample:
        processors += _warpers(c, at_least=1 if c.num_beams == 1 else len(eos) + 1)
    return processors


def _warpers(c: GenerationConfig, at_least: int) -> list[Processor]:
    """Return the processors that reshape probabilities before sampling.

    ``at_least`` tokens stay: with beams one token besides each EOS.
    """
    warpers: list[Processor] = []
    if c.temperature != 1.0:
        warpers.append(Temperature(c.temperature))
    if c.top_k:
        warpers.append(TopK(max(c.top_k, at_least)))
    if c.top_p < 1.0:
        warpers.append(TopP(c.top_p, at_least))
    return warpers
