"""The search against transformers and against every sequence there is; its options."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import torch

from longt5 import GenerationConfig, beam_search, generation
from longt5.beam_search import SearchOptions
from tests.engine.search_twins import best_of_all, toy, toy_search
from tests.parity import generation_cases
from tests.parity.forward_cases import MASKS, SOURCES, TARGETS, ForwardCase, forward_faults
from tests.parity.generation_cases import Case, judge, models, random_case
from tests.parity.reference import padded_batch, pair

pytestmark = pytest.mark.usefixtures("one_thread")
KEY = (1, 40, "transient-global")


@pytest.mark.parametrize("block", range(8))
def test_random_cases_equal_transformers(block: int) -> None:
    # More of them, for as long as you like: python -m tests.tools.fuzz_generation
    ties = []
    for seed in range(10_000 + 25 * block, 10_000 + 25 * (block + 1)):
        verdict = judge(random_case(seed))
        assert not verdict.faults, (random_case(seed), *verdict.faults)
        ties += [seed] * verdict.tie
    assert len(ties) <= 1, ties


@pytest.mark.parametrize("seed", [203, 3977, 41094])
def test_scores_beyond_0_equal_those_of_transformers(seed: int) -> None:
    # Infinite, by a length penalty that grows by powers; above 0, by a bias; no numbers, where
    # nothing is left to renormalize.
    assert not judge(random_case(seed)).faults


def test_dead_ends_of_finite_scores_equal_transformers() -> None:
    # The rules forbid every token, but remove_invalid_values leaves no infinite score to tell: what
    # is returned are hypotheses that never ended.
    assert judge(random_case(9280)) == generation_cases.Verdict([])


def test_a_tie_is_proven_by_transformers_scores() -> None:
    case = Case(5, KEY, [9], "right", {"num_beams": 3, "max_new_tokens": 6})
    output = generation_cases.theirs(case)
    answer = generation_cases.played_back(case, output)
    assert generation_cases.rescored(answer, output) is None
    assert generation_cases.parted(answer, answer, output) is None
    at = int((answer.search.origins_of_result(1)[0] >= 0).sum())
    answer.sequences[0, at] = (answer.sequences[0, at] + 1) % 40
    # Another sequence with the same claimed score is no tie.
    assert not generation_cases.same(answer, output)
    assert generation_cases.equal_scores(answer, output)
    assert "the claimed score of sequence 0" in generation_cases.rescored(answer, output, True)
    # Nor are choices whose scores differ by more than rounding.
    exact, other = (generation_cases.played_back(case, output) for _ in range(2))
    scores, parents, tokens = other.search.steps[2]
    other.search.steps[2] = scores, parents, tokens.flip(1)
    assert "choices differ by" in generation_cases.parted(other, exact, output)
    other.search.totals[2] = other.search.totals[2] + 0.01
    assert "scores of step 2 differ by 0.01" in generation_cases.parted(other, exact, output)
    # Nor are beams that go on in another order, unless their scores are equal.
    other = generation_cases.played_back(case, output)
    scores, kept = other.search.running_of[1]
    other.search.running_of[1] = scores, kept.flip(1)
    assert "step 1: choices differ by" in generation_cases.parted(other, exact, output)
    for search in (exact.search, other.search):
        search.running_of[1] = torch.zeros_like(scores), search.running_of[1][1]
    assert generation_cases.parted(other, exact, output) is None


def test_beams_of_equal_scores_may_go_on_in_any_order() -> None:
    assert not judge(random_case(6948)).faults


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("target", TARGETS)
def test_forward_passes_equal_transformers(target: str, mask: str) -> None:
    for seed, source in enumerate(SOURCES):
        case = ForwardCase(seed, KEY, source, target, mask, batch=2, length=7)
        assert not forward_faults(case), case


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("vocab,longest,eos", [(3, 6, (1,)), (4, 5, (1, 3)), (5, 4, ())])
def test_wide_beams_find_the_global_best(penalty: float, vocab: int, longest: int, eos) -> None:
    # With room for every hypothesis and no early end, a beam search is exhaustive.
    beams = vocab**longest
    options = SearchOptions(beams, longest + 1, penalty, "never", eos, 0, 1)
    for seed in range(4):
        log_probs = toy(seed, vocab)
        *_, search = toy_search(options, log_probs)
        score, tokens = best_of_all(options, log_probs, vocab)
        found = search.finished[0, 0, 0, 1 : 1 + int(search.lengths[0, 0])]
        assert tuple(found.tolist()) == tokens
        assert float(search.finished_scores[0, 0]) == pytest.approx(score, rel=1e-5)


def test_narrow_beams_miss_the_global_best() -> None:
    # The twin above could not fail if the toy were too easy.
    missed = 0
    for seed in range(20):
        options = SearchOptions(1, 6, 1.0, "never", (1,), 0, 1)
        *_, search = toy_search(options, toy(seed, 4))
        best, _ = best_of_all(options, toy(seed, 4), 4)
        missed += float(search.finished_scores[0, 0]) < best - 1e-4
    assert missed > 5


@pytest.mark.filterwarnings("ignore:Using the model-agnostic")
def test_defaults_equal_transformers() -> None:
    theirs, ours = models(KEY)
    ids, mask = padded_batch([20, 9], 40)
    expected = theirs.generate(input_ids=ids, attention_mask=mask)
    assert torch.equal(ours.generate(ids, mask).sequences, expected)
    assert ours.generate(ids, mask).sequences_scores is None


def test_irrelevant_values_are_no_contradiction() -> None:
    for given in (
        {"temperature": 0.0, "do_sample": False},
        {"top_p": 0.0},
        {"max_length": 1, "max_new_tokens": 8},
    ):
        GenerationConfig.from_dict(given)
    assert GenerationConfig().merged(top_k=None, early_stopping=None) == GenerationConfig()
    assert GenerationConfig(max_new_tokens=5).merged(max_new_tokens=None).max_new_tokens is None
    for wrong in ({"top_p": 0.0, "do_sample": True}, {"max_length": 1}, {"bad_words_ids": [[-1]]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GenerationConfig.from_dict(wrong)


def test_lists_equal_tuples() -> None:
    """Compiled searches are cached by their configuration, which must be hashable."""
    lists = GenerationConfig(bad_words_ids=[[4, 5], [6]], eos_token_id=[1, 2])
    tuples = GenerationConfig(bad_words_ids=((4, 5), (6,)), eos_token_id=(1, 2))
    assert lists == tuples and hash(lists) == hash(tuples)


def test_bad_words_outside_the_vocabulary_are_ignored() -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([20], 40)
    plain = ours.generate(ids, num_beams=2, max_new_tokens=8).sequences
    odd = {"bad_words_ids": [[], [5000], [3, 40]], "suppress_tokens": [5000, -1]}
    assert torch.equal(ours.generate(ids, num_beams=2, max_new_tokens=8, **odd).sequences, plain)


def test_generation_config_files_are_read_and_written(tmp_path: Path) -> None:
    options = {
        "num_beams": 3,
        "max_new_tokens": 7,
        "bad_words_ids": [[4, 5]],
        "penalty_alpha": 0.9,
        "num_beam_groups": 1,
        "diversity_penalty": 0.0,
        "sequence_bias": None,
    }
    (tmp_path / "generation_config.json").write_text(json.dumps(options))
    with pytest.warns(UserWarning, match="sets penalty_alpha, which"):
        config = GenerationConfig.from_pretrained(tmp_path)
    assert (config.num_beams, config.bad_words_ids) == (3, ((4, 5),))
    assert config.to_dict() == {"num_beams": 3, "max_new_tokens": 7, "bad_words_ids": ((4, 5),)}
    theirs, ours = pair(vocab_size=40)
    ours.generation_config = config
    ids, mask = padded_batch([12], 40)
    expected = theirs.generate(input_ids=ids, num_beams=3, max_new_tokens=7, bad_words_ids=[[4, 5]])
    assert torch.equal(ours.generate(ids, mask).sequences, expected)


@pytest.mark.parametrize(
    "options,named",
    [
        ({"num_beams": 0}, "num_beams"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_length": 1}, "max_length"),
        ({"num_return_sequences": 2}, "num_return_sequences"),
        ({"num_beams": 2, "num_return_sequences": 3, "do_sample": True}, "num_return_sequences"),
        ({"early_stopping": "sometimes"}, "early_stopping"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"temperature": 0.0, "do_sample": True}, "temperature"),
        ({"top_k": -1, "do_sample": True}, "top_k"),
        ({"top_p": 0.0, "do_sample": True}, "top_p"),
        ({"suppress_tokens": [1, 2], "forced_eos_token_id": 1}, "forced_eos_token_id"),
        ({"beams": 4}, "beams"),
    ],
)
def test_contradictory_options_are_refused_at_the_call(options: dict, named: str) -> None:
    _, ours = models(KEY)
    with pytest.raises(ValueError, match=named):
        ours.stream(torch.tensor([[3, 1]]), **options)


def test_one_transfer_as_float64_gives_the_same_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA; the processor itself and Apple's GPUs, which have no float64, use two."""
    _, ours = models(KEY)
    ids, mask = padded_batch([9, 4], 40)
    options = {"num_beams": 3, "max_new_tokens": 8, "num_return_sequences": 2}
    usual = ours.generate(ids, mask, **options)
    monkeypatch.setattr(beam_search, "PACKING_DEVICES", ("cpu",))
    there = ours.generate(ids, mask, **options)
    assert torch.equal(there.sequences, usual.sequences)
    assert torch.equal(there.sequences_scores, usual.sequences_scores)


