"""Each rule against transformers' processor, token by token, while rows change places."""

from __future__ import annotations

import random
import warnings

import pytest
import torch
from transformers.generation import logits_process as theirs

from longt5 import GenerationConfig, sampling
from longt5 import logits_processors as ours
from longt5.processor_list import build_processors

VOCAB, BEAMS, START, STEPS = 12, 3, 0, 14
EOS = [1, 5]
SOURCE = torch.tensor(
    [[3, 4, 5, 3, 4, 6, 3, 4, 1, 0, 0, 0], [7, 7, 7, 8, 9, 7, 7, 10, 11, 2, 6, 1]]
)
WORDS = [[3], [4, 5], [6, 7, 8], [1], [2, 2]]
BIASES = {(3,): 2.0, (4, 5): -1.0, (6, 7, 5): 3.0, (8, 5): 0.25, (2, 2): -float("inf")}
CPU = torch.device("cpu")
ROWS = SOURCE.shape[0] * BEAMS

PAIRS = {
    "repetition": lambda: (
        ours.RepetitionPenalty(1.7, ROWS, START, CPU),
        theirs.RepetitionPenaltyLogitsProcessor(1.7),
    ),
    "encoder repetition": lambda: (
        ours.EncoderRepetitionPenalty(2.5, SOURCE, BEAMS),
        theirs.EncoderRepetitionPenaltyLogitsProcessor(2.5, SOURCE.repeat_interleave(BEAMS, dim=0)),
    ),
    **{
        f"no repeat {n}": lambda n=n: (
            ours.NoRepeatNgram(n, ROWS, START),
            theirs.NoRepeatNGramLogitsProcessor(n),
        )
        for n in (1, 2, 3, 4)
    },
    **{
        f"encoder no repeat {n}": lambda n=n: (
            ours.EncoderNoRepeatNgram(n, SOURCE, BEAMS, START),
            theirs.EncoderNoRepeatNGramLogitsProcessor(n, SOURCE),
        )
        for n in (1, 2, 3, 4)
    },
    "bad words": lambda: (
        ours.BadWords(WORDS, ROWS, START, EOS, VOCAB),
        theirs.NoBadWordsLogitsProcessor(WORDS, EOS),
    ),
    "min length": lambda: (
        ours.MinLength(6, EOS),
        theirs.MinLengthLogitsProcessor(6, torch.tensor(EOS)),
    ),
    "min new tokens": lambda: (
        ours.MinLength(GenerationConfig(min_new_tokens=5).shortest, EOS),
        theirs.MinNewTokensLengthLogitsProcessor(1, 5, torch.tensor(EOS)),
    ),
    "forced bos": lambda: (ours.Forced(1, [7]), theirs.ForcedBOSTokenLogitsProcessor(7)),
    "forced eos": lambda: (
        ours.Forced(STEPS - 1, EOS),
        theirs.ForcedEOSTokenLogitsProcessor(STEPS, torch.tensor(EOS)),
    ),
    "suppress": lambda: (
        ours.SuppressTokens([3, 9], VOCAB),
        theirs.SuppressTokensLogitsProcessor(torch.tensor([3, 9])),
    ),
    "suppress at the begin": lambda: (
        ours.BeginSuppressTokens([3, 9], 2, VOCAB),
        theirs.SuppressTokensAtBeginLogitsProcessor([3, 9], 2),
    ),
    "sequence bias": lambda: (
        ours.SequenceBias(tuple(BIASES.items()), ROWS, START, VOCAB, CPU),
        theirs.SequenceBiasLogitsProcessor(BIASES),
    ),
    "bias of single tokens": lambda: (
        ours.SequenceBias([((4,), -1.5)], ROWS, START, VOCAB, CPU),
        theirs.SequenceBiasLogitsProcessor({(4,): -1.5}),
    ),
    "exponential decay": lambda: (
        ours.ExponentialDecayLengthPenalty(4, 1.3, EOS),
        theirs.ExponentialDecayLengthPenalty((4, 1.3), EOS, 1),
    ),
    "invalid values": lambda: (
        ours.RemoveInvalidValues(),
        theirs.InfNanRemoveLogitsProcessor(),
    ),
    "renormalize": lambda: (ours.Renormalize(), theirs.LogitNormalization()),
    **{
        f"top h {share}": lambda share=share: (
            sampling.TopH(share),
            theirs.TopHLogitsWarper(share),
        )
        for share in (0.3, 0.9, 1.0)
    },
    **{
        f"{name}, {least} kept": lambda mine=mine, reference=reference, least=least, x=x: (
            mine(x, least),
            reference(x, min_tokens_to_keep=least),
        )
        for name, mine, reference, x in (
            ("min p", sampling.MinP, theirs.MinPLogitsWarper, 0.4),
            ("typical", sampling.Typical, theirs.TypicalLogitsWarper, 0.5),
            ("epsilon", sampling.EpsilonCutoff, theirs.EpsilonLogitsWarper, 0.1),
            ("eta", sampling.EtaCutoff, theirs.EtaLogitsWarper, 0.2),
        )
        for least in (1, 3)
    },
    "temperature": lambda: (sampling.Temperature(0.7), theirs.TemperatureLogitsWarper(0.7)),
    "top k": lambda: (sampling.TopK(4), theirs.TopKLogitsWarper(4)),
    "top k of all": lambda: (sampling.TopK(50), theirs.TopKLogitsWarper(50)),
    "top p": lambda: (sampling.TopP(0.6, 1), theirs.TopPLogitsWarper(0.6)),
    "top p, three kept": lambda: (
        sampling.TopP(0.1, 3),
        theirs.TopPLogitsWarper(0.1, min_tokens_to_keep=3),
    ),
}


