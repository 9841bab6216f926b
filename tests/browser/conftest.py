"""One running page and one browser for all tests of the page.

They end with this folder's last test: beside a running browser no other event loop can be started.
"""

from __future__ import annotations

import os

import pytest

from tests.browser.steps import PATIENCE_MS, summarize
from tests.conftest import EXAMPLE_PDF
from tests.server import running_page


@pytest.fixture(scope="package")
def url():
    with running_page("--dtype", "float32") as address:
        yield address


@pytest.fixture(scope="package")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, url):
    """Return a fresh page; the test fails when it requests anything from another server, or
    breaks the policy that the server sends with it."""
    yield from _tab(browser, url)


@pytest.fixture(scope="module")
def finished(browser, url):
    """Return a page with a short summary of the example report, for the tests of a module that
    change nothing which the others see."""
    for tab in _tab(browser, url):
        summarize(tab, EXAMPLE_PDF)
        yield tab


def _tab(browser, url):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    foreign: list[str] = []
    errors: list[str] = []
    tab.on(
        "request",
        lambda r: None if r.url.startswith((url, "data:", "blob:")) else foreign.append(r.url),
    )
    tab.on("pageerror", lambda e: errors.append(str(e)))
    policy = "Content Security Policy"
    tab.on("console", lambda m: errors.append(m.text) if policy in m.text else None)
    tab.goto(url)
    tab.wait_for_selector("#run")
    yield tab
    context.close()
    assert foreign == [] and errors == []
