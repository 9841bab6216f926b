"""A corpus on Ray while nodes, workers, readers and the driver die: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.documents.load import load_document
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.evaluation.__main__ import main as evaluate
from tests.conftest import EXAMPLE_TEXT, ROOT
from tests.scale.helpers import rows_of

if find_spec("ray") is None:
    pytest.skip("Ray has no wheel for this platform", allow_module_level=True)
if sys.platform == "win32":
    pytest.skip("Ray's test cluster does not run on Windows", allow_module_level=True)

pytestmark = pytest.mark.slow
OPTIONS = ("--length", "short", "--num-beams", "1", "--device", "cpu", "--dtype", "float32")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}  # for Ray's processes as well


def program(module: str, main: str = "main") -> list[str]:
    """Return the command that runs a function of a module of this folder."""
    return [sys.executable, "-c", f"import sys, tests.scale.{module} as m; sys.exit(m.{main}())"]


class Cluster:
    """A cluster in a process of its own, which ends it when this process ends."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            program("cluster_process"),
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill_node(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self._read() == "killed"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    started = Cluster()
    try:
        yield started
    finally:
        started.close()


def documents(folder: Path, names: str) -> Path:
    """Write a different small text for each name."""
    paragraphs = EXAMPLE_TEXT.read_text(encoding="utf-8").split("\n\n")
    folder.mkdir()
    for number, name in enumerate(names.split()):
        text = "\n\n".join(paragraphs[1 + number % 7 :][:12])
        (folder / name).write_text(f"# Part {number}\n\n{text}\n", encoding="utf-8")
    return folder


def start(source: Path, out: Path, *options: str, main: str = "main") -> subprocess.Popen[str]:
    """Start the command, with the faults of its documents."""
    command = [*program("faults", main), str(source), "-o", str(out)]
    return subprocess.Popen(
        [*command, *OPTIONS, *options],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds, or fail with the process's messages when it has ended."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)


def sentences_in(messages: str) -> list[str]:
    """Return the lines of stderr but for those that tell the progress every half minute."""
    return [line for line in messages.strip().splitlines() if not line.startswith("[")]


def begun(source: Path) -> list[str]:
    return sorted(p.name for p in source.with_name("begun").glob("*.md"))


def written(out: Path) -> bool:
    return any(out.glob("*.parquet"))


def ended(source: Path) -> list[str]:
    return sorted(p.stem + ".md" for p in source.with_name("begun").glob("*.ended"))


def assert_alone_gives_the_same(row: dict[str, Any], summarizer: Summarizer) -> None:
    document = load_document(row["path"])
    alone = summarizer.summarize(document, Options(length="short", num_beams=1))
    assert row["summary"] == alone.summary and row["sha256"] == document.sha256
    assert [s["text"] for s in row["sentences"]] == [
        sentence.text for section in alone.sections for sentence in section.sentences
    ]


def test_a_run_survives_its_nodes_its_workers_and_its_documents(
    cluster: Cluster, tmp_path: Path, bundled: Summarizer
) -> None:
    names = "a.md b.md c.md d.md e.md f.md hangs.md killer.md unlucky.md empty.md"
    source, out = documents(tmp_path / "source", names), tmp_path / "out"
    (source / "empty.md").write_text("")
    run = start(source, out, "--ray", cluster.address)
    wait_for(lambda: len(begun(source)) >= 2, run)
    cluster.kill_node()
    printed, messages = run.communicate(timeout=300)
    assert run.returncode == 1, messages  # three documents failed
    rows = rows_of(out)
    assert [row["id"] for row in rows] == sorted(names.split())
    failed = {row["id"]: row["error"] for row in rows if row["error"]}
    assert set(failed) == {"hangs.md", "killer.md", "empty.md"}, failed
    assert "too complex" in failed["hangs.md"] or "too busy" in failed["hangs.md"]
    assert "ended each time" in failed["killer.md"] and "is empty" in failed["empty.md"]
    for row in rows:
        if not row["error"]:
            assert_alone_gives_the_same(row, bundled)
    assert "10 documents: 7 summarized, 3 failed" in printed
    assert all(f"{name}: " in messages for name in failed)


def test_a_killed_driver_is_resumed(cluster: Cluster, tmp_path: Path) -> None:
    names = "a.md b.md c.md d.md e.md f.md"
    source, out = documents(tmp_path / "source", names), tmp_path / "out"
    run = start(source, out, "--ray", cluster.address)
    wait_for(lambda: written(out), run)
    run.kill()
    run.communicate()
    before = rows_of(out)
    assert before
    # A file that has changed since is summarized again, and its row replaced.
    changed = source / before[0]["id"]
    changed.write_text(changed.read_text(encoding="utf-8") + "\nThe end.\n", encoding="utf-8")
    again = start(source, out, "--ray", cluster.address, "--resume")
    printed, messages = again.communicate(timeout=300)
    assert again.returncode == 0, messages
    rows = rows_of(out)
    assert [row["id"] for row in rows] == names.split()
    assert f"{len(before) - 1} there already" in printed or len(before) == 1
    kept = {row["id"]: row for row in before[1:]}
    assert all(row == kept[row["id"]] for row in rows if row["id"] in kept)
    assert next(row["sha256"] for row in rows if row["id"] == changed.name) != before[0]["sha256"]


def test_evaluation_gives_the_scores_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    parts = EXAMPLE_TEXT.read_text(encoding="utf-8").split("\n\n")
    rows = [{"document": "\n".join(parts[n:]), "summary": parts[n]} for n in range(1, 6)]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    arguments = ["--model", str(ROOT / "assets" / "model"), "--data", str(data)]
    arguments += ["--compare", "lead,oracle", "--max-new-tokens", "16", "--batch-size", "2"]
    arguments += ["--device", "cpu", "--dtype", "float32"]
    assert evaluate([*arguments, "--out", str(tmp_path / "alone")]) == 0
    command = [sys.executable, "-m", "longt5.evaluation", *arguments, "--ray"]
    done = subprocess.run(
        [*command, cluster.address, "--out", str(tmp_path / "ray")],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    def read(name: str) -> tuple[dict[str, Any], str]:
        report = json.loads((tmp_path / name / "report.json").read_text("utf-8"))
        assert "cores" in report.pop("machine")  # which names the threads of a worker
        for scores in report["scores"].values():
            del scores["seconds"]
        return report, (tmp_path / name / "summaries.jsonl").read_text("utf-8")

    assert read("ray") == read("alone")


def test_machines_with_another_version_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    source = documents(tmp_path / "source", "a.md")
    run = start(source, tmp_path / "out", "--ray", cluster.address, main="main_of_another_version")
    _, messages = run.communicate(timeout=120)
    assert run.returncode == 1 and "the summaries need 9.9.9: install" in messages
    assert not begun(source)


def test_a_worker_summarizes_beside_a_document_that_never_ends(
    cluster: Cluster, tmp_path: Path
) -> None:
    source, out = documents(tmp_path / "source", "a-held.md b.md c.md"), tmp_path / "out"
    run = start(source, out, "--ray", cluster.address, "--workers", "1")
    wait_for(lambda: ended(source) == ["b.md", "c.md"] and written(out), run)
    assert begun(source) == ["a-held.md", "b.md", "c.md"]
    run.terminate()  # which keeps what is done
    _, messages = run.communicate(timeout=120)
    assert run.returncode == 1 and len(sentences_in(messages)) == 2, messages
    kept = {row["id"] for row in rows_of(out)}  # the latest result may still be on its way
    assert "--resume" in messages and kept and kept <= {"b.md", "c.md"}


def test_an_interrupted_local_run_keeps_what_is_done(tmp_path: Path) -> None:
    source, out = documents(tmp_path / "source", "a.md b.md held.md"), tmp_path / "out"
    run = start(source, out)
    wait_for(lambda: ended(source) == ["a.md", "b.md"] and written(out), run)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    _, messages = run.communicate(timeout=120)
    assert run.returncode == 1 and "--resume" in messages
    assert len(sentences_in(messages)) == 2, messages  # how it began, and how it ended
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    kept = rows_of(out)
    assert 1 <= len(kept) < 3 and not any(row["error"] for row in kept)


def test_a_killed_local_run_leaves_no_process(tmp_path: Path) -> None:
    source = documents(tmp_path / "source", "a.md b.md")
    run = start(source, tmp_path / "out")
    parent = psutil.Process(run.pid)
    wait_for(lambda: len(parent.children(recursive=True)) > 6, run)
    time.sleep(1)  # the guard looks twice a second
    family = parent.children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    _, left = psutil.wait_procs(family, 30)
    assert not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]
