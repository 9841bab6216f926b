"""The coefficients of :mod:`longt5.salience`, learnt from pairs of documents and summaries.

A softmax over each document's sentences is fitted to what each of them, for its length, shares
with the summary: a linear model, so a few thousand pairs are plenty and a minute is enough.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ..corpus import Record
from ..errors import UserError
from ..evaluation.candidates import whole_sentences
from ..overlap import words_of
from ..salience import FEATURES, Salience, Sentences
from .extractive import Overlap

CHARACTERS = 17_000  # of a document: about what a window of 4,096 tokens holds
FEWEST = 4  # sentences among which there is a choice
SHARPNESS = 8.0  # how fast a sentence's share falls with what it has of the summary
EPOCHS, BATCH, RATE = 12, 16, 0.01

Pair = tuple[Tensor, Tensor]  # features [n, F], and the softmax that is wanted [n]


def fit(records: Sequence[Record], seed: int = 0) -> Salience:
    """Learn from the records that have a summary. Raises UserError without any."""
    pairs = [pair for record in records if (pair := _pair(record)) is not None]
    if not pairs:
        raise UserError("The data has no pairs of a document and a summary: salience needs them.")
    everything = torch.cat([features for features, _ in pairs])
    spread = everything.std(0).clamp(min=1e-3)
    weights = torch.zeros(len(FEATURES), requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=RATE)
    rng = random.Random(seed)
    for _ in range(EPOCHS):
        rng.shuffle(pairs)
        for first in range(0, len(pairs), BATCH):
            batch = pairs[first : first + BATCH]
            losses = [-(wanted @ ((x / spread) @ weights).log_softmax(0)) for x, wanted in batch]
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
    learnt = (weights.detach() / spread).tolist()
    return Salience(dict(zip(FEATURES, (round(w, 4) for w in learnt), strict=True)))


def _pair(record: Record) -> Pair | None:
    text = record.document[:CHARACTERS]
    spans = whole_sentences(text)
    if record.summary is None or len(spans) < FEWEST:
        return None
    worth = Overlap([words_of(text[a:b]) for a, b in spans], record.summary, [0.0] * len(spans))
    gains = torch.tensor([worth.gain(i) for i in range(len(spans))])
    if not gains.any():
        return None
    features = torch.tensor(Sentences(text, spans).features(), dtype=torch.float32)
    return features, (SHARPNESS * gains / gains.max()).softmax(0)
