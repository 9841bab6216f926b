"""LongT5 in JAX: pure functions of a pytree of parameters, and the two Flax classes over them.

Parameter names are those of the published Flax checkpoints. Every function may be jitted,
differentiated and mapped; ``config`` is a static argument.
B batch, S source, T target, K rows of one source, R = B*K rows, D model dim, V vocabulary.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..config import LongT5Config, check_batch, check_mask
from ..generation_config import GenerationConfig
from . import attention, weights
from .cache import DecoderCache
from .layers import PRECISE, Dropout, Params, add, add_dense, linear, normed, rms_norm

if TYPE_CHECKING:
    from .generation import GenerationOutput

Self = TypeVar("Self", bound="FlaxLongT5Model")
Layers = tuple[Array, ...] | None


class EncoderStates(NamedTuple):
    """What the encoder made of a source: states [B, S, D], mask [B, S] (1 token, 0 padding)."""

    last_hidden_state: Array
    attention_mask: Array
    input_ids: Array | None = None
    hidden_states: Layers = None
    attentions: Layers = None


class DecoderOutput(NamedTuple):
    """States [R, T, D], logits [R, T, V] of a model with a head, and the grown cache."""

    last_hidden_state: Array
    logits: Array | None = None
    past_key_values: DecoderCache | None = None
    hidden_states: Layers = None
    attentions: Layers = None
    cross_attentions: Layers = None


class Seq2SeqOutput(NamedTuple):
    """Outputs of encoder and decoder under transformers' names."""

    last_hidden_state: Array
    encoder_last_hidden_state: Array
    logits: Array | None = None
    decoder_hidden_states: Layers = None
    decoder_attentions: Layers = None
    cross_attentions: Layers = None
    encoder_hidden_states: Layers = None
    encoder_attentions: Layers = None


WANTS = ("config", "want_states", "want_weights")


@partial(jax.jit, static_argnames=WANTS)
def encode(
    params: Params,
    config: LongT5Config,
    input_ids: Array,
    attention_mask: Array,
    want_states: bool = False,
    want_weights: bool = False,
    dropout_rng: Array | None = None,
) -> EncoderStates:
    """ids [B, S] -> states; memory and time linear in S (for a fixed G)."""
    drop = Dropout(config.dropout_rate, dropout_rng)
    name = ("TransientGlobal" if config.uses_globals else "Local") + "SelfAttention"
    layers = [params["encoder"]["block"][str(i)]["layer"] for i in range(config.num_layers)]
    shape = attention.geometry(layers[0]["0"][name], config, attention_mask.astype(bool))
    x = drop(params["shared"]["embedding"][input_ids].astype(jnp.float32))
    states, seen = [x], []
    for layer in layers:
        branch, w = attention.long_attention(
            layer["0"][name], config, normed(layer["0"], config, x), shape, drop, want_weights
        )
        x = add_dense(layer["1"], config, add(x, branch, drop), drop)
        states.append(x)
        seen.append(w)
    norm = params["encoder"]["final_layer_norm"]
    x = drop(rms_norm(norm, x, config.layer_norm_epsilon))
    return EncoderStates(
        x,
        attention_mask,
        input_ids,
        (*states[:-1], x) if want_states else None,
        tuple(w for w in seen if w is not None) if want_weights else None,
    )


@partial(jax.jit, static_argnames=("config", "rows", "max_length"))
def init_cache(
    params: Params, config: LongT5Config, encoded: EncoderStates, rows: int, max_length: int
) -> DecoderCache:
    """An empty cache for ``rows`` = B * K rows of at most ``max_length`` positions."""
    states = encoded.last_hidden_state
    if rows % states.shape[0]:
        raise ValueError(f"{rows} rows cannot share {states.shape[0]} sources evenly.")
    layers = _decoder_layers(params, config)
    dtype = params["shared"]["embedding"].dtype
    empty = jnp.zeros((rows, config.num_heads, max_length, config.d_kv), dtype)

    def crossed(name: str) -> tuple[Array, ...]:
        cross = (layer["1"]["EncDecAttention"][name] for layer in layers)
        return tuple(attention.split(linear(p, states), config.num_heads) for p in cross)

    return DecoderCache(
        self_keys=(empty,) * len(layers),
        self_values=(empty,) * len(layers),
        cross_keys=crossed("k"),
        cross_values=crossed("v"),
        cross_mask=encoded.attention_mask.astype(bool),
        self_bias=attention.decoder_bias(layers[0]["0"]["SelfAttention"], config, max_length),
        length=jnp.zeros((), jnp.int32),
    )


