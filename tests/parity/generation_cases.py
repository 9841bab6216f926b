"""Random decoding cases, transformers' answer to each, and the comparison with ours.

A case is decided by its seed alone. transformers' logits are replayed to this engine's loop (which
must then agree to the last bit), and the engine also decodes the case itself. A tie is proven: the
sequence that was chosen instead is scored by transformers' own scores.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import transformers
from torch import nn

from longt5 import EncoderStates, GenerationConfig, decoding, generation
from longt5.greedy_search import GreedySearch
from tests.engine.search_twins import SlowBeams, Traced
from tests.parity.reference import ours_like, padded_batch, reference_model

# Rounding of a score, relative to the largest logit and to the score itself. Two choices tie where
# they are no further apart than the rounding of both.
LOGIT_ROUNDING, SCORE_ROUNDING = 2e-6, 1e-5
COMPILED = {"d_kv": 16, "num_heads": 4, "d_ff": 64}
SAMPLE_SEED = 1234
# What transformers says where the rules forbid every token of a row that is drawn from.
REFUSALS = "multinomial", "probability tensor", "Expected parameter logits"


class ToyTokenizer:
    """A text for each token, for both engines; id -1 is the prefix that transformers adds."""

    def __init__(self, vocab: int) -> None:
        self.texts = {
            i: " ab cab bc a b c ca".split(" ")[i % 7] + "abc"[i % 3] for i in range(vocab)
        }
        self.texts = {i: text + " " * (i % 4 == 0) for i, text in self.texts.items()}

    def token_text(self, token: int) -> bytes:
        return self.texts[token].encode()

    def get_vocab(self) -> dict[str, int]:
        return {f"{i}": i for i in self.texts}

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [-1]}

    def _convert_id_to_token(self, token: int) -> str:
        return str(token)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join("abcdef" if t == "-1" else self.texts[int(t)] for t in tokens)


WAYS = ("ids", "inputs_embeds", "generation_config")


@dataclass(frozen=True)
class Case:
    """A decoding case: a model, a batch of sources, options."""

    seed: int
    model: tuple[int, int, str]  # seed (odd: sizes of the compiled kernels), vocabulary, attention
    lengths: list[int]
    side: str
    options: dict[str, Any] = field(hash=False)
    way: str = "ids"  # how source and options are passed: one of WAYS

    @property
    def beams(self) -> int:
        return self.options["num_beams"]

    @property
    def all_options(self) -> dict[str, Any]:
        """Return the options with the tokenizer that stop strings need."""
        needed = "stop_strings" in self.options
        return self.options | ({"tokenizer": ToyTokenizer(self.model[1])} if needed else {})


def random_case(seed: int) -> Case:
    """Return a random case, with most options at their defaults."""
    r = random.Random(seed)
    vocab = r.choice([16, 40, 96])
    attention = r.choice(["local", "transient-global"])
    options: dict[str, Any] = {"num_beams": r.choice([1, 2, 2, 3, 4, 4, 5, 6, 7, 8])}
    options |= _limits(r)
    if options["num_beams"] > 1:
        options["length_penalty"] = r.choice([-1.0, 0.0, 0.6, 0.8, 1.0, 1.0, 2.0])
        options["early_stopping"] = r.choice([True, False, "never"])
        options["num_return_sequences"] = r.choice([1, 1, r.randint(1, options["num_beams"])])
    for name in ("repetition_penalty", "encoder_repetition_penalty"):
        if r.random() < 0.25:
            options[name] = r.choice([0.7, 1.3, 2.5, 3.5])
    if r.random() < 0.3:
        options["no_repeat_ngram_size"] = r.choice([1, 2, 2, 3, 4])
    if r.random() < 0.3:
        options["encoder_no_repeat_ngram_size"] = r.choice([1, 2, 2, 3, 4])
    options |= _tokens(r, vocab) | _biases(r, vocab)
    if r.random() < 0.2:
        options |= _sampling(r, options["num_beams"])
    lengths = [r.choice([r.randint(1, 8), r.randint(9, 60)]) for _ in range(r.choice([1, 1, 2, 3]))]
    model = (r.randint(0, 3), vocab, attention)
    return Case(seed, model, lengths, r.choice(["right", "left"]), options, _way(seed, options))


def _way(seed: int, options: dict[str, Any]) -> str:
    """Return the way of a case, drawn apart, so that a seed keeps its options.

    Rules about the source's tokens need ids.
    """
    way = random.Random(f"way {seed}").choice(["ids"] * 6 + [*WAYS[1:]] * 2)
    needs_ids = any(name.startswith("encoder_") for name in options)
    return "ids" if needs_ids and way == "inputs_embeds" else way


def _limits(r: random.Random) -> dict[str, int]:
    longest = r.choice([1, 2, 5, 8, 12, 16, 24])
    found = {"max_new_tokens": longest} if r.random() < 0.6 else {"max_length": longest + 1}
    if r.random() < 0.4:
        least = r.randint(0, longest)
        found |= {"min_new_tokens": least} if r.random() < 0.6 else {"min_length": least + 1}
    return found


def _tokens(r: random.Random, vocab: int) -> dict[str, Any]:
    def some(most: int) -> list[int]:
        return r.sample(range(2, vocab), r.randint(1, most))

    found: dict[str, Any] = {}
    if r.random() < 0.12:
        found["forced_bos_token_id"] = r.randrange(2, vocab)
    if r.random() < 0.12:
        found["forced_eos_token_id"] = r.choice([1, 1, [1, 3]])
    if r.random() < 0.2:
        found["bad_words_ids"] = [some(3) for _ in range(r.randint(1, 12))]
    if r.random() < 0.15:
        # A forced token may not be suppressed: both engines refuse that.
        forced = found.get("forced_bos_token_id")
        found["suppress_tokens"] = [t for t in some(4) if t not in (forced, 3)] or [0]
    if r.random() < 0.3:
        found["eos_token_id"] = r.choice([[1, 5], [1, 5, 7, 9], 6])
    return found


def _biases(r: random.Random, vocab: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if r.random() < 0.12:
        words = [tuple(r.choices(range(vocab), k=r.randint(1, 3))) for _ in range(r.randint(1, 6))]
        found["sequence_bias"] = {word: r.choice([-5.0, -0.5, 0.5, 2.0, 8.0]) for word in words}
    if r.random() < 0.12:
        found["exponential_decay_length_penalty"] = (r.randint(0, 8), r.choice([1.01, 1.2, 2.0]))
    if r.random() < 0.12:
        found["begin_suppress_tokens"] = r.sample(range(vocab), r.randint(1, 4))
    if r.random() < 0.12:
        found["stop_strings"] = r.choice(["ab", ["bca", "cc"], ["a c"], ["aba", "b b", "c"]])
    for name in ("renormalize_logits", "remove_invalid_values"):
        if r.random() < 0.08:
            found[name] = True
    return found


def _sampling(r: random.Random, beams: int) -> dict[str, Any]:
    found: dict[str, Any] = {"do_sample": True, "temperature": r.choice([0.5, 1.0, 2.0])}
    found |= {"top_k": r.choice([0, 5, 50]), "top_p": r.choice([1.0, 0.9, 0.5])}
    for name in ("typical_p", "min_p", "epsilon_cutoff", "eta_cutoff", "top_h"):
        if r.random() < 0.25:
            found[name] = r.choice([0.02, 0.2, 0.7])
    if beams == 1:
        found["num_return_sequences"] = r.choice([1, 3])
    return found


@lru_cache(maxsize=64)
def models(key: tuple[int, int, str]):
    """Return (transformers' model, ours); an untied sharp head avoids exact ties.

    Those of an odd seed have sizes that the compiled kernels compute, all layers in one call.
    """
    seed, vocab, attention = key
    theirs = reference_model(
        seed,
        vocab_size=vocab,
        encoder_attention_type=attention,
        tie_word_embeddings=False,
        **(COMPILED if seed % 2 else {}),
    )
    torch.manual_seed(seed + 100)
    theirs.lm_head.weight = nn.Parameter(torch.randn(vocab, 32) * (0.3, 0.6, 1.0, 2.0)[seed])
    # transformers warns of every pair of lengths that it finds contradictory.
    warnings.filterwarnings("ignore", module="transformers")
    return theirs, ours_like(theirs)


def source(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask of the case, each source ending in EOS."""
    ids, mask = padded_batch(case.lengths, case.model[1], case.side, seed=case.seed)
    for row, kept in zip(ids, mask, strict=True):
        row[int(kept.nonzero().max())] = 1
    return ids, mask


def theirs(case: Case):
    """Return transformers' output with scores and logits; None where it refuses to sample."""
    ids, mask = source(case)
    model = models(case.model)[0]
    given: dict[str, Any] = dict(case.all_options)
    if case.way == "generation_config":
        tokenizer = {"tokenizer": given.pop("tokenizer")} if "tokenizer" in given else {}
        given = {"generation_config": transformers.GenerationConfig(**given), **tokenizer}
    embeds = case.way == "inputs_embeds"
    torch.manual_seed(SAMPLE_SEED)
    try:
        return model.generate(
            **({"inputs_embeds": model.shared(ids)} if embeds else {"input_ids": ids}),
            attention_mask=mask,
            return_dict_in_generate=True,
            output_scores=True,
            output_logits=True,
            **given,
        )
    except (RuntimeError, ValueError) as error:
        if not any(said in str(error) for said in REFUSALS):
            raise
        return None


class Playback:
    """A model that returns recorded logits for any input."""

    def __init__(self, config, logits) -> None:
        self.config, self.logits, self.at = config, logits, 0
        self.device, self.generation_config = torch.device("cpu"), GenerationConfig()

    def init_cache(self, encoded, rows: int, longest: int):
        return SimpleNamespace(reorder=lambda parents: None)

    def decode_step(self, tokens, cache) -> torch.Tensor:
        self.at += 1
        return self.logits[self.at - 1].float()


@dataclass
class Answer:
    """The output of our run, its drafts, its search, and each step's processed scores."""

    sequences: torch.Tensor
    scores: torch.Tensor | None
    drafts: list[generation.Draft]
    search: Any
    steps: list[torch.Tensor]

    def dead_end(self, row: int) -> bool:
        """Return whether the rules forbade every token, so that transformers returns leftovers."""
        return isinstance(self.search, Traced) and not bool(self.search.is_finished[row, 0])


def run(model, case: Case, encoded) -> Answer:
    """Stream a case through ``model`` and take the search's result, as ``generate`` does."""
    options = case.all_options
    if options.get("do_sample"):
        options["seed"] = SAMPLE_SEED
    if case.way == "generation_config":
        tokenizer = {"tokenizer": options.pop("tokenizer")} if "tokenizer" in options else {}
        options = {"generation_config": GenerationConfig(**options), **tokenizer}
    runs: list[Any] = []
    real = generation.new_decoding

    def prepare(*args):
        prepared = real(*args)
        prepared.scores = []
        runs.append(prepared)
        return prepared

    with (
        mock.patch.object(generation, "new_decoding", prepare),
        mock.patch.object(decoding, "BeamSearch", Traced),
    ):
        drafts = list(generation.stream(model, encoded=encoded, **options))
    keep = model.generation_config.merged(**case.options).num_return_sequences
    search = runs[0].search
    return Answer(*search.result(keep), drafts, search, runs[0].scores)


def played_back(case: Case, output) -> Answer:
    """Run our loop over transformers' logits."""
    ids, mask = source(case)
    states = EncoderStates(torch.zeros(len(ids), 1, 1), mask, _known_ids(case, ids))
    return run(Playback(models(case.model)[1].config, output.logits), case, states)


def ours(case: Case) -> Answer:
    """Run our engine from ids to answer."""
    model = models(case.model)[1]
    ids, mask = source(case)
    if case.way == "inputs_embeds":
        encoded = model.encode(None, mask, inputs_embeds=model.shared(ids).detach())
    else:
        encoded = model.encode(ids, mask)
    return run(model, case, encoded)


def _known_ids(case: Case, ids: torch.Tensor) -> torch.Tensor | None:
    return None if case.way == "inputs_embeds" else ids


def same(answer: Answer, output, rounded: bool = False) -> bool:
    """Return whether sequences (with fill ids) and scores are equal; ties in any order.

    ``rounded``: scores may differ by rounding.
    """
    if answer.scores is None or answer.sequences.shape != output.sequences.shape:
        return torch.equal(answer.sequences, output.sequences)
    keep = len(answer.sequences) // (1 + max(d.row for d in answer.drafts))
    scores = enumerate(output.sequences_scores.tolist())
    places = [(at // keep, score) for at, score in scores]
    mine, wanted = (
        sorted(zip(places, x.tolist(), strict=True)) for x in (answer.sequences, output.sequences)
    )
    return mine == wanted and not _wrong_scores(answer, output, rounded)


def _wrong_scores(answer: Answer, output, rounded: bool) -> str | None:
    """Return how the scores of an answer differ from transformers'."""
    o, room = answer.search.options, torch.zeros(())
    if rounded:
        keep = len(answer.sequences) // (1 + max(d.row for d in answer.drafts))
        lengths = (answer.search.origins_of_result(keep) >= 0).sum(1)
        room = _rounding(output, lengths) / lengths.clamp(min=1) ** o.length_penalty
    return _unequal(answer.scores, output.sequences_scores, "scores", room, rounded)


def _rounding(output, steps: torch.Tensor | float) -> torch.Tensor:
    """Return the rounding of a sum of so many steps' log-probs, which adds up as chance does."""
    logits = torch.cat([x.flatten() for x in output.logits])
    largest = logits[logits.isfinite()].abs().max().clamp(min=1.0)
    return LOGIT_ROUNDING * largest * torch.as_tensor(steps).clamp(min=1).float().sqrt()


def equal_scores(answer: Answer, output) -> bool:
    """Return whether every rank has transformers' score to the last bit."""
    return answer.scores is not None and torch.equal(answer.scores, output.sequences_scores)


def parted(answer: Answer, exact: Answer, output) -> str | None:
    """Return why the engine's other choice is no tie, None where it is proven to be one."""
    if not isinstance(exact.search, Traced):
        return _parted_rows(answer, output)
    for at, total in enumerate(exact.search.totals):
        if at >= len(answer.search.steps):
            break
        vocab = total.shape[1] // exact.search.options.num_beams
        chosen = [p * vocab + t for _, p, t in (exact.search.steps[at], answer.search.steps[at])]
        if not torch.equal(*chosen):
            return _apart(at, total, answer.search.totals[at], *chosen, _rounding(output, at + 1))
        # Of candidates with equal scores any may come first among the beams.
        (theirs, wanted), (mine, kept) = (x.search.running_of[at] for x in (exact, answer))
        if not torch.equal(wanted, kept):
            return _apart(at, theirs, mine, wanted, kept, _rounding(output, at + 1))
    # All choices agree, so two finished scores, or a decision to stop, lay too close.
    if unproven := rescored(answer, output, rounded=True):
        return unproven
    return _wrong_scores(answer, output, rounded=True)


def _parted_rows(answer: Answer, output) -> str | None:
    width = min(answer.sequences.shape[1], output.sequences.shape[1])
    for row in range(len(answer.sequences)):
        mine, wanted = answer.sequences[row, :width], output.sequences[row, :width]
        differs = (mine != wanted).nonzero()
        if len(differs):
            at = int(differs[0])
            scores = output.scores[at - 1][row : row + 1], answer.steps[at - 1][row : row + 1]
            chosen = wanted[None, at : at + 1], mine[None, at : at + 1]
            if found := _apart(at, *scores, *chosen, _rounding(output, 1)):
                return found
    return None


def _apart(at: int, theirs, mine, wanted, chosen, room) -> str | None:
    """Return why choices of a step are no tie, None where they are.

    ``theirs`` and ``mine``: the scores [B, N]; ``wanted``, ``chosen``: the indices [B, C] of each.
    """
    if unequal := _unequal(mine, theirs, f"scores of step {at}", room, rounded=True):
        return unequal
    a, b = theirs.gather(1, wanted), theirs.gather(1, chosen)
    rounding = sum((mine.gather(1, i) - theirs.gather(1, i)).abs() for i in (wanted, chosen))
    far = ((a - b).abs() > rounding) & (a != b)  # equal infinities have no difference
    if bool(far.any()):
        return (
            f"step {at}: choices differ by {float((a - b).abs()[far].max()):.2g}, not by rounding"
        )
    return None


def _unequal(
    mine: torch.Tensor, theirs: torch.Tensor, name: str, room: torch.Tensor, rounded: bool
) -> str | None:
    """Return how two tensors differ by more than ``room`` and, if ``rounded``, their own size."""
    allowed = room + SCORE_ROUNDING * rounded * theirs.abs()
    # Infinities, whose difference is no number, and scores that are none may be equal too.
    same = (mine == theirs) | (mine.isnan() & theirs.isnan()) | ((mine - theirs).abs() <= allowed)
    if bool(same.all()):
        return None
    return f"{name} differ by {float((mine - theirs).abs()[~same].max()):.2g}, more than rounding"


def rescored(answer: Answer, output, rounded: bool = False) -> str | None:
    """Return what is wrong with the claimed scores by transformers' own scores of each step."""
    keep = len(answer.sequences) // (1 + max(d.row for d in answer.drafts))
    rows, o = answer.search.origins_of_result(keep), answer.search.options
    for number, origins in enumerate(rows):
        total = torch.zeros(())
        length = int((origins >= 0).sum())
        if length > len(output.scores):
            return f"sequence {number} is longer than transformers' search"
        for at in range(length):
            total = total + output.scores[at][origins[at], answer.sequences[number, at + 1]]
        penalty = torch.tensor(length**o.length_penalty, dtype=torch.float32)
        room = _rounding(output, length) / penalty if rounded else torch.zeros(())
        name = f"the claimed score of sequence {number}"
        if unequal := _unequal(answer.scores[number], total / penalty, name, room, rounded):
            return unequal
    return None


def stream_faults(case: Case, answer: Answer) -> Iterator[str]:
    """Yield violations of the rules of a stream of drafts."""
    for row in range(len(case.lengths)):
        yield from _row_faults(row, answer, case)


def _row_faults(row: int, answer: Answer, case: Case) -> Iterator[str]:
    drafts = [d for d in answer.drafts if d.row == row]
    keep = len(answer.sequences) // len(case.lengths)
    final = answer.sequences[row * keep].tolist()[1:]
    eos = answer.search.options.eos
    # Fill is EOS in a beam search; in a greedy one it comes after EOS.
    text = final[: next((i for i, t in enumerate(final) if t in eos), len(final))]
    if [d.done for d in drafts] != [False] * (len(drafts) - 1) + [True]:
        yield f"row {row}: done is not said once, at the end"
    if answer.dead_end(row):
        text = drafts[-1].committed
    if isinstance(answer.search, GreedySearch):  # whose fill may be an end or none
        text = answer.search.texts[row * answer.search.samples]
    if drafts[-1].committed != text or drafts[-1].provisional:
        yield f"row {row}: the last commit {drafts[-1].committed} is not the answer {text}"
    before: list[int] = []
    for draft in drafts:
        if draft.committed[: len(before)] != before:
            yield f"row {row}: {before} was taken back: {draft.committed}"
        before = draft.committed
    if isinstance(answer.search, Traced):
        yield from _commit_faults(row, answer, drafts)


def _commit_faults(row: int, answer: Answer, drafts) -> Iterator[str]:
    search, twin = answer.search, SlowBeams(answer.search.options)
    for at, draft in enumerate(drafts):
        twin.step(search.ranked(at, row))
        if twin.tied:
            return
        over = at + 1 == len(search.steps)
        expected = list(twin.commit(over))
        if draft.committed != expected:
            yield f"row {row} step {at}: committed {draft.committed}, the twin {expected}"
        if draft.done != (over or twin.closed or not twin.improvable):
            yield f"row {row} step {at}: done is {draft.done}"


@dataclass
class Verdict:
    """The result of one case."""

    faults: list[str]
    tie: bool = False
    refused: bool = False


def judge(case: Case) -> Verdict:
    """Run a case three ways and return the differences in ``faults``."""
    output = theirs(case)
    if output is None:
        # Entropies of such a row are refused by transformers alone, which needs no equal here.
        fine = _refuses(case) or {"top_h", "eta_cutoff"}.intersection(case.options)
        return Verdict([] if fine else ["transformers refused this draw"], refused=True)
    exact = played_back(case, output)
    faults = list(stream_faults(case, exact))
    tie = False
    if not same(exact, output):
        # Two hypotheses that ended with the same score, of which the first one stays here.
        unproven = None if equal_scores(exact, output) else "the scores differ"
        if unproven := unproven or rescored(exact, output):
            faults.append(f"from equal logits: {_both(exact, output)}\n  {unproven}")
        tie = not unproven
    engine = ours(case)
    faults += stream_faults(case, engine)
    if same(engine, output, rounded=True) or (tie and same_answers(engine, exact, output)):
        return Verdict(faults, tie)
    if unproven := parted(engine, exact, output):
        faults.append(f"engine: {_both(engine, output)}\n  {unproven}")
    return Verdict(faults, tie=True)


def same_answers(engine: Answer, exact: Answer, output) -> bool:
    """Return whether the engine gives what our loop gives over transformers' logits."""
    return torch.equal(engine.sequences, exact.sequences) and not _wrong_scores(
        engine, output, rounded=True
    )


def _both(answer: Answer, output) -> str:
    scores = None if answer.scores is None else output.sequences_scores
    return (
        f"{answer.sequences.tolist()} {answer.scores}\n"
        f"  transformers: {output.sequences.tolist()} {scores}"
    )


def _refuses(case: Case) -> bool:
    try:
        ours(case)
    except RuntimeError:
        return True
    return False
