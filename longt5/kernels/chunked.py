"""Long attention a few blocks at a time, so that scores stay small and memory is linear in S.

The same sums as the reference; keys and values of the globals are never copied per block, and
their bias is added once per run of 16 queries through a view.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..blocks import MASKED
from ..memory import is_out_of_memory
from . import Geometry, Side

# Scores of one chunk, in floats; they are gone over several times, so few enough to stay near a
# core.
CHUNK_FLOATS = 1_000_000
# A GPU wants large products; 256 MiB of scores.
GPU_CHUNK_FLOATS = 64_000_000


def fits(width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Everywhere."""
    return True


def attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """See :mod:`longt5.kernels`. For inference: works in place, so gradients do not flow.

    Out of GPU memory means smaller chunks, down to one block.
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
    queries = _blocks_first(q, 0, blocks * length - source)
    keys = _blocks_first(k, length, (blocks + 1) * length - source)
    values = _blocks_first(v, length, (blocks + 1) * length - source)
    hidden = F.pad(~geometry.mask, (length, (blocks + 1) * length - source), value=True)
    padding = _padding(hidden, geometry)
    side_keys = side_values = None
    if side is not None:
        side = _wide(side[0]), _wide(side[1])
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
            _wide(queries[:, :, span]),
            _wide(keys[:, :, wide]),
            _wide(values[:, :, wide]),
            hidden[:, wide],
            padding,
            side_keys,
            side_values,
            geometry,
            first,
        )
    return out[:, :, :source].transpose(1, 2)


def _wide(x: Tensor) -> Tensor:
    """float16 as float32: its products can overflow before they are summed."""
    return x.float() if x.dtype is torch.float16 else x


def _blocks_first(x: Tensor, before: int, after: int) -> Tensor:
    """[B, S, H, d] -> [B, H, before + S + after, d], zero-padded."""
    return F.pad(x, (0, 0, 0, 0, before, after)).transpose(1, 2).contiguous()


def _padding(hidden: Tensor, geometry: Geometry) -> list[int]:
    """The blocks whose windows have padding, few as a rule. Asked once for all layers: a GPU
    would have to be waited for each time."""
    if "chunked" not in geometry.kept:
        windows = hidden.unfold(1, 3 * geometry.block_len, geometry.block_len)
        found = windows.any(-1).any(0).nonzero().flatten().tolist()
        geometry.kept["chunked"] = found
    return geometry.kept["chunked"]


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
    """Blocks ``first`` and on: q [B, H, n*L, d], k and v one block wider on both sides."""
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
        bias = _side_bias(geometry, first, n)
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


def _side_bias(geometry: Geometry, first: int, n: int) -> Tensor:
    """Bias of ``n`` blocks from ``first`` on: [B, H, n, L / r, 1, G], a row per r queries.

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
