"""Models are the operator's choice: what a visitor may name, and what a checkpoint may hold."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import huggingface_hub
import pytest

from app.documents.load import document_from_text
from app.errors import BadOption, ModelNotFound
from app.events import Finished, Progress
from app.runs import model_cache
from app.runs.model_cache import ModelCache
from app.runs.request import Request
from app.runs.request_run import summarize_all
from app.runs.stop import StopSignal
from app.settings import Settings
from app.summary import memory_estimate
from app.summary.models import CATALOGUE, describe_model, download_notice, is_of_hub
from app.summary.options import Options
from app.ui.model_choice import NOT_OFFERED, choose_model, model_names
from app.ui.model_panel import ModelPanel

BOOKS = "pszemraj/long-t5-tglobal-base-16384-book-summary"
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


# The menu


def test_the_menu_says_what_a_model_does_and_what_is_downloaded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    line = describe_model(BOOKS)
    assert line.startswith("Book summaries: rewrites in its own words · 990 MB, not downloaded yet")
    assert "16,384 tokens" in line and "BSD-3" in line
    assert "35 MB, bundled" in describe_model("bundled") and describe_model("/a/b") == "/a/b"
    assert download_notice(BOOKS) == "990 MB are downloaded first. "
    assert download_notice("bundled") == "" and "a/b" in download_notice("a/b")
    assert is_of_hub("a/b") and not any(map(is_of_hub, ("", "bundled", str(tmp_path), "a")))


# The panel below the menu


def test_the_panel_of_a_shared_page_has_no_buttons() -> None:
    for settings in (PUBLIC, replace(HOME, zero_gpu=True)):
        panel = ModelPanel(SimpleNamespace(settings=settings, models=ModelCache(settings)))
        for act in (panel.show, panel.fetch, panel.cancel, panel.remove):
            html, *buttons, timer, _, place = act(BOOKS)
            assert html == "" and place.startswith("built in") and not timer.active
            assert [button["visible"] for button in buttons] == [False] * 3
        assert panel.service.models.downloads.find(BOOKS) is None


def test_the_panel_acts_on_no_folder_and_no_refused_name(tmp_path) -> None:
    panel = ModelPanel(SimpleNamespace(settings=HOME, models=ModelCache(HOME)))
    for name in ("bundled", "", None, str(tmp_path), "../x", "a/b/c", "-/-"):
        for act in (panel.show, panel.fetch, panel.cancel, panel.remove):
            assert act(name)[0] == ""
