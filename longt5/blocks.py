"""Pure tensor geometry of long attention (LongT5 paper, section 3.1): no parameters.

B batch, S source tokens, N blocks, L block length, G global tokens, H heads, R global rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Finite, so that rows in which everything is masked (padding) stay free of NaN.
MASKED = -1e10


def mask_bias(visible: Tensor) -> Tensor:
    """Return a mask as additive scores: 0 where True, else MASKED; the shape stays.

    Float32 whatever torch's default dtype is, since compiled kernels read it as such.
    """
    return torch.zeros_like(visible, dtype=torch.float32).masked_fill_(~visible, MASKED)


def relative_position_bucket(
    relative_position: Tensor, *, bidirectional: bool, num_buckets: int, max_distance: int
) -> Tensor:
    """Return the bucket of each ``key - query`` distance (T5 paper, section 2.1); the shape stays.

    Half of the (one-sided) buckets are exact; the rest grow logarithmically to max_distance.

    >>> relative_position_bucket(torch.tensor([-9, -1, 0, 1, 200]), bidirectional=True,
    ...                          num_buckets=32, max_distance=128).tolist()
    [8, 1, 0, 17, 31]
    """
    offset = torch.zeros_like(relative_position)
    if bidirectional:
        num_buckets //= 2
        offset = (relative_position > 0).long() * num_buckets
        distance = relative_position.abs()
    else:
        distance = (-relative_position).clamp(min=0)
    max_exact = num_buckets // 2
    # Natural log of float32, scaled in this order: the rounding at bucket edges must be T5's.
    large = (
        max_exact
        + (
            torch.log(distance.clamp(min=1).float() / max_exact)
            / math.log(max_distance / max_exact)
            * (num_buckets - max_exact)
        ).long()
    )
    large = large.clamp(max=num_buckets - 1)
    return offset + torch.where(distance < max_exact, distance, large)


def three_block_offsets(block_len: int) -> Tensor:
    """Return ``key - query`` for a block's queries over its left, own and right block: [L, 3L].

    >>> three_block_offsets(2).tolist()
    [[-2, -1, 0, 1, 2, 3], [-3, -2, -1, 0, 1, 2]]
    """
    position = torch.arange(3 * block_len)
    return position[None, :] - position[block_len : 2 * block_len, None]


def pad_to_blocks(x: Tensor, block_len: int) -> Tensor:
    """Pad with zeros dimension 1 (S) of [B, S, ...] up to a multiple of ``block_len``."""
    missing = -x.shape[1] % block_len
    if not missing:
        return x
    return F.pad(x, [0, 0] * (x.ndim - 2) + [0, missing])


def three_blocks(x: Tensor, block_len: int) -> Tensor:
    """Join each block with its neighbours: [B, N*L, ...] -> [B, N, 3L, ...], zeros at the ends.

    >>> three_blocks(torch.tensor([[1, 2, 3, 4]]), 2).tolist()
    [[[0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 0, 0]]]
    """
    trailing = [0, 0] * (x.ndim - 2)
    padded = F.pad(x, [*trailing, block_len, block_len])
    windows = padded.unfold(1, 3 * block_len, block_len)
    return windows.movedim(-1, 2)


@dataclass(frozen=True)
class GlobalBlocks:
    """Assignment of tokens to global blocks.

    ``ids`` [B, S]: the block of a token, -1 for padding and in a row without a full block;
    orphan tokens (the tail shorter than a block) join the last full block.
    ``count`` [B]: full blocks per row; ``total``: G, the same for all rows.
    """

    ids: Tensor
    count: Tensor
    total: int

    def row_ids(self, rows: int, block_size: int) -> Tensor:
        """Return the block id that each run of ``block_size`` positions shares: [B, rows].

        Padding positions get an id too; their output is never read.
        """
        position = torch.arange(rows, device=self.ids.device)
        return torch.minimum(position[None, :], self.count[:, None] - 1)


def global_blocks(mask: Tensor, block_size: int) -> GlobalBlocks:
    """Assign tokens to global blocks from a [B, S] mask (True = token).

    Ids count from position 0 of the padded row, as in the published models, so left padding
    changes the result and right padding does not.

    >>> global_blocks(torch.tensor([[1, 1, 1, 1, 1, 0]]).bool(), 2).ids.tolist()
    [[0, 0, 1, 1, 1, -1]]
    """
    position = torch.arange(mask.shape[1], device=mask.device)
    is_end = position % block_size == block_size - 1
    count = (mask & is_end).sum(-1)
    ids = torch.minimum((position // block_size)[None, :], count[:, None] - 1)
    return GlobalBlocks(ids.masked_fill(~mask, -1), count, mask.shape[1] // block_size)


def global_aggregates(x: Tensor, mask: Tensor, blocks: GlobalBlocks, block_size: int) -> Tensor:
    """Sum the tokens (mask [B, S]) of each global block in float32: [B, S, D] -> [B, G, D].

    >>> x = torch.tensor([[[1.0], [2.0], [4.0], [8.0], [16.0]]])
    >>> mask = torch.ones(1, 5).bool()
    >>> global_aggregates(x, mask, global_blocks(mask, 2), 2).flatten().tolist()
    [3.0, 28.0]
    """
    batch, source, width = x.shape
    if not bool(mask.all()):
        x = x.masked_fill(~mask[..., None], 0)
    # All tokens of one run of block_size positions share a block, so sum the runs first.
    full = source - source % block_size
    runs = x[:, :full].unflatten(1, (-1, block_size)).sum(2, dtype=torch.float32)
    if full < source:
        runs = torch.cat([runs, x[:, full:].sum(1, keepdim=True, dtype=torch.float32)], 1)
    ids = blocks.row_ids(runs.shape[1], block_size)
    # An additional slot collects the runs that belong to no block.
    slot = torch.where(ids >= 0, ids, blocks.total)[..., None].expand(-1, -1, width)
    sums = torch.zeros(batch, blocks.total + 1, width, dtype=torch.float32, device=x.device)
    return sums.scatter_add(1, slot, runs)[:, :-1]


def side_validity(blocks: GlobalBlocks) -> Tensor:
    """Return which global tokens a row's real tokens may see: [B, G], True = visible."""
    position = torch.arange(blocks.total, device=blocks.ids.device)
    return position[None, :] <= blocks.ids.amax(-1, keepdim=True)
