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

        webview.settings["ALLOW_DOWNLOADS"] = True
        webview.create_window(TITLE, url, width=SIZE[0], height=SIZE[1])
        webview.start()
    except Exception:  # it is not there, or has nothing on this machine to draw with
        print(
            'No window can be shown (pip install ".[desktop]" adds what it needs; on Linux GTK or '
            "Qt as well): opening the browser instead.",
            file=sys.stderr,
        )
        webbrowser.open(url)
        threading.Event().wait()
