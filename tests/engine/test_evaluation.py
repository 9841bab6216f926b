"""Scores against the libraries they come from, baselines on texts known in full, the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from longt5 import errors
from longt5.copy_processor import FORBIDDING_PENALTY
from longt5.evaluation import baselines, bootstrap, metrics
from longt5.evaluation.__main__ import main
from longt5.evaluation.checkpoints import Checkpoint, InputSettings, decoding_options
from longt5.generation import GenerationConfig
from longt5.text import prose as candidates
from longt5.training.corpus import Record
from tests.conftest import ROOT

REFERENCE = "The lake rose by 2 m in May. Boats were moved to Merrow."
PREDICTION = "In May the lake rises by two metres.\nThe boats moved."
STORY = (
    "The museum opened its doors in spring. Its founder had collected maps of rivers for years. "
    "The rivers of the region carry sand to the sea. Sand from the rivers builds long beaches. "
    "Visitors walk on the beaches in summer. Maps of the rivers and the beaches hang in the "
    "museum. A cat sleeps on the ticket desk. The roof was mended twice by its two keepers. "
    "Tickets cost 4 euros in 2019."
)


@pytest.mark.parametrize("suffix, stemmer", [("", False), ("_stem", True)])
def test_rouge_is_that_of_the_evaluate_package(suffix: str, stemmer: bool) -> None:
    """`evaluate` gives each pair as it is to one scorer of these four, and takes the F measure."""
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stemmer)
    wanted = scorer.score(REFERENCE, PREDICTION)
    got = metrics.rouge_scorer("lines")(REFERENCE, PREDICTION)
    for name in metrics.ROUGE:
        assert got[name + suffix] == pytest.approx(100 * wanted[name].fmeasure)


def test_rouge_lsum_splits_sentences_by_itself() -> None:
    got = metrics.rouge_scorer()("A b. C d.", "C d. A b.")
    assert got["rougeLsum"] == 100 and got["rougeL"] == 50
    assert metrics.sentence_lines("One\nline. Two.") == "One line.\nTwo."


def test_copying_scores_count_every_occurrence() -> None:
    source = metrics.ScoredDocument("a b c d e f")
    assert metrics.copying_scores(source, "a b c d. A b c d") == {
        "copied_words": 100,
        "copied_4grams": 100 * 2 / 5,
        "novel_2grams": 100 / 7,
        "repeated_4grams": 20,
    }
    assert set(metrics.copying_scores(source, "").values()) == {0}


def test_support_scores_use_the_claims_check() -> None:
    source = metrics.ScoredDocument("Ann Lee paid 40 euros in Paris.")
    got = metrics.support_scores(source, "Then Ann Lee paid 41 euros. She was in Rome and Paris.")
    assert got == {"supported": 0, "wrong_numbers": 1, "wrong_names": 1}
    assert metrics.support_scores(source, "It cost 40 euros.")["supported"] == 100


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    mean, low, high = bootstrap.interval(values)
    assert low <= mean <= high and mean == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= low and high <= max(values) + 1e-9
    assert bootstrap.interval(values) == (mean, low, high)


def test_an_interval_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(1).normal(50, 10, 400)
    mean, low, high = bootstrap.interval(values.tolist())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    with pytest.raises(ValueError, match="no document"):
        bootstrap.interval([])


def test_headings_and_fragments_are_no_candidates() -> None:
    line = "A whole sentence of enough words number {}."
    text = "\n".join(["A Heading", *map(line.format, range(9)), "Too short.", "x" * 150])
    spans = candidates.candidate_spans(text)
    assert [text[a:b] for a, b in spans] == [line.format(n) for n in range(9)]
    assert len(candidates.candidate_spans("Few. Are all taken.")) == 2


def sentences(text: str) -> list[str]:
    return [text[a:b] for a, b in candidates.sentence_spans(text)]


@pytest.mark.parametrize("name", sorted(baselines.BASELINES))
def test_baselines_pick_whole_sentences_in_order(name: str) -> None:
    record = Record("1", STORY, "Rivers carry sand that builds beaches. A museum shows maps.")
    picked = sentences(baselines.BASELINES[name](record, 25))
    whole = sentences(STORY)
    assert picked and [s for s in whole if s in picked] == picked
    if name != "oracle":
        assert 15 <= sum(len(s.split()) for s in picked) <= 35


def test_baselines_find_the_central_sentences() -> None:
    record = Record("1", STORY, "A cat sleeps on the desk. Tickets cost 4 euros.")
    assert baselines.lead(record, 5) == "The museum opened its doors in spring."
    assert baselines.oracle(record, 5).startswith("A cat sleeps on the ticket desk. Tickets")
    assert "beaches" in baselines.textrank(record, 12) and "river" in baselines.lexrank(record, 12)


def test_ranking_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MAX_RANKED", 3)
    record = Record("1", STORY, "")
    assert set(sentences(baselines.textrank(record, 500))) == set(sentences(STORY)[:3])


def test_a_given_limit_replaces_the_checkpoints_limits() -> None:
    own = GenerationConfig(max_new_tokens=220, min_new_tokens=110, no_repeat_ngram_size=6)
    merged = own.merged(**decoding_options(own, {"max_length": 64, "num_beams": None}, 0.0))
    assert (merged.longest, merged.shortest, merged.no_repeat_ngram_size) == (64, 64, 6)
    assert decoding_options(own, {}, 30.0)["no_repeat_ngram_size"] == 0
    several = GenerationConfig(num_beams=4, num_return_sequences=2)
    assert several.merged(**decoding_options(several, {}, 0.0)).num_return_sequences == 1


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "two.jsonl"
    rows = [{"document": STORY, "summary": REFERENCE, "source": f"{name}/x"} for name in "ab"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_batch_size_and_padding_change_nothing(bundled) -> None:
    options = {"num_beams": 2, "max_new_tokens": 24, "min_new_tokens": 4}
    texts = [STORY, STORY[:200]]

    def write(**reading) -> Checkpoint:
        return Checkpoint(
            bundled.model, bundled.tokenizer, InputSettings(copy_penalty=30.0, **reading), options
        )

    alone = [write().write([text])[0] for text in texts]
    assert write().write(texts) == alone
    assert write(window=256, padding="max_length").write(texts) == alone
    short = write(window=32)
    assert short.write([STORY]) == short.write([STORY[:150]])


def test_the_command_writes_the_report(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["--model", str(ROOT / "assets" / "model"), "--data", str(data), "--device", "cpu"]
    argv += ["--compare", "lead,textrank,lexrank,oracle", "--max-new-tokens", "12"]
    assert main([*argv, "--num-beams", "2", "--batch-size", "2", "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert {"model", "data", "n", "scores"} <= set(report) and report["n"] == 2
    assert list(report["scores"]) == [argv[1], "lead", "textrank", "lexrank", "oracle"]
    for row in report["scores"].values():
        assert set(row) == set(metrics.METRICS)
        assert all(low <= mean <= high for mean, low, high in row.values())
    assert set(report["sources"]) == {"a", "b"}
    assert report["scores"]["lead"]["supported"] == [100, 100, 100]
    assert report["settings"][argv[1]]["copy_penalty"] == FORBIDDING_PENALTY  # by its card
    text = (out / "report.md").read_text("utf-8")
    assert text in capsys.readouterr().out and "| oracle |" in text and "no stemmer" in text
    row = json.loads((out / "summaries.jsonl").read_text("utf-8").splitlines()[1])
    assert row["source"] == "b/x" and row["lead"] and row[argv[1]]


def test_an_unwritable_report_is_reported_before_the_work(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    argv = ["--data", str(data), "--out", str(tmp_path / "file")]
    assert main(["--model", "no/such/folder", *argv]) == 1
    assert "choose another --out" in capsys.readouterr().err


def test_an_unwritten_report_is_still_printed(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("longt5.evaluation.__main__.write_report", full)
    argv = ["--model", str(ROOT / "assets" / "model"), "--data", str(data), "--device", "cpu"]
    argv += ["--limit", "1", "--num-beams", "1", "--max-new-tokens", "2", "--dtype", "int8"]
    assert main([*argv, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "| R-1 |" in said.out and "No space left" in said.err
    assert '"dtype": "int8, ' in said.out  # and not as if its weights were whole


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--model", "lead"], "lead is a baseline"),
        (
            ["--model", "x", "--max-input-tokens", "-5"],
            "--max-input-tokens: invalid positive value",
        ),
        (["--model", "x", "--limit", "0"], "--limit: invalid positive value"),
    ],
)
def test_invalid_arguments_are_reported(
    data, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    try:
        assert main([*argv, "--data", str(data)]) == 1
    except SystemExit as error:
        assert error.code == 2
    assert said in capsys.readouterr().err


def test_failures_are_one_sentence(
    data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(ROOT / "assets" / "model", folder)
    (folder / "config.json").write_text("{}", "utf-8")
    for model, said in ((folder, "cannot be used"), ("no/such/folder", "no checkpoint folder")):
        assert main(["--model", str(model), "--data", str(data)]) == 1
        assert said in capsys.readouterr().err
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    bundled = str(ROOT / "assets" / "model")
    assert main(["--model", bundled, "--data", str(data)]) == 1
    assert 'pip install ".[eval]"' in capsys.readouterr().err
