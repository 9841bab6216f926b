"""Products with int8 weights in plain torch; each row of a matrix has one scale."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize [O, I] to int8 [O, I] and float32 scales [O]; the error is at most half a scale.

    Scales have bfloat16 precision, which torch's own routine needs.

    >>> q, scale = quantize_rows(torch.tensor([[1.0, -0.5, 0.25]]))
    >>> q.tolist()
    [[127, -64, 32]]
    """
    scale = (weight.float().abs().amax(-1) / 127).clamp(min=1e-12).bfloat16().float()
    # Divide by the rounded scale, so that its rounding adds no error.
    quantized = (weight.float() / scale[:, None]).round().clamp(-127, 127)
    return quantized.to(torch.int8), scale


def thin_product(
    x: Tensor, weights: Sequence[Tensor], scales: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Multiply x [R, I] by each of ``weights * scales`` -> [R, O_i] in x's dtype, for few rows."""
    # Torch's routine handles up to four rows per read of the weights.
    rows = x.to(torch.bfloat16).split(4)
    return tuple(
        torch.cat([torch._weight_int8pack_mm(r, w, s.bfloat16()) for r in rows]).to(x.dtype)
        for w, s in zip(weights, scales, strict=True)
    )
