"""Pages accounted for, and how they are named: printed labels, parts, chapters."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents.headings import Section
from app.documents.load import _page_warnings as document_warnings
from app.documents.load import document_from_text
from app.documents.model import OutlineItem
from app.events import PartKind, SectionSummary, Sentence, Summary
from app.evidence.coverage import (
    citations_per_page,
    cite_pages,
    coverage_line,
    page_labels,
    split_unit,
    without_references,
)
from app.export.formats import export_text
from app.export.shared import BY_SECTION_HEADING, section_heading
from app.runs.run_state import DocumentState, RunState, SectionState
from app.ui import render
from app.ui.estimate import section_label
from app.warning import AppWarning, WarningKind
from tests.conftest import paged


@pytest.mark.parametrize(
    "labels,said",
    [
        ((), ""),
        (("12",), "p. 12"),
        (("12", "13"), "pp. 12-13"),
        (("3", "9"), "pp. 3, 9"),
        (("xi", "1"), "pp. xi, 1"),
        (("part 3",), "part 3"),
        (("part 3", "part 4", "part 7"), "parts 3-4, 7"),
        (("chapter 2", "chapter 3"), "chapters 2-3"),
        (("part A", "3"), "pp. part A, 3"),  # such labels a PDF may have
    ],
)
def test_page_citations(labels: tuple[str, ...], said: str) -> None:
    assert cite_pages(labels) == said


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9, unique=True).map(sorted))
def test_labels_keep_their_number(numbers: list[int]) -> None:
    for unit in ("page", "part", "chapter"):
        document = replace(paged(*"x" * 40), unit=unit)
        labels = page_labels(document, numbers)
        assert split_unit(labels) == ("" if unit == "page" else unit, [str(n) for n in numbers])


def test_printed_labels_and_file_positions_are_both_shown() -> None:
    document = paged("One.", "Two.", "Three.")
    pages = tuple(
        replace(p, label=label) for p, label in zip(document.pages, ("i", "1", "2"), strict=True)
    )
    document = replace(document, pages=pages)
    assert page_labels(document, (1, 3)) == ("i", "2")
    html = render.cited_sentence(0, Sentence("Three.", (3,), page_labels(document, (3,))))
    assert 'data-page="3"' in html and ">p. 2<" in html and "page 3 of the file" in html
    same = render.cited_sentence(0, Sentence("Three.", (3,), ("3",)))
    assert ">p. 3<" in same and "of the file" not in same
    assert "page 2 (3 of 3 in the file)" in render.source_page(0, 3, document, "")
    assert "printed" not in render.source_page(0, 2, paged("a", "b"), "")


def test_all_formats_name_pages_by_their_labels() -> None:
    """By what is printed on them; what is drawn of a page has its place in the file too."""
    pages = tuple(
        replace(p, label=label)
        for p, label in zip(paged(*"abcde").pages, ("<i>", "ii", "1", "2", "3"), strict=True)
    )
    document = replace(paged(), pages=pages)
    coverage = ((1, "contents"), (2, "read"), (3, "scanned"), (4, "stopped"), (5, "stopped"))
    summary = Summary(
        "a.pdf", 5, "bundled", {}, "x", (), coverage=coverage, stopped=True, labels=document.labels
    )
    line = (
        "1 of 5 pages read; <i>: table of contents left out; 1: a picture without text; "
        "not reached: from page 2"
    )
    assert coverage_line(summary) == line
    assert line in export_text(summary, "txt")
    warned = AppWarning(WarningKind.CONTENTS_LEFT_OUT, "The table of contents is left out.")
    named_below = coverage_line(replace(summary, warnings=(warned,)))
    assert named_below == "1 of 5 pages read; 1: a picture without text; not reached: from page 2"
    for html in (render.coverage_strip(0, summary), export_text(summary, "html")):
        assert "Page &lt;i&gt;, 1 of the file: table of contents left out" in html
        assert "Page 2, 4 of the file: not reached" in html and "<i>" not in html
    assert "Page 4: " in render.coverage_strip(0, replace(summary, labels=()))
    assert (
        section_label(Section("Tides", 0, 9, (2, 4), 1), document)
        == "Tides · pages ii to 2 · 1 word"
    )
    assert document_warnings(pages[:1], [1], (), "page")[0].message.endswith(
        "(page <i>) is left out."
    )
    assert document.labels and not paged(*"abc").labels


@pytest.mark.parametrize(
    ("statuses", "page", "file"),
    [
        (("read", "stopped"), ["read", "not reached"], ["Empty: not reached."]),
        (
            ("read", "scanned", "stopped"),
            ["read", "left out", "not reached"],
            ["Grey: left out.", "Empty: not reached."],
        ),
        (("read", "contents"), ["read", "left out"], ["Grey: left out."]),
    ],
)
def test_unreached_pages_are_not_reported_as_left_out(
    statuses: tuple[str, ...], page: list[str], file: list[str]
) -> None:
    coverage = tuple(enumerate(statuses, 1))
    summary = Summary("a.pdf", 2, "bundled", {}, "x", (), coverage=coverage, stopped=True)
    legend = render.coverage_strip(0, summary).partition('class="legend"')[2]
    assert re.findall(r"</span>([^<]+)</span>", legend) == page
    html = export_text(summary, "html")
    assert re.findall(r"(?:Grey|Empty): [a-z ]+\.", html) == file


def test_titles_of_cells_for_several_pages_name_all() -> None:
    assert 'title="Pages 1-2: read' in render.coverage_strip(0, drawing(pages=600))


def test_parts_and_chapters_are_named_by_their_unit() -> None:
    document = document_from_text("The ferry left at nine. " * 400)
    assert document.unit == "part" and len(document.pages) > 2
    assert "part 2 of" in render.source_page(0, 2, document, "")
    labels = page_labels(document, (1, 3))
    section = SectionSummary((1, 3), "It left.", 9, 3, title="Ferry", labels=labels)
    assert section_heading(section) == "Ferry, parts 1-3"
    coverage = ((1, "read"), (2, "read"), (3, "stopped"))
    summary = Summary(
        "a.txt", 3, "bundled", {}, "It left.", (section,), coverage=coverage, unit="part"
    )
    assert coverage_line(summary) == "2 of 3 parts read; not reached: from part 3"
    for fmt in ("md", "txt", "html"):
        said = export_text(summary, fmt)
        assert "2 of 3 parts read" in said and "3 parts; model" in said
    assert "Part 3: not reached" in render.coverage_strip(0, summary)


def drawing(*cited: tuple[int, ...], pages: int = 40) -> Summary:
    sentences = tuple(Sentence(f"{n}.", where) for n, where in enumerate(cited))
    section = SectionSummary((1, pages), "x", 9, 9, sentences=sentences)
    coverage = tuple((n, "read" if n < pages else "scanned") for n in range(1, pages + 1))
    return Summary("a.pdf", pages, "bundled", {}, "x", (section,), coverage=coverage)


@given(
    st.lists(
        st.lists(st.integers(1, 700), min_size=1, max_size=3, unique=True).map(tuple), max_size=9
    ),
    st.sampled_from([9, 40, 299, 301, 700]),
)
def test_the_map_counts_each_sentence_on_its_pages(
    cited: list[tuple[int, ...]], pages: int
) -> None:
    cited = [tuple(p for p in where if p <= pages) for where in cited]
    summary = drawing(*cited, pages=pages)
    cells = re.findall(
        r'data-page="(\d+)" data-uses="(\d)".*?title="([^"]*)"', render.coverage_strip(0, summary)
    )
    step = -(-pages // render.MAX_STRIP_CELLS)
    assert len(cells) == -(-pages // step) <= render.MAX_STRIP_CELLS
    counts = citations_per_page(summary)
    assert sum(counts.values()) == sum(map(len, cited))
    for first, uses, title in cells:
        there = sum(counts[p] for p in range(int(first), int(first) + step))
        assert int(uses) == min(there, 3)
        assert ("from here" in title) == bool(there)
    assert cells[-1][2].split(": ")[1].startswith("a picture without text")


def test_one_cell_is_reached_by_tab_and_the_others_by_arrows() -> None:
    html = render.coverage_strip(0, drawing((1,), (1, 2)))
    assert html.count('tabindex="0"') == 1 and html.count('tabindex="-1"') == 39
    assert "cited in the summary" in html and "left out" in html
    assert "cited in the" not in render.coverage_strip(0, drawing())


def test_a_single_page_has_no_map() -> None:
    html = render.coverage_strip(0, drawing((1,), pages=1))
    assert "0 of 1 page read" in html and "strip" not in html and "legend" not in html


def test_the_coverage_map_stands_between_the_answer_and_the_sections() -> None:
    answer = SectionState((1, 40), committed="In all.")
    section = SectionState((1, 40), kind=PartKind.SECTION, committed="Text.")
    for parts in ([answer], [answer, section]):
        state = RunState([DocumentState("a.pdf", parts, drawing((1,)))])
        html = render.summary_html(state, False)
        assert html.index("In all.") < html.index('class="strip')
        assert ("Text." in html) == (BY_SECTION_HEADING in html) == (section in parts)
        assert html.count('class="strip') == 1
    assert html.index('class="strip') < html.index(BY_SECTION_HEADING) < html.index("Text.")


def test_citations_of_sections_count_too() -> None:
    summary = drawing((1,), (1, 2))
    doubled = replace(summary, by_section=summary.sections)
    assert citations_per_page(summary) == {1: 2, 2: 1}
    assert citations_per_page(doubled) == {1: 4, 2: 2}


def test_the_exported_map_marks_cited_pages() -> None:
    html = export_text(drawing((2,), (2, 7)), "html")
    assert html.count('drawn" title') == 2 and "A bar: the summary draws on it." in html


@pytest.mark.parametrize(
    ("outline", "left"),
    [
        ([("Findings", 1, 1), ("References", 2, 1), ("Outlook", 3, 1)], "Outlook"),
        ([("Findings", 1, 1), ("References", 2, 2), ("Outlook", 3, 1)], "Outlook"),
        ([("Findings", 1, 1), ("Outlook", 3, 1)], "Outlook"),
        ([("Findings", 1, 1), ("References", 2, 1), ("Outlook", 3, 2)], None),
        ([], None),
    ],
)
def test_references_end_at_the_next_heading_of_the_outline(
    outline: list[tuple[str, int, int]], left: str | None
) -> None:
    """Where it is not below that of the references."""
    document = paged(
        "Findings\n\n" + "Prose. " * 80,
        "References\n\nAmes, A. (2018). On tides.",
        "Brown, B. (2020). On mills.\n\nOutlook\n\nA bridge is due.",
        "The end.",
    )
    document = replace(document, outline=tuple(OutlineItem(*item) for item in outline))
    cut, pages = without_references(document)
    rest = "".join(page.text for page in cut.pages[1:])
    assert rest == (f"{left}\n\nA bridge is due.The end." if left else "")
    assert pages == ((2, 3) if left else (2, 3, 4))
