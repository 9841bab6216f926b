"""The page in a native window, or in the browser where no window toolkit is installed."""

from __future__ import annotations

import sys
import threading
import webbrowser

WINDOW_TITLE = "Long document summarizer"
WINDOW_SIZE = (1200, 860)


def show(url: str) -> None:
    """Show the page; return when its window is closed or the program interrupted."""
    try:
        import webview

        webview.settings["ALLOW_DOWNLOADS"] = True
        webview.create_window(WINDOW_TITLE, url, width=WINDOW_SIZE[0], height=WINDOW_SIZE[1])
        webview.start()
    except Exception:  # not installed, or without a toolkit that it can use
        print(
            'No window can be shown (pip install ".[desktop]" adds what it needs; on Linux GTK or '
            "Qt as well): opening the browser instead.",
            file=sys.stderr,
        )
        webbrowser.open(url)
        threading.Event().wait()
