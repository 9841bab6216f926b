"""Long attention with gradients, a few blocks at a time; the backward pass recomputes scores.

Computes the sums of the reference. Saved for the backward pass are q, k, v, the output and one
number per query (the log of its weights' sum), so memory is linear in S; a chunk's scores stay in
the processor's cache from product to product. The work between products is two pure functions,
which may be compiled. Source: FlashAttention (Dao 2022), sections 3.1 and B.2, for the algebra.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..blocks import mask_bias
from . import Geometry, Side
from .chunked import CHUNK_FLOATS, GPU_CHUNK_FLOATS, heads_first


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    side: Side,
    geometry: Geometry,
    dropout: float = 0.0,
    compiled: bool = False,
) -> Tensor:
    """Compute long attention, differentiable once in q, k, v, side and the biases."""
    batch, source, heads, _ = q.shape
    length = geometry.block_len
    blocks = -(-source // length)
    after = blocks * length - source

    def split(x: Tensor, before: int, after: int) -> Tensor:
        return heads_first(x, before, after).unflatten(2, (-1, length))

    windows = F.pad(geometry.mask, (length, length + after)).unfold(1, 3 * length, length)
    side_bias = None if side is None else _run_bias(geometry, blocks)
    globals_ = 0 if side is None else side[0].shape[1]
    floats = CHUNK_FLOATS if q.device.type == "cpu" else GPU_CHUNK_FLOATS
    plan = ChunkPlan(
        max(1, floats // (batch * heads * length * (3 * length + globals_))),
        dropout,
        int(torch.randint(2**62, ())) if dropout else 0,
        compiled,
    )
    out = _Attention.apply(
        split(q, 0, after),
        split(k, length, length + after),
        split(v, length, length + after),
        *((x.transpose(1, 2).contiguous() for x in side) if side is not None else (None, None)),
        geometry.local_bias[:, None],
        side_bias,
        mask_bias(windows)[:, None, :, None],
        plan,
    )
    return out.flatten(2, 3)[:, :, :source].transpose(1, 2)


@dataclass(frozen=True)
class ChunkPlan:
    """Blocks per chunk, dropout of weights, and whether the work between products is compiled."""

    step: int
    dropout: float
    seed: int
    compiled: bool

    def chunks(self, blocks: int) -> Iterator[slice]:
        for first in range(0, blocks, self.step):
            yield slice(first, min(first + self.step, blocks))

    def dropout_factors(
        self, scores: tuple[Tensor, Tensor | None], chunk: slice
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the dropout factors of a chunk's weights: 0, or the inverse of the share kept.

        The seed makes them equal in the forward and the backward pass.
        """
        if not self.dropout:
            return None, None
        device = scores[0].device
        generator = torch.Generator(device).manual_seed(self.seed + chunk.start)

        def mask(x: Tensor | None) -> Tensor | None:
            if x is None:
                return None
            drawn = torch.rand(x.shape, generator=generator, device=device, dtype=torch.float32)
            return (drawn >= self.dropout).float() / (1 - self.dropout)

        return mask(scores[0]), mask(scores[1])


class _Attention(torch.autograd.Function):
    """Queries [B, H, N, L, d] over windows of keys [B, H, N + 2, L, d] and globals
    [B, H, G, d]; ``bias`` of both (:func:`_run_bias`), ``hidden`` [B, 1, N, 1, 3L] additive."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        side_k: Tensor | None,
        side_v: Tensor | None,
        local_bias: Tensor,
        side_bias: Tensor | None,
        hidden: Tensor,
        plan: ChunkPlan,
    ) -> Tensor:
        weigh = _compiled_function(_weights) if plan.compiled else _weights
        out, log_totals = torch.empty_like(q), []
        for chunk in plan.chunks(q.shape[2]):
            products = _products(q, _window(k, chunk), side_k, chunk)
            masks = plan.dropout_factors(products, chunk)
            local, side, total, log_total = weigh(
                *products, local_bias, _chunk_of(side_bias, chunk), hidden[:, :, chunk], *masks
            )
            part = local @ _window(v, chunk)
            if side is not None and side_v is not None:
                part = part + (side.flatten(2, 3) @ side_v).view_as(part)
            out[:, :, chunk] = part / total
            log_totals.append(log_total)
        ctx.plan = plan
        ctx.save_for_backward(
            q, k, v, side_k, side_v, local_bias, side_bias, hidden, out, torch.cat(log_totals, 2)
        )
        return out

    @staticmethod
    @once_differentiable  # the saved log of the sums is a constant to a second derivative
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        q, k, v, side_k, side_v, local_bias, side_bias, hidden, out, log_total = ctx.saved_tensors
        differentiate: Any = _compiled_function(_gradients) if ctx.plan.compiled else _gradients
        inner = (grad.float() * out.float()).sum(-1, keepdim=True)
        grad, dq = grad.to(q.dtype), torch.empty_like(q)
        dk, dv, d_side_k, d_side_v, d_local_bias = map(
            _zeros_like, (k, v, side_k, side_v, local_bias)
        )
        d_side_biases = []
        for chunk in ctx.plan.chunks(q.shape[2]):
            keys, values = _window(k, chunk), _window(v, chunk)
            products = _products(q, keys, side_k, chunk)
            local, d_local, side, d_side, d_bias, d_side_bias = differentiate(
                *products,
                local_bias,
                _chunk_of(side_bias, chunk),
                hidden[:, :, chunk],
                *ctx.plan.dropout_factors(products, chunk),
                log_total[:, :, chunk],
                *_products(grad, values, side_v, chunk),
                inner[:, :, chunk],
            )
            queries, out_grad = q[:, :, chunk], grad[:, :, chunk]
            dq[:, :, chunk] = d_local @ keys
            _add_windows(dk, d_local.mT @ queries, chunk)
            _add_windows(dv, local.mT @ out_grad, chunk)
            d_local_bias += d_bias
            if side_k is not None:
                side, d_side = side.flatten(2, 3), d_side.flatten(2, 3)
                dq[:, :, chunk] += (d_side @ side_k).view_as(queries)
                d_side_k += d_side.mT @ queries.flatten(2, 3)
                d_side_v += side.mT @ out_grad.flatten(2, 3)
                d_side_biases.append(d_side_bias)
        like = ((dk, k), (dv, v), (d_side_k, side_k), (d_side_v, side_v))
        return (
            dq,
            *(None if x is None else x.to(of.dtype) for x, of in like),
            d_local_bias,
            torch.cat(d_side_biases, 2) if d_side_biases else None,
            None,
            None,
        )


def _zeros_like(like: Tensor | None) -> Any:
    """Return zeros for a gradient, in float32 because it sums over many chunks."""
    return None if like is None else torch.zeros_like(like, dtype=torch.float32)


@cache
def _compiled_function(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=True)


def _products(
    x: Tensor, windows: Tensor, side: Tensor | None, chunk: slice
) -> tuple[Tensor, Tensor | None]:
    """Multiply a chunk's rows of x with its windows and the globals: [B, H, n, L, 3L and G]."""
    rows = x[:, :, chunk]
    local = rows @ windows.mT
    if side is None:
        return local, None
    return local, (rows.flatten(2, 3) @ side.mT).unflatten(2, rows.shape[2:4])


