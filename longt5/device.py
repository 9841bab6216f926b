"""Choose the device and the number format to compute with."""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from .kernels import select
from .kernels.checks import ModelClass
from .kernels.linear import linear

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
INT8 = "int8"
# bfloat16 must compute at least this much faster than float32 to be worth its rounding; chosen by
# hand. Processors that emulate it gain nothing, those with instructions for it some two times.
MIN_BFLOAT16_SPEEDUP = 1.3


def choose_device(device: str | torch.device, model_class: ModelClass) -> torch.device:
    """Return the device of a name; "auto" takes CUDA, else MPS, else the CPU.

    "auto" takes a GPU only if a tiny model of ``model_class`` (LongT5ForConditionalGeneration)
    computes the same there as on the CPU. Raises ValueError for a device that is not here.
    """
    if isinstance(device, torch.device):
        return device
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        best = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
        return torch.device(best if best == "cpu" or _computes(best, model_class) else "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", device):
        raise ValueError(f"The device {device!r} is not known; use auto, cpu, cuda, cuda:N or mps.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("There is no CUDA device here; use --device cpu or auto.")
    number, count = int(device.partition(":")[2] or 0), torch.cuda.device_count()
    if device.startswith("cuda") and number >= count:
        raise ValueError(f"There is no {device} here; the last one is cuda:{count - 1}.")
    if device == "mps" and not has_mps:
        raise ValueError("There is no MPS device here; use --device cpu or auto.")
    return torch.device(device)


def _computes(device: str, model_class: ModelClass) -> bool:
    # Where a GPU is lent per call (a Space) there is none yet to try.
    return "spaces" in sys.modules or select.device_computes(device, model_class)


def choose_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype of a name; "auto" is bfloat16 where the hardware multiplies it fast, else
    float32.

    "int8" is the same as "auto": it adds int8 weights in the decode steps of a CPU. Raises
    ValueError for an unknown name.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype in ("auto", INT8):
        return torch.bfloat16 if has_fast_bfloat16(device) else torch.float32
    if dtype not in DTYPES:
        known = ", ".join(("auto", *DTYPES))
        raise ValueError(f"The dtype {dtype!r} is not known; use {known} or {INT8}.")
    return DTYPES[dtype]


def has_fast_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 is fast: on a CPU with AMX, or with AVX512-BF16 that proves faster;
    on CUDA from capability 8.0; never on MPS."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # Private names: absent ones mean "not known to be fast".
    if getattr(torch.cpu, "_is_amx_tile_supported", bool)():
        return True
    has_instructions = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    return has_instructions and _bfloat16_speedup() > MIN_BFLOAT16_SPEEDUP


@functools.lru_cache(maxsize=1)
@torch.no_grad()
def _bfloat16_speedup() -> float:
    """Return how much faster a product is in bfloat16 than in float32 (some 25 ms, once).

    Small products of one thread, alternating: the best time of each is not disturbed by other
    programs, so that a busy machine chooses the same as an idle one.
    """
    matrices = [torch.ones(512, 512, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds = [[_time_product(linear, x) for x in matrices] for _ in range(12)]
    finally:
        torch.set_num_threads(threads)
    full, half = map(min, zip(*rounds, strict=True))
    return full / half


def _time_product(product: Callable[[Tensor, Tensor], Tensor], x: Tensor) -> float:
    start = time.perf_counter()
    product(x, x)
    return time.perf_counter() - start