@pytest.mark.parametrize("kind", ["log-probs", "logits", "forbidden"])
@pytest.mark.parametrize("name", PAIRS)
def test_scores_equal_transformers(name: str, kind: str) -> None:
    for seed in range(4):
        r = random.Random(seed)
        generator = torch.Generator().manual_seed(seed)
        mine, reference = PAIRS[name]()
        rows = [[START] for _ in range(ROWS)]
        for length in range(1, STEPS):
            scores = torch.randn(ROWS, VOCAB, generator=generator) * 2
            scores = scores if kind == "logits" else scores.log_softmax(-1)
            if kind == "forbidden":  # by an earlier rule
                scores[torch.rand(ROWS, VOCAB, generator=generator) < 0.4] = ours.FORBIDDEN_SCORE
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = reference(torch.tensor(rows), scores.clone())
            got = mine(scores.clone(), length)
            assert torch.equal(got.nan_to_num(7.0), expected.nan_to_num(7.0)), (seed, length, rows)
            parents = [r.randrange(BEAMS) + row // BEAMS * BEAMS for row in range(ROWS)]
            tokens = [r.randrange(2, 9) for _ in range(ROWS)]
            rows = [[*rows[p], t] for p, t in zip(parents, tokens, strict=True)]
            mine.advance(parents, tokens)


def test_input_scores_are_not_changed() -> None:
    for name in PAIRS:
        mine, _ = PAIRS[name]()
        scores = torch.randn(ROWS, VOCAB)
        before = scores.clone()
        mine(scores, 1)
        assert torch.equal(scores, before), name


def test_repeated_padding_ngrams_are_stored_once() -> None:
    source = torch.tensor([[3, 4, 1] + [0] * 20_000])
    table = ours.EncoderNoRepeatNgram(3, source, BEAMS, START).tables[0]
    assert table == {(3, 4): [1], (4, 1): [0], (1, 0): [0], (0, 0): [0]}


def test_positions_without_a_token_have_no_effect() -> None:
    short = torch.tensor([[3, 4, 3, 4, 1]])
    joined = torch.cat([short, torch.full((1, 6), ours.NO_TOKEN)], 1)
    scores = torch.randn(BEAMS, VOCAB)
    for n in (1, 2, 3):
        a, b = (ours.EncoderNoRepeatNgram(n, s, BEAMS, START) for s in (short, joined))
        assert torch.equal(a(scores, 1), b(scores, 1))
    a, b = (ours.EncoderRepetitionPenalty(2.0, s, BEAMS) for s in (short, joined))
    assert torch.equal(a(scores, 1), b(scores, 1))


def test_processors_have_transformers_order() -> None:
    config = GenerationConfig(
        do_sample=True,
        temperature=0.5,
        top_p=0.9,
        repetition_penalty=2.0,
        encoder_repetition_penalty=2.0,
        no_repeat_ngram_size=2,
        encoder_no_repeat_ngram_size=2,
        bad_words_ids=((3,),),
        min_length=3,
        forced_bos_token_id=4,
        forced_eos_token_id=1,
        suppress_tokens=(5,),
        begin_suppress_tokens=(6,),
        sequence_bias=(((3, 4), 1.0),),
        exponential_decay_length_penalty=(3, 1.1),
        remove_invalid_values=True,
        renormalize_logits=True,
        top_h=0.5,
        min_p=0.1,
        typical_p=0.9,
        epsilon_cutoff=0.1,
        eta_cutoff=0.1,
    )
    own = ours.Processor()
    built = build_processors(config, SOURCE, 2, VOCAB, START, [1], CPU, [own])
    assert [type(p).__name__ for p in built] == [
        "SequenceBias",
        "EncoderRepetitionPenalty",
        "RepetitionPenalty",
        "NoRepeatNgram",
        "EncoderNoRepeatNgram",
        "BadWords",
        "MinLength",
        "Forced",
        "Forced",
        "RemoveInvalidValues",
        "ExponentialDecayLengthPenalty",
        "SuppressTokens",
        "BeginSuppressTokens",
        "Processor",
        "Temperature",
        "TopH",
        "TopK",
        "TopP",
        "MinP",
        "Typical",
        "EpsilonCutoff",
        "EtaCutoff",
        "Renormalize",
    ]


def test_default_options_make_no_processors() -> None:
    assert build_processors(GenerationConfig(), SOURCE, 2, VOCAB, START, [1], CPU) == []
