"""Cross-attention of a decode step in plain torch: beams are query rows over one copy of keys."""

from __future__ import annotations

import torch
from torch import Tensor


class CrossStates:
    """Keys and values [B, H, S, d] of one layer, shared by the K beams of a source."""

    def __init__(
        self, batch: int, source: int, heads: int, width: int,
        dtype: torch.dtype, device: torch.device,
    ) -> None:  # fmt: skip
        shape = (batch, heads, source, width)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)

    def put(self, begin: int, k: Tensor, v: Tensor) -> None:
        """Rows ``begin`` and on: k, v [B, n, H, d]."""
        rows = slice(begin, begin + k.shape[1])
        self.keys[:, :, rows] = k.transpose(1, 2)
        self.values[:, :, rows] = v.transpose(1, 2)

    def attend(
        self, q: Tensor, bias: Tensor | None, want_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """q [B, K, H, d], bias [B, 1, 1, S] -> [B, K, H, d], and weights [B, H, K, S] float32."""
        keys = self.keys
        if q.dtype is torch.float16:
            # Products of float16 can overflow before they are summed.
            q, keys = q.float(), keys.float()
        scores = (q.transpose(1, 2) @ keys.transpose(-1, -2)).float()
        if bias is not None:
            scores = scores + bias
        weights = scores.softmax(-1)
        out = (weights.to(self.values.dtype) @ self.values).transpose(1, 2)
        return out, weights if want_weights else None
