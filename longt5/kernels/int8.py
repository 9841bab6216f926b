"""Products with int8 weights in plain torch: each row of a matrix has one scale."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[O, I] -> int8 [O, I] and float32 scales [O]; ``int8 * scale`` is within half a scale.

    Scales have the precision of bfloat16, which torch's own routine takes.

    >>> q, scale = quantize_rows(torch.tensor([[1.0, -0.5, 0.25]]))
    >>> q.tolist()
    [[127, -64, 32]]
    """
    scale = (weight.float().abs().amax(-1) / 127).clamp(min=1e-12).bfloat16().float()
    # Whole numbers are taken of the rounded scale, so that its rounding costs nothing.
    whole = (weight.float() / scale[:, None]).round().clamp(-127, 127)
    return whole.to(torch.int8), scale


def thin_product(
    x: Tensor, weights: Sequence[Tensor], scales: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """x [R, I] times each of ``weights * scales`` -> [R, O_i] in x's dtype, for few rows."""
    # The routine reads the weights again every four rows.
    rows = x.to(torch.bfloat16).split(4)
    return tuple(
        torch.cat([torch._weight_int8pack_mm(r, w, s.bfloat16()) for r in rows]).to(x.dtype)
        for w, s in zip(weights, scales, strict=True)
    )
