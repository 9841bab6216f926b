"""Measure which attention heads point to the source of a token, and what recording them costs.

    python -m tests.tools.measure_attention FILE... [--chunks 3] [--model bundled]

Where eight tokens of a summary occur exactly once in the source, their place is known. A head is
right when the sentence (or page) that gets most of its attention holds that place. The best
(layer, head) pairs go into the checkpoint's generation_config.json as "alignment_heads".
"""

from __future__ import annotations

import argparse
import statistics
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

RUN_TOKENS = 8


@dataclass(frozen=True)
class Copied:
    """One summary: weights [layers, heads, T, S] and the source place of its copied tokens."""

    weights: Tensor
    places: dict[int, int]
    sentences: list[tuple[int, int]]
    pages: list[tuple[int, int]]


def copied_places(source: Sequence[int], summary: Sequence[int]) -> dict[int, int]:
    """Map summary positions to source positions, for runs that occur there once."""
    starts: dict[tuple[int, ...], list[int]] = {}
    for at in range(len(source) - RUN_TOKENS + 1):
        starts.setdefault(tuple(source[at : at + RUN_TOKENS]), []).append(at)
    places = {}
    for at in range(len(summary) - RUN_TOKENS + 1):
        found = starts.get(tuple(summary[at : at + RUN_TOKENS]), [])
        if len(found) == 1:
            places |= {at + i: found[0] + i for i in range(RUN_TOKENS)}
    return places


def sentence_spans(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the token spans of the sentences, split as in the app."""
    from longt5.text.sentences import split_sentences

    starts = [begin for begin, _ in offsets]
    edges = [bisect_left(starts, begin) for begin, _ in split_sentences(text)]
    return [
        span for span in zip(edges, [*edges[1:], len(offsets)], strict=True) if span[0] < span[1]
    ]


def summaries(path: Path, summarizer: Any, most: int) -> Iterator[Copied]:
    """Yield long summaries of the document's first chunks, with all their attention."""
    from app.documents.load import load_document
    from app.summary.chunking import chunk_document

    model, tokenizer = summarizer.model, summarizer.tokenizer
    for chunk in chunk_document(load_document(path), tokenizer, summarizer.window)[:most]:
        ids, offsets = tokenizer.encode_with_offsets(chunk.text)
        state = model.encode(torch.tensor([ids]))
        least = min(120, len(ids) // 4)
        sequence = model.generate(
            encoded=state, num_beams=4, min_new_tokens=least, max_new_tokens=160
        ).sequences
        summary = [t for t in sequence[0, 1:].tolist() if t not in (0, 1)]
        with torch.no_grad():
            output = model(
                decoder_input_ids=torch.tensor([[0, *summary[:-1]]]),
                encoder_outputs=state,
                output_attentions=True,
            )
        pages = [(s.token_start, s.token_end) for s in chunk.spans]
        yield Copied(
            torch.cat(output.cross_attentions),
            copied_places(ids, summary),
            sentence_spans(chunk.text, offsets),
            pages,
        )


def right(weights: Tensor, places: dict[int, int], spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Return for each copied token if the top span of weights [T, S] holds its place."""
    shares = torch.stack([weights[:, a:b].sum(-1) for a, b in spans], -1)
    top = shares.argmax(-1).tolist()
    return [spans[top[at]][0] <= place < spans[top[at]][1] for at, place in places.items()]


def by_sentence(copied: Copied, weights: Tensor) -> list[bool]:
    """Return for each copied run if the top sentence of its mean attention holds its middle."""
    runs: list[dict[int, int]] = []
    for at, place in sorted(copied.places.items()):
        last = max(runs[-1], default=-2) if runs else -2
        if last != at - 1 or runs[-1][last] != place - 1:
            runs.append({})
        runs[-1][at] = place
    found = []
    for run in runs:
        mean = weights[list(run)].mean(0, keepdim=True)
        middle = sorted(run.values())[len(run) // 2]
        found += right(mean, {0: middle}, copied.sentences)
    return found


def share(found: list[bool]) -> str:
    return f"{statistics.mean(found):.1%}" if found else "-"


def table(everything: Sequence[Copied]) -> Iterator[str]:
    """Yield a Markdown table: all heads, each layer, each head."""
    layers, heads = everything[0].weights.shape[:2]
    groups = {f"layer {i}": [(i, h) for h in range(heads)] for i in range(layers)}
    groups = {"all": [pair for own in groups.values() for pair in own]} | groups
    groups |= {f"layer {i}, head {h}": [(i, h)] for i in range(layers) for h in range(heads)}
    yield "| heads | tokens: right sentence | tokens: right page | copied runs: right sentence |"
    yield "|---|---|---|---|"
    for name, pairs in groups.items():
        tokens, pages, runs = [], [], []
        for copied in everything:
            weights = torch.stack([copied.weights[layer, h] for layer, h in pairs]).mean(0)
            tokens += right(weights, copied.places, copied.sentences)
            pages += right(weights, copied.places, copied.pages)
            runs += by_sentence(copied, weights)
        yield f"| {name} | {share(tokens)} | {share(pages)} | {share(runs)} |"
    count = sum(len(c.places) for c in everything)
    yield f"\n{count} copied tokens in {len(everything)} summaries."


def cost(summarizer: Any, beams: int, heads: Any) -> str:
    """Measure the CPU time of a decode step at the full window, with and without a record.

    The record has 200 spans. One thread is measured, and the lower quartile reported, since other
    work on the machine only ever adds time.
    """
    torch.set_num_threads(1)
    size = min(summarizer.window, 4096)
    state = summarizer.model.encode(torch.randint(3, 1000, (1, size)))
    edges = [size * i // 200 for i in range(201)]
    spans = [list(zip(edges, edges[1:], strict=False))]
    options = {"num_beams": beams, "min_new_tokens": 60, "max_new_tokens": 60}
    watched = {"record_attention": True, "spans": spans, "alignment_heads": heads}
    times: dict[bool, list[float]] = {False: [], True: []}
    for record in (False, True) * 8:
        before = time.thread_time()
        extra = watched if record else {}
        for _ in summarizer.model.stream(encoded=state, **options, **extra):
            times[record].append(time.thread_time() - before)
            before = time.thread_time()
    plain, recorded = (statistics.quantiles(times[r], n=4)[0] * 1e3 for r in (False, True))
    return (
        f"{beams} beams, {size} tokens: {plain:.2f} ms a step, {recorded:.2f} recording "
        f"(+{recorded / plain - 1:.0%})"
    )


def main() -> None:
    from app.summary.summarizer import Summarizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--chunks", type=int, default=3, help="of each document")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--layer", type=int, help="whose heads are recorded for the cost")
    arguments = parser.parse_args()
    summarizer = Summarizer.load(arguments.model)
    everything: list[Copied] = []
    for path in arguments.files:
        everything += summaries(path, summarizer, arguments.chunks)
    print(*table(everything), sep="\n")
    heads = None
    if arguments.layer is not None:
        heads = [(arguments.layer, h) for h in range(everything[0].weights.shape[1])]
    for beams in (1, 4):
        print(cost(summarizer, beams, heads))


if __name__ == "__main__":
    main()
