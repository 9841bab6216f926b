"""Int8 weights for the decode step: each row of a matrix as whole numbers times one scale.

A decode step reads every decoder weight once for a handful of rows, so half the bytes is almost
half the time. The encoder multiplies thousands of rows per weight and gains nothing by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .model import LongT5ForConditionalGeneration

# The feed-forward's output matrix and the head see the widest ranges: they stay as they are.
KEPT = ("wo", "lm_head")


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """[O, I] -> int8 [O, I] and bfloat16 scales [O]; ``int8 * scale`` is within half a scale.

    >>> q, scale = quantize_rows(torch.tensor([[1.0, -0.5, 0.25]]))
    >>> q.tolist()
    [[127, -64, 32]]
    """
    scale = (weight.float().abs().amax(-1) / 127).clamp(min=1e-12).bfloat16()
    # Whole numbers are taken of the rounded scale, so that its rounding costs nothing.
    whole = (weight.float() / scale.float()[:, None]).round().clamp(-127, 127)
    return whole.to(torch.int8), scale


def multiply(x: Tensor, whole: Tensor, scale: Tensor) -> Tensor:
    """``x @ (whole * scale).T`` for few rows: x [R, I] -> [R, O] in x's dtype."""
    rows = x.to(torch.bfloat16).split(4)  # the routine reads the weights again every four rows
    return torch.cat([torch._weight_int8pack_mm(r, whole, scale) for r in rows]).to(x.dtype)


def quantize_decoder(
    model: LongT5ForConditionalGeneration, keep: tuple[str, ...] = KEPT
) -> LongT5ForConditionalGeneration:
    """Let decode steps of a model on the CPU use int8 weights, but for the matrices in ``keep``.

    Changes the model in place and returns it; its parameters, which training and the encoder
    use, stay what they are.
    """
    for block in model.decoder.block:
        own, cross, feed_forward = (sublayer.inner for sublayer in block.layer)
        for layer in (own, cross):
            layer.fused_in.quantized = "qkv" not in keep
            layer.fused_out.quantized = "o" not in keep
        feed_forward.fused_in.quantized = "wi" not in keep
        feed_forward.fused_out.quantized = "wo" not in keep
    head: Any = model.fused_head
    head.quantized = "lm_head" not in keep
    return model
