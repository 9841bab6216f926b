"""Measure this engine in the first minutes on a GPU, and put everything into one JSON file.

    python -m tests.tools.gpu_first_look --out first-look.json [--minutes 12]

Kernels against the reference; base and large with 1,024 to 16,384 tokens in bf16 and fp16, with and
without compiled attention, beside transformers in bf16; recorded steps on and off; batch 1 and 8;
peak memory; the app's example end to end. The most telling steps come first, the file is written
after each, and what fails is told in it and does not end the rest.

On a machine without a GPU, ``--device cpu --preset tiny`` tries the script itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longt5 import benchmark, benchmark_engines

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "assets" / "examples" / "merrow-report.pdf"
LENGTHS = (16_384, 4096, 1024)
# What the engine should reach: shares of the card's measured rates, and times transformers.
GOALS = {"encode_share": 0.5, "step_share": 0.5, "encode_ratio": 5.0, "step_ratio": 5.0}


@dataclass(frozen=True)
class Step:
    """One measurement: its name in the file, and what computes its result."""

    name: str
    run: Callable[[], Any]


def plan(arguments: argparse.Namespace) -> Iterator[Step]:
    """Yield the measurements, the most telling first."""
    device = arguments.device
    presets = [arguments.preset] if arguments.preset else ["base", "large"]
    lengths = arguments.tokens or LENGTHS
    yield Step("check", lambda: run_check(device))
    for preset in presets:
        for tokens in lengths:
            yield _compared(arguments, preset, tokens, "bf16", against="transformers")
    yield Step("example", lambda: run_example(device, arguments.example))
    first, longest, shortest = presets[0], max(lengths), min(lengths)
    yield _compared(arguments, first, longest, "bf16", graphs=False)
    yield _compared(arguments, first, shortest, "bf16", graphs=False)
    yield _compared(arguments, first, longest, "bf16", compile=True)
    yield _compared(arguments, first, shortest, "bf16", batch=8, against="transformers")
    yield _compared(arguments, first, longest, "bf16", batch=8)
    for preset in presets:
        for tokens in lengths:
            yield _compared(arguments, preset, tokens, "fp16")
    for preset in presets[1:]:
        yield _compared(arguments, preset, longest, "bf16", compile=True)


def _compared(
    arguments: argparse.Namespace, preset: str, tokens: int, dtype: str, **changes: Any
) -> Step:
    """Return a run of the benchmark; ``changes``: its options that are not at their defaults."""
    names = [f"{k}={v}" for k, v in changes.items()]
    options = vars(benchmark.benchmark_parser().parse_args([])) | {
        "preset": preset,
        "tokens": tokens,
        "dtype": dtype,
        "device": arguments.device,
        "new_tokens": arguments.new_tokens,
        "against_dtype": "bf16",
        **changes,
    }

    def run() -> dict[str, Any]:
        report = benchmark.benchmark_inference(argparse.Namespace(**options))
        return report | {"goals": judge_report(report)}

    return Step(" ".join([preset, f"{tokens}", dtype, *names]), run)


def judge_report(report: dict[str, Any]) -> dict[str, bool]:
    """Return which goals a report of the benchmark reaches; ratios only beside transformers."""
    roof, ratios = report["roofline"], report["ratios"] or {}
    found = {"encode_share": roof["encode_share"], "step_share": roof["step_share"]}
    found |= {f"{name}_ratio": ratios[name] for name in ("encode", "step") if name in ratios}
    return {name: value >= GOALS[name] for name, value in found.items()}


def run_check(device: str) -> dict[str, Any]:
    """Compare every kernel with the reference in a process of its own."""
    command = [sys.executable, "-m", "longt5.benchmark", "--check", "--device", device]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)
    return {"right": done.returncode == 0, "table": done.stdout, "stderr": done.stderr[-2000:]}


def run_example(device: str, document: Path) -> dict[str, Any]:
    """Summarize a document with the app, twice: the second time libraries and files are warm."""
    command = [sys.executable, "-m", "app", "summarize", str(document), "--device", device]
    runs = []
    for _ in range(2):
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--format", "json"], capture_output=True, text=True, encoding="utf-8",
            cwd=ROOT,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        summary = json.loads(done.stdout)
        runs.append({"seconds": seconds, "words": len(str(summary["summary"]).split())})
    return {"runs": runs, "provenance": summary.get("provenance")}


def measure_all(steps: Sequence[Step], minutes: float, save: Callable[[dict], None]) -> dict:
    """Run the steps until the time is over; ``save`` receives all results after each."""
    ends_at = time.monotonic() + 60 * minutes
    found: dict[str, Any] = {"results": {}, "failed": {}, "not_reached": []}
    for step in steps:
        if time.monotonic() >= ends_at:
            found["not_reached"].append(step.name)
            continue
        start = time.monotonic()
        try:
            result = step.run()
            found["results"][step.name] = {"took_s": time.monotonic() - start, "result": result}
        except Exception as problem:
            found["failed"][step.name] = f"{type(problem).__name__}: {problem}"
        save(found)
    save(found)
    return found


def summary_table(found: dict[str, Any]) -> str:
    """Return the rows for BENCHMARKS.md."""
    lines = ["| step | encode s | step ms | peak GiB | encode, step of the card | x transformers |",
             "|---" * 6 + "|"]  # fmt: skip
    for name, entry in found["results"].items():
        result = entry["result"]
        if "rows" not in result:
            continue
        row = next(r for r in result["rows"] if r["engine"] == "longt5")
        roof, ratios = result["roofline"], result["ratios"]
        times = f"{ratios['encode']:.1f}, {ratios['step']:.1f}" if ratios else ""
        lines.append(
            f"| {name} | {row['encode_s']:.3f} | {row['step_ms']:.1f} | {row['peak_gib']:.2f} "
            f"| {roof['encode_share']:.0%}, {roof['step_share']:.0%} | {times} |"
        )
    lines += [f"failed: {name}: {why}" for name, why in found["failed"].items()]
    lines += [f"not reached: {name}" for name in found["not_reached"]]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 1 where a step failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu-first-look.json"))
    parser.add_argument("--minutes", type=float, default=12.0, help="begin no step after these")
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--preset", choices=sorted(benchmark_engines.PRESETS), help="this shape alone"
    )
    parser.add_argument("--tokens", type=int, nargs="+", help="these lengths alone")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--example", type=Path, default=EXAMPLE)
    arguments = parser.parse_args(argv)

    def save(found: dict[str, Any]) -> None:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    found = measure_all(list(plan(arguments)), arguments.minutes, save)
    print(summary_table(found))
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
