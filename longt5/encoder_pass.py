"""One pass of the encoder, a layer or a part of one at a time: other work may come between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .hooks import is_hooked
from .kernels.linear import needs_plain_torch
from .outputs import EncoderStates

if TYPE_CHECKING:
    from .model import Encoder

NO_PART = object()  # of a layer is left


class EncoderPass:
    """The pass over embeddings x [B, S, D] with mask [B, S]: :meth:`advance` or
    :meth:`advance_part` until ``done`` equals ``layers``, then :meth:`result`."""

    def __init__(
        self,
        encoder: Encoder,
        x: Tensor,
        mask: Tensor,
        want_states: bool = False,
        want_weights: bool = False,
    ) -> None:
        self.encoder, self.mask = encoder, mask
        self.want_states, self.want_weights = want_states, want_weights
        self.layers, self.done = len(encoder.block), 0
        self.geometry = encoder.block[0].layer[0].inner.geometry(mask.bool())
        # A copy, because inference adds to it in place.
        x = x.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        self.x = F.dropout(x, encoder.dropout, encoder.training)
        # Without gradients the layers add to x in place; with them, the states are in the graph.
        self.in_place = not (needs_plain_torch() or encoder.training)
        self.states = [self._state()] if want_states else []
        self.attentions: list[Tensor] = []
        self.parts: Iterator[None] | None = None  # of the layer at hand

    def _state(self) -> Tensor:
        return self.x.clone() if self.in_place else self.x

    def advance(self) -> None:
        """Compute the next layer."""
        block = self.encoder.block[self.done]
        self.x, weights = block(self.x, self.geometry, self.want_weights)
        self.done += 1
        if self.want_states:
            self.states.append(self._state())
        if weights is not None:
            self.attentions.append(weights)

    def advance_part(self) -> None:
        """Compute the next part of a layer; the whole layer where it has hooks, or where more than
        its result is wanted."""
        block = self.encoder.block[self.done]
        if not self.in_place or self.want_states or self.want_weights or is_hooked(block):
            self.advance()
            return
        if self.parts is None:
            self.parts = block.parts(self.x, self.geometry)
        if next(self.parts, NO_PART) is NO_PART:
            self.parts = None
            self.done += 1

    def result(self) -> EncoderStates:
        """Return the states after the last layer."""
        encoder = self.encoder
        x = F.dropout(encoder.final_layer_norm(self.x), encoder.dropout, encoder.training)
        return EncoderStates(
            x,
            self.mask,
            hidden_states=(*self.states[:-1], x) if self.want_states else None,
            attentions=tuple(self.attentions) if self.want_weights else None,
        )
