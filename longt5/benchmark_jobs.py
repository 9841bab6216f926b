"""The jobs of the benchmark's processes: each measures one engine, and returns what JSON holds.

A job is a dictionary: the ``task``, the ``engine``, and the options of the command.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import busy_machine, concurrent, roofline
from .benchmark_engines import (
    DTYPE_FLAGS,
    Engine,
    Jax,
    Ours,
    Transformers,
    config_of,
    sample_ids,
    write_checkpoint,
)
from .kernels import graph
from .memory import synchronize

# Encodes are repeated until they took so long in all, or so often; the median is reported.
REPEAT_SECONDS, REPEATS = 12.0, 5


def run_worker(job: dict[str, Any]) -> dict[str, Any]:
    """Run the job of a child process: write the weights, or measure one engine."""
    folder = Path(job["folder"])
    if job["task"] == "write":
        write_checkpoint(folder, job["preset"], job["seed"])
        return {}
    make = {"longt5": Ours, "transformers": Transformers, "jax": Jax}[job["engine"]]
    kind = "fp32" if job["task"] == "train" else job["dtype"]
    engine: Engine = make(folder, kind, job["device"])  # type: ignore[assignment]
    if not job.get("graphs", True):
        graph.MAX_RECORDED_LENGTH = 0
    if isinstance(engine, Ours) and job.get("compile"):
        for block in engine.model.encoder.block:
            block.layer[0].inner.use_flex_attention = True
    if job["task"] == "train":
        return {**measure_training(engine, job), "machine": roofline.machine_name(engine.device)}
    if job["task"] == "beside" and isinstance(engine, Ours):
        return measure_beside(engine, job)
    if job["task"] == "concurrent":
        return measure_concurrent(engine, job)
    if job["task"] == "profile":
        return {"table": profile_table(engine, job)}
    result = measure(engine, job)
    if isinstance(engine, Ours):
        limits = config_of(job["preset"]), result["row"], engine.model.dtype, engine.device
        result["roofline"] = roofline.reached_shares(*limits)
        result["machine"] = roofline.machine_name(engine.device)
    return result


def measure(engine: Engine, job: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table, with tokens and teacher-forced scores for the comparison."""
    config = config_of(job["preset"])
    ids = sample_ids(config, job["tokens"], job["seed"], job.get("batch", 1))
    beams, new = job["num_beams"], job["new_tokens"]
    # JAX and a GPU's libraries compile or choose for each length; elsewhere a short run warms up.
    warm_up_tokens = 512 if engine.name != "jax" and engine.device.type == "cpu" else job["tokens"]
    warm = ids[:, -min(job["tokens"], warm_up_tokens) :]
    engine.decode(warm, engine.encode(warm), beams, min(new, 3))
    encoded, encode_s = timed_encode(engine, ids)
    tokens, stamps = engine.decode(ids, encoded, beams, new)
    gaps = [b - a for a, b in zip(stamps, stamps[1:], strict=False)]
    # The first step also projects keys and values of the cross-attention: reported separately.
    later = gaps[1:] or gaps
    peak = peak_gib(engine.device)
    target = job.get("target") or tokens
    start = config.decoder_start_token_id
    log_probs = engine.logits(encoded, torch.tensor([[start, *target[:-1]]])).log_softmax(-1).cpu()
    row = {
        "engine": engine.name,
        "dtype": engine.dtype,
        "preset": job["preset"],
        "tokens": job["tokens"],
        "batch": len(ids),
        "num_beams": beams,
        "new_tokens": new,
        "encode_s": encode_s,
        "first_step_s": gaps[0],
        "step_ms": 1000 * statistics.median(later),
        "total_s": encode_s + stamps[-1] - stamps[0],
        "peak_gib": peak,
    }
    scores = -log_probs[torch.arange(len(target)), torch.tensor(target)].mean()
    return {
        "row": row,
        "tokens": tokens,
        "nll": float(scores),
        "choices": log_probs.argmax(-1).tolist(),
    }


def timed_encode(engine: Engine, ids: Tensor) -> tuple[Any, float]:
    """Return the encoder's output and the median of its seconds."""
    seconds: list[float] = []
    encoded = None
    while len(seconds) < REPEATS and (not seconds or sum(seconds) < REPEAT_SECONDS):
        encoded = None
        start = time.perf_counter()
        encoded = engine.encode(ids)
        synchronize(engine.device)
        seconds.append(time.perf_counter() - start)
    return encoded, statistics.median(seconds)


