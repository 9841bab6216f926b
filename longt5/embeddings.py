"""Another size of the vocabulary: embeddings and head with more or fewer rows."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .model import LongT5PreTrainedModel


def resized(rows: Tensor, size: int, mean: bool, std: float) -> nn.Parameter:
    """Return [V, D] rows as a parameter of ``size`` rows; new ones are the mean, or random."""
    grown = rows.new_empty(size, rows.shape[1])
    kept = min(size, len(rows))
    grown[:kept] = rows[:kept]
    if mean:
        grown[kept:] = rows.float().mean(0).to(rows.dtype)
    else:
        grown[kept:].normal_(0.0, std)
    return nn.Parameter(grown)


@torch.no_grad()
def resize_token_embeddings(model: LongT5PreTrainedModel, size: int, mean: bool) -> None:
    """Change the vocabulary of a model to ``size`` ids, in embeddings, head and config."""
    if size < 1:
        raise ValueError(f"A vocabulary must have at least one id, not {size}.")
    std = model.config.initializer_factor
    old = model.shared.weight
    model.shared.weight = resized(old, size, mean, std)
    model.shared.num_embeddings = size
    if model.has_head:
        head: nn.Linear = model.lm_head  # type: ignore[assignment]
        tied = head.weight is old
        head.weight = model.shared.weight if tied else resized(head.weight, size, mean, std)
        head.out_features = size
    model.config = dataclasses.replace(model.config, vocab_size=size)
