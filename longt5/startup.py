"""Time from the start of a process to the first certain word, in stages; warm disk, new processes.

Used by ``python -m longt5.benchmark --startup``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STAGES = ("interpreter", "import", "load", "kernel", "read", "first word", "whole answer")
# Slow to import, and needed by nobody who has the checkpoint and the kernel.
NEEDLESS_MODULES = ("huggingface_hub", "gradio", "transformers", "torch._inductor", "torch._dynamo",
                    "sympy", "jax")  # fmt: skip
TEXT = (
    "The tool library opened in March. It lends drills, ladders and saws to anyone who lives in "
    "the town, for a week at a time. In its first year 412 people borrowed 1,900 tools. Nothing "
    "was stolen, and eleven tools were broken. The council pays the rent of the shop, and "
    "volunteers repair what comes back. Next year it wants to open on Sundays as well. "
)
REPEATED_TEXT = 8  # times: about a page, as long as a section of a report


def run_stages(started: float, model_folder: str) -> dict[str, Any]:
    """Return the seconds since ``started`` (time.time) and the CPU seconds at each stage's end."""
    stamps: list[tuple[float, float]] = []

    def stamp() -> None:
        stamps.append((time.time() - started, time.process_time()))

    stamp()
    import torch

    from longt5 import LongT5ForConditionalGeneration, StreamingDecoder, Tokenizer
    from longt5.kernels import native

    stamp()
    tokenizer = Tokenizer.from_pretrained(model_folder)
    model = LongT5ForConditionalGeneration.from_pretrained(model_folder, device="cpu")
    stamp()
    native.library()
    stamp()
    encoded = model.encode(torch.tensor([tokenizer.encode(TEXT * REPEATED_TEXT)]))
    stamp()
    decoder, first = StreamingDecoder(tokenizer), False
    for draft in model.stream(encoded=encoded, num_beams=4, min_new_tokens=32, max_new_tokens=64):
        text, _ = decoder.update(draft.committed, draft.provisional, draft.done)
        if text and not first:
            first = True
            stamp()
    stamp()
    needless = [name for name in NEEDLESS_MODULES if name in sys.modules]
    return {"stamps": stamps, "needless": needless, "kernel": native.library() is not None}


def time_stages(model_folder: Path, repeats: int = 3) -> dict[str, Any]:
    """Run the stages in new processes, once more to warm the disk; return medians and the worst.

    Raises RuntimeError with the words of a process that fails.
    """
    runs = [_one_process(str(model_folder)) for _ in range(repeats + 1)][1:]
    rows = []
    for i, name in enumerate(STAGES):
        walls, cpus = zip(*(run["stamps"][i] for run in runs), strict=True)
        rows.append({"stage": name, "seconds": statistics.median(walls), "worst": max(walls),
                     "cpu": statistics.median(cpus)})  # fmt: skip
    return {"rows": rows, "needless": runs[-1]["needless"], "kernel": runs[-1]["kernel"]}


def _one_process(model_folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "longt5.startup", str(time.time()), model_folder]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError("\n".join(done.stderr.strip().splitlines()[-8:]) or "It was killed.")
    return json.loads(done.stdout.strip().splitlines()[-1])


def time_first_output(command: list[str], repeats: int = 3) -> tuple[list[float], list[float]]:
    """Return the seconds to the first byte that a command writes to stdout, and to its end."""
    firsts, ends = [], []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        ) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            firsts.append(time.perf_counter() - start)
            process.stdout.read()
        ends.append(time.perf_counter() - start)
    return firsts[1:], ends[1:]


def stages_table(report: dict[str, Any]) -> str:
    """Return the report of :func:`time_stages` as Markdown."""
    lines = ["| until the end of | seconds | worst | CPU seconds |", "|---|---|---|---|"]
    lines += [
        f"| {r['stage']} | {r['seconds']:.2f} | {r['worst']:.2f} | {r['cpu']:.2f} |"
        for r in report["rows"]
    ]
    lines += ["", f"compiled kernel: {'yes' if report['kernel'] else 'no'}; modules loaded without "
              f"need: {', '.join(report['needless']) or 'none'}"]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(run_stages(float(sys.argv[1]), sys.argv[2])))
