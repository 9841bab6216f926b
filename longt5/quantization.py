"""Int8 weights for the decode step: which matrices take them, and which stay as they are.

A decode step reads every decoder weight once for a handful of rows, so half the bytes is almost
half the time. The encoder multiplies thousands of rows per weight and gains nothing by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import LongT5ForConditionalGeneration

# The feed-forward's output matrix and the head see the widest ranges: they stay as they are.
KEPT = ("wo", "lm_head")


def is_quantized(model: LongT5ForConditionalGeneration) -> bool:
    """Whether any matrix of its decode steps is to be int8."""
    return any(
        fused.quantized
        for block in model.decoder.block
        for sublayer in block.layer
        for fused in (sublayer.inner.fused_in, sublayer.inner.fused_out)
    )


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
