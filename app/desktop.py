"""The page in a native window, or in the browser where no window toolkit is installed."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from typing import Any

from .optional_packages import install_command
from .settings import data_dir, private_folder

WINDOW_TITLE = "Long document summarizer"
WINDOW_SIZE = (1200, 860)


def show(url: str) -> None:
    """Show the page; return when its window is closed or the program interrupted."""
    try:
        import webview

        # Of several toolkits it logs, with tracebacks, each that is not there.
        logging.getLogger("pywebview").setLevel(logging.CRITICAL)
        webview.settings["ALLOW_DOWNLOADS"] = True
        width, height = WINDOW_SIZE
        window = webview.create_window(
            WINDOW_TITLE, url, width=width, height=height, text_select=True, zoomable=True
        )
        with _close_on_terminate(window):
            # As in a browser, the list of documents and the page's run outlast the window.
            folder = private_folder(data_dir() / "window")
            webview.start(private_mode=False, storage_path=str(folder))
    except Exception:  # not installed, or without a toolkit or a screen that it can use
        print(
            f"No window can be shown ({install_command('desktop')} adds what it needs): opening "
            "the browser instead.",
            file=sys.stderr,
        )
        webbrowser.open(url)
        threading.Event().wait()


@contextlib.contextmanager
def _close_on_terminate(window: Any) -> Iterator[None]:
    """Close the window at SIGTERM: an exception would be lost in the toolkit's own loop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: window.destroy())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
