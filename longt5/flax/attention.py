"""The attention layers in JAX: local, transient-global, and the decoder's; pure functions.

Long attention computes a few blocks at a time, so that memory is linear in S.
B batch, S source, T target, N blocks, L block length, H heads, d head dim, G global tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..config import LongT5Config
from . import blocks
from .blocks import MASKED
from .layers import PRECISE, Dropout, Params, linear, rms_norm

# Scores of one chunk, in floats: few enough for a processor's cache, or enough to keep an
# accelerator busy.
CHUNK_FLOATS, ACCELERATOR_CHUNK_FLOATS = 3_000_000, 64_000_000

Side = tuple[Array, Array] | None


@dataclass(frozen=True)
class SideBias:
    """Bias of queries towards the global tokens by distance, and how many tokens are visible.

    ``table`` [H, 2G] float32: the bias of ``global - own block`` = 1 - G .. G; ``count`` [B]: full
    blocks; ``seen`` [B]: visible globals, the first.
    """

    table: Array
    count: Array
    seen: Array

    def bias(self, rows: Array) -> Array:
        """Return the bias of queries in global rows [R]: [B, H, R, G], invisible globals masked."""
        heads, total = self.table.shape[0], self.table.shape[1] // 2
        own = jnp.minimum(rows[None, :], self.count[:, None] - 1)
        slices = jax.vmap(
            jax.vmap(lambda at: jax.lax.dynamic_slice(self.table, (0, at), (heads, total)))
        )(total - 1 - own)
        hidden = jnp.arange(total) >= self.seen[:, None]
        return jnp.where(hidden[:, None, None, :], MASKED, slices.swapaxes(1, 2))


@dataclass(frozen=True)
class Geometry:
    """Masks and biases by distance, the same for every layer of one encoder pass.

    ``mask`` [B, S] True = token; ``local_bias`` [H, L, 3L] float32, masked beyond the window;
    ``side`` None for local attention. A run of ``block_size`` queries shares a row of the side
    bias.
    """

    mask: Array
    block_len: int
    local_bias: Array
    block_size: int
    side: SideBias | None


def geometry(p: Params, config: LongT5Config, mask: Array) -> Geometry:
    """Return masks and biases for a [B, S] mask (True = token) by the first layer's parameters."""
    length, size = config.block_len, config.global_block_size
    offsets = blocks.three_block_offsets(length)
    local = relative_bias(p["relative_attention_bias"], config, offsets)
    local = jnp.where(np.abs(offsets) > config.local_radius, MASKED, local)
    side = None
    if config.uses_globals and mask.shape[1] >= size:
        ids = blocks.global_blocks(mask, size)
        by_distance = np.arange(1 - ids.total, ids.total + 1)
        table = relative_bias(p["global_relative_attention_bias"], config, by_distance)
        side = SideBias(table, ids.count, blocks.side_validity(ids).sum(-1))
    return Geometry(mask, length, local, size, side)


def relative_bias(
    p: Params, config: LongT5Config, offsets: np.ndarray, bidirectional: bool = True
) -> Array:
    """Return the float32 bias of every ``key - query``: [...] -> [H, ...]."""
    buckets = blocks.relative_position_bucket(
        offsets,
        bidirectional=bidirectional,
        num_buckets=config.relative_attention_num_buckets,
        max_distance=config.relative_attention_max_distance,
    )
    return jnp.moveaxis(p["embedding"].astype(jnp.float32)[buckets], -1, 0)


