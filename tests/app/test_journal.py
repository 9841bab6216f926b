"""The journal: stored runs come back equal, and damage is recognized."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from app.documents.load import document_from_text
from app.errors import UNEXPECTED, AppError, BadOption, Busy, Cancelled
from app.events import (
    DocumentFailed,
    Finished,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
)
from app.files import CLOCK_SLACK_S, write_atomic
from app.runs.journal import MAX_ATTEMPTS, VERSION, CannotResume, JobFolder, Journal
from app.runs.reading import DocumentReader
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.service import GIVEN_UP, Service
from app.runs.stop import StopReason, StopSignal
from app.settings import Settings, data_dir, private_folder, upload_dir
from app.summary.summarizer import Options
from app.ui.form import Form
from app.ui.handlers import Handlers
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, ROOT, paged
from tests.tools.kill_runs import plain

JOB = "a-job-of-a-test-1234"
OPTIONS = Options(
    length="long", num_beams=2, max_new_tokens=12, max_input_tokens=256, by_section=True
)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "jobs", 3600)


@pytest.fixture
def service(bundled, tmp_path, monkeypatch):
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    made = service_of(bundled)
    yield made
    made.runner.close()


def service_of(bundled) -> Service:
    made = Service(Settings(device="cpu", dtype="float32"))
    made.models.put("bundled", bundled)
    return made


@pytest.fixture
def short(article):
    """Return the part of the article that makes about four sections."""
    return replace(article, pages=article.pages[:2])


def request_for(*documents, **changes) -> Request:
    sources = (None,) * len(documents)
    return replace(Request(documents, OPTIONS, "bundled", (0.0,), sources), **changes)


def sections_of(events) -> list:
    return [e.result for e in events if isinstance(e, SectionDone)]


def run_until(bundled, folder, document, sections: int) -> None:
    """Run a request and shut it down after so many finished sections."""
    models, stop = service_of(bundled).models, StopSignal()
    for event in summarize_all(Request((document,), OPTIONS, "bundled"), models, stop, folder):
        if isinstance(event, SectionDone) and event.section == sections:
            stop.set(StopReason.SHUTDOWN)


def parts_of(summary: Summary) -> list[SectionSummary]:
    """All that a run writes, in its order."""
    return [*summary.sections, *summary.by_section]


def test_request_and_summary_round_trip(bundled, journal, short) -> None:
    summary = bundled.summarize(short, OPTIONS)
    folder = journal.begin(JOB, request_for(short))
    folder.end_document(1, summary)
    assert folder.request() == request_for(short)
    stored = folder.ending(1)
    assert stored.to_dict() == summary.to_dict() and stored.warnings == summary.warnings
    assert stored.sections == summary.sections


def test_interrupted_run_resumes_to_the_same_summary(bundled, journal, short) -> None:
    whole = bundled.summarize(short, OPTIONS)
    assert len(parts_of(whole)) > 2
    folder = journal.begin(JOB, request_for(short))
    run_until(bundled, folder, short, 2)
    assert folder.outcome() is None and len(folder.sections(1)) == 2
    before = {p.name: p.stat().st_mtime_ns for p in folder.path.glob("section-*")}
    folder.release()

    again = journal.find(JOB)
    again.acquire()
    events = list(summarize_all(again.request(), service_of(bundled).models, None, again))
    assert plain(events[-1].summary) == plain(whole)
    for name, changed in before.items():
        assert (again.path / name).stat().st_mtime_ns == changed  # not computed again
    assert sections_of(events)[:2] == parts_of(whole)[:2]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("weights_sha256", "00", "weights"),
        ("dtype", "bfloat16", "number format"),
        ("app_version", "0", "version"),
        ("parts", [], "cut into other sections"),
    ],
)
def test_resuming_with_another_model_or_text_is_refused(journal, short, key, value, words) -> None:
    plan = {
        "weights_sha256": "ab",
        "dtype": "float32",
        "app_version": "1",
        "device": "cpu",
        "parts": [1],
        "notes": [],
    }
    folder = journal.begin(JOB, request_for(short))
    assert folder.fix_plan(1, plan) == folder.fix_plan(1, plan) == []
    with pytest.raises(CannotResume, match=words):
        folder.fix_plan(1, {**plan, key: value})


def test_gpu_run_may_resume_on_the_processor(journal, short) -> None:
    plan = {"weights_sha256": "ab", "dtype": "bfloat16", "device": "cuda", "notes": []}
    folder = journal.begin(JOB, request_for(short))
    folder.fix_plan(1, plan)
    assert folder.fix_plan(1, {**plan, "device": "cpu", "dtype": "float32"}) == []


def test_refused_resumption_shows_finished_sections(bundled, service, short) -> None:
    folder = service.journal.begin(JOB, request_for(short))
    run_until(bundled, folder, short, 1)
    plan = json.loads((folder.path / "plan-1.json").read_bytes())
    folder._write("plan-1.json", {**plan, "weights_sha256": "others"})
    folder.release()
    for _ in range(2):  # the run, then its replay by another process
        seen = []
        with pytest.raises(AppError, match="cannot be resumed"):
            for event in service.find(JOB).events():
                seen.append(event)
        assert len(sections_of(seen)) == 1
        service.runner._jobs.clear()


def test_write_atomic_replaces_completely_or_not_at_all(tmp_path, monkeypatch) -> None:
    path = tmp_path / "kept.json"
    write_atomic(path, b"first")

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError):
        write_atomic(path, b"second")
    assert path.read_bytes() == b"first" and [p.name for p in tmp_path.iterdir()] == ["kept.json"]


def test_lone_surrogate_is_stored_as_a_question_mark(journal) -> None:
    folder = journal.begin(JOB, request_for(paged("One \ud800 river.")))
    assert folder is not None and folder.request().documents[0].pages[0].text == "One ? river."


def test_a_full_disk_does_not_end_the_run(bundled, journal, short, monkeypatch, caplog) -> None:
    folder = journal.begin(JOB, request_for(short))

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.runs.journal.write_atomic", fails)
    models = service_of(bundled).models
    events = list(summarize_all(Request((short,), OPTIONS, "bundled"), models, None, folder))
    assert isinstance(events[-1], Finished) and not events[-1].summary.stopped
    assert "no space" in folder.write_error and "no longer stored" in caplog.text
    monkeypatch.setattr("app.runs.journal.shutil.copyfile", fails)
    assert journal.begin("another-job-of-a-test", request_for(short)) is None


def test_folder_is_locked_by_one_process(journal, short) -> None:
    folder = journal.begin(JOB, request_for(short))
    with pytest.raises(Busy, match="Another window or process"):
        journal.find(JOB).acquire()
    folder.release()
    journal.find(JOB).acquire()


HOLDING = """
import sys
from pathlib import Path
from app.runs.journal import JobFolder
folder = JobFolder(Path(sys.argv[1]))
folder.acquire()
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_run_of_another_process_is_left_to_it_and_can_be_forgotten(
    bundled, service, short
) -> None:
    """Two pages over one data folder, as of two users' windows or of a restart."""
    service.journal.begin(JOB, request_for(short)).release()
    folder = service.journal.find(JOB)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder.path)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == "locked\n"
        handlers, page = Handlers(service), SimpleNamespace(session_hash="s")
        (view,) = handlers.reattach(JOB, page)
        assert "Another window or process" in view["status"]
        os.utime(folder.path, (1, 1))
        for path in folder.path.iterdir():
            os.utime(path, (1, 1))
        service.journal.sweep()  # expired, but in use
        assert folder.path.exists()
        handlers.forget(JOB, page)
        assert not list(service.journal.root.iterdir())
        other.stdin.close()
    assert list(handlers.reattach(JOB, page)) == []


