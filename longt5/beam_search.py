"""Transformers' fixed-shape beam search, and the part of its answer that is certain.

Never sees the model. B sources, K beams, C candidates per source, T longest sequence.
All tensors here are tiny and on the CPU; one transfer per step brings the candidates.
A hypothesis is a [2, T] pair: its tokens and, for each, the model row that produced it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

WORST = -1.0e9  # transformers' score of a hypothesis that cannot win
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
        self.running = torch.full((batch, beams, 2, longest), options.fill)
        self.running[:, :, 0, 0] = options.start
        self.finished = self.running.clone()
        self.running_scores = torch.zeros(batch, beams, dtype=torch.float32)
        self.running_scores[:, 1:] = WORST
        self.finished_scores = torch.full((batch, beams), WORST, dtype=torch.float32)
        self.is_finished = torch.zeros(batch, beams, dtype=torch.bool)
        self.lengths = torch.zeros(batch, beams, dtype=torch.long)
        # False once nothing that runs is expected to enter the pool; never True again.
        self.improvable = torch.ones(batch, 1, dtype=torch.bool)
        self.done = False
        self.committed = [1] * batch
        self.texts: list[list[int]] = [[] for _ in range(batch)]

    @property
    def candidates(self) -> int:
        """Return C: enough that K unfinished candidates remain even if all EOS are among them."""
        return max(2, 1 + len(self.options.eos)) * self.options.num_beams

    def step(self, log_probs: Tensor) -> tuple[list[int], list[int]]:
        """Take processed log-probs [B*K, V]; return token and flat parent row of each beam."""
        batch, beams = self.running_scores.shape
        scores, parents, tokens = self._candidates(log_probs)
        hypotheses = _gather(self.running, parents)
        flat = parents + torch.arange(batch)[:, None] * beams
        hypotheses[:, :, 0, self.length] = tokens
        hypotheses[:, :, 1, self.length] = flat
        ended = torch.isin(tokens, torch.tensor(self.options.eos, dtype=torch.long))
        if (ends := self.options.ends) is not None:
            sequences = hypotheses[:, :, 0, : self.length + 1].flatten(0, 1).tolist()
            ended |= torch.tensor([ends(row) for row in sequences]).view_as(ended)
        if self.length + 1 >= self.options.max_length:
            ended = torch.ones_like(ended)
        kept = self._keep_running(hypotheses, scores, ended)
        self._update_finished(hypotheses, scores, ended)
        self.length += 1
        self._update_done(ended)
        tokens, flat = torch.gather(tokens, 1, kept), torch.gather(flat, 1, kept)
        return tokens.flatten().tolist(), flat.flatten().tolist()

    def _candidates(self, log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the C best (or sampled) continuations: scores, parents and tokens, [B, C]."""
        batch, beams = self.running_scores.shape
        vocab = log_probs.shape[-1]
        running = self.running_scores.to(log_probs.device)
        total = (log_probs.view(batch, beams, vocab) + running[:, :, None]).view(batch, -1)
        if self.options.do_sample:
            generator = self.options.generator
            indices = torch.multinomial(total.softmax(-1), self.candidates, generator=generator)
            # Sampling returns any order, but only candidates that rank first may finish.
            scores, order = torch.gather(total, 1, indices).sort(dim=-1, descending=True)
            indices = torch.gather(indices, 1, order)
        else:
            scores, indices = torch.topk(total, k=self.candidates)
        scores, indices = _to_host(scores, indices)
        return scores, indices // vocab, indices % vocab

    def _keep_running(self, hypotheses: Tensor, scores: Tensor, ended: Tensor) -> Tensor:
        unfinished = scores + ended.float() * WORST
        kept = torch.topk(unfinished, k=self.options.num_beams)[1]
        self.running = _gather(hypotheses, kept)
        self.running_scores = torch.gather(unfinished, 1, kept)
        return kept

    def _update_finished(self, hypotheses: Tensor, scores: Tensor, ended: Tensor) -> None:
        beams = self.options.num_beams
        just_finished = ended.clone()
        # Only an end that ranks among the first K counts (transformers, as fairseq before it).
        just_finished[:, beams:] = False
        scores = scores / self.length**self.options.length_penalty
        scores += self._closed().float() * WORST
        scores += (~self.improvable).float() * WORST
        scores += (~just_finished).float() * WORST
        merged = torch.cat([self.finished_scores, scores], 1)
        kept = _best_first(merged, beams)
        self.finished = _gather(torch.cat([self.finished, hypotheses], 1), kept)
        self.finished_scores = torch.gather(merged, 1, kept)
        self.is_finished = torch.gather(torch.cat([self.is_finished, just_finished], 1), 1, kept)
        lengths = torch.full_like(scores, self.length, dtype=torch.long)
        self.lengths = torch.gather(torch.cat([self.lengths, lengths], 1), 1, kept)

    def _closed(self) -> Tensor:
        """Return [B, 1]: the pool is full under ``early_stopping=True`` and takes no more."""
        return self.is_finished.all(-1, keepdim=True) & (self.options.early_stopping is True)

    def _update_done(self, ended: Tensor) -> None:
        o = self.options
        uses_longest = o.early_stopping == "never" and o.length_penalty > 0
        length = (o.max_length if uses_longest else self.length) - 1
        best = self.running_scores[:, :1] / length**o.length_penalty
        lowest = self.finished_scores.amin(1, keepdim=True)
        worst = torch.where(self.is_finished, lowest, WORST)
        self.improvable = self.improvable & (best > worst).any(-1, keepdim=True)
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
        tails = torch.stack(rivals)[:, begin:stop]
        agreed = int((tails == tails[0]).all(0).long().cumprod(0).sum())
        self.committed[row] = begin + agreed
        self.texts[row] += self._until_eos(tails[0, :agreed])
        best = self._best(row, running)[0, self.committed[row] : stop]
        return list(self.texts[row]), self._until_eos(best)

    def _best(self, row: int, running: list[int]) -> Tensor:
        """Return [2, T], the best by normalized score among those that can still win."""
        if not running:
            return self.finished[row, 0]
        penalty = max(1, self.length - 1) ** self.options.length_penalty
        ahead = self.running_scores[row, running[0]] / penalty
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
        bound = self.running_scores[row] / length**o.length_penalty
        if bool(self.is_finished[row, 0]) and not o.may_rise:
            able = bound >= self.finished_scores[row, 0]
        else:
            # A beam with only forbidden continuations ranks below an empty slot of the pool.
            able = ~self.running_scores[row].isinf()
        return torch.nonzero(able).flatten().tolist()

    def settled(self, row: int) -> bool:
        """Return whether the answer of this source is final; others may go on."""
        return self.done or bool(self._closed()[row]) or not bool(self.improvable[row])

    def _until_eos(self, tokens: Tensor) -> list[int]:
        found = tokens.tolist()
        return found[: next((i for i, t in enumerate(found) if t in self.options.eos), None)]

    def origins(self, row: int, begin: int, stop: int) -> list[int]:
        """Return the model row that produced each token ``begin .. stop - 1`` of the draft."""
        return self._best(row, self._contenders(row))[1, 1 + begin : 1 + stop].tolist()

    def result(self, keep: int) -> tuple[Tensor, Tensor]:
        """Return the ``keep`` best of each source: sequences [B*keep, L] and scores [B*keep]."""
        sequences = self.finished[:, :keep, 0].flatten(0, 1)
        longest = 1 + int(self.lengths[:, :keep].max())
        return sequences[:, :longest], self.finished_scores[:, :keep].flatten()

    def origins_of_result(self, keep: int) -> Tensor:
        """Return the model row of each token of :meth:`result`: [B*keep, L - 1], -1 after ends."""
        lengths = self.lengths[:, :keep].flatten()
        rows = self.finished[:, :keep, 1].flatten(0, 1)[:, 1 : 1 + int(lengths.max())]
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