@partial(jax.jit, static_argnames=WANTS)
def decode(
    params: Params,
    config: LongT5Config,
    decoder_input_ids: Array,
    cache: DecoderCache,
    decoder_attention_mask: Array | None = None,
    want_states: bool = False,
    want_weights: bool = False,
    dropout_rng: Array | None = None,
) -> DecoderOutput:
    """The next positions of every row, [R, T] ids, after those in the cache; it grows by T.

    ``decoder_attention_mask`` covers all positions of the cache: [R, capacity].
    """
    drop = Dropout(config.dropout_rate, dropout_rng)
    target = decoder_input_ids.shape[1]
    bias = attention.causal_bias(cache.self_bias, cache.length, target, decoder_attention_mask)
    cross_bias = attention.padding_bias(cache.cross_mask)
    x = drop(params["shared"]["embedding"][decoder_input_ids].astype(jnp.float32))
    states, grown, weights_ = [x], [], []
    for i, layer in enumerate(_decoder_layers(params, config)):
        stores = cache.self_keys[i], cache.self_values[i], cache.length
        p = layer["0"]["SelfAttention"]
        hidden = normed(layer["0"], config, x)
        branch, own, *kept = attention.cached_attention(p, config, hidden, *stores, bias, drop)
        x = add(x, branch, drop)
        source = cache.cross_keys[i], cache.cross_values[i]
        p = layer["1"]["EncDecAttention"]
        hidden = normed(layer["1"], config, x)
        branch, cross = attention.cross_attention(p, config, hidden, *source, cross_bias, drop)
        x = add_dense(layer["2"], config, add(x, branch, drop), drop)
        states.append(x)
        grown.append(kept)
        weights_.append((own, cross))
    norm = params["decoder"]["final_layer_norm"]
    x = drop(rms_norm(norm, x, config.layer_norm_epsilon))
    keys, values = zip(*grown, strict=True)
    own_weights, cross_weights = zip(*weights_, strict=True)
    return DecoderOutput(
        x,
        None,
        cache._replace(self_keys=keys, self_values=values, length=cache.length + target),
        (*states[:-1], x) if want_states else None,
        own_weights if want_weights else None,
        cross_weights if want_weights else None,
    )


def _decoder_layers(params: Params, config: LongT5Config) -> list[Params]:
    count = config.num_decoder_layers or 0
    return [params["decoder"]["block"][str(i)]["layer"] for i in range(count)]


@partial(jax.jit, static_argnames=("config",))
def logits(params: Params, config: LongT5Config, states: Array) -> Array:
    """Decoder states [..., D] -> float32 [..., V], by the head or the shared embedding."""
    if config.scale_decoder_outputs:
        states = states * config.d_model**-0.5
    kernel = params["lm_head"]["kernel"] if "lm_head" in params else params["shared"]["embedding"].T
    return jnp.matmul(
        states.astype(kernel.dtype), kernel, precision=PRECISE, preferred_element_type=jnp.float32
    )


class FlaxLongT5Model:
    """Encoder and decoder without a head, under the names of transformers' Flax classes.

    ``params`` is a pytree of arrays; every method takes another one as ``params=``. The methods
    are compiled once for each new shape: pad to few lengths, since right padding with a mask
    changes nothing. Dropout only with ``train=True`` and a ``dropout_rng``.
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
        return weights.load(cls, folder_or_hub_id, revision, dtype, local_files_only)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors``, which the PyTorch classes load."""
        weights.save(self, folder)

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
        """Source [B, S] and target [B, T] -> decoder states [B, T, D], logits with a head."""
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
        """Run the encoder once: ids [B, S] -> states to keep and decode as often as wanted."""
        ids = jnp.asarray(input_ids, jnp.int32)
        check_batch("input_ids", ids.shape)
        if 0 in ids.shape:
            raise ValueError("The input has no tokens.")
        mask = jnp.ones_like(ids) if attention_mask is None else jnp.asarray(attention_mask)
        check_mask(mask.shape, ids.shape)
        if not isinstance(ids, jax.core.Tracer):  # JAX itself takes another id without a word
            self.config.check_ids("input_ids", int(ids.min()), int(ids.max()))
        return encode(
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
        """An empty cache for ``decode``: ``batch_size`` rows (a multiple of the sources) of at
        most ``max_length`` positions, and the encoder's keys and values."""
        encoded = _with_mask(encoder_outputs, None)
        params = self.params if params is None else params
        return init_cache(params, self.config, encoded, batch_size, max_length)

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
        """ids [R, T] -> states [R, T, D], logits with a head.

        With ``past_key_values`` (from ``init_cache`` or an earlier output) the ids are the next
        ones, the source is the one in the cache, and ``decoder_attention_mask`` covers all of its
        positions. ``encoder_attention_mask`` is needed only where the outputs carry none. Raises
        ValueError when the cache is full.
        """
        params = self.params if params is None else params
        ids = jnp.asarray(decoder_input_ids, jnp.int32)
        check_batch("decoder_input_ids", ids.shape)
        cache = past_key_values
        if cache is None:
            encoded = _with_mask(encoder_outputs, encoder_attention_mask)
            cache = init_cache(params, self.config, encoded, *ids.shape)
        elif encoder_attention_mask is not None:
            cache = cache._replace(cross_mask=jnp.asarray(encoder_attention_mask, bool))
        full = not isinstance(cache.length, jax.core.Tracer) and (
            int(cache.length) + ids.shape[1] > cache.capacity
        )
        if full:
            raise ValueError(f"The cache holds {cache.capacity} positions and is full.")
        mask = None if decoder_attention_mask is None else jnp.asarray(decoder_attention_mask)
        output = decode(
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
            output = output._replace(logits=logits(params, self.config, output.last_hidden_state))
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
        from . import generation

        return generation.generate(
            self, input_ids, attention_mask, encoder_outputs, params, **options
        )