def test_a_folder_that_another_process_deletes_is_no_job(service, short, monkeypatch) -> None:
    service.journal.begin(JOB, request_for(short)).release()
    acquire = JobFolder.acquire

    def deleted_before(folder) -> None:
        shutil.rmtree(folder.path)
        acquire(folder)

    monkeypatch.setattr(JobFolder, "acquire", deleted_before)
    assert service.find(JOB) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=6))
def test_no_jump_of_the_clock_keeps_a_run_for_longer(tmp_path, jumps) -> None:
    """Runs stored by a clock that was ahead expire a while after it was set right."""
    now, kept_s = [4 * 10**8], 3_600.0
    folder = tmp_path / secrets.token_hex(8)
    journal = Journal(folder, kept_s)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: now[0])
        for number, jump in enumerate(jumps):
            job = folder / f"{JOB}{number}"
            job.mkdir(parents=True)
            (job / "job.json").write_text("{}")
            os.utime(job / "job.json", (now[0], now[0]))
            now[0] += jump
            journal.find(job.name)
            journal.sweep()
        now[0] += int(kept_s + CLOCK_SLACK_S) + 1
        journal.sweep()
        assert not list(folder.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_existing_data_folder_keeps_its_mode(tmp_path, monkeypatch) -> None:
    """The environment may name a shared folder such as /tmp."""
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    tmp_path.chmod(0o755)
    private_folder(data_dir())
    inside = private_folder(data_dir() / "jobs")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE(inside.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_job_folders_are_private(journal, short, tmp_path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    folder = journal.begin(JOB, request_for(short, sources=(source,)))
    for path in (journal.root, folder.path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert folder.request().sources[0].read_text() == "text"
    assert source.exists()


def test_expired_folders_are_deleted_unless_locked(journal, short) -> None:
    folders = [journal.begin(f"{JOB}{n}", request_for(short)) for n in range(3)]
    folders[1].release()
    folders[2].release()
    for folder in folders[:2]:
        for path in folder.path.iterdir():
            os.utime(path, (1, 1))
    assert journal.find(f"{JOB}1") is None  # too old, even before it is swept
    journal.sweep()
    assert [folder.path.exists() for folder in folders] == [True, False, True]


def test_job_ids_cannot_escape_the_journal(journal, tmp_path) -> None:
    (tmp_path / "secret").mkdir()
    for name in ("../secret", "", ".", "x" * 99, "a/b", "..\\secret-secret-secret"):
        assert journal.find(name) is None


def test_incomplete_folder_is_not_a_job(journal, service, short) -> None:
    folder = service.journal.begin(JOB, request_for(short))
    folder.release()
    (folder.path / "document-1.json").write_bytes(b'{"name": "cut')
    assert service.find(JOB) is None


def test_folder_of_another_version_is_not_resumed(bundled, service, short) -> None:
    folder = service.journal.begin(JOB, request_for(short))
    folder.end_document(1, bundled.summarize(short, OPTIONS))
    folder.release()
    job = json.loads((folder.path / "job.json").read_bytes())
    ending = json.loads((folder.path / "end-1.json").read_bytes())
    ending["summary"]["warnings"] = ["A sentence."]
    (folder.path / "end-1.json").write_text(json.dumps(ending))
    (folder.path / "job.json").write_text(json.dumps({**job, "version": VERSION - 1}))
    assert service.find(JOB) is None and folder.summaries() == []
    (folder.path / "job.json").write_text(json.dumps(job))
    assert folder.ending(1) is None and folder.summaries() == []


def test_value_of_another_type_counts_as_damage(service, short) -> None:
    folder = service.journal.begin(JOB, request_for(short))
    folder.release()
    document = json.loads((folder.path / "document-1.json").read_bytes())
    for key, value in (("pages", "text"), ("name", None), ("warnings", [{"kind": "unknown"}])):
        damaged = json.dumps({**document, key: value})
        (folder.path / "document-1.json").write_text(damaged)
        assert folder.request() is None and service.find(JOB) is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, bundled):
    """Return the folder of a finished job, to be copied and damaged."""
    folder = Journal(tmp_path_factory.mktemp("stored"), 3600).begin(
        JOB, request_for(document_from_text("The river rose in the night. " * 9, "a.txt"))
    )
    models = service_of(bundled).models
    for _ in summarize_all(folder.request(), models, None, folder):
        pass
    folder.finish()
    folder.release()
    return folder.path


@hypothesis.settings(max_examples=40)
@given(data=st.data())
def test_damaged_folders_raise_nothing_and_are_forgotten(bundled, stored, data) -> None:
    """Whatever a folder holds, a page that opens it goes on, and Forget deletes it."""
    name = data.draw(st.sampled_from(sorted(p.name for p in stored.glob("*.json"))))
    value = json.loads((stored / name).read_bytes())
    damage = data.draw(st.sampled_from(["other", "field", "newer", "deep", "cut", "bytes"]))
    text = json.dumps(value)
    if damage == "other":
        text = json.dumps(data.draw(JSON_VALUES))
    elif damage == "field":
        text = json.dumps(
            {**value, data.draw(st.sampled_from(sorted(value))): data.draw(JSON_VALUES)}
        )
    elif damage == "newer":
        text = json.dumps({**value, "added": 1, "version": 99})
    elif damage == "deep":
        text = "[" * 100_000
    elif damage == "cut":
        text = text[: data.draw(st.integers(0, len(text) - 1))]
    handlers = Handlers(service_of(bundled))
    service = handlers.service
    service.journal.root = stored.parent / "damaged"
    shutil.rmtree(service.journal.root, ignore_errors=True)
    shutil.copytree(stored, service.journal.root / JOB)
    content = b"\xff\xfe" if damage == "bytes" else text.encode()
    (service.journal.root / JOB / name).write_bytes(content)
    page = SimpleNamespace(session_hash="s")
    views = list(handlers.reattach(JOB, page))
    assert not any(UNEXPECTED in view["status"] for view in views)
    handlers.history.summary(JOB), handlers._sources_of(JOB)
    handlers.forget(JOB, page)
    assert not list(service.journal.root.iterdir()) and service.find(JOB) is None
    service.runner.close()


def test_names_of_files_do_not_lead_out_of_the_folder(journal, short) -> None:
    folder = journal.begin(JOB, request_for(short))
    job = json.loads((folder.path / "job.json").read_bytes())
    for name in ("../../etc/passwd", "/etc/passwd", "source-1/../x", "lock"):
        (folder.path / "job.json").write_text(json.dumps({**job, "sources": [name]}))
        assert folder.request() is None
    for counts in ({"documents": 0}, {"documents": -1}, {"documents": 10**9}, {"read_s": [1, 2]}):
        (folder.path / "job.json").write_text(json.dumps({**job, **counts}))
        assert folder.request() is None and folder.summaries() == []


def test_forgetting_an_unknown_run_drops_nothing_of_others(bundled, short) -> None:
    service = service_of(bundled)
    list(service.submit(Request((short,), OPTIONS, "bundled")).events())
    cached = len(bundled.encoder_cache._states)
    Handlers(service).forget("0123456789abcdef01234567")
    assert cached and len(bundled.encoder_cache._states) == cached
    service.runner.close()


def test_finished_run_is_replayed_after_a_restart(bundled, service, short) -> None:
    first = service.submit(Request((short, short), OPTIONS, "bundled"))
    events = list(first.events())
    assert service.journal.find(first.id).outcome() == ""
    later = service_of(bundled)
    later.models.evict_all()  # nothing may be computed
    told = list(later.find(first.id).events())
    ends = [[plain(e.summary) for e in run if isinstance(e, Finished)] for run in (events, told)]
    assert ends[0] == ends[1] and len(ends[0]) == 2
    assert later.find(first.id) is later.find(first.id)


def test_shutdown_is_resumable_and_stop_is_final(bundled, service, article) -> None:
    runs = []
    for reason in (StopReason.SHUTDOWN, StopReason.PERSON):
        job = service.submit(Request((article,), OPTIONS, "bundled"))
        for event in job.events():
            if isinstance(event, SectionDone) and event.section == 2:
                job.stop(reason)
        runs.append(job)
    assert [service.journal.find(job.id).outcome() for job in runs] == [None, ""]
    later = service_of(bundled)
    stopped = list(later.find(runs[1].id).events())
    assert stopped[-1].summary.stopped and len(sections_of(stopped)) >= 2
    for _ in range(MAX_ATTEMPTS + 2):  # cut off in this process: no try of a program that ended
        job = later.find(runs[0].id)
        seen = iter(job.events())
        assert isinstance(next(e for e in seen if isinstance(e, SectionDone)), SectionDone)
        job.stop(StopReason.SHUTDOWN)
        list(seen)
    later.find(runs[0].id).stop()


def test_run_that_crashes_repeatedly_is_given_up(service, short) -> None:
    service.journal.begin(JOB, request_for(short)).release()
    for _ in range(MAX_ATTEMPTS):
        assert service.journal.find(JOB).count_attempt()
    with pytest.raises(AppError, match=GIVEN_UP[:30]):
        list(service.find(JOB).events())
    folder = service.journal.begin("another-job-of-a-test", request_for(short))
    for number in range(1, MAX_ATTEMPTS + 3):
        assert folder.count_attempt()
        (folder.path / f"section-1-{number:05}.json").touch()  # it got further each time


def test_failed_documents_are_replayed_too(bundled, service, short) -> None:
    empty = replace(short, pages=tuple(replace(p, status="failed") for p in short.pages))
    job = service.submit(Request((empty, short), OPTIONS, "bundled"))
    events = list(job.events())
    told = list(service_of(bundled).find(job.id).events())
    for run in (events, told):
        assert [type(e) for e in run if isinstance(e, (DocumentFailed, Finished))] == [
            DocumentFailed,
            Finished,
        ]


@pytest.mark.skipif(os.name != "posix", reason="a folder that is written into is not renamed")
def test_delete_also_stops_writes_of_other_processes(journal, short, monkeypatch) -> None:
    folder = journal.begin(JOB, request_for(short))
    other, remove = JobFolder(folder.path), os.rmdir

    def written_meanwhile(*arguments, **options):
        other.add_section(1, 1, SectionSummary((1, 1), "The ferry left at nine.", 9, 9))
        remove(*arguments, **options)

    monkeypatch.setattr(os, "rmdir", written_meanwhile)
    journal.delete(folder)
    assert not list(journal.root.iterdir())


def test_forget_during_a_run_leaves_nothing(service, article) -> None:
    job = service.submit(Request((article,), OPTIONS, "bundled"))
    next(e for e in job.events() if isinstance(e, SectionStarted))
    path = service.folder(job.id).path
    assert path.is_dir()
    service.forget(job.id)
    assert not path.exists() and service.find(job.id) is None
    with pytest.raises(StopIteration):
        next(e for e in job.events() if isinstance(e, BadOption))
    assert not path.exists()


def upload(path: Path, name: str) -> Path:
    public = private_folder(upload_dir() / "0f" / "1e") / name
    shutil.copyfile(path, public)
    return public


@pytest.fixture
def public(tmp_path, monkeypatch):
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    return tmp_path


def test_uploads_move_to_a_private_folder_and_can_be_read_again(public) -> None:
    writer = PdfWriter(clone_from=PdfReader(EXAMPLE_PDF))
    writer.encrypt("open sesame", algorithm="AES-256")
    locked = public / "locked.pdf"
    writer.write(locked)
    path, reader = upload(locked, "locked.pdf"), DocumentReader()
    with pytest.raises(AppError, match="password"):
        reader.open(str(path)).document()
    assert not path.exists()
    reading = reader.open(str(path), "open sesame")
    assert len(reading.document().pages) == 29 and reading.name == "locked.pdf"
    upload(locked, "locked.pdf")  # the same file again
    assert reader.open(str(path), "open sesame") is reading and not path.exists()
    for file in (p for p in data_dir().rglob("*") if p.is_file()):
        assert b"sesame" not in file.read_bytes()
    reader.forget(str(path))
    assert not any(p.is_file() for p in data_dir().rglob("*"))


def test_old_read_tasks_are_evicted_and_uploads_stay(public, monkeypatch) -> None:
    """Many read tasks, as of twenty scans, delete no file that a page still shows."""
    monkeypatch.setattr("app.runs.reading.KEPT_READINGS", 2)
    reader, paths = DocumentReader(), []
    for number in range(4):
        elsewhere = public / f"{number}.txt"
        elsewhere.write_text(f"Words of file {number}. " * 9)
        paths.append(upload(elsewhere, elsewhere.name))
        reader.open(str(paths[-1])).document()
    for number, path in enumerate(paths):
        assert f"file {number}" in reader.open(str(path)).document().pages[0].text
    later = DocumentReader()
    assert len(list((data_dir() / "reading").glob("*/*.txt"))) == 4
    later.forget_copy(next((data_dir() / "reading").glob("*/0.txt")))  # of the one before
    later.forget_copy(public / "1.txt")  # which is nobody's copy
    assert len(list((data_dir() / "reading").glob("*/*.txt"))) == 3 and elsewhere.exists()
    monkeypatch.setattr("app.runs.reading.KEPT_COPIES", 1)
    reader.open(str(paths[3])).document()
    assert [p.name for p in (data_dir() / "reading").glob("*/*.txt")] == ["3.txt"]
    reader.expire(-1)
    assert not list((data_dir() / "reading").glob("*/*.txt"))


def test_api_uploads_expire_soon_unless_a_page_opened_them(public, monkeypatch) -> None:
    elsewhere = public / "a.txt"
    elsewhere.write_text("Words of a file. " * 9)
    path, reader = str(upload(elsewhere, "a.txt")), DocumentReader()
    for _ in range(2):
        assert reader.open(path, by_page=False).document().pages
    reader.expire(3600)
    assert any((data_dir() / "reading").glob("*/a.txt"))
    monkeypatch.setattr("app.runs.reading.API_UPLOAD_S", -1.0)
    reader.open(path)
    reader.expire(3600)
    assert reader.open(path).document().pages and any((data_dir() / "reading").glob("*/a.txt"))
    reader.forget(path)
    upload(elsewhere, "a.txt")
    assert reader.open(path, by_page=False).document().pages
    reader.expire(3600)
    assert not any(p.is_file() for p in data_dir().rglob("*"))


def slow_reader(gate: threading.Event) -> DocumentReader:
    """Return a reader whose tasks run until the gate opens or they are stopped."""

    def load(path, *, stop_event, **options):
        while not gate.wait(0.005):
            if stop_event.is_set():
                raise Cancelled("Stopped.")
        return document_from_text("Some words.", "a.txt")

    return DocumentReader(load)


def test_running_read_task_does_not_expire(public, monkeypatch) -> None:
    monkeypatch.setattr("app.runs.reading.API_UPLOAD_S", -1.0)
    gate = threading.Event()
    reader = slow_reader(gate)
    reading = reader.open("a.txt", by_page=False)
    reader.expire(-1)
    gate.set()
    assert reading.document().pages
    reader.expire(3600)
    assert reader.open("a.txt") is not reading


def test_awaited_read_tasks_are_not_evicted(public, monkeypatch) -> None:
    monkeypatch.setattr("app.runs.reading.KEPT_READINGS", 1)
    monkeypatch.setattr("app.runs.reading.UNAWAITED_S", 0.0)
    gate = threading.Event()
    reader = slow_reader(gate)
    awaited = reader.open("a.txt")
    watch = awaited.watch(0.001, "s")
    next(watch)
    left, last = reader.open("b.txt"), reader.open("c.txt")
    with pytest.raises(Cancelled):
        left.document()
    gate.set()
    assert awaited.document().pages and last.document().pages


def test_forget_keeps_an_equal_file_of_another_page(public, bundled) -> None:
    """Gradio gives equal files one path."""
    handlers = Handlers(service_of(bundled))
    path = str(upload(EXAMPLE_TEXT, "mine.md").rename(upload_dir() / "mine.md"))
    Path(path).write_text("The river rose in the night, and the mill stood still. " * 9)
    one, two, third = (SimpleNamespace(session_hash=name) for name in ("1", "2", "3"))

    def copies() -> list[Path]:
        return list((data_dir() / "reading").glob("*/mine.md"))

    def run(page) -> str:
        form = Form(options=Options(length="short", num_beams=1, max_new_tokens=12))
        last = list(handlers.run(replace(form, files=[path]), page))[-1]
        assert last["exports"], last["status"]
        return last["job"]

    first, second = run(one), run(two)
    handlers.forget(first, one)
    assert copies()
    list(handlers.read([path], "", request=third))
    handlers.forget(second, two)
    assert copies() and run(third)
    list(handlers.read([path], "", request=one))
    handlers.close_page(one)  # what was in its box needs nothing any more
    handlers.forget(next(reversed(handlers.sources)), third)
    assert not copies()
    handlers.service.runner.close()


def test_forget_deletes_copies_of_unreadable_files(public, bundled) -> None:
    handlers, page = Handlers(service_of(bundled)), SimpleNamespace(session_hash="1")
    paths = []
    for name, content in (("a.txt", "The river rose. " * 9), ("b.pdf", "%PDF-1.4 cut off")):
        (public / name).write_text(content)
        paths.append(str(upload(public / name, name)))
    form = Form(options=Options(length="short", num_beams=1, max_new_tokens=12))
    last = list(handlers.run(replace(form, files=paths), page))[-1]
    assert len(list((data_dir() / "reading").glob("*/*"))) == 2
    handlers.forget(last["job"], page)
    assert not list((data_dir() / "reading").glob("*/*"))
    handlers.service.runner.close()


def test_stop_and_forget_keep_a_read_task_others_wait_for(public, bundled) -> None:
    gate = threading.Event()
    handlers = Handlers(service_of(bundled), slow_reader(gate))
    one, two = (SimpleNamespace(session_hash=name) for name in ("1", "2"))
    form = Form(options=Options(length="short", num_beams=1, max_new_tokens=12))
    runs = [handlers.run(replace(form, files=["a.txt"]), page) for page in (one, two)]
    for views in runs:
        next(views), next(views)
    handlers.stop("", one)
    assert "Stopped" in list(runs[0])[-1]["status"]
    handlers.reader.forget("a.txt", "1")
    gate.set()
    assert list(runs[1])[-1]["exports"]
    handlers.service.runner.close()


def test_examples_and_local_files_are_not_moved(public) -> None:
    path, reader = upload(EXAMPLE_PDF, EXAMPLE_PDF.name), DocumentReader()
    elsewhere = public / "mine.txt"
    elsewhere.write_text("Some words of mine. " * 9)
    reader.open(str(path)).document()
    reader.open(str(elsewhere)).document()
    reader.close()
    assert path.exists() and elsewhere.exists()


def test_data_folder_follows_the_platform(monkeypatch) -> None:
    assert data_dir({"SUMMARIZER_DATA_DIR": os.sep + "x"}) == Path(os.sep + "x").resolve()
    assert data_dir({"XDG_DATA_HOME": "/home/me/.data"}).name == "longt5-summarizer"
    assert "longt5-summarizer" in str(data_dir({"SPACE_ID": "a/b"}))
    monkeypatch.setattr(sys, "platform", "win32")
    assert data_dir({"LOCALAPPDATA": "/local"}) == Path("/local/longt5-summarizer")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Application Support" in str(data_dir({}))


def test_unusable_data_folder_is_reported(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadOption, match="SUMMARIZER_DATA_DIR"):
        private_folder(tmp_path / "file" / "data")


def test_missing_folder_holds_nothing() -> None:
    folder = JobFolder(Path("no such folder"))
    assert folder.request() is None and folder.plan(1) is None and folder.sections(1) == []
