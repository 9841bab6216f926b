"""Int8 weights for the matrices of the decode step.

A decode step reads every decoder weight once for a handful of rows, so half the bytes take almost
half the time. The encoder multiplies thousands of rows per weight and gains nothing by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import LongT5ForConditionalGeneration

# Not quantized: the inputs of the feed-forward's output matrix and of the head have the widest
# ranges, and lose the most by rounding.
UNQUANTIZED = ("wo", "lm_head")


def is_quantized(model: LongT5ForConditionalGeneration) -> bool:
    """Return whether any matrix of the model's decode steps is int8."""
    return any(
        fused.quantized
        for block in model.decoder.block
        for sublayer in block.layer
        for fused in (sublayer.inner.fused_in, sublayer.inner.fused_out)
    )


def quantize_decoder(
    model: LongT5ForConditionalGeneration, keep: tuple[str, ...] = UNQUANTIZED
) -> LongT5ForConditionalGeneration:
    """Let decode steps of a model on the CPU use int8 weights, except for the matrices in ``keep``.

    Changes the model in place and returns it; its parameters, which training and the encoder
    use, do not change.
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
