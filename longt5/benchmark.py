"""Compare the speed of this engine and transformers: same weights, same input, in one run.

    python -m longt5.benchmark --preset base --tokens 16384 --against transformers

Each engine runs in a process of its own, so that its peak memory is measured alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from . import busy_machine, concurrent, startup, step_split, weights
from . import device as devices
from .config import LongT5Config
from .kernels import graph, select
from .kernels.linear import linear
from .memory import synchronize
from .model import EncoderStates, LongT5ForConditionalGeneration

COMMON_SHAPE = {
    "feed_forward_proj": "gated-gelu",
    "encoder_attention_type": "transient-global",
    "dropout_rate": 0.0,
    "tie_word_embeddings": False,
}
# Sizes of the matrix products that measure the machine, and the longest time that one may take.
# A GPU needs larger ones: small products take less time than launching them.
SMALL_SIDE, LARGE_SIDE, GPU_SIDE, PRODUCT_SECONDS = 256, 2048, 8192, 1.0
# small has the shape of the bundled checkpoint; base and large those of the published ones.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"d_model": 64, "d_kv": 16, "num_heads": 2, "d_ff": 96, "num_layers": 2,
             "vocab_size": 128},
    "small": {"d_model": 320, "num_heads": 5, "d_ff": 832, "num_layers": 6,
              "num_decoder_layers": 4, "vocab_size": 12352, "tie_word_embeddings": True},
    "base": {"d_model": 768, "num_heads": 12, "d_ff": 2048, "num_layers": 12},
    "large": {"d_model": 1024, "num_heads": 16, "d_ff": 2816, "num_layers": 24},
}  # fmt: skip
DTYPE_FLAGS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Environment variables that limit torch, its libraries and our kernel to older instructions.
INSTRUCTION_LIMITS = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
             "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}  # fmt: skip
ENGINES = ("longt5", "transformers", "jax")
BUNDLED_MODEL = Path(__file__).resolve().parent.parent / "assets" / "model"
# Encodes are repeated until they took so long in all, or so often; the median is reported.
REPEAT_SECONDS, REPEATS = 12.0, 5


def config_of(preset: str) -> LongT5Config:
    """Return the config of a preset: small is the bundled checkpoint, base and large published."""
    return LongT5Config(**{**COMMON_SHAPE, **PRESETS[preset]})


def write_checkpoint(folder: Path, preset: str, seed: int) -> None:
    """Write random float32 weights of a seed as a checkpoint that both engines load."""
    torch.manual_seed(seed)
    model = LongT5ForConditionalGeneration(config_of(preset))
    if not model.config.tie_word_embeddings:
        weights.untie(model)
        model.lm_head.weight.data.normal_()
    model.save_pretrained(folder)


def sample_ids(config: LongT5Config, tokens: int, seed: int, batch: int = 1) -> Tensor:
    """Return random ids [batch, tokens] that end with EOS."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, config.vocab_size, (batch, tokens), generator=generator)
    ids[:, -1] = 1
    return ids


class Engine(Protocol):
    """The interface of an engine to the measurements."""

    name: str
    dtype: str
    device: torch.device

    def encode(self, ids: Tensor) -> Any: ...
    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple[list, list]: ...
    def logits(self, encoded: Any, target: Tensor) -> Tensor: ...


