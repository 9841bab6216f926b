"""Ways to compute the same attention, one module each, behind one small interface.

``attend(q, k, v, side, geometry) -> [B, S, H, d]``, with ``q, k, v`` [B, S, H, d] and ``side``
the global keys and values [B, G, H, d] (None for local attention). Unscaled, as in T5.
``reference`` is the slow twin that every other module is tested against; :mod:`.select` takes
the fastest one that gives the same numbers on the device at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Side = tuple[Tensor, Tensor] | None


@dataclass(frozen=True)
class Geometry:
    """What is the same for every layer of one encoder pass.

    ``mask`` [B, S] True = token; ``local_bias`` [H, L, 3L] with the window already masked;
    ``side_bias`` [B, H, R, G], one row per run of ``block_size`` queries, with invisible global
    tokens already masked (None for local attention).
    """

    mask: Tensor
    block_len: int
    local_bias: Tensor
    block_size: int
    side_bias: Tensor | None


def attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Long attention by the fastest kernel that is right here. Inference only: no gradients."""
    from . import select

    return select.kernel(q, geometry).attend(q, k, v, side, geometry)
