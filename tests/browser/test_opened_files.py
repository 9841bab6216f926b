"""Files that the page was started with, in a real browser."""

from __future__ import annotations

import pytest

from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT
from tests.server import running_page

pytestmark = pytest.mark.browser


def test_the_page_shows_the_files_that_it_was_started_with(browser, tmp_path) -> None:
    files = (str(EXAMPLE_PDF), str(EXAMPLE_TEXT))
    # BROWSER: the page would open one of the system's own.
    with running_page(*files, BROWSER="true", SUMMARIZER_DATA_DIR=str(tmp_path)) as url:
        tab = browser.new_context().new_page()
        for _ in range(2):  # a reload shows them again
            tab.goto(url)
            tab.wait_for_selector("#facts:has-text('29 pages'):has-text('lending-library.md')")
        tab.fill("#words input, #words textarea", "60")
        tab.click("#run")
        tab.wait_for_selector("#summary >> text=merrow-report.pdf")
        tab.wait_for_selector("#stop[disabled]")
        tab.reload()  # from now on the tab shows its run
        tab.wait_for_selector("#summary >> text=lending-library.md")
        assert tab.input_value("#words input, #words textarea") == "60"
        # Without the token, another user of this computer sees nothing.
        other = browser.new_context().new_page()
        other.goto(url.partition("?")[0])
        other.wait_for_selector("#run")
        other.wait_for_timeout(2_000)  # in which the first page showed its files
        assert other.inner_text("#facts") == ""
        assert other.locator("#files tr.file").count() == 0
