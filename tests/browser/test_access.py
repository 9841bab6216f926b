"""The page without a mouse, at twice the size, with the system's colours, and for many files."""

from __future__ import annotations

import pytest
from pypdf import PdfWriter

from tests.browser.steps import PATIENCE_MS, drop, summarize
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
FIND = "#find :is(input, textarea)"
# What has the focus: its place, its words, and whether one can see that it has the focus.
FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  const around = element.closest("label, .wrap, .block") ?? element;
  const rings = [style, getComputedStyle(around)].map((s) =>
    (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none");
  return {
    in: element.closest("[id]")?.id ?? "", tag: element.tagName,
    words: (element.innerText || element.value || element.ariaLabel || "").slice(0, 60),
    seen: rings.some(Boolean),
  };
}"""
MAX_STOPS = 60  # of the Tab key; more would mean that something catches the focus


def tab_to(page, selector: str, unseen: list[str]) -> None:
    """Press Tab until an element has the focus; note each stop whose focus cannot be seen."""
    for _ in range(MAX_STOPS):
        page.keyboard.press("Tab")
        if not (found := page.evaluate(FOCUSED))["seen"]:
            unseen.append(f"{found['tag']} {found['in']}: {found['words']}")
        if page.evaluate("(s) => document.activeElement.closest(s) !== null", selector):
            return
    pytest.fail(f"Tab does not lead to {selector}")


def test_a_whole_run_by_keyboard_alone(page) -> None:
    unseen: list[str] = []
    choosers: list = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    tab_to(page, "#files button", unseen)
    for _ in range(MAX_STOPS):  # a page that has just been opened does not hear keys yet
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        if choosers:
            break
    choosers[0].set_files(str(EXAMPLE_PDF))
    page.wait_for_selector(".facts")
    tab_to(page, "#length input", unseen)
    page.keyboard.press("Space")
    assert page.is_checked("#length label:has-text('Short') input")
    said = "document.querySelector('#forecast')?.innerText.match(/(\\d+) words/)"
    page.wait_for_function(f"() => {{const said = {said}; return said && said[1] < 110}}")
    tab_to(page, "#run", unseen)
    page.keyboard.press("Enter")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.keyboard.press("/")
    assert page.evaluate("(s) => document.activeElement.matches(s)", FIND)
    page.keyboard.type("soil samples")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hits .cite")
    tab_to(page, ".hits .cite", unseen)
    page.keyboard.press("Enter")
    page.wait_for_selector("#source .sheet img")
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")
    assert page.evaluate("document.activeElement.closest('.hits') !== null")
    tab_to(page, "#summary .cite", unseen)
    page.keyboard.press("Enter")
    page.wait_for_selector("#summary .cite[aria-current]")
    first = page.inner_text("#summary .cite[aria-current]")
    page.keyboard.press("n")
    page.wait_for_function(
        "(first) => ![first, undefined].includes("
        "document.querySelector('#summary .cite[aria-current]')?.innerText)",
        arg=first,
    )
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")
    tab_to(page, ".by-section summary", unseen)
    page.keyboard.press("Enter")
    page.wait_for_selector(".by-section details:not([data-unwritten]) .sentence")
    tab_to(page, "#download-md", unseen)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert "Merrow" in download.value.path().read_text(encoding="utf-8")
    assert not unseen


def widths(page) -> tuple[int, int]:
    return tuple(page.evaluate("[document.documentElement.scrollWidth, innerWidth]"))


def test_it_fits_at_twice_the_size(browser, url) -> None:
    """A window of 1280 points at 200 % has room for 640."""
    page = browser.new_page(viewport={"width": 640, "height": 450}, device_scale_factor=2)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#run")
    page.click("#advanced button:has-text('Advanced')")
    page.wait_for_selector("#model input")
    content, window = widths(page)
    assert content <= window
    page.click("#advanced button:has-text('Advanced')")
    summarize(page, EXAMPLE_PDF)
    page.fill(FIND, "harbour")
    page.press(FIND, "Enter")
    page.wait_for_selector(".hits li")
    assert widths(page)[0] <= window
    page.click("#summary .sentence:not(.same) .cite")
    page.wait_for_selector("#source .sheet img")
    assert widths(page)[0] <= window
    box = page.locator("#source .close").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= window and box["y"] >= 0
    page.close()


def test_on_a_phone_the_page_of_the_source_has_one_row_of_buttons(browser, url) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#run")
    summarize(page, EXAMPLE_TEXT)
    page.click("#summary .sentence:not(.same) .cite")
    page.wait_for_selector("#source .source")
    buttons = page.locator(".source-bar button")
    rows = {buttons.nth(at).bounding_box()["y"] for at in range(buttons.count())}
    assert buttons.count() == 5 and len(rows) == 1
    page.close()


def test_states_are_seen_in_the_colours_of_the_system(browser, url) -> None:
    """Forced colours remove backgrounds and shadows."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, forced_colors="active")
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#run")

    def style(selector: str, name: str, part: str = "") -> str:
        script = "([s, n, p]) => getComputedStyle(document.querySelector(s), p || null)[n]"
        return page.evaluate(script, [selector, name, part])

    assert style("#run", "borderStyle") == "solid"
    assert "underline" in style("[role=tab][aria-selected=true]", "textDecorationLine")
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    page.click("#run")
    bar = "document.querySelector('#status .bar')"  # soon gone again
    page.wait_for_function(f"() => {bar} && getComputedStyle({bar}).outlineStyle === 'solid'")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.click("#summary .sentence:not(.same) .cite")
    page.wait_for_selector("#summary .cite[aria-current]")
    assert style("#summary .cite[aria-current]", "outlineStyle") == "solid"
    assert "underline" in style(".sentence.cited", "textDecorationLine")
    assert style(".cell.read", "outlineStyle", "::after") == "solid"
    page.close()


def test_found_words_of_arabic_stand_from_the_right(page, tmp_path) -> None:
    file = tmp_path / "تقرير المكتبة.txt"
    sentence = "وقالت مديرة المكتبة (Sara Nilsson) إن عدد الأعضاء بلغ {} في نهاية السنة."
    file.write_text("\n\n".join(sentence.format(310 + n) for n in range(12)), encoding="utf-8")
    summarize(page, file)
    page.fill(FIND, "الأعضاء")
    page.press(FIND, "Enter")
    page.wait_for_selector(".hits li")
    assert "12 places on 1 part" in page.inner_text("#found")
    for at in (0, 5):
        item = page.locator(".hits li").nth(at)
        snippet, whole = item.locator("[dir=rtl]").bounding_box(), item.bounding_box()
        assert abs(snippet["x"] + snippet["width"] - whole["x"] - whole["width"]) < 2
        assert item.locator(".cite").bounding_box()["x"] < snippet["x"]


def test_an_empty_page_hides_no_download(page, tmp_path) -> None:
    file = tmp_path / "gap.pdf"
    writer = PdfWriter(clone_from=str(EXAMPLE_PDF))
    writer.insert_blank_page(index=8)
    writer.write(file)
    summarize(page, file)
    assert page.query_selector(".cell.empty")
    assert page.is_visible("#download-md") and page.is_visible("#find") and page.is_visible("#copy")


def test_twenty_files_leave_the_button_in_sight(page, tmp_path) -> None:
    files = [tmp_path / f"Minutes of the meeting number {n}.txt" for n in range(20)]
    for n, file in enumerate(files):
        file.write_text(f"The council met {n + 2} times. It opened a library of tools in March.")
    drop(page, *files)
    page.wait_for_selector(".facts.many")
    assert "20 documents, " in page.inner_text("#facts")
    box = page.locator("#run").bounding_box()
    assert box["y"] + box["height"] < 900
    page.evaluate("""() => {
      window.titles = new Set();
      new MutationObserver(() => titles.add(document.title)).observe(document.head,
        {subtree: true, childList: true, characterData: true});
    }""")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    names = {title.split(" – ")[-2] for title in page.evaluate("[...titles]") if " – " in title}
    assert len(names) > 1  # the document whose turn it is, not always the first
    assert page.locator(".choose-model").count() == 1
    page.click(".jump summary")
    page.click(".jump a:has-text('number 17')")
    page.wait_for_function(
        "() => document.getElementById('document-17').getBoundingClientRect().top < innerHeight"
    )
