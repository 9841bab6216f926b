"""The plan of an answer: its length, what is read for it, its pages and its sections.

Nothing here runs the model, and nothing depends on which sentences the ranking prefers.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from app.documents.headings import join_pages, split_at_headings
from app.documents.load import document_from_text, load_document
from app.documents.model import Document
from app.errors import NothingToQuote
from app.events import PartKind
from app.settings import WINDOW_RANGE, assets_dir
from app.summary.extractive import (
    SECTION_SENTENCES,
    SECTION_SHARE,
    ExtractiveMethod,
    ExtractivePlanner,
    ExtractivePlanners,
)
from app.summary.options import Options
from app.summary.parts import Part
from app.summary.plan import SummaryPlan, make_plan
from longt5 import Tokenizer
from longt5.text.salience import Salience
from longt5.text.words import count_words
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, paged

RANKING = Salience.by_centrality()
SUBJECTS = "harbour ferry council engineer baker teacher valley orchard library mill".split()
VERBS = "measured repaired described opened sold moved counted painted carried kept".split()
OBJECTS = "bridges ledgers lanterns fields engines letters barrels carpets maps clocks".split()
PLACES = "spring autumn winter summer March October evening morning flood drought".split()


def sentence(rng: random.Random) -> str:
    """Return a sentence of 8 to 24 words."""
    parts = [
        f"the old {rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.randint(2, 900)} "
        f"{rng.choice(OBJECTS)} in the {rng.choice(PLACES)}"
        for _ in range(rng.randint(1, 2))
    ]
    return f"{', while '.join(parts)}.".capitalize()


def long_document(pages: int, per_chapter: int = 15, sentences: int = 8) -> Document:
    """Return a document of numbered chapters, `sentences` on each page."""
    rng = random.Random(7)
    texts = []
    for page in range(pages):
        body = " ".join(sentence(rng) for _ in range(sentences))
        chapter, is_first = page // per_chapter + 1, page % per_chapter == 0
        title = f"{chapter} On {rng.choice(OBJECTS)} and {rng.choice(PLACES)}\n\n"
        texts.append((title if is_first else "") + body)
    return paged(*texts)


WINDOWS = {"report": 16_384, "text": 1_000, "long": 2_000}


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_pretrained(assets_dir() / "model")


@cache
def document_of(name: str) -> Document:
    """Return one of three documents: an example of one pass, another, and one of many passes."""
    if name == "long":
        return long_document(60)
    return load_document(EXAMPLE_PDF if name == "report" else EXAMPLE_TEXT)


@cache
def planner_of(name: str) -> ExtractivePlanner:
    """Return the planner of a document, made once."""
    return ExtractivePlanner(document_of(name), RANKING, tokenizer(), WINDOWS[name])


def answer_of(parts: tuple[Part, ...]) -> list[Part]:
    return [part for part in parts if part.kind is PartKind.ANSWER]


def said_in(part: Part) -> list[str]:
    """Return the planned sentences as they stand in the part's chunk."""
    assert part.plan
    return [part.chunk.text[start:end] for start, end in part.plan]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("words", [50, 80, 130, 200, 330, 500])
def test_the_answer_has_the_words_asked_for(name: str, words: int) -> None:
    parts = planner_of(name).parts(Options(words=words))
    planned = sum(count_words(text) for part in parts for text in said_in(part))
    assert 0.85 * words <= planned <= 1.15 * words
    assert 0.85 * words <= sum(part.words for part in parts) <= 1.15 * words


@pytest.mark.parametrize("length", ["short", "medium", "long"])
def test_words_replace_the_length(length: str) -> None:
    planner = planner_of("text")
    assert planner.parts(Options(length, words=120)) == planner.parts(Options(words=120))
    target = Options(length).target_words
    assert planner.parts(Options(length)) == planner.parts(Options(words=target))


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("words", [60, 400])
def test_planned_sentences_are_those_of_the_document_on_their_pages(name: str, words: int) -> None:
    text, pages = join_pages(document_of(name))
    for part in planner_of(name).parts(Options(words=words, by_section=True)):
        assert part.plan == tuple(sorted(part.plan)) and all(a < b for a, b in part.plan)
        assert all(before[1] <= after[0] for before, after in pairwise(part.plan))
        found = [text.index(said) for said in said_in(part)]
        assert {text.count(said) for said in said_in(part)} == {1} and found == sorted(found)
        first, last = found[0], found[-1] + len(said_in(part)[-1]) - 1
        numbers = [n for n, start, end in pages if start <= last and first < end]
        assert part.pages == (numbers[0], numbers[-1])
        for (start, _), place in zip(part.plan, found, strict=True):
            of_chunk = [s.page for s in part.chunk.spans if s.start <= start < s.end]
            assert of_chunk == [n for n, low, high in pages if low <= place < high]


