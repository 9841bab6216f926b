"""Products with weight matrices for inference: the fastest routine torch offers on the device.

On the CPU that is oneDNN (for float32 torch takes MKL, which is slower by half where AMD's
processors have AVX-512, and faster by a tenth where they have AVX2 alone); the few rows of a
decode step have a routine of their own.
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

Key = tuple[Any, ...]
FEW, SHORT = 4, 1024


@functools.cache
def by_onednn(device: str, dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies this dtype here, and nothing faster. Its operators have no public
    name."""
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


def few_rows(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight.T`` where oneDNN is not taken. MKL reads the weight twice as fast when it comes
    first, as long as x is small (measured with AVX2 on AMD's: up to 4 rows of 1,024)."""
    is_small = x.shape[0] <= FEW and x.shape[1] <= SHORT
    if is_small and weight.dtype is torch.float32 and torch.backends.mkl.is_available():
        return (weight @ x.T).T
    return F.linear(x, weight)


def _onednn(x: Tensor, weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")


def plain() -> bool:
    """Whether only plain torch will do, and nothing in place: for gradients, and within
    ``torch.compile``."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight.T``, for inference in the dtype of the weight; x [..., I], weight [O, I]."""
    if plain():
        return F.linear(x, weight)
    x = x.to(weight.dtype)
    if not by_onednn(x.device.type, weight.dtype):
        return F.linear(x, weight)
    return _onednn(x, weight) if x.numel() else F.linear(x, weight)


def gated_gelu(x: Tensor, gate: Tensor, up: Tensor) -> Tensor:
    """``gelu_new(x @ gate.T) * (x @ up.T)``; the products finish with what follows them."""
    if plain():
        return F.gelu(F.linear(x, gate), approximate="tanh") * F.linear(x, up)
    x = x.to(gate.dtype)
    if not by_onednn(x.device.type, gate.dtype):
        return F.gelu(F.linear(x, gate), approximate="tanh").mul_(F.linear(x, up))
    opened = torch.ops.mkldnn._linear_pointwise(x, gate, None, "gelu", [], "tanh")
    return torch.ops.mkldnn._linear_pointwise.binary(x, opened, up, None, "mul")


class Linear(nn.Linear):
    """A matrix without bias that multiplies by :func:`linear`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


class Fused:
    """Several matrices of one input as a single product, for the few rows of a decode step.

    The compiled kernel and MKL take weights as they lie. oneDNN has them packed at the first call
    and again whenever one has changed; so are int8 weights (``quantized``). Copies start unpacked.
    What is written through ``.data`` leaves no trace: copy into the parameter itself, under
    ``torch.no_grad()``.
    """

    def __init__(self, quantized: bool = False) -> None:
        self.quantized = quantized
        self.key: Key = ()
        self.of: tuple[Tensor, ...] = ()
        self.packed: Any = None

    def __call__(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        """x [R, I], weights [O_i, I] -> outputs [R, O_i]."""
        first = weights[0]
        x = x.to(first.dtype)  # half-width models may keep some matrices in float32
        if torch.is_grad_enabled() or first.device.type != "cpu":
            return tuple(F.linear(x, w) for w in weights)
        if self.quantized:
            wholes, scales = self.matrices(*weights)
            kernel = native if select.uses_native_product(x, wholes) else int8
            return kernel.thin_product(x, wholes, scales)
        if select.uses_native_product(x, weights):
            return native.thin_product(x, weights)
        if not by_onednn("cpu", first.dtype):
            return tuple(few_rows(x, w) for w in weights)
        packed = self._kept(lambda: _packed(x.shape[0], weights), weights)
        return _onednn(x, packed).split([w.shape[0] for w in weights], -1)

    def matrices(self, *weights: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The matrices as they are multiplied, and the scales of int8 ones (else none)."""
        if not self.quantized:
            return list(weights), []
        return self._kept(lambda: _rounded(weights), weights)

    def _kept(self, make: Callable[[], Any], weights: Sequence[Tensor]) -> Any:
        key = (self.quantized, *map(_state, weights))
        # A new matrix may lie where an old one lay, so the old ones are held on to.
        same = len(self.of) == len(weights) and all(map(operator.is_, self.of, weights))
        if key != self.key or not same:
            self.packed, self.key, self.of = make(), key, tuple(weights)
        return self.packed

    def __reduce__(self) -> Any:
        return Fused, (self.quantized,)


def _state(weight: Tensor) -> Key:
    """Changes when a matrix is written or put elsewhere; inference tensors count no changes."""
    return weight.data_ptr(), weight.dtype, 0 if weight.is_inference() else weight._version


def _packed(rows: int, weights: Sequence[Tensor]) -> Tensor:
    """One matrix in oneDNN's layout."""
    whole = weights[0].detach() if len(weights) == 1 else torch.cat(list(weights)).detach()
    return torch.ops.mkldnn._reorder_linear_weight(whole, rows)


def _rounded(weights: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    pairs = [int8.quantize_rows(w.detach()) for w in weights]
    return [w for w, _ in pairs], [s for _, s in pairs]
