"""Models are the operator's choice: what a visitor may name, and what a checkpoint may hold."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import huggingface_hub
import pytest

from app.documents.load import document_from_text
from app.errors import AppError, BadOption, Cancelled, ModelNotFound
from app.events import Finished, Progress
from app.runs import hub_download, model_cache
from app.runs.model_cache import ModelCache
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.stop import StopSignal
from app.settings import Settings
from app.summary import memory_estimate
from app.summary.models import CATALOGUE, describe_model, download_notice
from app.summary.options import Options
from app.ui.model_choice import NOT_OFFERED, choose_model, model_names

HOME = Settings()
PUBLIC = Settings(host="0.0.0.0", no_auth=True)
# Folders that exist or not, homes of others, other computers, other names.
HOSTILE = (
    "/etc", "/etc/nonexist", "~root", "~nobody/x", "..", "../..", "assets/model", "./assets/model",
    "/proc/self/cwd/assets/model", "\\\\host\\share", "//host/share", "\\/host", "a\0b", " / ",
    "x" * 5_000, "file:///etc", "a/b/c", "no such model",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_every_refusal_is_the_same_sentence(name, tmp_path, monkeypatch) -> None:
    looked: list[str] = []
    real = os.path.isdir
    monkeypatch.setattr(os.path, "isdir", lambda p: looked.append(str(p)) or real(p))
    for settings in (HOME, PUBLIC, replace(HOME, allowed_models=(str(tmp_path),))):
        for by_program in (False, True):
            with pytest.raises(ModelNotFound) as refused:
                choose_model(name, settings, by_program)
            assert str(refused.value) == NOT_OFFERED
    assert not [p for p in looked if p.startswith(("\\\\", "//", "/etc", "~"))]


def test_named_and_allowed_models_are_offered_everywhere() -> None:
    settings = replace(PUBLIC, model="/srv/own", allowed_models=("owner/fine", "/srv/models/a"))
    for name in ("bundled", "/srv/own", "owner/fine", *(entry.name for entry in CATALOGUE)):
        assert choose_model(name, settings, by_program=True) == name
        assert name in model_names(settings)
    assert choose_model("", settings) == choose_model(None, settings) == "/srv/own"
    with pytest.raises(ModelNotFound):
        choose_model("owner/other", settings)
    assert choose_model("owner/other", HOME) == "owner/other"


def test_folders_are_offered_on_the_own_page_inside_allowed_ones(tmp_path) -> None:
    roots, outside = tmp_path / "models", tmp_path / "outside"
    (roots / "mine").mkdir(parents=True)
    outside.mkdir()
    settings = replace(HOME, allowed_models=(str(roots),))
    inside = str(roots / "mine")
    assert choose_model(inside, settings) == inside
    wrong = [inside + "/../../outside", str(outside), str(roots / "absent"), str(roots) + "x"]
    if os.name == "posix":
        (roots / "link").symlink_to(outside)
        wrong.append(str(roots / "link"))
    for name in wrong:
        with pytest.raises(ModelNotFound):
            choose_model(name, settings)
    with pytest.raises(ModelNotFound):
        choose_model(inside, settings, by_program=True)
    with pytest.raises(ModelNotFound):
        choose_model(inside, replace(settings, host="0.0.0.0"))


# Loading


def test_a_header_of_too_many_tensors_is_refused_unread(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write((90_000_000).to_bytes(8, "little"))
        file.truncate(90_000_100)
    with pytest.raises(ModelNotFound, match="more tensors"):
        ModelCache(HOME).get(str(tmp_path))


def test_stop_while_a_model_loads_ends_the_run(monkeypatch) -> None:
    never, stop = threading.Event(), StopSignal()
    monkeypatch.setattr(model_cache.Summarizer, "load", lambda *a, **k: never.wait())
    request = Request((document_from_text("Some words.", "a.txt"),), Options(), "bundled")
    events = summarize_all(request, ModelCache(HOME), stop)
    for event in events:
        if isinstance(event, Progress) and event.stage == "loading":
            stop.set()
    assert isinstance(event, Finished) and event.summary.stopped and event.summary.name == "a.txt"
    never.set()


def test_errors_of_loading_are_raised_and_its_progress_is_shown(monkeypatch) -> None:
    shown = threading.Event()

    def load(*arguments, on_progress, **options):
        on_progress(1, 2)
        assert shown.wait(20)
        raise BadOption("No such device.")

    monkeypatch.setattr(model_cache.Summarizer, "load", load)
    loading = ModelCache(HOME).loading("bundled", None)
    assert [next(loading), next(loading)] == [Progress("loading", 0, 1), Progress("loading", 1, 2)]
    shown.set()
    with pytest.raises(BadOption, match="No such device"):
        list(loading)


def test_a_second_model_stays_beside_the_first_while_memory_allows(bundled, monkeypatch) -> None:
    free = [10**12]
    monkeypatch.setattr(model_cache, "available_bytes", lambda: free[0])
    monkeypatch.setattr(model_cache.Summarizer, "load", lambda *a, **k: bundled)
    models = ModelCache(Settings(device="cpu", dtype="float32"))
    models.put("first", bundled)
    models.get("bundled")
    assert models.peek("first") and models.peek("bundled")
    models = ModelCache(Settings(device="cpu", dtype="float32"))
    models.put("first", bundled)
    free[0] = 0
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda: 10**12)
    models.get("bundled")
    assert not models.peek("first") and models.peek("bundled")


# The hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Return a hub of one model, and the names of what was downloaded from it."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "longt5"}))
    files = [SimpleNamespace(rfilename="model.safetensors", size=4_000_000)]
    files += [SimpleNamespace(rfilename="pytorch_model.bin", size=10**15)]
    made = SimpleNamespace(config=config, files=files, downloaded=[], bar=None)

    def snapshot(name, *, allow_patterns, tqdm_class, **options):
        made.downloaded += allow_patterns
        made.bar = tqdm_class(total=100, unit="B", unit_scale=True)
        made.bar.update(4_000_000)

    def info(self, name, **options):
        return SimpleNamespace(siblings=files)

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a, **k: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: str(config))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return made


def fetch(cancel: threading.Event | None = None, seen: list | None = None) -> None:
    seen = [] if seen is None else seen
    hub_download.fetch_checkpoint(
        "a/b", None, cancel or threading.Event(), lambda *progress: seen.append(progress)
    )


def test_a_checkpoint_is_downloaded_with_its_progress(hub) -> None:
    seen: list[tuple[int, int]] = []
    fetch(seen=seen)
    assert seen == [(4_000_000, 4_000_000)] and "*.safetensors" in hub.downloaded
    assert not [p for p in hub.downloaded if "bin" in p]  # the old format only without the new


@pytest.mark.parametrize("config", [{"model_type": "bert"}, {}, [], "longt5"])
def test_other_checkpoints_are_not_downloaded(hub, config) -> None:
    hub.config.write_text(json.dumps(config))
    with pytest.raises(ModelNotFound, match="not a LongT5"):
        fetch()
    assert not hub.downloaded


def test_a_checkpoint_over_the_limit_is_not_downloaded(hub) -> None:
    hub.files[0].size = 10**13
    with pytest.raises(BadOption, match="limit"):
        fetch()
    assert not hub.downloaded


def test_a_download_is_cancelled(hub) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        fetch(cancel)


def test_a_hub_that_is_not_reached_is_a_sentence(hub, monkeypatch) -> None:
    def offline(*arguments, **options):
        raise ConnectionError("https://secret.example")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(AppError, match="check the name, and the network") as refused:
        fetch()
    assert "secret" not in str(refused.value)


def test_the_menu_says_what_a_model_does_and_what_is_downloaded() -> None:
    books = "pszemraj/long-t5-tglobal-base-16384-book-summary"
    line = describe_model(books)
    assert line.startswith(f"{books} · rewrites in its own words") and "990 MB" in line
    assert "16,384 tokens" in line and line.endswith(("not downloaded yet", "here"))
    assert describe_model("bundled").endswith("· here") and describe_model("/a/b") == "/a/b"
    if line.endswith("yet"):
        assert download_notice(books) == "990 MB are downloaded first. "
    assert download_notice("bundled") == "" and "a/b" in download_notice("a/b")