@pytest.mark.parametrize("name", WINDOWS)
def test_every_pass_fits_the_window(name: str) -> None:
    for words in (60, 800):
        for part in planner_of(name).parts(Options(words=words, by_section=True)):
            assert len(part.chunk.input_ids) <= WINDOWS[name]


def test_a_document_that_fits_is_read_in_one_pass() -> None:
    parts = planner_of("report").parts(Options(words=300, by_section=True))
    assert len({id(part.chunk) for part in parts}) == 1
    text, _ = join_pages(document_of("report"))
    assert parts[0].chunk.text == text
    plan = SummaryPlan(document_of("report"), (), parts, Options())
    assert plan.tokens == len(parts[0].chunk.input_ids)


def test_one_section_is_planned_as_it_is_with_all_sections() -> None:
    planner, options = planner_of("report"), Options(words=200)
    outline = planner.outline(options, lambda pages: tuple(map(str, pages)))
    parts = planner.parts(replace(options, by_section=True))
    sections = [part for part in parts if part.kind is PartKind.SECTION]
    assert [(s.pages, s.title) for s in outline] == [(p.pages, p.title) for p in sections]
    assert outline[1].labels == tuple(map(str, outline[1].pages))
    for at in (0, len(outline) - 1):
        assert planner.parts(replace(options, only_section=at)) == (sections[at],)
    assert planner.parts(replace(options, only_section=len(outline))) == ()
    said = [text for section in outline for text in section.said]
    answer = " ".join(p.chunk.text for p in parts if p.kind is PartKind.ANSWER)
    assert said and all(text in " ".join(answer.split()) for text in said)


@pytest.mark.parametrize("forget", [False, True])
def test_a_document_is_ranked_once_for_all_lengths(monkeypatch, forget: bool) -> None:
    ranked = []
    ranking = Salience.planner
    monkeypatch.setattr(Salience, "planner", lambda *a: ranked.append(1) or ranking(*a))
    planners = ExtractivePlanners(RANKING, tokenizer())
    plans = []
    for words in (40, 80, 40):
        document = long_document(3)  # equal, and another object each time
        plans.append(make_plan(document, Options(words=words), tokenizer(), planners))
        if forget:
            planners.clear()
    assert len(ranked) == (3 if forget else 1)
    assert plans[0].parts == plans[2].parts != plans[1].parts


def test_of_a_long_document_only_what_is_planned_is_read() -> None:
    document = long_document(300, sentences=4)
    text, _ = join_pages(document)
    whole = len(tokenizer().encode(text))
    assert whole > 16_384
    plan = make_plan(
        document, Options(length="short"), tokenizer(), ExtractivePlanners(RANKING, tokenizer())
    )
    assert plan.pages == 300 and plan.tokens < 10_000 < whole
    for part in plan.parts:  # no more than the sentences with some text around them
        around = 2 * 1_200 + 300
        assert len(part.chunk.text) <= sum(around + end - start for start, end in part.plan or ())


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("words", [60, 400])
def test_sections_repeat_nothing_of_the_answer_and_stay_short(name: str, words: int) -> None:
    plain = planner_of(name).parts(Options(words=words))
    parts = planner_of(name).parts(Options(words=words, by_section=True))
    assert parts[: len(plain)] == plain == tuple(answer_of(parts))
    sections = parts[len(plain) :]
    assert sections and {part.kind for part in sections} == {PartKind.SECTION}
    said = [text for part in parts for text in said_in(part)]
    assert len(set(said)) == len(said)
    text, pages = join_pages(document_of(name))
    titled = split_at_headings(text, pages, document_of(name).outline)
    for part in sections:
        assert 1 <= len(said_in(part)) <= SECTION_SENTENCES
        own = [s for s in titled if s.title and s.title == part.title]
        if len(own) == 1:
            is_first = own[0] is titled[1]  # a short beginning without a title joins it
            size = count_words(text[0 if is_first else own[0].start : own[0].end])
            shortest = len(said_in(part)) == 1
            assert part.words <= 1.15 * SECTION_SHARE * size or shortest


