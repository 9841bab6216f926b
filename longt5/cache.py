"""Keys and values of one decode; the decoding loop makes them and drops them at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from .attention_record import Watcher
from .kernels.decode import CrossStates
from .kernels.graph import RecordedStep
from .kernels.joined import DecoderStep
from .kernels.threads import ThreadTuner


@dataclass
class DecoderCache:
    """State of ``R = B * K`` rows (beam-major within each source) after ``length`` steps.

    ``self_keys``, ``self_values``: per layer [R, H, T, d], preallocated to the longest target.
    ``cross``: per layer the encoder's keys and values, shared by the K beams of a source.
    ``cross_bias``: [B, 1, 1, S] float32, None without padding. ``self_bias``: [H, T].
    ``threads``: chooses the number of threads of each step.
    ``watch``: by layer, what receives its cross-attention weights [B, H, K, S] at each step.
    ``recorded_step``: the step recorded on a GPU, None where steps are not recorded.
    ``joined_step``: all layers as one call, which tracks where each row's positions lie, so that
    :meth:`reorder` moves no keys and values; None where layers run one after the other.
    """

    self_keys: list[Tensor]
    self_values: list[Tensor]
    cross: list[CrossStates]
    cross_bias: Tensor | None
    self_bias: Tensor
    num_beams: int
    length: int = 0
    threads: ThreadTuner = field(default_factory=ThreadTuner)
    watch: dict[int, Watcher] = field(default_factory=dict)
    recorded_step: RecordedStep | None = None
    joined_step: DecoderStep | None = None

    @property
    def capacity(self) -> int:
        return self.self_keys[0].shape[2]

    def check(self, tokens: Tensor) -> None:
        """Raise ValueError unless there is one token for each row and room for them.

        A compiled step would write past the end.
        """
        rows = self.self_keys[0].shape[0]
        if tokens.shape != (rows,):
            raise ValueError(
                f"The tokens of a step are {tuple(tokens.shape)}, but the cache has {rows} rows."
            )
        if self.length >= self.capacity:
            raise ValueError(f"The cache holds {self.capacity} positions and is full.")

    def reorder(self, parents: Tensor) -> None:
        """Make row ``i`` continue row ``parents[i]`` ([R] flat indices, fastest on the CPU)."""
        if self.recorded_step is not None:
            self.recorded_step.parents.copy_(parents)
            return
        if self.length == 0:
            return
        if self.joined_step is not None:
            self.joined_step.reorder(parents, self.length)
            return
        parents = parents.to(self.self_keys[0].device)
        for store in (*self.self_keys, *self.self_values):
            used = store[:, :, : self.length]
            used.copy_(used.index_select(0, parents))

    def reorder_all(self, parents: Tensor) -> None:
        """Reorder all positions, written or not: the same work at every length, as a recording
        needs."""
        for store in (*self.self_keys, *self.self_values):
            store.copy_(store.index_select(0, parents))
