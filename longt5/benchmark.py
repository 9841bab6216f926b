"""Compare the speed of this engine and transformers: same weights, same input, in one run.

    python -m longt5.benchmark --preset base --tokens 16384 --against transformers

Each engine runs in a process of its own, so that its peak memory is measured alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from . import busy_machine, concurrent, startup, step_split
from . import device as devices
from .benchmark_engines import DTYPE_FLAGS, ENGINES, PRESETS
from .benchmark_jobs import run_worker
from .kernels import select
from .model import LongT5ForConditionalGeneration
from .roofline import machine_name

# Environment variables that limit torch, its libraries and our kernel to older instructions.
INSTRUCTION_LIMITS = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
             "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}  # fmt: skip
BUNDLED_MODEL = Path(__file__).resolve().parent.parent / "assets" / "model"


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
            _add_transformers(report, {**job, "engine": "transformers", "dtype": kind})
    return report


def _add_transformers(report: dict[str, Any], job: dict[str, Any]) -> None:
    """Add transformers' rate to each row, in a process for each, but for what the memory of this
    machine does not hold."""
    report["notes"] = []
    for row in report["rows"]:
        # Each of its beams has keys and values of the source; as much again is for all the rest.
        needed = 2 * job["num_beams"] * row["state_bytes"]
        if needed > memory_bytes():
            report["notes"].append(
                f"transformers, {row['searches']} sources: not measured, since their keys and "
                f"values would take {needed / 2e9:.1f} GB"
            )
            continue
        row["transformers"] = in_child({**job, "concurrent": [row["searches"]]})["rates"][0]


def memory_bytes() -> float:
    """Return the memory of this machine, infinite where the system does not tell."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return math.inf
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


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
