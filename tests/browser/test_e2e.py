"""The page in a real browser: drop a PDF, watch it stream, stop, download, delete."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from app.documents.readers.pdf import ocr as ocr_engine
from app.events import Sentence
from app.ui import render
from tests.browser.steps import PATIENCE_MS, drop, paste
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT
from tests.documents import make_pdfs

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
COMMITTED = """() => [...document.querySelectorAll('#summary article')].map(article => {
  const copy = article.cloneNode(true);
  copy.querySelectorAll('.provisional, .cite, .spoken, .unsupported').forEach(e => e.remove());
  return [...copy.querySelectorAll('.text')].map(e => e.innerText).join(' ');
}).join(' ').replace(/\\s+/g, ' ').trim()"""

# The contrast ratio of WCAG, against the first background below the text that is not transparent.
CONTRAST = """element => {
  const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => rgb(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0.05);
  const text = light(getComputedStyle(element).color);
  let below = element;
  const behind = () => getComputedStyle(below).backgroundColor;
  while (rgb(behind())[3] === 0) below = below.parentElement;
  const ground = light(behind());
  return Math.max(text, ground) / Math.min(text, ground);
}"""


def is_done(page) -> bool:
    return page.query_selector("#summary[aria-busy=false]") is not None


def test_a_pdf_is_summarized_and_streamed(page, tmp_path) -> None:
    edge = page.query_selector("#header").bounding_box()["x"]
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    assert page.query_selector("#header").bounding_box()["x"] == edge  # the page does not jump
    assert re.search(r"29 pages · [\d,]+ words", page.inner_text(".facts"))
    page.click("#run")
    page.wait_for_selector("#summary .provisional")
    seen = [""]
    while not is_done(page):
        now = page.evaluate(COMMITTED)
        assert now.startswith(seen[-1]), "committed text was taken back"
        if now != seen[-1]:
            seen.append(now)
        time.sleep(0.05)
    final = page.evaluate(COMMITTED)
    assert len(seen) > 3 and final.startswith(seen[-1])
    assert page.inner_text("#status").startswith("Done")
    files = {}
    for fmt in ("md", "txt", "json"):
        with page.expect_download() as download:
            page.click(f"#download-{fmt}")
        assert download.value.suggested_filename == f"merrow-report-summary.{fmt}"
        download.value.save_as(tmp_path / fmt)
        files[fmt] = (tmp_path / fmt).read_text(encoding="utf-8")
    summary = json.loads(files["json"])
    assert " ".join(summary["summary"].split()) == final
    assert files["md"].startswith("# Summary of merrow-report.pdf")
    for section in summary["sections"]:
        assert all(s["text"] in files["txt"] for s in section["sentences"])


def test_a_citation_opens_its_page_with_the_passage_marked(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert re.search(r"\d+ of 29 pages read", page.inner_text(".coverage"))
    assert len(page.query_selector_all(".strip .cell")) == 29
    cite = page.query_selector_all("#summary .text .cite")[-1]
    cite.focus()
    page.keyboard.press("Enter")
    picture = page.wait_for_selector("#source img")
    page.wait_for_selector("#source .source:focus")
    assert in_sight(picture, page) and in_sight(cite, page)
    number = cite.get_attribute("data-page")
    assert f"{number} of 29" in page.inner_text("#source")
    marked = picture.evaluate("""async (image) => {
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'),
        {width: image.naturalWidth, height: image.naturalHeight});
      const pen = canvas.getContext('2d');
      pen.drawImage(image, 0, 0);
      const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
      let yellow = 0;
      for (let i = 0; i < data.length; i += 4)
        if (data[i] > 240 && data[i + 1] > 200 && data[i + 2] < 120) yellow += 1;
      return yellow;
    }""")
    assert marked > 2_000
    assert not page.is_visible("#run")
    turns = [("ArrowRight", 1), ("ArrowLeft", -1)]
    if number == "29":  # nothing comes after the last page
        turns.reverse()
    shown = int(number)
    for turn, step in turns:
        shown += step
        page.keyboard.press(turn)
        page.wait_for_function(
            f"() => document.querySelector('#source').innerText.includes('{shown} of 29')"
        )
    page.keyboard.press("Escape")
    page.wait_for_selector("#run", state="visible")
    page.wait_for_function("e => document.activeElement === e", arg=cite)


def in_sight(element, page) -> bool:
    """Return True when a part of an element is inside the window."""
    box, height = element.bounding_box(), page.viewport_size["height"]
    return box["y"] < height and box["y"] + box["height"] > 0


def test_the_strip_of_pages_works_by_keyboard(page) -> None:
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert "2 of 2 parts read" in page.inner_text(".coverage")
    page.evaluate("""() => {
      Object.defineProperty(navigator, 'clipboard', {value: undefined});  // as without https
      document.execCommand = () => { window.copied = document.activeElement.value; };
    }""")
    page.focus("#copy")
    page.keyboard.press("Enter")
    page.wait_for_selector("#copy:focus:has-text('Copied')")
    assert page.inner_text("#summary .text").split("part")[0].strip() in page.evaluate("copied")
    page.focus(".strip .cell[tabindex='0']")
    for key in ("ArrowLeft", "End", "ArrowRight", "Home", "ArrowRight"):
        page.keyboard.press(key)
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith("Part 2: read")
    doubt = render.cited_sentence(
        0, Sentence("9", (1,), ("1",), ({"span": [0, 1], "reason": "No."},))
    )
    page.evaluate("html => document.querySelector('#summary .text').innerHTML += html", doubt)
    reason = page.query_selector("#summary .flag .spoken")
    assert reason.bounding_box()["width"] <= 1
    page.focus("#summary .flag")
    assert reason.bounding_box()["width"] > 50
    page.focus(".strip .cell[tabindex='0']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#source .context")
    assert "part 2 of 2" in page.inner_text("#source")


def test_a_reloaded_page_follows_the_same_run(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    page.fill("#words input, #words textarea", "3000")  # so it still writes when the page is back
    page.click("#run")
    page.wait_for_function(f"() => ({COMMITTED})().length > 100")
    seen = page.evaluate(COMMITTED)
    page.reload()
    page.wait_for_selector("#summary .text")
    assert page.evaluate(COMMITTED).startswith(seen)
    page.wait_for_selector(".facts:has-text('29 pages')")  # which nobody read again
    page.click("#stop")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert page.inner_text("#status").startswith("Stopped")
    page.wait_for_selector("#run:enabled")


def test_each_tab_shows_its_own_run_after_a_reload(page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    for tab, document in ((page, EXAMPLE_PDF), (other, EXAMPLE_TEXT)):
        drop(tab, document)
        tab.wait_for_selector(".facts")
        tab.click("label:has-text('Short')")
        tab.click("#run")
        tab.wait_for_selector("#summary[aria-busy=false]")
        tab.wait_for_function("() => !!sessionStorage.getItem('job')")
    for tab, said in ((page, "29 pages read"), (other, "2 parts read")):
        tab.reload()
        tab.wait_for_selector("#summary[aria-busy=false]")
        assert said in tab.inner_text(".coverage")
    newest = page.context.new_page()
    newest.goto(page.url)
    newest.wait_for_selector("#summary[aria-busy=false]")
    assert "2 parts read" in newest.inner_text(".coverage")


def test_buttons_keep_their_labels_after_loading(page) -> None:
    page.wait_for_timeout(1_000)  # the events of loading must not empty them
    for name, label in (("run", "Summarize"), ("stop", "Stop")):
        assert page.inner_text(f"#{name}") == label
    # What is not laid out has no inner text of its own, only that of its source, blanks and all.
    assert not page.is_visible("#copy") and page.text_content("#copy").strip() == "Copy"


def test_stop_keeps_the_text_and_frees_the_page(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.click("label:has-text('Long')")
    page.click("#run")
    page.wait_for_selector("#summary .provisional")
    page.click("#stop")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert page.inner_text("#status").startswith("Stopped")
    assert page.evaluate(COMMITTED)
    assert page.is_enabled("#run") and not page.is_enabled("#stop")


def wait_for_status(page, words: str) -> None:
    """Wait until the status line has these words; fail with what it has instead."""
    try:
        page.wait_for_selector(f"#status .words:has-text('{words}')")
    except playwright.TimeoutError:
        shown = {part: page.inner_text(f"#{part}") for part in ("status", "facts", "run")}
        pytest.fail(f"{words!r} never appeared: {shown}")


@pytest.fixture(scope="module")
def long_pdf(tmp_path_factory):
    """Return a PDF that takes some seconds to read and to encode. Its lines differ, since repeated
    lines would be left out as headers or footers."""
    return write_pdf(tmp_path_factory.mktemp("long") / "long.pdf", 300)


@pytest.fixture(scope="module")
def longer_pdf(tmp_path_factory):
    """Return a PDF that is still being read when a slow browser has clicked two buttons."""
    return write_pdf(tmp_path_factory.mktemp("longer") / "longer.pdf", 3_000)


def write_pdf(path: Path, pages: int) -> Path:
    shuffle = random.Random(0).sample
    words = make_pdfs.PROSE.lower().replace(".", "").replace(",", "").split()
    lines = [" ".join(shuffle(words, 15)).capitalize() + "." for _ in range(pages * 8)]
    texts = ["\n".join(lines[at : at + 8]) for at in range(0, len(lines), 8)]
    path.write_bytes(make_pdfs.text_pdf(texts))
    return path


@pytest.mark.parametrize("stage", ["Reading", "Analyzing", "Writing"])
def test_stop_ends_every_stage(page, long_pdf, longer_pdf, stage) -> None:
    # Of the example, an earlier test's encoder states are kept: there is nothing to analyze.
    drop(page, {"Reading": longer_pdf, "Analyzing": long_pdf, "Writing": EXAMPLE_PDF}[stage])
    page.wait_for_selector("#facts .status" if stage == "Reading" else ".facts")
    page.click("label:has-text('Long')")
    page.click("#run")
    wait_for_status(page, stage)
    began = time.monotonic()
    page.click("#stop")
    page.wait_for_selector("#run:not([disabled])")
    print(f"{stage}: free {time.monotonic() - began:.2f} s after Stop")
    page.wait_for_selector("#stop[disabled]")  # the page draws one button after the other
    assert "topped" in page.inner_text("#status")


def test_a_bad_file_is_explained_and_the_next_one_works(page, tmp_path) -> None:
    fake = tmp_path / "login.pdf"
    fake.write_text("<!doctype html><html><body>Please log in</body></html>")
    drop(page, fake)
    page.wait_for_selector("#facts [role=alert]")
    assert "login.pdf" in page.inner_text("#facts") and "web page" in page.inner_text("#facts")
    page.click("label:has-text('Short')")
    page.wait_for_selector("#run[disabled]")
    assert "Traceback" not in page.content()
    assert "login" in page.inner_text("#files")
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector("#run:not([disabled])")
    assert page.is_checked("label:has-text('Short') input")


def test_a_protected_pdf_asks_for_its_password(page, tmp_path) -> None:
    writer = PdfWriter(clone_from=PdfReader(EXAMPLE_PDF))
    writer.encrypt("open sesame", algorithm="AES-256")
    locked = tmp_path / "locked.pdf"
    writer.write(locked)
    drop(page, locked)
    page.wait_for_selector("#facts [role=alert]")
    field = page.wait_for_selector("#password input, #password textarea")
    field.fill("wrong")
    field.press("Enter")
    page.wait_for_function("() => /does not open/.test(document.querySelector('#facts').innerText)")
    field.fill("open sesame")
    field.press("Enter")
    page.wait_for_selector(".facts")
    assert "29 pages" in page.inner_text(".facts")
    assert "sesame" not in page.inner_text("body")


def test_scanned_pages_are_read_with_ocr_when_it_is_switched_on(page, tmp_path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(make_pdfs.scan_of(make_pdfs.text_pdf()))
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".facts")
    assert not page.is_visible("#ocr")
    drop(page, path)
    page.wait_for_selector("#ocr:visible")
    assert "needs OCR" in page.inner_text(".facts") or "OCR first" in page.inner_text(".facts")
    box = page.locator("#ocr input")
    if not ocr_engine.is_installed():
        assert box.is_disabled() and "pip install" in page.inner_text("#ocr")
        return
    box.check()
    page.wait_for_selector(".facts:has-text('by OCR')")


def test_pasted_text_is_summarized_by_keyboard_alone(page) -> None:
    paste(page, EXAMPLE_TEXT.read_text(encoding="utf-8"))
    page.fill("#words input, #words textarea", "1000")  # so it still writes at the Escape
    page.focus("#text textarea")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#summary .provisional")
    page.keyboard.press("Escape")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert page.inner_text("#status").startswith("Stopped")


def test_summarize_without_a_document_shows_an_error(page) -> None:
    page.click("#run")
    page.wait_for_selector("#status [role=alert]")
    assert "drop a PDF" in page.inner_text("#status")


def test_markup_in_documents_is_not_rendered(page) -> None:
    hostile = "<img src=x onerror='window.hacked=1'> <b>The bridge</b> was closed on Monday. " * 12
    paste(page, hostile)
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert page.evaluate("window.hacked") is None
    assert page.query_selector("#summary img, #summary b") is None


def test_a_chosen_section_is_summarized_and_its_citation_leads_there(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".forecast")
    assert re.search(r"^About \d+ words, .* s", page.inner_text("#forecast"))
    told = page.get_attribute(".forecast", "title")
    assert re.search(r"tokens in \d+ steps?; about .* words .* of memory", told)
    assert not page.is_visible("#section-boxes")
    page.click("#sections button")
    page.click("#section-boxes label:has-text('4 Water and mud')")
    page.wait_for_function("() => /in 1 step/.test(document.querySelector('.forecast').title)")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert "2 of 29 pages read" in page.inner_text(".coverage")
    cite = page.query_selector("#summary .text .sentence:not(.same) .cite")
    assert cite.get_attribute("data-page") in ("13", "14")
    cite.click()
    page.wait_for_selector("#source img")
    assert f"{cite.get_attribute('data-page')} of 29" in page.inner_text("#source")


def test_two_lengths_are_compared_without_encoding_twice(page) -> None:
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".forecast")
    assert not page.is_visible("#compare")
    for length in ("Short", "Medium"):
        page.click(f"label:has-text('{length}')")
        page.click("#run")
        page.wait_for_selector("#summary[aria-busy=true]")
        page.wait_for_selector("#summary[aria-busy=false]")
        if length == "Short":
            page.wait_for_timeout(300)
    page.click("#compare button")
    page.click("#earlier input")
    page.click("[role=option]:has-text('short, bundled')")
    table = page.wait_for_selector("#comparison .compare")
    assert table.query_selector(".only")
    words = page.inner_text("#comparison thead")
    assert "Earlier" in words and "short, bundled" in words and "medium, bundled" in words
    table.query_selector(".cite").click()
    page.wait_for_selector("#source .context mark")
    with page.expect_download() as download:
        page.click("#download-json")
    with open(download.value.path(), encoding="utf-8") as file:
        assert json.load(file)["timings"]["encode_s"] == 0


def test_references_can_be_included_from_their_warning(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    answer = page.inner_text("#answer")  # names what was left out once, whatever the form says
    assert answer.count("page 23") == answer.count("iii-iv") == 1 and "23:" not in answer
    assert page.inner_text(".facts summary") == "What is left out"
    assert not page.is_visible(".facts details p")
    page.click(".warnings .include")
    page.wait_for_selector("#summary[aria-busy=true]")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert "27 of 29 pages read" in page.inner_text(".coverage")
    assert page.query_selector(".warnings .include") is None
    page.click("#advanced button:has-text('Advanced')")
    page.wait_for_selector("#references input:checked")


def test_focus_moves_to_the_status_when_a_button_disappears(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    page.click("label:has-text('Short')")
    for pressed, then in (
        ("#run", "#summary[aria-busy=true]"),
        ("#stop", "#run:not([disabled])"),
        (".warnings .include", "#summary[aria-busy=true]"),
        ("#forget", "#status .notice"),
    ):
        if pressed == ".warnings .include":
            page.wait_for_selector("#stop[disabled]")
            page.click("#run")
            page.wait_for_selector("#summary[aria-busy=true]")
        if pressed in (".warnings .include", "#forget"):
            page.wait_for_selector("#summary[aria-busy=false]")
        page.focus(pressed)
        page.keyboard.press("Enter")
        page.wait_for_selector(then)
        page.wait_for_selector("#status:focus")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.closest('#ask') !== null")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(browser, url, theme, tmp_path) -> None:
    fake = tmp_path / ("a" * 150 + ".pdf")
    fake.write_text("<!doctype html><html><body>Please log in</body></html>")
    context = browser.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(f"{url}?__theme={theme}")
    tab.wait_for_selector("#run")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    behind = "getComputedStyle(document.querySelector('gradio-app')).backgroundColor"
    written = "getComputedStyle(document.querySelector('#header h1')).color"
    for colour, is_dark in ((behind, theme == "dark"), (written, theme == "light")):
        tab.wait_for_function(
            f"() => ({colour}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) < 200)"
            f" == {str(is_dark).lower()}"
        )
    drop(tab, EXAMPLE_TEXT, fake)
    tab.wait_for_selector(".facts")
    tab.wait_for_selector("#facts [role=alert]")
    for selector in ("#run", "[role=tab][aria-selected=true]", ".forecast"):
        assert tab.evaluate(CONTRAST, tab.wait_for_selector(selector)) >= 4.5, selector
    tab.click("label:has-text('Short')")
    tab.click("#run")
    tab.wait_for_selector("#summary[aria-busy=false]")
    assert 0 <= tab.query_selector("#status").bounding_box()["y"] < 200
    cite = tab.query_selector_all("#summary .text .cite")[-1]
    cite.click()
    mark = tab.wait_for_selector("#source .context mark")
    tab.wait_for_selector("#source .source:focus")
    assert in_sight(mark, tab) and in_sight(tab.query_selector("#source .close"), tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.click("#source .close")
    tab.wait_for_selector("#source .source", state="detached")
    tab.wait_for_function(
        "e => e.getBoundingClientRect().top < innerHeight && e.getBoundingClientRect().bottom > 0",
        arg=cite,
    )
    context.close()


def test_right_to_left_text_in_a_narrow_window(browser, url, tmp_path) -> None:
    context = browser.new_context(viewport={"width": 683, "height": 384})  # 1366, zoomed to 200 %
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.goto(url)
    tab.wait_for_selector("#run")
    hebrew = tmp_path / "hebrew.txt"
    hebrew.write_text("הוועדה קבעה כי התקציב של העירייה יגדל, אך התושבים לא הסכימו. " * 80, "utf-8")
    drop(tab, hebrew)
    tab.wait_for_selector(".facts")
    tab.click("label:has-text('Short')")
    tab.click("#run")
    tab.wait_for_selector("#summary[aria-busy=false]")
    text = tab.query_selector("#summary .text")
    first, last = text.evaluate("""text => [0, 1].map(at => {
      const range = document.createRange();
      range.setStart(text.firstChild, at);
      range.setEnd(text.firstChild, at + 1);
      return range.getBoundingClientRect().right;
    })""")
    box = text.bounding_box()
    assert box["x"] + box["width"] - first < 5 and last < first
    tab.click("#summary .sentence:not(.same) .cite")
    tab.wait_for_selector("#source .source:focus")
    assert tab.evaluate("""() => [0.2, 0.5, 0.8].every(x => [0.1, 0.5, 0.9].every(y =>
      document.elementFromPoint(x * innerWidth, y * innerHeight).closest('#ask')))""")
    for key in ("Tab", "Shift+Tab", "Shift+Tab", "Shift+Tab", "Tab", *["Tab"] * 4):
        tab.keyboard.press(key)
        assert tab.evaluate("!document.activeElement.closest('#answer')")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#summary .cite:focus")
    tab.emulate_media(forced_colors="active")  # where no background of ours is left
    assert tab.evaluate("""() => {
      const cell = getComputedStyle(document.querySelector('.cell.read'), '::after');
      return cell.backgroundColor !== getComputedStyle(document.body).backgroundColor
        && getComputedStyle(document.querySelector('#length input')).appearance === 'auto';
    }""")
    context.close()


def test_missing_pages_and_deleted_documents_show_messages(page) -> None:
    drop(page, EXAMPLE_TEXT)
    page.wait_for_selector(".forecast")
    page.click("#advanced button:has-text('Advanced')")
    pages = page.get_by_label("Pages", exact=False).first
    pages.fill("77")
    pages.press("Enter")
    assert "no page 77" in page.wait_for_selector("#forecast .problem").inner_text()
    pages.fill("")
    pages.press("Enter")
    page.wait_for_selector("#forecast .forecast")
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.set_viewport_size({"width": 390, "height": 844})
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#summary[aria-busy=false]")
    other.click("#forget")
    other.wait_for_selector("#status .notice")
    page.click("#summary .sentence:not(.same) .cite")
    assert in_sight(page.wait_for_selector("#source .source:focus .notice"), page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")


def test_escape_closes_dialogs_before_it_stops_the_run(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".facts")
    page.click("#advanced button:has-text('Advanced')")
    page.fill("#words input, #words textarea", "3000")  # so it still writes at the last Escape
    page.evaluate("""() => {
      window.stops = 0;
      document.getElementById('stop').addEventListener('click', () => { window.stops += 1; });
    }""")
    page.click("#run")
    page.wait_for_selector("#stop:not([disabled])")
    page.click("#model input")
    page.wait_for_selector("[role=option]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=option]", state="detached")
    page.click("button.settings")
    page.wait_for_selector("[role=dialog]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")
    assert page.evaluate("window.stops") == 0
    page.keyboard.press("Escape")
    page.wait_for_function("() => window.stops === 1")
    page.wait_for_selector("#summary[aria-busy=false]")
