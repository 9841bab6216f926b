"""Notes at the foot of a page are a kind of their own: read, cut no sentence, and not quoted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.documents.headings import join_pages, non_prose_in
from app.documents.model import Document, Page
from longt5.text.source import SourceText
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at

pytestmark = pytest.mark.usefixtures("no_child")
NOTE = "The flour was weighed by the brother of the miller in the same week."


def noted(canvas: Canvas, *notes: str, size: float = 8.5) -> None:
    """Draw a page of prose whose last sentence goes on overleaf, with notes under it."""
    y = lines_at(
        canvas, f"{PROSE}\n{PROSE}\nIn the spring the wheel was taken away by some men and"
    )
    for note in notes:
        y = lines_at(canvas, note, y=y - 14, size=size)


def rest(canvas: Canvas) -> None:
    lines_at(canvas, f"the boy of the ferry, who sold it. {PROSE}\n{PROSE}")


def notes_of(document: Document) -> list[str]:
    return [page.text[start:end] for page in document.pages for start, end in page.non_prose]


@pytest.mark.parametrize("mark", ["1 ", "12 ", "* ", "(3) "])
def test_non_prose_in_small_type_are_known_by_their_marks(
    mark: str, load: Callable[..., Document]
) -> None:
    more = f"{chr(ord(mark[0]) + 1) if mark != '* ' else '†'} See the letter of the year before."
    document = load(canvas_pdf([lambda c: noted(c, mark + NOTE, more), rest]))
    found = notes_of(document)
    assert len(found) == 2 and found[0].startswith(mark) and found[1].startswith(more[:2])
    text = join_pages(document)[0]
    assert "taken away by some men and\nthe boy of the ferry" in text, "no note cuts the sentence"


@pytest.mark.parametrize(
    ("notes", "size"),
    [
        ((f"1 {NOTE}",), 11),  # in the usual type
        (("• Oil the wheel.", "• Sweep the floor."), 8.5),
        (("* Oil the wheel.", "* Sweep the floor."), 8.5),
        ((NOTE,), 8.5),  # without a mark
    ],
)
def test_lists_and_prose_are_no_notes(
    notes: tuple[str, ...], size: float, load: Callable[..., Document]
) -> None:
    document = load(canvas_pdf([lambda c: noted(c, *notes, size=size), rest]))
    assert notes_of(document) == []


def test_small_type_above_the_text_is_no_note(load: Callable[..., Document]) -> None:
    def draw(canvas: Canvas) -> None:
        y = lines_at(canvas, f"1 {NOTE}", size=8)
        lines_at(canvas, f"{PROSE}\n{PROSE}", y=y - 20)

    assert notes_of(load(canvas_pdf([draw]))) == []


def test_no_sentence_of_a_note_is_a_candidate() -> None:
    text = f"{' '.join(PROSE.split())}\n\n1 {NOTE} It was good flour, as all people said of it."
    page = Page(1, "1", text, "ok", non_prose=((text.index("1 The"), len(text)),))
    document = Document("mill.pdf", "", "page", (page,), ())
    joined, ranges = join_pages(document)
    plain = SourceText.of(joined)
    source = SourceText.of(joined, non_prose=non_prose_in(document, ranges))
    said = [source.sentence(span) for span in source.candidates]
    assert any("good flour" in plain.sentence(span) for span in plain.candidates)
    assert len(said) == 3 and not any("flour was weighed" in s or "good flour" in s for s in said)


def test_notes_alone_may_be_quoted() -> None:
    text = "The wheel of the mill has not turned for a year. The miller counted forty sacks of it."
    assert (
        SourceText.of(text, non_prose=[(0, len(text))]).candidates == SourceText.of(text).candidates
    )


def test_a_page_with_nothing_but_its_number_is_empty(load: Callable[..., Document]) -> None:
    pages = [lambda c: lines_at(c, PROSE), lambda c: lines_at(c, "iv", y=40)]
    document = load(canvas_pdf(pages))
    assert [page.status for page in document.pages] == ["ok", "empty"]
