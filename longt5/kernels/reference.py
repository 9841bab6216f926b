"""Long attention as the paper defines it: all blocks at once, one softmax; slow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import mask_bias, pad_to_blocks, three_blocks
from . import Geometry, Side


def attention_weights(q: Tensor, k: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Return softmax weights over [local | global] keys in float32: [B, N, H, L, 3L + G]."""
    length, batch = geometry.block_len, q.shape[0]
    queries = pad_to_blocks(q, length).unflatten(1, (-1, length)).float()
    keys = three_blocks(pad_to_blocks(k, length), length).float()
    scores = torch.einsum("bnqhd,bnkhd->bnhqk", queries, keys) + geometry.local_bias
    visible = three_blocks(pad_to_blocks(geometry.mask, length), length)
    scores = scores + mask_bias(visible)[:, :, None, None, :]
    if side is not None:
        side_scores = torch.einsum("bnqhd,bghd->bnhqg", queries, side[0].float())
        assert geometry.side_bias is not None
        bias = geometry.side_bias.repeat_interleave(geometry.block_size, dim=2)
        bias = F.pad(bias, (0, 0, 0, max(0, queries.shape[1] * length - bias.shape[2])))
        bias = bias[:, :, : queries.shape[1] * length].unflatten(2, (-1, length)).transpose(1, 2)
        scores = torch.cat([scores, side_scores + bias], dim=-1)
    return scores.softmax(-1).reshape(batch, queries.shape[1], -1, length, scores.shape[-1])


def apply_weights(weights: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Return the weighted sum of the values: [B, N, H, L, 3L + G] -> [B, S, H, d]."""
    length, source = geometry.block_len, v.shape[1]
    values = three_blocks(pad_to_blocks(v, length), length)
    weights = weights.to(v.dtype)
    out = torch.einsum("bnhqk,bnkhd->bnqhd", weights[..., : 3 * length], values)
    if side is not None:
        out = out + torch.einsum("bnhqg,bghd->bnqhd", weights[..., 3 * length :], side[1])
    return out.flatten(1, 2)[:, :source]


def attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Compute long attention; see :mod:`longt5.kernels`."""
    return apply_weights(attention_weights(q, k, side, geometry), v, side, geometry)