def peak_gib(device: torch.device) -> float:
    """Return the peak resident memory of this process, or the peak allocated on a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if sys.platform == "win32":
        return _windows_peak() / 2**30
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def _windows_peak() -> int:
    import ctypes

    class Counters(ctypes.Structure):
        _fields_ = [("cb", ctypes.c_ulong), ("faults", ctypes.c_ulong)] + [
            (name, ctypes.c_size_t) for name in ("peak", "now", "a", "b", "c", "d", "e", "f")
        ]

    counters = Counters()
    dlls: Any = ctypes.windll  # type: ignore[attr-defined, unused-ignore]
    handle = ctypes.c_void_p(dlls.kernel32.GetCurrentProcess())
    dlls.psapi.GetProcessMemoryInfo(handle, ctypes.byref(counters), ctypes.sizeof(counters))
    return counters.peak


def measure_training(engine: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return a row for a forward and backward pass over ``tokens`` and ``new_tokens`` targets.

    Weights in float32, products in ``dtype`` by autocast, as training does.
    """
    model, device = engine.model.train(), engine.device
    if job["compile"] and engine.name == "longt5":
        from .training.loop import compile_layers

        compile_layers(model)
    config = config_of(job["preset"])
    ids, labels = (
        sample_ids(config, n, job["seed"]).to(device) for n in (job["tokens"], job["new_tokens"])
    )
    losses: list[float] = []

    def step() -> None:
        kind = DTYPE_FLAGS[job["dtype"]]
        with torch.autocast(device.type, kind, enabled=kind != torch.float32):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        model.zero_grad(set_to_none=True)
        losses.append(loss.item())

    seconds = roofline.best_seconds(step, device, times=3)
    return {
        "engine": engine.name,
        "dtype": job["dtype"],
        "preset": job["preset"],
        "tokens": job["tokens"],
        "step_s": seconds,
        "tokens_per_s": job["tokens"] / seconds,
        "peak_gib": peak_gib(device),
        "loss": losses[-1],
    }


def measure_beside(engine: Ours, job: dict[str, Any]) -> dict[str, Any]:
    """Return the report of :func:`.busy_machine.time_beside`."""
    ids = sample_ids(config_of(job["preset"]), job["tokens"], job["seed"], job["batch"])
    return busy_machine.time_beside(
        engine.model,
        engine.encode(ids),
        job["beside"],
        job["num_beams"],
        job["new_tokens"],
        job["repeats"],
    )


def measure_concurrent(engine: Engine, job: dict[str, Any]) -> dict[str, Any]:
    """Return the report of :func:`.concurrent.time_concurrent`, with the limits of the machine; or
    the rows of another engine, which decodes each count of sources as one batch."""
    config, counts, new = config_of(job["preset"]), job["concurrent"], job["new_tokens"]
    if isinstance(engine, Ours):
        sources = [sample_ids(config, job["tokens"], job["seed"] + n) for n in range(4)]
        encoded = [engine.encode(ids) for ids in sources]
        beams, repeats = job["num_beams"], job["repeats"]
        report = concurrent.time_concurrent(engine.model, encoded, counts, beams, new, repeats)
        rates = roofline.machine_rates(engine.model.dtype, engine.device)
        kind = engine.model.dtype.itemsize
        for row in report["rows"]:
            sizes = 1 if engine.dtype == "int8" else kind, kind
            row |= roofline.batch_step_costs(config, row["searches"], job, sizes)
            row["read_s"], row["multiply_s"] = roofline.least_seconds(row, rates)
            row["limit"] = row["searches"] / max(row["read_s"], row["multiply_s"])
        about = {name: job[name] for name in ("preset", "tokens", "num_beams", "new_tokens")}
        return {
            **report,
            **about,
            "tflops": rates[0],
            "gbs": rates[1],
            "dtype": engine.dtype,
            "machine": roofline.machine_name(engine.device),
        }
    rows = []
    for count in counts:
        ids = sample_ids(config, job["tokens"], job["seed"], count)
        _, stamps = engine.decode(ids, engine.encode(ids), job["num_beams"], new)
        rows.append(count * new / (stamps[-1] - stamps[0]))
    return {"rates": rows}


def profile_table(engine: Engine, job: dict[str, Any], rows: int = 18) -> str:
    """Return the profiler's tables of one encode and of a decode of ``new_tokens`` steps."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU]
    if engine.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    ids = sample_ids(config_of(job["preset"]), job["tokens"], job["seed"])
    parts: list[tuple[str, Callable[[], Any]]] = [
        ("encode", lambda: engine.encode(ids)),
        ("decode", lambda: engine.decode(ids, encoded, job["num_beams"], job["new_tokens"])),
    ]
    encoded = engine.encode(ids)
    tables = []
    for name, run in parts:
        with profile(activities=activities) as prof:
            run()
        key = "self_cuda_time_total" if engine.device.type == "cuda" else "self_cpu_time_total"
        tables.append(f"{name}\n" + prof.key_averages().table(sort_by=key, row_limit=rows))
    return "\n".join(tables)
