"""Kernels of long attention, one module each with the same interface, and their inputs.

``attend(q, k, v, side, geometry) -> [B, S, H, d]``, with ``q, k, v`` [B, S, H, d] and ``side``
the global keys and values [B, G, H, d] (None for local attention). Unscaled, as in T5.
``reference`` is the slow definition that every other module is tested against; :mod:`.select`
takes the fastest one that gives the same numbers on the device at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..blocks import MASKED, three_block_offsets

Side = tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class SideBias:
    """Bias of queries towards the global tokens by distance, and how many tokens are visible.

    ``table`` [H, 2G] float32: the bias of ``global - own block`` = 1 - G .. G; ``rows`` [B, R]:
    the global block of each run of queries (-1: none); ``seen`` [B]: visible globals, the first.
    """

    table: Tensor
    rows: Tensor
    seen: Tensor

    @property
    def total(self) -> int:
        return self.table.shape[1] // 2

    def bias(self, first: int, last: int) -> Tensor:
        """Return [B, H, last - first, G] of these runs of queries, invisible globals masked."""
        position = torch.arange(self.total, device=self.rows.device)
        offsets = position - self.rows[:, first:last, None] + self.total - 1
        bias = self.table[:, offsets].transpose(0, 1)
        hidden = position >= self.seen[:, None]
        return bias.masked_fill(hidden[:, None, None, :], MASKED)


@dataclass(frozen=True)
class Geometry:
    """Masks and biases by distance, the same for every layer of one encoder pass.

    ``mask`` [B, S] True = token; ``local_table`` [H, 4L - 1] float32: the bias of
    ``key - query`` = 1 - 2L .. 2L - 1, masked beyond the window; ``side`` None for local attention.
    A run of ``block_size`` queries shares a row of the side bias.
    """

    mask: Tensor
    block_len: int
    local_table: Tensor
    block_size: int
    side: SideBias | None

    @cached_property
    def local_bias(self) -> Tensor:
        """Return the bias of a block's queries over three blocks of keys: [H, L, 3L]."""
        offsets = three_block_offsets(self.block_len).to(self.local_table.device)
        return self.local_table[:, offsets + 2 * self.block_len - 1]

    @cached_property
    def prepared(self) -> dict[str, Any]:
        """Cache what a kernel prepares once for all layers, by the kernel's name."""
        return {}

    @cached_property
    def side_bias(self) -> Tensor | None:
        """Return the bias of all runs of queries over the globals: [B, H, R, G]; quadratic in S."""
        return None if self.side is None else self.side.bias(0, self.side.rows.shape[1])


def widen_float16(x: Tensor) -> Tensor:
    """Return float16 as float32, where products could overflow before they are summed."""
    return x.float() if x.dtype is torch.float16 else x
