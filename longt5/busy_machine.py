"""Time of a decode beside busy processes, against the fair share of the cores.

Used by ``python -m longt5.benchmark --beside N``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .cores import usable_cores
from .model import LongT5ForConditionalGeneration
from .outputs import EncoderStates

SETTLING_SECONDS = 0.5  # until new processes have their share


def fair_factor(cores: int, busy: int) -> float:
    """Return how much longer a program of ``cores`` threads takes beside ``busy`` processes, where
    they are spread over the cores and each core is shared equally."""
    on_core = [busy // cores + (core < busy % cores) for core in range(cores)]
    return cores / sum(1 / (1 + others) for others in on_core)


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run processes that use all the time they get."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(SETTLING_SECONDS if count else 0.0)
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def time_beside(
    model: LongT5ForConditionalGeneration,
    encoded: EncoderStates,
    counts: Sequence[int],
    beams: int,
    new: int,
    repeats: int = 3,
) -> dict[str, Any]:
    """Return medians of a decode's seconds alone and beside busy processes, in turns.

    ``cpu``: seconds of processor time that the decode used; more than alone is time lost waiting.
    """
    cases = [0, *(count for count in counts if count)]
    seconds: dict[int, list[tuple[float, float]]] = {count: [] for count in cases}
    _decode(model, encoded, beams, min(new, 8))
    for _ in range(repeats):
        for count in cases:
            with busy_processes(count):
                seconds[count].append(_decode(model, encoded, beams, new))
    cores = usable_cores()
    alone = statistics.median(wall for wall, _ in seconds[0])
    rows = []
    for count in cases:
        wall = statistics.median(wall for wall, _ in seconds[count])
        fair = alone * fair_factor(cores, count)
        cpu = statistics.median(cpu for _, cpu in seconds[count])
        rows.append({"busy": count, "seconds": wall, "fair": fair, "ratio": wall / fair, "cpu": cpu,
                     "step_ms": 1000 * wall / new})  # fmt: skip
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"rows": rows, "cores": cores, "threads": torch.get_num_threads(), "load": load}


def _decode(
    model: LongT5ForConditionalGeneration, encoded: EncoderStates, beams: int, new: int
) -> tuple[float, float]:
    """Return the seconds and processor seconds of a decode of ``new`` tokens."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in model.stream(encoded=encoded, num_beams=beams, min_new_tokens=new, max_new_tokens=new):
        pass
    return time.perf_counter() - wall, time.process_time() - cpu


def beside_table(report: dict[str, Any]) -> str:
    """Return the report of :func:`time_beside` as Markdown."""
    lines = [
        f"{report['cores']} cores, {report['threads']} threads, load {report['load']}",
        "",
        "| busy processes | seconds | ms a step | fair share | of it | CPU seconds |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {r['busy']} | {r['seconds']:.2f} | {r['step_ms']:.1f} | {r['fair']:.2f} "
        f"| {r['ratio']:.2f} | {r['cpu']:.2f} |"
        for r in report["rows"]
    ]
    return "\n".join(lines)
