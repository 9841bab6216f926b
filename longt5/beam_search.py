"""Transformers' fixed-shape beam search, and the part of its answer that is certain.

Never sees the model. B sources, K beams, C candidates per source, T longest sequence.
All state is tiny and in NumPy, whose calls take a third of torch's time or less; one transfer per
step brings the candidates. Equal scores are ordered by torch, as in transformers.
A hypothesis is a [2, T] pair: its tokens and, for each, the model row that produced it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HostArray = NDArray[Any]
WORST = -1.0e9  # transformers' score of a hypothesis that cannot win
LOSS = np.float32(WORST)
# Candidates are looked for in parts of the vocabulary of at most so many tokens: half of it goes to
# their maxima, half to sorting. Below the least, sorting all takes no longer.
PART_TOKENS, MIN_PART_TOKENS = 128, 16
PACKING_DEVICES = ("cuda",)  # have float64, and a transfer takes long; Apple's GPUs have none


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search: lengths count the start token; ``early_stopping`` is True, False or
    "never"; ``fill`` pads each sequence after its end; ``generator`` None is torch's own.
    ``ends`` tells of a sequence whether it stops there, besides EOS; ``may_rise``: scores may be
    above 0, so that no running hypothesis is beaten before the end."""

    num_beams: int
    max_length: int
    length_penalty: float
    early_stopping: bool | str
    eos: tuple[int, ...]
    start: int
    fill: int
    do_sample: bool = False
    generator: torch.Generator | None = None
    ends: Callable[[list[int]], bool] | None = None
    may_rise: bool = False


