"""Checkpoints from a hub on loopback: whole, slow, cut, damaged, refused, on a full disk."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import huggingface_hub
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.documents.load import document_from_text
from app.errors import AppError, BadOption, Cancelled, DownloadFailed, ModelNotFound
from app.events import Finished, Progress
from app.runs import hub_download, hub_file
from app.runs.hub_download import fetch_checkpoint, has_part, remove_checkpoint, stored_bytes
from app.runs.hub_file import HubFile, fetch_file, part_of
from app.runs.model_cache import ModelCache
from app.runs.model_downloads import ModelDownloads, error_of
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.stop import StopSignal
from app.settings import Settings
from app.summary.models import cache_folder, is_on_disk
from app.summary.options import Options
from tests.app.checkpoint_layouts import LAYOUTS, write_checkpoint
from tests.conftest import EXAMPLE_TEXT, ROOT
from tests.hub import Hub, running_hub

BOOKS = "pszemraj/long-t5-tglobal-base-16384-book-summary"
WEIGHTS = "pytorch_model.bin"
_WORK = tempfile.TemporaryDirectory(prefix="summarizer-hub-")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Return a folder with random weights in the layout of the published one, some 4 MB."""
    layout = next(layout for layout in LAYOUTS if layout.name == BOOKS)
    return write_checkpoint(layout, tmp_path_factory.mktemp("books"), vocab_size=12_292)


@pytest.fixture
def hub(checkpoint, tmp_path, monkeypatch):
    """Return a hub with one checkpoint, which this process uses, with an empty cache."""
    with running_hub() as hub:
        hub.add(BOOKS, checkpoint)
        _use(hub, tmp_path / "cache", monkeypatch)
        yield hub