class Ours:
    """This engine; ``dtype`` may also be "auto" or "int8" (weights of the decode step)."""

    name = "longt5"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        self.device = devices.choose_device(device, LongT5ForConditionalGeneration)
        wanted = DTYPE_FLAGS.get(dtype, dtype)
        self.model = LongT5ForConditionalGeneration.from_pretrained(
            folder, device=self.device, dtype=wanted
        )
        kinds = {kind: name for name, kind in DTYPE_FLAGS.items()}
        is_int8 = dtype == "int8" and self.device.type == "cpu"
        self.dtype = "int8" if is_int8 else kinds[self.model.dtype]

    def encode(self, ids: Tensor) -> EncoderStates:
        return self.model.encode(ids)

    def decode(self, ids: Tensor, encoded: EncoderStates, beams: int, new: int) -> tuple:
        stamps = [time.perf_counter()]
        committed: list[int] = []
        for draft in self.model.stream(
            encoded=encoded, num_beams=beams, min_new_tokens=new, max_new_tokens=new
        ):
            if draft.row == 0:
                stamps.append(time.perf_counter())
                committed = draft.committed
        return committed, stamps

    @torch.no_grad()
    def logits(self, encoded: EncoderStates, target: Tensor) -> Tensor:
        """Return logits [T, V] of the first source by cached steps, the path under test."""
        cache = self.model.init_cache(encoded, 1, target.shape[1])
        rows = target.expand(len(encoded.last_hidden_state), -1)
        steps = [self.model.decode_step(rows[:, i], cache)[0] for i in range(target.shape[1])]
        return torch.stack(steps)


class Transformers:
    """transformers, used as its documentation says."""

    name = "transformers"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        self.device = devices.choose_device(device, LongT5ForConditionalGeneration)
        self.dtype = dtype
        model: Any = transformers.LongT5ForConditionalGeneration
        self.model = model.from_pretrained(folder, dtype=DTYPE_FLAGS[dtype]).to(self.device).eval()
        self.base: Any = transformers.StoppingCriteria

    @torch.inference_mode()
    def encode(self, ids: Tensor) -> Any:
        return self.model.get_encoder()(ids.to(self.device))

    @torch.inference_mode()
    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple:
        stamps = [time.perf_counter()]
        device = self.device

        class Clock(self.base):  # type: ignore[misc, name-defined]
            def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
                synchronize(device)
                stamps.append(time.perf_counter())
                return torch.zeros(len(input_ids), dtype=torch.bool, device=device)

        # A copy: generation repeats the states of the outputs it is given, in place.
        states = type(encoded)(last_hidden_state=encoded.last_hidden_state)
        out = self.model.generate(
            encoder_outputs=states,
            num_beams=beams,
            min_new_tokens=new,
            max_new_tokens=new,
            do_sample=False,
            use_cache=True,
            stopping_criteria=[Clock()],
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
        )
        return out[0, 1 : new + 1].tolist(), stamps

    @torch.inference_mode()
    def logits(self, encoded: Any, target: Tensor) -> Tensor:
        target = target.to(self.device).expand(len(encoded.last_hidden_state), -1)
        out = self.model(encoder_outputs=encoded, decoder_input_ids=target, use_cache=False)
        return out.logits[0].float()


class Jax:
    """The JAX classes, compiled before they are timed; a step's time is the slope of two runs."""

    name = "jax"

    def __init__(self, folder: Path, dtype: str, device: str) -> None:
        from .flax import FlaxLongT5ForConditionalGeneration

        self.device, self.dtype = torch.device("cpu"), "bf16" if dtype == "bf16" else "fp32"
        kind = {"bf16": "bfloat16", "fp32": "float32"}[self.dtype]
        self.model = FlaxLongT5ForConditionalGeneration.from_pretrained(folder, dtype=kind)

    def encode(self, ids: Tensor) -> Any:
        encoded = self.model.encode(ids.numpy())
        encoded.last_hidden_state.block_until_ready()
        return encoded

    def decode(self, ids: Tensor, encoded: Any, beams: int, new: int) -> tuple[list, list]:
        seconds, tokens = [], []
        for count in (1, new):
            for _ in range(2):  # the first one compiles
                start = time.perf_counter()
                out = self.model.generate(
                    encoder_outputs=encoded,
                    num_beams=beams,
                    min_new_tokens=count,
                    max_new_tokens=count,
                )
                taken = time.perf_counter() - start
            seconds.append(taken)
            tokens = out.sequences[0, 1 : count + 1].tolist()
        step = (seconds[1] - seconds[0]) / max(1, new - 1)
        return tokens, [0.0, *(seconds[0] + i * step for i in range(new))]

    def logits(self, encoded: Any, target: Tensor) -> Tensor:
        scores: Any = self.model.decode(target.numpy(), encoded).logits
        return torch.tensor(scores[0].tolist())


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

    seconds = best_seconds(step, device, times=3)
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
        rates = machine_rates(engine.model.dtype, engine.device)
        kind = engine.model.dtype.itemsize
        for row in report["rows"]:
            size = 1 if engine.dtype == "int8" else kind
            seconds = batch_step_seconds(config, row["searches"], job, rates, (size, kind))
            row["limit"] = row["searches"] / seconds
        about = {name: job[name] for name in ("preset", "tokens", "num_beams", "new_tokens")}
        return {**report, **about, "dtype": engine.dtype, "machine": machine_name(engine.device)}
    rows = []
    for count in counts:
        ids = sample_ids(config, job["tokens"], job["seed"], count)
        _, stamps = engine.decode(ids, engine.encode(ids), job["num_beams"], new)
        rows.append(count * new / (stamps[-1] - stamps[0]))
    return {"rates": rows}


