"""Outputs of the encoder and the decoder; their fields have transformers' names.

B batch, S source, T target, H heads, N blocks, L block length, G global tokens, D model dim,
V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from .masks import check_source_mask


@dataclass
class EncoderStates:
    """Encoder output: states [B, S, D] and the mask [B, S] of the source (1 token, 0 padding).

    On request also ``hidden_states``, one [B, S, D] before each layer and the last states, and
    ``attentions``, one [B, N, H, L, 3L + G] per layer.
    """

    last_hidden_state: Tensor
    attention_mask: Tensor
    input_ids: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None

    def masked(self, attention_mask: Tensor | None) -> EncoderStates:
        """Return these states with another mask, None for their own.

        Raises ValueError for a mask of another shape, or one that hides all of a source.
        """
        if attention_mask is None:
            return self
        check_source_mask(attention_mask, self.last_hidden_state.shape[:2])
        return replace(self, attention_mask=attention_mask.to(self.last_hidden_state.device))


@dataclass
class DecoderStates:
    """Decoder output: states [B, T, D]; per layer states and weights [B, H, T, T or S]."""

    last_hidden_state: Tensor
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]
    cross_attentions: tuple[Tensor, ...]


@dataclass
class Seq2SeqOutput:
    """Outputs of encoder and decoder; ``logits`` [B, T, V] of models with a head."""

    last_hidden_state: Tensor
    encoder_last_hidden_state: Tensor
    logits: Tensor | None = None
    loss: Tensor | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
