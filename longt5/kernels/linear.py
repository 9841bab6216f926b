"""Products with weight matrices for inference, by torch's fastest routine on the device.

On the CPU that is oneDNN. For float32 torch takes MKL, which is slower by half on AMD processors
with AVX-512, and faster by a tenth on those with AVX2 alone. The few rows of a decode step have a
routine of their own.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import int8, native, select

PackKey = tuple[Any, ...]
# Sizes of x up to which MKL is faster with the weight as its first operand: measured with AVX2 on
# AMD processors; with larger ones the usual order is faster.
MKL_MAX_ROWS, MKL_MAX_INPUTS = 4, 1024


@functools.cache
def uses_onednn(device: str, dtype: torch.dtype) -> bool:
    """Return whether oneDNN is the fastest routine for this dtype here.

    Its operators have no public names, so they are tried on a small product first.
    """
    if device != "cpu" or dtype not in (torch.float32, torch.bfloat16):
        return False
    narrow = torch.backends.cpu.get_cpu_capability() == "AVX2"
    if dtype is torch.float32 and narrow and torch.backends.mkl.is_available():
        return False
    try:
        weight = torch.eye(16, dtype=dtype)
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 4)
        x = torch.arange(64, dtype=dtype).view(4, 16)
        return torch.equal(_onednn(x, packed), x)
    except (AttributeError, RuntimeError):
        return False


def mkl_linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x @ weight.T`` where oneDNN is not used; MKL reads the weight twice as fast when it
    is the first operand and x is small."""
    is_small = x.shape[0] <= MKL_MAX_ROWS and x.shape[1] <= MKL_MAX_INPUTS
    if is_small and weight.dtype is torch.float32 and torch.backends.mkl.is_available():
        return (weight @ x.T).T
    return F.linear(x, weight)


def _onednn(x: Tensor, weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")


def needs_plain_torch() -> bool:
    """Return True where gradients or ``torch.compile`` need plain torch and nothing in place."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x @ weight.T``, for inference in the weight's dtype; x [..., I], weight [O, I]."""
    if needs_plain_torch():
        return F.linear(x, weight)
    x = x.to(weight.dtype)
    if not uses_onednn(x.device.type, weight.dtype):
        return F.linear(x, weight)
    return _onednn(x, weight) if x.numel() else F.linear(x, weight)


def gated_gelu(x: Tensor, gate: Tensor, up: Tensor) -> Tensor:
    """Return ``gelu_new(x @ gate.T) * (x @ up.T)``, fused into the products where oneDNN can."""
    if needs_plain_torch():
        return F.gelu(F.linear(x, gate), approximate="tanh") * F.linear(x, up)
    x = x.to(gate.dtype)
    if not uses_onednn(x.device.type, gate.dtype):
        return F.gelu(F.linear(x, gate), approximate="tanh").mul_(F.linear(x, up))
    opened = torch.ops.mkldnn._linear_pointwise(x, gate, None, "gelu", [], "tanh")
    return torch.ops.mkldnn._linear_pointwise.binary(x, opened, up, None, "mul")


class Linear(nn.Linear):
    """A linear layer without bias that multiplies by :func:`linear`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


class Fused:
    """Several matrices of one input as a single product, for the few rows of a decode step.

    The compiled kernel and MKL take weights unpacked. For oneDNN they are packed at the first call
    and again whenever one has changed, likewise quantized for int8 (``quantized``). Copies of this
    object start unpacked. Writes through ``.data`` cannot be detected: copy into the parameter
    itself, under ``torch.no_grad()``.
    """

    def __init__(self, quantized: bool = False) -> None:
        self.quantized = quantized
        self.key: PackKey = ()
        self.weights: tuple[Tensor, ...] = ()
        self.packed: Any = None

    def __call__(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        """Multiply x [R, I] by weights [O_i, I] -> outputs [R, O_i]."""
        first = weights[0]
        x = x.to(first.dtype)  # half-width models may keep some matrices in float32
        if torch.is_grad_enabled() or first.device.type != "cpu":
            return tuple(F.linear(x, w) for w in weights)
        if self.quantized:
            quantized, scales = self.matrices(*weights)
            kernel = native if select.uses_native_product(x, quantized) else int8
            return kernel.thin_product(x, quantized, scales)
        if select.uses_native_product(x, weights):
            return native.thin_product(x, weights)
        if not uses_onednn("cpu", first.dtype):
            return tuple(mkl_linear(x, w) for w in weights)
        packed = self._cached(lambda: _packed(x.shape[0], weights), weights)
        return _onednn(x, packed).split([w.shape[0] for w in weights], -1)

    def matrices(self, *weights: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return the matrices as they are multiplied, and the scales of int8 ones (else none)."""
        if not self.quantized:
            return list(weights), []
        return self._cached(lambda: _quantized(weights), weights)

    def _cached(self, make: Callable[[], Any], weights: Sequence[Tensor]) -> Any:
        key = (self.quantized, *map(_version_of, weights))
        # A new matrix may get the address of a freed one, so references to the old ones are held.
        same = len(self.weights) == len(weights) and all(map(operator.is_, self.weights, weights))
        if key != self.key or not same:
            self.packed, self.key, self.weights = make(), key, tuple(weights)
        return self.packed

    def __reduce__(self) -> Any:
        return Fused, (self.quantized,)


def _version_of(weight: Tensor) -> PackKey:
    """Return a value that changes when a matrix is written or moved.

    Inference tensors count no changes.
    """
    return weight.data_ptr(), weight.dtype, 0 if weight.is_inference() else weight._version


def _packed(rows: int, weights: Sequence[Tensor]) -> Tensor:
    """Return the matrices joined, in oneDNN's layout."""
    joined = weights[0].detach() if len(weights) == 1 else torch.cat(list(weights)).detach()
    return torch.ops.mkldnn._reorder_linear_weight(joined, rows)


def _quantized(weights: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [int8.quantize_rows(w.detach()) for w in weights]
    return [w for w, _ in pairs], [s for _, s in pairs]
