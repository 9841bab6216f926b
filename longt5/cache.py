"""Keys and values of one decode: made by the loop, passed as an argument, dropped with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .attention_record import Watcher
from .kernels.decode import CrossStates
from .kernels.graph import FixedStep
from .kernels.joined import DecoderStep
from .kernels.threads import Pace


@dataclass
class DecoderCache:
    """State of ``R = B * K`` rows (beam-major within each source) after ``length`` steps.

    ``self_keys``, ``self_values``: per layer [R, H, T, d], preallocated to the longest target.
    ``cross``: per layer the encoder's keys and values, shared by the K beams of a source.
    ``cross_bias``: [B, 1, 1, S] float32, None without padding. ``self_bias``: [H, T].
    ``pace``: how many threads a step takes.
    ``watch``: who is shown the cross-attention weights [B, H, K, S] of a layer at each step.
    ``fixed``: the recorded step, where steps are recorded; ``layers``: all of them in one call,
    which knows itself where each row's positions lie, so that nothing is moved.
    """

    self_keys: list[Tensor]
    self_values: list[Tensor]
    cross: list[CrossStates]
    cross_bias: Tensor | None
    self_bias: Tensor
    num_beams: int
    length: int = 0
    pace: Pace = field(default_factory=Pace)
    watch: dict[int, Watcher] = field(default_factory=dict)
    fixed: FixedStep | None = None
    layers: DecoderStep | None = None

    @property
    def capacity(self) -> int:
        return self.self_keys[0].shape[2]

    def check(self, tokens: Tensor) -> None:
        """Raises ValueError unless there is one token for each row, and room for them: a compiled
        step would write past the end."""
        rows = self.self_keys[0].shape[0]
        if tokens.shape != (rows,):
            raise ValueError(
                f"The tokens of a step are {tuple(tokens.shape)}, but the cache has {rows} rows."
            )
        if self.length >= self.capacity:
            raise ValueError(f"The cache holds {self.capacity} positions and is full.")

    def reorder(self, parents: Tensor) -> None:
        """Make row ``i`` continue row ``parents[i]`` ([R] flat indices, best on the CPU)."""
        if self.fixed is not None:
            self.fixed.parents.copy_(parents)
            return
        identity = torch.arange(len(parents), device=parents.device)
        if self.length == 0 or torch.equal(parents, identity):
            return
        if self.layers is not None:
            self.layers.reorder(parents, self.length)
            return
        parents = parents.to(self.self_keys[0].device)
        for store in (*self.self_keys, *self.self_values):
            used = store[:, :, : self.length]
            used.copy_(used.index_select(0, parents))

    def reorder_all(self, parents: Tensor) -> None:
        """:meth:`reorder` of every place, written or not: the same work whatever the length."""
        for store in (*self.self_keys, *self.self_values):
            store.copy_(store.index_select(0, parents))
