"""Objectives on texts known in full, their invariants on any text, and batches by budget."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from longt5 import LongT5Config, LongT5ForConditionalGeneration, Tokenizer
from longt5.errors import UserError
from longt5.text import overlap
from longt5.text.salience import Salience
from longt5.text.source import SourceText
from longt5.text.tidying import tidy
from longt5.training import (
    batches,
    copy_circuit,
    extractive,
    objectives,
    optimizer,
    recipe,
    vocabulary,
)
from longt5.training.corpus import Record
from longt5.training.examples import OBJECTIVES, RANKED_TARGET_WORDS, Limits, ranked_example
from longt5.training.objectives import Example
from tests.conftest import EXAMPLE_TEXT, ROOT

TEXT = EXAMPLE_TEXT.read_text(encoding="utf-8")
WORDS = st.lists(st.sampled_from("a b c d e".split()), max_size=12)


TOKENIZER = Tokenizer.from_pretrained(ROOT / "assets" / "model")
SALIENCE = Salience.load(ROOT / "assets" / "model")


@pytest.fixture
def tokenizer() -> Tokenizer:
    return TOKENIZER


@given(WORDS, WORDS, st.sampled_from([1, 2]))
def test_overlap_is_that_of_rouge_score(candidate, reference, n) -> None:
    wanted = RougeScorer([f"rouge{n}"]).score(" ".join(reference), " ".join(candidate))
    assert overlap.rouge_n(candidate, reference, n) == pytest.approx(wanted[f"rouge{n}"].fmeasure)


@given(st.lists(WORDS, min_size=2, max_size=6))
def test_remainder_counts_equal_a_recount(sentences) -> None:
    grown, chosen = overlap.Remainder(sentences), []
    for index in range(len(sentences) - 1):
        rest = [w for i, s in enumerate(sentences) if i not in (*chosen, index) for w in s]
        said = [w for i in (*chosen, index) for w in sentences[i]]
        assert grown.score_with(index) == pytest.approx(overlap.rouge_n(said, rest, 1))
        grown.add(index)
        chosen.append(index)


def test_principle_sentences_share_most_words_with_the_rest() -> None:
    text = ["a b c d.", "a b.", "x y z.", "c d.", "a c."]
    options = objectives.GapSentences(least_share=1.0, noise=0.0)
    assert objectives.principle_sentences(text, random.Random(0), options) == [0]
    # Alone, the second best repeats the best; a set that grows wants what is not said yet.
    for selection, wanted in (("independent", [0, 1]), ("greedy", [0, 2])):
        options = objectives.GapSentences(0.4, 1.0, 0.0, 0.1, selection)
        assert objectives.principle_sentences(text, random.Random(0), options) == wanted


def test_gap_sentences_are_masked_or_left(tokenizer) -> None:
    masked = left = targets = 0
    for seed in range(40):
        made = objectives.gap_sentences(TEXT, tokenizer, random.Random(seed), 512, 200)
        assert made is not None and len(made.source) <= 512 and len(made.target) <= 200
        assert made.source[-1] == made.target[-1] == tokenizer.eos_token_id
        masked += made.source.count(tokenizer.unk_token_id)
        text = tokenizer.decode(made.target)
        parts = [text[a:b] for a, b in objectives.split_sentences(text)]
        targets += len(parts)
        left += sum(part in tokenizer.decode(made.source) for part in parts)
    assert 0.8 < masked / targets <= 1.0 and 0.02 < left / targets < 0.25
    assert objectives.gap_sentences("One sentence.", tokenizer, random.Random(0)) is None


@given(st.integers(2, 300), st.integers(0, 99))
def test_corrupted_spans_restore_the_text(length: int, seed: int) -> None:
    ids = list(range(10, 10 + length))
    made = objectives.span_corruption(ids, TOKENIZER, random.Random(seed))
    assert made is not None
    first = TOKENIZER.vocab_size - TOKENIZER.extra_ids
    hidden: dict[int, list[int]] = {}
    for token in made.target[:-1]:
        if token >= first:
            hidden[sentinel := token] = []
        else:
            hidden[sentinel].append(token)
    whole = [t for s in made.source[:-1] for t in hidden.get(s, [s])]
    assert whole == ids and list(hidden) == sorted(hidden, reverse=True)
    assert sum(map(len, hidden.values())) == max(1, min(round(0.15 * length), length - 1))


@given(st.integers(0, 400), st.integers(0, 99))
def test_copied_spans_are_in_the_window(length: int, seed: int) -> None:
    made = objectives.span_copying(list(range(10, 10 + length)), random.Random(seed), 256)
    assert (made is None) == (length < 25)
    if made is not None:
        assert len(made.source) <= 256 and set(made.target) <= set(made.source)
        assert made.target == sorted(made.target[:-1]) + [1]  # in the order of the source


@pytest.mark.parametrize(
    "given_, wanted",
    [
        ("However, cells divide [3, 4] slowly (Fig. 2).", "Cells divide slowly."),
        ("Rivers (see Lee et al., 2019; Kim 2020) carry sand.", "Rivers carry sand."),
        ("It rose (Public Health Institute of the North, 2024).", "It rose."),
        ("It rose (May 2019) and fell (Since 1990).", "It rose (May 2019) and fell (Since 1990)."),
        ("It rose (Mayer 2019) again (Byrne, 1990).", "It rose again."),
        ("In 2019 (a dry year) it fell.", "In 2019 (a dry year) it fell."),
        (
            "As [3] says, x[2] lies in [1, 5] of [0, 9].",
            "As [3] says, x[2] lies in [1, 5] of [0, 9].",
        ),
        ("It is described in (Collins, 1996).", "It is described in (Collins, 1996)."),
        ("As discussed earlier, timing counts.", "Timing counts."),
        ("Cells divide[12] in .NET , too .", "Cells divide in .NET, too."),
        ("3.2 The Tenant shall pay the rent.", "The Tenant shall pay the rent."),
        ("2.5 Millionen Menschen leben hier.", "2.5 Millionen Menschen leben hier."),
        ("3.2 metres of snow fell.", "3.2 metres of snow fell."),
        ("• …… 这些目标很难。", "这些目标很难。"),
        ("...this year it rose.", "...this year it rose."),
        ("12.5 GB of memory are needed.", "12.5 GB of memory are needed."),
        ("10.30 Uhr beginnt es.", "10.30 Uhr beginnt es."),
        ("2:01:09 was his best time.", "2:01:09 was his best time."),
        ("Design–Build contracts share risk.", "Design–Build contracts share risk."),
        ("Design – We asked farmers.", "We asked farmers."),
        ("He taught the arts (music) there.", "He taught the arts (music) there."),
        ("The log is kept as syslog.1 and sent.", "The log is kept as syslog.1 and sent."),
        ("“It was late.”12", "“It was late.”"),
        ("It affects some of the births.1,2", "It affects some of the births."),
        ("Integration:3 We recommend it.", "Integration: We recommend it."),
        ("It rose to 3.5, not to 4.", "It rose to 3.5, not to 4."),
        ("METHODS: We asked farmers.", "We asked farmers."),
        ("Abstract—This paper is on rice.", "This paper is on rice."),
        ("Results: 12 of 30 farmers agreed.", "Results: 12 of 30 farmers agreed."),
        ("Market size: Two thirds live there.", "Market size: Two thirds live there."),
        ("3.2 “Rent” means the sum below.", "“Rent” means the sum below."),
        ("Um, it rose, uh, fast.", "It rose fast."),
        ("So, a long column bends.", "A long column bends."),
        ("[12:05] WEBB: I came here [laughter] in May.", "WEBB: I came here in May."),
        ("00:12:05 He told [the mayor] so.", "He told [the mayor] so."),
    ],
)
def test_sentences_are_tidied(given_: str, wanted: str) -> None:
    assert tidy(given_) == wanted


STORY = (
    "The library lends tools to every household of the town. It opened in spring. "
    "Members of the library borrow tools such as drills and ladders for a week. "
    "The weather that year was cold and the lake froze over in the winter. "
    "Most tools of the library come back clean and in time, as its members say. "
    "A brown dog slept on the steps of the post office on that day."
)


def test_extracts_follow_the_reference_or_the_document() -> None:
    options = extractive.Extractive(min_words=8, max_words=14)
    found = extractive.extract(STORY, "A brown dog slept on the steps.", options)
    assert found is not None and found.startswith("A brown dog")
    found = extractive.extract(STORY, None, options, budget=12)
    assert found is not None and "library" in found and "dog" not in found
    assert extractive.extract("", None, options) is None
    assert extractive.extract("Table 3 lists them.\n\nIt is open.", None, options) == "It is open."


def test_a_ranked_target_is_a_plan_of_the_ranking(tokenizer) -> None:
    text = " ".join(line for line in TEXT.splitlines() if line.endswith("."))
    source = SourceText.of(text)
    planner = SALIENCE.planner(source)
    texts = set()
    for words in range(RANKED_TARGET_WORDS[0], RANKED_TARGET_WORDS[1] + 1):
        plan = planner.choose(words)
        spans = [planner.sentences.spans[i] for i in plan]
        numbered = zip(spans, plan, strict=True)
        texts.add(" ".join(tidy(source.sentence(span), i - 1 in plan) for span, i in numbered))
    assert len(texts) > 3
    for seed in range(4):
        limits = Limits(4096, 400, SALIENCE)
        made = ranked_example(Record("1", text, "Any."), tokenizer, random.Random(seed), limits)
        assert made is not None and tokenizer.decode(made.source) == text
        assert tokenizer.decode(made.target) in texts


def test_leading_blanks_change_no_ranking(tokenizer) -> None:
    """It begins all the same, and is no later part of one."""
    limits, text = Limits(1000, 400, SALIENCE), TEXT.strip()
    one, other = (
        ranked_example(Record("1", blanks + text, "Any."), tokenizer, random.Random(1), limits)
        for blanks in ("", "\n  ")
    )
    assert one is not None and one == other
    assert ranked_example(Record("1", " ", "Any."), tokenizer, random.Random(0), limits) is None


def test_the_ranked_objective_needs_a_ranking(tokenizer) -> None:
    with pytest.raises(UserError, match="salience"):
        ranked_example(Record("1", TEXT, None), tokenizer, random.Random(0), Limits(500, 200))


def test_span_corruption_needs_extra_ids(tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "sentinels", [])
    with pytest.raises(UserError, match="vocabulary.extra_ids"):
        OBJECTIVES["span-corruption"](Record("1", TEXT), tokenizer, random.Random(0), Limits(9, 9))


def test_a_vocabulary_reads_the_given_number_of_characters() -> None:
    """Short texts too: each once counted as a thousand."""
    lines = list(vocabulary._training_lines(["short"] * 9 + ["x" * 2500], 1550))
    assert lines == ["short"] * 9 + ["x" * 1000, "x" * 505]
    assert "".join(vocabulary._training_lines(["short", "texts"], 9)) == "shorttext"


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
@pytest.mark.parametrize("summary", [None, "The library lends tools. Members repair them."])
def test_examples_respect_their_limits(tokenizer, name: str, summary: str | None) -> None:
    record, limits = Record("1", TEXT * 3, summary), Limits(200, 120, SALIENCE)
    for seed in range(5):
        made = OBJECTIVES[name](record, tokenizer, random.Random(seed), limits)
        assert made == OBJECTIVES[name](record, tokenizer, random.Random(seed), limits)
        if name == "summary" and summary is None:
            assert made is None
        elif made is not None:
            assert 2 < len(made.source) <= 200 and 1 < len(made.target) <= 120
        if made is not None and name in ("extractive", "span-copying"):
            copied = set(made.target) <= set(made.source)
            assert copied or name == "extractive"  # which may have a new capital letter


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 20)), min_size=1, max_size=40))
def test_batches_respect_their_budget_and_drop_nothing(sizes) -> None:
    examples = [Example([1] * s, [1] * t) for s, t in sizes]
    groups = batches.group_by_length(examples, 200)
    assert sorted(map(id, examples)) == sorted(id(e) for group in groups for e in group)
    for group in groups:
        batch = batches.collate(group)
        width = batch.input_ids.shape[1] + batch.labels.shape[1]
        assert len(group) * width <= 200 or len(group) == 1
        assert batch.sources == sum(len(e.source) for e in group)
        assert batch.targets == sum(len(e.target) for e in group)


def test_batches_resume_at_any_position(tokenizer) -> None:
    made = recipe.parse_recipe(
        {
            "init": "x",
            "batch_tokens": 300,
            "stages": [{"steps": 1, "sources": {"64": 0.5, "128": 0.5}}],
        },
        "span-copying",
    )
    data = batches.Batches([Record(str(n), TEXT[n:]) for n in range(7)], tokenizer, made)
    stream = data.after(batches.Position())
    whole = [next(stream) for _ in range(12)]
    position, _ = whole[4]
    again = data.after(position)
    assert [next(again) for _ in range(7)] == whole[5:]
    short = batches.Batches([Record("1", "Short.")], tokenizer, made)
    with pytest.raises(UserError, match="None of 1 records gave an example"):
        next(short.after(batches.Position()))


def test_learning_rates_follow_the_schedule() -> None:
    options = recipe.Optimizer(lr=1.0, warmup=10, schedule="rsqrt")
    rates = [optimizer.learning_rate(step, 100, options) for step in range(100)]
    assert rates[:10] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert rates[39] == pytest.approx(0.5) and rates == sorted(rates[:10]) + rates[10:]
    options = recipe.Optimizer(lr=1.0, warmup=10, final=0.1)
    assert optimizer.learning_rate(99, 100, options) == pytest.approx(0.1, abs=0.01)


SHAPE = {"d_model": 128, "d_kv": 32, "num_heads": 4, "d_ff": 64, "num_layers": 2,
         "vocab_size": 500, "encoder_attention_type": "transient-global"}  # fmt: skip


@torch.no_grad()
def test_the_copy_circuit_finds_the_next_token_untrained() -> None:
    torch.manual_seed(0)
    model = LongT5ForConditionalGeneration(LongT5Config(**SHAPE)).eval()
    source = torch.randperm(400)[None, :100] + 50
    targets = source[:, 30:60]

    def hits() -> float:
        output = model(source, decoder_input_ids=targets, output_attentions=True)
        assert output.cross_attentions is not None
        looked_at = output.cross_attentions[1].mean(1).argmax(-1)  # the source positions
        return float((looked_at[0, 4:] == torch.arange(35, 61)[None]).float().mean())

    assert hits() < 0.2
    copy_circuit.wire(model)
    assert hits() > 0.8


def test_a_shape_too_small_for_the_circuit_is_refused() -> None:
    model = LongT5ForConditionalGeneration(LongT5Config(**{**SHAPE, "num_layers": 1}))
    with pytest.raises(UserError, match="copy_circuit needs two layers"):
        copy_circuit.wire(model)
