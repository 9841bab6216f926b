"""The `corpus` command without Ray, and its progress line."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app import cli
from app.scale.progress import CorpusProgress
from longt5 import errors
from longt5.evaluation import ray_session
from longt5.evaluation.checkpoints import InputSettings
from longt5.evaluation.distributed import BatchScorer, SystemSettings
from longt5.evaluation.ray_session import (
    SharedOrAlone,
    WorkerLayout,
    cluster_layout,
    local_layout,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_ray_the_command_says_what_to_install(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert cli.main(["corpus", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert 'pip install ".[ray]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_mistakes_are_found_before_ray_starts(tmp_path: Path, capsys) -> None:
    pytest.importorskip("ray")
    (tmp_path / "a.txt").write_text("A text.")
    out = str(tmp_path / "out")
    for arguments, sentence in (
        ([str(tmp_path), "-o", out, "--words", "3"], "20"),
        ([str(tmp_path), "-o", out, "--ray", "ray://somewhere:10001"], "Ray Client"),
        ([str(tmp_path / "nothing"), "-o", out], "check its name"),
        ([str(tmp_path), "-o", out, "--workers", "0"], "workers"),
        ([str(tmp_path)], "-o"),
        ([str(tmp_path), "-o", out, "--model", str(tmp_path / "none")], "none"),
        ([str(tmp_path), "-o", str(tmp_path / "a.txt")], "cannot be"),
    ):
        assert cli.main(["corpus", *arguments]) == 1
        printed = capsys.readouterr()
        assert sentence in printed.err and not printed.out
        assert len(printed.err.strip().splitlines()) == 1


def test_the_line_counts_documents_pages_tokens_and_time() -> None:
    now = [0.0]
    progress = CorpusProgress(Terminal(), clock=lambda: now[0])
    progress.begin(11)
    progress.skip()
    assert progress.remaining_s() is None
    now[0] = 5.0
    progress.start_work()
    now[0] = 15.0
    for _ in range(4):
        progress.add("a.pdf", {"pages": 30, "tokens_read": 900, "tokens_written": 100})
    progress.add("b.pdf", {"error": "It is empty."})
    assert progress.remaining_s() == pytest.approx(10.0)
    line = progress.line()
    assert "6 of 11 documents, 1 there already, 1 failed" in line
    assert "12.0 pages/s, 400.0 tokens/s" in line and "about 10 s left" in line and "55 %" in line
    assert "b.pdf: It is empty." in progress.out.getvalue()
    assert progress.outcome("out/").startswith("11 documents: 4 summarized, 1 there already")


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    now, out = [0.0], io.StringIO()
    progress = CorpusProgress(out, clock=lambda: now[0])
    progress.begin(300)
    for number in range(120):
        now[0] = float(number)
        progress.add("a", {"pages": 1})
    assert len(out.getvalue().splitlines()) == 3 and "\r" not in out.getvalue()


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 7, 8, 64])
@pytest.mark.parametrize("workers", [None, 1, 2, 100])
def test_local_workers_share_the_cores(cores: int, workers: int | None) -> None:
    layout = local_layout(workers, cores)
    assert layout.workers == (workers or max(1, cores // ray_session.CORES_PER_WORKER))
    assert layout.cpus >= 1 and (layout.workers * layout.cpus <= cores or layout.cpus == 1)


def test_clusters_keep_a_core_to_read() -> None:
    assert cluster_layout(None, [{"CPU": 8}, {"CPU": 8}, {}]) == WorkerLayout(2, 4)
    assert cluster_layout(None, [{"CPU": 2}, {"CPU": 10}]) == WorkerLayout(6, 1)
    assert cluster_layout(3, [{"CPU": 2}, {"CPU": 10}]) == WorkerLayout(3, 1)
    assert cluster_layout(None, [{"CPU": 16, "GPU": 4}, {"CPU": 4}]) == WorkerLayout(4, 1, 1)
    assert cluster_layout(None, [{"CPU": 16, "GPU": 4}], use_gpus=False) == WorkerLayout(3, 4)
    assert cluster_layout(None, []) == WorkerLayout(1, 1)


def test_a_checkpoint_that_cannot_be_loaded_is_an_answer() -> None:
    settings = SystemSettings(("no/such/folder", "lead"), InputSettings(), {})
    batch = BatchScorer(settings, "sentences")((3, []))
    assert batch.number == 3 and "no/such/folder" in batch.error


def test_what_is_tried_again_runs_alone_and_the_rest_together() -> None:
    turns, meeting, end = SharedOrAlone(), threading.Barrier(3, timeout=60), threading.Event()
    inside: list[str] = []
    seen: list[list[str]] = []

    def shared(name: str) -> None:
        with turns.enter(alone=False):
            inside.append(name)
            if not end.is_set():
                meeting.wait()  # raises unless two are inside together
                assert end.wait(60)
            inside.remove(name)

    def alone() -> None:
        with turns.enter(alone=True):
            time.sleep(0.02)  # for others to come in, which none may
            seen.append([*inside])

    def begin(work: Callable[..., None], *arguments: str) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments)
        thread.start()
        return thread

    threads = [begin(shared, "first"), begin(shared, "second")]
    meeting.wait()
    threads += [begin(alone), begin(alone)]
    time.sleep(0.02)
    assert sorted(inside) == ["first", "second"] and not seen
    end.set()
    threads += [begin(shared, "third"), begin(alone)]
    for thread in threads:
        thread.join(60)
    assert seen == [[], [], []] and not inside