def _use(hub: Hub, cache: Path, monkeypatch) -> None:
    constants = huggingface_hub.constants
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setattr(hub_file, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(hub_file, "MAX_WAIT_S", 0.02)


def fetch(seen: list | None = None, cancel: threading.Event | None = None) -> None:
    seen = [] if seen is None else seen
    cancel = cancel or threading.Event()
    fetch_checkpoint(BOOKS, None, cancel, lambda *progress: seen.append(progress))


def test_a_checkpoint_is_fetched_once_with_its_progress(hub, checkpoint) -> None:
    assert not is_on_disk(BOOKS)
    seen: list[tuple[int, int]] = []
    fetch(seen)
    total = sum(p.stat().st_size for p in checkpoint.iterdir())
    assert seen[-1] == (total, total) and seen == sorted(seen)
    assert is_on_disk(BOOKS) and not has_part(BOOKS) and stored_bytes(BOOKS) >= total
    here = Path(huggingface_hub.try_to_load_from_cache(BOOKS, WEIGHTS))
    assert here.read_bytes() == (checkpoint / WEIGHTS).read_bytes()
    assert hub.sent(WEIGHTS) == [""]
    before = len(hub.requests)
    fetch()
    assert len(hub.requests) == before  # the second time asks for nothing


def test_the_token_stays_with_the_hub(hub) -> None:
    fetch()
    store = [has_token for _, path, _, has_token in hub.requests if path.startswith("/store/")]
    asked = [has_token for _, path, _, has_token in hub.requests if path.startswith("/api/")]
    assert store and not any(store) and all(asked)


def test_a_cut_download_goes_on_where_it_was_cut(hub, checkpoint) -> None:
    hub.faults.cuts, hub.faults.cut_after = 3, 1_000_000
    fetch()
    assert is_on_disk(BOOKS)
    starts = [int(r.removeprefix("bytes=").split("-")[0]) for r in hub.sent(WEIGHTS) if r]
    assert starts and starts == sorted(set(starts))


def test_a_hub_that_knows_no_ranges_sends_the_whole_again(hub) -> None:
    hub.faults.cuts, hub.faults.cut_after, hub.faults.ignores_range = 1, 1_000_000, True
    fetch()
    assert is_on_disk(BOOKS)


def test_a_line_that_stays_down_keeps_what_arrived(hub) -> None:
    hub.faults.cuts, hub.faults.cut_after = 10**9, 0
    with pytest.raises(DownloadFailed, match="connection to the hub was lost"):
        fetch()
    assert not is_on_disk(BOOKS)
    hub.faults.cuts, hub.faults.cut_after = 2, 500_000
    fetch()
    assert is_on_disk(BOOKS)


def test_a_cancelled_download_is_continued_later(hub, checkpoint) -> None:
    cancel = threading.Event()
    hub.faults.bytes_per_s = 3_000_000

    def on_progress(done: int, total: int) -> None:
        if done > total / 2:
            cancel.set()

    with pytest.raises(Cancelled):
        fetch_checkpoint(BOOKS, None, cancel, on_progress)
    kept = part_of(cache_folder(BOOKS) / "blobs" / _digest(hub, WEIGHTS)).stat().st_size
    assert has_part(BOOKS) and not is_on_disk(BOOKS) and kept > 0
    hub.faults.bytes_per_s = None
    fetch()
    assert hub.sent(WEIGHTS)[-1] == f"bytes={kept}-" and is_on_disk(BOOKS)


def _digest(hub: Hub, name: str) -> str:
    return hub.repositories[f"models/{BOOKS}"][name].sha256


def test_a_damaged_file_is_deleted_and_named(hub) -> None:
    hub.faults.damaged.add(WEIGHTS)
    with pytest.raises(DownloadFailed, match=f"{WEIGHTS} of the model .* arrived damaged"):
        fetch()
    assert not is_on_disk(BOOKS) and not has_part(BOOKS)
    hub.faults.damaged.clear()
    fetch()
    assert is_on_disk(BOOKS)


@pytest.mark.parametrize(
    ("place", "status", "headers", "said"),
    [
        ("api", 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "refused"),
        ("api", 403, {"X-Error-Code": "GatedRepo"}, "accept their terms"),
        ("api", 404, {"X-Error-Code": "RepoNotFound"}, "has no model"),
        ("api", 429, {}, "too many requests"),
        ("api", 503, {}, "hub failed .status 503.: try again"),
        (WEIGHTS, 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "kept"),
        (WEIGHTS, 404, {"X-Error-Code": "EntryNotFound"}, "missing on the hub"),
        (WEIGHTS, 429, {"Retry-After": "1"}, "too many requests"),
        (WEIGHTS, 500, {}, "goes on"),
    ],
)
def test_a_refusal_is_a_sentence(hub, place, status, headers, said) -> None:
    hub.faults.status[place] = (status, headers)
    with pytest.raises(AppError, match=said) as refused:
        fetch()
    assert hub.endpoint not in str(refused.value) and not is_on_disk(BOOKS)
    hub.faults.status.clear()
    fetch()
    assert is_on_disk(BOOKS)


def test_a_name_that_the_hub_does_not_have_is_a_sentence(hub) -> None:
    with pytest.raises(ModelNotFound, match="has no model someone/else"):
        fetch_checkpoint("someone/else", None, threading.Event(), lambda *_: None)
    with pytest.raises(ModelNotFound, match="no such revision"):
        fetch_checkpoint(BOOKS, "v9", threading.Event(), lambda *_: None)


def test_requests_that_are_too_many_for_a_moment_are_repeated(hub, monkeypatch) -> None:
    hub.faults.status[WEIGHTS] = (429, {"Retry-After": "7"})
    waits: list[float] = []

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            hub.faults.status.clear()
            return False

    monkeypatch.setattr(hub_file, "MAX_WAIT_S", 20)
    fetch(cancel=Waiting())
    assert waits == [7.0] and is_on_disk(BOOKS)


def test_a_disk_without_room_is_said_before_anything_is_fetched(hub, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(hub_download.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(BadOption, match="make room"):
        fetch()
    assert not hub.sent(WEIGHTS)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a disk that is always full")
def test_a_disk_that_fills_up_is_a_sentence(hub) -> None:
    part = part_of(cache_folder(BOOKS) / "blobs" / _digest(hub, WEIGHTS))
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(DownloadFailed, match=r"no space left on device.*make room.*kept") as full:
        fetch()
    assert full.value.__cause__.errno == errno.ENOSPC and not is_on_disk(BOOKS)
    part.unlink()
    fetch()
    assert is_on_disk(BOOKS)


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "{}", "[]", '"longt5"'])
def test_other_checkpoints_are_not_downloaded(hub, tmp_path, config) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes(b"x" * 1000)
    hub.add("a/b", folder)
    with pytest.raises(ModelNotFound, match="not a LongT5"):
        fetch_checkpoint("a/b", None, threading.Event(), lambda *_: None)
    assert not hub.sent("model.safetensors") and not cache_folder("a/b").exists()


def test_a_checkpoint_over_the_limit_is_not_downloaded(hub, monkeypatch) -> None:
    monkeypatch.setattr(hub_download, "MAX_CHECKPOINT_BYTES", 1_000_000)
    with pytest.raises(BadOption, match="limit"):
        fetch()
    assert not hub.sent(WEIGHTS)


def test_the_old_format_is_fetched_only_without_the_new(hub, tmp_path) -> None:
    folder = tmp_path / "both"
    write_checkpoint(LAYOUTS[3], folder, vocab_size=12_292)
    (folder / WEIGHTS).write_bytes(b"old")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    hub.add("a/both", folder)
    fetch_checkpoint("a/both", None, threading.Event(), lambda *_: None)
    assert hub.sent("model.safetensors") and not hub.sent(WEIGHTS)
    assert not [path for _, path, *_ in hub.requests if "onnx" in path]


def test_a_removed_checkpoint_is_gone_with_its_parts(hub) -> None:
    fetch()
    part_of(cache_folder(BOOKS) / "blobs" / "0").write_bytes(b"begun")
    size = stored_bytes(BOOKS)
    assert remove_checkpoint(BOOKS) == size > 1_000_000
    assert not cache_folder(BOOKS).exists() and not is_on_disk(BOOKS)
    assert remove_checkpoint(BOOKS) == 0


def test_shards_that_are_missing_are_not_here(hub, monkeypatch) -> None:
    fetch()
    snapshot = Path(huggingface_hub.try_to_load_from_cache(BOOKS, WEIGHTS)).parent
    index = snapshot / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-00001-of-00001.safetensors"}}')
    assert not is_on_disk(BOOKS)
    (snapshot / "model-00001-of-00001.safetensors").write_bytes(b"")
    assert is_on_disk(BOOKS)
    index.write_text("[]")
    assert not is_on_disk(BOOKS)


# Downloads that several want


def test_two_who_want_a_model_share_its_download(hub) -> None:
    hub.faults.bytes_per_s = 4_000_000
    downloads = ModelDownloads()
    first, second = downloads.join(BOOKS), downloads.join(BOOKS)
    assert first is second
    first.leave()
    first.wait(threading.Event(), lambda going: None)
    assert is_on_disk(BOOKS) and len(hub.sent(WEIGHTS)) == 1


def test_the_last_who_leaves_ends_it_and_the_next_goes_on(hub) -> None:
    hub.faults.bytes_per_s = 2_000_000
    downloads, seen = ModelDownloads(), []
    download = downloads.join(BOOKS)
    while download.done < 1_000_000 and not download.ended.is_set():
        seen.append((download.bytes_per_s(), download.remaining_s()))
        time.sleep(0.02)
    assert any(speed > 0 and left is not None for speed, left in seen)
    download.leave()
    assert download.cancelled.is_set()
    again = downloads.join(BOOKS)
    assert again is not download
    hub.faults.bytes_per_s = None
    again.wait(threading.Event(), lambda going: None)
    assert isinstance(download.error, Cancelled) and error_of(download) is None
    assert is_on_disk(BOOKS) and hub.sent(WEIGHTS)[-1].startswith("bytes=")


def test_a_run_downloads_its_model_and_shows_how_far_it_is(hub) -> None:
    hub.faults.bytes_per_s = 6_000_000
    document = document_from_text(EXAMPLE_TEXT.read_text(encoding="utf-8"), "a.md")
    options = Options(length="short", num_beams=1, max_new_tokens=8)
    models = ModelCache(Settings(device="cpu", dtype="float32"))
    events = list(summarize_all(Request((document,), options, BOOKS), models))
    shown = [e for e in events if isinstance(e, Progress) and e.stage == "downloading"]
    assert 0 < shown[-1].done <= shown[-1].total and any(e.remaining_s for e in shown)
    assert isinstance(events[-1], Finished) and not events[-1].summary.stopped


def test_a_stopped_run_ends_its_download(hub) -> None:
    hub.faults.bytes_per_s = 1_000_000
    stop, models = StopSignal(), ModelCache(Settings(device="cpu", dtype="float32"))
    request = Request((document_from_text("Some words.", "a.txt"),), Options(), BOOKS)
    for event in summarize_all(request, models, stop):
        if isinstance(event, Progress) and event.stage == "downloading" and event.done:
            stop.set()
    assert isinstance(event, Finished) and event.summary.stopped
    download = models.downloads.find(BOOKS)
    assert download.ended.wait(30) and isinstance(download.error, Cancelled)
    assert not is_on_disk(BOOKS) and has_part(BOOKS)


def test_the_command_line_downloads_its_model(checkpoint, tmp_path) -> None:
    command = [sys.executable, "-m", "app", "summarize", str(EXAMPLE_TEXT), "--model", BOOKS]
    command += ["--length", "short", "--num-beams", "1", "--max-new-tokens", "8"]
    with running_hub() as hub:
        hub.add(BOOKS, checkpoint)
        hub.faults.cuts, hub.faults.cut_after = 6, 300_000
        environment = {**os.environ, **hub.environment(tmp_path)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        assert "Downloading the model" in done.stderr and any(hub.sent(WEIGHTS))
        command[command.index(BOOKS)] = "a/b"
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode and "has no model a/b" in done.stderr
        assert "Traceback" not in done.stderr


# One file, by any cuts


@settings(max_examples=25)
@given(
    size=st.integers(0, 70_000),
    cuts=st.integers(0, 4),
    cut_after=st.integers(0, 70_000),
    ignores_range=st.booleans(),
    left=st.integers(0, 200),
)
def test_a_file_arrives_whole_by_any_cuts(size, cuts, cut_after, ignores_range, left) -> None:
    folder = Path(_WORK.name) / str(time.monotonic_ns())
    (folder / "repository").mkdir(parents=True)
    content = bytes(i * 7 % 251 for i in range(size))
    (folder / "repository" / "a.bin").write_bytes(content)
    with running_hub() as hub, pytest.MonkeyPatch.context() as patch:
        hub.add("a/b", folder / "repository")
        _use(hub, folder, patch)
        hub.faults.cuts, hub.faults.cut_after = cuts, cut_after
        hub.faults.ignores_range = ignores_range
        stored = hub.repositories["models/a/b"]["a.bin"]
        url = f"{hub.endpoint}/a/b/resolve/main/a.bin"
        file = HubFile("a.bin", url, size, stored.sha256)
        target = folder / "blob"
        part_of(target).write_bytes(content[:left])  # of an earlier time
        fetch_file(file, target, threading.Event(), lambda count: None)
        assert target.read_bytes() == content and not part_of(target).exists()


def test_bytes_of_another_file_are_not_continued(hub, tmp_path) -> None:
    stored = hub.repositories[f"models/{BOOKS}"][WEIGHTS]
    url = f"{hub.endpoint}/{BOOKS}/resolve/main/{WEIGHTS}"
    target = tmp_path / "blob"
    part_of(target).write_bytes(b"of another")
    file = HubFile(WEIGHTS, url, len(stored.content), stored.sha256)
    with pytest.raises(hub_file.DamagedFile):
        fetch_file(file, target, threading.Event(), lambda count: None)
    assert not target.exists() and not part_of(target).exists()
