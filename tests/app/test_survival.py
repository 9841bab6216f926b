"""Runs without a disk, a model or a network, on a lost GPU, in a killed program (H18 to H20)."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app import cli
from app.documents.load import load_document
from app.errors import AppError, BadOption, DeviceLost, NotReadable
from app.events import DocumentStarted, DraftText, Finished, SectionDone
from app.runs import batch, subprocess_run
from app.runs.device_errors import translate_device_errors
from app.runs.journal import JobFolder, Journal
from app.runs.reading import DocumentReader
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.run_state import RunState
from app.runs.service import FAILED_AGAIN, FAILED_ONCE, Service
from app.runs.stop import StopSignal
from app.settings import Settings, data_dir
from app.summary.summarizer import Options, Summarizer
from app.ui import handlers, launch
from longt5 import is_device_lost
from tests.app.test_journal import JOB, OPTIONS, request_for, service_of, short  # noqa: F401
from tests.app.test_ui import run
from tests.conftest import EXAMPLE_PDF, ROOT
from tests.tools.kill_runs import kill_runs, plain

DEAD = "CUDA error: an illegal memory access was encountered"


# H18: disk full, folder not writable, model missing, offline


def test_h18_unwritable_data_folder_is_reported_at_the_start(tmp_path) -> None:
    (tmp_path / "file").touch()
    own = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}  # an earlier test's
    for command in (["app.py", "--port", "1"], ["-m", "app", "serve", "--port", "1"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            env={**own, "SUMMARIZER_DATA_DIR": str(tmp_path / "file" / "data")},
        )
        said, sentence = done.stderr.splitlines()
        assert done.returncode == 1 and "SUMMARIZER_DATA_DIR" in sentence and "Starting" in said


def test_h18_full_disk_at_the_start_names_the_folder(monkeypatch) -> None:
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(launch, "create_app", full)
    named = rf"{re.escape(str(data_dir()))}.*full.*SUMMARIZER_DATA_DIR"
    with pytest.raises(BadOption, match=named):
        launch.serve(Settings(port=1))


def test_h18_full_disk_loses_downloads_but_not_the_summary(bundled, monkeypatch) -> None:
    made = handlers.Handlers(service_of(bundled))

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.runs.journal.write_atomic", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    last = run(made, source="text", text="The river rose in the night. " * 9)[-1]
    made.service.runner.close()
    assert "river" in last["summary"] and not last["running"] and last["exports"] == {}
    assert "copy the summary" in last["status"] and "not saved" in last["kept"]


def test_h18_full_disk_refuses_an_upload_with_a_message(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    upload = tmp_path / "uploads" / "a.txt"
    upload.parent.mkdir()
    upload.write_text("Words.")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.runs.reading.shutil.move", full)
    with pytest.raises(NotReadable, match=r"“a.txt”.*no space.*make room"):
        DocumentReader().open(str(upload))
    (tmp_path / "reading").rmdir()  # it is empty: no remnant stays
    (tmp_path / "reading").touch()  # no folder can be made
    with pytest.raises(NotReadable, match="“a.txt” cannot be stored") as refused:
        DocumentReader().open(str(upload))
    assert str(tmp_path) not in str(refused.value)


def test_h18_missing_model_is_reported_before_the_page_starts(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("app.summary.models.assets_dir", lambda: tmp_path)
    assert cli.main(["serve", "--port", "1"]) == 1
    assert "install the app again" in capsys.readouterr().err
    assert cli.main(["serve", "--model", str(tmp_path), "--port", "1"]) == 1
    assert "config.json" in capsys.readouterr().err


def test_h18_hub_model_without_network_is_one_sentence(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The river rose in the night. " * 9)
    done = subprocess.run(
        [sys.executable, "-m", "app", "summarize", str(path), "--model", "nobody/nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 1 and done.stdout == ""
    assert "nobody/nothing is not on this computer" in done.stderr and "network" in done.stderr
    assert "Traceback" not in done.stderr


# H19: a GPU that fails in the middle of a run


def fails_after(monkeypatch, model, steps: int, error: Exception | None = None) -> None:
    """Make decoding fail from some step on, as on a GPU whose context is lost."""
    real, count = model.decode_steps, [0]

    def decode(*arguments, **options):
        count[0] += 1
        if count[0] > steps:
            raise error or torch.AcceleratorError(DEAD)
        return real(*arguments, **options)

    monkeypatch.setattr(model, "decode_steps", decode)


@pytest.fixture
def own() -> Summarizer:
    """Return a model that a test may break."""
    return Summarizer.load("bundled", device="cpu", dtype="float32")


@pytest.fixture
def service(own, tmp_path, monkeypatch):
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    made = service_of(own)
    yield made
    made.runner.close()


def ended(events) -> tuple[RunState, Finished]:
    board = RunState()
    for event in events:
        board.apply(event)
    return board, event


def test_h19_lost_device_is_distinguished_from_other_errors() -> None:
    for error in (
        torch.AcceleratorError(DEAD),
        RuntimeError(DEAD),
        RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
        RuntimeError("CUDA error: device-side assert triggered"),
    ):
        assert is_device_lost(error)
    for error in (
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("shape mismatch"),
        ValueError(DEAD),
        MemoryError(),
    ):
        assert not is_device_lost(error)


def test_h19_run_continues_in_a_subprocess_with_the_same_result(
    bundled,
    own,
    service,
    short,  # noqa: F811
    monkeypatch,  # noqa: F811
) -> None:
    whole = bundled.summarize(short, OPTIONS)
    fails_after(monkeypatch, own.model, 20)
    job = service.submit(Request((short, short), OPTIONS, "bundled"))
    board, last = ended(job.events())
    assert (
        len(board.documents) == 2 and board.documents[0].summary.warnings[-1].message == FAILED_ONCE
    )
    first = replace(board.documents[0].summary, warnings=whole.warnings)
    assert plain(first) == plain(whole)
    finished = [e for e in job.events() if isinstance(e, SectionDone)]
    assert finished[0].result == whole.sections[0]  # finished before the failure, told again
    assert service.models.peek("bundled") is None and service.models.has_lost_device
    assert service.folder(job.id).outcome() == ""
    again = service.submit(Request((short,), OPTIONS, "bundled"), keep=False)
    assert ended(again.events())[1].summary.sections == whole.sections


def test_h19_processor_takes_over_when_the_subprocess_fails(
    bundled,
    own,
    service,
    short,  # noqa: F811
    monkeypatch,  # noqa: F811
) -> None:
    whole = bundled.summarize(short, OPTIONS)
    fails_after(monkeypatch, own.model, 20)

    def lost(*arguments):
        raise DeviceLost()

    monkeypatch.setattr("app.runs.service.summarize_in_subprocess", lost)
    job = service.submit(Request((short,), OPTIONS, "bundled"))
    summary = ended(job.events())[1].summary
    assert summary.sections == whole.sections and summary.warnings[-1].message == FAILED_AGAIN


def test_h19_killed_subprocess_counts_as_a_lost_device(short, monkeypatch) -> None:  # noqa: F811
    events = subprocess_run.summarize_in_subprocess(
        Request((short,), OPTIONS, "bundled"), Settings(device="cpu"), StopSignal(), None
    )
    assert isinstance(next(events), DocumentStarted)
    (child,) = [
        c for c in subprocess_run.multiprocessing.active_children() if c.name == "summarize"
    ]
    child.kill()
    with pytest.raises(DeviceLost, match="--device cpu"):
        list(events)


def test_h19_stop_and_errors_cross_the_processes(article) -> None:
    settings, stop = Settings(device="cpu", dtype="float32"), StopSignal()
    events = subprocess_run.summarize_in_subprocess(
        Request((article,), Options(length="long"), "bundled"), settings, stop, None, "A note."
    )
    for event in events:
        if isinstance(event, DraftText):
            stop.set()
    assert event.summary.stopped and "A note." in map(str, event.summary.warnings)
    with pytest.raises(AppError, match="no model called"):
        list(
            subprocess_run.summarize_in_subprocess(
                Request((article,), OPTIONS, "no such model"), settings, StopSignal(), None
            )
        )
    assert not subprocess_run.multiprocessing.active_children()


def test_h19_command_line_suggests_a_remedy(own, tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "a.txt"
    path.write_text("The river rose in the night. " * 9)
    monkeypatch.setattr("app.summary.summarizer.Summarizer.load", lambda *a, **k: own)
    monkeypatch.setattr(own, "calibrate", lambda beams: None)
    for error, words in (
        (None, "--device cpu"),
        (torch.OutOfMemoryError("CUDA out of memory."), "--num-beams 1"),
    ):
        with monkeypatch.context() as patch:
            fails_after(patch, own.model, 2, error)
            assert cli.main(["summarize", str(path)]) == 1
            assert words in capsys.readouterr().err
            outcomes = list(
                batch.summarize_files(
                    [str(path)],
                    tmp_path / "out",
                    "txt",
                    load_document,
                    lambda: own,
                    OPTIONS,
                    StopSignal(),
                    lambda progress: None,
                )
            )
            assert words in outcomes[0].error
    with pytest.raises(ZeroDivisionError):
        list(translate_device_errors(1 / 0 for _ in range(1)))


# H20: kill -9, a closed tab


@pytest.mark.slow
def test_h20_random_kills_lose_nothing() -> None:
    for jobs, runs in ((1, 2), (8, 1)):
        counts = kill_runs(runs, seed=6, jobs=jobs)
        assert counts["kills"] >= runs
        assert counts["sections lost"] == counts["different"] == 0


def test_h20_finished_sections_are_replayed_on_zero_gpu(
    bundled,
    short,  # noqa: F811
    tmp_path,
    monkeypatch,  # noqa: F811
) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    models = service_of(bundled).models

    def lent(request, path):
        yield from summarize_all(request, models, None, JobFolder(path) if path else None)

    def service() -> Service:
        return Service(Settings(on_space=True, zero_gpu=True), lent)

    first, request = service(), Request((short,), OPTIONS, "bundled")
    done, left = first.submit(request), first.submit(request)
    told = list(first.watch(done, request))
    watching = first.watch(left, request)
    for event in watching:
        if isinstance(event, SectionDone) and event.section == 2:
            break
    watching.close()  # the tab is closed: the request ends, and the run with it
    for asked_again in (first, service()):
        again = list(asked_again.find(done.id).events())
        assert plain(again[-1].summary) == plain(told[-1].summary)
        sections = [e for e in asked_again.find(left.id).events() if isinstance(e, SectionDone)]
        assert len(sections) == 2
    assert not first._open


def test_h20_api_runs_are_not_stored(bundled, short, tmp_path, monkeypatch) -> None:  # noqa: F811
    """An API client does not learn the job id, so it could not resume the run."""
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    service = service_of(bundled)
    job = service.submit(Request((short,), OPTIONS, "bundled"), keep=False)
    assert isinstance(list(job.events())[-1], Finished)
    assert not (tmp_path / "jobs").exists() and service.folder(job.id) is None


# Stop: Ctrl-C


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
@pytest.mark.parametrize("stage", ["Reading", "Step 1 of"])
def test_ctrl_c_ends_reading_and_encoding(stage, long_pdf) -> None:
    """Ctrl-C during decoding is tested in test_jobs, with the text it leaves."""
    path = long_pdf if stage == "Reading" else EXAMPLE_PDF
    command = [sys.executable, "-m", "app", "summarize", str(path), "--length", "long"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith(stage):
                break
        else:
            pytest.fail(f"{stage} was never said")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 1
    print(f"{stage}: over {time.monotonic() - began:.2f} s after Ctrl-C")
    assert "topped" in said and "Traceback" not in said


@pytest.fixture(scope="module")
def long_pdf(tmp_path_factory) -> Path:
    """Return a PDF that takes some seconds to read."""
    from tests.documents.make_pdfs import PROSE, text_pdf

    path = tmp_path_factory.mktemp("long") / "long.pdf"
    path.write_bytes(text_pdf([f"{PROSE}\n{n} times it was seen." for n in range(300)]))
    return path


def test_run_survives_a_deleted_journal_folder(bundled, short, tmp_path) -> None:  # noqa: F811
    """Deleting the folder of a running job does not end the job."""
    import shutil

    folder = Journal(tmp_path, 3600).begin(JOB, request_for(short))
    models = service_of(bundled).models
    for event in summarize_all(Request((short,), OPTIONS, "bundled"), models, None, folder):
        if isinstance(event, SectionDone) and event.section == 1:
            shutil.rmtree(folder.path)
    assert isinstance(event, Finished) and not event.summary.stopped and folder.write_error
