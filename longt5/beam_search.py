"""Which hypotheses live: transformers' fixed-shape beam search, and what of it is certain.

Never sees the model. B sources, K beams, C candidates per source, T longest sequence.
Everything here is tiny and lives on the CPU; one transfer per step brings the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WORST = -1.0e9


@dataclass(frozen=True)
class SearchOptions:
    """What decides a search: lengths count the start token; ``early_stopping`` True, False or
    "never"; ``fill`` stands after the end of each sequence."""

    num_beams: int
    max_length: int
    length_penalty: float
    early_stopping: bool | str
    eos: tuple[int, ...]
    start: int
    fill: int


class BeamSearch:
    """State of the search over B sources; ``step`` takes log-probs and gives tokens, parents."""

    def __init__(self, batch: int, options: SearchOptions) -> None:
        self.options = options
        beams, longest = options.num_beams, options.max_length
        self.length = 1
        self.running = torch.full((batch, beams, longest), options.fill)
        self.running[:, :, 0] = options.start
        self.finished = self.running.clone()
        self.running_scores = torch.zeros(batch, beams)
        self.running_scores[:, 1:] = WORST
        self.finished_scores = torch.full((batch, beams), WORST)
        self.is_finished = torch.zeros(batch, beams, dtype=torch.bool)
        self.lengths = torch.zeros(batch, beams, dtype=torch.long)
        # False once nothing that runs is expected to enter the pool; never True again.
        self.improvable = torch.ones(batch, 1, dtype=torch.bool)
        self.done = False
        self.committed = [1] * batch

    @property
    def candidates(self) -> int:
        """C: enough that K unfinished ones remain even if every EOS is among them."""
        return max(2, 1 + len(self.options.eos)) * self.options.num_beams

    def step(self, log_probs: Tensor) -> tuple[list[int], list[int]]:
        """Processed log-probs [B*K, V] -> token and flat parent row of each running beam."""
        batch, beams = self.running_scores.shape
        vocab = log_probs.shape[-1]
        total = log_probs.view(batch, beams, vocab) + self.running_scores.to(log_probs.device)[
            :, :, None
        ]
        scores, indices = torch.topk(total.view(batch, -1), k=self.candidates)
        packed = torch.stack([scores.double(), indices.double()]).cpu()
        scores, indices = packed[0].float(), packed[1].long()
        parents, tokens = indices // vocab, indices % vocab
        sequences = _gather(self.running, parents)
        sequences[:, :, self.length] = tokens
        ended = torch.isin(tokens, torch.tensor(self.options.eos, dtype=torch.long))
        if self.length + 1 >= self.options.max_length:
            ended = torch.ones_like(ended)
        kept = self._keep_running(sequences, scores, ended)
        self._update_finished(sequences, scores, ended)
        self.length += 1
        self._update_done(ended)
        offset = torch.arange(batch)[:, None] * beams
        flat = torch.gather(parents, 1, kept) + offset
        return torch.gather(tokens, 1, kept).flatten().tolist(), flat.flatten().tolist()

    def _keep_running(self, sequences: Tensor, scores: Tensor, ended: Tensor) -> Tensor:
        unfinished = scores + ended.float() * WORST
        kept = torch.topk(unfinished, k=self.options.num_beams)[1]
        self.running = _gather(sequences, kept)
        self.running_scores = torch.gather(unfinished, 1, kept)
        return kept

    def _update_finished(self, sequences: Tensor, scores: Tensor, ended: Tensor) -> None:
        beams = self.options.num_beams
        just_finished = ended.clone()
        # Only an end that ranks among the first K counts (transformers, as fairseq before it).
        just_finished[:, beams:] = False
        scores = scores / self.length**self.options.length_penalty
        scores += self._closed().float() * WORST
        scores += (~self.improvable).float() * WORST
        scores += (~just_finished).float() * WORST
        merged = torch.cat([self.finished_scores, scores], 1)
        kept = torch.topk(merged, k=beams)[1]
        self.finished = _gather(torch.cat([self.finished, sequences], 1), kept)
        self.finished_scores = torch.gather(merged, 1, kept)
        self.is_finished = torch.gather(torch.cat([self.is_finished, just_finished], 1), 1, kept)
        lengths = torch.full_like(scores, self.length, dtype=torch.long)
        self.lengths = torch.gather(torch.cat([self.lengths, lengths], 1), 1, kept)

    def _closed(self) -> Tensor:
        """[B, 1]: the pool takes no more, being full under ``early_stopping=True``."""
        return self.is_finished.all(-1, keepdim=True) & (self.options.early_stopping is True)

    def _update_done(self, ended: Tensor) -> None:
        o = self.options
        generous = o.early_stopping == "never" and o.length_penalty > 0
        length = (o.max_length if generous else self.length) - 1
        best = self.running_scores[:, :1] / length**o.length_penalty
        lowest = self.finished_scores.amin(1, keepdim=True)
        worst = torch.where(self.is_finished, lowest, WORST)
        self.improvable = self.improvable & (best > worst).any(-1, keepdim=True)
        all_closed = bool(self.is_finished.all()) and o.early_stopping is True
        self.done = not self.improvable.any() or all_closed or bool(ended.all())

    def draft(self, row: int) -> tuple[list[int], list[int]]:
        """(committed, provisional): what is certain, and the best hypothesis beyond it.

        Committed is the longest prefix shared by all that can still win: the best finished
        hypothesis and each running beam whose best possible score is not strictly below it.
        Log-probs are at most 0, so a running score never rises; committed only ever grows.
        """
        running = () if self.done else self._contenders(row)
        finished = self.done or bool(self.is_finished[row, 0])
        can_win = [self.running[row, k] for k in running]
        if finished:
            can_win.append(self.finished[row, 0])
        begin = self.committed[row]
        stop = self.options.max_length if finished and not running else self.length
        tails = torch.stack(can_win)[:, begin:stop]
        same = (tails == tails[0]).all(0)
        self.committed[row] = begin + int(same.long().cumprod(0).sum())
        committed = self._tokens(can_win[0][: self.committed[row]])
        best = self._tokens(self._best(row, running, finished))
        return committed, best[len(committed) :]

    def _best(self, row: int, running: Sequence[int], finished: bool) -> Tensor:
        """The best by normalised score among those that can still win."""
        penalty = max(1, self.length - 1) ** self.options.length_penalty
        if not running:
            return self.finished[row, 0]
        first = running[0]
        ahead = float(self.running_scores[row, first]) / penalty
        if finished and float(self.finished_scores[row, 0]) >= ahead:
            return self.finished[row, 0]
        return self.running[row, first, : self.length]

    def _contenders(self, row: int) -> Sequence[int]:
        """Running beams that may still become the answer."""
        if bool(self._closed()[row]) or not bool(self.improvable[row]):
            return ()
        o = self.options
        # The kindest length: the longest for a positive penalty, else the very next one.
        length = o.max_length - 1 if o.length_penalty > 0 else self.length
        bound = self.running_scores[row] / length**o.length_penalty
        if not bool(self.is_finished[row, 0]):
            return range(o.num_beams)
        return torch.nonzero(bound >= self.finished_scores[row, 0]).flatten().tolist()

    def _tokens(self, sequence: Tensor) -> list[int]:
        """Without start token, and up to the first EOS."""
        tokens = sequence.tolist()[1:]
        for at, token in enumerate(tokens):
            if token in self.options.eos:
                return tokens[:at]
        return tokens

    def result(self, keep: int) -> tuple[Tensor, Tensor]:
        """The ``keep`` best of each source: sequences [B*keep, L] and scores [B*keep]."""
        sequences = self.finished[:, :keep].flatten(0, 1)
        longest = 1 + int(self.lengths[:, :keep].max())
        return sequences[:, :longest], self.finished_scores[:, :keep].flatten()

    def hit_eos(self, row: int) -> bool:
        """Whether the best answer ends in EOS (else it was cut at the longest length)."""
        return int(self.finished[row, 0, int(self.lengths[row, 0])]) in self.options.eos


def _gather(x: Tensor, index: Tensor) -> Tensor:
    """x [B, C, T], index [B, K] -> [B, K, T]."""
    return torch.take_along_dim(x, index[:, :, None], dim=1)
