"""A whole decode step, from embeddings to logits, in a single call of the compiled kernel.

It may be the step of many searches: their rows are multiplied by the weights together, and each
search attends to its own keys and values. A step is a hundred small operations; in a small model,
calling them from Python takes as long as they do. The kernel's threads share them in small pieces,
and none waits for one that has lost its core to another program (team.h). Optional: the layers
called one after the other compute the same.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import native

if TYPE_CHECKING:
    from ..cache import DecoderCache

Watch = Mapping[int, Callable[[Tensor], None]]
# Matrices of self-attention (q k v o), cross-attention (q o), feed-forward (gate, up, down).
SELF_MATRICES, CROSS_MATRICES, FEED_FORWARD_MATRICES = 4, 2, 3
MIN_VOCABULARY = 4  # outputs of a block in the kernel
# The memory of steps: a thread that lost its core may still write into an earlier step's, so there
# is one more than threads, unless that takes too much; then a step may wait for that thread.
MIN_SLOTS, SLOT_BYTES = 2, 128 * 2**20
# For tests: all threads but the first do pieces again while it goes on, which must change nothing.
RESTLESS = False


@dataclass(frozen=True)
class Weights:
    """One layer's three norms [D]; matrices q k v o, then q o, then (gate,) up and down, unpacked;
    and the scales of int8 matrices."""

    norms: Sequence[Tensor]
    matrices: Sequence[Sequence[Tensor]]
    scales: Sequence[Sequence[Tensor | None]]


@dataclass(frozen=True)
class Head:
    """The last norm [D], the matrix [V, D] with the scales of an int8 one, and the ``factor`` of
    the states before it."""

    norm: Tensor
    matrix: Tensor
    scale: Tensor | None
    factor: float


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("own_norm", "cross_norm", "wide_norm")),
        ("own", ctypes.c_void_p * SELF_MATRICES),
        ("cross", ctypes.c_void_p * CROSS_MATRICES),
        ("wide", ctypes.c_void_p * FEED_FORWARD_MATRICES),
        ("own_scale", ctypes.c_void_p * SELF_MATRICES),
        ("cross_scale", ctypes.c_void_p * CROSS_MATRICES),
        ("wide_scale", ctypes.c_void_p * FEED_FORWARD_MATRICES),
    ]


class _Decoder(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("layers", "norm", "head", "head_scale")),
        *((name, ctypes.c_int64) for name in "count D H d F V threads slots restless".split()),
        ("eps", ctypes.c_double),
        ("factor", ctypes.c_double),
    ]


class _Store(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in "keys values cross_keys cross_values seen".split()
    ]


class _Search(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("stores", "bias", "cross_bias", "held")),
        *((name, ctypes.c_int64) for name in "B K S capacity at".split()),
    ]


def fits(layers: Sequence[Weights], head: Head, cache: DecoderCache) -> bool:
    """Return whether the kernel computes these layers and head for this cache, whatever other
    searches a step has."""
    rows, heads, _, width = cache.self_keys[0].shape
    kind = cache.self_keys[0].dtype
    matrices = [w for layer in layers for part in layer.matrices for w in part]
    sizes = {size for w in matrices for size in w.shape}
    every = [*matrices, head.matrix]
    dense = all(w.is_contiguous() and w.dtype in (kind, torch.int8) for w in every)
    return (
        native.fits(width, native.LANES, kind, cache.self_keys[0].device)
        and rows <= native.THIN_ROWS
        and all(size % (2 * native.LANES) == 0 for size in (*sizes, heads * width))
        and head.matrix.shape[0] >= MIN_VOCABULARY
        and dense
        and all(isinstance(states, native.PackedCrossStates) for states in cache.cross)
    )


class StepProgram:
    """The layers and the head of a decoder, and the threads that compute steps of many searches.

    Reads the memory of the weights that there are now, also where the model gets others. The
    threads begin with the first step and end with this object. ``rows``: of a usual step, for the
    memory of steps (MIN_SLOTS).
    """

    def __init__(
        self,
        layers: Sequence[Weights],
        head: Head,
        dtype: torch.dtype,
        heads: tuple[int, int],
        rows: int,
        eps: float,
        threads: int | None = None,
    ) -> None:
        self.weights, self.head = list(map(_held, layers)), _held_head(head)
        self.versions = _versions(layers, head)
        self.rows, self.eps = rows, eps
        self.half = int(dtype is torch.bfloat16)
        self.threads = torch.get_num_threads() if threads is None else threads
        self.norms = [[w.detach().float().contiguous() for w in layer.norms] for layer in layers]
        self.norm = head.norm.detach().float().contiguous()
        self.heads, self.width = heads
        self.handle: int | None = None
        self.slots = 0

    def is_of(self, layers: Sequence[Weights], head: Head) -> bool:
        """Return whether this program computes with these very weights, as they are now."""
        return self.versions == _versions(layers, head)

    def begin(self, watched: int) -> None:
        """Start the threads, where they do not run yet; ``watched``: weights of cross-attention
        that a step stores."""
        if self.handle is not None:
            return
        kernels: Any = native.library()
        self.slots = self._slots(watched)
        layers = (_Layer * len(self.weights))(*map(self._layer, range(len(self.weights))))
        call = _Decoder(
            ctypes.addressof(layers),
            *map(native.pointer, (self.norm, self.head.matrix, self.head.scale)),
            len(layers),
            self.inputs,
            self.heads,
            self.width,
            self.weights[0].matrices[2][0].shape[0],
            self.head.matrix.shape[0],
            self.threads,
            self.slots,
            RESTLESS,
            self.eps,
            self.head.factor,
        )
        begin = kernels.longt5_steps_begin
        begin.restype = ctypes.c_void_p
        self.handle = begin(ctypes.c_int64(self.half), ctypes.byref(call))
        if self.handle is None:
            raise MemoryError("There is not enough memory for a decode step.")
        # What the threads read lives until they have ended.
        read = self.weights, self.head, self.norms, self.norm
        weakref.finalize(self, _end, kernels, self.half, self.handle, read)

    @property
    def inputs(self) -> int:
        """Return D."""
        return self.weights[0].matrices[0][0].shape[1]

    def _slots(self, watched: int) -> int:
        matrices = [w for layer in self.weights for part in layer.matrices for w in part]
        values = self.rows * sum(sum(w.shape) for w in matrices)
        values += self.rows * self.head.matrix.shape[0] + 2 * watched
        return max(MIN_SLOTS, min(self.threads + 1, SLOT_BYTES // (4 * values)))

    def _layer(self, number: int) -> _Layer:
        layer = self.weights[number]
        own, cross, wide = (_pointers(part) for part in layer.matrices)
        own_scale, cross_scale, wide_scale = (_pointers(part) for part in layer.scales)
        return _Layer(
            *map(native.pointer, self.norms[number]),
            (ctypes.c_void_p * SELF_MATRICES)(*own),
            (ctypes.c_void_p * CROSS_MATRICES)(*cross),
            (ctypes.c_void_p * FEED_FORWARD_MATRICES)(*_with_gate(wide)),
            (ctypes.c_void_p * SELF_MATRICES)(*own_scale),
            (ctypes.c_void_p * CROSS_MATRICES)(*cross_scale),
            (ctypes.c_void_p * FEED_FORWARD_MATRICES)(*_with_gate(wide_scale)),
        )

    def __call__(
        self, x: Tensor, steps: Sequence[DecoderStep], at: Sequence[int], watches: Sequence[Watch]
    ) -> Tensor:
        """Return float32 logits [R, V] of embeddings x [R, D]: the rows of all steps, one search
        after another, each at its own position ``at``.

        What a row gives does not depend on the others. ``watches``: of each search, by layer, what
        receives its cross-attention weights [B, H, K, S], the same layers at each step; the next
        steps write over them. One thread at a time calls the steps of a search.
        """
        kernels: Any = native.library()
        states = zip(steps, at, watches, strict=True)
        calls = [step.call(place, watch) for step, place, watch in states]
        searches = calls[0] if len(calls) == 1 else (_Search * len(calls))(*calls)
        x = x.float().contiguous()
        logits = torch.empty(len(x), self.head.matrix.shape[0], dtype=torch.float32)
        slot = kernels.longt5_steps_run(
            ctypes.c_int64(self.half),
            ctypes.c_void_p(self.handle),
            ctypes.c_void_p(x.data_ptr()),
            ctypes.byref(searches),
            ctypes.c_int64(len(steps)),
            ctypes.c_void_p(logits.data_ptr()),
        )
        if slot < 0:
            raise MemoryError("There is not enough memory for a decode step.")
        for step, watch in zip(steps, watches, strict=True):
            for layer, receive in watch.items():
                receive(step.seen[layer][slot])
        return logits


class DecoderStep:
    """What one search brings to the steps of a program: its cache, whose tensors must keep their
    addresses.

    Has no reference to the cache, which refers to this step: both are freed when a decode ends.
    ``held`` [R, capacity] int32: the cache row that holds each position of each beam row.
    """

    def __init__(self, program: StepProgram, cache: DecoderCache) -> None:
        self.program = program
        states: Any = cache.cross
        self.stores = [
            (*own, packed.keys, packed.values)
            for *own, packed in zip(cache.self_keys, cache.self_values, states, strict=True)
        ]
        self.rows, self.heads, self.capacity, _ = cache.self_keys[0].shape
        self.batch, self.source = states[0].shape[:2]
        self.beams = self.rows // self.batch
        bias = cache.cross_bias
        self.cross_bias = (
            None if bias is None else bias.reshape(self.batch, self.source).contiguous()
        )
        # In the order of positions, up to the last one that there can be.
        self.bias = cache.self_bias[:, : self.capacity].flip(-1).contiguous()
        own = torch.arange(self.rows, dtype=torch.int32)
        self.held = own[:, None].expand(self.rows, self.capacity).contiguous()
        self.seen: dict[int, Tensor] = {}
        self._call: _Search | None = None

    def call(self, at: int, watch: Watch) -> _Search:
        """Return what the kernel is told of this search for the step at a position."""
        if self._call is None:
            self._call = self._begin(watch)
        self._call.at = at
        return self._call

    def _begin(self, watch: Watch) -> _Search:
        """Make room for the attention of the layers in ``watch``."""
        kernels: Any = native.library()
        program, shape = self.program, (self.batch, self.heads, self.beams, self.source)
        program.begin(len(watch) * math.prod(shape))
        self.seen = {
            layer: torch.empty(program.slots, *shape, dtype=torch.float32) for layer in watch
        }
        stores = (_Store * len(self.stores))(
            *(
                _Store(*map(native.pointer, own), native.pointer(self.seen.get(layer)))
                for layer, own in enumerate(self.stores)
            )
        )
        # What the threads read lives until they have left the steps of this search.
        read = self.stores, stores, self.bias, self.cross_bias, self.held, self.seen, program
        weakref.finalize(self, _leave, kernels, program.half, program.handle, read)
        return _Search(
            ctypes.addressof(stores),
            *map(native.pointer, (self.bias, self.cross_bias, self.held)),
            self.batch,
            self.beams,
            self.source,
            self.capacity,
            0,
        )

    def reorder(self, parents: Tensor, length: int) -> None:
        """Make row ``i`` continue row ``parents[i]``. Keys and values are not moved: beams with a
        common beginning read the same ones."""
        held = self.held.numpy()[:, :length]  # which takes a fifth of torch's time
        held[:] = held[parents.numpy()]


def _end(kernels: Any, half: int, handle: int, read: object) -> None:
    """End the threads of a program, which read the tensors in ``read`` until then."""
    kernels.longt5_steps_end(ctypes.c_int64(half), ctypes.c_void_p(handle))


def _leave(kernels: Any, half: int, handle: int | None, read: object) -> None:
    """Wait until no thread reads the tensors of a search any more."""
    kernels.longt5_steps_leave(ctypes.c_int64(half), ctypes.c_void_p(handle))


def _held(layer: Weights) -> Weights:
    """Return the memory of a layer's weights, which a model may replace in its parameters."""
    return Weights(
        [w.detach() for w in layer.norms],
        [[w.detach() for w in part] for part in layer.matrices],
        layer.scales,
    )


def _held_head(head: Head) -> Head:
    return replace(head, norm=head.norm.detach(), matrix=head.matrix.detach())


def _versions(layers: Sequence[Weights], head: Head) -> list[tuple[int, int] | None]:
    """Return where every weight is, and how often it was written."""
    parts = [part for layer in layers for part in (layer.norms, *layer.matrices, *layer.scales)]
    every = [x for part in (*parts, (head.norm, head.matrix, head.scale)) for x in part]
    return [
        None if x is None else (x.data_ptr(), 0 if x.is_inference() else x._version) for x in every
    ]


def _pointers(tensors: Sequence[Tensor | None]) -> list[int | None]:
    return [native.pointer(x) for x in tensors]


def _with_gate(pointers: list[int | None]) -> list[int | None]:
    """Return pointers of gate, up, down; without a gate those of up, null, down."""
    return pointers if len(pointers) == FEED_FORWARD_MATRICES else [pointers[0], None, pointers[1]]
