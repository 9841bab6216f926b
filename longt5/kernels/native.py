"""Fused kernels on the CPU: those of the wheel, else compiled once from ``native.cpp``.

Optional: without either, or if compiling fails, plain torch computes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import math
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import Geometry, Side, decode, prebuilt
from .compiler import FLAGS, SOURCE, compile_library, find_compiler, source_texts

NATIVE_FLAGS = [*FLAGS, "-march=native"]
NO_AVX512_FLAGS = ["-mno-avx512f"]  # turns off all of AVX-512, since the rest depends on it
KERNEL_DTYPES = torch.float32, torch.bfloat16
# Head widths, block lengths and inner sizes must be multiples of it: floats in an AVX-512 register.
LANES = 16
MAX_FUSED_MATRICES = 3  # of one input, multiplied in one go
THIN_ROWS = 32  # with more rows a product is bound by arithmetic, not by reading weights
UNUSED_KERNEL_SECONDS = 60 * 86_400  # then a cached kernel is deleted
LOG2E = math.log2(math.e)


class _Long(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_void_p) for name in ("q", "k", "v", "side_k", "side_v")]
        + [(name, ctypes.c_void_p) for name in ("local_table", "side_table", "rows", "seen")]
        + [(name, ctypes.c_void_p) for name in ("mask", "out")]
        + [(name, ctypes.c_int64) for name in "B S H d L block G R".split()]
        + [(f"{name}_stride", ctypes.c_int64) for name in ("q", "k", "v", "side_k", "side_v")]
        + [("threads", ctypes.c_int64)]
    )


class _Cross(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in "q keys values bias out weights".split()),
        *((name, ctypes.c_int64) for name in "B S H d K threads".split()),
        ("raw", ctypes.c_void_p),
    ]


class _Own(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("q", "keys", "values", "bias", "rows", "out")
    ] + [
        (name, ctypes.c_int64)
        for name in "R H d capacity length q_stride threads bias_stride".split()
    ]


class _Thin(ctypes.Structure):
    _fields_ = [
        ("x", ctypes.c_void_p),
        ("weights", ctypes.c_void_p * MAX_FUSED_MATRICES),
        ("scales", ctypes.c_void_p * MAX_FUSED_MATRICES),
        ("out", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("rows", "inputs", "count")),
        ("outputs", ctypes.c_int64 * MAX_FUSED_MATRICES),
        *((name, ctypes.c_int64) for name in ("brain", "threads")),
    ]


class _Norm(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_void_p) for name in ("x", "weight", "out")]
        + [(name, ctypes.c_int64) for name in ("rows", "D", "threads")]
        + [("eps", ctypes.c_double)]
    )


@functools.lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, None where there are none.

    Those of a wheel are used where they fit the processor; else they are compiled at first use
    (seconds).
    """
    if not _is_supported_processor() or not SOURCE.is_file():
        return None
    path = prebuilt.matching_library(processor_features(), _is_narrow())
    if path is not None:
        with contextlib.suppress(OSError):  # made for a newer system
            return ctypes.CDLL(str(path))
    compiler = find_compiler()
    if compiler is None:
        return None
    try:
        path = _cache_folder() / f"native-{_fingerprint(compiler)}.so"
        if path.is_file():
            with contextlib.suppress(OSError):  # a read-only folder
                path.touch()
        else:
            compile_library(compiler, _flags(), path)
            _delete_unused_kernels(path.parent)
        return ctypes.CDLL(str(path))
    except (
        OSError,
        RuntimeError,
        subprocess.SubprocessError,
    ):  # no home, full disk, compiler failed
        return None


def _is_supported_processor() -> bool:
    """Return True on Linux with AVX2 or better.

    The source is in the dialect of g++ and clang++ for x86, and Linux tells what a processor has.
    """
    return sys.platform.startswith("linux") and "avx2" in processor_features()


