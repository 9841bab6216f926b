"""The page under axe-core: no violation but those of Gradio's own components."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.steps import summarize
from tests.conftest import EXAMPLE_TEXT

pytest.importorskip("playwright.sync_api")
axe_core_python = pytest.importorskip("axe_core_python")  # in requirements-dev.txt
pytestmark = pytest.mark.browser
# Gradio's: the picture of its settings repeats their name, its upload button holds a button.
KNOWN = {
    ("image-redundant-alt", 'img[alt="Settings"]'),
    ("nested-interactive", 'button[aria-label="Add files"]'),
}


def violations(page) -> set[tuple[str, str]]:
    """Return (rule, selector) of what axe-core finds on the page as it is."""
    script = Path(axe_core_python.__file__).with_name("axe.min.js")
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("""async () => (await axe.run()).violations.flatMap(
      (rule) => rule.nodes.map((node) => [rule.id, node.target.join(' ')]))""")
    return {(rule, target) for rule, target in found} - KNOWN


def test_the_page_is_as_wide_as_its_window(page) -> None:
    for width in (390, 900, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("document.querySelector('#main').clientWidth > innerWidth - 100")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_axe_finds_nothing_of_ours(page) -> None:
    page.wait_for_selector(".loading", state="hidden")  # Gradio's, at the start
    assert not violations(page)
    page.keyboard.press("?")
    assert not violations(page)
    page.keyboard.press("Escape")
    assert page.locator("#keys[open]").count() == 0
    summarize(page, EXAMPLE_TEXT)
    page.click(".by-section details >> nth=0")
    page.wait_for_selector(".by-section details:not([data-unwritten]) .sentence")
    page.fill("#find textarea, #find input", "library")
    page.press("#find textarea, #find input", "Enter")
    page.wait_for_selector(".hits li")
    page.click("#advanced button:has-text('Advanced')")
    assert not violations(page)
    page.mouse.wheel(0, 4_000)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")  # the list is in sight, however far the page is scrolled
    box = page.locator("#keys dl").bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] <= page.viewport_size["height"]
    page.mouse.click(5, 5)
    assert page.locator("#keys[open]").count() == 0
    page.click("#summary .sentence:not(.same) .cite")
    page.wait_for_selector("#source .context mark")
    assert not violations(page)
    page.keyboard.press("Escape")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("body.dark", state="attached")
    page.wait_for_timeout(800)  # colours change gradually
    assert not violations(page)
