"""A model of the hub on the page: chosen, downloaded, cancelled, continued, used, removed."""

from __future__ import annotations

import shutil

import pytest

from tests.app.checkpoint_layouts import LAYOUTS, write_checkpoint
from tests.browser.steps import PATIENCE_MS, drop
from tests.conftest import EXAMPLE_TEXT
from tests.hub import Faults, running_hub
from tests.server import running_page

pytestmark = pytest.mark.browser
BOOKS = "pszemraj/long-t5-tglobal-base-16384-book-summary"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Return a hub with a checkpoint of some 9 MB in the published layout."""
    layout = next(layout for layout in LAYOUTS if layout.name == BOOKS)
    folder = write_checkpoint(layout, tmp_path_factory.mktemp("books"), d_model=64)
    with running_hub() as hub:
        hub.add(BOOKS, folder)
        yield hub


@pytest.fixture(scope="module")
def program(hub, tmp_path_factory):
    """Return the address of a program whose hub is ours, and the folder of its cache."""
    home = tmp_path_factory.mktemp("home")
    with running_page("--dtype", "float32", **hub.environment(home)) as url:
        yield url, home / "hub"


@pytest.fixture
def models_page(browser, hub, program):
    """Return a page with the menu of models open, none of the hub on the disk, and no faults."""
    url, cache = program
    shutil.rmtree(cache, ignore_errors=True)
    hub.faults = Faults()
    hub.requests.clear()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#run")
    page.wait_for_selector(".loading", state="hidden")
    page.click("#advanced button:has-text('Advanced')")
    yield page
    page.close()


def choose(page, words: str) -> None:
    page.click("#model input")
    page.click(f"#model [role=option]:has-text('{words}')")


def said(page, words: str) -> str:
    """Wait until the panel says these words; return all that it says."""
    page.wait_for_selector(f"#model-panel:has-text('{words}')")
    return page.inner_text("#model-panel")


def test_a_model_is_downloaded_used_and_removed(models_page, hub) -> None:
    page = models_page
    choose(page, "Book summaries")
    assert "990 MB are downloaded when" in said(page, "is not on this computer")
    assert not hub.requests  # choosing alone asks for nothing
    hub.faults.bytes_per_s = 1_500_000
    page.focus("#fetch-model")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cancel-model")
    page.focus("#cancel-model")
    assert "left" in said(page, "MB/s")
    assert page.get_attribute("#model-panel [role=progressbar]", "aria-label")
    page.wait_for_timeout(1_500)  # the bar moves, and the button keeps the focus
    assert page.evaluate("document.activeElement.id") == "cancel-model"
    page.keyboard.press("Enter")
    said(page, "are here: the download goes on")
    hub.faults.bytes_per_s = None
    page.click("#fetch-model:has-text('Continue the download')")
    said(page, "is on this computer and takes")
    assert any(asked for asked in hub.sent("pytorch_model.bin"))  # a range: it went on
    page.click("#model input")
    assert page.is_visible("[role=option]:has-text('on this computer')")
    page.keyboard.press("Escape")
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert "picks sentences" not in page.inner_text("#summary")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    page.click("#remove-model")
    said(page, "is not on this computer")
    assert "Other programs" in asked[0]


def test_a_failed_download_says_why_and_can_be_repeated(models_page, hub) -> None:
    page = models_page
    choose(page, "Book summaries")
    hub.faults.status["api"] = (429, {})
    page.click("#fetch-model")
    said(page, "too many requests")
    hub.faults.status.clear()
    hub.faults.damaged.add("pytorch_model.bin")
    page.click("#fetch-model")
    said(page, "arrived damaged")
    hub.faults.damaged.clear()
    page.click("#fetch-model")
    said(page, "is on this computer")


def test_stop_ends_the_download_of_a_run(models_page, hub) -> None:
    page = models_page
    choose(page, "Book summaries")
    hub.faults.bytes_per_s = 500_000
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    page.click("#run")
    page.wait_for_selector("#status:has-text('Downloading the model'):has-text('left')")
    page.wait_for_selector("#model-panel:has-text('Downloading')")
    page.click("#stop")
    page.wait_for_selector("#summary[aria-busy=false]")
    said(page, "are here: the download goes on")


def test_the_note_below_a_summary_leads_to_the_menu(page) -> None:
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.click(".choose-model")
    page.wait_for_function("document.activeElement.closest('#model') !== null")
