"""The page in a native window, or in the browser where there is no window toolkit."""

from __future__ import annotations

import sys
import threading
import webbrowser

TITLE = "Long document summarizer"
SIZE = (1200, 860)


def show(url: str) -> None:
    """Show the page and stay until its window is closed (or the program interrupted)."""
    try:
        import webview
    except ImportError:
        print(
            'No window toolkit is installed (pip install ".[desktop]" adds one): '
            "opening the browser instead.",
            file=sys.stderr,
        )
        webbrowser.open(url)
        threading.Event().wait()
        return
    webview.settings["ALLOW_DOWNLOADS"] = True
    webview.create_window(TITLE, url, width=SIZE[0], height=SIZE[1])
    webview.start()