class BeamSearch:
    """State of the search over B sources; ``step`` takes log-probs and returns tokens, parents."""

    def __init__(self, batch: int, options: SearchOptions) -> None:
        self.options = options
        beams, longest = options.num_beams, options.max_length
        self.length = 1
        self.eos = np.array(options.eos, np.int64)
        self.running = np.full((batch, beams, 2, longest), options.fill, np.int64)
        self.running[:, :, 0, 0] = options.start
        self.finished = self.running.copy()
        self.running_scores = np.zeros((batch, beams), np.float32)
        self.running_scores[:, 1:] = WORST
        self.finished_scores = np.full((batch, beams), WORST, np.float32)
        self.is_finished = np.zeros((batch, beams), np.bool_)
        self.lengths = np.zeros((batch, beams), np.int64)
        # False once nothing that runs is expected to enter the pool; never True again.
        self.improvable = np.ones((batch, 1), np.bool_)
        self.done = False
        self.committed = [1] * batch
        self.texts: list[list[int]] = [[] for _ in range(batch)]

    @property
    def candidates(self) -> int:
        """Return C: enough that K unfinished candidates remain even if all EOS are among them."""
        return max(2, 1 + len(self.options.eos)) * self.options.num_beams

    def step(self, log_probs: Tensor) -> tuple[list[int], list[int]]:
        """Take processed log-probs [B*K, V]; return token and flat parent row of each beam."""
        with np.errstate(all="ignore"):  # infinite scores of rules are no mistake
            return self._step(log_probs)

    def _step(self, log_probs: Tensor) -> tuple[list[int], list[int]]:
        batch, beams = self.running_scores.shape
        scores, parents, tokens = self._candidates(log_probs)
        hypotheses = _gather(self.running, parents)
        flat = parents + np.arange(batch)[:, None] * beams
        hypotheses[:, :, 0, self.length] = tokens
        hypotheses[:, :, 1, self.length] = flat
        ended = (tokens[..., None] == self.eos).any(-1)
        if (ends := self.options.ends) is not None:
            sequences = hypotheses[:, :, 0, : self.length + 1].tolist()
            ended |= np.array([[ends(row) for row in rows] for rows in sequences])
        if self.length + 1 >= self.options.max_length:
            ended = np.ones_like(ended)
        kept = self._keep_running(hypotheses, scores, ended)
        self._update_finished(hypotheses, scores, ended)
        self.length += 1
        self._update_done(ended)
        return _gather(tokens, kept).ravel().tolist(), _gather(flat, kept).ravel().tolist()

    def _candidates(self, log_probs: Tensor) -> tuple[HostArray, HostArray, HostArray]:
        """Return the C best (or sampled) continuations: scores, parents and tokens, [B, C]."""
        batch, beams = self.running_scores.shape
        vocab = log_probs.shape[-1]
        running = torch.from_numpy(self.running_scores).to(log_probs.device)
        log_probs = log_probs.view(batch, beams, vocab)
        if self.options.do_sample:
            total = (log_probs + running[:, :, None]).view(batch, -1)
            generator = self.options.generator
            indices = torch.multinomial(total.softmax(-1), self.candidates, generator=generator)
            # Sampling returns any order, but only candidates that rank first may finish.
            scores, order = torch.gather(total, 1, indices).sort(dim=-1, descending=True)
            indices = torch.gather(indices, 1, order)
        else:
            scores, indices = best_continuations(log_probs, running, self.candidates)
        found, at = (x.numpy() for x in _to_host(scores, indices))
        return found, at // vocab, at % vocab

    def _keep_running(
        self, hypotheses: HostArray, scores: HostArray, ended: HostArray
    ) -> HostArray:
        unfinished = scores + ended * LOSS
        kept = _top(unfinished, self.options.num_beams)
        self.running = _gather(hypotheses, kept)
        self.running_scores = _gather(unfinished, kept)
        return kept

    def _update_finished(self, hypotheses: HostArray, scores: HostArray, ended: HostArray) -> None:
        beams = self.options.num_beams
        just_finished = ended.copy()
        # Only an end that ranks among the first K counts (transformers, as fairseq before it).
        just_finished[:, beams:] = False
        # Where the rules end a search before K hypotheses have, what is left over is returned too.
        if not just_finished.any() and bool(self.is_finished.all()):
            return
        scores = scores / self._penalty(self.length)
        scores += self._closed() * LOSS
        scores += ~self.improvable * LOSS
        scores += ~just_finished * LOSS
        merged = np.concatenate([self.finished_scores, scores], 1)
        kept = _best_first(merged, beams)
        self.finished = _gather(np.concatenate([self.finished, hypotheses], 1), kept)
        self.finished_scores = _gather(merged, kept)
        self.is_finished = _gather(np.concatenate([self.is_finished, just_finished], 1), kept)
        lengths = np.full(scores.shape, self.length)
        self.lengths = _gather(np.concatenate([self.lengths, lengths], 1), kept)

    def _penalty(self, length: int) -> np.float32:
        """Return what normalizes the score of a length, in the precision of the scores."""
        return np.float32(length**self.options.length_penalty)

    def _closed(self) -> HostArray:
        """Return [B, 1]: the pool is full under ``early_stopping=True`` and takes no more."""
        if self.options.early_stopping is not True:
            return np.zeros((len(self.is_finished), 1), np.bool_)
        return np.asarray(self.is_finished.all(-1, keepdims=True))

    def _update_done(self, ended: HostArray) -> None:
        o = self.options
        uses_longest = o.early_stopping == "never" and o.length_penalty > 0
        best = self.running_scores[:, :1] / self._penalty(
            (o.max_length if uses_longest else self.length) - 1
        )
        lowest = self.finished_scores.min(1, keepdims=True)
        worst = np.where(self.is_finished, lowest, LOSS)
        self.improvable = self.improvable & (best > worst).any(-1, keepdims=True)
        all_closed = bool(self.is_finished.all()) and o.early_stopping is True
        self.done = not self.improvable.any() or all_closed or bool(ended.all())

    def draft(self, row: int) -> tuple[list[int], list[int]]:
        """Return (committed, provisional): the certain tokens, and the best hypothesis beyond.

        Committed is the longest prefix shared by all that can still win: the best finished
        hypothesis and each running beam whose best possible score is not strictly below it.
        Log-probs are at most 0, so a running score never rises; committed only ever grows. Where
        they ``may_rise``, every running beam can still win.
        """
        running = self._contenders(row)
        rivals = [self.running[row, k, 0] for k in running]
        if self.is_finished[row, 0]:
            rivals.append(self.finished[row, 0, 0])
        if not rivals:  # processors forbade every token, and nothing has finished
            return list(self.texts[row]), []
        begin = self.committed[row]
        stop = self.length if running else self.options.max_length
        tails = np.stack(rivals)[:, begin:stop]
        agreed = int(np.logical_and.accumulate((tails == tails[0]).all(0)).sum())
        self.committed[row] = begin + agreed
        self.texts[row] += self._until_eos(tails[0, :agreed])
        best = self._best(row, running)[0, self.committed[row] : stop]
        return list(self.texts[row]), self._until_eos(best)

    def _best(self, row: int, running: list[int]) -> HostArray:
        """Return [2, T], the best by normalized score among those that can still win."""
        if not running:
            return self.finished[row, 0]
        ahead = self.running_scores[row, running[0]] / self._penalty(max(1, self.length - 1))
        if self.is_finished[row, 0] and self.finished_scores[row, 0] >= ahead:
            return self.finished[row, 0]
        return self.running[row, running[0]]

    def _contenders(self, row: int) -> list[int]:
        """Return the running beams that may still become the answer, best first."""
        if self.settled(row):
            return []
        o = self.options
        # The most favourable length: the longest for a positive penalty, else the next one.
        length = o.max_length - 1 if o.length_penalty > 0 else self.length
        bound = self.running_scores[row] / self._penalty(length)
        if bool(self.is_finished[row, 0]) and not o.may_rise:
            able = bound >= self.finished_scores[row, 0]
        else:
            # A beam with only forbidden continuations ranks below an empty slot of the pool.
            able = ~np.isinf(self.running_scores[row])
        return np.flatnonzero(able).tolist()

    def settled(self, row: int) -> bool:
        """Return whether the answer of this source is final; others may go on."""
        return self.done or bool(self._closed()[row]) or not bool(self.improvable[row])

    def _until_eos(self, tokens: HostArray) -> list[int]:
        found = tokens.tolist()
        return found[: next((i for i, t in enumerate(found) if t in self.options.eos), None)]

    def origins(self, row: int, begin: int, stop: int) -> list[int]:
        """Return the model row that produced each token ``begin .. stop - 1`` of the draft."""
        return self._best(row, self._contenders(row))[1, 1 + begin : 1 + stop].tolist()

    def result(self, keep: int) -> tuple[Tensor, Tensor]:
        """Return the ``keep`` best of each source: sequences [B*keep, L] and scores [B*keep]."""
        longest = 1 + int(self.lengths[:, :keep].max())
        sequences = torch.from_numpy(self.finished[:, :keep, 0, :longest].copy())
        return sequences.flatten(0, 1), torch.from_numpy(self.finished_scores[:, :keep].flatten())

    def origins_of_result(self, keep: int) -> Tensor:
        """Return the model row of each token of :meth:`result`: [B*keep, L - 1], -1 after ends."""
        lengths = torch.from_numpy(self.lengths[:, :keep].flatten())
        rows = torch.from_numpy(self.finished[:, :keep, 1].copy()).flatten(0, 1)
        rows = rows[:, 1 : 1 + int(lengths.max())]
        return rows.masked_fill(torch.arange(rows.shape[1]) >= lengths[:, None], -1)

    def end_of(self, row: int) -> str:
        """Return why the best answer ended: "eos", "stop_string" or "length"."""
        tokens = self.finished[row, 0, 0, : 1 + int(self.lengths[row, 0])].tolist()
        return reason_of_end(tokens, self.options)