def split(x: Array, heads: int) -> Array:
    """Split heads: [B, S, H*d] -> [B, H, S, d]."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def merge(p: Params, x: Array) -> Array:
    """Merge heads through the output matrix: [B, H, S, d] -> [B, S, D]."""
    x = x.swapaxes(1, 2)
    return linear(p["o"], x.reshape(*x.shape[:2], -1))


def long_attention(
    p: Params, config: LongT5Config, x: Array, shape: Geometry, drop: Dropout, want_weights: bool
) -> tuple[Array, Array | None]:
    """Attend over a window and, in transient-global layers, over block sums.

    Paper section 3.1; no scaling of scores. [B, S, D] -> [B, S, D] and, on request, weights
    [B, N, H, L, 3L + G].
    """
    q, k, v = (split(linear(p[name], x), config.num_heads) for name in "qkv")
    side = None
    if shape.side is not None:
        ids = blocks.global_blocks(shape.mask, shape.block_size)
        sums = blocks.global_aggregates(x, shape.mask, ids, shape.block_size)
        normed = rms_norm(p["global_input_layer_norm"], sums, config.layer_norm_epsilon)
        k_side, v_side = (split(linear(p[name], normed), config.num_heads) for name in "kv")
        side = k_side, v_side
    out, weights = attend(q, k, v, side, shape, drop, want_weights)
    return merge(p, out), weights


def attend(
    q: Array,
    k: Array,
    v: Array,
    side: Side,
    shape: Geometry,
    drop: Dropout,
    want_weights: bool = False,
) -> tuple[Array, Array | None]:
    """Compute long attention of q, k, v [B, H, S, d] with global keys and values [B, H, G, d].

    Return [B, H, S, d], and on request the weights, which are quadratic in S.
    """
    batch, heads, source, width = q.shape
    length, total = shape.block_len, -(-source // shape.block_len)
    n = total if want_weights else _chunk_blocks(q, side, length, total)
    chunks, rows = -(-total // n), n * length
    after = chunks * rows - source

    def padded(x: Array, around: int, value: float | bool = 0) -> Array:
        widths = [(0, 0)] * x.ndim
        widths[2] = (around, after + around)
        return jnp.pad(x, widths, constant_values=value)

    queries, keys, values = padded(q, 0), padded(k, length), padded(v, length)
    hidden = padded(~shape.mask[:, None], length, True)
    key = drop.next_key()

    def chunk(i: Array) -> tuple[Array, Array]:
        def cut(x: Array, size: int) -> Array:
            return jax.lax.dynamic_slice_in_dim(x, i * rows, size, axis=2)

        wide = rows + 2 * length
        weights = attention_weights(
            cut(queries, rows), cut(keys, wide), cut(hidden, wide), side, shape, i * rows
        )
        weights = Dropout(drop.rate, None if key is None else jax.random.fold_in(key, i))(weights)
        return apply_weights(weights, cut(values, wide), side, length), weights

    if chunks == 1:
        out, weights = chunk(jnp.zeros((), jnp.int32))
        seen = jnp.moveaxis(weights, 1, 2) if want_weights else None
        return out[:, :, :source], seen
    # Gradients recompute the weights of a chunk instead of saving all of them.
    step = jax.checkpoint(lambda i: chunk(i)[0], prevent_cse=False)
    out = jax.lax.map(step, jnp.arange(chunks))
    return jnp.moveaxis(out, 0, 2).reshape(batch, heads, -1, width)[:, :, :source], None


def _chunk_blocks(q: Array, side: Side, length: int, total: int) -> int:
    """Return how many blocks to compute at once."""
    on_cpu = jax.default_backend() == "cpu"
    floats = CHUNK_FLOATS if on_cpu else ACCELERATOR_CHUNK_FLOATS
    globals_ = 0 if side is None else side[0].shape[2]
    block = q.shape[0] * q.shape[1] * length * (3 * length + globals_)
    return min(total, max(1, floats // block))


def attention_weights(
    q: Array, k: Array, hidden: Array, side: Side, shape: Geometry, first: Array
) -> Array:
    """Return softmax weights over [local | global] keys in float32: [B, H, N, L, 3L + G].

    Queries [B, H, N*L, d] from position ``first`` on; keys, and which of them are ``hidden``
    [B, 1, ..], one block wider on both sides.
    """
    batch, heads, rows, width = q.shape
    length = shape.block_len
    queries = q.reshape(batch, heads, -1, length, width)
    scores = _einsum("bhnqd,bhnkd->bhnqk", queries, _windows(k, length)).astype(jnp.float32)
    scores = scores + shape.local_bias[:, None]
    scores = jnp.where(_windows(hidden, length)[..., None, :], MASKED, scores)
    if side is not None and shape.side is not None:
        # A run of queries that lies in one global row shares its bias.
        run = math.gcd(length, shape.block_size)
        at = (first + run * jnp.arange(rows // run)) // shape.block_size
        side_scores = _einsum("bhqd,bhgd->bhqg", q, side[0]).astype(jnp.float32)
        runs = side_scores.reshape(batch, heads, -1, run, side_scores.shape[-1])
        runs = runs + shape.side.bias(at)[..., None, :]
        scores = jnp.concatenate([scores, runs.reshape(*scores.shape[:-1], -1)], axis=-1)
    return jax.nn.softmax(scores, axis=-1)


def apply_weights(weights: Array, v: Array, side: Side, length: int) -> Array:
    """Return the weighted sum of the values: [B, H, N, L, 3L + G] -> [B, H, N*L, d]."""
    weights = weights.astype(v.dtype)
    local = weights[..., : 3 * length]
    out = _einsum("bhnqk,bhnkd->bhnqd", local, _windows(v, length))
    if side is not None:
        out = out + _einsum("bhnqg,bhgd->bhnqd", weights[..., 3 * length :], side[1])
    return out.astype(v.dtype).reshape(*v.shape[:2], -1, v.shape[-1])


def _windows(x: Array, length: int) -> Array:
    """Return every run of three blocks: [B, H, (N+2)*L, ...] -> [B, H, N, 3L, ...]."""
    flat = blocks.windows(x.reshape(-1, *x.shape[2:]), length)
    return flat.reshape(*x.shape[:2], *flat.shape[1:])


def _einsum(form: str, a: Array, b: Array) -> Array:
    return jnp.einsum(form, a, b, precision=PRECISE, preferred_element_type=jnp.float32)


def plain_attention(
    q: Array, k: Array, v: Array, bias: Array, drop: Dropout
) -> tuple[Array, Array]:
    """Attend q [B, H, Q, d] over k, v [B, H, T, d]; bias broadcasts to [B, H, Q, T].

    Return the output and the weights.
    """
    scores = _einsum("bhqd,bhkd->bhqk", q, k) + bias
    weights = drop(jax.nn.softmax(scores, axis=-1))
    return _einsum("bhqk,bhkd->bhqd", weights.astype(v.dtype), v).astype(v.dtype), weights


def cached_attention(
    p: Params,
    config: LongT5Config,
    x: Array,
    keys: Array,
    values: Array,
    at: Array,
    bias: Array,
    drop: Dropout,
) -> tuple[Array, Array, Array, Array]:
    """Attend causally from position ``at``: x [R, T, D], keys, values [R, H, C, d], bias
    [R or 1, H, T, C].

    Return output, weights, and keys and values with the new ones.
    """
    q, k, v = (split(linear(p[name], x), config.num_heads) for name in "qkv")
    keys = jax.lax.dynamic_update_slice_in_dim(keys, k, at, axis=2)
    values = jax.lax.dynamic_update_slice_in_dim(values, v, at, axis=2)
    out, weights = plain_attention(q, keys, values, bias, drop)
    return merge(p, out), weights, keys, values


def cross_attention(
    p: Params,
    config: LongT5Config,
    x: Array,
    keys: Array,
    values: Array,
    bias: Array,
    drop: Dropout,
) -> tuple[Array, Array]:
    """Attend over the source: x [R, T, D], keys, values [B, H, S, d], bias [B, 1, 1, S].

    The K = R / B rows of a source are query rows over one copy of its keys.
    """
    batch, heads, source, _ = keys.shape
    q = split(linear(p["q"], x.reshape(batch, -1, x.shape[-1])), heads)
    out, weights = plain_attention(q, keys, values, bias, drop)
    by_row = weights.reshape(batch, heads, -1, x.shape[1], source).swapaxes(1, 2)
    return merge(p, out).reshape(*x.shape[:2], -1), by_row.reshape(-1, heads, x.shape[1], source)


def decoder_bias(p: Params, config: LongT5Config, length: int) -> Array:
    """Return the bias of the distances ``query - key`` = 0 .. length-1: float32 [H, length]."""
    return relative_bias(p["relative_attention_bias"], config, -np.arange(length), False)


def causal_bias(by_distance: Array, at: Array, target: int, mask: Array | None) -> Array:
    """Return the relative bias of queries from ``at`` over all T keys, with the future (and
    padding) masked: [H, T], [B, T] -> [B or 1, H, target, T]."""
    position = jnp.arange(by_distance.shape[-1])
    distance = (at + jnp.arange(target))[:, None] - position[None, :]
    bias = jnp.where(distance < 0, MASKED, by_distance[:, jnp.maximum(distance, 0)])[None]
    return bias if mask is None else bias + padding_bias(mask)


def padding_bias(mask: Array) -> Array:
    """Return a mask [B, S] as additive [B, 1, 1, S] float32."""
    return jnp.where(mask.astype(bool), 0.0, MASKED)[:, None, None, :]
