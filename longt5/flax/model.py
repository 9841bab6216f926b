"""The two Flax classes of transformers 4 over the pure functions of :mod:`.functional`.

B batch, S source, T target, R rows of the decoder, D model dim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..config import LongT5Config, check_batch, check_mask
from ..generation_config import GenerationConfig
from . import functional, generation, weights
from .cache import DecoderCache
from .functional import DecoderOutput, EncoderStates, Seq2SeqOutput
from .generation import GenerationOutput
from .layers import Params

Self = TypeVar("Self", bound="FlaxLongT5Model")


class FlaxLongT5Model:
    """Encoder and decoder without a head, under the names of transformers' Flax classes.

    ``params`` is a pytree of arrays; every method takes another one as ``params=``. The methods
    are compiled once for each new shape: pad to few lengths; right padding with a mask changes no
    result. Dropout only with ``train=True`` and a ``dropout_rng``.
    """

    has_head = False

    def __init__(
        self,
        config: LongT5Config,
        seed: int = 0,
        dtype: Any = jnp.float32,
        params: Params | None = None,
    ) -> None:
        self.config = config
        if params is None:
            params = weights.initialize(config, seed, self.has_head)
        kind = weights.choose_dtype(dtype)
        self.params = jax.tree.map(lambda x: jnp.asarray(x, kind), params)

    @property
    def dtype(self) -> Any:
        return self.params["shared"]["embedding"].dtype

    @classmethod
    def from_pretrained(
        cls: type[Self],
        folder_or_hub_id: str | Path,
        revision: str | None = None,
        dtype: Any = jnp.float32,
        local_files_only: bool = False,
    ) -> Self:
        """Load safetensors or the old ``flax_model.msgpack``; see :mod:`longt5.flax.weights`.

        ``dtype`` (float32 or bfloat16) is that of the parameters and of the products.
        """
        return weights.load_pretrained(cls, folder_or_hub_id, revision, dtype, local_files_only)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors``, which the PyTorch classes load."""
        weights.save_pretrained(self, folder)

    def __call__(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        decoder_input_ids: ArrayLike | None = None,
        decoder_attention_mask: ArrayLike | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        train: bool = False,
        params: Params | None = None,
        dropout_rng: Array | None = None,
    ) -> Seq2SeqOutput:
        """Compute decoder states [B, T, D] (and logits) of a source [B, S] and a target [B, T]."""
        if decoder_input_ids is None:
            raise ValueError("decoder_input_ids are needed (the target shifted right).")
        keys = (None, None) if dropout_rng is None else jax.random.split(dropout_rng)
        options: dict[str, Any] = {
            "output_attentions": output_attentions,
            "output_hidden_states": output_hidden_states,
            "train": train,
            "params": params,
        }
        encoded = self.encode(input_ids, attention_mask, **options, dropout_rng=keys[0])
        decoded = self.decode(
            decoder_input_ids,
            encoded,
            decoder_attention_mask=decoder_attention_mask,
            **options,
            dropout_rng=keys[1],
        )
        return Seq2SeqOutput(
            decoded.last_hidden_state,
            encoded.last_hidden_state,
            decoded.logits,
            decoded.hidden_states,
            decoded.attentions,
            decoded.cross_attentions,
            encoded.hidden_states,
            encoded.attentions,
        )

    def encode(
        self,
        input_ids: ArrayLike,
        attention_mask: ArrayLike | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        train: bool = False,
        params: Params | None = None,
        dropout_rng: Array | None = None,
    ) -> EncoderStates:
        """Encode ids [B, S] once -> states that can be decoded any number of times."""
        ids = jnp.asarray(input_ids, jnp.int32)
        check_batch("input_ids", ids.shape)
        if 0 in ids.shape:
            raise ValueError("The input has no tokens.")
        mask = jnp.ones_like(ids) if attention_mask is None else jnp.asarray(attention_mask)
        check_mask(mask.shape, ids.shape)
        if not isinstance(ids, jax.core.Tracer):  # JAX would clamp other ids silently
            self.config.check_ids("input_ids", int(ids.min()), int(ids.max()))
        return functional.encode(
            self.params if params is None else params,
            self.config,
            ids,
            mask,
            output_hidden_states,
            output_attentions,
            _key(train, dropout_rng),
        )

    def init_cache(
        self,
        batch_size: int,
        max_length: int,
        encoder_outputs: EncoderStates | tuple,
        params: Params | None = None,
    ) -> DecoderCache:
        """Return an empty cache for ``decode``, with the encoder's keys and values.

        It has ``batch_size`` rows (a multiple of the sources) of at most ``max_length`` positions.
        """
        encoded = _with_mask(encoder_outputs, None)
        params = self.params if params is None else params
        return functional.init_cache(params, self.config, encoded, batch_size, max_length)

    def decode(
        self,
        decoder_input_ids: ArrayLike,
        encoder_outputs: EncoderStates | tuple,
        encoder_attention_mask: ArrayLike | None = None,
        decoder_attention_mask: ArrayLike | None = None,
        past_key_values: DecoderCache | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        train: bool = False,
        params: Params | None = None,
        dropout_rng: Array | None = None,
    ) -> DecoderOutput:
        """Decode ids [R, T] -> states [R, T, D], and logits with a head.

        With ``past_key_values`` (from ``init_cache`` or an earlier output) the ids are the next
        ones, the source is that of the cache, and ``decoder_attention_mask`` covers all of its
        positions. ``encoder_attention_mask`` is needed only where the outputs carry none. Raises
        ValueError when the cache is full.
        """
        params = self.params if params is None else params
        ids = jnp.asarray(decoder_input_ids, jnp.int32)
        check_batch("decoder_input_ids", ids.shape)
        cache = past_key_values
        if cache is None:
            encoded = _with_mask(encoder_outputs, encoder_attention_mask)
            cache = functional.init_cache(params, self.config, encoded, *ids.shape)
        elif encoder_attention_mask is not None:
            cache = cache._replace(cross_mask=jnp.asarray(encoder_attention_mask, bool))
        full = not isinstance(cache.length, jax.core.Tracer) and (
            int(cache.length) + ids.shape[1] > cache.capacity
        )
        if full:
            raise ValueError(f"The cache holds {cache.capacity} positions and is full.")
        mask = None if decoder_attention_mask is None else jnp.asarray(decoder_attention_mask)
        if mask is not None and mask.shape != (ids.shape[0], cache.capacity):
            raise ValueError(
                f"decoder_attention_mask is {mask.shape}; it must cover the positions of the "
                f"cache: {(ids.shape[0], cache.capacity)}."
            )
        output = functional.decode(
            params,
            self.config,
            ids,
            cache,
            mask,
            output_hidden_states,
            output_attentions,
            _key(train, dropout_rng),
        )
        if past_key_values is None:
            output = output._replace(past_key_values=None)
        if self.has_head:
            scores = functional.logits(params, self.config, output.last_hidden_state)
            output = output._replace(logits=scores)
        return output