def _to_host(scores: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Move both to the CPU, on CUDA in one transfer, as float64, which holds both exactly."""
    if scores.device.type not in PACKING_DEVICES:
        return scores.cpu(), indices.cpu()
    packed = torch.stack([scores.double(), indices.double()]).cpu()
    return packed[0].float(), packed[1].long()


def _best_first(scores: Tensor, keep: int) -> Tensor:
    """Return indices [B, keep] of the best of [B, N]; of two equal best ones, the earlier first.

    ``topk`` as in transformers returns ties in any order, and the earlier of two hypotheses that
    finished with equal scores may be committed already. Lower ranks, and ties of hypotheses that
    finish in this step (the entries from ``keep`` on), are as in transformers.
    """
    ranked, stable = scores.sort(dim=1, descending=True, stable=True)
    tied = (ranked[:, :1] == ranked[:, 1:2]) & (ranked[:, :1] > WORST) & (stable[:, :1] < keep)
    return torch.where(tied, stable[:, :keep], torch.topk(scores, keep)[1])


def _gather(x: Tensor, index: Tensor) -> Tensor:
    """Select hypotheses: x [B, C, 2, T], index [B, K] -> [B, K, 2, T]."""
    return torch.take_along_dim(x, index[:, :, None, None], dim=1)
