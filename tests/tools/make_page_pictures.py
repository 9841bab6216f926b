"""Take the pictures of the page in the READMEs: a run that streams, and an opened citation.

CHROMIUM=/usr/bin/chromium python -m tests.tools.make_page_pictures
"""

from __future__ import annotations

import os

from playwright.sync_api import Page, sync_playwright

from tests.conftest import EXAMPLE_PDF, ROOT
from tests.server import running_page

ASSETS = ROOT / "assets"
PATIENCE_MS = 180_000
CITATION = "#summary .text .sentence:not(.same) .cite"


def take_pictures(page: Page, url: str) -> None:
    """Summarize the example report and write `screenshot.png` and `citation.png`."""
    page.goto(url)
    page.wait_for_selector("#run")
    page.set_input_files("#files input[type=file]", str(EXAMPLE_PDF))
    page.wait_for_selector(".facts")
    page.wait_for_selector(".forecast")
    page.click("#run")
    page.wait_for_selector("#summary p.text:nth-of-type(2) .provisional")
    page.screenshot(path=ASSETS / "screenshot.png")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.locator(CITATION).first.click()
    page.wait_for_selector("#source img")
    page.wait_for_timeout(1_000)  # the page scrolls to the passage
    page.screenshot(path=ASSETS / "citation.png")


def main() -> None:
    """Start the page and a browser, and write both pictures."""
    with running_page() as url, sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        take_pictures(page, url)
        browser.close()


if __name__ == "__main__":
    main()
