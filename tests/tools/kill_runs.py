"""Kill runs at random moments and resume them: `python -m tests.tools.kill_runs --runs 50`.

Each run summarizes several short sections in a subprocess that is killed (SIGKILL) one to three
times; then it is resumed to its end. `--jobs 8`: eight documents at once in that subprocess. The
results must equal those of an undisturbed run byte for byte, and no section that was reported as
finished may be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WINDOW = 256


def plain(summary: Any) -> str:
    """Return a summary as text, without its time and timings."""
    values = summary.to_dict()
    del values["timings"], values["provenance"]["time"]
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def documents(count: int) -> list[str]:
    """Return so many texts: the example from another place on for each."""
    text = (ROOT / "assets" / "examples" / "lending-library.md").read_text(encoding="utf-8")
    return [text[400 * number :][:9_000] for number in range(count)]


def work(jobs: int, job_ids: list[str]) -> None:
    """Begin or resume runs in this process, all at once; print a line for each of their events."""
    from app.documents.load import document_from_text
    from app.runs.request import Request
    from app.runs.service import Service
    from app.settings import Settings
    from app.summary.summarizer import Options

    service = Service(Settings(device="cpu", dtype="float32", max_at_once=jobs))
    if job_ids:
        found = [service.find(job_id) for job_id in job_ids]
        assert None not in found, "a job is lost"
    else:
        options = Options(num_beams=2, max_new_tokens=16, max_input_tokens=WINDOW)
        made = (document_from_text(text, "killed.md") for text in documents(jobs))
        found = [
            service.submit(Request((document,), options, "bundled"), f"session {number}")
            for number, document in enumerate(made)
        ]
    print("jobs", " ".join(job.id for job in found if job), flush=True)
    watchers = [
        threading.Thread(target=report, args=(number, job)) for number, job in enumerate(found)
    ]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join()


def report(number: int, job: Any) -> None:
    """Print a line for each finished section of a job, and for its result."""
    from app.events import Finished, SectionDone

    for event in job.events():
        if isinstance(event, SectionDone):
            sys.stdout.write(f"section {number} {event.section}\n")
        elif isinstance(event, Finished):
            sys.stdout.write(f"result {number} {plain(event.summary)}\n")
        sys.stdout.flush()


def start(data: Path, jobs: int, job_ids: str = "") -> subprocess.Popen[str]:
    """Return the started subprocess, with `data` as its data folder."""
    command = [sys.executable, "-m", "tests.tools.kill_runs", "--jobs", str(jobs), "--work"]
    return subprocess.Popen(
        [*command, *job_ids.split()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "SUMMARIZER_DATA_DIR": str(data), "PYTHONUTF8": "1"},
    )


def lines(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    """Yield [kind, value] of each printed line until the process ends."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("\n"):  # the last one may be cut by the kill
            yield line.rstrip("\n").split(" ", 1)


def results_of(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the result of each job, by its number, once the process has ended."""
    return dict(
        value.split(" ", 1)  # type: ignore[misc]
        for kind, value in lines(process)
        if kind == "result"
    )


def run_undisturbed(jobs: int) -> tuple[dict[str, str], float]:
    """Return the results of undisturbed runs, and the seconds they took."""
    with tempfile.TemporaryDirectory() as data, start(Path(data), jobs) as process:
        next(lines(process))
        began = time.monotonic()
        return results_of(process), time.monotonic() - began


def run_with_kills(jobs: int, moments: list[float]) -> tuple[dict[str, str], int, int]:
    """Return (results, sections finished before the last start, finished sections lost).

    The process is killed so many seconds after each of its starts.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, job_ids, lost, finished = Path(folder), "", 0, 0
        for moment in moments:
            with start(data, jobs, job_ids) as process:
                reported = lines(process)
                job_ids = next(reported)[1]
                time.sleep(moment)
                process.kill()
                sections = [value.split() for kind, value in reported if kind == "section"]
            # A section is reported after its file is written, so each must exist.
            stored = [
                {p.name for p in (data / "jobs" / job_id).glob("section-1-*.json")}
                for job_id in job_ids.split()
            ]
            names = [(int(job), f"section-1-{int(number):05}.json") for job, number in sections]
            lost += sum(name not in stored[job] for job, name in names)
            finished = sum(map(len, stored))
        with start(data, jobs, job_ids) as process:
            return results_of(process), finished, lost


def kill_runs(
    runs: int, seed: int | None = None, minutes: float = 1e9, jobs: int = 1
) -> dict[str, int]:
    """Return counts of kills, sections reused, sections lost and results that differ.

    Stops after so many runs, or begins no run after so many minutes.
    """
    chance = random.Random(seed)
    expected, seconds = run_undisturbed(jobs)
    assert len(expected) == jobs, "an undisturbed run has no result"
    counts = {"runs": 0, "kills": 0, "sections kept": 0, "sections lost": 0, "different": 0}
    end = time.monotonic() + 60 * minutes
    for _ in range(runs):
        if time.monotonic() > end:
            break
        kills = chance.choice((1, 1, 2, 3))
        moments = [chance.uniform(0, seconds) for _ in range(kills)]
        results, finished, lost = run_with_kills(jobs, moments)
        counts["runs"] += 1
        counts["kills"] += kills
        counts["sections kept"] += finished
        counts["sections lost"] += lost
        counts["different"] += sum(results.get(job) != expected[job] for job in expected)
    return counts


def main() -> int:
    """Print the counts; return 1 when a section was lost or a result differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no run after so many")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="runs at once in each process")
    parser.add_argument("--work", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work is not None:
        work(chosen.jobs, chosen.work)
        return 0
    counts = kill_runs(chosen.runs, chosen.seed, chosen.minutes, chosen.jobs)
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    return 1 if counts["sections lost"] or counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
