"""Measure the cost of model shapes, and the loss of their weights in 8 bits.

    python -m tests.tools.measure_shapes MODEL... --data dev.jsonl.xz [--limit 64]

Parameters and megabytes (of bf16, and of int8 with a scale per row); the loss per word (nats:
vocabularies differ) of the sentences that the bundled ranking chooses in held-out documents,
with original weights and weights rounded to int8; seconds from the start to the first committed
words and to the whole summary of the example report, which has 29 pages.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from app.documents.load import load_document
from app.events import DraftText
from app.settings import assets_dir
from app.summary.extractive import ExtractivePlanners
from app.summary.summarizer import Summarizer
from longt5 import LongT5ForConditionalGeneration, Tokenizer
from longt5.text.salience import Salience
from longt5.training.batches import Batch, collate
from longt5.training.corpus import Record, read_records
from longt5.training.examples import OBJECTIVES, Limits

WINDOW, TARGET = 4096, 320  # tokens, as in the recipe


def rounded(weight: Tensor) -> Tensor:
    """Return a matrix [R, C] rounded to 8 bits with a scale per row."""
    scale = weight.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
    return (weight / scale).round() * scale


@torch.no_grad()
def loss(model: Any, batches: Sequence[Batch], words: int) -> float:
    """Return the negative log-likelihood of all targets, per word."""
    total = sum(
        model(b.input_ids, b.attention_mask, labels=b.labels).loss.item() * b.targets
        for b in batches
    )
    return total / words


def batches_of(records: Sequence[Record], tokenizer: Any) -> tuple[list[Batch], int]:
    """Return a batch per document, with the plan of the bundled ranking as target, and the number
    of words of all targets."""
    limits = Limits(WINDOW, TARGET, Salience.load(assets_dir() / "model"))
    made = (OBJECTIVES["ranked"](r, tokenizer, random.Random(r.id), limits) for r in records)
    examples = [example for example in made if example is not None]
    words = sum(len(tokenizer.decode(example.target).split()) for example in examples)
    return [collate([example]) for example in examples], words


def seconds(folder: str, document: Any, times: int = 3) -> tuple[float, float]:
    """Return the median seconds to (first committed words, whole summary), after a warm-up."""
    summarizer = Summarizer.load(folder)
    ranking = Salience.load(assets_dir() / "model")
    assert ranking is not None
    summarizer.planners = ExtractivePlanners(ranking, summarizer.tokenizer)
    found = []
    for _ in range(times + 1):
        summarizer.clear_cache()
        began, first = time.perf_counter(), 0.0
        for event in summarizer.stream(document):
            if not first and isinstance(event, DraftText) and event.committed:
                first = time.perf_counter() - began
        found.append((first, time.perf_counter() - began))
    one, whole = zip(*found[1:], strict=True)
    return statistics.median(one), statistics.median(whole)


def row(folder: str, records: Sequence[Record], document: Any) -> str:
    """Return a row of the table."""
    model = LongT5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    batches, words = batches_of(records, Tokenizer.from_pretrained(folder))
    count = sum(p.numel() for p in model.parameters())
    c = model.config
    shape = f"{c.d_model}, {c.num_layers}+{c.num_decoder_layers}, {c.d_ff}, {c.vocab_size}"
    full = loss(model, batches, words)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.copy_(rounded(parameter))
    eight = LongT5ForConditionalGeneration(c)  # packed weights are made of the rounded ones
    eight.load_state_dict(model.state_dict())
    first, all_ = seconds(folder, document)
    return (
        f"| {folder} ({shape}) | {count / 1e6:.1f} M | {count * 2e-6:.1f} / "
        f"{count * 1e-6:.1f} | {full:.3f} / {loss(eight.eval(), batches, words):.3f} | "
        f"{first:.2f} / {all_:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_shapes"
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--limit", type=int, default=64)
    chosen = parser.parse_args()
    records = read_records(chosen.data, chosen.limit)
    document = load_document(assets_dir() / "examples" / "merrow-report.pdf")
    print(
        "| model (width, layers, feed-forward, rows of the vocabulary) | parameters | MB bf16 / "
        "int8 | loss bf16 / int8 | first words / summary, s |"
    )
    print("|---|---|---|---|---|")
    for folder in chosen.models:
        print(row(folder, records, document), flush=True)


if __name__ == "__main__":
    main()
