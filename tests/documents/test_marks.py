"""Citations by place: the lines of a page keep their boxes up to the picture that marks them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from app.documents.headings import join_pages
from app.documents.load import load_document
from app.documents.model import Document, LineBox, Mark, Page
from app.documents.readers.pdf.page_image import mark_boxes
from app.evidence.citations import find_passages
from app.evidence.marks import MAX_MARKS, checked_marks, marks_of
from app.settings import assets_dir
from app.summary.chunking import chunk_document, chunk_excerpts
from longt5.text.words import words_of
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at

pytestmark = pytest.mark.usefixtures("no_child")
REPORT = assets_dir() / "examples" / "merrow-report.pdf"


class Letters:
    """A tokenizer whose tokens are letters."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        return [1] * (len(text) + 1), [*((i, i + 1) for i in range(len(text))), (len(text),) * 2]


def text_at(data: bytes, marks: list[Mark], page: int = 1) -> str:
    """Return what PDFium finds in the boxes of marks."""
    textpage = pypdfium2.PdfDocument(io.BytesIO(data))[page - 1].get_textpage()
    boxes = mark_boxes(textpage, [mark for mark in marks if mark.page == page])
    return " ".join(textpage.get_text_bounded(*box) for box in boxes)


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@pytest.fixture(scope="module")
def report() -> Document:
    return load_document(REPORT)


def test_lines_lie_in_order_in_the_text_and_hold_its_words(report: Document) -> None:
    pdf = pypdfium2.PdfDocument(REPORT)
    for page in report.pages:
        textpage = pdf[page.number - 1].get_textpage()
        ends = [line.end for line in page.lines]
        assert all(a <= b.start for a, b in zip(ends, page.lines[1:], strict=False))
        assert not page.text or sum(line.end - line.start for line in page.lines) > 0.9 * len(
            page.text
        )
        for line in page.lines:
            left, bottom, right, top = line.box
            seen = textpage.get_text_bounded(left - 1, bottom - 1, right + 1, top + 1)
            own = words_of(page.text[line.start : line.end])[1:-1]  # edges may be cut words
            missing = [word for word in own if word not in words_of(seen)]
            assert len(missing) <= len(own) / 4, (own, seen)


def test_every_passage_of_a_report_is_marked_where_it_stands(report: Document) -> None:
    chunk = chunk_document(report, Letters(), 10**6)[0]
    pages = {page.number: page for page in report.pages}
    data = REPORT.read_bytes()
    right = []
    for passage in find_passages(chunk)[::7]:
        marks = [*marks_of(passage, chunk, pages)]
        seen = "".join(text_at(data, marks, page) for page in passage.pages)
        wanted = letters(chunk.text[passage.start : passage.end])
        right.append(letters(seen) == wanted)
    # The letters of cut words that the boxes hold too are the rest.
    assert sum(right) >= 0.95 * len(right) > 5


def test_a_sentence_that_stands_twice_is_marked_where_it_was_read(
    load: Callable[..., Document],
) -> None:
    twice = "Nobody mends it."
    body = f"The mill is old. {twice}\nThe ferry is new and so is\nits engine. {twice} It sank."
    data = canvas_pdf([partial(lines_at, text=body)])
    document = load(data)
    chunk = chunk_document(document, Letters(), 10**6)[0]
    pages = {page.number: page for page in document.pages}
    places = [m.start() for m in re.finditer(twice, chunk.text)]
    found = [p for p in find_passages(chunk) if p.start in places]
    first, second = ([*marks_of(passage, chunk, pages)] for passage in found)
    assert letters(text_at(data, first)) == letters(text_at(data, second)) == letters(twice)
    assert second[0].box[1] < first[0].box[1] - 10, "the second stands two lines below"


@pytest.mark.parametrize("turns", [0, 90, 180, 270])
def test_turned_pages_are_marked_along_their_lines(
    turns: int, load: Callable[..., Document]
) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(turns)
        canvas.translate(300, 400)
        canvas.rotate(turns)
        canvas.translate(-280, -100)
        lines_at(canvas, PROSE, x=0, y=100)

    data = canvas_pdf([draw])
    document = load(data)
    chunk = chunk_document(document, Letters(), 10**6)[0]
    pages = {page.number: page for page in document.pages}
    for passage in find_passages(chunk):
        seen = text_at(data, [*marks_of(passage, chunk, pages)])
        assert letters(seen) == letters(chunk.text[passage.start : passage.end])


def test_marks_of_excerpts_are_those_of_the_whole(report: Document) -> None:
    text, ranges = join_pages(report)
    pages = {page.number: page for page in report.pages}
    whole = chunk_excerpts(text, [(0, len(text))], ranges, Letters())
    at = text.index(". ", len(text) // 2) + 2
    part = chunk_excerpts(text, [(0, 50), (at, at + 2_000)], ranges, Letters())
    sentences = {
        whole.text[p.start : p.end]: marks_of(p, whole, pages) for p in find_passages(whole)
    }
    found = find_passages(part)[2:-2]
    assert len(found) > 5
    for passage in found:
        assert marks_of(passage, part, pages) == sentences[part.text[passage.start : passage.end]]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_parts_of_a_page_keep_the_places_of_their_lines(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.text("ab \n", min_size=1, max_size=9), min_size=1, max_size=6))
    text, lines = "", []
    for n, row in enumerate(rows):
        lines.append(LineBox(len(text), len(text) + len(row), (n, 0, n, 0)))
        text += row
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
    page = Page(1, "1", text, "ok", tuple(lines))
    part = page.with_parts([(cuts[0], cuts[1]), (cuts[2], cuts[3])])
    bodies = [text[a:b].strip() for a, b in ((cuts[0], cuts[1]), (cuts[2], cuts[3]))]
    assert part.text == "\n\n".join(filter(None, bodies))
    for line in part.lines:
        row = rows[int(line.box[0])]
        assert part.text[line.start : line.end] in row
    assert sum(line.end - line.start for line in part.lines) == sum(map(len, bodies))


def test_what_a_browser_sends_back_is_checked() -> None:
    mark = Mark(3, (1.0, 2.0, 3.0, 4.0), 0.25, 1.0)
    assert checked_marks([[*mark]]) == [mark]
    assert checked_marks([[*mark]] * 1_000) == [mark] * MAX_MARKS
    for wrong in (None, "marks", [[1]], [{"page": 1}], [[1, [0, 0, "x", 1], 0, 1]]):
        assert checked_marks(wrong) == []
