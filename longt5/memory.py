"""Memory that runs out and devices that fail: how it shows, and how memory is given back."""

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

# glibc's names for what mallopt sets, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
# What these come to by themselves in a process that has freed large pieces: mallopt(3).
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
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return any(sign in said for sign in _OUT_OF_MEMORY_MESSAGES)


def is_device_lost(error: BaseException) -> bool:
    """Whether an error of a GPU leaves this process unable to use it: all but running out of
    memory do, as CUDA's own documentation says of its context."""
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    said = str(error).lower()
    return isinstance(error, torch.AcceleratorError) or any(
        sign in said for sign in _LOST_DEVICE_MESSAGES
    )


@contextlib.contextmanager
def reuse_freed_memory() -> Iterator[None]:
    """Within it, and in any thread, this process uses again what it has freed.

    Each layer frees what the next one asks for. By default glibc returns large pieces to the
    system, which clears every page before it hands it out again: a tenth of an encode or more.
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
    """Give back what nothing refers to any more, to the system too."""
    gc.collect()
    _glibc("malloc_trim", 0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_memory(device: torch.device | str) -> int | None:
    """Bytes that a device of its own has left; None where memory is the machine's."""
    if torch.device(device).type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def _glibc(name: str, *values: int) -> None:
    """Call what only glibc has; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            getattr(ctypes.CDLL(None), name)(*values)
