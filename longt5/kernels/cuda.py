"""Long attention on a CUDA GPU, on request: a compiled flex attention over [local | global] keys.

It is compiled for seconds at each new size, for a small part of one a pass.
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

# Lengths are rounded up to this times a power of two: few compiled kernels serve all documents.
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

    # Whole or not at all: beyond torch's limit of compilations it would otherwise be run piece by
    # piece, and hold the score of every pair.
    return torch.compile(  # type: ignore[return-value]
        flex_attention, dynamic=False, fullgraph=True
    )


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, compiled: bool = True
) -> Tensor:
    """See :mod:`longt5.kernels`."""
    from torch.nn.attention.flex_attention import flex_attention

    source, length = q.shape[1], geometry.block_len
    padded = bucket(source) if compiled else -(-source // length) * length
    room = 0 if side is None else -(-(padded // geometry.block_size) // length) * length
    queries, keys, values = _padded(q, padded), _padded(k, padded), _padded(v, padded)
    if side is not None:
        keys = torch.cat([keys, _padded(side[0], room)], dim=2)
        values = torch.cat([values, _padded(side[1], room)], dim=2)
    if "flex" not in geometry.kept:
        score_mod, mask_mod = modifiers(geometry, padded, padded + room)
        mask = block_mask(geometry, padded, padded + room, mask_mod)
        geometry.kept["flex"] = {"score_mod": score_mod, "block_mask": mask}
    run: Any = _compiled() if compiled else flex_attention
    out = run(queries, keys, values, scale=1.0, **geometry.kept["flex"])
    return out[:, :, :source].transpose(1, 2)


def bucket(source: int) -> int:
    """
    >>> [bucket(n) for n in (1, 1024, 1025, 9000)]
    [1024, 1024, 2048, 16384]
    """
    return BUCKET << (-(-source // BUCKET) - 1).bit_length()


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


def block_mask(geometry: Geometry, padded: int, keys: int, mask_mod: Any) -> Any:
    """Which key blocks a query block looks into: its neighbours, itself, and all global ones.

    Block n of N sees n - 1, n, n + 1 (those there are) and ``padded / L`` and on; what is only
    padding of the bucket sees nothing and is seen by nothing.
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
