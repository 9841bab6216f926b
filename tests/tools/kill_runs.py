"""Kill a run at random moments and resume it: `python -m tests.tools.kill_runs --runs 50`.

Each run summarizes several short sections in a subprocess that is killed (SIGKILL) one to three
times; then it is resumed to its end. The result must equal that of an undisturbed run byte for
byte, and no section that was reported as finished may be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
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


def work(job_id: str) -> None:
    """Begin or resume a run in this process and print a line for each of its events."""
    from app.documents.load import document_from_text
    from app.events import Finished, SectionDone
    from app.runs.request import Request
    from app.runs.service import Service
    from app.settings import Settings
    from app.summary.summarizer import Options

    service = Service(Settings(device="cpu", dtype="float32"))
    if job_id:
        job = service.find(job_id)
        assert job is not None, "the job is lost"
    else:
        text = (ROOT / "assets" / "examples" / "lending-library.md").read_text(encoding="utf-8")
        options = Options(num_beams=2, max_new_tokens=16, max_input_tokens=WINDOW)
        document = document_from_text(text[:9_000], "killed.md")
        job = service.submit(Request((document,), options, "bundled"))
    print("job", job.id, flush=True)
    for event in job.events():
        if isinstance(event, SectionDone):
            print("section", event.section, flush=True)
        elif isinstance(event, Finished):
            print("result", plain(event.summary), flush=True)


def start(data: Path, job_id: str = "") -> subprocess.Popen[str]:
    """Return the started subprocess, with `data` as its data folder."""
    command = [sys.executable, "-m", "tests.tools.kill_runs", "--work", job_id]
    return subprocess.Popen(
        command,
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
        yield line.rstrip("\n").split(" ", 1)


def run_undisturbed() -> tuple[str, float]:
    """Return the result of an undisturbed run, and the seconds it took."""
    with tempfile.TemporaryDirectory() as data, start(Path(data)) as process:
        result, began = "", 0.0
        for kind, value in lines(process):
            if kind == "job":
                began = time.monotonic()
            result = value if kind == "result" else result
        return result, time.monotonic() - began


def run_with_kills(moments: list[float]) -> tuple[str, int, int]:
    """Return (result, sections finished before the last start, finished sections lost).

    The run is killed so many seconds after each of its starts.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, job_id, lost, finished = Path(folder), "", 0, 0
        for moment in moments:
            with start(data, job_id) as process:
                reported = lines(process)
                job_id = next(reported)[1]
                time.sleep(moment)
                process.kill()
                reported_sections = [int(value) for kind, value in reported if kind == "section"]
            # A section is reported after its file is written, so each must exist.
            stored = {p.name for p in (data / "jobs" / job_id).glob("section-1-*.json")}
            lost += sum(f"section-1-{n:05}.json" not in stored for n in reported_sections)
            finished = len(stored)
        with start(data, job_id) as process:
            results = [value for kind, value in lines(process) if kind == "result"]
        return results[-1] if results else "", finished, lost


def kill_runs(runs: int, seed: int | None = None, minutes: float = 1e9) -> dict[str, int]:
    """Return counts of kills, sections reused, sections lost and results that differ.

    Stops after so many runs, or begins no run after so many minutes.
    """
    chance = random.Random(seed)
    expected, seconds = run_undisturbed()
    assert expected, "the undisturbed run has no result"
    counts = {"runs": 0, "kills": 0, "sections kept": 0, "sections lost": 0, "different": 0}
    end = time.monotonic() + 60 * minutes
    for _ in range(runs):
        if time.monotonic() > end:
            break
        kills = chance.choice((1, 1, 2, 3))
        moments = [chance.uniform(0, seconds) for _ in range(kills)]
        result, finished, lost = run_with_kills(moments)
        counts["runs"] += 1
        counts["kills"] += kills
        counts["sections kept"] += finished
        counts["sections lost"] += lost
        counts["different"] += result != expected
    return counts


def main() -> int:
    """Print the counts; return 1 when a section was lost or a result differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no run after so many")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work is not None:
        work(chosen.work)
        return 0
    counts = kill_runs(chosen.runs, chosen.seed, chosen.minutes)
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    return 1 if counts["sections lost"] or counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
