"""The limits of a machine, measured, and what the passes of a model need of them at least.

Rates are (TFLOP/s of products, GB/s of memory).
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .config import LongT5Config
from .kernels.linear import linear
from .memory import synchronize

# Sizes of the matrix products that measure the machine, and the longest time that one may take.
# A GPU needs larger ones: small products take less time than launching them.
SMALL_SIDE, LARGE_SIDE, GPU_SIDE, PRODUCT_SECONDS = 256, 2048, 8192, 1.0


def machine_name(device: torch.device) -> str:
    """Return CPU model, instructions used, cores and memory, and the GPU if it is used."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [x for x in info.read_text("utf-8").splitlines() if x.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    parts = [name, torch.backends.cpu.get_cpu_capability(), cores]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        parts.append(f"{memory / 2**30:.0f} GiB RAM")
    if device.type == "cuda":
        parts.append(torch.cuda.get_device_name(device))
    return ", ".join(parts)


def best_seconds(run: Callable[[], Any], device: torch.device, times: int = 5) -> float:
    """Return the shortest of several timings."""
    run()
    seconds = []
    for _ in range(times):
        synchronize(device)
        start = time.perf_counter()
        run()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def machine_rates(dtype: torch.dtype, device: torch.device) -> tuple[float, float]:
    """Measure (TFLOP/s of a large product in ``dtype``, GB/s of reading memory)."""
    rate = product_rate(SMALL_SIDE, dtype, device)
    # A processor without instructions for the dtype would multiply large matrices for minutes.
    for side in (LARGE_SIDE,) if device.type == "cpu" else (LARGE_SIDE, GPU_SIDE):
        if rate * PRODUCT_SECONDS > 2 * side**3:
            rate = product_rate(side, dtype, device)
    # Far larger than any cache.
    block = torch.zeros(2**27, device=device)
    return rate / 1e12, block.nbytes / best_seconds(block.sum, device) / 1e9


def product_rate(side: int, dtype: torch.dtype, device: torch.device) -> float:
    """Return the FLOP/s of a product of square matrices, by the faster of two routines."""
    x = torch.randn(side, side, dtype=dtype, device=device)
    with torch.no_grad():
        return max(
            2 * side**3 / best_seconds(f, device) for f in (lambda: x @ x, lambda: linear(x, x))
        )


def encode_flops(c: LongT5Config, tokens: int) -> float:
    """Return the FLOPs of one encoder pass: two per multiply-add."""
    matrices = 4 * c.d_model * c.inner_dim + (2 + c.is_gated_act) * c.d_model * c.d_ff
    side = tokens // c.global_block_size if c.uses_globals else 0
    attention = 2 * (3 * c.block_len + side) * c.inner_dim
    sides = side * 2 * c.d_model * c.inner_dim
    return 2.0 * c.num_layers * (tokens * (matrices + attention) + sides)


def step_bytes(c: LongT5Config, tokens: int, weight_bytes: float, state_bytes: int) -> float:
    """Return the bytes that one decode step must read: weights, head, cross keys and values."""
    layers = c.num_decoder_layers or 0
    # Self-attention q k v o, cross-attention q o, feed-forward.
    per_layer = 6 * c.d_model * c.inner_dim + (2 + c.is_gated_act) * c.d_model * c.d_ff
    parameters = layers * per_layer + c.vocab_size * c.d_model
    return parameters * weight_bytes + 2 * layers * tokens * c.inner_dim * state_bytes


def batch_step_costs(
    c: LongT5Config, searches: int, job: dict[str, Any], sizes: tuple[int, int]
) -> dict[str, float]:
    """Return what a step of many searches needs at least: ``weight_bytes``, read once for all,
    ``state_bytes`` of each search's own cross-attention keys and values, and ``flops``.

    ``sizes``: bytes of a weight, and of a key or value.
    """
    rows = searches * job["num_beams"]
    return {
        "weight_bytes": step_bytes(c, 0, sizes[0], 0),
        "state_bytes": searches * step_bytes(c, job["tokens"], 0, sizes[1]),
        "flops": 2.0 * rows * (step_bytes(c, 0, 1, 0) + step_bytes(c, job["tokens"], 0, 1)),
    }


def least_seconds(costs: dict[str, float], rates: tuple[float, float]) -> tuple[float, float]:
    """Return the least seconds of reading and of multiplying, by the rates of
    :func:`machine_rates`; the longer of the two is the limit."""
    tflops, gbs = rates
    read = costs["weight_bytes"] + costs["state_bytes"]
    return read / (gbs * 1e9), costs["flops"] / (tflops * 1e12)


def reached_shares(
    config: LongT5Config, row: dict[str, Any], kind: torch.dtype, device: torch.device
) -> dict[str, float]:
    """Return the machine's measured limits for a dtype, and the share that a row reached."""
    tflops, gbs = machine_rates(kind, device)
    size = 1 if row["dtype"] == "int8" else kind.itemsize
    needed = step_bytes(config, row["tokens"], size, kind.itemsize)
    encode = encode_flops(config, row["tokens"]) / (tflops * 1e12)
    step = needed / (gbs * 1e9)
    return {
        "tflops": tflops,
        "gbs": gbs,
        "encode_share": encode / row["encode_s"],
        "step_share": 1000 * step / row["step_ms"],
    }
