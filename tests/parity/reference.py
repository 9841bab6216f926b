"""Tiny random models, the same weights in transformers and in this engine."""

from __future__ import annotations

import torch
import transformers

from longt5 import LongT5Config, LongT5ForConditionalGeneration
from longt5 import weights as longt5_weights

TINY = {
    "vocab_size": 96,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 3,
    "feed_forward_proj": "gated-gelu",
    "encoder_attention_type": "transient-global",
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}


def reference_model(seed: int = 0, scale: float = 1.0, **fields: object):
    """Return transformers' LongT5 in float32, evaluation mode, with random weights.

    ``scale`` multiplies the head, so that near ties do not decide a search.
    """
    torch.manual_seed(seed)
    config = transformers.LongT5Config(**{**TINY, **fields})
    model = transformers.LongT5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("attention_bias.weight"):
                parameter.normal_(0, 0.5)
            elif name.endswith("norm.weight"):
                parameter.uniform_(0.5, 1.5)
        model.shared.weight.mul_(scale)
    return model


def ours_like(reference) -> LongT5ForConditionalGeneration:
    """Return this engine's model with the reference's weights."""
    config = LongT5Config.from_dict(reference.config.to_dict())
    model = LongT5ForConditionalGeneration(config).eval()
    longt5_weights.assign_tensors(model, reference.state_dict())
    return model


def pair(seed: int = 0, scale: float = 1.0, **fields: object):
    """Return (reference, ours) with equal weights."""
    reference = reference_model(seed, scale, **fields)
    return reference, ours_like(reference)


def padded_batch(lengths: list[int], vocab: int, side: str = "right", seed: int = 1):
    """Return random ids and mask [B, max(lengths)], padded with 0 on the given side."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths)
    ids = torch.randint(2, vocab, (len(lengths), width), generator=generator)
    position = torch.arange(width)
    rows = []
    for length in lengths:
        rows.append(position < length if side == "right" else position >= width - length)
    mask = torch.stack(rows).long()
    return ids * mask, mask


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference over the largest reference value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())
