"""Steps that the tests of the page share."""

from __future__ import annotations

import time

import pytest

PATIENCE_MS = 180_000


def drop(page, *paths) -> None:
    page.set_input_files("#files input[type=file]", [str(p) for p in paths])


def paste(page, text: str) -> None:
    """Paste into the box of the Text tab. Gradio creates the box when its tab is first opened, and
    for 60 ms after that loses input, which only a test is fast enough to notice."""
    page.click("button[role=tab]:has-text('Text')")
    box = page.wait_for_selector("#text textarea")
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < deadline:
        box.fill(text)
        page.wait_for_timeout(300)
        if box.input_value() == text:
            return
    pytest.fail("the pasted text does not stay in its box")


def summarize(page, *paths, length: str = "Short") -> None:
    """Drop files, summarize them and wait for the end."""
    drop(page, *paths)
    page.wait_for_selector(".facts")
    page.click(f"label:has-text('{length}')")
    page.evaluate("document.querySelector('#summary')?.setAttribute('data-before', '')")
    page.click("#run")
    # A short run may end before the page has shown it as begun.
    page.wait_for_selector("#summary[aria-busy=false]:not([data-before])")
