"""The optimizer of a recipe, and the learning rate of each step."""

from __future__ import annotations

import math

import torch
from torch import nn

from .recipe import Optimizer


def build_optimizer(model: nn.Module, options: Optimizer) -> torch.optim.Optimizer:
    """Return AdamW or Adafactor over all parameters; vectors have no weight decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if options.name == "adafactor":
        return torch.optim.Adafactor(groups, lr=options.lr)
    return torch.optim.AdamW(groups, lr=options.lr, betas=options.betas)


def learning_rate(step: int, steps: int, options: Optimizer) -> float:
    """Return the learning rate of a step (from 0): linear warmup, then the schedule.

    >>> options = Optimizer(lr=1.0, warmup=2, final=0.0)
    >>> [round(learning_rate(step, 6, options), 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    if options.schedule == "rsqrt":
        return options.lr * math.sqrt(max(1, options.warmup) / (step + 1))
    if options.schedule == "constant":
        return options.lr
    done = (step - options.warmup) / max(1, steps - options.warmup)
    return options.lr * (options.final + (1 - options.final) * (1 + math.cos(math.pi * done)) / 2)
