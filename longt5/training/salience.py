"""The network of :mod:`longt5.text.salience`, learnt from pairs of documents and summaries.

A softmax over each document's sentences is fitted to what each of them, for its length, shares
with the summary. Of a long document a later part counts as well, since sections are ranked one
by one. A thousand weights: some thousand pairs are plenty, and minutes are enough.
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
from ..text.sentences import sentence_ends
from ..text.source import SourceText
from ..text.words import words_of
from .corpus import Record
from .extractive import Overlap

CHARACTERS = 17_000  # of a document: about what a window of 4,096 tokens holds
LEAST = 8_000  # characters of a later part
FEWEST = 4  # sentences among which there is a choice
SHARPNESS = 8.0  # how fast a sentence's share falls with what it has of the summary
HIDDEN = 16
EPOCHS, BATCH, RATE, DECAY = 10, 32, 0.01, 0.01

Pair = tuple[Tensor, Tensor]  # features [n, F], and the softmax that is wanted [n]


class Network(nn.Module):
    """Features [n, F] -> scores [n]; ``mean`` and ``spread`` of the features make them alike."""

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread
        self.linear = nn.Linear(len(FEATURES), 1, bias=False)
        self.hidden, self.out = nn.Linear(len(FEATURES), HIDDEN), nn.Linear(HIDDEN, 1, bias=False)
        nn.init.zeros_(self.linear.weight)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean) / self.spread
        return (self.linear(x) + self.out(self.hidden(x).relu())).squeeze(-1)

    def folded(self) -> Salience:
        """The same for features as they are."""
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
    """Learn from the records that have a summary. Raises UserError without any."""
    parts = ((record, later) for record in tqdm(records, unit="doc") for later in (False, True))
    pairs = [pair for part in parts if (pair := _pair(*part)) is not None]
    if not pairs:
        raise UserError("The data has no pairs of a document and a summary: salience needs them.")
    everything = torch.cat([features for features, _ in pairs])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(everything.mean(0), everything.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(pairs) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = random.Random(seed)
    for _ in range(EPOCHS):
        rng.shuffle(pairs)
        for first in range(0, len(pairs), BATCH):
            optimizer.zero_grad()
            _loss(network, pairs[first : first + BATCH]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return network.folded()


def _loss(network: Network, batch: Sequence[Pair]) -> Tensor:
    scores = network(torch.cat([x for x, _ in batch])).split([len(x) for x, _ in batch])
    pairs = zip(scores, batch, strict=True)
    return -torch.stack([wanted @ found.log_softmax(0) for found, (_, wanted) in pairs]).mean()


def _part(document: str, later: bool) -> str:
    """What one window reads: the beginning, or what comes after it ("" for too little)."""
    if not later:
        return document[:CHARACTERS]
    rest = document[CHARACTERS : 2 * CHARACTERS]
    ends = sentence_ends(rest)
    return rest[ends[0] :] if len(rest) >= LEAST and ends else ""


def _pair(record: Record, later: bool) -> Pair | None:
    text = _part(record.document, later)
    source = SourceText.of(text)
    spans = source.candidates
    if record.summary is None or len(spans) < FEWEST:
        return None
    worth = Overlap([words_of(text[a:b]) for a, b in spans], record.summary, [0.0] * len(spans))
    gains = torch.tensor([worth.gain(i) for i in range(len(spans))])
    if not gains.any():
        return None
    features = torch.tensor(Sentences(source).features(later), dtype=torch.float32)
    return features, (SHARPNESS * gains / gains.max()).softmax(0)
