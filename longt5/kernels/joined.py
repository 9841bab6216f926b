"""All layers of one decode step in a single call of the compiled kernel.

A step is a hundred small operations; in a small model, calling them from Python takes as long as
they do. Optional: the layers called one after the other compute the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import native

if TYPE_CHECKING:
    from ..cache import DecoderCache

Watch = Mapping[int, Callable[[Tensor], None]]
# Matrices of self-attention (q k v o), cross-attention (q o), feed-forward (gate, up, down).
SELF_MATRICES, CROSS_MATRICES, FEED_FORWARD_MATRICES = 4, 2, 3


@dataclass(frozen=True)
class Weights:
    """One layer's three norms [D]; matrices q k v o, then q o, then (gate,) up and down, unpacked;
    and the scales of int8 matrices."""

    norms: Sequence[Tensor]
    matrices: Sequence[Sequence[Tensor]]
    scales: Sequence[Sequence[Tensor | None]]


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("own_norm", "cross_norm", "wide_norm")),
        ("own", ctypes.c_void_p * SELF_MATRICES),
        ("cross", ctypes.c_void_p * CROSS_MATRICES),
        ("wide", ctypes.c_void_p * FEED_FORWARD_MATRICES),
        ("own_scale", ctypes.c_void_p * SELF_MATRICES),
        ("cross_scale", ctypes.c_void_p * CROSS_MATRICES),
        ("wide_scale", ctypes.c_void_p * FEED_FORWARD_MATRICES),
        *((name, ctypes.c_void_p) for name in ("keys", "values")),
        *((name, ctypes.c_void_p) for name in ("cross_keys", "cross_values", "seen")),
    ]


class _Step(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("x", "layers", "bias", "cross_bias", "held")),
        *((name, ctypes.c_int64) for name in "count B K S D H d F capacity at threads".split()),
        ("eps", ctypes.c_double),
    ]


def fits(layers: Sequence[Weights], cache: DecoderCache) -> bool:
    """Return whether the kernel computes these layers for this cache."""
    rows, heads, _, width = cache.self_keys[0].shape
    kind = cache.self_keys[0].dtype
    sizes = {size for layer in layers for part in layer.matrices for w in part for size in w.shape}
    dense = all(
        w.is_contiguous() and w.dtype in (kind, torch.int8)
        for layer in layers
        for part in layer.matrices
        for w in part
    )
    return (
        native.fits(width, native.LANES, kind, cache.self_keys[0].device)
        and rows <= native.THIN_ROWS
        and all(size % (2 * native.LANES) == 0 for size in (*sizes, heads * width))
        and dense
        and all(isinstance(states, native.PackedCrossStates) for states in cache.cross)
    )


class DecoderStep:
    """The layers of a decoder over one cache, whose tensors and weights must keep their addresses.

    Has no reference to the cache, which refers to this step: both are freed when a decode ends.
    ``held`` [R, capacity] int32: the cache row that holds each position of each beam row.
    """

    def __init__(self, layers: Sequence[Weights], cache: DecoderCache, eps: float) -> None:
        self.weights, self.half = layers, cache.self_keys[0].dtype is torch.bfloat16
        self.norms = [[w.detach().float().contiguous() for w in layer.norms] for layer in layers]
        self.layers = (_Layer * len(layers))(*(self._layer(i, cache) for i in range(len(layers))))
        rows, heads, capacity, width = cache.self_keys[0].shape
        states: Any = cache.cross[0]
        batch, source = states.shape[:2]
        bias = cache.cross_bias
        self.cross_bias = None if bias is None else bias.reshape(batch, source).contiguous()
        self.shape = (batch, rows // batch, heads, source)
        own = torch.arange(rows, dtype=torch.int32)
        self.held = own[:, None].expand(rows, capacity).contiguous()
        inputs, wide = layers[0].matrices[0][0].shape[1], layers[0].matrices[2][0].shape[0]
        self.call = _Step(
            None,
            ctypes.addressof(self.layers),
            None,
            native.pointer(self.cross_bias),
            native.pointer(self.held),
            len(layers),
            batch,
            rows // batch,
            source,
            inputs,
            heads,
            width,
            wide,
            capacity,
            0,
            1,
            eps,
        )

    def _layer(self, number: int, cache: DecoderCache) -> _Layer:
        layer = self.weights[number]
        own, cross, wide = (_pointers(part) for part in layer.matrices)
        own_scale, cross_scale, wide_scale = (_pointers(part) for part in layer.scales)
        states: Any = cache.cross[number]
        stores = cache.self_keys[number], cache.self_values[number], states.keys, states.values
        return _Layer(
            *map(native.pointer, self.norms[number]),
            (ctypes.c_void_p * SELF_MATRICES)(*own),
            (ctypes.c_void_p * CROSS_MATRICES)(*cross),
            (ctypes.c_void_p * FEED_FORWARD_MATRICES)(*_with_gate(wide)),
            (ctypes.c_void_p * SELF_MATRICES)(*own_scale),
            (ctypes.c_void_p * CROSS_MATRICES)(*cross_scale),
            (ctypes.c_void_p * FEED_FORWARD_MATRICES)(*_with_gate(wide_scale)),
            *map(native.pointer, stores),
            None,
        )

    def reorder(self, parents: Tensor, length: int) -> None:
        """Make row ``i`` continue row ``parents[i]``. Keys and values are not moved: beams with a
        common beginning read the same ones."""
        held = self.held[:, :length]
        held.copy_(held.index_select(0, parents))

    def __call__(self, x: Tensor, at: int, bias: Tensor, watch: Watch) -> Tensor:
        """Run all layers on x [R, D] float32 at position ``at``, bias [H, at + 1] -> [R, D].

        ``watch``: by layer, what receives its cross-attention weights.
        """
        kernels: Any = native.library()
        x, bias = x.float().clone(), bias.contiguous()
        seen = {layer: x.new_empty(self.shape_of_weights) for layer in watch}
        for number, layer in enumerate(self.layers):
            layer.seen = native.pointer(seen.get(number))
        call = self.call
        call.x, call.bias, call.at = x.data_ptr(), bias.data_ptr(), at
        call.threads = torch.get_num_threads()
        kernels.longt5_decoder_step(int(self.half), ctypes.byref(call))
        for number, weights in seen.items():
            watch[number](weights)
        return x

    @property
    def shape_of_weights(self) -> tuple[int, ...]:
        """Return [B, H, K, S]."""
        batch, beams, heads, source = self.shape
        return batch, heads, beams, source


def _pointers(tensors: Sequence[Tensor | None]) -> list[int | None]:
    return [native.pointer(x) for x in tensors]


def _with_gate(pointers: list[int | None]) -> list[int | None]:
    """Return pointers of gate, up, down; without a gate those of up, null, down."""
    return pointers if len(pointers) == FEED_FORWARD_MATRICES else [pointers[0], None, pointers[1]]