def test_a_text_without_headings_has_sections_of_whole_sentences() -> None:
    rng = random.Random(3)
    document = document_from_text(" ".join(sentence(rng) for _ in range(400)))
    planner = ExtractivePlanner(document, RANKING, tokenizer(), 16_384)
    parts = planner.parts(Options(words=60, by_section=True))
    sections = parts[len(answer_of(parts)) :]
    assert 2 <= len(sections) <= 5 and {part.title for part in sections} == {""}


def test_what_the_author_summed_up_is_a_paragraph_of_its_own() -> None:
    rng = random.Random(5)
    body = [" ".join(sentence(rng) for _ in range(n)) for n in (16, 30, 30)]
    document = document_from_text(
        f"# Abstract\n\n{body[0]}\n\n# Mills\n\n{body[1]}\n\n# Tides\n\n{body[2]}\n"
    )
    abstract, _, _ = join_pages(document)[0].partition("Mills")
    planner = ExtractivePlanner(document, RANKING, tokenizer(), 16_384)
    parts = answer_of(planner.parts(Options(words=400)))
    for part in parts:
        assert {text in abstract for text in said_in(part)} == {part.from_summary}
    assert [part.from_summary for part in parts] in ([True, False], [True], [False])


@pytest.mark.parametrize("front", [1, 6])
def test_front_matter_is_not_said_but_an_abstract_in_it_is(front: int) -> None:
    rng = random.Random(5)
    notice = "This volume was printed on paper of Harrowick mills."
    abstract = "# Abstract\n\nThis report finds that lanterns were sold in every winter."
    body = "# Mills\n\n" + " ".join(sentence(rng) for _ in range(20))
    made = paged(notice, abstract, *[notice] * (front - 1), body)
    document = replace(made, contents=(front + 2,))
    planner = ExtractivePlanner(document, RANKING, tokenizer(), 16_384)
    said = " ".join(planner.candidates)
    assert "in every winter" in said and "the old" in said.lower()
    assert ("Harrowick" in said) == (front > 5), "more than a quarter is no front matter"


def test_a_document_without_candidates_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("longt5.text.source.select_candidates", lambda text, spans: [])
    document = replace(document_of("text"), name="form.txt")
    with pytest.raises(NothingToQuote) as refused:
        make_plan(document, Options(), tokenizer(), ExtractivePlanners(RANKING, tokenizer()))
    assert "“form.txt” has no whole sentence" in str(refused.value)
    assert "choose a model" in str(refused.value)
    assert make_plan(document, Options(), tokenizer()).parts  # for one that writes its own


def test_a_small_window_still_holds_each_sentence() -> None:
    planner = ExtractivePlanner(document_of("text"), RANKING, tokenizer(), WINDOW_RANGE[0])
    parts = planner.parts(Options(words=200))
    text = join_pages(document_of("text"))[0]
    assert all(said in text for part in parts for said in said_in(part))


@pytest.mark.parametrize("name", WINDOWS)
def test_the_limits_of_a_search_admit_its_plan(name: str) -> None:
    for part in planner_of(name).parts(Options(words=200)):
        whole = sum(len(tokenizer().encode(said, add_eos=False)) for said in said_in(part))
        shortest = min(len(tokenizer().encode(said, add_eos=False)) for said in said_in(part))
        found = ExtractiveMethod(part, tokenizer()).search_options(part.words, Options())
        # A sentence may lose its citations, or be a token longer at the start of a text.
        assert found["max_new_tokens"] >= found["min_new_tokens"] > 0.8 * (whole - shortest)
        assert found["max_new_tokens"] <= whole + 8 + len(said_in(part))
        few = ExtractiveMethod(part, tokenizer()).search_options(9, Options(max_new_tokens=5))
        assert (few["min_new_tokens"], few["max_new_tokens"]) == (5, 5)
