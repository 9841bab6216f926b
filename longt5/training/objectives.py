"""Training objectives: gap sentences (PEGASUS), corrupted spans (T5), copied spans.

Each objective makes one example of token ids from a document, with a random generator that is
passed in: the same generator state gives the same example.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..text.overlap import Remainder
from ..text.sentences import split_sentences
from ..text.words import words_of

EOS = 1


class TextEncoder(Protocol):
    """The part of :class:`longt5.Tokenizer` that objectives need."""

    sentinels: list[int]
    unk_token_id: int

    def encode(self, text: str, add_eos: bool = True) -> list[int]: ...


@dataclass(frozen=True)
class Example:
    """Token ids of a source and of its target, each with ``</s>`` at the end."""

    source: list[int]
    target: list[int]


@dataclass(frozen=True)
class GapSentences:
    """Options of :func:`gap_sentences`; the ratios are those LongT5 was pretrained with.

    ``selection`` "greedy" grows the chosen set one sentence at a time (the papers' words);
    "independent" scores each sentence alone against the rest, as the published parser's
    ``dynamic_rouge`` does.
    """

    masked_ratio: float = 0.2
    least_share: float = 0.33
    noise: float = 0.2
    left_in_place: float = 0.1
    selection: str = "greedy"


def principle_sentences(
    sentences: Sequence[str], rng: random.Random, options: GapSentences
) -> list[int]:
    """Return the indices, in document order, of the sentences that share most words with the rest.

    Scores are ROUGE-1 F against the rest of the document, each times a normal factor around 1
    whose deviation is ``noise`` squared, as in the published parser. How many are chosen is
    ``masked_ratio`` of all, times a uniform draw of ``least_share`` to 1; at least one, and
    never all of them. Source: google-research/pegasus, ``sentence_selection``; LongT5 paper.
    """
    ratio = options.masked_ratio * rng.uniform(options.least_share, 1.0)
    count = min(max(1, int(len(sentences) * ratio)), len(sentences) - 1)
    remainder = Remainder([words_of(sentence) for sentence in sentences])
    noise = [1 + options.noise * rng.gauss(0, options.noise) for _ in sentences]

    def score(index: int) -> float:
        return remainder.score_with(index) * noise[index]

    left = list(range(len(sentences)))
    if options.selection == "independent":
        return sorted(sorted(left, key=score, reverse=True)[: max(0, count)])
    chosen: list[int] = []
    for _ in range(count):
        best = max(left, key=score)
        remainder.add(best)
        left.remove(best)
        chosen.append(best)
    return sorted(chosen)


def gap_sentences(
    text: str,
    tokenizer: TextEncoder,
    rng: random.Random,
    max_source: int = 4096,
    max_target: int = 910,
    options: GapSentences | None = None,
) -> Example | None:
    """Return the document without its principal sentences as source, and these as target.

    None when fewer than two sentences fit.

    A chosen sentence becomes the mask token, which is ``<unk>`` in the published checkpoints
    (id 2), or stays in its place in one case of ten.
    """
    options = options or GapSentences()
    texts, ids = _sentences_within(text, tokenizer, max_source - 1)
    if len(texts) < 2:
        return None
    source, target = [], []
    chosen = set(principle_sentences(texts, rng, options))
    for index, sentence in enumerate(ids):
        stays = index not in chosen
        if not stays:
            target += sentence
            stays = rng.random() < options.left_in_place
        source += sentence if stays else [tokenizer.unk_token_id]
    return Example([*source[: max_source - 1], EOS], [*target[: max_target - 1], EOS])


def _sentences_within(
    text: str, tokenizer: TextEncoder, limit: int
) -> tuple[list[str], list[list[int]]]:
    """Return the first sentences of a text, and their ids, of at most ``limit`` tokens."""
    texts, ids, used = [], [], 0
    for start, end in split_sentences(text):
        sentence = tokenizer.encode(text[start:end], add_eos=False)
        used += len(sentence)
        if used > limit:
            break
        if sentence:
            texts.append(text[start:end])
            ids.append(sentence)
    return texts, ids


def span_corruption(
    ids: Sequence[int],
    tokenizer: TextEncoder,
    rng: random.Random,
    density: float = 0.15,
    mean_length: float = 3.0,
) -> Example | None:
    """Replace random spans by sentinels; the target lists the spans (T5's objective).

    ``ids`` without ``</s>``. With too few sentinels, spans are longer and fewer. None for a text
    of fewer than two tokens. Source: T5 paper, section 3.1.4.
    """
    if len(ids) < 2:
        return None
    noise = min(max(round(len(ids) * density), 1), len(ids) - 1)
    most = min(noise, len(ids) - noise, len(tokenizer.sentinels))
    spans = min(max(round(noise / mean_length), 1), most)
    source: list[int] = []
    target: list[int] = []
    at = 0
    kept, hidden = _segments(len(ids) - noise, spans, rng), _segments(noise, spans, rng)
    for sentinel, keep, hide in zip(tokenizer.sentinels, kept, hidden, strict=False):
        source += [*ids[at : at + keep], sentinel]
        target += [sentinel, *ids[at + keep : at + keep + hide]]
        at += keep + hide
    return Example([*source, EOS], [*target, EOS])


def _segments(total: int, parts: int, rng: random.Random) -> list[int]:
    """Return random positive lengths that sum to ``total``, every division equally likely."""
    cuts = [0, *sorted(rng.sample(range(1, total), parts - 1)), total]
    return [b - a for a, b in zip(cuts, cuts[1:], strict=False)]


def span_copying(
    ids: Sequence[int],
    rng: random.Random,
    window: int = 512,
    spans: tuple[int, int] = (1, 3),
    lengths: tuple[int, int] = (25, 55),
) -> Example | None:
    """Return a window of the document as source, and one to three of its spans as target.

    ``ids`` without ``</s>``. None for a text shorter than the shortest span.
    """
    start = rng.randrange(max(1, len(ids) - (window - 1) + 1))
    source = list(ids[start : start + window - 1])
    count = min(rng.randint(*spans), len(source) // lengths[1] or 1)
    room = len(source) // count
    if room < lengths[0]:
        return None
    target: list[int] = []
    for part in range(count):
        length = rng.randint(lengths[0], min(lengths[1], room))
        begin = part * room + rng.randint(0, room - length)
        target += source[begin : begin + length]
    return Example([*source, EOS], [*target, EOS])
