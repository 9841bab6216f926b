"""Memory that runs out and devices that fail: how it shows, and how memory is given back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys

import torch

_SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")

_LOST = ("cuda error", "cublas_status", "cudnn_status", "device-side assert", "hip error")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return any(sign in said for sign in _SIGNS)


def is_device_lost(error: BaseException) -> bool:
    """Whether an error of a GPU leaves this process unable to use it: all but running out of
    memory do, as CUDA's own documentation says of its context."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    said = str(error).lower()
    return isinstance(error, torch.AcceleratorError) or any(sign in said for sign in _LOST)


def release_memory() -> None:
    """Give back what nothing refers to any more, to the system too."""
    gc.collect()
    if sys.platform == "linux":
        # glibc keeps what was freed by the threads of a run; others have no such call.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_memory(device: torch.device | str) -> int | None:
    """Bytes that a device of its own has left; None where memory is the machine's."""
    if torch.device(device).type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)
