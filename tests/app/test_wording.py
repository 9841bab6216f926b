"""Counts and page numbers as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents.load import document_from_text
from app.events import DocumentStarted, Finished, PartKind, Planned, SectionSummary
from app.evidence.coverage import page_status_title
from app.export.compare import describe_summary
from app.export.shared import provenance_line, section_heading
from app.runs.run_state import RunState
from app.summary.plan import describe_planned
from app.ui import render
from app.wording import counted, isolated, places, ranges
from tests.app.test_export import summary_of


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 words"), (1, "1 word"), (2, "2 words"), (1_234, "1,234 words")]
)
def test_nouns_agree_with_their_number(count, said) -> None:
    assert counted(count, "word") == said


def test_consecutive_pages_become_ranges() -> None:
    labels = ("i", "ii", "iii", "1", "2")
    assert (ranges([1, 2, 4]), ranges([1, 2, 3, 5], labels)) == ("1-2, 4", "i-iii, 2")
    assert (places([4], "part"), places([1, 2, 4], labels=labels)) == ("part 4", "pages i-ii, 1")
    assert ranges([]) == ""
    assert ranges([1, 2], ("A-1", "A-2")) == "A-1–A-2"


@pytest.mark.parametrize(
    ("labels", "said"), [(("i", "ii", "1"), "ages i to 1"), (("A-1", "A-2", "A-3"), "ages A-1–A-3")]
)
def test_headings_and_warnings_format_pages_alike(labels, said) -> None:
    section = SectionSummary((1, 3), "It left.", 9, 3, labels=labels, kind=PartKind.SECTION)
    assert section_heading(section) == f"P{said}"
    assert places([1, 2, 3], labels=labels) == f"p{said}"


def test_repeated_page_label_gets_the_page_number() -> None:
    labels = ("1", "i", "i", "ii", "1", "2")  # a cover, a title, an imprint, and so on
    assert places([1], labels=labels) == "page 1 [1 of the file]"
    assert places([5, 6], labels=labels) == "pages 1-2"
    summary = replace(summary_of("Rain."), labels=labels)
    titles = [page_status_title(summary, [page], "read") for page in (1, 2, 5)]
    assert titles == [
        "Page 1 [1 of the file]: read",
        "Page i [2 of the file]: read",
        "Page 1, 5 of the file: read",
    ]


def test_one_word_is_singular() -> None:
    """Check the word counts of summary, document, section, comparison and plan."""
    summary = replace(summary_of("Rain."), pages=1, options={"length": "short", "num_beams": 1})
    board = RunState()
    for event in (DocumentStarted(1, 1, "a.txt"), Finished(summary)):
        board.apply(event)
    said = [
        render.finished_status(board),
        render.document_facts([document_from_text("Rain.", "a.txt")]),
        describe_summary(summary),
        provenance_line(summary),
        describe_planned(Planned(1, "part", 1, 1, 1, None, 0)),
    ]
    for one in ("1 word in", "1 part · 1 word<", "1 beam, 1 word", "1 page;", "1 word, 1 token in"):
        assert sum(one in line for line in said) == 1, one


@given(st.text("a1.\u05d0\u0627", min_size=1))
def test_only_names_from_the_right_are_isolated(name) -> None:
    is_turned = not {"\u05d0", "\u0627"}.isdisjoint(name)
    assert isolated(name) == (f"\u2068{name}\u2069" if is_turned else name)