def test_encoder_states_decode_without_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = models(KEY)
    ids, mask = padded_batch([30, 17], 40)
    several = [
        {"num_beams": 4, "max_new_tokens": 12},
        {"num_beams": 2, "max_new_tokens": 20, "encoder_no_repeat_ngram_size": 2},
        {"max_new_tokens": 9},
    ]
    expected = [ours.generate(ids, mask, **options).sequences for options in several]
    encoded = ours.encode(ids, mask)
    monkeypatch.setattr(ours.encoder, "forward", lambda *_, **__: pytest.fail("encoded again"))
    for options, sequences in zip(several, expected, strict=True):
        assert torch.equal(ours.generate(encoded=encoded, **options).sequences, sequences)


def test_ids_and_encoder_states_exclude_each_other() -> None:
    _, ours = models(KEY)
    ids = torch.tensor([[3, 1]])
    for given in ({}, {"input_ids": ids, "encoded": ours.encode(ids)}):
        with pytest.raises(ValueError, match="either"):
            ours.generate(**given)


@pytest.mark.parametrize("beams", [1, 4])
def test_joined_sources_decode_as_if_alone(beams: int) -> None:
    _, ours = models(KEY)
    options = {
        "num_beams": beams,
        "max_new_tokens": 14,
        "no_repeat_ngram_size": 2,
        "encoder_no_repeat_ngram_size": 3,
        "encoder_repetition_penalty": 1.5,
    }
    states = [ours.encode(padded_batch([n], 40, seed=n)[0]) for n in (50, 8, 31)]
    together = ours.generate(encoded=generation.join(states), **options)
    for row, state in enumerate(states):
        alone = ours.generate(encoded=state, **options)
        width = alone.sequences.shape[1]
        assert torch.equal(together.sequences[row, :width], alone.sequences[0])
        if beams > 1:
            close = (together.sequences_scores[row] - alone.sequences_scores[0]).abs()
            assert float(close) < 1e-5


