"""The tensor geometry of ``longt5/blocks.py`` in JAX: same names, same worked examples.

Functions of lengths alone run in numpy while a function is traced, so that rounding at the edges
of buckets is T5's on every device. B batch, S source tokens, N blocks, L block
length, G global tokens, H heads, R global rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

# Finite, so that rows in which everything is masked (padding) stay free of NaN.
MASKED = -1e10


def relative_position_bucket(
    relative_position: np.ndarray, *, bidirectional: bool, num_buckets: int, max_distance: int
) -> np.ndarray:
    """Return the bucket of each ``key - query`` distance (T5 paper, section 2.1); the shape stays.

    Half of the (one-sided) buckets are exact; the rest grow logarithmically to max_distance.

    >>> relative_position_bucket(np.array([-9, -1, 0, 1, 200]), bidirectional=True,
    ...                          num_buckets=32, max_distance=128).tolist()
    [8, 1, 0, 17, 31]
    """
    offset = np.zeros_like(relative_position)
    if bidirectional:
        num_buckets //= 2
        offset = (relative_position > 0) * num_buckets
        distance = np.abs(relative_position)
    else:
        distance = np.maximum(-relative_position, 0)
    max_exact = num_buckets // 2
    # Natural log of float32, scaled in this order: the rounding at bucket edges must be T5's.
    large = max_exact + (
        np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(max_exact))
        / np.float32(math.log(max_distance / max_exact))
        * np.float32(num_buckets - max_exact)
    ).astype(np.int64)
    large = np.minimum(large, num_buckets - 1)
    return offset + np.where(distance < max_exact, distance, large)


def three_block_offsets(block_len: int) -> np.ndarray:
    """Return ``key - query`` for a block's queries over its left, own and right block: [L, 3L].

    >>> three_block_offsets(2).tolist()
    [[-2, -1, 0, 1, 2, 3], [-3, -2, -1, 0, 1, 2]]
    """
    position = np.arange(3 * block_len)
    return position[None, :] - position[block_len : 2 * block_len, None]


def pad_to_blocks(x: Array, block_len: int) -> Array:
    """Pad with zeros dimension 1 (S) of [B, S, ...] up to a multiple of ``block_len``."""
    missing = -x.shape[1] % block_len
    return jnp.pad(x, [(0, 0), (0, missing), *[(0, 0)] * (x.ndim - 2)])


def three_blocks(x: Array, block_len: int) -> Array:
    """Join each block with its neighbours: [B, N*L, ...] -> [B, N, 3L, ...], zeros at the ends.

    >>> three_blocks(jnp.array([[1, 2, 3, 4]]), 2).tolist()
    [[[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 0, 0]]]
    """
    return windows(
        jnp.pad(x, [(0, 0), (block_len, block_len), *[(0, 0)] * (x.ndim - 2)]), block_len
    )


def windows(x: Array, block_len: int) -> Array:
    """Return every run of three blocks: [B, (N+2)*L, ...] -> [B, N, 3L, ...].

    >>> windows(jnp.array([[1, 2, 3, 4]]), 1).tolist()
    [[[1, 2, 3], [2, 3, 4]]]
    """
    blocks = x.reshape(x.shape[0], -1, block_len, *x.shape[2:])
    return jnp.concatenate([blocks[:, :-2], blocks[:, 1:-1], blocks[:, 2:]], axis=2)


@dataclass(frozen=True)
class GlobalBlocks:
    """Assignment of tokens to global blocks.

    ``ids`` [B, S]: the block of a token, -1 for padding and in a row without a full block;
    orphan tokens (the tail shorter than a block) join the last full block.
    ``count`` [B]: full blocks per row; ``total``: G, the same for all rows.
    """

    ids: Array
    count: Array
    total: int

    def row_ids(self, rows: int, block_size: int) -> Array:
        """Return the block id that each run of ``block_size`` positions shares: [B, rows].

        Padding positions get an id too; their output is never read.
        """
        return jnp.minimum(jnp.arange(rows)[None, :], self.count[:, None] - 1)


def global_blocks(mask: Array, block_size: int) -> GlobalBlocks:
    """Assign tokens to global blocks from a [B, S] mask (True = token).

    Ids count from position 0 of the padded row, as in the published models, so left padding
    changes the result and right padding does not.

    >>> global_blocks(jnp.array([[1, 1, 1, 1, 1, 0]]) > 0, 2).ids.tolist()
    [[0, 0, 1, 1, 1, -1]]
    """
    position = np.arange(mask.shape[1])
    is_end = position % block_size == block_size - 1
    count = (mask & is_end).sum(-1)
    ids = jnp.minimum((position // block_size)[None, :], count[:, None] - 1)
    return GlobalBlocks(jnp.where(mask, ids, -1), count, mask.shape[1] // block_size)


def global_aggregates(x: Array, mask: Array, blocks: GlobalBlocks, block_size: int) -> Array:
    """Sum the tokens (mask [B, S]) of each global block in float32: [B, S, D] -> [B, G, D].

    >>> x = jnp.array([[[1.0], [2.0], [4.0], [8.0], [16.0]]])
    >>> mask = jnp.ones((1, 5), bool)
    >>> global_aggregates(x, mask, global_blocks(mask, 2), 2).flatten().tolist()
    [3.0, 28.0]
    """
    batch, source, width = x.shape
    x = jnp.where(mask[..., None], x, 0).astype(jnp.float32)
    # All tokens of one run of block_size positions share a block, so sum the runs first.
    full = source - source % block_size
    runs = x[:, :full].reshape(batch, -1, block_size, width).sum(2)
    if full < source:
        runs = jnp.concatenate([runs, x[:, full:].sum(1, keepdims=True)], 1)
    ids = blocks.row_ids(runs.shape[1], block_size)
    # An additional slot collects the runs that belong to no block.
    slot = jnp.where(ids >= 0, ids, blocks.total)
    sums = jnp.zeros((batch, blocks.total + 1, width), jnp.float32)
    return sums.at[jnp.arange(batch)[:, None], slot].add(runs)[:, :-1]


def side_validity(blocks: GlobalBlocks) -> Array:
    """Return which global tokens a row's real tokens may see: [B, G], True = visible."""
    return jnp.arange(blocks.total)[None, :] <= blocks.ids.max(-1, keepdims=True)
