"""The summarizer: events in order, text that is never taken back, lengths, stops, windows."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from app.documents.load import document_from_text
from app.documents.model import Chunk, Document
from app.errors import BadOption, ModelNotFound, NoTextLayer
from app.events import (
    DraftText,
    Event,
    Finished,
    Notice,
    PartKind,
    Planned,
    Progress,
    SectionDone,
    SectionStarted,
)
from app.runs.model_cache import ModelCache
from app.settings import Settings
from app.summary.lengths import token_limits
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from app.warning import WarningKind
from longt5 import LongT5Config, LongT5ForConditionalGeneration
from longt5.kernels import select
from tests.conftest import ROOT, paged
from tests.parity.reference import TINY


@pytest.fixture(scope="module")
def run(bundled: Summarizer, article: Document):
    """Every event of a run of several passes, with the summaries of sections."""
    options = Options(length="short", max_input_tokens=1_000, by_section=True)
    return list(bundled.stream(article, options))


def test_events_come_in_order(run: list[Event]) -> None:
    kinds = [type(e) for e in run if not isinstance(e, (Progress, DraftText))]
    sections = kinds.count(SectionDone)
    assert sections > 1
    assert kinds == [Planned, *[SectionStarted, SectionDone] * sections, Finished]
    stages = [e.stage for e in run if isinstance(e, Progress)]
    assert set(stages) == {"encoding", "decoding"}


def test_an_unused_kernel_gives_one_notice(
    bundled: Summarizer, article: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "_notices", ["The flex kernel gives wrong numbers on moon."])
    options = Options(words=40, num_beams=1, max_input_tokens=512, by_section=True)
    events = list(bundled.stream(article, options))
    assert sum(isinstance(e, SectionDone) for e in events) > 1
    said = [e.message for e in events if isinstance(e, Notice)]
    assert [m for m in said if "kernel" in m] == select.kernel_notices()


def test_committed_text_is_never_taken_back(run: list[Event]) -> None:
    shown: dict[int, str] = {}
    for event in run:
        if isinstance(event, DraftText):
            assert event.committed.startswith(shown.get(event.section, ""))
            assert " ".join(s.text for s in event.sentences) == event.committed
            shown[event.section] = event.committed
        elif isinstance(event, SectionDone):
            assert event.result.text.startswith(shown[event.section])
    assert any(isinstance(e, DraftText) and e.committed and e.provisional for e in run)


def test_the_answer_is_written_before_the_sections(run: list[Event], article: Document) -> None:
    summary = run[-1].summary
    assert summary.summary == "\n\n".join(s.text for s in summary.sections)
    assert summary.pages == len(article.pages) and summary.by_section
    done = [event.result for event in run if isinstance(event, SectionDone)]
    assert done == [*summary.sections, *summary.by_section]
    assert {part.kind for part in summary.sections} == {PartKind.ANSWER}
    assert {part.kind for part in summary.by_section} == {PartKind.SECTION}
    for section in done:
        assert 1 <= section.pages[0] <= section.pages[1] <= summary.pages
        assert section.tokens_in <= 1_000
        assert section.text[-1] in '.!?…"”’)'
        assert " ".join(s.text for s in section.sentences) == section.text


def test_a_german_text_gives_one_warning_and_its_language(bundled: Summarizer) -> None:
    text = (ROOT / "tests/corpus/sentences/german.txt").read_text(encoding="utf-8")[:2_000]
    summary = bundled.summarize(document_from_text(text, "bericht.txt"), Options(length="short"))
    kinds = [warning.kind for warning in summary.warnings]
    assert kinds.count(WarningKind.OTHER_LANGUAGE) == 1
    assert summary.to_dict()["language"] == "de"


def test_int8_is_reported_on_the_cpu_only() -> None:
    models = ModelCache(Settings(device="cpu", dtype="int8"))
    loaded = models.get("bundled")
    document = document_from_text("The ferry left at nine.", "a.txt")
    made = loaded.summarize(document, Options(num_beams=1, max_new_tokens=4)).provenance
    assert made["dtype"] == "int8" and " --dtype int8" in made["command"]
    assert models.peek("bundled") and models.peek("bundled", "int8", "cpu")
    assert not any(models.peek("bundled", dtype) for dtype in ("float32", "bfloat16", "auto"))
    loaded.model = SimpleNamespace(device=SimpleNamespace(type="cuda"), dtype="torch.bfloat16")
    assert loaded.dtype == "bfloat16"  # a GPU has no int8 products


def test_json_object_has_the_pinned_keys(run: list[Event]) -> None:
    values = json.loads(json.dumps(run[-1].summary.to_dict()))
    assert set(values) == {
        "name",
        "pages",
        "unit",
        "language",
        "model",
        "options",
        "summary",
        "sections",
        "by_section",
        "coverage",
        "warnings",
        "stopped",
        "timings",
        "provenance",
    }
    assert set(values["sections"][0]) == {
        "title",
        "pages",
        "labels",
        "text",
        "tokens_in",
        "tokens_out",
        "from_summary",
        "sentences",
    }
    assert set(values["by_section"][0]) == set(values["sections"][0])
    sentence = values["sections"][0]["sentences"][0]
    assert set(sentence) == {"text", "pages", "labels", "flags", "marks"}
    assert set(values["coverage"][0]) == {"page", "status"}
    assert set(values["timings"]) == {"read_s", "encode_s", "decode_s", "total_s"}
    assert values["model"] == "bundled" and isinstance(values["pages"], int)


def test_encoder_runs_once_for_two_lengths(
    bundled: Summarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = document_from_text("A heron stood in the reeds. The tide went out slowly. " * 8)
    bundled.clear_cache()
    calls = []
    encode = bundled.batcher.encode
    monkeypatch.setattr(
        bundled.batcher, "encode", lambda *a, **k: calls.append(1) or encode(*a, **k)
    )
    first = bundled.summarize(document, Options(max_new_tokens=6))
    second = bundled.summarize(document, Options(max_new_tokens=12, num_beams=2))
    assert len(calls) == 1
    assert first.sections[0].tokens_out <= 6 < second.sections[0].tokens_out <= 12


def test_stop_while_decoding_keeps_the_text(bundled: Summarizer, article: Document) -> None:
    stop, steps = threading.Event(), 0
    for event in bundled.stream(article, Options(length="long"), stop_event=stop):
        if isinstance(event, DraftText) and not stop.is_set() and event.committed:
            stop.set()
            said = event.committed
        elif stop.is_set() and isinstance(event, Progress):
            steps += 1
    assert steps <= 1
    assert event.summary.stopped and event.summary.summary.startswith(said)


def test_stop_while_encoding_ends_with_a_warning(bundled: Summarizer) -> None:
    stop = threading.Event()
    document = document_from_text("The ferry left at nine and came back at noon. " * 40)
    for event in bundled.stream(document, stop_event=stop):
        if isinstance(event, Progress) and event.stage == "encoding":
            stop.set()
    assert event.summary.stopped and not event.summary.sections
    assert event.summary.warnings[-1].message == "Stopped before anything was summarized."


def test_closing_the_stream_ends_the_encoder_thread(bundled: Summarizer) -> None:
    document = document_from_text("Seven bridges cross the river at the old mill. " * 40)
    stream = bundled.stream(document)
    next(e for e in stream if isinstance(e, Progress))
    stream.close()
    assert not [t for t in threading.enumerate() if t.name == "encode"]


def test_bad_options_are_refused_before_the_first_event(
    bundled: Summarizer, article: Document
) -> None:
    for options, word in (
        (Options(length="epic"), "epic"),
        (Options(words=0), "20 to 5,000 words, not 0"),
        (Options(words=5), "20 to 5,000 words, not 5"),
        (Options(words=1_000_000), "20 to 5,000 words, not 1,000,000"),
        (Options(num_beams=0), "beams"),
        (Options(max_new_tokens=0), "new tokens"),
        (Options(max_new_tokens=1_000_000_000), "1 to 16,384"),
        (Options(max_input_tokens=3), "64"),
        (Options(pages="9-1"), "1-5,9"),
    ):
        with pytest.raises(BadOption, match=word):
            bundled.stream(article, options)
    with pytest.raises(NoTextLayer):
        bundled.stream(document_of_scans())


def document_of_scans():
    from dataclasses import replace

    document = paged("x", "y")
    return replace(
        document, pages=tuple(replace(p, text="", status="scanned") for p in document.pages)
    )


def test_unknown_models_are_named(tmp_path: Path) -> None:
    for name in ("no such thing", str(tmp_path)):
        with pytest.raises(ModelNotFound, match=name.split("/")[-1]):
            Summarizer.load(name)


@pytest.fixture
def checkpoint(tmp_path: Path):
    """A tiny random checkpoint with the bundled vocabulary, in HF layout."""
    torch.manual_seed(0)
    config = LongT5Config.from_dict({**TINY, "vocab_size": 12_292, "num_layers": 1})
    LongT5ForConditionalGeneration(config).save_pretrained(tmp_path)
    shutil.copy(ROOT / "assets" / "model" / "spiece.model", tmp_path)
    return tmp_path


def words_of_length(tokenizer, tokens: int) -> str:
    """Text of exactly so many ids, `</s>` counted."""
    text = "the " * (tokens - 1)
    ids = tokenizer.encode(text)
    assert len(ids) == tokens
    return text


@pytest.mark.parametrize("said", [None, 1_000_000_000_000, 16_384])
def test_a_pass_takes_exactly_the_window(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, said: int | None
) -> None:
    settings = {} if said is None else {"model_max_length": said}
    (checkpoint / "tokenizer_config.json").write_text(json.dumps(settings))
    summarizer = Summarizer.load(str(checkpoint), device="cpu", dtype="float32")
    assert summarizer.window == 16_384
    sizes = []
    encode = summarizer.batcher.encode
    monkeypatch.setattr(
        summarizer.batcher,
        "encode",
        lambda ids, **k: sizes.append(ids.shape[1]) or encode(ids, **k),
    )
    text = words_of_length(summarizer.tokenizer, 16_384)
    summarizer.summarize(document_from_text(text), Options(max_new_tokens=1, num_beams=1))
    assert sizes == [16_384]
    sizes.clear()
    longer = document_from_text(text + " And then one sentence more was added.")
    summarizer.summarize(longer, Options(max_new_tokens=1, num_beams=1))
    assert len(sizes) == 2 and max(sizes) <= 16_384


def chunk_of(words: int) -> Chunk:
    text = " ".join(["word"] * words)
    return Chunk(list(range(words + 1)), [], (1, 1), text, (), "end")


def test_limits_leave_room_for_a_sentence() -> None:
    least, most = token_limits(80, chunk_of(900))
    assert 0 < least < 80 < most
