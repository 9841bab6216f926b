"""Files named when the page is started: who sees them, what is refused, and the window."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import AppError, BadOption, NotReadable
from app.settings import MAX_FILES, Settings, upload_dir
from app.ui.opened_files import OpenedFiles, opened_files
from app.ui.stored_documents import FILLED_FIELDS, opened_updates
from tests.conftest import EXAMPLE_PDF, ROOT

HAS_TOOLKIT = any(importlib.util.find_spec(name) for name in ("PySide6", "PyQt6", "gi"))
CAN_SHOW_WINDOWS = bool(
    HAS_TOOLKIT and importlib.util.find_spec("webview") and shutil.which("xvfb-run")
)
# Starts the page in a window, and closes this when it shows that the file was read.
WINDOW_PROGRAM = """
import sys, threading, time
import webview
from app.cli import main

def watch():
    facts = "document.querySelector('#facts')?.innerText ?? ''"
    while not (webview.windows and "words" in str(webview.windows[0].evaluate_js(facts))):
        time.sleep(0.2)
    window = webview.windows[0]
    print(window.evaluate_js("document.title"), "|", window.evaluate_js(facts))
    window.destroy()

threading.Thread(target=watch, daemon=True).start()
sys.exit(main(["serve", "--desktop", sys.argv[1]]))
"""


@pytest.fixture
def letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the person's, outside the folders of the program."""
    monkeypatch.setenv("SUMMARIZER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    path = tmp_path / "letter.txt"
    path.write_text("The river rose in the night.", encoding="utf-8")
    return path


def test_only_the_address_with_the_token_shows_the_files(letter: Path) -> None:
    opened = opened_files([str(letter)], Settings())
    assert opened.address("http://127.0.0.1:7860/").endswith(f"/?open={opened.token}")
    for wrong in ("", "x", opened.token[:-1], opened.token + "é"):
        assert opened.copies(wrong) == []
    (copy,) = opened.copies(opened.token)
    assert upload_dir() in Path(copy).parents and Path(copy).name == letter.name
    assert Path(copy).read_bytes() == letter.read_bytes()
    Path(copy).unlink()  # as the reader does; the page may be reloaded
    assert opened.copies(opened.token) == [copy]
    opened.delete_copies()
    assert not Path(copy).exists() and letter.exists()


def test_a_page_without_files_has_no_token() -> None:
    opened = opened_files([], Settings(host="0.0.0.0"))
    assert opened.address("http://127.0.0.1:7860/") == "http://127.0.0.1:7860/"
    assert OpenedFiles(token="").copies("") == []


def test_what_cannot_be_opened_is_refused_before_the_page_starts(letter: Path) -> None:
    cases: tuple[tuple[list[str], Settings, type[AppError], str], ...] = (
        ([str(letter)], Settings(host="0.0.0.0"), BadOption, "this computer only"),
        ([str(letter)], Settings(behind_proxy=True), BadOption, "this computer only"),
        ([str(letter)], Settings(on_space=True), BadOption, "this computer only"),
        ([str(letter)] * (MAX_FILES + 1), Settings(), BadOption, "at most"),
        ([str(letter.parent)], Settings(), BadOption, "is a folder"),
        ([str(letter) + "x"], Settings(), NotReadable, "is not there"),
    )
    for paths, settings, kind, word in cases:
        with pytest.raises(kind, match=word):
            opened_files(paths, settings)


def test_opened_files_leave_the_settings_of_the_form() -> None:
    changed = [
        name
        for name, update in zip(FILLED_FIELDS, opened_updates(["/a.pdf"]), strict=True)
        if not (isinstance(update, dict) and update == {"__type__": "update"})
    ]
    assert changed == ["tabs", "source", "files"]


@pytest.mark.skipif(
    not CAN_SHOW_WINDOWS,
    reason='a window needs pip install ".[desktop]", a toolkit (Qt or GTK), and Xvfb',
)
def test_a_real_window_shows_the_named_file(tmp_path: Path) -> None:
    done = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", WINDOW_PROGRAM, str(EXAMPLE_PDF)],
        cwd=ROOT,
        # Chromium, which Qt brings along, has no sandbox for the administrator of a container.
        env={
            **os.environ,
            "SUMMARIZER_DATA_DIR": str(tmp_path),
            "QTWEBENGINE_DISABLE_SANDBOX": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Long document summarizer | merrow-report.pdf · 29 pages" in done.stdout
    assert "Traceback" not in done.stderr