def reason_of_end(tokens: list[int], options: SearchOptions) -> str:
    """Return why a sequence ended with its last token: "eos", "stop_string" or "length"."""
    if tokens[-1] in options.eos:
        return "eos"
    return "stop_string" if options.ends is not None and options.ends(tokens) else "length"


def best_continuations(log_probs: Tensor, running: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the ``count`` best of ``log_probs`` [B, K, V] + ``running`` [B, K], and where they are
    in [B, K * V]: scores and indices [B, count], as ``topk`` returns them.

    Each of them lies in one of the ``count`` parts of the vocabulary with the largest maxima, so
    that only these are sorted. Where scores are equal, or no numbers, ``topk`` of all decides.
    """
    batch, beams, vocab = log_probs.shape
    width = math.gcd(vocab, PART_TOKENS)
    parts = beams * vocab // width
    if log_probs.device.type == "cpu" and parts > count and width >= MIN_PART_TOKENS:
        split = log_probs.reshape(batch, beams, -1, width)
        added = running.numpy()
        most = (split.amax(-1).numpy() + added[:, :, None]).reshape(batch, parts)
        order = np.argpartition(most, parts - count, 1)
        part, rest = order[:, parts - count :], order[:, : parts - count]
        some = _gather(split.numpy().reshape(batch, parts, width), part)
        some += _gather(added, part // (parts // beams))[:, :, None]
        total = some.reshape(batch, -1)
        at = np.argpartition(total, total.shape[1] - count - 1, 1)[:, -count - 1 :]
        at = _gather(at, np.argsort(-_gather(total, at), 1))
        scores = _gather(total, at)
        is_clear = scores[:, count - 1] > _gather(most, rest).max(1)
        if bool((scores[:, :-1] > scores[:, 1:]).all() and is_clear.all()):
            found = _gather(part, at // width) * width + at % width
            return torch.from_numpy(scores[:, :count]), torch.from_numpy(found[:, :count])
    return torch.topk((log_probs + running[:, :, None]).view(batch, -1), k=count)


def _to_host(scores: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Move both to the CPU, on CUDA in one transfer, as float64, which holds both exactly."""
    if scores.device.type not in PACKING_DEVICES:
        return scores.cpu(), indices.cpu()
    packed = torch.stack([scores.double(), indices.double()]).cpu()
    return packed[0].float(), packed[1].long()


def _top(scores: HostArray, keep: int) -> HostArray:
    """Return indices [B, keep] of the best of [B, N], in the order that torch gives to ties."""
    return torch.topk(torch.from_numpy(scores), keep)[1].numpy()


def _best_first(scores: HostArray, keep: int) -> HostArray:
    """Return indices [B, keep] of the best of [B, N]; of two equal best ones, the earlier first.

    ``topk`` as in transformers returns ties in any order, and the earlier of two hypotheses that
    finished with equal scores may be committed already. Lower ranks, and ties of hypotheses that
    finish in this step (the entries from ``keep`` on), are as in transformers.
    """
    ranked, kept = (x.numpy() for x in torch.topk(torch.from_numpy(scores), keep))
    tied = (ranked[:, :1] == ranked[:, 1:2]) & (ranked[:, :1] > WORST)
    if not tied.any():
        return kept
    stable = torch.from_numpy(scores).sort(dim=1, descending=True, stable=True)[1].numpy()
    return np.where(tied & (stable[:, :1] < keep), stable[:, :keep], kept)


def _gather(x: HostArray, index: HostArray) -> HostArray:
    """Select by source: x [B, C, ...], index [B, K] -> [B, K, ...]."""
    if len(x) == 1:  # which takes a third of the time
        return x[0].take(index[0], 0)[None]
    return x[np.arange(len(x))[:, None], index]
