"""Choose the kernel that computes: the fastest that fits and agrees with the reference here.

A kernel is compared once per device and dtype, at its first use (:mod:`.checks`). One that
differs is not used, and :func:`kernel_notices` says so.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ..errors import first_line
from ..memory import is_out_of_memory
from . import Geometry, Side, checks, chunked, cuda, decode, graph, native, reference
from .checks import Case, CheckResult, ModelClass
from .threads import one_thread


class Kernel(Protocol):
    """A module of this package that computes long attention."""

    __name__: str

    def fits(self, width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool: ...

    def attend(self, q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor: ...


KERNELS: dict[str, Kernel] = {  # the fastest first
    "native": native, "cuda": cuda, "chunked": chunked,  # type: ignore[dict-item]
}  # fmt: skip
COMPILED_KERNEL = "cuda"  # compiles for seconds at each new size, so only on request
_notices: list[str] = []
_failed: set[tuple[str, str]] = set()  # (kernel, device) of kernels that raised in use


def kernel_notices() -> list[str]:
    """Return what the user should know: kernels and devices that fail here and are not used."""
    return list(_notices)


def attend(
    q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry, compiled: bool = False
) -> Tensor:
    """Compute long attention by the first kernel that fits these shapes and is right here.

    ``compiled`` allows the kernel that is compiled for them, unless it fails. No gradients.
    """
    where = q.shape[-1], geometry.block_len, q.dtype, q.device
    for name, kernel in KERNELS.items():
        if name == COMPILED_KERNEL and not compiled:
            continue
        if kernel.fits(*where) and is_verified(name, q.dtype, str(q.device)):
            try:
                return kernel.attend(q, k, v, side, geometry)
            except Exception as problem:
                if name != COMPILED_KERNEL:
                    raise
                disable(name, q.device, problem)
    return reference.attend(q, k, v, side, geometry)


def cross_states(
    batch: int, source: int, heads: int, width: int, dtype: torch.dtype, device: torch.device
) -> decode.CrossStates:
    """Return empty keys and values of a cross-attention layer in the fastest kernel's layout."""
    if _uses_native(width, dtype, device):
        return native.PackedCrossStates(batch, source, heads, width, dtype)
    return decode.CrossStates(batch, source, heads, width, dtype, device)


def self_attention(q: Tensor, keys: Tensor, values: Tensor, length: int, bias: Tensor) -> Tensor:
    """See :func:`longt5.kernels.decode.self_attention`."""
    kernel = native if _uses_native(q.shape[-1], q.dtype, q.device) else decode
    return kernel.self_attention(q, keys, values, length, bias)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See :func:`longt5.kernels.decode.rms_norm`."""
    usable = x.dtype is torch.float32 and not torch.is_grad_enabled()
    if usable and _uses_native(x.shape[-1], weight.dtype, x.device):
        return native.rms_norm(x, weight, eps)
    return decode.rms_norm(x.float(), weight, eps)


def uses_native_product(x: Tensor, weights: Sequence[Tensor]) -> bool:
    """Return whether :func:`native.thin_product` multiplies these few rows, plain or int8."""
    part = "int8" if weights[0].dtype is torch.int8 else "linear"
    fits = x.dtype in native.KERNEL_DTYPES and native.fits_thin(x.shape[0], weights)
    return fits and is_verified(f"native {part}", x.dtype, "cpu")


def _uses_native(width: int, dtype: torch.dtype, device: torch.device) -> bool:
    fits = native.fits(width, native.LANES, dtype, device)
    return fits and all(is_verified(f"native {x}", dtype, "cpu") for x in checks.ATTENTION_PARTS)


def is_verified(
    name: str, dtype: torch.dtype, device: str, model_class: ModelClass | None = None
) -> bool:
    """Return whether a kernel agrees with the reference on this device and has not failed since.

    Report it once when it does not. ``model_class`` builds the tiny model for checks of whole
    decode steps.
    """
    if (name, device) in _failed:
        return False
    return _matches_reference(name, dtype, device, model_class)


@functools.cache
def _matches_reference(
    name: str, dtype: torch.dtype, device: str, model_class: ModelClass | None
) -> bool:
    with one_thread():  # the samples are small, and this happens at each start
        result = compare(name, dtype, torch.device(device), model_class)
    if not result.passed:
        kind = str(dtype).removeprefix("torch.")
        why = f"gives wrong numbers on {device} in {kind} (error {result.error:.1e})"
        why = f"failed on {device} ({result.problem})" if result.problem else why
        notify(f"The {name} kernel {why}; a slower one is used instead.")
    return result.passed


@functools.cache
def device_computes(device: str, model_class: ModelClass) -> bool:
    """Return whether a model runs on a device and gives the processor's numbers.

    Report it once when it does not: a card may be too old for this torch, or its driver wrong.
    """
    try:
        result = compare("device", torch.float32, torch.device(device), model_class)
    except Exception as problem:  # no memory is left on the device
        infinite = float("inf")
        result = CheckResult("device", device, torch.float32, infinite, first_line(problem))
    if result.passed:
        return True
    why = f"failed ({result.problem})" if result.problem else "gives wrong numbers"
    notify(f"The device {device} {why}; the processor is used instead.")
    return False


def compare(
    name: str, dtype: torch.dtype, device: torch.device, model_class: ModelClass | None = None
) -> CheckResult:
    """Compare one kernel with the reference; see :func:`.checks.compare_with_reference`."""
    attend = KERNELS[name].attend if name in KERNELS else None
    return checks.compare_with_reference(Case(name, dtype, device, attend, model_class))


def compare_all(device: torch.device, model_class: ModelClass) -> list[CheckResult]:
    """Compare every kernel that this machine can run, in every dtype that it computes."""
    results = []
    for dtype in checks.TOLERANCES:
        names = [n for n, k in KERNELS.items() if k.fits(64, 128, dtype, device)]
        if native.fits(64, 128, dtype, device):
            names += [f"native {part}" for part in (*checks.STEP_PARTS, "step")]
        names += [f"torch {part}" for part in checks.STEP_PARTS]
        names += ["graph"] if graph.can_record(device) else []
        names += ["device"] if device.type != "cpu" and dtype is torch.float32 else []
        results += [compare(name, dtype, device, model_class) for name in names]
    return results


def disable(name: str, device: torch.device, problem: Exception) -> None:
    """Stop using a kernel that failed on a device, and report it.

    Raise the error again where it is no fault of the kernel: memory that ran out.
    """
    # The error at the end of a recording hides the one within it.
    for error in (problem, problem.__context__):
        if error is not None and is_out_of_memory(error):
            raise error
    _failed.add((name, str(device)))
    why = f"failed on {device} ({first_line(problem)})"
    notify(f"The {name} kernel {why}; a slower one is used instead.")


def notify(notice: str) -> None:
    """Print a notice to the user, and add it to :func:`kernel_notices`."""
    _notices.append(notice)
    print(notice, file=sys.stderr)