def test_ties_below_the_first_rank_as_in_transformers() -> None:
    """The forced first token is an EOS here: what goes on carries the search's -1e9, beside which
    float32 holds no differences, so that all of it ties for the second place."""
    options = {"num_beams": 8, "max_length": 25, "min_length": 9, "length_penalty": 0.6,
               "early_stopping": "never", "num_return_sequences": 2, "no_repeat_ngram_size": 1,
               "encoder_no_repeat_ngram_size": 2, "forced_bos_token_id": 9,
               "eos_token_id": [1, 5, 7, 9]}  # fmt: skip
    verdict = judge(Case(1374, (1, 16, "transient-global"), [4], "right", options))
    assert not verdict.faults and not verdict.tie


@torch.no_grad()
def test_samples_follow_the_distribution() -> None:
    theirs, ours = models((1, 16, "local"))
    ids, _ = padded_batch([12], 16)
    logits = theirs(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, -1] / 1.5
    drawn = ours.generate(
        ids,
        do_sample=True,
        temperature=1.5,
        top_k=0,
        seed=7,
        max_new_tokens=1,
        num_return_sequences=20_000,
    ).sequences[:, 1]
    share = torch.bincount(drawn, minlength=16) / len(drawn)
    # Five standard errors of a share of 20,000 draws.
    assert float((share - logits.softmax(-1)).abs().max()) < 5 * (0.25 / 20_000) ** 0.5


def test_a_seed_decides_the_samples() -> None:
    _, ours = models(KEY)
    ids, _ = padded_batch([12], 40)
    options = {"do_sample": True, "max_new_tokens": 20, "temperature": 2.0}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again, other = (
        ours.generate(ids, seed=seed, **options).sequences.tolist() for seed in (3, 3, 4)
    )
    assert first == again != other
    # A seed of its own leaves torch's generator alone; without one, that generator decides.
    assert torch.equal(torch.get_rng_state(), state)
    assert ours.generate(ids, **options).sequences.tolist() != first
    assert not torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "module,unseen",
    [
        ("beam_search", {"model", "generation", "logits_processors", "cache"}),
        ("greedy_search", {"model", "generation", "logits_processors", "cache"}),
        ("logits_processors", {"model", "beam_search", "greedy_search", "cache"}),
    ],
)
def test_search_and_processors_import_neither_each_other_nor_the_model(
    module: str, unseen: set[str]
) -> None:
    tree = ast.parse(Path(generation.__file__).with_name(f"{module}.py").read_text("utf-8"))
    seen = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level}
    assert not seen & unseen
