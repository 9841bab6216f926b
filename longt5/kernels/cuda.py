"""Long attention on a CUDA GPU: one compiled flex attention over [local | global] keys.

Scores of a query block against its three local blocks and all global tokens, nothing else; the
block mask is built directly, because torch's own builder would look at every pair.
The functions are the same when not compiled, which is how the tests run them on a CPU.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import MASKED
from . import Geometry, Side

# Lengths are rounded up to this, so that a few compiled kernels serve all documents.
BUCKET = 1024
BLOCK = 128


def fits(width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool:
    """CUDA with a Triton compiler and the published block length; heads of a power of two.

    Not where the GPU is lent per call (a Space): each call would compile again.
    """
    power = width >= 16 and width & (width - 1) == 0
    if device.type != "cuda" or length != BLOCK or not power or "spaces" in sys.modules:
        return False
    return importlib.util.find_spec("triton") is not None


@functools.lru_cache(maxsize=1)
def _compiled() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)  # type: ignore[return-value]


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, compiled: bool = True
) -> Tensor:
    """See :mod:`longt5.kernels`."""
    from torch.nn.attention.flex_attention import flex_attention

    source, length = q.shape[1], geometry.block_len
    bucket = BUCKET if compiled else length
    padded = -(-source // bucket) * bucket
    queries, keys, values = _padded(q, padded), _padded(k, padded), _padded(v, padded)
    if side is not None:
        room = -(-(padded // geometry.block_size) // length) * length
        keys = torch.cat([keys, _padded(side[0], room)], dim=2)
        values = torch.cat([values, _padded(side[1], room)], dim=2)
    score_mod, mask_mod = modifiers(geometry, padded, keys.shape[2])
    mask: Any = block_mask(length, padded, keys.shape[2], mask_mod, q.device)
    run: Any = _compiled() if compiled else flex_attention
    out = run(queries, keys, values, score_mod=score_mod, block_mask=mask, scale=1.0)
    return out[:, :, :source].transpose(1, 2)


def _padded(x: Tensor, rows: int) -> Tensor:
    """[B, n, H, d] -> [B, H, rows, d], zeros at the end."""
    return F.pad(x, (0, 0, 0, 0, 0, rows - x.shape[1])).transpose(1, 2).contiguous()


def modifiers(geometry: Geometry, padded: int, total: int) -> tuple[Callable[..., Tensor], Any]:
    """(bias, visibility) of a query and key; keys from ``padded`` on are the global tokens.

    Everything is padded to its bucket: a shape that varied would compile again.
    """
    length, size, mask = geometry.block_len, geometry.block_size, geometry.mask
    local, side, room = geometry.local_table, geometry.side, total - padded
    globals_ = 0 if side is None else side.total
    visible = F.pad(mask, (0, padded - mask.shape[1]))
    there = torch.arange(room, device=mask.device) < globals_
    visible = torch.cat([visible, there.expand(len(mask), -1)], dim=1)
    if side is not None:
        runs = -(-padded // size)
        rows = F.pad(side.rows[:, :runs], (0, max(0, runs - side.rows.shape[1])))
        # Distance zero stays at one place whatever the number of globals.
        table = F.pad(side.table, (room - globals_, room - globals_)).contiguous()
        seen = side.seen

    def score_mod(score: Tensor, b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        near = local[h, (kv - q + 2 * length - 1).clamp(0, 4 * length - 2)]
        if side is None:
            return score + near
        at = (kv - padded).clamp(0, room - 1)
        far = torch.where(at < seen[b], table[h, at - rows[b, q // size] + room - 1], MASKED)
        return score + torch.where(kv < padded, near, far)

    def mask_mod(b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        return visible[b, kv] & ((kv >= padded) | ((kv - q).abs() < length))

    return score_mod, mask_mod


def block_mask(
    length: int, padded: int, keys: int, mask_mod: Any, device: torch.device
) -> Any:
    """Which key blocks a query block looks into: its neighbours, itself, and all global ones.

    Block n of N sees n - 1, n, n + 1 (those there are) and N .. N + G/L - 1.
    """
    from torch.nn.attention.flex_attention import BlockMask

    own, total = padded // length, -(-keys // length)
    n = torch.arange(own, device=device)
    near = n[:, None] + torch.arange(-1, 2, device=device)
    far = torch.arange(own, total, device=device).expand(own, -1)
    listed = torch.cat([near, far], dim=1)
    there = (listed >= 0) & (listed < own) | (listed >= own) & (torch.arange(
        listed.shape[1], device=device) >= 3)  # fmt: skip
    # Blocks that are there come first, in order; what follows the count is not read.
    order = (~there).to(torch.int8).argsort(dim=1, stable=True)
    indices = listed.gather(1, order).clamp(0, total - 1)
    indices = F.pad(indices, (0, max(0, total - indices.shape[1])))[:, :total]
    return BlockMask.from_kv_blocks(
        there.sum(1).to(torch.int32)[None, None], indices.to(torch.int32)[None, None].contiguous(),
        BLOCK_SIZE=length, mask_mod=mask_mod, seq_lengths=(padded, keys),
    )  # fmt: skip
