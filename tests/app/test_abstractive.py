"""Models that write in their own words: whose settings rule, what is not applied, and is said."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GenerationConfig as TheirConfig

from app import summarize
from app.cli import build_parser, main
from app.documents.load import document_from_text
from app.documents.model import Chunk
from app.errors import BadOption
from app.evidence.provenance import NUMBER_OPTIONS, provenance_rows
from app.settings import DEFAULT_MODEL, Settings
from app.summarize_command import SummarizeCommand
from app.summary.abstractive import (
    AbstractiveMethod,
    describe_settings,
    length_warning,
    longest_text,
    own_settings,
    run_settings,
)
from app.summary.options import DECODING_OPTIONS, Options
from app.summary.summarizer import Summarizer
from app.ui.form import options_from_fields
from app.warning import WarningKind
from longt5 import GenerationConfig
from longt5.generation_config import UNSUPPORTED_OPTIONS
from longt5.text.overlap import ngrams
from tests.app.checkpoint_layouts import BOOK_SUMMARY, LAYOUTS, Layout, write_checkpoint
from tests.conftest import EXAMPLE_TEXT
from tests.engine.conftest import one_thread  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")
TEXT = EXAMPLE_TEXT.read_text(encoding="utf-8")[:1200]
BOOK = GenerationConfig.from_dict(BOOK_SUMMARY)
# Settings of transformers that change neither the tokens nor their order: caches, outputs, speed.
INERT = {
    "use_cache", "cache_implementation", "cache_config", "max_cache_len", "output_attentions",
    "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
    "bos_token_id", "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule",
    "assistant_confidence_threshold", "max_matching_ngram_size", "assistant_lookbehind",
    "target_lookbehind", "assistant_ensemble_weight", "speculation_type", "use_mtp",
    "compile_config", "disable_compile", "continuous_batching_config", "low_memory",
    "prefill_chunk_size", "transformers_version",
}  # fmt: skip


def chunk_of(words: int) -> Chunk:
    text = " ".join(["word"] * words)
    return Chunk(list(range(words + 1)), [], (1, 1), text, (), "end")


def is_layout(part: str) -> Layout:
    return next(layout for layout in LAYOUTS if part in layout.name)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_published_layouts_are_summarized_by_their_own_settings(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(layout, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = Summarizer.load(str(tmp_path), device="cpu", dtype="float32")
        assert loaded.window == 16_384 and not loaded.is_extractive
        options = Options(length="short", num_beams=2, max_new_tokens=8)
        summary = loaded.summarize(document_from_text(TEXT, "a.txt"), options)
    decoding, author = (
        summary.provenance["decoding"],
        {**layout.config, **(layout.generation or {})},
    )
    for name in ("repetition_penalty", "encoder_no_repeat_ngram_size", "length_penalty"):
        assert decoding.get(name) == author.get(name)
    assert decoding["no_repeat_ngram_size"] == 3
    assert decoding["do_sample"] is False
    has_rule = "no_repeat_ngram_size" in author
    assert ("no rule against repetition" in summary.provenance["decoding_note"]) is not has_rule
    assert summary.sections[0].tokens_out <= 8
    assert not summary.warnings and not capsys.readouterr().err


def repeated(tokens: list[int]) -> int:
    return sum(count - 1 for count in ngrams([str(t) for t in tokens], 4).values())


def test_a_checkpoint_without_settings_does_not_loop(tmp_path: Path) -> None:
    write_checkpoint(is_layout("pubmed"), tmp_path, vocab_size=12_292)
    loaded = Summarizer.load(str(tmp_path), device="cpu", dtype="float32")
    document = document_from_text(TEXT, "a.txt")
    found = {}
    for size in (None, 0):
        written: list[int] = []
        run = loaded.batcher.submit

        def submit(run=run, written=written, **options):
            for draft in run(**options):
                written[:] = [*draft.committed, *draft.provisional]
                yield draft

        loaded.batcher.submit = submit
        options = Options(num_beams=2, max_new_tokens=60, no_repeat_ngram_size=size)
        loaded.summarize(document, options)
        loaded.batcher.submit = run
        found[size] = repeated(written) / len(written)
    assert found[None] == 0 and found[0] > 0.3


def test_sampling_is_off_and_the_summary_says_so(tmp_path: Path) -> None:
    settings = {"do_sample": True, "temperature": 3.0, "token_healing": True, "max_new_tokens": 9,
                "prompt_lookup_num_tokens": 3, "custom_generate": "x", "num_beam_groups": 2,
                "diversity_penalty": 0.5}  # fmt: skip
    layout = Layout("sampling", {"vocab_size": 12_292}, generation=settings)
    write_checkpoint(layout, tmp_path)
    texts = []
    with warnings.catch_warnings(record=True) as raw:
        loaded = Summarizer.load(str(tmp_path), device="cpu", dtype="float32")
        for _ in range(2):
            summary = loaded.summarize(document_from_text(TEXT, "a.txt"), Options(num_beams=1))
            texts.append(summary.summary)
    assert texts[0] == texts[1] and not raw
    said = [w.message for w in summary.warnings if w.kind is WarningKind.SETTINGS_NOT_APPLIED]
    assert len(said) == 1 and all(
        name in said[0] for name in set(settings) - {"temperature", "max_new_tokens"}
    )
    assert said[0] in summary.to_dict()["warnings"]
    assert "--num-beams 1" in summary.provenance["command"]


def test_every_setting_of_transformers_is_applied_named_or_inert() -> None:
    ours = set(vars(GenerationConfig()))
    theirs = {name for name in vars(TheirConfig()) if not name.startswith("_")}
    assert theirs - ours - set(UNSUPPORTED_OPTIONS) <= INERT


def test_settings_of_the_task_replace_general_ones(tmp_path: Path) -> None:
    task = {"max_length": 200, "no_repeat_ngram_size": 2, "length_penalty": 2.0, "max_time": 0.1,
            "prefix": "summarize: ", "num_beams": None}  # fmt: skip
    tasks = {"summarization": task, "translation_en_to_de": {"max_length": 300}}
    values = {"length_penalty": 0.8, "max_length": 512, "task_specific_params": tasks}
    (tmp_path / "config.json").write_text(json.dumps(values))
    config, left_out = own_settings(tmp_path, GenerationConfig.from_pretrained(tmp_path))
    assert (config.length_penalty, config.no_repeat_ngram_size) == (2.0, 2)
    assert longest_text(config) == 199 and left_out == ("max_time",)
    for damaged in ([], "x", {"summarization": 3}, None):
        (tmp_path / "config.json").write_text(json.dumps({"task_specific_params": damaged}))
        assert own_settings(tmp_path, GenerationConfig()) == (GenerationConfig(), ())
    damaged = {"summarization": {"max_length": "x"}}
    (tmp_path / "config.json").write_text(json.dumps({"task_specific_params": damaged}))
    with pytest.raises(ValueError, match="max_length"):
        own_settings(tmp_path, GenerationConfig())


@pytest.mark.parametrize(
    ("own", "chosen", "size"),
    [
        ({}, {}, 3),
        ({}, {"repetition_penalty": 1.0}, 3),
        ({}, {"repetition_penalty": 1.5}, None),
        ({}, {"no_repeat_ngram_size": 0}, 0),
        ({"repetition_penalty": 2.0}, {}, None),
        ({"repetition_penalty": 2.0}, {"repetition_penalty": 1.0}, 3),
        ({"no_repeat_ngram_size": 5}, {}, None),
        ({"no_repeat_ngram_size": 5}, {"no_repeat_ngram_size": 2}, 2),
    ],
)
def test_a_rule_against_repetition_is_added_only_where_there_is_none(own, chosen, size) -> None:
    config, options = GenerationConfig(**own), Options(**chosen)
    assert run_settings(config, options).get("no_repeat_ngram_size") == size
    is_added = size is not None and "no_repeat_ngram_size" not in chosen
    assert ("no rule" in describe_settings(config, options)) is is_added


@given(
    st.integers(1, 900),
    st.one_of(st.none(), st.integers(1, 2000)),
    st.one_of(st.none(), st.integers(2, 2000)),
    st.integers(1, 3000),
)
def test_lengths_follow_the_target_and_the_checkpoint(words, limit, max_length, source) -> None:
    own = GenerationConfig(max_length=max_length, length_penalty=0.8)
    options = Options(max_new_tokens=limit)
    search = AbstractiveMethod(chunk_of(source), own).search_options(words, options)
    least, most = search["min_new_tokens"], search["max_new_tokens"]
    rate = (source + 1) / source
    assert least <= most and least <= round(0.4 * words * rate)
    assert most <= (limit or most) and most <= (longest_text(own) or most)
    assert "length_penalty" not in search and search["do_sample"] is False
    if limit is None and longest_text(own) is None:
        assert least == round(0.4 * words * rate) and most > words


def test_a_length_beyond_the_training_is_a_warning() -> None:
    assert length_warning(BOOK, 200, chunk_of(900)) == []
    (warning,) = length_warning(BOOK, 700, chunk_of(900))
    assert warning.kind is WarningKind.LENGTH_LIMITED
    assert "511 tokens" in warning.message and "700 words" in warning.message
    assert length_warning(GenerationConfig(max_length=20), 700, chunk_of(900)) == []


@given(st.sampled_from(DECODING_OPTIONS), st.data())
def test_decoding_options_are_taken_or_refused_in_words(option, data) -> None:
    least, most = option.range
    inside = st.integers(int(least) + 1, int(most)) if option.is_whole else st.floats(least, most)
    value = data.draw(inside)
    Options(**{option.name: value}).check()
    assert Options(**{option.name: value}).decoding() == {option.name: value}
    beyond = st.floats(most, exclude_min=True) | st.floats(max_value=least, exclude_max=True)
    wrong = data.draw(beyond | st.sampled_from([float("nan"), True, "3"]))
    with pytest.raises(BadOption, match=option.label.lower()):
        Options(**{option.name: wrong}).check()
    with pytest.raises(BadOption, match=option.label.lower()):
        summarize("Some words.", **{option.name: wrong})


def test_whole_numbers_are_required_of_counts() -> None:
    with pytest.raises(BadOption, match="whole number from 0 to 100, not 2.5"):
        Options(no_repeat_ngram_size=2.5).check()  # type: ignore[arg-type]


def test_every_way_in_takes_the_decoding_options(tmp_path: Path) -> None:
    values = {option.name: option.kind(2) for option in DECODING_OPTIONS}
    words = [word for option in DECODING_OPTIONS for word in (option.flag, "2")]
    chosen = build_parser().parse_args(["summarize", "a.txt", *words])
    options = SummarizeCommand.from_arguments(chosen).options
    assert options.decoding() == values
    fields = dict.fromkeys(("length", "num_beams", "pages", "sections", "include_references"))
    settings = Settings(model=DEFAULT_MODEL)
    assert options_from_fields(settings, **fields, decoding=values).decoding() == values
    empty = dict.fromkeys(values)
    assert options_from_fields(settings, **fields, decoding=empty).decoding() == {}
    assert set(values) <= set(NUMBER_OPTIONS)


@pytest.mark.parametrize("flag", ["--no-repeat-ngram-size", "--length-penalty"])
@pytest.mark.parametrize("value", ["101", "-11", "x"])
def test_the_command_line_refuses_bad_values(flag: str, value: str, capsys) -> None:
    assert main(["summarize", "a.txt", flag, value]) == 1
    said = capsys.readouterr().err
    assert value in said and said.count("\n") == 1 and "Traceback" not in said


def test_a_model_that_quotes_says_that_decoding_options_do_not_apply(bundled: Summarizer) -> None:
    document = document_from_text("A heron stood in the reeds. The tide went out slowly. " * 8)
    plain = bundled.summarize(document, Options(num_beams=1, max_new_tokens=9))
    options = Options(num_beams=1, max_new_tokens=9, length_penalty=-3.0, no_repeat_ngram_size=1)
    summary = bundled.summarize(document, options)
    assert summary.summary == plain.summary
    (said,) = [w for w in summary.warnings if w.kind is WarningKind.SETTINGS_NOT_APPLIED]
    assert "--no-repeat-ngram-size and --length-penalty" in said.message
    assert not [w for w in plain.warnings if w.kind is WarningKind.SETTINGS_NOT_APPLIED]


def test_a_provenance_names_the_settings_and_the_command(tmp_path: Path) -> None:
    write_checkpoint(Layout("plain", {"vocab_size": 12_292}), tmp_path)
    loaded = Summarizer.load(str(tmp_path), device="cpu", dtype="float32")
    options = Options(num_beams=1, max_new_tokens=3, encoder_no_repeat_ngram_size=5)
    made = loaded.summarize(document_from_text(TEXT, "a.txt"), options).provenance
    assert made["decoding"]["encoder_no_repeat_ngram_size"] == 5
    assert "length_penalty" not in made["decoding"]
    assert "--encoder-no-repeat-ngram-size 5" in made["command"]
    row = dict(provenance_rows(made))["Decoding"]
    assert "no_repeat_ngram_size 3, since" in row and "encoder_no_repeat_ngram_size 5" in row
