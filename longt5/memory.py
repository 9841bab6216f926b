"""Recognize errors of memory and devices, and release memory to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import threading
from collections.abc import Iterator

import torch

_OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "alloc_failed",
)

# Parameters of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
# Their values in a process that has freed large pieces, see mallopt(3): restored afterwards.
_TRIMMED, _LARGE, _MAPPED = 64 * 2**20, 32 * 2**20, 65_536
_reusers: set[object] = set()
_reusers_lock = threading.Lock()

_LOST_DEVICE_MESSAGES = (
    "cuda error",
    "cublas_status",
    "cudnn_status",
    "device-side assert",
    "hip error",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on any device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    message = str(error).lower() if isinstance(error, RuntimeError) else ""
    return any(part in message for part in _OUT_OF_MEMORY_MESSAGES)


def is_device_lost(error: BaseException) -> bool:
    """Return whether an error of a GPU leaves this process unable to use it.

    All errors but running out of memory do, as CUDA's documentation says of its context.
    """
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    message = str(error).lower()
    return isinstance(error, torch.AcceleratorError) or any(
        part in message for part in _LOST_DEVICE_MESSAGES
    )


@contextlib.contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Within this context, let the process reuse the memory that it frees, in all threads.

    Each layer frees what the next one allocates. By default glibc returns large pieces to the
    system, which clears every page before it allocates it again: a tenth of an encode or more.
    Training gains nothing by it and would hold nearly twice the memory.
    """
    reuser = object()
    with _reusers_lock:
        _reusers.add(reuser)
        _glibc("mallopt", _MMAP_MAX, 0)
        _glibc("mallopt", _TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        with _reusers_lock:
            _reusers.discard(reuser)
            if not _reusers:
                _glibc("mallopt", _MMAP_MAX, _MAPPED)
                _glibc("mallopt", _MMAP_THRESHOLD, _LARGE)
                _glibc("mallopt", _TRIM_THRESHOLD, _TRIMMED)


def release_memory() -> None:
    """Free unreferenced objects, and return freed memory to the system."""
    gc.collect()
    _glibc("malloc_trim", 0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device | str) -> int | None:
    """Return the free bytes of a CUDA device, None for devices that share the machine's memory."""
    if torch.device(device).type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + cached)


def _glibc(name: str, *values: int) -> None:
    """Call a function of glibc; do nothing where there is none."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), name)(*values)
