"""Measure documents per hour of a folder: one by one, several at once, and through Ray.

    python -m tests.tools.measure_many FOLDER [--copies 60] [--at-once 8] [--workers 1,2]
        [--repeats 3]

One by one, each document is read and summarized in turns by a loaded model of this process; several
at once is what `summarize FOLDER -o OUT/` does; through Ray is what `corpus` does, once with a
document at a time in each worker, which shows what Ray costs, and once with as many as `--at-once`
ends with. Runs alternate, and ratios are those of neighbouring runs. The clock of a run through Ray
begins when the first document is written, so that the start of Ray and of the models, which is
printed on its own, is no part of the cost of a document.

The last column is how long a worker is not searching, for each document: one by one that is reading
and planning, through Ray it is what Ray costs, because others read and plan meanwhile. A folder
with fewer files than `--copies` is filled up with copies, which differ in their names only. With
`--workers ""` nothing goes through Ray.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.documents.load import load_document
from app.runs.batch import OutcomeStatus, files_in, summarize_files
from app.runs.stop import StopSignal
from app.scale.pipeline import summarize_corpus
from app.scale.source import Corpus
from app.scale.tasks import CorpusSettings
from app.settings import MAX_AT_ONCE
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.evaluation.ray_session import ray_session


@dataclass(frozen=True)
class Run:
    """Seconds per document, its pages, the seconds before the first is written, and the seconds of
    a worker per document that are not the model's, where workers have a document each."""

    seconds: float
    pages: float
    start_s: float
    idle_s: float | None


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


def run_at_once(folder: Path, summarizer: Summarizer, at_once: int) -> Run:
    """Summarize a folder, so many documents at once. Raises SystemExit for one that fails."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="measure-many-out-") as out:
        outcomes = list(
            summarize_files(
                [str(folder)],
                Path(out),
                "md",
                load_document,
                lambda: summarizer,
                Options(),
                StopSignal(),
                on_progress=lambda progress: None,
                at_once=at_once,
            )
        )
    summarizer.clear_cache()
    failed = [o.text for o in outcomes if o.status is not OutcomeStatus.DONE]
    if failed:
        raise SystemExit("\n".join(failed))
    seconds, count = time.perf_counter() - began, len(outcomes)
    return Run(seconds / count, sum(o.pages for o in outcomes) / count, 0.0, None)


def model_seconds(timings: Mapping[str, float]) -> float:
    """Return the seconds of a summary from its plan to its end."""
    return timings["total_s"] - timings["read_s"]


def run_through_ray(folder: Path, workers: int, at_once: int) -> Run:
    """Summarize a folder by the pipeline of the `corpus` command, so many documents at once in
    each worker. Raises SystemExit for one that fails."""
    began = time.perf_counter()
    times, model_s, pages = [], [], 0
    with ray_session(None, workers) as layout:
        corpus = Corpus(str(folder), str(folder.with_name("out")))
        for result in summarize_corpus(corpus, set(), CorpusSettings(), layout, at_once):
            if result.row["error"]:
                raise SystemExit(f"{result.id}: {result.row['error']}")
            times.append(time.perf_counter())
            model_s.append(model_seconds(result.row["timings"]))
            pages += result.row["pages"]
    first = min(end - written for end, written in zip(times, model_s, strict=True))
    seconds = (times[-1] - first) / len(times)
    idle_s = seconds * layout.workers - statistics.mean(model_s) if at_once == 1 else None
    return Run(seconds, pages / len(times), first - began, idle_s)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder")
    parser.add_argument("--copies", type=int, default=60, metavar="N")
    parser.add_argument("--at-once", default=str(MAX_AT_ONCE), metavar="N,N")
    parser.add_argument("--workers", default="1,2", metavar="N,N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    chosen = parser.parse_args(argv)
    at_once, workers = (
        [int(count) for count in listed.split(",") if count]
        for listed in (chosen.at_once, chosen.workers)
    )
    with tempfile.TemporaryDirectory(prefix="measure-many-") as made:
        folder = Path(made) / "documents"
        folder.mkdir()
        files = fill_folder(chosen.folder, folder, chosen.copies)
        summarizer = Summarizer.load()
        run_one_by_one(files[:1], summarizer)  # warm
        ways: dict[str, Callable[[], Run]] = {
            "one by one": lambda: run_one_by_one(files, summarizer)
        }
        for count in at_once:
            ways[f"{count} at once"] = partial(run_at_once, folder, summarizer, count)
        for count in workers:
            label = f"Ray, {count} worker{'s' * (count > 1)}"
            for documents in dict.fromkeys([1, *at_once[-1:]]):
                way = partial(run_through_ray, folder, count, documents)
                ways[f"{label}, {documents} at once"] = way
        runs: dict[str, list[Run]] = {label: [] for label in ways}
        for _, (label, way) in itertools.product(range(chosen.repeats), ways.items()):
            runs[label].append(way())
    report(runs, len(files))
    return 0


def report(runs: Mapping[str, Sequence[Run]], documents: int) -> None:
    """Print a table of runs by the way in which they were made, the first one the measure."""
    alone = next(iter(runs.values()))
    print(f"{documents} documents of {alone[0].pages:.0f} pages; {os.cpu_count()} processors")
    if hasattr(os, "getloadavg"):
        print(f"load at the end: {os.getloadavg()[0]:.1f}")
    print("| | documents an hour | relative to one by one | start s | worker not searching, s |")
    print("|---|---|---|---|---|")
    for label, found in runs.items():
        hourly = 3600 / statistics.median(run.seconds for run in found)
        ratios = [one.seconds / run.seconds for run, one in zip(found, alone, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        start = statistics.median(run.start_s for run in found)
        idle = [run.idle_s for run in found if run.idle_s is not None]
        shown = f"{statistics.median(idle):.2f}" if idle else ""
        print(f"| {label} | {hourly:,.0f} | {spread} | {start:.1f} | {shown} |")


if __name__ == "__main__":
    sys.exit(main())
