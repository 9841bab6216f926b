"""Long attention on a CUDA GPU, on request: a compiled flex attention over [local | global] keys.

It compiles for seconds at each new size, to save a fraction of a second per pass.
Scores are those of a query block against its three local blocks and all global tokens, nothing
else; the block mask is built directly, because torch's own builder evaluates every pair.
Tests run the same functions uncompiled on a CPU.
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

# Lengths are rounded up to this times a power of two: few compiled kernels serve all documents.
BUCKET_LENGTH = 1024
BLOCK_LENGTH = 128


def fits(width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Return True on CUDA with Triton, for the published block length and heads of 2^n.

    Not where the GPU is lent per call (a Space): each call would compile again.
    """
    power = width >= 16 and width & (width - 1) == 0
    if device.type != "cuda" or length != BLOCK_LENGTH or not power or "spaces" in sys.modules:
        return False
    return importlib.util.find_spec("triton") is not None


@functools.lru_cache(maxsize=1)
def _compiled_flex_attention() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    # fullgraph: beyond torch's limit of compilations the function would otherwise run uncompiled,
    # and hold the score of every pair.
    return torch.compile(  # type: ignore[return-value]
        flex_attention, dynamic=False, fullgraph=True
    )


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, compiled: bool = True
) -> Tensor:
    """Compute long attention; see :mod:`longt5.kernels`."""
    from torch.nn.attention.flex_attention import flex_attention

    source, length = q.shape[1], geometry.block_len
    padded = bucket(source) if compiled else -(-source // length) * length
    room = 0 if side is None else -(-(padded // geometry.block_size) // length) * length
    queries, keys, values = _padded(q, padded), _padded(k, padded), _padded(v, padded)
    if side is not None:
        keys = torch.cat([keys, _padded(side[0], room)], dim=2)
        values = torch.cat([values, _padded(side[1], room)], dim=2)
    if "flex" not in geometry.prepared:
        score_mod, mask_mod = modifiers(geometry, padded, padded + room)
        mask = block_mask(geometry, padded, padded + room, mask_mod)
        geometry.prepared["flex"] = {"score_mod": score_mod, "block_mask": mask}
    run: Any = _compiled_flex_attention() if compiled else flex_attention
    out = run(queries, keys, values, scale=1.0, **geometry.prepared["flex"])
    return out[:, :, :source].transpose(1, 2)


def bucket(source: int) -> int:
    """Return the length that a source is padded to.

    >>> [bucket(n) for n in (1, 1024, 1025, 9000)]
    [1024, 1024, 2048, 16384]
    """
    return BUCKET_LENGTH << (-(-source // BUCKET_LENGTH) - 1).bit_length()


def _padded(x: Tensor, rows: int) -> Tensor:
    """Pad with zeros at the end: [B, n, H, d] -> [B, H, rows, d]."""
    return F.pad(x, (0, 0, 0, 0, 0, rows - x.shape[1])).transpose(1, 2).contiguous()


def modifiers(geometry: Geometry, padded: int, total: int) -> tuple[Callable[..., Tensor], Any]:
    """Return (score_mod, mask_mod) of flex attention; keys from ``padded`` on are global tokens.

    All tensors are padded to their bucket: another shape would compile again.
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
        # Distance zero stays at the same index whatever the number of globals.
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


def block_mask(geometry: Geometry, padded: int, keys: int, mask_mod: Any) -> Any:
    """Return the key blocks of each query block: its neighbours, itself, and all global blocks.

    Block n of N sees n - 1, n, n + 1 (where they exist) and all from ``padded / L``; blocks that
    are only padding of the bucket see nothing and are seen by none.
    """
    from torch.nn.attention.flex_attention import BlockMask

    length, source = geometry.block_len, geometry.mask.shape[1]
    own, total, there = padded // length, keys // length, -(-source // length)
    globals_ = 0 if geometry.side is None else -(-geometry.side.total // length)
    counts, rows = torch.zeros(own, dtype=torch.int32), torch.zeros(own, total, dtype=torch.int32)
    for n in range(there):
        seen = [*range(max(0, n - 1), min(n + 2, there)), *range(own, own + globals_)]
        counts[n], rows[n, : len(seen)] = len(seen), torch.tensor(seen, dtype=torch.int32)
    device = geometry.mask.device
    return BlockMask.from_kv_blocks(
        counts.to(device)[None, None],
        rows.to(device)[None, None],
        BLOCK_SIZE=length,
        mask_mod=mask_mod,
        seq_lengths=(padded, keys),
    )
