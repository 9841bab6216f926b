"""No figure of the corpus falls below its floor."""

from __future__ import annotations

import pytest

from tests.corpus import kinds, layout_kinds, make_files, measures, pdf_kinds, web_pages
from tests.corpus.floors import FLOORS


@pytest.mark.parametrize("part", measures.MEASURES)
def test_no_figure_falls_below_its_floor(part: str) -> None:
    measured = measures.MEASURES[part]()
    below = []
    for name, figures in measured.items():
        for figure, value in figures.values.items():
            print(f"{name:32} {figure:10} {value:.3f}")
            if value < FLOORS[name][figure]:
                below += [f"{name}: {figure} {value:.3f}, floor {FLOORS[name][figure]:.2f}"]
                below += figures.mistakes
    assert not below, "\n".join(below)


def test_every_floor_is_measured() -> None:
    parts = {name.split("/")[0] for name in FLOORS}
    assert parts == set(measures.MEASURES)


def test_a_wrong_boundary_lowers_the_figures() -> None:
    assert measures.precision_recall_f(3, 4, 6) == pytest.approx(
        {"precision": 0.75, "recall": 0.5, "f": 0.6}
    )


def test_a_block_that_is_torn_or_out_of_order_is_missed() -> None:
    read = measures.words_of("Third. First. Second, torn by a header.")
    in_order, broken = measures.blocks_in_order(read, ["First.", "Second, by", "Third."])
    assert in_order == 1 and broken == ["not whole: Second, by"]


def test_headings_of_a_file_are_marked_in_its_text() -> None:
    made = make_files.expected([("heading", "1 One"), ("row", "a|b"), ("text", "Words.")])
    assert made.headings == ("1 One",) and made.blocks == ("1 One", "a b", "Words.")


def test_the_corpus_has_sixty_documents_and_more() -> None:
    documents = [
        *(case.name for case in kinds.kind_cases()),
        *(case.name for case in pdf_kinds.pdf_cases()),
        *(case.name for case in layout_kinds.layout_cases()),
        *(page.name for page in web_pages.web_pages()),
        *make_files.all_files(),
    ]
    assert len(documents) == len(set(documents)) >= 60


def test_what_is_wanted_of_a_web_page_is_part_of_it() -> None:
    for page in web_pages.web_pages():
        whole, wanted = measures.words_of(page.data.decode()), measures.words_of(page.wanted)
        assert b"[[" not in page.data and not set(wanted) - set(whole)
        assert len(whole) > 1.2 * len(wanted) > 60  # there is something to leave out
