"""Greedy search and sampling: one hypothesis per row, each token certain at once.

Never sees the model. R = B * N rows: B sources, N samples of each; V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .beam_search import SearchOptions, reason_of_end


class GreedySearch:
    """State of R rows; ``step`` takes processed logits and returns tokens and parents.

    ``draft``, ``settled``, ``end_of`` and ``origins`` concern the first sample of a source.
    """

    def __init__(self, batch: int, options: SearchOptions, samples: int = 1) -> None:
        self.options, self.samples = options, samples
        rows = batch * samples
        self.length, self.done = 1, False
        self.rows: list[list[int]] = [[options.start] for _ in range(rows)]
        self.texts: list[list[int]] = [[] for _ in range(rows)]
        self.ended = [False] * rows
        self.reasons = ["length"] * rows

    def step(self, logits: Tensor) -> tuple[list[int], list[int]]:
        """Take processed logits [R, V]; return the token of each row, which continues itself."""
        chosen = self._choose(logits)
        tokens = [self.options.fill if e else t for e, t in zip(self.ended, chosen, strict=True)]
        for i, token in enumerate(tokens):
            self.rows[i].append(token)
            if not self.ended[i]:
                is_eos = token in self.options.eos
                self.texts[i] += [] if is_eos else [token]
                ends = self.options.ends
                self.ended[i] = is_eos or (ends is not None and ends(self.rows[i]))
                if self.ended[i]:
                    self.reasons[i] = reason_of_end(self.rows[i], self.options)
        self.length += 1
        self.done = all(self.ended) or self.length >= self.options.max_length
        return tokens, list(range(len(tokens)))

    def _choose(self, logits: Tensor) -> list[int]:
        if not self.options.do_sample:
            return logits.argmax(-1).tolist()
        # Ended rows draw too, as in transformers, so that a seed gives the same tokens.
        probabilities = logits.softmax(-1)
        return torch.multinomial(probabilities, 1, generator=self.options.generator)[:, 0].tolist()

    def draft(self, row: int) -> tuple[list[int], list[int]]:
        """Return (committed, provisional); every token is certain."""
        return list(self.texts[row * self.samples]), []

    def settled(self, row: int) -> bool:
        """Return whether the answer of this source is final."""
        return self.done or self.ended[row * self.samples]

    def end_of(self, row: int) -> str:
        """Return why the answer ended: "eos", "stop_string" or "length"."""
        return self.reasons[row * self.samples]

    def origins(self, row: int, begin: int, stop: int) -> list[int]:
        """Return the row that produced each token ``begin .. stop - 1`` of the draft."""
        return [row * self.samples] * (stop - begin)

    def origins_of_result(self, keep: int) -> None:
        """Return None: every row continues itself."""

    def result(self, keep: int) -> tuple[Tensor, None]:
        """Return sequences [R, L] with start token, EOS and fill; there are no scores."""
        return torch.tensor(self.rows), None
