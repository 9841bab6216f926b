"""The last pass: one answer from the summaries of sections, cited through their sentences."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents.model import Chunk
from app.events import (
    DraftText,
    PartKind,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Sentence,
)
from app.evidence.section_evidence import CitedDocument
from app.summary.last_pass import (
    LastPass,
    _AnswerEvidence,
    chunk_of_sentences,
)
from app.summary.lengths import section_targets
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.text.source import SourceText
from tests.app.checkpoint_layouts import Layout, write_checkpoint
from tests.conftest import paged
from tests.engine.conftest import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")
FACTS = (
    "The council bought forty bicycles in March.",
    "A ferry crosses the sound twice a day.",
    "Herons returned to the northern marsh.",
    "The library lends drills and ladders.",
    "Ticket prices fell by a tenth last summer.",
    "An orchard was planted beside the school.",
)
DOCUMENT = CitedDocument(paged(*FACTS))
PLACE = (7, 7)  # of the answer, after six sections


def sections() -> list[SectionSummary]:
    """A section per page, whose sentence cites that page."""
    return [
        SectionSummary((n, n), text, 20, 9, sentences=(Sentence(text, (n,), (), (), (text,)),))
        for n, text in enumerate(FACTS, 1)
    ]


def sentences() -> list[Sentence]:
    return [sentence for section in sections() for sentence in section.sentences]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Summarizer:
    folder: Path = tmp_path_factory.mktemp("model")
    write_checkpoint(Layout("plain", {"vocab_size": 12_292}), folder)
    return Summarizer.load(str(folder), device="cpu", dtype="float32")


def last_pass(writer: Summarizer, window: int, stop: threading.Event | None = None) -> LastPass:
    options = Options(num_beams=2)
    return LastPass(writer.batcher, writer.tokenizer, DOCUMENT, options, window, PLACE, stop)


def test_summaries_that_fit_a_pass_become_one_answer(writer: Summarizer) -> None:
    events = list(last_pass(writer, 512).events(sections(), 20))
    assert isinstance(events[-1], SectionDone) and events[-1].section == 7
    answer = events[-1].result
    assert answer.tokens_in < 512 and answer.pages == (1, 6)
    drafts = [e for e in events if isinstance(e, DraftText)]
    assert drafts and all(answer.text.startswith(draft.committed) for draft in drafts)
    assert {e.section for e in events if isinstance(e, Progress)} == {7}


def test_summaries_longer_than_a_pass_are_summarized_until_they_fit(
    writer: Summarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    encode = writer.batcher.encode
    monkeypatch.setattr(
        writer.batcher, "encode", lambda ids, **k: read.append(ids.shape[1]) or encode(ids, **k)
    )
    many = sections() * 4
    events = list(last_pass(writer, 64).events(many, 10))
    assert len(read) > 5 and max(read) <= 64
    done = [e for e in events if isinstance(e, SectionDone)]
    assert len(done) <= 1 and all(e is events[-1] for e in done)
    assert all(e.section == 7 for e in events)


def test_few_words_are_the_answer_as_they_are(writer: Summarizer) -> None:
    (done,) = last_pass(writer, 512).events(sections(), 200)
    assert isinstance(done, SectionDone)
    assert done.result.sentences == tuple(sentences())
    assert done.result.text == " ".join(FACTS)


def test_nothing_is_written_about_nothing_or_after_a_stop(writer: Summarizer) -> None:
    assert list(last_pass(writer, 512).events([], 20)) == []
    stop = threading.Event()
    stop.set()
    assert list(last_pass(writer, 512, stop).events(sections(), 20)) == []
    assert list(last_pass(writer, 64, stop).events(sections() * 4, 20)) == []


def test_a_stop_while_writing_keeps_the_draft(writer: Summarizer) -> None:
    stop = threading.Event()
    for event in last_pass(writer, 512, stop).events(sections(), 20):
        if isinstance(event, DraftText):
            stop.set()
    assert isinstance(event, SectionDone) and event.result.finish_reason == "stopped"


@given(st.integers(0, len(FACTS) - 1), st.integers(0, len(FACTS) - 1))
def test_citations_lead_through_the_sections_to_the_pages(bundled, first: int, second: int) -> None:
    chunk = chunk_of_sentences(sentences(), bundled.tokenizer, 512)
    evidence = _AnswerEvidence(chunk, bundled.tokenizer, DOCUMENT, sentences())
    said = f"{FACTS[first][:-1]}, and {FACTS[second][0].lower()}{FACTS[second][1:]}"
    (cited,) = evidence.cite_sentences(said, bundled.tokenizer.encode(said), SourceText.of(""))
    assert set(cited.pages) == {first + 1, second + 1}
    assert set(cited.passages) == {FACTS[first], FACTS[second]}
    assert cited.labels == tuple(str(page) for page in cited.pages)


def test_claims_are_checked_against_the_document(bundled) -> None:
    altered = [Sentence("The council bought ninety bicycles in March.", (1,), (), (), (FACTS[0],))]
    chunk = chunk_of_sentences(altered, bundled.tokenizer, 512)
    evidence = _AnswerEvidence(chunk, bundled.tokenizer, DOCUMENT, altered)
    said = "The council bought 90 bicycles."
    (cited,) = evidence.cite_sentences(said, bundled.tokenizer.encode(said), SourceText.of(""))
    assert cited.pages == (1,) and [flag["kind"] for flag in cited.flags] == ["number"]


def test_an_overlong_sentence_is_cut(bundled) -> None:
    chunk = chunk_of_sentences([Sentence("word " * 300, (3,))], bundled.tokenizer, 64)
    assert len(chunk.input_ids) == len(chunk.offsets) == 64
    assert chunk.input_ids[-1] == bundled.tokenizer.eos_token_id and chunk.pages == (3, 3)


@given(st.integers(20, 600), st.lists(st.integers(1, 9000), min_size=1, max_size=5))
def test_sections_before_a_last_pass_may_be_as_long_as_the_answer(words, sizes) -> None:
    chunks = [Chunk([], [], (1, 1), "word " * size, (), "end") for size in sizes]
    for target, size in zip(section_targets(words, chunks), sizes, strict=True):
        assert 1 <= target <= max(words, 1) and target <= max(1, size // 2)
        assert target == words or size < 3 * words


LONG = paged(*("\n".join([f"{n} {fact}" for fact in FACTS for n in range(9)]) for _ in range(3)))
LONG_OPTIONS = Options(words=20, num_beams=2, max_input_tokens=512, max_new_tokens=24)


def test_a_long_document_is_answered_from_its_sections(writer: Summarizer) -> None:
    events = list(writer.stream(LONG, LONG_OPTIONS))
    started = [e for e in events if isinstance(e, SectionStarted)]
    count = len(started)
    assert count > 2 and [e.section for e in started] == list(range(1, count + 1))
    assert {e.sections for e in started} == {count}
    assert [e.kind for e in started] == [PartKind.SECTION] * (count - 1) + [PartKind.ANSWER]
    summary = events[-1].summary
    assert not summary.stopped and len(summary.by_section) == count - 1
    (answer,) = summary.sections
    assert summary.summary == answer.text and 1 <= answer.pages[0] <= answer.pages[1] <= 3
    drafts = [e for e in events if isinstance(e, DraftText) and e.section == count]
    assert all(answer.text.startswith(draft.committed) for draft in drafts)


@pytest.mark.parametrize("kept", ["all sections", "all"])
def test_a_resumed_answer_is_the_same(writer: Summarizer, kept: str) -> None:
    whole = writer.summarize(LONG, LONG_OPTIONS)
    done = (*whole.by_section, *whole.sections)[: None if kept == "all" else -1]
    *_, last = writer.stream(LONG, LONG_OPTIONS, resume=lambda identity: done)
    assert last.summary.summary == whole.summary
    assert last.summary.by_section == whole.by_section and not last.summary.stopped


def test_sections_stand_for_an_answer_that_was_stopped(writer: Summarizer) -> None:
    stop = threading.Event()
    for event in writer.stream(LONG, LONG_OPTIONS, stop_event=stop):
        if isinstance(event, SectionDone) and event.section == 2:
            stop.set()
    summary = event.summary
    assert summary.stopped and len(summary.sections) == 2 and not summary.by_section
    assert summary.summary == "\n\n".join(section.text for section in summary.sections)
