"""Chunks: within the window, at the best places, nothing lost, every character on its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from app.documents.headings import join_pages, sections_of
from app.documents.load import document_from_text, load_document
from app.documents.model import Chunk, Document, OutlineItem, Page
from app.summary.chunking import OVERLAP_SHARE, chunk_document, merge_short
from app.summary.models import window_tokens
from longt5 import Tokenizer

ASSETS = Path(__file__).parents[2] / "assets"


class Words:
    """A tokenizer for which every word, and every space run after it, is one token."""

    model_max_length = None

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        offsets = [match.span() for match in re.finditer(r"\s*\S{1,12}", text)]
        return [7] * len(offsets) + [1], [*offsets, (len(text), len(text))]


@pytest.fixture(scope="module")
def bundled() -> Tokenizer:
    return Tokenizer.from_pretrained(ASSETS / "model")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A vocabulary of a few pieces, whose folder says nothing of a window."""
    folder = tmp_path_factory.mktemp("tiny")
    sentence = "the tide came in and the marsh took it and gave it back to the sea"
    (folder / "text.txt").write_text("\n".join([sentence] * 50), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"),
        model_prefix=str(folder / "spiece"),
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    return Tokenizer.from_pretrained(folder)


def make(*texts: str, outline: tuple[OutlineItem, ...] = ()) -> Document:
    pages = tuple(Page(n, str(n), text, "ok") for n, text in enumerate(texts, 1))
    return Document("a.pdf", "0", "page", pages, (), outline)


def check(document: Document, tokenizer, limit: int) -> list[Chunk]:
    """Return the chunks after checking what holds for any document and any window."""
    text, pages = join_pages(document)
    chunks = chunk_document(document, tokenizer, limit)
    rebuilt, place = "", 0
    for chunk in chunks:
        assert 0 < len(chunk.input_ids) <= limit
        assert chunk.input_ids == tokenizer.encode_with_offsets(chunk.text)[0]
        start = text.index(chunk.text, max(0, place - chunk.overlap))
        assert start + chunk.overlap >= place
        assert not text[place : start + chunk.overlap].strip(), "only blank text may lie between"
        rebuilt += chunk.text[chunk.overlap :]
        place = start + len(chunk.text)
        check_spans(chunk, start, pages)
    assert "".join(rebuilt.split()) == "".join(text.split())
    for before, chunk in zip(chunks, chunks[1:], strict=False):
        assert before.cut == "token" or chunk.overlap == 0
        assert before.text.endswith(chunk.text[: chunk.overlap])
    return chunks


def check_spans(chunk: Chunk, start: int, pages: list[tuple[int, int, int]]) -> None:
    """Each span is that page's part of the chunk; together they hold everything but gaps."""
    where = {number: (low, high) for number, low, high in pages}
    held = set()
    tokens = len(chunk.input_ids) - 1
    for span in chunk.spans:
        low, high = where[span.page]
        assert span.start == max(low - start, 0)
        assert span.end == min(high - start, len(chunk.text))
        assert 0 <= span.token_start <= span.token_end <= tokens
        held.update(range(span.start, span.end))
    assert all(c.isspace() for i, c in enumerate(chunk.text) if i not in held)
    assert chunk.pages == (chunk.spans[0].page, chunk.spans[-1].page)


PIECES = st.sampled_from(
    [
        "The tide rose. ",
        "It fell again! ",
        "a b c ",
        "\n\n",
        "\n",
        "1 Intro\n",
        "x" * 30,
        "。水",
        "é😀 ",
        " ",
        "References\n",
        "- item\n",
        "Mr. No",
    ]
)
TEXTS = st.lists(st.lists(PIECES, max_size=25).map("".join), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(2, 60))
def test_no_text_is_lost_and_page_spans_are_exact(texts: list[str], limit: int) -> None:
    check(make(*texts), Words(), limit)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(16, 200))
def test_no_text_is_lost_with_a_real_vocabulary(
    bundled: Tokenizer, texts: list[str], limit: int
) -> None:
    check(make(*texts), bundled, limit)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=400), st.integers(64, 90))
def test_chunks_of_arbitrary_characters_fit_the_window(
    bundled: Tokenizer, text: str, limit: int
) -> None:
    chunks = chunk_document(make(text), bundled, limit)
    assert all(len(chunk.input_ids) <= limit for chunk in chunks)
    assert "".join(c.text[c.overlap :] for c in chunks).split() == text.split()


def test_a_document_that_fits_is_one_chunk(bundled: Tokenizer) -> None:
    document = load_document(ASSETS / "examples" / "lending-library.md")
    (chunk,) = check(document, bundled, 4096)
    assert chunk.cut == "end" and chunk.pages == (1, len(document.pages))


