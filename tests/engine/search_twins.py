"""Slow twins of the search: plain lists instead of tensors, and every sequence instead of beams."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from longt5.beam_search import LOSS, WORST, BeamSearch, SearchOptions

Tokens = tuple[int, ...]
LogProbs = Callable[[Tokens], torch.Tensor]


def f32(x: float) -> float:
    """Return x rounded to float32, the precision of the search."""
    return struct.unpack("f", struct.pack("f", x))[0]


def normalised(score: float, length: int, penalty: float) -> float:
    return f32(score / f32(length**penalty))


def common_prefix(sequences: Sequence[Tokens]) -> Tokens:
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*sequences))  # noqa: B905
    return tuple(column[0] for column in shared)


@dataclass
class SlowBeams:
    """A slow beam search of one source in lists, fed with the ranked candidates of every step.

    ``tied``: equal scores decided something, so that another choice would be as right.
    """

    options: SearchOptions
    live: list[tuple[float, Tokens]] = field(default_factory=list)
    pool: list[tuple[float, Tokens]] = field(default_factory=list)
    improvable: bool = True
    committed: Tokens = ()
    tied: bool = False

    def __post_init__(self) -> None:
        beams = self.options.num_beams
        self.live = [(0.0, ())] + [(WORST, ())] * (beams - 1)

    def step(self, candidates: Sequence[tuple[float, int, int]]) -> None:
        """Advance by ``candidates`` (score, parent beam, token), ranked (or sampled)."""
        o = self.options
        grown = [(score, (*self.live[parent][1], token)) for score, parent, token in candidates]
        length = len(grown[0][1])
        ends = [self._is_end(h[1]) for h in grown]
        if self.improvable and not self.closed:
            new = [
                (normalised(score, length, o.length_penalty), tokens)
                for (score, tokens), end in zip(grown[: o.num_beams], ends, strict=False)
                if end
            ]
            self.pool = [h for h in self._best(self.pool + new) if h[0] > WORST]
            self.tied |= len({h[0] for h in self.pool[:2]}) < len(self.pool[:2])
        running = [
            h if not end else (f32(h[0] + WORST), h[1]) for h, end in zip(grown, ends, strict=True)
        ]
        self.live = self._best(running)
        if o.may_rise:
            # Hypotheses that ended all carry the search's -1e9. Which of them go on as beams, and
            # in which order, is a tie, and where scores may rise those beams can still win.
            ranked = sorted(running, key=lambda h: -h[0])[: o.num_beams + 1]
            pairs = [p for p in itertools.pairwise(ranked) if p[0][0] > -float("inf")]
            self.tied |= any(a[0] == b[0] and a[1] != b[1] for a, b in pairs)
        self._look_ahead(length)

    def _is_end(self, tokens: Tokens) -> bool:
        o = self.options
        stops = o.ends is not None and o.ends([o.start, *tokens])
        return stops or tokens[-1] in o.eos or len(tokens) + 1 >= o.max_length

    def _best(self, hypotheses: list[tuple[float, Tokens]]) -> list[tuple[float, Tokens]]:
        ranked = sorted(hypotheses, key=lambda h: -h[0])
        kept, left = ranked[: self.options.num_beams], ranked[self.options.num_beams :]
        scores = [h[0] for h in (*kept, *left[:1])]
        self.tied |= any(a == b > WORST for a, b in itertools.pairwise(scores))
        return kept

    def _look_ahead(self, length: int) -> None:
        o = self.options
        generous = o.early_stopping == "never" and o.length_penalty > 0
        best = normalised(
            self.live[0][0], o.max_length - 1 if generous else length, o.length_penalty
        )
        worst = self.pool[-1][0] if len(self.pool) == o.num_beams else WORST
        self.improvable = self.improvable and best > worst

    @property
    def closed(self) -> bool:
        return self.options.early_stopping is True and len(self.pool) == self.options.num_beams

    def commit(self, over: bool) -> Tokens:
        """Return the longest common prefix of all hypotheses that can still win.

        Ends before the first EOS. ``over``: the search has ended. At a dead end, where the
        rules forbid every token of every hypothesis, it stays as it was.
        """
        o = self.options
        able = [] if over or self.closed or not self.improvable else self.live
        best = self.pool[0] if self.pool else None
        contenders = [tokens for score, tokens in able if self._can_win(score, len(tokens), best)]
        if best is not None:
            contenders.append(best[1])
        if contenders:
            shared = common_prefix(contenders)
            self.committed = tuple(itertools.takewhile(lambda token: token not in o.eos, shared))
        return self.committed

    def _can_win(self, score: float, length: int, best: tuple[float, Tokens] | None) -> bool:
        if best is None or self.options.may_rise:
            return score != -float("inf")
        o = self.options
        kindest = o.max_length - 1 if o.length_penalty > 0 else length + 1
        return normalised(score, kindest, o.length_penalty) >= best[0]


class Traced(BeamSearch):
    """The search, recording each step's candidates, their log-probs, and which go on as beams:
    ``running_of`` are (scores [B, C], indices [B, K] into them)."""

    def __init__(self, batch: int, options: SearchOptions) -> None:
        super().__init__(batch, options)
        self.steps: list[tuple[torch.Tensor, ...]] = []
        self.totals: list[torch.Tensor] = []
        self.running_of: list[tuple[torch.Tensor, torch.Tensor]] = []

    def _candidates(self, log_probs):
        batch, beams = self.running_scores.shape
        total = log_probs.view(batch, beams, -1) + torch.from_numpy(self.running_scores)[:, :, None]
        self.totals.append(total.flatten(1))
        found = super()._candidates(log_probs)
        self.steps.append(tuple(map(torch.from_numpy, found)))
        return found

    def _keep_running(self, hypotheses, scores, ended):
        kept = super()._keep_running(hypotheses, scores, ended)
        unfinished = np.where(ended, LOSS, scores)
        self.running_of.append((torch.from_numpy(unfinished), torch.from_numpy(kept)))
        return kept

    def ranked(self, step: int, row: int) -> list[tuple[float, int, int]]:
        scores, parents, tokens = (x[row].tolist() for x in self.steps[step])
        return list(zip(scores, parents, tokens, strict=True))


def toy(seed: int, vocab: int, sharpness: float = 1.0) -> LogProbs:
    """Return a random distribution after every prefix, the same for the same seed."""

    def log_probs(prefix: Tokens) -> torch.Tensor:
        code = seed
        for token in prefix:
            code = (code * 1_000_003 + token + 1) % (2**61 - 1)
        generator = torch.Generator().manual_seed(code)
        return (torch.randn(vocab, generator=generator) * sharpness).log_softmax(-1)

    return log_probs


def toy_search(options: SearchOptions, log_probs: LogProbs) -> Iterator[Traced]:
    """Search a toy distribution for one source; yield the state after every step."""
    search = Traced(1, options)
    while not search.done:
        prefixes = [tuple(h[0, 1 : search.length].tolist()) for h in search.running[0]]
        search.step(torch.stack([log_probs(prefix) for prefix in prefixes]))
        yield search


def best_of_all(options: SearchOptions, log_probs: LogProbs, vocab: int) -> tuple[float, Tokens]:
    """Return the best finished sequence by exhaustive search."""
    longest, finished = options.max_length - 1, []
    heap: list[tuple[float, Tokens]] = [(0.0, ())]
    while heap:
        score, prefix = heap.pop()
        following = log_probs(prefix).tolist()
        for token in range(vocab):
            total, tokens = score + following[token], (*prefix, token)
            if token in options.eos or len(tokens) == longest:
                finished.append((total / len(tokens) ** options.length_penalty, tokens))
            else:
                heap.append((total, tokens))
    return max(finished)