def batch_step_seconds(
    c: LongT5Config,
    searches: int,
    job: dict[str, Any],
    rates: tuple[float, float],
    sizes: tuple[int, int],
) -> float:
    """Return the least seconds of a step of many searches: those of reading weights once and each
    search's keys and values, or those of the multiply-adds.

    ``rates``: of :func:`machine_rates`; ``sizes``: bytes of a weight, and of a key or value.
    """
    tflops, gbs = rates
    tokens = searches * job["tokens"]
    read = step_bytes(c, tokens, *sizes)
    weights_of_row = step_bytes(c, 0, 1, 1)
    of_source = step_bytes(c, job["tokens"], 0, 1)
    added = 2.0 * searches * job["num_beams"] * (weights_of_row + of_source)
    return max(read / (gbs * 1e9), added / (tflops * 1e12))


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


def roofline(row: dict[str, Any], kind: torch.dtype, device: torch.device) -> dict[str, float]:
    """Return the machine's measured limits for a dtype, and the share that a row reached."""
    config = config_of(row["preset"])
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
        return {**measure_training(engine, job), "machine": machine_name(engine.device)}
    if job["task"] == "beside" and isinstance(engine, Ours):
        return measure_beside(engine, job)
    if job["task"] == "concurrent":
        return measure_concurrent(engine, job)
    if job["task"] == "profile":
        return {"table": profile_table(engine, job)}
    result = measure(engine, job)
    if isinstance(engine, Ours):
        result["roofline"] = roofline(result["row"], engine.model.dtype, engine.device)
        result["machine"] = machine_name(engine.device)
    return result


