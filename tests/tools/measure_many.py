"""Measure documents per hour of a folder, one by one and through Ray, and Ray's cost of each.

    python -m tests.tools.measure_many FOLDER [--copies 60] [--workers 1,2] [--repeats 3]

One by one is what `summarize FOLDER -o OUT/` does, in this process with a loaded model; through Ray
is what `corpus` does. Runs alternate, and ratios are those of neighbouring runs. The clock of a run
through Ray begins with its first result and counts the documents after it, so that the start of Ray
and of the models, which is printed on its own, is no part of the cost of a document.

The last column is how long a worker is not searching, for each document: one by one that is reading
and planning, through Ray it is what Ray costs, because others read and plan meanwhile. A folder
with fewer files than `--copies` is filled up with copies, which differ in their names only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.documents.load import load_document
from app.runs.batch import files_in
from app.scale.pipeline import summarize_corpus
from app.scale.source import Corpus
from app.scale.tasks import CorpusSettings
from app.summary.summarizer import Summarizer
from longt5.evaluation.ray_session import ray_session


@dataclass(frozen=True)
class Run:
    """Seconds per document, its pages, the seconds before the first result, and the seconds of a
    worker per document that are not the model's."""

    seconds: float
    pages: float
    start_s: float
    idle_s: float


def fill_folder(source: str, target: Path, copies: int) -> list[Path]:
    """Copy the readable files of a folder in turns until there are so many."""
    files = [path for path, _ in files_in([source])]
    made = []
    for number, path in enumerate(itertools.islice(itertools.cycle(files), max(copies, 2))):
        made.append(target / f"{number:05}-{path.name}")
        shutil.copyfile(path, made[-1])
    return made


def run_one_by_one(files: Sequence[Path], summarizer: Summarizer) -> Run:
    """Summarize the files in turns. Raises AppError for one that cannot be summarized."""
    pages, model_s, began = 0, 0.0, time.perf_counter()
    for path in files:
        document = load_document(path)
        model_s += model_seconds(summarizer.summarize(document).timings)
        summarizer.clear_cache()
        pages += len(document.pages)
    seconds, count = time.perf_counter() - began, len(files)
    return Run(seconds / count, pages / count, 0.0, (seconds - model_s) / count)


def model_seconds(timings: Mapping[str, float]) -> float:
    """Return the seconds of a summary from its plan to its end."""
    return timings["total_s"] - timings["read_s"]


def run_through_ray(folder: Path, workers: int) -> Run:
    """Summarize a folder by the pipeline of the `corpus` command."""
    began = time.perf_counter()
    times, model_s, pages = [], [], 0
    with ray_session(None, workers) as layout:
        corpus = Corpus(str(folder), str(folder.with_name("out")))
        for result in summarize_corpus(corpus, set(), CorpusSettings(), layout):
            if result.row["error"]:
                raise SystemExit(f"{result.id}: {result.row['error']}")
            times.append(time.perf_counter())
            model_s.append(model_seconds(result.row["timings"]))
            pages += result.row["pages"]
    seconds = (times[-1] - times[0]) / (len(times) - 1)
    idle_s = seconds * layout.workers - statistics.mean(model_s[1:])
    return Run(seconds, pages / len(times), times[0] - began, idle_s)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--copies", type=int, default=60, metavar="N")
    parser.add_argument("--workers", default="1,2", metavar="N,N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    chosen = parser.parse_args(argv)
    counts = [int(count) for count in chosen.workers.split(",")]
    runs: dict[int, list[Run]] = {count: [] for count in (0, *counts)}
    with tempfile.TemporaryDirectory(prefix="measure-many-") as made:
        folder = Path(made) / "documents"
        folder.mkdir()
        files = fill_folder(chosen.folder, folder, chosen.copies)
        summarizer = Summarizer.load()
        run_one_by_one(files[:1], summarizer)  # warm
        for _ in range(chosen.repeats):
            runs[0].append(run_one_by_one(files, summarizer))
            for count in counts:
                runs[count].append(run_through_ray(folder, count))
    print(f"{len(files)} documents of {runs[0][0].pages:.0f} pages; {os.cpu_count()} processors")
    if hasattr(os, "getloadavg"):
        print(f"load at the end: {os.getloadavg()[0]:.1f}")
    print("| | documents an hour | relative to one by one | start s | worker not searching, s |")
    print("|---|---|---|---|---|")
    for count, found in runs.items():
        hourly = 3600 / statistics.median(run.seconds for run in found)
        ratios = [alone.seconds / run.seconds for run, alone in zip(found, runs[0], strict=True)]
        label = f"Ray, {count} worker{'s' * (count > 1)}" if count else "one by one"
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        start = statistics.median(run.start_s for run in found)
        idle = statistics.median(run.idle_s for run in found)
        print(f"| {label} | {hourly:,.0f} | {spread} | {start:.1f} | {idle:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
