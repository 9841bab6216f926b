"""Attention of one decode step, and the layer norm, in plain torch.

R = B * K rows: K beams of B sources; T positions so far. In cross-attention the beams of a
source are query rows over one copy of its keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import widen_float16


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return T5's layer norm of float32 x [..., D] in the weight's dtype, computed in float32."""
    variance = x.pow(2).mean(-1, keepdim=True)
    return (x * torch.rsqrt(variance + eps) * weight.float()).to(weight.dtype)


def self_attention(q: Tensor, keys: Tensor, values: Tensor, length: int, bias: Tensor) -> Tensor:
    """Attend with q [R, H, d] over the first ``length`` of keys, values [R, H, T, d] -> [R, H, d].

    ``bias`` [H, length] float32.
    """
    keys, values = keys[:, :, :length], values[:, :, :length]
    scores = torch.einsum("rhd,rhtd->rht", q.float(), keys.float()) + bias
    weights = scores.softmax(-1).to(values.dtype)
    return torch.einsum("rht,rhtd->rhd", weights, values)


class CrossStates:
    """Keys and values [B, H, S, d] of one layer, shared by the K beams of a source."""

    def __init__(
        self,
        batch: int,
        source: int,
        heads: int,
        width: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (batch, heads, source, width)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)

    def put(self, begin: int, k: Tensor, v: Tensor) -> None:
        """Write rows from ``begin``: k, v [B, n, H, d]."""
        rows = slice(begin, begin + k.shape[1])
        self.keys[:, :, rows] = k.transpose(1, 2)
        self.values[:, :, rows] = v.transpose(1, 2)

    def attend(
        self, q: Tensor, bias: Tensor | None, want_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend with q [B, K, H, d], bias [B, 1, 1, S] -> [B, K, H, d].

        On request also return the weights [B, H, K, S] float32.
        """
        q, keys = widen_float16(q), widen_float16(self.keys)
        scores = (q.transpose(1, 2) @ keys.transpose(-1, -2)).float()
        if bias is not None:
            scores = scores + bias
        weights = scores.softmax(-1)
        out = (weights.to(self.values.dtype) @ self.values).transpose(1, 2)
        return out, weights if want_weights else None
