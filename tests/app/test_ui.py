"""The page without a browser: rendering, handlers, form values, start options, downloads."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from pypdf import PdfReader, PdfWriter

from app import cli, desktop
from app.documents import file_kinds as kinds
from app.documents.load import document_from_text, load_document, require_text
from app.documents.model import Document, Page
from app.errors import UNEXPECTED, BadOption, ModelNotFound, NoTextLayer, NotReadable
from app.events import (
    DocumentFailed,
    DocumentStarted,
    DraftText,
    Finished,
    Progress,
    SectionDone,
    SectionStarted,
    Sentence,
    Summary,
)
from app.runs.reading import DocumentReader
from app.runs.request import Request
from app.runs.run_state import RunState
from app.runs.service import Service
from app.settings import (
    KIND_LABELS,
    READABLE_KINDS,
    Settings,
    assets_dir,
    private_folder,
    upload_dir,
)
from app.summary.summarizer import Options
from app.ui import hosts, launch, render
from app.ui.api import Api
from app.ui.downloads import downloads_folder, write_downloads
from app.ui.estimate import LatestBySession
from app.ui.find import find_html
from app.ui.form import FORM_FIELDS, Form, filled_tab, form_from_fields
from app.ui.handlers import MAX_MARKED_PASSAGES, Handlers, SourceDocument
from app.ui.layout import FILE_LIMITS, build_page
from app.ui.stored_documents import (
    FILLED_FIELDS,
    documents_html,
    run_of_shown_file,
    stored_documents,
)
from app.ui.wiring import component_updates, control_updates
from app.warning import AppWarning, WarningKind
from tests.app.test_export import HOSTILE, summary_of
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT
from tests.documents import make_pdfs


def board_of(*events) -> RunState:
    board = RunState()
    for event in events:
        board.apply(event)
    return board


RUN = (
    DocumentStarted(1, 2, "one.pdf"),
    Progress("encoding", 3, 6, 1, 2),
    SectionStarted(1, 2, (1, 3)),
    DraftText(1, "Solid.", " Maybe"),
)


def test_committed_and_provisional_text_are_styled_differently() -> None:
    html = render.summary_html(board_of(*RUN), True)
    assert 'Solid.<span class="provisional"> Maybe</span>' in html
    assert 'aria-busy="true"' in html and "<h2>one.pdf</h2>" in html


def test_screen_readers_announce_only_the_stage() -> None:
    announced = re.compile(r'role="status">([^<]*)<')
    assert announced.findall(render.progress_bar("reading", 0.5, "a.pdf, page 3 of 9")) == [
        "Reading"
    ]
    board = board_of(*RUN[:1], Progress("decoding", 3, 6, 1, 2, 9.0))
    assert "step 1 of 2, about 9 s left" in render.run_status(board)
    assert announced.findall(render.run_status(board)) == ["Writing"]
    assert announced.findall(render.finished_status(board)) == ["Done · 0 words in 0.0 s"]


def test_source_pages_are_named_for_screen_readers() -> None:
    marked = render.page_picture(b"", 3, ['A "b".'])
    assert 'alt="Page 3, marked: A &quot;b&quot;."' in marked
    turned = render.page_picture(b"", 4, [])
    assert 'alt="Page 4"' in turned
    source = render.source_page(0, 1, document_from_text("Some words.", "a.txt"), turned)
    name = re.search(r'aria-labelledby="([^"]+)"', source)
    assert name and f'id="{name[1]}">a.txt · part 1 of 1<' in source


@pytest.mark.parametrize("documents", [1, 2])
def test_heading_levels_are_not_skipped(documents) -> None:
    sections = (SectionStarted(1, 2, (1, 3), "One"), SectionStarted(2, 2, (4, 6), "Two"))
    board = board_of(DocumentStarted(1, documents, "one.pdf"), *sections)
    assert re.findall("<(h[1-6])", render.summary_html(board, True)) == ["h2", "h3", "h3"]


def test_progress_never_decreases() -> None:
    board, before = RunState(), 0.0
    run = [
        *RUN,
        Progress("decoding", 1, 9, 1, 2),
        SectionDone(1, summary_of("A.").sections[0]),
        Progress("encoding", 1, 6, 2, 2),
        Progress("decoding", 9, 9, 2, 2),
        Finished(summary_of("A.")),
        DocumentStarted(2, 2, "two.pdf"),
        Progress("encoding", 1, 6, 1, 1),
        DocumentFailed("two.pdf", "It is empty."),
    ]
    for event in run:
        board.apply(event)
        assert before <= board.fraction <= 1
        before = board.fraction
    assert before == 1
    html = render.summary_html(board, False)
    assert "It is empty." in html and 'aria-busy="false"' in html


def test_everything_from_a_document_is_escaped() -> None:
    summary = summary_of(
        HOSTILE, name=HOSTILE, warnings=(AppWarning(WarningKind.STOPPED, HOSTILE),)
    )
    board = board_of(
        DocumentStarted(1, 2, HOSTILE), SectionStarted(1, 1, (1, 1)), DraftText(1, HOSTILE, HOSTILE)
    )
    done = board_of(
        DocumentStarted(1, 2, HOSTILE),
        SectionStarted(1, 1, (1, 1)),
        Finished(summary),
        DocumentStarted(2, 2, "b"),
        DocumentFailed("b", HOSTILE),
    )
    document = document_from_text("Some words.", HOSTILE)
    for html in (
        render.summary_html(board, True),
        render.summary_html(done, False),
        render.error(HOSTILE),
        render.progress_bar("reading", 0.5, HOSTILE),
        render.document_facts([document]),
    ):
        assert "<img" not in html


@pytest.fixture
def handlers(bundled):
    made = Handlers(Service(Settings(device="cpu", dtype="float32")))
    made.service.models.put("bundled", bundled)
    yield made
    made.service.runner.close()


# The page's fields as they are before anything is filled in, but for a short and quick summary.
FIELDS = {
    **dict.fromkeys(FORM_FIELDS),
    **{"source": "files", "text": "", "password": "", "ocr": False},
    **{"length": "short", "num_beams": 2, "max_new_tokens": 12},
}


def run(handlers, files=None, **changes):
    form = form_from_fields({**FIELDS, "files": files, **changes}, handlers.service.settings)
    views = []
    for view in handlers.run(form, SimpleNamespace(session_hash="s")):
        exports = {k: Path(v).read_bytes() for k, v in (view["exports"] or {}).items()}
        views.append({**view, "exports": exports})
    return views


def test_what_is_filled_in_is_summarized_before_its_tab_is_known(handlers, tmp_path) -> None:
    """The server hears of an opened tab by an event of its own, which a click may overtake."""
    file, text = (
        tmp_path / "mill.txt",
        "The river rose in the night, and the mill stood still. " * 9,
    )
    file.write_text(text)
    assert "Done" in run(handlers, None, source="files", text=text)[-1]["status"]
    assert "Done" in run(handlers, [str(file)], source="text", text=" ")[-1]["status"]
    both = {"files": [str(file)], "text": text}
    for tab in both:  # where both are filled in, the open one is meant
        assert filled_tab(tab, **both) == tab == filled_tab(tab, None, "")


def test_a_model_that_is_not_offered_is_refused_with_the_form(handlers) -> None:
    with pytest.raises(ModelNotFound, match="does not offer that model"):
        form_from_fields({**FIELDS, "model": "nope"}, handlers.service.settings)


def test_several_documents_are_summarized_in_one_run(handlers, tmp_path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"Here is {name}, with some words in it. " * 9)
    (tmp_path / "c.txt").write_text("Words. " * 9)
    views = run(handlers, [str(tmp_path / n) for n in ("a.txt", "b.txt")])
    last = views[-1]
    assert not last["running"] and views[0]["running"]
    assert last["summary"].count("<article") == 2
    assert [json.loads(line)["name"] for line in last["exports"]["json"].splitlines()] == [
        "a.txt",
        "b.txt",
    ]
    assert b"# Summary of b.txt" in last["exports"]["md"]
    with zipfile.ZipFile(BytesIO(last["exports"]["docx"])) as archive:
        assert archive.namelist() == ["01-a-summary.docx", "02-b-summary.docx"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "text", "text": "  "}, "no text yet"),
        ({"files": None}, "No file is chosen"),
        ({"source": "text", "text": "Words. " * 9, "pages": "77"}, "has no page 77"),
        ({"files": ["x"] * 30}, "choose fewer"),
        ({"files": ["/no/such.pdf"]}, "such.pdf"),
    ],
)
def test_errors_are_shown_and_the_page_is_usable_again(handlers, changes, words) -> None:
    last = run(handlers, **changes)[-1]
    assert words in last["status"] and 'role="alert"' in last["status"]
    assert not last["running"]
    *_, controls = component_updates(last)
    run_button, stop_button, *_ = control_updates(controls)
    assert run_button["interactive"] and not stop_button["interactive"]


def test_streaming_does_not_recreate_buttons(handlers) -> None:
    text = EXAMPLE_TEXT.read_text(encoding="utf-8")
    form = Form("text", text=text, options=Options(length="short"))
    views = handlers.run(form, SimpleNamespace(session_hash="s"))
    pictures = [component_updates(v) for v in views if v["running"] and v["summary"]]
    assert pictures and all(isinstance(html, str) for p in pictures for html in p[:2])
    assert all(p[3] == pictures[0][3] for p in pictures)  # what the buttons follow is the same


def test_a_file_is_read_once(tmp_path) -> None:
    calls = []

    def load(path, **options):
        calls.append(path)
        options["on_progress"](1, 2)
        return document_from_text("Some words.", "a.pdf")

    reader = DocumentReader(load)
    first, second = reader.open("a.pdf"), reader.open("a.pdf")
    assert first is second and first.document() is second.document()
    assert reader.open("a.pdf", "other password") is not first
    assert len(calls) == 2 and (first.done, first.total) == (1, 2)


def test_ocr_is_offered_for_scanned_pages(bundled) -> None:
    asked = []

    def load(path, *, ocr, **options):
        asked.append((path, ocr))
        status = "ok" if ocr or path == "b.pdf" else "scanned"
        pages = (Page(1, "1", "Some words here." if status == "ok" else "", status),)
        return Document(path, "0" * 64, "page", pages, (), ocr=ocr)

    handlers = Handlers(Service(Settings(device="cpu", dtype="float32")), DocumentReader(load))

    def switch(files, ocr=False):
        *_, last = handlers.read(files, "", ocr)
        return last[-2]

    assert switch(["a.pdf"])["visible"] and not switch(["b.pdf"])["visible"]
    assert switch(["a.pdf"], True)["visible"]  # it can be turned off again
    assert asked == [("a.pdf", False), ("b.pdf", False), ("a.pdf", True)]
    assert switch(None, True) == {**gr.update(visible=False, value=False)}
    handlers.service.models.put("bundled", bundled)
    assert "OCR" in run(handlers, ["a.pdf"])[-1]["status"]
    last = run(handlers, ["a.pdf"], ocr=True)[-1]
    assert len(asked) == 3  # what was read with the switch on is not read again
    result = json.loads(last["exports"]["json"])
    assert result["provenance"]["command"].endswith("--ocr")
    handlers.service.runner.close()


def test_failed_readings_are_retried() -> None:
    def load(path, **options):
        raise ValueError("secret")

    reader = DocumentReader(load)
    reading = reader.open("a.pdf")
    with pytest.raises(NotReadable, match="a.pdf"):
        reading.document()
    assert reader.open("a.pdf") is not reading


def test_a_reading_can_be_stopped() -> None:
    def load(path, *, stop_event, **options):
        assert stop_event.wait(5)
        raise BadOption("stopped")

    reading = DocumentReader(load).open("a.pdf")
    reading.stop()
    with pytest.raises(BadOption):
        reading.document()


def test_a_reading_that_is_being_stopped_is_not_reused() -> None:
    ending, calls = threading.Event(), []

    def load(path, *, stop_event, **options):
        calls.append(path)
        if len(calls) == 1:
            assert stop_event.wait(5) and ending.wait(5)  # a child that takes a while to end
            raise BadOption("stopped")
        return document_from_text("Some words.", "a.pdf")

    reader = DocumentReader(load)
    reader.open("a.pdf").stop()
    document = reader.open("a.pdf").document()
    ending.set()
    assert document.name == "a.pdf"


def test_requests_are_checked_before_they_are_queued(handlers) -> None:
    document = document_from_text("Some words.")
    with pytest.raises(BadOption):
        handlers.service.submit(Request((document,), Options(num_beams=99), "bundled"))


def test_no_summaries_give_no_downloads() -> None:
    assert write_downloads((), Path()) == {}


def test_the_drop_area_names_every_kind_of_file() -> None:
    label = FILE_LIMITS.casefold()
    assert set(KIND_LABELS) == set(kinds.SUFFIXES)
    assert [shown for shown in KIND_LABELS.values() if shown.casefold() not in label] == []
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert READABLE_KINDS in readme


def test_not_selectors_in_the_style_sheet_have_no_comma() -> None:
    # Gradio repeats each rule below a prefix, and splits it at commas to put that before each.
    rules = (assets_dir() / "style.css").read_text(encoding="utf-8")
    inside = re.findall(r":not\(((?:[^()]|\([^()]*\))*)\)", rules)
    assert inside and "," not in "".join(inside)


def test_downloads_of_several_summaries_have_their_own_suffixes(tmp_path) -> None:
    one, two = (Finished(summary_of("It rained.", name=name)) for name in ("a.pdf", "b.pdf"))
    both = [one.summary, two.summary]
    kinds = {fmt: path.partition(".")[2] for fmt, path in write_downloads(both, tmp_path).items()}
    assert kinds == {
        "md": "md",
        "txt": "txt",
        "json": "jsonl",
        "html": "html.zip",
        "docx": "docx.zip",
    }
    path = Path(write_downloads(both[:1], tmp_path)["json"])
    assert json.loads(path.read_bytes())["name"] == "a.pdf"


def test_an_unknown_model_ends_the_start_with_an_error(capsys) -> None:
    assert cli.main(["serve", "--model", "no such model"]) == 1
    assert "no such model" in capsys.readouterr().err
    with pytest.raises(ModelNotFound):
        launch.serve(Settings(model="no such model"))


def test_a_port_in_use_is_an_error() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(port=taken.getsockname()[1])
        page, handlers, guard = launch.create_app(settings)
        with pytest.raises(BadOption, match="--port"):
            launch.start(page, guard)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a..b", "[::1"])
def test_an_unknown_host_is_an_error_before_the_page_is_built(host, monkeypatch) -> None:
    monkeypatch.setattr(launch, "create_app", None)  # a call would fail with TypeError
    with pytest.raises(BadOption, match="--host"):
        launch.serve(Settings(host=host, no_auth=True))
    hosts.require_host("localhost")


def test_desktop_window_or_browser(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    shown: list[tuple] = []
    window = SimpleNamespace(
        settings={},
        create_window=lambda *a, **k: shown.append(a),
        start=lambda **options: shown.append(()),
    )
    monkeypatch.setitem(sys.modules, "webview", window)
    desktop.show("http://127.0.0.1:1")
    assert shown[0][1] == "http://127.0.0.1:1" and shown[1] == ()
    assert window.settings["ALLOW_DOWNLOADS"]

    def fails(**options) -> None:
        raise RuntimeError("You must have either QT or GTK")

    monkeypatch.setattr(desktop.webbrowser, "open", lambda url: shown.append((url,)))
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: True)
    window.start = fails
    for number, module in enumerate((None, window)):
        monkeypatch.setitem(sys.modules, "webview", module)
        desktop.show(f"http://127.0.0.1:{number}")
        assert shown[-1] == (f"http://127.0.0.1:{number}",)
        assert "desktop" in capsys.readouterr().err


def test_settings_come_from_the_environment() -> None:
    made = Settings.from_env(
        {
            "GRADIO_SERVER_NAME": "0.0.0.0",
            "GRADIO_SERVER_PORT": "9000",
            "SPACE_ID": "a/b",
            "SPACES_ZERO_GPU": "true",
        }
    )
    assert (made.host, made.port, made.on_space, made.zero_gpu) == ("0.0.0.0", 9000, True, True)
    for wrong in ("nine", "²"):
        with pytest.raises(BadOption, match="GRADIO_SERVER_PORT"):
            Settings.from_env({"GRADIO_SERVER_PORT": wrong})
    assert Settings.from_env({}) == Settings()


def test_unexpected_errors_are_shown_without_details(handlers, monkeypatch, caplog) -> None:
    def fails(*arguments, **options):
        raise ValueError("secret text of the document")

    monkeypatch.setattr(handlers.service, "submit", fails)
    last = run(handlers, source="text", text="Words. " * 9)[-1]
    assert UNEXPECTED in last["status"] and not last["running"]
    assert "ValueError at test_ui.py" in caplog.text and "secret" not in caplog.text
    monkeypatch.setattr(handlers.service, "find", fails)
    assert UNEXPECTED in list(handlers.reattach("a", None))[-1]["status"]
    monkeypatch.setattr(handlers, "_request_of", fails)
    assert UNEXPECTED in list(handlers.run_with_references("a", None))[-1]["status"]


def test_cleared_numbers_mean_the_default(handlers) -> None:
    handlers.service.settings = replace(handlers.service.settings, num_beams=3)
    last = run(
        handlers,
        source="text",
        text="Some words here. " * 9,
        num_beams=None,
        max_new_tokens=None,
        max_input_tokens=None,
        model=None,
    )[-1]
    assert json.loads(last["exports"]["json"])["options"]["num_beams"] == 3


@pytest.mark.parametrize("cleared", [None, " "])
def test_a_cleared_model_means_the_default(cleared) -> None:
    settings = Settings(model="owner/name")
    assert form_from_fields({**FIELDS, "model": cleared}, settings).model == "owner/name"
    assert form_from_fields({**FIELDS, "model": " bundled "}, settings).model == "bundled"


def test_the_api_uses_the_default_window(handlers) -> None:
    handlers.service.settings = replace(handlers.service.settings, max_input_tokens=512)
    *_, last = Api(handlers.service, handlers.reader).summarize(
        text=EXAMPLE_TEXT.read_text(encoding="utf-8"), length="short", num_beams=1
    )
    assert last["result"]["options"]["max_input_tokens"] == 512
    assert last["result"]["sections"]
    assert all(section["tokens_in"] <= 512 for section in last["result"]["sections"])


def test_old_uploads_and_downloads_of_other_processes_are_deleted(
    handlers, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    known, unknown = (downloads_folder(name) for name in ("1" * 24, "2" * 24))
    example = assets_dir() / "examples" / EXAMPLE_TEXT.name
    left, fresh, offered = (upload_dir() / (name * 32) for name in ("a", "b", "c"))
    monkeypatch.setattr(
        handlers.service.runner, "get", lambda job: job if job == "1" * 24 else None
    )
    for folder in (known, unknown, left, fresh, offered):
        file = private_folder(folder) / EXAMPLE_TEXT.name
        file.write_bytes(example.read_bytes() if folder == offered else b"My own words.")
        for path in (file, folder) if folder != fresh else ():
            os.utime(path, (time.time() - 48 * 3600,) * 2)
    handlers.expire(24 * 3600)
    assert set(upload_dir().iterdir()) == {known, fresh, offered}
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "shared"))  # with other programs
    for folder in (downloads_folder("2" * 24), upload_dir() / "other"):
        private_folder(folder)
        os.utime(folder, (time.time() - 48 * 3600,) * 2)
    handlers.expire(24 * 3600)
    assert [path.name for path in upload_dir().iterdir()] == ["other"]


def test_unreadable_files_are_named_and_the_others_are_summarized(handlers, tmp_path) -> None:
    good, gone = tmp_path / "good.txt", str(tmp_path / "gone.pdf")
    good.write_text("The river rose in the night, and the mill stood still. " * 9)
    files = [gone, str(good)]
    *_, (facts, *_) = handlers.read(files, "")
    assert "good.txt" in facts and "“gone.pdf” cannot be opened" in facts
    line = handlers.estimate(Form(files=files, options=Options(length="short", num_beams=1)))
    assert "1 step" in line
    last = run(handlers, files)[-1]
    for view in (last, list(handlers.reattach(last["job"], None))[-1]):
        assert "<h2>good.txt</h2>" in view["summary"] and "<h2>gone.pdf</h2>" in view["summary"]
        assert "cannot be opened" in view["summary"] and view["exports"]
        handlers.service.runner.expire(-1)  # the second is told from the folder
    cite = SimpleNamespace(document=0, page=1, passages=[])
    assert "good.txt" in handlers.show_source(last["job"], cite)
    none = run(handlers, [gone, str(tmp_path / "lost.pdf")])[-1]
    assert "gone.pdf" in none["status"] and "lost.pdf" in none["status"]
    assert none["job"] is None and not none["running"]


def test_a_search_is_bounded_in_its_words_and_its_hits() -> None:
    document = document_from_text("a " * 50_000)
    assert "10,000 places" in find_html([document], "a") and "and more" in find_html(
        [document], "a"
    )
    assert find_html([document], "a").count("<li>") == 50
    assert "at most" in find_html([document], "a" * 1_001)
    assert "1 place on" in find_html([document_from_text("One ferry left.")], "ferry")


def test_what_is_left_out_is_folded_in_the_form() -> None:
    left_out = AppWarning(WarningKind.CONTENT_LEFT_OUT, "Left out: 2 notes.")
    scanned = AppWarning(WarningKind.PAGES_SCANNED, "Page 3 is left out (a picture).")
    document = replace(document_from_text("Rain fell."), warnings=(left_out, scanned))
    shown, _, folded = render.document_facts([document]).partition("<details>")
    assert "Page 3" in shown and "2 notes" not in shown and "2 notes" in folded


def test_all_sentences_of_a_long_citation_are_marked(handlers) -> None:
    """A citation stands for a run of sentences from its page, as long as a summary has them."""
    sentences = [f"The ferry number {n} left the harbour at nine." for n in range(20)]
    document = document_from_text(" ".join(sentences))
    handlers.sources["job"] = [SourceDocument(document, None, "", "")]
    shown = handlers.show_source("job", SimpleNamespace(document=0, page=1, passages=sentences))
    assert shown.count("<mark>") == 20
    shown = handlers.show_source("job", SimpleNamespace(document=0, page=1, passages=["a"] * 999))
    assert shown.count("<mark>") <= MAX_MARKED_PASSAGES


def test_an_older_estimate_does_not_replace_a_newer_one() -> None:
    latest = LatestBySession()
    first, other, second = latest.begin("a"), latest.begin("b"), latest.begin("a")
    assert not latest.is_latest("a", first)
    assert latest.is_latest("a", second) and latest.is_latest("b", other)
    for number in range(1_000):
        latest.begin(str(number))
    assert latest.is_latest("a", second)  # forgotten: shown, as without a later one


def test_words_are_found_across_line_ends_and_in_any_case() -> None:
    pages = Page(1, "i", "The Mill\nstood still.", "ok"), Page(2, "1", "No mill.", "ok")
    document = Document("a.pdf", "0", "page", pages, ())
    html = find_html([document], " the  mill ")
    assert "1 place on 1 page" in html and 'data-page="1"' in html and "page i" in html
    assert "2 places on 2 pages" in find_html([document], "mill")
    assert "does not stand" in find_html([document], "mills") and find_html([document], " ") == ""
    assert "no document" in find_html([], "mill")
    hostile = replace(document, pages=(Page(1, "1", HOSTILE, "ok"),))
    assert "<script" not in find_html([hostile], HOSTILE.split()[0])


def test_reading_time_is_told_in_minutes_and_hours() -> None:
    assert render.reading_minutes(10) == "1 min" and render.reading_minutes(2380) == "10 min"
    assert render.reading_minutes(238 * 80) == "1 h 20 min"


def test_several_documents_and_pasted_texts_are_told_apart() -> None:
    def named(*summaries: Summary) -> list[str]:
        history = SimpleNamespace(summaries=lambda job: list(summaries))
        return [document.name for document in stored_documents(history, ["a"])]

    one, pasted = summary_of("A."), summary_of("The river " + "rose " * 30, name="Pasted text")
    assert named(one) == ["report.pdf"] and named(one, one, one) == ["report.pdf and 2 more"]
    (name,) = named(pasted)
    assert name.startswith("Pasted text: The river rose") and len(name) < 70


def test_a_stopped_summary_is_told_from_a_whole_one_and_can_be_made_again() -> None:
    whole = replace(summary_of("A."), options={"length": "medium"}, provenance={"sha256": "a"})
    runs = {"whole": [whole], "stopped": [replace(whole, stopped=True, summary="")]}
    history = SimpleNamespace(summaries=lambda job: runs[job])
    html = documents_html(history, ["whole", "stopped"])
    assert ">medium</button>" in html and ">medium, stopped</button>" in html
    assert 'data-length="medium"' not in html
    assert 'data-length="medium"' in documents_html(history, ["stopped"])


def test_larger_models_are_named_once_below_all_summaries() -> None:
    states = [DocumentStarted(n, 2, f"{n}.pdf") for n in (1, 2)]
    done = Finished(summary_of("A."))
    assert render.LARGER_MODELS not in render.summary_html(board_of(states[0], done), True)
    both = render.summary_html(board_of(states[0], done, states[1], done), False)
    assert both.count("picks sentences") == 1
    stopped = Finished(replace(summary_of("A."), summary="", stopped=True))
    assert "picks sentences" not in render.summary_html(board_of(states[0], stopped), False)


def test_a_browsers_documents_come_back_and_are_forgotten(handlers, tmp_path) -> None:
    text = tmp_path / "mill.txt"
    text.write_text("The river rose in the night, and the mill stood still. " * 9)
    job = run(handlers, [str(text)])[-1]["job"]
    ((name, runs),) = ((d.name, d.runs) for d in stored_documents(handlers.history, [job, "gone"]))
    assert name == "mill.txt" and [run_id for run_id, _ in runs] == [job]
    html = documents_html(handlers.history, [job])
    assert f'data-open="{job}"' in html and 'data-length="long"' in html
    assert documents_html(handlers.history, []) == documents_html(handlers.history, None) == ""
    filled = dict(
        zip(FILLED_FIELDS, handlers.fill_form(job, SimpleNamespace(query_params={})), strict=True)
    )
    (shown,) = filled["files"]
    assert Path(shown).name == "mill.txt" and Path(shown).read_text() == text.read_text()
    assert filled["length"] == "short" and filled["source"] == "files" and not filled["text"]
    again = SimpleNamespace(job=job, length="medium")
    last = list(handlers.run_again(again, None))[-1]
    assert "length medium" in last["summary"]
    assert (
        dict(zip(FILLED_FIELDS, handlers.fill_form_for(again), strict=True))["length"] == "medium"
    )
    view, left = handlers.forget_runs(job, [job, last["job"]], SimpleNamespace(jobs=[job]), None)
    assert view is not None and left == [last["job"]] and not Path(shown).exists()
    view, left = handlers.forget_runs("", left, SimpleNamespace(jobs=[last["job"]]), None)
    assert view is None and left == [] and handlers.documents([last["job"]])[1] == ""
    assert "deleted" in list(handlers.run_again(again, None))[-1]["status"]


def test_a_file_shown_of_a_run_is_not_read_again(handlers, tmp_path) -> None:
    text = tmp_path / "mill.txt"
    text.write_text("The river rose in the night, and the mill stood still. " * 9)
    job, loaded = run(handlers, [str(text)])[-1]["job"], []

    def load(path: str, **options: Any) -> Document:
        loaded.append(path)
        return load_document(path, **options)

    for is_after_restart in (False, True):
        if is_after_restart:  # what was read is in the folder of the run only
            handlers.sources.clear()
            handlers.requests.clear()
        handlers.reader = DocumentReader(load)
        filled = handlers.fill_form(job, SimpleNamespace(query_params={}))
        (shown,) = dict(zip(FILLED_FIELDS, filled, strict=True))["files"]
        *_, (facts, *_) = handlers.read([shown], "")
        assert "99 words" in facts and loaded == []
        assert run(handlers, [shown])[-1]["summary"] and loaded == []
        assert not Path(shown).exists()  # moved where no address serves it
        list(handlers.read([shown], "", True))  # another way to read it
        assert len(loaded) == 1
        loaded.clear()
    assert run_of_shown_file(shown) == (job, 0)
    elsewhere = tmp_path / Path(shown).parent.name / "mill.txt"
    assert run_of_shown_file(str(elsewhere)) == run_of_shown_file(str(text)) == ("", 0)


def test_a_protected_file_of_a_run_asks_for_its_password_again(handlers, tmp_path) -> None:
    writer = PdfWriter(clone_from=PdfReader(EXAMPLE_PDF))
    writer.encrypt("open sesame", algorithm="AES-256")
    locked = tmp_path / "locked.pdf"
    writer.write(locked)
    job = run(handlers, [str(locked)], password="open sesame", pages="1-2")[-1]["job"]
    filled = handlers.fill_form(job, SimpleNamespace(query_params={}))
    (shown,) = dict(zip(FILLED_FIELDS, filled, strict=True))["files"]
    *_, (facts, password, *_) = handlers.read([shown], "")
    assert "29 pages" not in facts and password["visible"]


def test_files_of_any_name_are_offered_to_the_reader(handlers, tmp_path) -> None:
    """Content decides what a file is, and a refusal is the reader's sentence, not Gradio's."""
    page = build_page(handlers, Settings())
    (box,) = (block for block in page.blocks.values() if getattr(block, "elem_id", "") == "files")
    assert box.file_types is None
    notes, sound = tmp_path / "NOTES", tmp_path / "talk.mp3"
    notes.write_text("The river rose in the night, and the mill stood still. " * 9)
    sound.write_bytes(b"ID3" + bytes(range(256)) * 40)
    *_, (facts, *_) = handlers.read([str(notes), str(sound)], "")
    assert "99 words" in facts
    assert "“talk.mp3” is not a kind of file that can be read here: save it as PDF" in facts


def test_one_citation_stands_behind_a_run_of_sentences_of_a_page() -> None:
    said = [("One.", 1), ("Two.", 1), ("Three.", 2), ("Four.", 2)]
    sentences = tuple(Sentence(t, (p,), (str(p),), (), (f"Passage {t}",)) for t, p in said)
    draft = DraftText(1, "One. Two. Three. Four.", " Maybe", sentences)
    busy = board_of(DocumentStarted(1, 1, "a.pdf"), SectionStarted(1, 1, (1, 2)), draft)
    hidden = re.findall('class="sentence( same)?">(\\w+)', render.summary_html(busy, True))
    # The next sentence may be of the same page: the last one has no citation yet.
    assert hidden == [(" same", "One"), ("", "Two"), (" same", "Three"), (" same", "Four")]
    busy.apply(Finished(summary_of("One.")))
    html = render.summary_html(busy, False)
    hidden = re.findall('class="sentence( same)?">(\\w+)', html)
    assert [is_hidden for is_hidden, _ in hidden] == [" same", "", " same", ""]
    assert "[&quot;Passage One.&quot;, &quot;Passage Two.&quot;]" in html


def test_a_document_without_words_cannot_be_run(handlers, tmp_path, monkeypatch) -> None:
    scan, text = tmp_path / "scan.pdf", tmp_path / "mill.txt"
    scan.write_bytes(make_pdfs.scan_of(make_pdfs.text_pdf()))
    text.write_text("The mill stood still.")
    for files, can_run in (([str(scan)], False), ([str(scan), str(text)], True), (None, True)):
        *_, last = handlers.read(files, "")
        assert last[-1]["interactive"] is can_run
    empty, locked = tmp_path / "empty.txt", tmp_path / "locked.pdf"
    empty.touch()
    locked.write_bytes(make_pdfs.encrypted("secret"))
    for files, can_run in ((empty, False), (locked, True)):  # its password may come yet
        *_, last = handlers.read([str(files)], "")
        assert last[-1]["interactive"] is can_run
    assert handlers.run_button("text", [str(scan)], "", False)["interactive"]
    assert not handlers.run_button("files", [str(scan)], "", False)["interactive"]
    monkeypatch.setattr(handlers.service.runner, "is_busy", lambda session: True)
    *_, last = handlers.read([str(text)], "")
    assert "interactive" not in last[-1]
    # Where OCR is missing, the error itself says how to get it.
    scanned = handlers.reader.open(str(scan)).document()
    with pytest.raises(NoTextLayer, match=r"pip install .*ocr|turn on OCR"):
        require_text(scanned)


def test_a_part_that_was_stopped_before_its_first_word_has_no_heading() -> None:
    started = [SectionStarted(1, 2, (1, 3), "One"), SectionStarted(2, 2, (4, 6), "Two")]
    done = [DraftText(1, "It rose.", "", (Sentence("It rose.", (1,), ("1",)),))]
    stopped = Finished(summary_of("It rose.", stopped=True))
    board = board_of(DocumentStarted(1, 1, "a.pdf"), started[0], *done, started[1], stopped)
    html = render.summary_html(board, False)
    assert "One, page" in html and "Two, page" not in html
