"""One module per way to compute the encoder's long attention; all have the same signature.

``attend(q, k, v, side, geometry) -> [B, S, H, d]``, with ``q, k, v`` [B, S, H, d] and ``side``
the global keys and values [B, G, H, d] (None for local attention). Unscaled, as in T5.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