def processor_features() -> set[str]:
    """Return the names of the processor's instructions, none where Linux does not tell them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    return set(next((x for x in lines if x.startswith("flags")), "").split())


def _is_narrow() -> bool:
    """Return whether torch uses AVX2 at most, to which ATEN_CPU_CAPABILITY may limit it."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def _cache_folder() -> Path:
    folder = Path.home() / ".cache" / "longt5"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _delete_unused_kernels(folder: Path) -> None:
    """Delete kernels that no process has loaded for long, of earlier versions or other machines.

    A process that has loaded one is not affected.
    """
    for path in folder.glob("native-*.so"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > UNUSED_KERNEL_SECONDS:
                path.unlink()


def _fingerprint(compiler: str) -> str:
    """Return a hash of the source, the compiler, its flags and the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else [platform.processor()]
    features = sorted({x for x in lines if x.startswith(("flags", "Features", "model name"))})
    parts = [*source_texts(), compiler, torch.__version__, *_flags(), *features]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _flags() -> list[str]:
    return NATIVE_FLAGS + NO_AVX512_FLAGS if _is_narrow() else NATIVE_FLAGS


def fits(width: int, length: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether heads of this width and blocks of this length are computed here."""
    if torch.compiler.is_compiling():  # it cannot trace what the kernels read and write
        return False
    even = width % LANES == 0 and length % LANES == 0
    return device.type == "cpu" and dtype in KERNEL_DTYPES and even and library() is not None


def pointer(x: Tensor | None) -> int | None:
    """Return the address of a tensor's data, None without a tensor."""
    return None if x is None else x.data_ptr()


def _evenly_spaced_rows(x: Tensor) -> Tensor:
    """Return [B, S, H, d] with adjacent heads and evenly spaced rows; copy only if it is not."""
    batch, source, heads, width = x.shape
    even = x.stride(2) == width and x.stride(3) == 1
    return x if even and (batch == 1 or x.stride(0) == source * x.stride(1)) else x.contiguous()


def attend(q: Tensor, k: Tensor, v: Tensor, side: Side, geometry: Geometry) -> Tensor:
    """Compute long attention; see :mod:`longt5.kernels`. Block lengths are multiples of 16."""
    kernels: Any = library()
    batch, source, heads, width = q.shape
    q, k, v = _evenly_spaced_rows(q), _evenly_spaced_rows(k), _evenly_spaced_rows(v)
    side_k, side_v = (
        (None, None)
        if side is None
        else (_evenly_spaced_rows(side[0]), _evenly_spaced_rows(side[1]))
    )
    table = rows = seen = None
    if side is not None and geometry.side is not None:
        far = geometry.side
        table, rows, seen = LOG2E * far.table, far.rows.contiguous(), far.seen.contiguous()
    # The kernel computes powers of two, which are cheaper than those of e.
    local_table = LOG2E * geometry.local_table
    mask = None if geometry.mask.all() else geometry.mask.bool().contiguous()
    out = torch.empty(batch, source, heads, width, dtype=q.dtype)
    call = _Long(
        *map(pointer, (q, k, v, side_k, side_v, local_table, table, rows, seen, mask, out)),
        batch,
        source,
        heads,
        width,
        geometry.block_len,
        geometry.block_size,
        0 if side_k is None else side_k.shape[1],
        0 if rows is None else rows.shape[1],
        *(0 if x is None else x.stride(1) for x in (q, k, v, side_k, side_v)),
        torch.get_num_threads(),
    )
    kernels.longt5_long_attention(int(q.dtype is torch.bfloat16), ctypes.byref(call))
    return out


def self_attention(q: Tensor, keys: Tensor, values: Tensor, length: int, bias: Tensor) -> Tensor:
    """See :func:`longt5.kernels.decode.self_attention`; keys and values are contiguous."""
    kernels: Any = library()
    rows, heads, width = q.shape
    if q.stride(1) != width or q.stride(2) != 1:
        q = q.contiguous()
    bias = bias.contiguous()
    out = torch.empty(rows, heads, width, dtype=q.dtype)
    call = _Own(
        *map(pointer, (q, keys, values, bias, None, out)),
        rows,
        heads,
        width,
        keys.shape[2],
        length,
        q.stride(0),
        torch.get_num_threads(),
        length,
    )
    kernels.longt5_self_attention(int(q.dtype is torch.bfloat16), ctypes.byref(call))
    return out


def fits_thin(rows: int, weights: Sequence[Tensor]) -> bool:
    """Return whether :func:`thin_product` computes these matrices for so many rows."""
    first = weights[0]
    return (
        rows <= THIN_ROWS
        and len(weights) <= MAX_FUSED_MATRICES
        and first.device.type == "cpu"
        and first.dtype in (*KERNEL_DTYPES, torch.int8)
        and first.shape[1] % (2 * LANES) == 0
        and all(w.shape[0] % 4 == 0 and w.is_contiguous() for w in weights)
        and library() is not None
    )


def thin_product(
    x: Tensor, weights: Sequence[Tensor], scales: Sequence[Tensor] = ()
) -> tuple[Tensor, ...]:
    """Multiply x [R, I] by each of weights [O_i, I], unpacked -> [R, O_i] in x's dtype.

    Memory is read once and in order, which bounds the time of a decode step. Weights are of x's
    dtype, or int8 with float32 ``scales`` [O_i]; then x is quantized to 16 bits, in steps of
    about 1/32767 of a row's largest value.
    """
    kernels: Any = library()
    x = x.contiguous()
    rows, sizes = x.shape[0], [w.shape[0] for w in weights]
    out = torch.empty(rows * sum(sizes), dtype=x.dtype)
    call = _Thin(
        pointer(x),
        (ctypes.c_void_p * MAX_FUSED_MATRICES)(*map(pointer, weights)),
        (ctypes.c_void_p * MAX_FUSED_MATRICES)(*map(pointer, scales)),
        pointer(out),
        rows,
        x.shape[1],
        len(sizes),
        (ctypes.c_int64 * MAX_FUSED_MATRICES)(*sizes),
        x.dtype is torch.bfloat16,
        torch.get_num_threads(),
    )
    kernels.longt5_thin_product(ctypes.byref(call))
    parts = out.split([rows * size for size in sizes])
    return tuple(part.view(rows, size) for part, size in zip(parts, sizes, strict=True))


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Normalize x [..., D] float32 -> the same shape in the weight's dtype; D a multiple of 16."""
    kernels: Any = library()
    x = x.contiguous()
    scale = weight.float()
    out = torch.empty(x.shape, dtype=weight.dtype)
    rows = x.numel() // x.shape[-1]
    call = _Norm(*map(pointer, (x, scale, out)), rows, x.shape[-1], torch.get_num_threads(), eps)
    kernels.longt5_rms_norm(int(weight.dtype is torch.bfloat16), ctypes.byref(call))
    return out


class PackedCrossStates(decode.CrossStates):
    """Keys and values of one layer's cross-attention, packed to be read in order once a step."""

    def __init__(self, batch: int, source: int, heads: int, width: int, dtype: torch.dtype) -> None:
        self.shape, self.dtype = (batch, source, heads, width), dtype
        size = batch * heads * -(-source // LANES) * LANES * width
        self.keys, self.values = torch.empty(size, dtype=dtype), torch.empty(size, dtype=dtype)

    def put(self, begin: int, k: Tensor, v: Tensor) -> None:
        """Write rows from ``begin``: k, v [B, n, H, d]; n a multiple of 16 except at the end."""
        kernels: Any = library()
        batch, source, heads, width = self.shape
        k, v = k.contiguous(), v.contiguous()
        numbers = (batch, source, heads, width, begin, k.shape[1], torch.get_num_threads())
        kernels.longt5_pack_cross(
            ctypes.c_int64(self.dtype is torch.bfloat16),
            *(ctypes.c_void_p(x.data_ptr()) for x in (k, v, self.keys, self.values)),
            *map(ctypes.c_int64, numbers),
        )

    def attend(
        self, q: Tensor, bias: Tensor | None, want_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend q [B, K, H, d] -> [B, K, H, d], and weights [B, H, K, S] float32 on request."""
        kernels: Any = library()
        batch, source, heads, width = self.shape
        q, beams = q.contiguous(), q.shape[1]
        out = torch.empty_like(q)
        weights = None
        if want_weights:
            weights = q.new_empty((batch, heads, beams, source), dtype=torch.float32)
        bias = None if bias is None else bias.reshape(batch, source).contiguous()
        call = _Cross(
            *map(pointer, (q, self.keys, self.values, bias, out, weights)),
            batch,
            source,
            heads,
            width,
            beams,
            torch.get_num_threads(),
            pointer(weights),
        )
        kernels.longt5_cross_attention(int(self.dtype is torch.bfloat16), ctypes.byref(call))
        return out, weights
