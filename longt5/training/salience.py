"""The network of :mod:`longt5.text.salience` is fitted to pairs of documents and summaries.

The target is a softmax over the candidates of a whole document, by the share of each that its
summary repeats. A network has some 1,000 weights: a few thousand pairs are enough. The mean of
several is kept, since one alone depends on its seed by a point of ROUGE.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import UserError
from ..text.features import FEATURES, features
from ..text.salience import Row, Salience
from ..text.sentences import split_sentences
from ..text.source import SourceText
from ..text.vectors import Sentences
from ..text.words import words_of
from .corpus import Record
from .extractive import Overlap

# Every so many documents are shown again with their summary in front, as an abstract: the
# documents of the data lost theirs, and others have one. And every so many with a notice in
# front that has nothing to do with the text, as publishers place one: sentences of the document
# before, since the documents of the data have lost those too.
SUMMARY_EVERY, NOTICE_EVERY = 4, 2
NOTICE_SENTENCES, NOTICE_CHARACTERS = (2, 7), 2000
MIN_CHOICES = 4  # candidates: among fewer nearly all are chosen, and nothing is learnt
# How fast the target share of a sentence falls with its gain. Chosen by hand: much lower, and all
# sentences are equal; much higher, and only the best one counts.
TARGET_SHARPNESS = 12.0
HIDDEN_UNITS = 16  # chosen with the features on the held-out pairs (assets/model/README.md)
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 5, 32, 0.01, 0.01
NETWORKS = 5  # of which the mean is kept

Array = NDArray[np.float32]
Task = tuple[str, str, bool, str]  # document, summary, whether it gets an abstract, a notice
TrainingPair = tuple[Tensor, Tensor]  # features [n, F], and the softmax to learn [n]


class Network(nn.Module):
    """Features [n, F] -> scores [n]; ``mean`` and ``spread`` normalize the features."""

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread
        self.linear = nn.Linear(len(FEATURES), 1, bias=False)
        self.hidden = nn.Linear(len(FEATURES), HIDDEN_UNITS)
        self.out = nn.Linear(HIDDEN_UNITS, 1, bias=False)
        nn.init.zeros_(self.linear.weight)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / self.spread
        return (self.linear(x) + self.out(self.hidden(x).relu())).squeeze(-1)


def folded(networks: Sequence[Network]) -> Salience:
    """Return the mean of some networks as one, for features that are not normalized."""
    count = len(networks)
    linear = torch.stack([own.linear.weight[0] / own.spread for own in networks]).mean(0)
    hidden = [own.hidden.weight / own.spread for own in networks]
    pairs = list(zip(networks, hidden, strict=True))
    return Salience(
        _row(linear),
        tuple(map(_row, torch.cat(hidden))),
        _row(torch.cat([own.hidden.bias - weight @ own.mean for own, weight in pairs])),
        _row(torch.cat([own.out.weight[0] / count for own in networks])),
    )


def _row(values: Tensor) -> Row:
    return tuple(round(value, 4) for value in values.tolist())


def fit(records: Sequence[Record], seed: int = 0, workers: int = 1) -> Salience:
    """Fit networks to the records that have a summary; return their mean.

    ``workers``: processes that compute the features; the result does not depend on them. Raises
    UserError without any summary.
    """
    return fit_pairs(pairs_of(records, seed, workers), seed)


def fit_pairs(pairs: Sequence[TrainingPair], seed: int = 0) -> Salience:
    """Fit networks to the pairs of :func:`pairs_of`; return their mean."""
    networks = [_fit_one(pairs, seed + number) for number in range(NETWORKS)]
    with torch.no_grad():
        return folded(networks)


def pairs_of(records: Sequence[Record], seed: int = 0, workers: int = 1) -> list[TrainingPair]:
    """Return features and targets of the records that have a summary. Raises UserError."""
    pairs = list(_pairs([record for record in records if record.summary], seed, workers))
    if not pairs:
        raise UserError("The data has no pairs of a document and a summary: salience needs them.")
    return pairs


def _pairs(records: Sequence[Record], seed: int, workers: int) -> Iterator[TrainingPair]:
    """Yield what is learnt from: the documents, some of them again with a text in front."""
    tasks = _tasks(records, random.Random(seed))
    with contextlib.ExitStack() as stack:
        found: Iterable[list[tuple[Array, Array]]] = map(_task_pairs, tasks)
        if workers > 1:
            pool = multiprocessing.get_context("spawn").Pool(workers)
            found = stack.enter_context(pool).imap(_task_pairs, tasks, chunksize=8)
        for arrays in tqdm(found, total=len(records), unit="doc"):
            for x, gains in arrays:
                shares = torch.from_numpy(gains / gains.max()) * TARGET_SHARPNESS
                yield torch.from_numpy(x), shares.softmax(0)


def _tasks(records: Sequence[Record], rng: random.Random) -> Iterator[Task]:
    other = ""
    for number, record in enumerate(records):
        notice = other if number % NOTICE_EVERY == 0 else ""
        yield record.document, record.summary or "", number % SUMMARY_EVERY == 1, notice
        other = _notice(record.document, rng)


def _task_pairs(task: Task) -> list[tuple[Array, Array]]:
    """Return features [n, F] and gains [n] of the versions of a document."""
    document, summary, has_abstract, notice = task
    title, _, body = document.partition("\n")
    versions = [document]
    if has_abstract:
        versions.append(f"{title}\n\nAbstract\n\n{summary}\n\nIntroduction\n\n{body}")
    if notice:
        versions.append(f"{title}\n\n{notice}\n\n{body}")
    found = (_features_and_gains(SourceText.of(version), summary) for version in versions)
    return [pair for pair in found if pair is not None]


def _notice(document: str, rng: random.Random) -> str:
    """Return some sentences in a row as two paragraphs, for the front of another document."""
    first = rng.randrange(max(1, len(document) - NOTICE_CHARACTERS))
    part = document[first : first + NOTICE_CHARACTERS]
    spans = split_sentences(part)[1:-1][: rng.randint(*NOTICE_SENTENCES)]
    said = [" ".join(part[a:b].split()) for a, b in spans]
    half = len(said) // 2 + 1
    return "\n\n".join(" ".join(own) for own in (said[:half], said[half:]) if own)


def _fit_one(pairs: Sequence[TrainingPair], seed: int) -> Network:
    everything = torch.cat([x for x, _ in pairs])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(everything.mean(0), everything.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(pairs) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order, rng = list(pairs), random.Random(seed)
    for _ in range(EPOCHS):
        rng.shuffle(order)
        for first in range(0, len(order), BATCH_SIZE):
            optimizer.zero_grad()
            _loss(network, order[first : first + BATCH_SIZE]).backward()
            optimizer.step()
            schedule.step()
    return network


def _loss(network: Network, batch: Sequence[TrainingPair]) -> Tensor:
    scores = network(torch.cat([x for x, _ in batch])).split([len(x) for x, _ in batch])
    pairs = zip(scores, batch, strict=True)
    return -torch.stack([wanted @ found.log_softmax(0) for found, (_, wanted) in pairs]).mean()


def _features_and_gains(source: SourceText, summary: str) -> tuple[Array, Array] | None:
    """Return the features and gains of a text, None where there is nothing to choose."""
    spans = source.candidates
    if len(spans) < MIN_CHOICES:
        return None
    words = [words_of(source.sentence(span)) for span in spans]
    worth = Overlap(words, summary, [0.0] * len(spans))
    gains = np.array([worth.gain(i) for i in range(len(spans))], dtype=np.float32)
    return (features(Sentences(source)).astype(np.float32), gains) if gains.any() else None
