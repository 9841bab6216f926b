"""Decode steps without a cache, which also return attentions and states, as transformers does.

Each step computes all positions again: for a look inside a model, not for speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .outputs import EncoderStates

if TYPE_CHECKING:
    from .model import LongT5ForConditionalGeneration

PerLayer = tuple[Tensor, ...]


@dataclass
class UncachedDecoder:
    """The rows of a decode, and what their last positions gave at each step.

    ``attentions``: [R, H, 1, t] per layer; ``cross_attentions``: [R, H, 1, S]; ``hidden_states``:
    [R, 1, D] before each layer and the last one.
    """

    model: LongT5ForConditionalGeneration
    encoded: EncoderStates
    tokens: Tensor | None = None
    attentions: list[PerLayer] = field(default_factory=list)
    cross_attentions: list[PerLayer] = field(default_factory=list)
    hidden_states: list[PerLayer] = field(default_factory=list)

    @classmethod
    def of(
        cls, model: LongT5ForConditionalGeneration, encoded: EncoderStates, rows: int
    ) -> UncachedDecoder:
        """Return the decoder of ``rows`` rows per source."""
        repeated = replace(
            encoded,
            last_hidden_state=encoded.last_hidden_state.repeat_interleave(rows, 0),
            attention_mask=encoded.attention_mask.repeat_interleave(rows, 0),
        )
        return cls(model, repeated)

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token per row ([R]) -> float32 logits [R, V]."""
        last = tokens[:, None]
        self.tokens = last if self.tokens is None else torch.cat([self.tokens, last], 1)
        output = self.model(
            encoder_outputs=self.encoded,
            decoder_input_ids=self.tokens,
            output_attentions=True,
            output_hidden_states=True,
        )
        self.attentions.append(tuple(w[:, :, -1:] for w in output.decoder_attentions or ()))
        self.cross_attentions.append(tuple(w[:, :, -1:] for w in output.cross_attentions or ()))
        self.hidden_states.append(tuple(x[:, -1:] for x in output.decoder_hidden_states or ()))
        assert output.logits is not None
        return output.logits[:, -1].float()

    def reorder(self, parents: Tensor) -> None:
        """Make row ``i`` continue row ``parents[i]``."""
        if self.tokens is not None:
            self.tokens = self.tokens[parents.to(self.tokens.device)]
