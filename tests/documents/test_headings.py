"""Sections: from the outline or the headings, all of the text, chosen by number or by title."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from app.documents.headings import join_pages, list_sections, sections_of
from app.documents.load import document_from_text, load_document
from app.documents.model import Document, OutlineItem, Page
from app.documents.selection import choose_part, select_sections
from app.errors import BadOption
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, paged
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at

pytestmark = pytest.mark.usefixtures("no_child")


def outlined(*entries: tuple[str, int, int], texts: tuple[str, ...]) -> Document:
    return replace(paged(*texts), outline=tuple(OutlineItem(*entry) for entry in entries))


def titles(document: Document) -> list[str]:
    return [section.title for section in sections_of(document)]


def test_sections_of_a_pdf_follow_its_bookmarks() -> None:
    found = list_sections(load_document(EXAMPLE_PDF))
    assert found[3] == {
        "number": 4,
        "title": "2 The plan and the people",
        "pages": [8, 9],
        "words": 680,
    }
    assert [f["pages"][0] for f in found] == sorted(f["pages"][0] for f in found)


def test_sections_of_a_text_follow_its_headings() -> None:
    document = document_from_text(EXAMPLE_TEXT.read_text(encoding="utf-8"))
    assert titles(document)[:3] == [
        "A year of lending ladders",
        "How it works",
        "The first year in figures",
    ]


def test_markdown_has_the_same_sections_as_its_pasted_text() -> None:
    pasted = document_from_text(EXAMPLE_TEXT.read_text(encoding="utf-8"))
    assert titles(load_document(EXAMPLE_TEXT)) == titles(pasted)


def test_repeated_titles_are_found_on_lines_of_their_own() -> None:
    text = (
        "Begin\n\nThe results and the costs follow.\n\nResults\n\nMany.\n\nNotes\n\nOne.\n\n"
        "Costs\n\nFew.\n\nNotes\n\nTwo."
    )
    outline = [OutlineItem(t, 1, 1) for t in ("Begin", "Results", "Notes", "Costs", "Notes")]
    sections = sections_of(replace(paged(text), outline=tuple(outline)))
    assert [text[s.start : s.end].split() for s in sections] == [
        "Begin The results and the costs follow.".split(),
        ["Results", "Many."],
        ["Notes", "One."],
        ["Costs", "Few."],
        ["Notes", "Two."],
    ]


def test_numbered_headings_count_up() -> None:
    text = (
        "1 Introduction\n\nWords.\n\n12 Madison Avenue\n\nMore words.\n\n2 See Section 9.\n\n"
        "2 Methods\n\nWords.\n\n2.1 Sites\n\nWords.\n\n3 Results\n\nWords."
    )
    assert titles(paged(text)) == ["1 Introduction", "2 Methods", "3 Results"]


def test_headings_in_large_type_are_an_outline_where_a_pdf_has_none(tmp_path) -> None:
    def page(title: str, *headed: tuple[str, int]) -> Callable[[Canvas], None]:
        def draw(canvas: Canvas) -> None:
            y = lines_at(canvas, title, y=790, size=24) - 10
            for heading, size in headed:
                y = lines_at(canvas, PROSE, y=lines_at(canvas, heading, y=y - 20, size=size) - 6)

        return draw

    path = tmp_path / "flood.pdf"
    path.write_bytes(
        canvas_pdf(
            [
                page("The flood", ("The night", 16), ("At the mill", 13), ("The morning", 16)),
                page("", ("What it cost", 16), ("At the farm", 13)),
            ]
        )
    )
    document = load_document(path)
    assert [(item.title, item.page, item.level) for item in document.outline] == [
        ("The night", 1, 1),
        ("At the mill", 1, 2),
        ("The morning", 1, 1),
        ("What it cost", 2, 1),
        ("At the farm", 2, 2),
    ]
    assert titles(document) == ["The night", "The morning", "What it cost"]
    path.write_bytes(canvas_pdf([page("Big", ("So", 16)), page("Words", ("On", 16)), page("Here")]))
    assert not load_document(path).outline  # titles of slides, and hardly a word below them


def test_headings_may_begin_with_any_capital() -> None:
    text = "1. Überblick\n\nEs war viel.\n\n2. Été\n\nIl fut court.\n\n3. Обзор\n\nДа.\n\n4. und so"
    assert titles(paged(text)) == ["1. Überblick", "2. Été", "3. Обзор"]


def test_articles_and_schedules_of_contracts_are_sections() -> None:
    text = (
        "Section A: What is insured\n\nAll.\n\nArticle 2 – Duties\n\nPay.\n\nSchedule 1: Rooms\n\n"
        "One.\n\nSection 9 Applies here too.\n\nPart Time Work"
    )
    assert titles(paged(text)) == [
        "Section A: What is insured",
        "Article 2 – Duties",
        "Schedule 1: Rooms",
    ]


def test_contents_without_page_numbers_are_not_taken_for_sections() -> None:
    names = ("1. What it is", "2. How to take it", "3. How to store it")
    text = "In this leaflet\n\n" + "\n\n".join([*names, *(f"{name}\n\nSo." for name in names)])
    document = paged(text)
    assert titles(document) == ["", *names]
    assert text[sections_of(document)[1].start :].count("1. What it is") == 1


def test_a_section_right_below_the_document_title_is_found() -> None:
    document = outlined(
        ("A Dishwasher", 1, 1),
        ("Safety", 1, 2),
        ("Daily use", 2, 2),
        texts=("A Dishwasher\n\nSafety\n\nMind the door.", "Daily use\n\nPress P."),
    )
    assert titles(document) == ["A Dishwasher", "Safety", "Daily use"]


def test_appendices_with_letters_follow_the_numbers() -> None:
    text = "\n\n".join(
        [
            "A Word Before",
            "1 Introduction",
            "Words.",
            "2 Methods",
            "Words.",
            "3 Conclusion",
            "Words.",
            "A Prolog-style Operators",
            "A Typing Rule reads:",
            "C Not Yet",
            "B Kernels",
            "Words.",
            "References",
            "Some.",
        ]
    )
    assert titles(paged(text))[1:] == [
        "1 Introduction",
        "2 Methods",
        "3 Conclusion",
        "A Prolog-style Operators",
        "B Kernels",
        "References",
    ]
    assert "A Prolog-style Operators" not in titles(paged(text.replace("B Kernels", "")))


def test_the_title_of_the_document_is_not_taken_for_a_section() -> None:
    entries = [("The report", 1, 1), ("One", 1, 2), ("Two", 2, 2), ("Three", 3, 2)]
    document = outlined(*entries, texts=("One. A.", "Two. B.", "Three. C."))
    assert titles(document)[-2:] == ["Two", "Three"]
    assert titles(outlined(*entries[:2], texts=("One. A.", "B.", "C."))) == []


def test_parts_of_a_text_are_joined_by_a_blank_line() -> None:
    rows = [f"[10:{n:02}] Worker {n} picked up a job for the queue of the night" for n in (1, 2)]
    pages = tuple(Page(n, str(n), row, "ok") for n, row in enumerate(rows, 1))
    assert join_pages(Document("log", "", "part", pages, ()))[0] == "\n\n".join(rows)
    assert join_pages(Document("log", "", "page", pages, ()))[0] == "\n".join(rows)


def test_a_kicker_above_the_title_belongs_to_its_section() -> None:
    texts = ("One\n\nIt began.", "Chapter 2\n\nTwo\n\nIt went on.", "So it ended.\n\nThree\n\nEnd.")
    document = outlined(("One", 1, 1), ("Two", 2, 1), ("Three", 3, 1), texts=texts)
    text, _ = join_pages(document)
    assert [text[s.start : s.end].strip() for s in sections_of(document)] == [
        "One\n\nIt began.",
        "Chapter 2\n\nTwo\n\nIt went on.\n\nSo it ended.",
        "Three\n\nEnd.",
    ]


PAGE = st.sampled_from(["", "Low water.", "It rose. It fell.", "One\n\nA mast.", "x\n\nTwo\n\ny."])
ENTRY = st.tuples(
    st.sampled_from(["One", "Two", "Three!", "("]), st.integers(1, 9), st.integers(1, 3)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PAGE, min_size=1, max_size=9), st.lists(ENTRY, max_size=8))
def test_sections_cover_the_whole_text_in_order(texts, entries) -> None:
    document = outlined(*entries, texts=tuple(texts))
    text, pages = join_pages(document)
    sections = sections_of(document)
    if not sections:
        return
    assert sections[0].start == 0 and sections[-1].end == len(text)
    assert all(a.end == b.start for a, b in zip(sections, sections[1:], strict=False))
    for section in sections:
        inside = [n for n, start, end in pages if start < section.end and section.start < end]
        assert not inside or (inside[0], inside[-1]) == section.pages


@settings(max_examples=200, deadline=None)
@given(st.lists(PAGE, min_size=1, max_size=9), st.lists(ENTRY, max_size=8), st.data())
def test_selected_sections_keep_their_text_and_nothing_else(texts, entries, data) -> None:
    document = outlined(*entries, texts=tuple(texts))
    text, _ = join_pages(document)
    sections = sections_of(document)
    if not sections:
        return
    wanted = data.draw(st.sets(st.integers(1, len(sections)), min_size=1))
    kept = select_sections(document, ",".join(map(str, sorted(wanted))))
    whole = "".join(text[sections[n - 1].start : sections[n - 1].end] for n in sorted(wanted))
    assert "".join(join_pages(kept)[0].split()) == "".join(whole.split())
    assert [page.number for page in kept.pages] == [page.number for page in document.pages]
    for page, before in zip(kept.pages, document.pages, strict=True):
        assert page.text or not before.text or page.status == "skipped"


def test_sections_are_selected_by_title_and_unknown_ones_refused() -> None:
    document = load_document(EXAMPLE_PDF)
    kept = choose_part(document, "mud; Farming", "")
    assert [p.number for p in kept.pages if p.status == "ok"] == [13, 14, 18, 19]
    assert choose_part(document, "4-5", "9-10").pages[8].status == "ok"
    for spec, words in (
        ("77", "has no section 77"),
        ("Nothing", "no section called"),
        ("2-1", "range of sections"),
    ):
        with pytest.raises(BadOption, match=words):
            select_sections(document, spec)
    with pytest.raises(BadOption, match="no sections to choose from"):
        select_sections(paged("Just words."), "1")


def test_selected_sections_are_found_again() -> None:
    document = load_document(EXAMPLE_PDF)
    kept = select_sections(document, "4,6-7")
    assert titles(kept) == [
        "2 The plan and the people",
        "4 Water and mud",
        "5 Life in the marsh",
    ]
    assert select_sections(document, "1-14").pages == document.pages
