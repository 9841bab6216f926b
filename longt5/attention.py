"""The attention layers: local, transient-global, and the decoder's self- and cross-attention.

B batch, S source, T target, K beams, H heads, d head dim, D model dim, G global tokens.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import blocks
from .config import LongT5Config
from .hooks import is_hooked
from .kernels import Geometry, SideBias, decode, reference, select, training, widen_float16
from .kernels.decode import CrossStates
from .kernels.linear import Fused, Linear, linear, needs_plain_torch

# Rows of encoder states projected at once: large products, without a second copy of all states.
# A multiple of 16, the run of keys in the native layout.
CROSS_CHUNK_ROWS = 2048


class RMSNorm(nn.Module):
    """T5's layer norm: no mean, no bias, variance in float32; output in the weight's dtype."""

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.d_model))
        self.eps = config.layer_norm_epsilon

    def forward(self, x: Tensor) -> Tensor:
        return select.rms_norm(x, self.weight, self.eps)


def safe_linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x @ weight.T`` without overflow in float16, then as float32.

    Each row is scaled to at most 1 before the product and back after it, in float32.
    """
    if weight.dtype != torch.float16:
        return linear(x.to(weight.dtype), weight)
    scale = x.float().abs().amax(-1, keepdim=True).clamp(min=1.0)
    return F.linear((x.float() / scale).half(), weight).float() * scale


def product(x: Tensor, layer: Linear) -> Tensor:
    """Return a layer's output by :func:`safe_linear`, or by calling it where it has hooks."""
    if not is_hooked(layer):
        return safe_linear(x, layer.weight)
    if layer.weight.dtype is torch.float16:
        raise TypeError("A hook on an output matrix would overflow in float16; use bfloat16.")
    return layer(x)


class Projections(nn.Module):
    """The four matrices of an attention layer, and splitting and merging of heads."""

    def __init__(self, config: LongT5Config) -> None:
        super().__init__()
        self.heads, self.width = config.num_heads, config.d_kv
        self.dropout = config.dropout_rate
        self.q = Linear(config.d_model, config.inner_dim)
        self.k = Linear(config.d_model, config.inner_dim)
        self.v = Linear(config.d_model, config.inner_dim)
        self.o = Linear(config.inner_dim, config.d_model)
        # For decode steps, which multiply few rows: matrices of one input become one product.
        self.fused_in, self.fused_out = Fused(), Fused()

    def split(self, x: Tensor) -> Tensor:
        """Split heads: [..., H*d] -> [..., H, d]."""
        return x.unflatten(-1, (self.heads, self.width))

    def merge(self, x: Tensor) -> Tensor:
        """Merge heads through the output matrix: [..., H, d] -> [..., D]."""
        return product(x.flatten(-2), self.o)

    def merge_step(self, x: Tensor) -> Tensor:
        """Merge heads of the few rows of a decode step; see :meth:`merge`."""
        weight = self.o.weight
        if weight.dtype is torch.float16 or is_hooked(self.o):
            return self.merge(x)
        return self.fused_out(x.flatten(-2), weight)[0]

    def project_step(self, x: Tensor, *layers: Linear) -> tuple[Tensor, ...]:
        """Multiply the few rows of a decode step by several matrices: x [R, D]."""
        if is_hooked(*layers):
            return tuple(layer(x) for layer in layers)
        return self.fused_in(x, *(layer.weight for layer in layers))


def bucket_bias(table: nn.Embedding, buckets: Tensor) -> Tensor:
    """Return float32 biases [H, n] of buckets [n].

    Buckets come from the CPU on all devices: for a distance on the edge of one, the last digit of
    a logarithm decides.
    """
    return F.embedding(buckets.to(table.weight.device), table.weight.float()).T


class Embedding(nn.Embedding):
    """A table of vectors; on the meta device its values are left out."""

    def reset_parameters(self) -> None:
        # There are none, and torch imports its whole compiler, for seconds, before it finds out.
        if not self.weight.is_meta:
            super().reset_parameters()


