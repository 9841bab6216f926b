"""Fast paths of reading: each gives what its slow twin gives, on any text."""

from __future__ import annotations

import io
import re
import tracemalloc
import zlib
from functools import partial

import pypdf
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject

from app.documents import dehyphenation
from app.documents.characters import is_normalized, normalize_characters
from app.documents.dehyphenation import Dehyphenator
from app.documents.line_patterns import _CUT_WORD, LETTER_RUN, cut_word
from app.documents.readers.pdf.accents import REMOVED, join_accents
from app.documents.readers.pdf.page_reader import PageReader
from app.documents.readers.pdf.page_tree import count_pages
from app.documents.readers.pdf.plain_files import is_plain
from app.documents.table_of_contents import LEADERS, without_leaders
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at, scanned, text_pdf

END = b"\nendstream\n"
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


@given(st.text(st.sampled_from("ab1_ -\u2010\ufffe"), max_size=12))
def test_lines_that_are_passed_over_end_in_no_cut_word(line) -> None:
    slow = _CUT_WORD.search(line)
    assert (slow and slow.groups()) == ((cut := cut_word(line)) and cut.groups())


def _reader(change=lambda pages: None) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(_changed(lambda root: change(root["/Pages"]))))


def _changed(change, password: str = "") -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text_pdf([PROSE] * 5)))
    change(writer.root_object)
    if password:
        writer.encrypt("", password)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _lie(pages) -> None:
    pages[NameObject("/Count")] = NumberObject(3)


def _repeat(pages) -> None:
    pages[NameObject("/Kids")] = ArrayObject([pages.indirect_reference] * 2)


def _with_layers(root, state: str) -> None:
    layers = ArrayObject([NumberObject(7)])
    usual = DictionaryObject({NameObject(state): layers})
    root[NameObject("/OCProperties")] = DictionaryObject({NameObject("/D"): usual})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_changed(lambda root: None), True),
        (_changed(lambda root: _with_layers(root, "/ON")), True),
        (_changed(lambda root: _with_layers(root, "/OFF")), False),
        (_changed(lambda root: _lie(root["/Pages"])), False),
        (_changed(lambda root: root.update({NameObject("/Collection"): NumberObject(1)})), False),
        (_changed(lambda root: None, "owner"), False),
        (_changed(lambda root: None) + b"<< /Type /ObjStm >> stream\nno stream", False),
        (_changed(lambda root: None) + b"/Type /ObjStm\n", False),
    ],
    ids=["plain", "layer on", "layer off", "lie", "portfolio", "locked", "cut off", "unusual"],
)
def test_unusual_files_are_parsed(data, expected, tmp_path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    with pypdfium2.PdfDocument(path) as document:
        assert is_plain(path, len(document)) is expected


@pytest.mark.parametrize(
    "packed", [b"/Collection 1 0 R", b"<</Type/Pages/Count 9/Kids[7 0 R 8 0 R]>>"]
)
def test_objects_in_streams_are_looked_at(packed, tmp_path) -> None:
    path = tmp_path / "a.pdf"
    body = zlib.compress(packed)
    plain = _changed(lambda root: None)
    path.write_bytes(plain + b"<</Type/ObjStm/Filter/FlateDecode>>stream\r\n" + body + END)
    assert not is_plain(path, 5)
    path.write_bytes(plain + b"<</Type/ObjStm>>stream\n" + zlib.compress(b"<</Length 3>>") + END)
    assert is_plain(path, 5)


def test_what_follows_an_object_stream_is_not_copied(tmp_path) -> None:
    path, size = tmp_path / "a.pdf", 8_000_000
    stream = b"<</Type/ObjStm>>stream\n" + zlib.compress(b"<</Length 3>>") + END
    path.write_bytes(_changed(lambda root: None) + stream + bytes(size))
    tracemalloc.start()
    try:
        assert is_plain(path, 5)
        assert tracemalloc.get_traced_memory()[1] < 1.5 * size
    finally:
        tracemalloc.stop()


def test_pages_beyond_the_count_of_a_lying_tree_are_read(load) -> None:
    assert len(load(_changed(lambda root: _lie(root["/Pages"]))).pages) == 5


def test_a_picture_alone_is_no_page_for_a_second_reader() -> None:
    with pypdfium2.PdfDocument(canvas_pdf([scanned, partial(lines_at, text=PROSE)])) as document:
        reader = PageReader(lambda: pytest.fail("it is read again"), document)
        assert [reader.read(index).status for index in range(2)] == ["scanned", "ok"]


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