def in_child(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a new process. Raises RuntimeError with its last output if it fails."""
    command = [sys.executable, "-m", "longt5.benchmark", "--worker", json.dumps(job)]
    environment = os.environ | INSTRUCTION_LIMITS.get(job.get("limit") or "", {})
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment
    )
    if done.returncode:
        raise RuntimeError("\n".join(done.stderr.strip().splitlines()[-8:]) or "It was killed.")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare_engines(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return ratios (transformers over ours) and how far the outputs agree."""
    ours, theirs = results["longt5"], results.get("transformers")
    if theirs is None:
        return {"ratios": None, "same_tokens": None}
    a, b = theirs["row"], ours["row"]
    both_exact = a["dtype"] == b["dtype"] == "fp32"
    same = sum(x == y for x, y in zip(ours["choices"], theirs["choices"], strict=True))
    return {
        "ratios": {
            "encode": a["encode_s"] / b["encode_s"],
            "step": a["step_ms"] / b["step_ms"],
            "memory": a["peak_gib"] / b["peak_gib"],
            "total": a["total_s"] / b["total_s"],
        },
        "same_tokens": ours["tokens"] == theirs["tokens"] if both_exact else None,
        "nll_difference": ours["nll"] - theirs["nll"],
        "agreement": same / len(theirs["choices"]),
    }


def same_tokens(results: dict[str, dict[str, Any]], name: str) -> bool | None:
    """Return whether an engine wrote our tokens; None if it did not run, or not in float32."""
    rows = [results[n]["row"] for n in ("longt5", name) if n in results]
    if len(rows) < 2 or any(r["dtype"] != "fp32" for r in rows):
        return None
    return results["longt5"]["tokens"] == results[name]["tokens"]


def benchmark_inference(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare the engines; return the content of ``--json``."""
    fields = (
        "preset",
        "tokens",
        "num_beams",
        "new_tokens",
        "seed",
        "device",
        "dtype",
        "limit",
        "compile",
        "batch",
        "graphs",
    )
    job = {name: getattr(arguments, name) for name in fields}
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        job["folder"] = folder
        in_child({**job, "task": "write"})
        if arguments.against:
            kind = arguments.against_dtype or {"auto": "fp32", "int8": "bf16"}.get(
                arguments.dtype, arguments.dtype
            )
            results["transformers"] = in_child(
                {**job, "task": "measure", "engine": "transformers", "dtype": kind}
            )
            job["target"] = results["transformers"]["tokens"]
        results["longt5"] = in_child({**job, "task": "measure", "engine": "longt5"})
        if arguments.with_jax:
            results["jax"] = in_child({**job, "task": "measure", "engine": "jax"})
        report = {
            "machine": results["longt5"]["machine"],
            "torch": torch.__version__,
            "rows": [results[name]["row"] for name in ENGINES if name in results],
            **compare_engines(results),
            "jax_same_tokens": same_tokens(results, "jax"),
            "roofline": results["longt5"]["roofline"],
        }
        if arguments.profile:
            done = in_child({**job, "task": "profile", "engine": "longt5"})
            report["profile"] = done["table"]
    return report


def benchmark_training(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time training steps of both engines; return rows and the ratio of tokens per second."""
    fields = ("preset", "tokens", "new_tokens", "seed", "device", "dtype", "limit", "compile")
    job = {name: getattr(arguments, name) for name in fields}
    names = ("longt5", "transformers") if arguments.against else ("longt5",)
    with tempfile.TemporaryDirectory() as folder:
        job["folder"] = folder
        in_child({**job, "task": "write"})
        rows = [in_child({**job, "task": "train", "engine": name}) for name in names]
    ratio = rows[0]["tokens_per_s"] / rows[1]["tokens_per_s"] if arguments.against else None
    return {
        "machine": rows[0].pop("machine"),
        "torch": torch.__version__,
        "rows": rows,
        "ratio": ratio,
    }


def training_table(report: dict[str, Any]) -> str:
    """Return the report of :func:`benchmark_training` as Markdown."""
    lines = [
        f"{report['machine']}; torch {report['torch']}",
        "",
        "| engine | dtype | preset | tokens | step s | tokens/s | peak GiB | loss |",
        "|---" * 8 + "|",
    ]
    lines += [
        f"| {r['engine']} | {r['dtype']} | {r['preset']} | {r['tokens']:,} | {r['step_s']:.2f} "
        f"| {r['tokens_per_s']:,.0f} | {r['peak_gib']:.2f} | {r['loss']:.4f} |"
        for r in report["rows"]
    ]
    if report["ratio"]:
        lines += ["", f"tokens/s, ours over transformers: {report['ratio']:.1f}x"]
    return "\n".join(lines)


def inference_table(report: dict[str, Any]) -> str:
    """Return the report of :func:`benchmark_inference` as Markdown."""
    lines = [f"{report['machine']}; torch {report['torch']}", ""]
    heads = (
        "engine",
        "dtype",
        "preset",
        "tokens",
        "beams",
        "encode s",
        "first step s",
        "step ms",
        "total s",
        "peak GiB",
    )
    lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for r in report["rows"]:
        cells = (
            r["engine"],
            r["dtype"],
            r["preset"],
            f"{r['tokens']:,}",
            r["num_beams"],
            f"{r['encode_s']:.3f}",
            f"{r['first_step_s']:.3f}",
            f"{r['step_ms']:.1f}",
            f"{r['total_s']:.2f}",
            f"{r['peak_gib']:.2f}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    if report["ratios"]:
        ratios = ", ".join(f"{k} {v:.1f}x" for k, v in report["ratios"].items())
        lines.append(f"transformers over ours: {ratios}")
        if report["same_tokens"] is not None:
            lines.append(f"same tokens: {'yes' if report['same_tokens'] else 'NO'}")
        lines.append(
            f"teacher-forced: NLL difference {report['nll_difference']:+.5f}, "
            f"same choice at {report['agreement']:.1%} of positions"
        )
    roof = report["roofline"]
    lines.append(
        f"limits here: {roof['tflops']:.2f} TFLOP/s, {roof['gbs']:.1f} GB/s; reached: "
        f"encode {roof['encode_share']:.0%}, step {roof['step_share']:.0%}"
    )
    return "\n".join([*lines, report.get("profile", "")]).rstrip()


def benchmark_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    p = argparse.ArgumentParser(prog="python -m longt5.benchmark", description=__doc__)
    p.add_argument("--preset", choices=sorted(PRESETS), default="base")
    p.add_argument("--tokens", type=int, default=4096)
    p.add_argument("--num-beams", type=int, default=4)
    p.add_argument("--new-tokens", type=int, default=32)
    p.add_argument("--against", choices=["transformers"])
    p.add_argument("--with-jax", action="store_true", help="a row for the JAX classes, on the CPU")
    p.add_argument("--dtype", choices=["auto", *DTYPE_FLAGS, "int8"], default="fp32")
    p.add_argument("--against-dtype", choices=[*DTYPE_FLAGS], help="default: the same as --dtype")
    p.add_argument("--device", default="auto")
    p.add_argument(
        "--limit",
        choices=[*INSTRUCTION_LIMITS],
        help="keep both engines to these instructions of the processor",
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--json", action="store_true", help="the report as JSON")
    p.add_argument("--profile", action="store_true", help="where this engine's time goes")
    p.add_argument("--check", action="store_true", help="compare every kernel with the reference")
    p.add_argument("--train", action="store_true", help="time a training step instead")
    p.add_argument(
        "--compile",
        action="store_true",
        help="with --train: our layers compiled, as compile = true in a recipe does; "
        "else, on a CUDA GPU, the encoder's attention",
    )
    p.add_argument("--batch", type=int, default=1, help="sources at once")
    p.add_argument(
        "--no-graphs", dest="graphs", action="store_false", help="record no decode steps on CUDA"
    )
    _add_other_measurements(p)
    p.add_argument("--worker", help=argparse.SUPPRESS)
    return p


def _add_other_measurements(p: argparse.ArgumentParser) -> None:
    """Add the options that measure something else than an encode and a decode."""
    p.add_argument(
        "--startup",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="time a new process from its start to the first certain word of the bundled model, or "
        "a command to its first output; the last option",
    )
    p.add_argument(
        "--split",
        action="store_true",
        help="time of the bundled model's decode step in the compiled kernel and beside it",
    )
    p.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="with --startup and --split")
    p.add_argument(
        "--beside",
        type=int,
        nargs="+",
        metavar="N",
        help="time a decode alone and beside N busy processes, against the fair share",
    )
    p.add_argument(
        "--concurrent",
        type=int,
        nargs="+",
        metavar="N",
        help="tokens per second of N searches in one batch, beside the same one by one; with "
        "--against, transformers' batch too",
    )
    p.add_argument(
        "--repeats", type=int, default=3, help="with --startup, --split, --beside and --concurrent"
    )


def check_table(device: torch.device) -> tuple[str, bool]:
    """Compare every kernel of this machine with the reference; return a table, and whether all
    agree."""
    rows = select.compare_all(device, LongT5ForConditionalGeneration)
    lines = ["| kernel | device | dtype | error | limit | verdict |", "|---|---|---|---|---|---|"]
    for r in rows:
        kind = str(r.dtype).removeprefix("torch.")
        verdict = "used" if r.passed else f"NOT used {r.problem}".rstrip()
        lines.append(
            f"| {r.kernel} | {r.device} | {kind} | {r.error:.1e} | {r.limit:.0e} | {verdict} |"
        )
    fast = "faster" if devices.has_fast_bfloat16(device) else "not faster"
    kind = str(devices.choose_dtype("auto", device)).removeprefix("torch.")
    lines += ["", f"bfloat16 is {fast} than float32 on {machine_name(device)}: auto is {kind}."]
    return "\n".join([*lines, *select.kernel_notices()]), all(r.passed for r in rows)


def startup_report(arguments: argparse.Namespace) -> str:
    """Return the table, or the JSON, of ``--startup``."""
    if arguments.startup:
        firsts, ends = startup.time_first_output(arguments.startup, arguments.repeats)
        found: dict[str, Any] = {"first_output": firsts, "end": ends}
        middle = {name: statistics.median(seconds) for name, seconds in found.items()}
        return json.dumps(found) if arguments.json else (
            f"first output after {middle['first_output']:.2f} s, end after {middle['end']:.2f} s "
            f"(medians of {arguments.repeats})"
        )  # fmt: skip
    report = startup.time_stages(arguments.model, arguments.repeats)
    return json.dumps(report) if arguments.json else startup.stages_table(report)


def benchmark_beside(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time a decode with random weights alone and beside busy processes."""
    fields = ("preset", "tokens", "num_beams", "new_tokens", "seed", "dtype", "limit", "batch",
              "beside", "repeats")  # fmt: skip
    job = {name: getattr(arguments, name) for name in fields}
    with tempfile.TemporaryDirectory() as folder:
        job |= {"folder": folder, "engine": "longt5", "device": "cpu"}
        in_child({**job, "task": "write"})
        return in_child({**job, "task": "beside"})


def benchmark_concurrent(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time batches of searches with random weights, and transformers' on request."""
    fields = ("preset", "tokens", "num_beams", "new_tokens", "seed", "dtype", "limit", "device",
              "concurrent", "repeats", "graphs")  # fmt: skip
    job = {name: getattr(arguments, name) for name in fields}
    with tempfile.TemporaryDirectory() as folder:
        job |= {"folder": folder, "task": "concurrent"}
        in_child({**job, "task": "write"})
        report = in_child({**job, "engine": "longt5"})
        if arguments.against:
            kind = arguments.against_dtype or {"auto": "fp32", "int8": "bf16"}.get(
                arguments.dtype, arguments.dtype
            )
            rates = in_child({**job, "engine": "transformers", "dtype": kind})["rates"]
            for row, rate in zip(report["rows"], rates, strict=True):
                row["transformers"] = rate
    return report


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = benchmark_parser().parse_args(argv)
    if arguments.worker:
        print(json.dumps(run_worker(json.loads(arguments.worker))))
        return 0
    if arguments.check:
        text, right = check_table(
            devices.choose_device(arguments.device, LongT5ForConditionalGeneration)
        )
        print(text)
        return 0 if right else 1
    if arguments.startup is not None:
        print(startup_report(arguments))
        return 0
    if arguments.split:
        shape = arguments.tokens, arguments.num_beams, arguments.new_tokens, arguments.repeats
        rows = step_split.time_split(arguments.model, *shape)
        print(json.dumps(rows) if arguments.json else step_split.split_table(rows))
        return 0
    if arguments.beside:
        report = benchmark_beside(arguments)
        print(json.dumps(report) if arguments.json else busy_machine.beside_table(report))
        return 0
    if arguments.concurrent:
        report = benchmark_concurrent(arguments)
        print(json.dumps(report) if arguments.json else concurrent.concurrent_table(report))
        return 0
    if arguments.train:
        if arguments.dtype not in DTYPE_FLAGS:
            benchmark_parser().error(f"--train takes --dtype {', '.join(DTYPE_FLAGS)}")
        report = benchmark_training(arguments)
        print(json.dumps(report) if arguments.json else training_table(report))
        return 0
    report = benchmark_inference(arguments)
    print(json.dumps(report) if arguments.json else inference_table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
