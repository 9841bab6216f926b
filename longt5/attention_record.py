"""The cross-attention of each decoding step, reduced to spans of source tokens.

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
    """Receives the attention weights [B, H, K, S] of a layer and passes on the sum of its heads.

    ``heads`` is a tensor of head numbers on the device: :meth:`reduce` may be part of a recorded
    graph.
    """

    heads: Tensor
    add: Callable[[Tensor], None]

    def reduce(self, weights: Tensor) -> Tensor:
        """Sum the chosen heads: [B, H, K, S] -> [B, K, S]."""
        all_heads = len(self.heads) == weights.shape[1]
        return (weights if all_heads else weights.index_select(1, self.heads)).sum(1)

    def __call__(self, weights: Tensor) -> None:
        self.add(self.reduce(weights))


class AttentionRecord:
    """The shares of attention on each span, [B, K, N] per step, stored until they are taken.

    The shares of a token are those of the step that chose it, in the row it was chosen from.
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
        self.step_weights: Tensor | None = None
        self.steps: list[Tensor | None] = []
        # The first step whose shares each source has not taken.
        self.next_step = dict.fromkeys(range(len(spans)), 0)

    def watch(self) -> dict[int, Watcher]:
        """Return the watcher of each layer with recorded heads."""
        return {layer: Watcher(heads, self._add) for layer, heads in self.layers.items()}

    def _add(self, weights: Tensor) -> None:
        self.step_weights = weights if self.step_weights is None else self.step_weights + weights

    def end_step(self) -> None:
        """Reduce the weights of this step, summed over the layers, to spans."""
        assert self.step_weights is not None
        running = F.pad(self.step_weights.cumsum(-1), (1, 0))
        shares = running.gather(2, self.ends) - running.gather(2, self.begins)
        self.steps.append(shares.clamp(min=0) * self.weight)
        self.step_weights = None

    def take(self, row: int, origins: Sequence[int], last: bool) -> list[list[float]]:
        """Return the shares of a source's next tokens; ``origins``: the rows that chose them.

        ``last``: the source takes no more. Steps that every source has taken are freed.
        """
        begin, found = self.next_step[row], []
        for at, origin in enumerate(origins, begin):
            shares = self.steps[at]
            assert shares is not None
            found.append(shares[row, origin % self.rows, : self.counts[row]].tolist())
        self.next_step[row] = begin + len(origins)
        if last:
            del self.next_step[row]
        freed = min(self.next_step.values(), default=len(self.steps))
        for at in range(begin, freed):
            self.steps[at] = None
        return found


def validate_spans(spans: Spans, batch: int, source: int) -> Spans:
    """Return the spans. Raises ValueError when they do not fit a [batch, source] input."""
    if len(spans) != batch:
        raise ValueError(f"There are spans for {len(spans)} sources, but {batch} sources.")
    for begin, end in (span for own in spans for span in own):
        if not 0 <= begin <= end <= source:
            raise ValueError(f"The span ({begin}, {end}) does not fit {source} tokens.")
    return spans
