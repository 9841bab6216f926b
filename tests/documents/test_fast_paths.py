"""Fast paths of reading: each gives what its slow twin gives, on any text."""

from __future__ import annotations

import io
import re

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf.generic import ArrayObject, NameObject, NumberObject

from app.documents import dehyphenation
from app.documents.characters import is_normalized, normalize_characters
from app.documents.dehyphenation import Dehyphenator
from app.documents.line_patterns import LETTER_RUN
from app.documents.readers.pdf.accents import REMOVED, join_accents
from app.documents.readers.pdf.page_tree import count_pages
from app.documents.table_of_contents import LEADERS, without_leaders
from tests.documents.make_pdfs import PROSE, text_pdf

LETTERS = st.sampled_from("abZé1٣ -\n\t‐\ufffe_'|\xa0\u3000")
PAGES = st.lists(st.text(LETTERS, max_size=60), max_size=4)
SIGNS = st.sampled_from(list("a .·…_ \ufb01\xad\xa0\x1b[m\x9b\u2009\u202e\ufffe\t\n\x85漢é"))


@given(PAGES)
def test_words_of_runs_are_those_of_whole_pages(pages) -> None:
    found = Dehyphenator.of(pages)
    whole = [dehyphenation._CUT_WORD_PAIR.sub(" ", page).lower() for page in pages]
    assert found.words == {word for page in whole for word in LETTER_RUN.findall(page)}
    compounds = {word for page in whole for word in dehyphenation._COMPOUND.findall(page)}
    assert found.compounds == compounds


@given(st.text(SIGNS | st.characters(), max_size=20))
def test_what_is_normalized_is_only_stripped(text) -> None:
    if is_normalized(text):
        assert normalize_characters(text) == text.strip()


@given(st.text(st.sampled_from("a .·…_"), max_size=24))
def test_lines_that_are_passed_over_have_no_leaders(line) -> None:
    slow = re.sub(r"(?:\. ?){6,}|_{6,}|·{6,}", " ", line)
    assert without_leaders(line) == slow
    if sum(map(line.count, ".·…_")) < 2:
        assert not LEADERS.search(line)


def _reader(change=lambda pages: None) -> pypdf.PdfReader:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text_pdf([PROSE] * 5)))
    change(writer.root_object["/Pages"])
    file = io.BytesIO()
    writer.write(file)
    return pypdf.PdfReader(file)


def _lie(pages) -> None:
    pages[NameObject("/Count")] = NumberObject(3)


def _repeat(pages) -> None:
    pages[NameObject("/Kids")] = ArrayObject([pages.indirect_reference] * 2)


@given(st.text(st.sampled_from("ae´ˇ \r\nı"), max_size=20), st.data())
def test_accents_keep_the_number_of_characters(text, data) -> None:
    edges = st.tuples(*[st.floats(0, 50)] * 4)
    whole, glued = join_accents(
        text,
        lambda indexes: [data.draw(edges) for _ in indexes],
        lambda _: data.draw(st.booleans()),
    )
    assert len(whole) == len(text) and all(whole[i - 1] == REMOVED for i in glued)


def test_pages_are_counted_without_reading_them() -> None:
    reader = _reader()
    assert count_pages(reader) == 5 and not reader.flattened_pages


@pytest.mark.parametrize(("change", "pages"), [(_lie, 5), (_repeat, 0)])
def test_a_tree_that_lies_is_counted_page_by_page(change, pages) -> None:
    assert count_pages(_reader(change)) == pages