class LongAttention(Projections):
    """Encoder self-attention over a window and, in transient-global layers, over block sums.

    Paper section 3.1; no scaling of scores. The first layer of a stack holds the biases.
    """

    def __init__(self, config: LongT5Config, has_bias: bool) -> None:
        super().__init__(config)
        # Compile the attention in training, and in inference on a CUDA GPU.
        self.config, self.compiled, self.use_flex_attention = config, False, False
        if has_bias:
            buckets = config.relative_attention_num_buckets
            self.relative_attention_bias = Embedding(buckets, config.num_heads)
        if config.uses_globals:
            if has_bias:
                self.global_relative_attention_bias = Embedding(buckets, config.num_heads)
            self.global_input_layer_norm = RMSNorm(config)

    def geometry(self, mask: Tensor) -> Geometry:
        """Return masks and biases for a [B, S] mask, shared by all layers. First layer only."""
        c = self.config
        offsets = torch.arange(1 - 2 * c.block_len, 2 * c.block_len)
        local = self._bias(self.relative_attention_bias, offsets)
        far = (offsets.abs() > c.local_radius).to(local.device)
        local = local.masked_fill(far, blocks.MASKED)
        geometry = Geometry(mask, c.block_len, local, c.global_block_size, self._side_bias(mask))
        if torch.is_grad_enabled():
            # Here, not in a layer, where gradient checkpointing would compute them again.
            _ = geometry.local_bias, geometry.side_bias
        return geometry

    def _side_bias(self, mask: Tensor) -> SideBias | None:
        size = self.config.global_block_size
        if not self.config.uses_globals or mask.shape[1] < size:
            return None
        ids = blocks.global_blocks(mask, size)
        positions = -(-mask.shape[1] // self.config.block_len) * self.config.block_len
        rows = ids.row_ids(-(-positions // size), size)
        offsets = torch.arange(1 - ids.total, ids.total + 1)
        table = self._bias(self.global_relative_attention_bias, offsets)
        return SideBias(table, rows, blocks.side_validity(ids).sum(-1))

    def _bias(self, table: nn.Embedding, offsets: Tensor) -> Tensor:
        """Return the float32 bias of every offset: [n] -> [H, n]."""
        buckets = blocks.relative_position_bucket(
            offsets,
            bidirectional=True,
            num_buckets=self.config.relative_attention_num_buckets,
            max_distance=self.config.relative_attention_max_distance,
        )
        return bucket_bias(table, buckets).contiguous()

    def forward(
        self, x: Tensor, geometry: Geometry, want_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend [B, S, D] -> [B, S, D] and, on request, weights [B, N, H, L, 3L + G]."""
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        side = self._side(x, geometry)
        if not want_weights:
            if not (needs_plain_torch() or self.training):
                out = select.attend(q, k, v, side, geometry, self.use_flex_attention)
                return self.merge(out), None
            dropout = self.dropout if self.training else 0.0
            out = training.attend(q, k, v, side, geometry, dropout, self.compiled)
            return self.merge(out), None
        weights = reference.attention_weights(q, k, side, geometry)
        weights = F.dropout(weights, self.dropout, self.training)
        return self.merge(reference.apply_weights(weights, v, side, geometry)), weights

    def _side(self, x: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor] | None:
        """Return keys and values [B, G, H, d] of the global tokens: normed block sums of x."""
        if geometry.side is None:
            return None
        ids = blocks.global_blocks(geometry.mask, geometry.block_size)
        sums = blocks.global_aggregates(x, geometry.mask, ids, geometry.block_size)
        normed = self.global_input_layer_norm(sums)
        return self.split(self.k(normed)), self.split(self.v(normed))


class DecoderSelfAttention(Projections):
    """Causal self-attention with T5's one-sided relative bias (held by the first layer)."""

    def __init__(self, config: LongT5Config, has_bias: bool) -> None:
        super().__init__(config)
        self.config = config
        if has_bias:
            buckets = config.relative_attention_num_buckets
            self.relative_attention_bias = Embedding(buckets, config.num_heads)

    def bias(self, length: int) -> Tensor:
        """Return the bias of the distances ``query - key`` = 0 .. length-1: float32 [H, length]."""
        buckets = blocks.relative_position_bucket(
            -torch.arange(length),
            bidirectional=False,
            num_buckets=self.config.relative_attention_num_buckets,
            max_distance=self.config.relative_attention_max_distance,
        )
        return bucket_bias(self.relative_attention_bias, buckets)

    def forward(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Attend at all positions: x [B, T, D], bias [B or 1, H, T, T] with the mask inside."""
        q, k, v = (self.split(m(x)).transpose(1, 2) for m in (self.q, self.k, self.v))
        return self._finish(q, k, v, bias)

    def step(self, x: Tensor, keys: Tensor, values: Tensor, at: int, bias: Tensor) -> Tensor:
        """Attend at one position: x [R, D]; write keys, values [R, H, T, d] at ``at``.

        ``bias`` [H, at + 1] runs from the first position to the current one.
        """
        fused = self.project_step(x, self.q, self.k, self.v)
        q, k, v = map(self.split, fused)
        keys[:, :, at], values[:, :, at] = k, v
        return self.merge_step(select.self_attention(q, keys, values, at + 1, bias))

    def fixed_step(
        self, x: Tensor, keys: Tensor, values: Tensor, at: Tensor, bias: Tensor
    ) -> Tensor:
        """Attend as :meth:`step`, at a position that is a tensor on the device ([1]).

        All T positions of the cache are read; ``bias`` [H, T] masks those to come.
        """
        fused = self.fused_in(x, self.q.weight, self.k.weight, self.v.weight)
        q, k, v = map(self.split, fused)
        keys.index_copy_(2, at, k[:, :, None])
        values.index_copy_(2, at, v[:, :, None])
        return self.merge_step(decode.self_attention(q, keys, values, keys.shape[2], bias))

    def _finish(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        weights = (q.float() @ k.float().transpose(-1, -2) + bias).softmax(-1)
        weights = F.dropout(weights, self.dropout, self.training)
        return self.merge((weights.to(v.dtype) @ v).transpose(1, 2)), weights


class CrossAttention(Projections):
    """Decoder attention over the encoder's states: no relative bias, padding masked."""

    def keys_values(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Project states: [B, S, D] -> keys [B, H, d, S] and values [B, H, S, d]."""
        keys = self.split(self.k(states)).permute(0, 2, 3, 1)
        return keys, self.split(self.v(states)).transpose(1, 2)

    def cross_states(self, states: Tensor) -> CrossStates:
        """Project states [B, S, D] to keys and values for all steps, in the layer's dtype."""
        states = states.to(self.k.weight.dtype)
        batch, source, _ = states.shape
        cross = select.cross_states(
            batch, source, self.heads, self.width, states.dtype, states.device
        )
        for begin in range(0, source, CROSS_CHUNK_ROWS):
            rows = states[:, begin : begin + CROSS_CHUNK_ROWS]
            cross.put(begin, self.split(self.k(rows)), self.split(self.v(rows)))
        return cross

    def step(
        self,
        x: Tensor,
        states: CrossStates,
        bias: Tensor | None,
        watch: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Attend at one position of K beams: x [B, K, D] -> [B, K, D]; bias [B, 1, 1, S] or None.

        ``watch`` receives the weights [B, H, K, S].
        """
        (q,) = self.project_step(x.flatten(0, 1), self.q)
        q = self.split(q).unflatten(0, x.shape[:2])
        out, weights = states.attend(q, bias, want_weights=watch is not None)
        if watch is not None and weights is not None:
            watch(weights)
        return self.merge_step(out.flatten(0, 1)).unflatten(0, x.shape[:2])

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attend with x [B, T, D] over keys, values; bias [B, 1, 1, S] float32 or None."""
        q = self.split(self.q(x)).transpose(1, 2)
        scores = (widen_float16(q) @ widen_float16(keys)).float()
        if bias is not None:
            scores = scores + bias
        weights = F.dropout(scores.softmax(-1), self.dropout, self.training)
        return self.merge((weights.to(values.dtype) @ values).transpose(1, 2)), weights