@pytest.mark.parametrize("spare", [1, 0])
def test_exactly_16384_ids_in_one_pass(tiny: Tokenizer, spare: int) -> None:
    limit = window_tokens(tiny)
    assert limit == 16_384
    text = "the" + " tide" * (limit // (2 * tiny.count(" tide")))
    while tiny.count(text + " tide") <= limit - 1 - spare:
        text += " tide" * max(1, (limit - tiny.count(text)) // 8)
    text = text[: text.rindex(" tide")]
    text += _pad(tiny, text, limit - 1 - spare)
    document = make(text)
    (chunk,) = chunk_document(document, tiny, limit)
    assert len(chunk.input_ids) == limit - spare and chunk.input_ids[-1] == tiny.eos_token_id
    longer = check(make(text + " tide tide tide"), tiny, limit)
    assert len(longer) == 2


def _pad(tokenizer: Tokenizer, text: str, wanted: int) -> str:
    """A tail with which the text has exactly `wanted` tokens."""
    for length in range(200):
        if tokenizer.count(text + " " + "e" * length) == wanted:
            return " " + "e" * length
    raise AssertionError("no tail fits")


def test_sections_are_preferred_then_paragraphs_then_sentences() -> None:
    sentence = "One two three four. "
    section = [f"{n} Chapter\n\n" + sentence * 20 for n in (1, 2, 3)]
    chunks = check(make("\n\n".join(section)), Words(), 110)
    assert [c.cut for c in chunks] == ["section", "section", "end"]
    assert all(c.text.lstrip()[1:9] == " Chapter" for c in chunks)
    paragraphs = "\n\n".join(sentence * 10 for _ in range(6))
    assert {c.cut for c in check(make(paragraphs), Words(), 90)[:-1]} == {"paragraph"}
    assert {c.cut for c in check(make(sentence * 60), Words(), 90)[:-1]} == {"sentence"}


@given(st.lists(st.integers(1, 120), max_size=30), st.integers(1, 60), st.integers(60, 150))
def test_short_neighbours_are_merged_and_long_ones_are_not(
    sizes: list[int], least: int, most: int
) -> None:
    groups = merge_short(sizes, least, most)
    assert [i for first, last in groups for i in range(first, last)] == list(range(len(sizes)))
    sums = [sum(sizes[first:last]) for first, last in groups]
    for size, (first, last) in zip(sums, groups, strict=True):
        assert size <= most or last - first == 1
    for one, two in zip(sums, sums[1:], strict=False):
        assert min(one, two) >= least or one + two > most


def test_merging_gives_even_groups() -> None:
    assert merge_short([10, 90, 10, 10, 90, 10], 50, 100) == [(0, 2), (2, 4), (4, 6)]
    assert merge_short([], 5, 9) == [] and merge_short([3], 5, 9) == [(0, 1)]


CHAPTERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 90)), min_size=3, max_size=8)


