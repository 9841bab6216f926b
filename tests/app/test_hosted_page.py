"""The real page, attacked: nobody can stop it, fill it or look through it."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState

from app.documents.load import load_document
from app.errors import Cancelled
from app.runs.reading_slots import ReadingSlots
from app.settings import MAX_FILES, Settings, upload_dir
from app.ui import launch, sessions
from app.ui.downloads import delete_unread
from app.ui.login_delay import FREE_ATTEMPTS
from tests.app.test_jobs import until
from tests.server import free_port
from tests.tools import attack as attack_tool
from tests.tools.attack import call, file_data, upload

# Far more than an answer takes, and far less than the readings are held for.
PATIENCE_S = 60.0
HELD = 60


@pytest.fixture
def page(tmp_path, monkeypatch) -> Iterator[SimpleNamespace]:
    """Run the page in this process; its readings are held until the gate opens."""
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    gate = threading.Event()

    def load(path, *, stop_event, **options):
        while not gate.wait(0.01):
            if stop_event.is_set():
                raise Cancelled("Stopped.")
        raise Cancelled("It was held.")

    blocks, handlers, guard = launch.create_app(Settings(port=free_port()))
    handlers.reader._loader, handlers.reader._slots = load, ReadingSlots(lambda: 2 * HELD)
    url = launch.start(blocks, guard)
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        yield SimpleNamespace(client=client, handlers=handlers, blocks=blocks, guard=guard)
    gate.set()
    handlers.close()
    blocks.close(verbose=False)


def press(page: SimpleNamespace, name: str, *values) -> httpx.Response:
    """Send what the page sends when a button without a queue is pressed."""
    number = next(n for n, fn in page.blocks.fns.items() if fn.name == name)
    body = {"fn_index": number, "data": list(values), "session_hash": "s"}
    return page.client.post("/gradio_api/run/predict", json=body)


def test_readings_that_are_held_block_nothing(page) -> None:
    paths = []
    for start in range(0, HELD, MAX_FILES):
        paths += upload(page.client, *(f"Text {start + n}." * 9 for n in range(MAX_FILES)))
    readings = page.handlers.reader._readings
    for number, path in enumerate(paths):
        call(page.client, ("summarize", "extract")[number % 2], file=file_data(path))
    until(lambda: sum(r.has_waiters for r in readings.values()) == HELD, PATIENCE_S)
    assert page.guard.unfinished_events("127.0.0.1") == HELD
    seconds = {}
    for what, ask in {
        "page": lambda: page.client.get("/"),
        "stop": lambda: press(page, "stop", None),
        "forget": lambda: press(page, "forget", "", ""),
        "upload": lambda: page.client.post("/gradio_api/upload", files={"files": b"One."}),
        "text": lambda: page.client.post("/gradio_api/call/v2/extract", json={"text": "Words."}),
    }.items():
        began = time.monotonic()
        assert ask().status_code == 200, what
        seconds[what] = round(time.monotonic() - began, 2)
    print(f"seconds with {HELD} readings held: {seconds}")
    assert sum(r.has_waiters for r in readings.values()) == HELD  # they are still held
    waiting = {  # in threads, by what shares a limit
        fn.concurrency_id: fn.concurrency_limit
        for fn in page.blocks.fns.values()
        if fn.queue is not False and not inspect.iscoroutinefunction(fn.fn)
    }
    assert sum(8 if n == "default" else n for n in waiting.values()) < launch.MAX_THREADS


def test_quick_attacks_fail(page, tmp_path) -> None:
    page.handlers.reader._loader = load_document
    for attack in attack_tool.QUICK:
        attack(page.client, tmp_path)


def test_uploads_that_nobody_reads_are_deleted_and_those_of_a_visitor_counted(page) -> None:
    client, names = page.client, []
    names += upload(client, b"One.", b"Two.")
    rest = upload_dir() / "tmpabcdef"
    rest.write_bytes(b"cut off")
    delete_unread(page.blocks.upload_file_set)
    assert rest.exists() and client.get(f"/gradio_api/file={names[0]}").status_code == 200
    delete_unread(page.blocks.upload_file_set, -1.0)
    assert not rest.exists() and not page.blocks.upload_file_set
    assert client.get(f"/gradio_api/file={names[0]}").status_code in (403, 404)
    many = [("files", (f"{n}.txt", b"x")) for n in range(MAX_FILES + 1)]
    assert client.post("/gradio_api/upload", files=many).status_code == 413
    assert not list(upload_dir().glob("tmp*"))


def test_a_page_with_a_login_tells_strangers_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path))
    settings = Settings(port=free_port(), auth=("user", "secret"))
    blocks, handlers, guard = launch.create_app(settings)
    url = launch.start(blocks, guard)
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            for path in (
                "/openapi.json",
                "/gradio_api/openapi.json",
                "/gradio_api/info",
                "/config",
            ):
                assert client.get(path).status_code in (401, 404), path
            shown = client.get("/")
            assert shown.status_code == 200 and '"auth_required":true' in shown.text
            assert "/summarize" not in shown.text and "num_beams" not in shown.text
            with ThreadPoolExecutor(8) as pool:
                wrong = [{"username": "user", "password": str(n)} for n in range(12)]
                answers = list(pool.map(lambda d: client.post("/login", data=d), wrong))
            codes = [a.status_code for a in answers]
            assert codes.count(400) == FREE_ATTEMPTS and codes.count(429) == 12 - FREE_ATTEMPTS
            guard.logins.succeed("127.0.0.1")
            right = client.post("/login", data={"username": "user", "password": "secret"})
            assert right.status_code == 200 and "/summarize" in client.get("/").text
    finally:
        handlers.close()
        blocks.close(verbose=False)


def test_sessions_share_what_describes_the_page_and_have_their_own_values(page) -> None:
    blocks = page.blocks
    parts = blocks.blocks.items()
    plain = {n: BlocksConfig.config_for_block(n, [], part) for n, part in parts}
    first, second = SessionState(blocks), SessionState(blocks)
    assert first.config_values == second.config_values == plain
    number = next(n for n, part in parts if isinstance(part, gr.Textbox))
    first._update_value_in_config(number, "Mine")
    first[number] = gr.Textbox(label="Another")
    first._update_config(number)
    third = SessionState(blocks)
    assert second.config_values == third.config_values == plain
    assert first.config_values[number]["props"]["label"] == "Another"


def test_sessions_of_programs_and_closed_pages_are_dropped(page, monkeypatch) -> None:
    client, holder, queue = page.client, page.blocks.app.state_holder, page.blocks._queue
    extract = "/gradio_api/call/extract"

    def used(session: str) -> None:
        body = {"data": [None, "Some words.", "", False], "session_hash": session}
        client.post(extract, json=body).raise_for_status()

    for session in ("program", "page", "closed"):
        used(session)
    page.guard.pages.opened("page")
    with client.stream("GET", "/gradio_api/heartbeat/closed"):
        until(lambda: page.guard.pages.is_open("closed"), PATIENCE_S)
    until(lambda: not page.guard.pages.is_open("closed"), PATIENCE_S)
    until(lambda: not queue.event_ids_to_events, PATIENCE_S)
    assert {"program", "page", "closed"} <= set(holder.session_data)
    monkeypatch.setattr(sessions, "PROGRAM_S", -1.0)
    sessions.drop_idle_sessions(page.blocks, page.guard.pages, page.guard.streams)
    assert set(holder.session_data) == set(holder.time_last_used) == {"page", "closed"}
    assert "program" not in queue.pending_messages_per_session
    monkeypatch.setattr(sessions, "MAX_CLOSED_PAGES", 0)
    sessions.drop_idle_sessions(page.blocks, page.guard.pages, page.guard.streams)
    assert set(holder.session_data) == {"page"}
