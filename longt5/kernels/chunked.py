"""Long attention a few blocks at a time, with memory linear in S.

Computes the sums of the reference. Keys and values of the globals are never copied per block;
their bias is added once per run of 16 queries through a view.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import MASKED
from ..memory import is_out_of_memory
from . import Geometry, Side, widen_float16

# Scores of one chunk, in floats. Several passes go over them, so they should fit a core's cache.
CHUNK_FLOATS = 1_000_000
# A GPU needs large products to be busy: 256 MiB of scores.
GPU_CHUNK_FLOATS = 64_000_000


def fits(width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Return True: plain torch computes all shapes everywhere."""
    return True


def attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Compute long attention; see :mod:`longt5.kernels`. In place, so without gradients.

    Where GPU memory runs out, chunks become smaller.
    """
    floats = CHUNK_FLOATS if q.device.type == "cpu" else GPU_CHUNK_FLOATS
    while True:
        try:
            return _attend(q, k, v, side, geometry, floats)
        except Exception as problem:
            if floats < 1_000_000 or not is_out_of_memory(problem):
                raise
            floats //= 4


def _attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, floats: int) -> Tensor:
    batch, source, heads, width = q.shape
    length = geometry.block_len
    blocks = -(-source // length)
    queries = heads_first(q, 0, blocks * length - source)
    keys = heads_first(k, length, (blocks + 1) * length - source)
    values = heads_first(v, length, (blocks + 1) * length - source)
    hidden = F.pad(~geometry.mask, (length, (blocks + 1) * length - source), value=True)
    padding = _padded_blocks(hidden, geometry)
    side_keys = side_values = None
    if side is not None:
        side = widen_float16(side[0]), widen_float16(side[1])
        side_keys = side[0].permute(0, 2, 3, 1).contiguous()
        side_values = side[1].transpose(1, 2).contiguous()
    out = q.new_empty(batch, heads, blocks * length, width)
    globals_ = 0 if side is None else side[0].shape[1]
    step = max(1, floats // (batch * heads * length * (3 * length + globals_)))
    for first in range(0, blocks, step):
        last = min(first + step, blocks)
        span = slice(first * length, last * length)
        wide = slice(first * length, (last + 2) * length)
        out[:, :, span] = _attend_chunk(
            widen_float16(queries[:, :, span]),
            widen_float16(keys[:, :, wide]),
            widen_float16(values[:, :, wide]),
            hidden[:, wide],
            padding,
            side_keys,
            side_values,
            geometry,
            first,
        )
    return out[:, :, :source].transpose(1, 2)


def heads_first(x: Tensor, before: int, after: int) -> Tensor:
    """Pad with zeros: [B, S, H, d] -> [B, H, before + S + after, d]."""
    return F.pad(x, (0, 0, 0, 0, before, after)).transpose(1, 2).contiguous()


def _padded_blocks(hidden: Tensor, geometry: Geometry) -> list[int]:
    """Return the blocks whose windows have padding.

    Computed once for all layers, because it waits for a GPU.
    """
    if "chunked" not in geometry.prepared:
        windows = hidden.unfold(1, 3 * geometry.block_len, geometry.block_len)
        found = windows.any(-1).any(0).nonzero().flatten().tolist()
        geometry.prepared["chunked"] = found
    return geometry.prepared["chunked"]


def _attend_chunk(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    hidden: Tensor,
    padding: list[int],
    side_keys: Tensor | None,
    side_values: Tensor | None,
    geometry: Geometry,
    first: int,
) -> Tensor:
    """Attend in n blocks from ``first``: q [B, H, n*L, d], k, v one block wider on both sides."""
    length = geometry.block_len
    batch, heads, rows, width = q.shape
    n = rows // length
    globals_ = 0 if side_keys is None else side_keys.shape[-1]
    windows = k.unfold(2, 3 * length, length)
    queries = q.unflatten(2, (n, length))
    scores = q.new_empty(batch, heads, n, length, 3 * length + globals_)
    local = scores[..., : 3 * length]
    torch.add(queries @ windows, geometry.local_bias[:, None], out=local)
    hidden_windows = hidden.unfold(1, 3 * length, length)
    for block in padding:
        if first <= block < first + n:
            shown = hidden_windows[:, None, block - first, None]
            local[:, :, block - first].masked_fill_(shown, MASKED)
    if side_keys is not None:
        bias = _chunk_side_bias(geometry, first, n)
        runs = (n, bias.shape[3], length // bias.shape[3])
        torch.add(
            (q @ side_keys).unflatten(2, runs),
            bias,
            out=scores[..., 3 * length :].unflatten(3, runs[1:]),
        )
    weights = scores.softmax(-1)
    out = weights[..., : 3 * length] @ v.unfold(2, 3 * length, length).transpose(-1, -2)
    out = out.flatten(2, 3)
    if side_values is not None:
        out += weights[..., 3 * length :].flatten(2, 3) @ side_values
    return out


def _chunk_side_bias(geometry: Geometry, first: int, n: int) -> Tensor:
    """Return the bias of ``n`` blocks from ``first``: [B, H, n, L / r, 1, G], a row per r queries.

    r is the global block size where that divides the local block (every published shape).
    """
    assert geometry.side is not None
    size, length = geometry.block_size, geometry.block_len
    start, stop = first * length, (first + n) * length
    top = start // size
    bias = geometry.side.bias(top, -(-stop // size))
    if length % size:
        bias = bias.repeat_interleave(size, dim=2)
        bias = bias[:, :, start - top * size : stop - top * size]
    return bias.unflatten(2, (n, -1)).unsqueeze(4)