def _key(train: bool, dropout_rng: Array | None) -> Array | None:
    if train and dropout_rng is None:
        raise ValueError("train=True needs a dropout_rng.")
    return dropout_rng if train else None


def _with_mask(encoder_outputs: EncoderStates | tuple, mask: ArrayLike | None) -> EncoderStates:
    states = encoder_outputs[0]
    if mask is None:
        mask = getattr(encoder_outputs, "attention_mask", None)
    mask = jnp.ones(states.shape[:2], jnp.int32) if mask is None else jnp.asarray(mask)
    check_mask(mask.shape, states.shape[:2])
    return EncoderStates(states, mask)


class FlaxLongT5ForConditionalGeneration(FlaxLongT5Model):
    """Encoder, decoder and language-model head; generates.

    ``params["lm_head"]`` is there when the checkpoint has a head of its own, else the head is
    ``params["shared"]``.
    """

    has_head = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.generation_config = GenerationConfig()

    def generate(
        self,
        input_ids: ArrayLike | None = None,
        attention_mask: ArrayLike | None = None,
        *,
        encoder_outputs: EncoderStates | None = None,
        params: Params | None = None,
        **options: Any,
    ) -> GenerationOutput:
        """See :func:`longt5.flax.generation.generate`."""
        return generation.generate(
            self, input_ids, attention_mask, encoder_outputs, params, **options
        )
