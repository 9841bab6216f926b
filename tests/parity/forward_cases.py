"""Random forward passes in this engine and in transformers: every way to pass source, target, mask.

A case is decided by its seed alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch

from longt5.model import IGNORE_INDEX
from tests.parity.generation_cases import models
from tests.parity.reference import padded_batch

TOLERANCE = 1e-5  # of the largest value
SOURCES = ("input_ids", "inputs_embeds", "encoder_outputs")
TARGETS = ("decoder_input_ids", "decoder_inputs_embeds", "labels")
MASKS = ("none", "2 dimensions", "3 dimensions", "4 dimensions", "4 dimensions, by head")


@dataclass(frozen=True)
class ForwardCase:
    """A forward pass: the model's key, and the names of what is passed."""

    seed: int
    model: tuple[int, int, str]
    source: str
    target: str
    mask: str
    batch: int
    length: int

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the names to count."""
        mask = f"decoder_attention_mask: {self.mask}"
        return f"forward: {self.source}", f"forward: {self.target}", f"forward: {mask}"


def forward_case(seed: int) -> ForwardCase:
    """Return a random case."""
    r = random.Random(f"forward {seed}")
    vocab, attention = r.choice([16, 40, 96]), r.choice(["local", "transient-global"])
    names = r.choice(SOURCES), r.choice(TARGETS), r.choice(MASKS)
    model = (r.randint(0, 3), vocab, attention)
    return ForwardCase(seed, model, *names, batch=r.randint(1, 3), length=r.randint(1, 12))


@torch.no_grad()
def forward_faults(case: ForwardCase) -> list[str]:
    """Return the outputs that differ from transformers'."""
    theirs, ours = models(case.model)
    r = random.Random(f"inputs {case.seed}")
    lengths = [r.randint(1, 60) for _ in range(case.batch)]
    ids, mask = padded_batch(lengths, case.model[1], r.choice(["right", "left"]), case.seed)
    given: dict[str, Any] = {"attention_mask": mask}
    if case.source == "inputs_embeds":
        given["inputs_embeds"] = theirs.shared(ids)
    else:
        given["input_ids"] = ids
    given |= _target(case, theirs)
    if case.mask != "none":
        given["decoder_attention_mask"] = _mask(case, ours.config.num_heads)
    mine = given
    if case.source == "encoder_outputs":
        mine = {k: v for k, v in given.items() if k != "input_ids"}
        mine["encoder_outputs"] = ours.encode(ids, mask)
    a = theirs(**_as_transformers_has_it(given), output_hidden_states=True)
    b = ours(**mine, output_hidden_states=True)
    names = ("loss", "logits", "encoder_last_hidden_state", "decoder_hidden_states")
    return [fault for name in names if (fault := _difference(name, a, b, mask))]


def _target(case: ForwardCase, theirs: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(case.seed)
    shape = case.batch, case.length
    ids = torch.randint(2, case.model[1], shape, generator=generator)
    if case.target == "decoder_inputs_embeds":
        return {case.target: theirs.shared(ids)}
    if case.target == "labels" and case.length > 1:
        ids[:, -1] = IGNORE_INDEX
    return {case.target: ids}


def _mask(case: ForwardCase, heads: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(case.seed)
    batch, length = case.batch, case.length
    if case.mask == "2 dimensions":
        return (torch.rand(batch, length, generator=generator) < 0.7).long()
    seen = torch.rand(batch, length, length, generator=generator) < 0.7
    seen |= torch.eye(length, dtype=torch.bool)
    if case.mask == "3 dimensions":
        return seen
    wide = heads if case.mask.endswith("by head") else 1
    scores = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
    return scores[:, None].expand(-1, wide, -1, -1).contiguous()


def _as_transformers_has_it(given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with a mask of three dimensions as the scores that it means.

    transformers takes one only in the implementation of attention that its version prefers.
    """
    mask = given.get("decoder_attention_mask")
    if mask is None or mask.ndim != 3:
        return given
    scores = torch.where(mask.bool(), 0.0, torch.finfo(torch.float32).min)[:, None]
    return given | {"decoder_attention_mask": scores}


def _difference(name: str, a: Any, b: Any, mask: torch.Tensor) -> str | None:
    theirs, mine = getattr(a, name), getattr(b, name)
    if theirs is None or mine is None:
        return None if theirs is mine else f"{name} is missing in one of them"
    if not isinstance(theirs, tuple):
        theirs, mine = (theirs,), (mine,)
    if len(theirs) != len(mine):
        return f"{name}: {len(mine)} layers, not {len(theirs)}"
    if name.startswith("encoder"):  # padding has no defined state
        theirs, mine = (tuple(x[mask.bool()] for x in states) for states in (theirs, mine))
    for number, (x, y) in enumerate(zip(theirs, mine, strict=True)):
        error = float((x - y).abs().max() / x.abs().max().clamp(min=1e-3))
        if not error <= TOLERANCE:
            return f"{name} {number} differs by {error:.2g}"
    return None
