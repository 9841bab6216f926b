"""The network of :mod:`longt5.text.salience` is fitted to pairs of documents and summaries.

The target is a softmax over the candidates of a whole document, by the share of each that its
summary repeats. The network has some 700 weights: a few thousand pairs and
a quarter of an hour are enough.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import UserError
from ..text.features import FEATURES, Sentences
from ..text.salience import Row, Salience
from ..text.source import SourceText
from ..text.words import words_of
from .corpus import Record
from .extractive import Overlap

# The share of documents that are shown a second time with their summary in front, as an abstract:
# the documents of the data lost theirs, and others have one.
SHARE_WITH_SUMMARY = 0.25
MIN_CHOICES = 4  # candidates: among fewer nearly all are chosen, and nothing is learnt
# How fast the target share of a sentence falls with its gain. Chosen by hand: much lower, and all
# sentences are equal; much higher, and only the best one counts.
TARGET_SHARPNESS = 8.0
HIDDEN_UNITS = 16  # chosen with the features on the held-out pairs (assets/model/README.md)
EPOCHS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 10, 32, 0.01, 0.01

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

    def folded(self) -> Salience:
        """Return the network for features that are not normalized."""
        hidden = self.hidden.weight / self.spread
        return Salience(
            _row(self.linear.weight[0] / self.spread),
            tuple(map(_row, hidden)),
            _row(self.hidden.bias - hidden @ self.mean),
            _row(self.out.weight[0]),
        )


def _row(values: Tensor) -> Row:
    return tuple(round(value, 4) for value in values.tolist())


def fit(records: Sequence[Record], seed: int = 0) -> Salience:
    """Fit a network to the records that have a summary. Raises UserError without any."""
    every = round(1 / SHARE_WITH_SUMMARY)
    pairs = []
    for number, record in enumerate(tqdm(records, unit="doc")):
        for with_summary in (False, True) if number % every == 0 else (False,):
            if (pair := _pair(record, with_summary)) is not None:
                pairs.append(pair)
    if not pairs:
        raise UserError("The data has no pairs of a document and a summary: salience needs them.")
    everything = torch.cat([features for features, _ in pairs])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(everything.mean(0), everything.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * -(-len(pairs) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = random.Random(seed)
    for _ in range(EPOCHS):
        rng.shuffle(pairs)
        for first in range(0, len(pairs), BATCH_SIZE):
            optimizer.zero_grad()
            _loss(network, pairs[first : first + BATCH_SIZE]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return network.folded()


def _loss(network: Network, batch: Sequence[TrainingPair]) -> Tensor:
    scores = network(torch.cat([x for x, _ in batch])).split([len(x) for x, _ in batch])
    pairs = zip(scores, batch, strict=True)
    return -torch.stack([wanted @ found.log_softmax(0) for found, (_, wanted) in pairs]).mean()


def _pair(record: Record, with_summary: bool) -> TrainingPair | None:
    """Return the features and targets of a document, None where there is nothing to choose.

    ``with_summary``: its summary stands in front of it, as an abstract does.
    """
    if record.summary is None:
        return None
    text = record.document
    if with_summary:
        title, _, body = text.partition("\n")
        text = f"{title}\n\nAbstract\n\n{record.summary}\n\nIntroduction\n\n{body}"
    source = SourceText.of(text)
    spans = source.candidates
    if len(spans) < MIN_CHOICES:
        return None
    worth = Overlap([words_of(text[a:b]) for a, b in spans], record.summary, [0.0] * len(spans))
    gains = torch.tensor([worth.gain(i) for i in range(len(spans))])
    if not gains.any():
        return None
    features = torch.tensor(Sentences(source).features(), dtype=torch.float32)
    return features, (TARGET_SHARPNESS * gains / gains.max()).softmax(0)
