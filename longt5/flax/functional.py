"""LongT5 in JAX as pure functions of a pytree of parameters: encode, decode, logits.

Parameter names are those of the published Flax checkpoints. Every function may be jitted,
differentiated and mapped; ``config`` is a static argument.
B batch, S source, T target, K rows of one source, R = B*K rows, D model dim, V vocabulary.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from ..config import LongT5Config
from . import attention
from .cache import DecoderCache
from .layers import PRECISE, Dropout, Params, add, add_dense, linear, normed, rms_norm

Layers = tuple[Array, ...] | None


class EncoderStates(NamedTuple):
    """Encoder output: states [B, S, D] and the mask [B, S] of the source (1 token, 0 padding)."""

    last_hidden_state: Array
    attention_mask: Array
    input_ids: Array | None = None
    hidden_states: Layers = None
    attentions: Layers = None


class DecoderOutput(NamedTuple):
    """Decoder output: states [R, T, D], logits [R, T, V] with a head, and the grown cache."""

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


STATIC_ARGUMENTS = ("config", "want_states", "want_weights")


@partial(jax.jit, static_argnames=STATIC_ARGUMENTS)
def encode(
    params: Params,
    config: LongT5Config,
    input_ids: Array,
    attention_mask: Array,
    want_states: bool = False,
    want_weights: bool = False,
    dropout_rng: Array | None = None,
) -> EncoderStates:
    """Encode ids [B, S] -> states; memory and time are linear in S (for a fixed G)."""
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
    """Return an empty cache for ``rows`` = B * K rows of at most ``max_length`` positions."""
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


@partial(jax.jit, static_argnames=STATIC_ARGUMENTS)
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
    """Decode the next positions of every row, ids [R, T]; the cache grows by T.

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
    """Return float32 logits [..., V] of decoder states [..., D], by the head or the embedding."""
    if config.scale_decoder_outputs:
        states = states * config.d_model**-0.5
    kernel = params["lm_head"]["kernel"] if "lm_head" in params else params["shared"]["embedding"].T
    return jnp.matmul(
        states.astype(kernel.dtype), kernel, precision=PRECISE, preferred_element_type=jnp.float32
    )


def shift_tokens_right(
    input_ids: ArrayLike, pad_token_id: int, decoder_start_token_id: int
) -> Array:
    """Return decoder input for labels [B, T]: the start token, then all but the last label.

    Labels of -100 become padding.
    """
    ids = jnp.asarray(input_ids)
    shifted = jnp.roll(ids, 1, axis=-1).at[..., 0].set(decoder_start_token_id)
    return jnp.where(shifted == -100, pad_token_id, shifted)
