"""Where in the source a token was read: the cross-attention of each step, reduced to spans.

B sources, K rows of each, H heads, S source tokens, N spans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# For each source its spans, as (start, end) token positions; they may overlap or leave gaps.
Spans = Sequence[Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Watcher:
    """What a layer shows its weights [B, H, K, S] to: the sum of the wanted heads is added up.

    ``heads`` are numbers on the device, since :meth:`reduce` may be recorded.
    """

    heads: Tensor
    add: Callable[[Tensor], None]

    def reduce(self, weights: Tensor) -> Tensor:
        """[B, H, K, S] -> [B, K, S]."""
        whole = len(self.heads) == weights.shape[1]
        return (weights if whole else weights.index_select(1, self.heads)).sum(1)

    def __call__(self, weights: Tensor) -> None:
        self.add(self.reduce(weights))


class AttentionRecord:
    """Shares of attention on each span, kept until they are taken: [B, K, N] a step.

    A token belongs to the step that chose it, read in the row that it came from.
    """

    def __init__(
        self, spans: Spans, heads: Sequence[tuple[int, int]], rows: int, device: torch.device
    ) -> None:
        widest = max(map(len, spans))
        padded = [[*own, *[(0, 0)] * (widest - len(own))] for own in spans]
        edges = torch.tensor(padded, dtype=torch.long, device=device)
        edges = edges.reshape(len(spans), 1, widest, 2).expand(-1, rows, -1, -1)
        self.begins, self.ends = edges.unbind(-1)
        self.counts, self.rows, self.weight = [len(own) for own in spans], rows, 1 / len(heads)
        layers: dict[int, list[int]] = {}
        for layer, head in heads:
            layers.setdefault(layer, []).append(head)
        self.layers = {n: torch.tensor(own, device=device) for n, own in layers.items()}
        self.seen: Tensor | None = None
        self.steps: list[Tensor | None] = []
        self.taken = dict.fromkeys(range(len(spans)), 0)

    def watch(self) -> dict[int, Watcher]:
        """For each layer whose heads are wanted, what to show its weights to."""
        return {layer: Watcher(heads, self._add) for layer, heads in self.layers.items()}

    def _add(self, share: Tensor) -> None:
        self.seen = share if self.seen is None else self.seen + share

    def end_step(self) -> None:
        """Reduce what the layers showed in this step."""
        assert self.seen is not None
        running = F.pad(self.seen.cumsum(-1), (1, 0))
        shares = running.gather(2, self.ends) - running.gather(2, self.begins)
        self.steps.append(shares.clamp(min=0) * self.weight)
        self.seen = None

    def take(self, row: int, origins: Sequence[int], last: bool) -> list[list[float]]:
        """The shares of the next tokens of a source, from the model rows that chose them.

        What no source still needs is forgotten; ``last`` says that this one takes no more.
        """
        begin, found = self.taken[row], []
        for at, origin in enumerate(origins, begin):
            shares = self.steps[at]
            assert shares is not None
            found.append(shares[row, origin % self.rows, : self.counts[row]].tolist())
        self.taken[row] = begin + len(origins)
        if last:
            del self.taken[row]
        forgettable = min(self.taken.values(), default=len(self.steps))
        for at in range(begin, forgettable):
            self.steps[at] = None
        return found


def validate_spans(spans: Spans, batch: int, source: int) -> Spans:
    """The spans. Raises ValueError when they do not fit a [batch, source] input."""
    if len(spans) != batch:
        raise ValueError(f"There are spans for {len(spans)} sources, but {batch} sources.")
    for begin, end in (span for own in spans for span in own):
        if not 0 <= begin <= end <= source:
            raise ValueError(f"The span ({begin}, {end}) does not fit {source} tokens.")
    return spans
