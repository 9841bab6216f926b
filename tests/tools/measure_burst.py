"""Measure runs that are asked for at the same moment, by how many of them share the model.

    python -m tests.tools.measure_burst [--runs 8] [--at-once 1,2,3,4,8] [--repeats 3]

Each run is one of the short texts of `tests.tools.load`. Processor time hardly depends on what else
the machine does; seconds and waits do, so the numbers of runs at once take turns. The worst wait is
that of the run which waited longest for its first word beside its fair one: the mean time of a run,
for itself and each run that was asked for before it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.documents.load import document_from_text
from app.events import DraftText
from app.runs.jobs import Job
from app.runs.request import Request
from app.runs.service import Service
from app.settings import Settings
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from tests.tools.load import text_of

MODEL = "bundled"


@dataclass(frozen=True)
class Burst:
    """Per run: seconds, and seconds of processor time; of all runs: the waits for a first word in
    the order of the runs."""

    seconds: float
    cpu_s: float
    waits: tuple[float, ...]

    @property
    def worst_share(self) -> float:
        """Return the longest wait as a part of the fair one."""
        fair = [number * self.seconds for number in range(1, len(self.waits) + 1)]
        return max(wait / due for wait, due in zip(self.waits, fair, strict=True))


def run_burst(model: Summarizer, runs: int, at_once: int) -> Burst:
    """Return what so many runs took that were submitted together."""
    model.clear_cache()
    service = Service(Settings(device="cpu", max_at_once=at_once))
    service.models.put(MODEL, model)
    texts = [document_from_text(text_of(n, random.Random(n))) for n in range(runs)]
    options = Options(length="short", num_beams=1)
    waits = [0.0] * runs

    def watch(number: int, job: Job) -> None:
        for event in job.events():
            if isinstance(event, DraftText) and event.committed and not waits[number]:
                waits[number] = time.perf_counter() - began

    began, cpu_s = time.perf_counter(), time.process_time()
    watchers = []
    for number, text in enumerate(texts):
        job = service.submit(Request((text,), options, MODEL), session=str(number), keep=False)
        watchers.append(threading.Thread(target=watch, args=(number, job)))
        watchers[-1].start()
    for watcher in watchers:
        watcher.join()
    seconds = (time.perf_counter() - began) / runs
    return Burst(seconds, (time.process_time() - cpu_s) / runs, tuple(waits))


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=8, metavar="N")
    parser.add_argument("--at-once", default="1,2,3,4,8", metavar="N,N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    chosen = parser.parse_args(argv)
    counts = [int(count) for count in chosen.at_once.split(",")]
    model = Summarizer.load(MODEL, device="cpu")
    run_burst(model, 2, 2)  # warm
    found: dict[int, list[Burst]] = {count: [] for count in counts}
    for _ in range(chosen.repeats):
        for count in counts:
            found[count].append(run_burst(model, chosen.runs, count))
    print("| runs at once | CPU s a run | s a run | first word s, mean | last | worst share |")
    print("|---|---|---|---|---|---|")
    for count, bursts in found.items():
        figures = [
            statistics.median(values)
            for values in (
                [b.cpu_s for b in bursts],
                [b.seconds for b in bursts],
                [statistics.mean(b.waits) for b in bursts],
                [max(b.waits) for b in bursts],
                [b.worst_share for b in bursts],
            )
        ]
        print(f"| {count} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
