"""Long attention with gradients, a few blocks at a time: scores are made again going back.

The same sums as the reference. Of each chunk only its output is kept, so memory is linear in S,
and a chunk's scores stay in the cache from product to product.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..blocks import MASKED
from . import Geometry, Side
from .chunked import CHUNK_FLOATS, GPU_CHUNK_FLOATS, _blocks_first, _side_bias


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, dropout: float = 0.0
) -> Tensor:
    """See :mod:`longt5.kernels`; differentiable in q, k, v, side and the biases."""
    batch, source, heads, _ = q.shape
    length = geometry.block_len
    blocks = -(-source // length)
    queries = _blocks_first(q, 0, blocks * length - source)
    keys = _blocks_first(k, length, (blocks + 1) * length - source)
    values = _blocks_first(v, length, (blocks + 1) * length - source)
    hidden = F.pad(~geometry.mask, (length, (blocks + 1) * length - source), value=True)
    globals_ = 0 if side is None else side[0].shape[1]
    sides = () if side is None else tuple(x.transpose(1, 2).contiguous() for x in side)
    floats = CHUNK_FLOATS if q.device.type == "cpu" else GPU_CHUNK_FLOATS
    step = max(1, floats // (batch * heads * length * (3 * length + globals_)))
    local_bias, out = geometry.local_bias[:, None], []
    for first in range(0, blocks, step):
        n = min(step, blocks - first)
        span = slice(first * length, (first + n) * length)
        wide = slice(first * length, (first + n + 2) * length)
        side_bias = (_side_bias(geometry, first, n),) if sides else ()
        out.append(checkpoint(
            _attend_chunk, queries[:, :, span], keys[:, :, wide], values[:, :, wide],
            hidden[:, wide], local_bias, dropout, *sides, *side_bias,
            use_reentrant=False, preserve_rng_state=dropout > 0,
        ))  # fmt: skip
    return torch.cat(out, 2)[:, :, :source].transpose(1, 2)


def _attend_chunk(
    q: Tensor, k: Tensor, v: Tensor, hidden: Tensor, local_bias: Tensor, dropout: float,
    side_keys: Tensor | None = None, side_values: Tensor | None = None,
    side_bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """n blocks: q [B, H, n*L, d], k and v one block wider on both sides, sides [B, H, G, d]."""
    length = local_bias.shape[-2]
    n, reach = q.shape[2] // length, 3 * length
    scores = q.unflatten(2, (n, length)) @ k.unfold(2, reach, length) + local_bias
    windows = hidden.unfold(1, reach, length)
    if windows.any():
        scores = scores.masked_fill(windows[:, None, :, None, :], MASKED)
    if side_keys is not None and side_bias is not None:
        runs = (n, side_bias.shape[3], length // side_bias.shape[3])
        side_scores = (q @ side_keys.transpose(-1, -2)).unflatten(2, runs) + side_bias
        scores = torch.cat([scores, side_scores.flatten(3, 4)], -1)
    weights = F.dropout(scores.softmax(-1), dropout).to(v.dtype)
    out = weights[..., :reach] @ v.unfold(2, reach, length).transpose(-1, -2)
    if side_values is not None:
        out = out + (weights[..., reach:].flatten(2, 3) @ side_values).unflatten(2, (n, length))
    return out.flatten(2, 3)
