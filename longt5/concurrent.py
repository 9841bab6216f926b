"""Tokens per second of many searches in one batch, beside the same searches one by one.

Used by ``python -m longt5.benchmark --concurrent N``.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from .batching import Batcher
from .kernels import native
from .model import LongT5ForConditionalGeneration
from .outputs import EncoderStates
from .step_split import timed_calls

ALL_FIT = 10**9  # source tokens: memory is not what is measured


def time_concurrent(
    model: LongT5ForConditionalGeneration,
    encoded: Sequence[EncoderStates],
    counts: Sequence[int],
    beams: int,
    new: int,
    repeats: int,
) -> dict[str, Any]:
    """Return a row for each count of searches: medians of the tokens per second in one batch and
    one by one, measured in turns.

    Search ``i`` decodes ``encoded[i % len(encoded)]`` to ``new`` tokens. ``same_tokens``: both ways
    gave the same texts. ``kernel_s``: of the batch, the seconds in the compiled kernel for each
    token, and ``beside_s`` those beside it, where the kernel computes the steps.
    """
    options: dict[str, Any] = {"num_beams": beams, "min_new_tokens": new, "max_new_tokens": new}

    def alone(count: int) -> list[list[int]]:
        searches = (encoded[i % len(encoded)] for i in range(count))
        return [[*model.stream(encoded=one, **options)][-1].committed for one in searches]

    def together(count: int) -> list[list[int]]:
        batcher = Batcher(model, ALL_FIT)
        searches = [encoded[i % len(encoded)] for i in range(count)]
        streams = [batcher.submit(encoded=one, **options) for one in searches]
        return [[*drafts][-1].committed for drafts in streams]

    together(2)
    rows = []
    for count in counts:
        rates: dict[str, list[float]] = {"batch": [], "one_by_one": []}
        kernels: list[float] = []
        texts: dict[str, list[list[int]]] = {}
        for _ in range(repeats):
            for name, run in (("one_by_one", alone), ("batch", together)):
                with _kernel_calls() as calls:
                    seconds, texts[name] = _timed(run, count)
                rates[name].append(count * new / seconds)
            kernels.append(sum(calls) / (count * new))  # of the batch
        middle = {name: statistics.median(found) for name, found in rates.items()}
        kernel_s = statistics.median(kernels)
        parts = {"kernel_s": kernel_s, "beside_s": 1 / middle["batch"] - kernel_s}
        rows.append(
            {
                "searches": count,
                **middle,
                **(parts if kernel_s else {}),
                "ratio": middle["batch"] / middle["one_by_one"],
                "same_tokens": texts["batch"] == texts["one_by_one"],
            }
        )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"rows": rows, "threads": torch.get_num_threads(), "load": load}


def _kernel_calls() -> AbstractContextManager[list[float]]:
    return nullcontext([]) if native.library() is None else timed_calls()


def _timed(run: Callable[[int], list[list[int]]], count: int) -> tuple[float, list[list[int]]]:
    start = time.perf_counter()
    texts = run(count)
    return time.perf_counter() - start, texts


def concurrent_table(report: dict[str, Any]) -> str:
    """Return the rows of a report as Markdown."""
    names = {
        "searches": "searches",
        "one_by_one": "one by one, tokens/s",
        "batch": "batch, tokens/s",
        "ratio": "ratio",
        "limit": "limit of the machine, tokens/s",
        "transformers": "transformers, tokens/s",
    }
    shown = [name for name in names if any(name in row for row in report["rows"])]
    lines = [
        f"{report['machine']}; load {report['load']}; {report['dtype']}, {report['preset']}, "
        f"{report['tokens']:,} tokens, {report['num_beams']} beams",
        "",
        "| " + " | ".join(names[name] for name in shown) + " |",
        "|---" * len(shown) + "|",
    ]
    kinds = {"searches": "d", "ratio": ".2f"}
    for row in report["rows"]:
        cells = (
            format(row[name], kinds.get(name, ".0f" if row[name] >= 100 else ".1f"))
            if name in row
            else ""
            for name in shown
        )
        lines.append("| " + " | ".join(cells) + " |")
    same = all(row["same_tokens"] for row in report["rows"])
    lines += ["", f"same tokens: {'yes' if same else 'NO'}", *report.get("notes", ())]
    return "\n".join([*lines, "", *_limit_lines(report)])


def _limit_lines(report: dict[str, Any]) -> list[str]:
    """Return a table of what the steps of a batch need at least, and took."""
    cells = {
        "a step reads MB of weights": lambda row: f"{row['weight_bytes'] / 1e6:.1f}",
        "of keys and values": lambda row: f"{row['state_bytes'] / 1e6:.1f}",
        "GFLOP": lambda row: f"{row['flops'] / 1e9:.2f}",
        "ms a token: reading": lambda row: _ms_of_token(row, row["read_s"]),
        "multiplying": lambda row: _ms_of_token(row, row["multiply_s"]),
        "took in the kernel": lambda row: f"{1000 * row['kernel_s']:.2f}",
        "beside it": lambda row: f"{1000 * row['beside_s']:.2f}",
    }
    names = list(cells) if all("kernel_s" in row for row in report["rows"]) else list(cells)[:-2]
    lines = [
        f"limits here: {report['tflops']:.2f} TFLOP/s, {report['gbs']:.1f} GB/s; ms are for each "
        "token, the first two the least for a step's bytes and products",
        "",
        "| searches | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for row in report["rows"]:
        lines.append(
            "| ".join([f"| {row['searches']} ", *(f"{cells[n](row)} " for n in names), ""])
        )
    return [line.rstrip() for line in lines]


def _ms_of_token(row: dict[str, Any], seconds: float) -> str:
    return f"{1000 * seconds / row['searches']:.2f}"
