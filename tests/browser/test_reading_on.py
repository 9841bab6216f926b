"""What a reader does with a finished summary: open sections, find words, check pages."""

from __future__ import annotations

import re

import pytest
from pypdf import PdfReader

from tests.browser.steps import PATIENCE_MS, drop, paste, summarize
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT
from tests.documents import make_pdfs

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser
MAX_SHIFT = 0.02  # of the layout, in one run: the eye keeps its line
RECORD_SHIFTS = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    if (!entry.hadRecentInput) window.shift += entry.value;
  })).observe({type: 'layout-shift'});
}"""


def test_nothing_moves_in_a_run_and_the_title_shows_how_far_it_is(page) -> None:
    drop(page, EXAMPLE_PDF)
    page.wait_for_selector(".forecast")
    page.evaluate(RECORD_SHIFTS)
    page.evaluate("""() => {
      window.titles = new Set();
      new MutationObserver(() => titles.add(document.title)).observe(document.head,
        {subtree: true, childList: true, characterData: true});
    }""")
    page.click("#by-section input")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=true] h2:has-text('merrow-report.pdf')")
    page.wait_for_selector(".by-section details", state="attached")
    assert page.query_selector(".coverage.pending")  # the place of the strip
    page.click("#stop")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.wait_for_timeout(300)
    assert page.evaluate("shift") < MAX_SHIFT
    titles = page.evaluate("[...titles]")
    assert any(re.match(r"\d+ % – merrow-report.pdf – Long doc", title) for title in titles)
    assert page.title().startswith("merrow-report.pdf – ")
    assert " to read instead of " not in page.inner_text("#status")  # it was stopped


def test_a_section_is_written_when_it_is_opened_and_stays(finished) -> None:
    page = finished
    assert "1 min to read instead of" in page.inner_text("#status")
    sections = page.locator(".by-section details")
    assert sections.count() > 6 and page.locator(".by-section details[open]").count() == 0
    for at in (1, 2):  # the second waits for the first
        heading = sections.nth(at).locator("summary")
        assert re.search(r", pages? \d", heading.inner_text())
        heading.focus()
        page.keyboard.press("Enter")
    for at in (1, 2):
        page.wait_for_selector(
            f".by-section details[data-section='{at}']:not([data-unwritten]) .text .sentence"
        )
        assert 1 <= sections.nth(at).locator(".text .sentence").count() <= 3
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"  # no focus is lost
    assert sections.nth(2).locator(".said").inner_text().startswith("In the summary: ")
    sentence = sections.nth(2).locator(".text .sentence").first
    first = sentence.evaluate("element => element.firstChild.textContent.trim()")
    with page.expect_download() as download:
        page.click("#download-txt")
    assert first in download.value.path().read_text(encoding="utf-8")
    page.reload()
    page.wait_for_selector("#summary[aria-busy=false]")
    again = page.locator(".by-section details:not([data-unwritten])")
    assert again.count() == 2 and again.nth(1).locator(".text").text_content() in (
        sections.nth(2).locator(".text").text_content()
    )


def test_found_words_open_their_page(finished) -> None:
    page = finished
    box = page.locator("#find textarea, #find input")
    box.fill("set of  SOIL samples")
    box.press("Enter")
    page.wait_for_selector("#found .hits")
    assert "1 place on 1 page" in page.inner_text("#found")
    assert page.inner_text(".hits mark") == "set of soil samples"
    page.click(".hits .cite")
    page.wait_for_selector("#source img[alt*='soil samples']", timeout=PATIENCE_MS)
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")
    box.fill("no such words")
    box.press("Enter")
    page.wait_for_selector("#found .notice:has-text('does not stand')")


def test_copied_text_is_the_answer_without_strip_and_notes(finished) -> None:
    copied = finished.evaluate("""async () => {
      let text = "";
      navigator.clipboard.writeText = async (copied) => { text = copied; };
      await window.copySummary();
      return text;
    }""")
    assert "Merrow" in copied and "(p. " in copied
    for aside in ("pages read", "left out", "Made by a machine", "merrow-report", "Foreword"):
        assert aside not in copied


def test_the_highlighted_pdf_and_markdown_are_taken_away(finished, tmp_path) -> None:
    page = finished
    page.evaluate("() => { navigator.clipboard.writeText = async (t) => { window.taken = t; }; }")
    page.click("#choices label:has-text('Obsidian')")
    page.click("#choices label:has-text('first page')")
    page.click("#copy-md")
    page.wait_for_selector("#copy-md:has-text('Copied')")
    assert "([[merrow-report.pdf#page=6|p. 1]])" in page.evaluate("taken")
    with page.expect_download() as download:
        page.click("#highlight")
    assert download.value.suggested_filename == "merrow-report-highlighted.pdf"
    copy = PdfReader(download.value.path())
    cited = page.evaluate("""() => [...document.querySelectorAll('#summary .text .cite')]
      .map((cite) => +cite.dataset.page)""")
    added = len(copy.pages) - 29
    assert {at for at, page in enumerate(copy.pages) if notes_of(page)} == {
        number - 1 + added for number in cited
    }


def notes_of(page) -> list[str]:
    """Return the notes of the highlights of a page of a PDF."""
    annotations = [annotation.get_object() for annotation in page.get("/Annots", ())]
    return [a["/Contents"] for a in annotations if a["/Subtype"] == "/Highlight"]


def test_a_document_comes_back_and_is_summarized_at_another_length(page) -> None:
    paste(page, EXAMPLE_TEXT.read_text(encoding="utf-8"))
    page.fill("#words textarea, #words input", "40")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.wait_for_selector("#documents [data-open]")
    page.reload()
    page.wait_for_selector("#summary[aria-busy=false]")
    page.wait_for_function(
        "() => document.querySelector('#words textarea, #words input').value === '40'"
    )
    page.wait_for_function("() => document.querySelector('#text textarea')?.value.length > 1000")
    page.click("#documents [data-again][data-length=short]")
    page.wait_for_selector("#summary[aria-busy=true]")
    page.wait_for_selector("#summary[aria-busy=false]")
    page.wait_for_selector("#documents [data-open]:nth-of-type(2)")
    assert page.is_checked("label:has-text('Short') input")
    page.click("#documents [data-open]:has-text('40 words')")
    page.wait_for_selector("#summary:has-text('length 40 words')")
    page.click("#documents [data-forget]:has-text('Forget all')")
    page.wait_for_selector("#status .notice:has-text('Deleted')")
    page.wait_for_selector("#documents", state="hidden")


def test_a_text_is_counted_while_it_is_typed_whatever_the_files_are(page, tmp_path) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(make_pdfs.scan_of(make_pdfs.text_pdf()))
    drop(page, scan)
    page.wait_for_selector("#run:disabled")
    page.click("button[role=tab]:has-text('Text')")
    page.wait_for_selector("#run:not(:disabled)")
    paste(page, EXAMPLE_TEXT.read_text(encoding="utf-8"))
    page.wait_for_selector("#forecast:not(.old):has-text('words')")
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"  # it was not left
    page.click("button[role=tab]:has-text('Files')")
    page.wait_for_selector("#run:disabled")


def test_a_problem_stands_below_the_file_itself(page, tmp_path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    drop(page, empty)
    page.wait_for_selector("#facts .problem")
    assert not page.is_visible("#limits")
    page.wait_for_selector("#run:disabled")


def test_tools_stand_above_the_answer_and_only_a_pdf_is_highlighted(page) -> None:
    paste(page, EXAMPLE_TEXT.read_text(encoding="utf-8"))
    page.click("label:has-text('Short')")
    page.click("#run")
    page.wait_for_selector("#summary[aria-busy=false]")
    assert page.is_visible("#download-md") and not page.is_visible("#highlight")
    assert not page.is_visible("#choices label:has-text('first page')")
    top, below = (page.locator(part).bounding_box()["y"] for part in ("#copy", "#summary"))
    assert top < below
    assert "On the first Saturday" in page.inner_text("#documents strong")


def test_a_citation_marks_all_sentences_that_it_stands_for(finished) -> None:
    page = finished
    page.evaluate("""() => {  // four sentences of one page
      const text = document.querySelector('#summary .text');
      const last = text.querySelector('.sentence:not(.same)');
      for (let n = 0; n < 3; n++) {
        const same = last.cloneNode(true);
        same.className = 'sentence same';
        text.insertBefore(same, last);
      }
    }""")
    page.click("#summary .sentence:not(.same) .cite")
    page.wait_for_selector("#source .sheet img")
    marked = page.locator("#summary .sentence.cited")
    assert marked.count() >= 4
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")
    assert marked.count() == 0


def test_a_reloaded_page_shows_the_file_of_its_run(page) -> None:
    summarize(page, EXAMPLE_PDF)
    page.reload()
    page.wait_for_selector("#files:has-text('merrow-report')")
    page.wait_for_selector(".facts:has-text('29 pages')")
    assert page.is_checked("label:has-text('Short') input")


def test_the_cited_page_is_wide_and_citations_are_walked_by_key(finished) -> None:
    page = finished
    cites = page.locator("#summary article > p .sentence:not(.same) .cite")
    assert all(box["height"] >= 24 for box in (cites.nth(i).bounding_box() for i in range(2)))
    cites.nth(0).click()
    page.wait_for_selector("#source .sheet img")
    widths = "(({naturalWidth, clientWidth}) => [naturalWidth, clientWidth])"
    image = "document.querySelector('#source .sheet img')"
    natural, shown = page.evaluate(f"{widths}({image})")
    panel = page.locator(".source-body").bounding_box()["width"]
    assert shown > panel - 25 and natural > 0.95 * shown
    assert cites.nth(0).get_attribute("aria-current") == "true"
    page.keyboard.press("n")
    page.wait_for_selector("#source img:not([src=''])")
    page.wait_for_function("() => document.querySelectorAll('#answer [aria-current]').length === 1")
    page.wait_for_function("e => e.hasAttribute('aria-current')", arg=cites.nth(1).element_handle())
    assert re.search(r"page \d+ \(\d+ of 29 in the file\)", page.inner_text("#source-name"))
    page.click("#source .sheet")  # the whole page
    assert page.locator("#source .sheet img").bounding_box()["width"] < shown
    page.keyboard.press("Escape")
    page.wait_for_selector("#source .source", state="detached")
    assert page.locator("#answer [aria-current]").count() == 0