@settings(max_examples=80, deadline=None)
@given(CHAPTERS, st.integers(40, 120))
def test_chunks_follow_the_sections(chapters: list[tuple[int, int]], limit: int) -> None:
    """A chunk begins with a section unless it goes on with one too long for a pass."""
    texts, outline = [], []
    for number, (pages, words) in enumerate(chapters, 1):
        outline.append(OutlineItem(f"Part the {number}th", len(texts) + 1, 1))
        texts.append(f"Part the {number}th\n\n" + "It rose again. " * (words // 3))
        texts += ["It fell again. " * (words // 3) or "Low."] * pages
    document = make(*texts, outline=tuple(outline))
    sections = sections_of(document)
    text, _ = join_pages(document)
    starts = {section.start for section in sections}
    place = 0
    for chunk in check(document, Words(), limit):
        start = text.index(chunk.text, max(0, place - chunk.overlap))
        inside = next(s for s in sections if s.start <= start < s.end)
        # The blank before the next section counts to either.
        size = len(Words().encode_with_offsets(text[inside.start : inside.end])[0]) + 1
        is_long = size > limit
        assert start in starts or is_long or not text[inside.start : start].strip()
        place = start + len(chunk.text)


def test_chunk_titles_join_section_titles() -> None:
    sentence = "One two three four. "
    texts = [f"{n} Chapter\n\n" + sentence * size for n, size in ((1, 30), (2, 4), (3, 10))]
    chunks = check(make("\n\n".join(texts)), Words(), 100)
    assert [c.title for c in chunks] == [
        "1 Chapter (1 of 2)",
        "1 Chapter (2 of 2)",
        "2 Chapter · 3 Chapter",
    ]


def test_the_outline_names_sections() -> None:
    page = "Some words about it here. " * 15
    outline = (OutlineItem("What the tide brought", 3, 1),)
    texts = (page, page, "What the tide brought\n\n" + page, page)
    first, second = check(make(*texts, outline=outline), Words(), 200)
    assert first.cut == "section" and second.text.startswith("What the tide brought")
    assert first.pages == (1, 2) and second.pages == (3, 4)


def test_only_token_cuts_overlap_and_only_a_little() -> None:
    endless = "and then the water came again " * 200
    chunks = check(make(endless), Words(), 128)
    assert {c.cut for c in chunks[:-1]} == {"token"}
    assert all(c.overlap for c in chunks[1:])
    for chunk in chunks[1:]:
        repeated = chunk.text[: chunk.overlap]
        assert 0 < len(repeated.split()) <= 128 * OVERLAP_SHARE
    assert not any(c.overlap for c in check(make("It rose. " * 900), Words(), 128))


def test_a_word_of_a_hundred_thousand_letters_is_cut(bundled: Tokenizer) -> None:
    chunks = check(make("x" * 100_000), bundled, 2048)
    assert len(chunks) > 1


def test_pages_without_usable_text_are_in_no_chunk() -> None:
    pages = (
        Page(1, "1", "Kept words.", "ok"),
        Page(2, "2", "left out", "garbled"),
        Page(3, "3", "", "scanned"),
        Page(4, "4", "Last words.", "ok"),
    )
    (chunk,) = chunk_document(Document("a.pdf", "0", "page", pages, ()), Words(), 64)
    assert chunk.text == "Kept words.\n\nLast words." and chunk.pages == (1, 4)
    assert [s.page for s in chunk.spans] == [1, 4]


def test_a_sentence_over_a_page_break_stays_one() -> None:
    text, pages = join_pages(make("It went on and", "on until the end.", "1 Next", "Then more."))
    assert text == "It went on and\non until the end.\n\n1 Next\n\nThen more."
    assert [text[a:b] for _, a, b in pages][1] == "on until the end."


@pytest.mark.parametrize(
    ("page", "after", "gap"),
    [
        (
            "Ten Years\n\nThe Merrow Partnership\nHarrowick, 2025",
            "This report was written.",
            "\n\n",
        ),
        ("The History of the Marsh", "It was lost.", "\n\n"),
        ("Which ends with\n\n6. CONFIDENTIALITY", "6.1 Each party shall tell.", "\n\n"),
        ("In the end we met", "Dr Smith there.", "\n"),
        ("We Had Met at the", "Harrowick Quay.", "\n"),
        ("The Merrow Partnership", "and its five members agreed.", "\n"),
        ("पानी चक्की की रसोई में आ गया।", "सब लोग चले गए।", "\n\n"),
        ("هل عاد الماء إلى الطاحونة؟", "نعم عاد", "\n\n"),
    ],
)
def test_a_title_page_does_not_run_into_the_next_page(page: str, after: str, gap: str) -> None:
    assert join_pages(make(page, after))[0] == page + gap + after


@pytest.mark.parametrize(
    "sentence",
    ["पानी रसोई में आ गया। ", "هل عاد الماء إلى هنا؟ ", "پانی گھر میں آ گیا۔ ", "Вода вошла в дом. "],
)
def test_chunks_of_any_script_end_with_sentences(sentence: str) -> None:
    chunks = chunk_document(make(sentence * 40), Words(), 64)
    assert len(chunks) > 2 and {chunk.cut for chunk in chunks[:-1]} == {"sentence"}
    assert all(chunk.text.strip().endswith(sentence.strip()) for chunk in chunks)


def test_an_empty_document_has_no_chunks() -> None:
    assert chunk_document(make("", "  "), Words(), 64) == []


def test_time_is_linear_in_pages() -> None:
    """Five thousand pages: a search over everything before each page would not end in time."""
    chunks = chunk_document(make(*["A page of words without an end"] * 5000), Words(), 16_384)
    assert sum(len(c.input_ids) for c in chunks) > 30_000


def test_text_parts_keep_every_word(bundled: Tokenizer) -> None:
    text = (ASSETS / "examples" / "merrow-report.txt").read_text(encoding="utf-8")
    document = document_from_text(text)
    said = " ".join(p.text for p in document.pages).split()
    assert said == text.replace("\n> ", "\n").split()
    assert len(check(document, bundled, 4096)) > 1
