"""Listings of code are known by their type, and definitions keep their terms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.documents.cleaning import PlacedLine, clean_pages
from app.documents.line_layout import LineLayout
from app.documents.listings import is_code, join_listings
from app.documents.model import Block, BlockKind
from app.documents.readers.pdf.letter_widths import LetterWidths
from app.documents.readers.pdf.text_style import TextStyle

STYLE = TextStyle(10.0, False, 0, True, False)
PROSE = "The miller carried the sacks to the loft and slept there until the water fell."
WORDS = st.text("abcdefghijk", min_size=3, max_size=9)


def placed(text: str, left: float = 0.0, is_code: bool = False) -> PlacedLine:
    layout = LineLayout(10, left=left, space_right=20, space_above=1.2, is_monospaced=is_code)
    return PlacedLine((text,), layout)


@given(st.lists(WORDS.map("x = {0}({0})".format), min_size=2, max_size=6), st.integers(1, 4))
def test_lines_of_a_listing_stay_lines_of_one_block(code: list[str], count: int) -> None:
    prose = [placed(PROSE)] * count
    lines = [*prose, *(placed(line, is_code=True) for line in code), *prose]
    (blocks,) = clean_pages([lines * 2]).pages
    listings = [block.text for block in blocks if block.kind is BlockKind.CODE]
    assert listings == ["\n".join(code)] * 2


@given(st.lists(WORDS, min_size=3, max_size=8, unique=True))
def test_a_definition_stands_behind_its_term(terms: list[str]) -> None:
    lines = [line for term in terms for line in (placed(term), placed(f"A {term}. {PROSE}", 2))]
    (blocks,) = clean_pages([lines]).pages
    assert [block.text for block in blocks] == [f"{term}: A {term}. {PROSE}" for term in terms]


def test_headings_above_indented_sections_are_no_terms() -> None:
    lines = [line for name in "ABC" for line in (placed(f"{name} part"), *[placed(PROSE, 2)] * 20)]
    (blocks,) = clean_pages([lines]).pages
    assert not any(block.text.startswith("A part:") for block in blocks)


def test_prose_in_monospaced_type_is_no_code() -> None:
    assert is_code("for sack in loft:\n    weigh(sack)") and not is_code(f"{PROSE}\n{PROSE}")
    run = [Block(PROSE, BlockKind.CODE), Block("x = 1", BlockKind.CODE), Block(PROSE)]
    assert [block.kind for block in join_listings(run[1:])] == [BlockKind.CODE, BlockKind.PARAGRAPH]
    assert all(block.kind is BlockKind.PARAGRAPH for block in join_listings(run[::2]))


def test_a_font_is_monospaced_where_narrow_letters_are_as_wide_as_others() -> None:
    def is_monospaced(*words: tuple[str, float, float]) -> bool:
        widths = LetterWidths()
        for word, first, last in words:
            widths.add_words(1, STYLE, [word], [(0, 9, first, 0)], [(9, 9, 9 + last, 0)], [0])
        return widths.monospaced() == {1}

    assert is_monospaced(("ilm", 6, 6))
    assert not is_monospaced(("ilm", 2.8, 7.8)), "proportional"
    assert not is_monospaced(("12", 5, 5), ("40", 5, 5)), "figures alone do not tell"