def _chunk_of(x: Tensor | None, chunk: slice) -> Tensor | None:
    return None if x is None else x[:, :, chunk]


def _run_bias(geometry: Geometry, blocks: int) -> Tensor:
    """Return the bias of blocks over the globals: [B, H, N, r, 1, G], a row per L / r queries."""
    size, length, bias = geometry.block_size, geometry.block_len, geometry.side_bias
    assert bias is not None
    if length % size:
        bias = bias.repeat_interleave(size, dim=2)[:, :, : blocks * length]
    return bias.unflatten(2, (blocks, -1))[..., None, :]


def _window(x: Tensor, chunk: slice) -> Tensor:
    """Join each block of a chunk with its neighbours: [B, H, N + 2, L, d] -> [B, H, n, 3L, d]."""
    return torch.cat([x[:, :, chunk.start + i : chunk.stop + i] for i in range(3)], 3)


def _add_windows(total: Tensor, windows: Tensor, chunk: slice) -> None:
    """Add the gradients of :func:`_window` to those of its input."""
    for i, part in enumerate(windows.chunk(3, 3)):
        total[:, :, chunk.start + i : chunk.stop + i] += part


def _scores(
    local: Tensor, side: Tensor | None, local_bias: Tensor, side_bias: Tensor | None, hidden: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Add biases to scores in float32: [B, H, n, L, 3L] and [B, H, n, L, G]."""
    local = local.float() + local_bias + hidden
    if side is None or side_bias is None:
        return local, None
    rows = side_bias.shape[3]
    return local, (side.unflatten(3, (rows, -1)).float() + side_bias).flatten(3, 4)


def _weights(
    local: Tensor,
    side: Tensor | None,
    local_bias: Tensor,
    side_bias: Tensor | None,
    hidden: Tensor,
    kept_local: Tensor | None,
    kept_side: Tensor | None,
) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """Return unnormalized weights of both parts, their sum, and the log of the true sum."""
    dtype = local.dtype
    local, side = _scores(local, side, local_bias, side_bias, hidden)
    top = local.amax(-1, keepdim=True)
    if side is not None:
        top = torch.maximum(top, side.amax(-1, keepdim=True))
        side = (side - top).exp()
    local = (local - top).exp()
    total = local.sum(-1, keepdim=True)
    if side is not None:
        total = total + side.sum(-1, keepdim=True)
        side = (side if kept_side is None else side * kept_side).to(dtype)
    local = (local if kept_local is None else local * kept_local).to(dtype)
    return local, side, total, top + total.log()


def _gradients(
    local: Tensor,
    side: Tensor | None,
    local_bias: Tensor,
    side_bias: Tensor | None,
    hidden: Tensor,
    kept_local: Tensor | None,
    kept_side: Tensor | None,
    log_total: Tensor,
    out_local: Tensor,
    out_side: Tensor | None,
    inner: Tensor,
) -> tuple[Any, ...]:
    """Return (weights, gradients of the scores) of both parts, then gradients of both biases.

    ``out_*``: gradients of the weights; ``inner``: the product of the output and its gradient.
    """
    dtype = local.dtype
    local, side = _scores(local, side, local_bias, side_bias, hidden)
    weights, grad = _weights_and_gradient((local - log_total).exp(), out_local, inner, kept_local)
    local_parts = weights.to(dtype), grad.to(dtype)
    local_grad = grad.sum((0, 2))[:, None]
    if side is None or side_bias is None or out_side is None:
        return *local_parts, None, None, local_grad, None
    weights, grad = _weights_and_gradient((side - log_total).exp(), out_side, inner, kept_side)
    side_grad = grad.unflatten(3, (side_bias.shape[3], -1)).sum(4, keepdim=True)
    return *local_parts, weights.to(dtype), grad.to(dtype), local_grad, side_grad


def _weights_and_gradient(
    weights: Tensor, out: Tensor, inner: Tensor, kept: Tensor | None
) -> tuple[Tensor, Tensor]:
    out = out.float()
    if kept is None:
        return weights, weights * (out - inner)
    return weights * kept, weights * (out * kept - inner)
