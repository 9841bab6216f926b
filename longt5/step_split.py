"""Time of a decode step in the compiled kernel, and in Python beside it.

Used by ``python -m longt5.benchmark --split``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .kernels import native
from .model import LongT5ForConditionalGeneration

STEP_FUNCTION = "longt5_steps_run"
# Rules of a search to time beside none.
RULES: dict[str, dict[str, Any]] = {
    "none": {"no_repeat_ngram_size": 0},
    "no_repeat_ngram_size": {"no_repeat_ngram_size": 3},
    "and two penalties": {
        "no_repeat_ngram_size": 3,
        "repetition_penalty": 1.2,
        "encoder_repetition_penalty": 1.2,
    },
}


@contextmanager
def timed_calls() -> Iterator[list[float]]:
    """Collect the seconds of each call of the kernel that computes a whole step.

    Raises RuntimeError where there is no compiled kernel.
    """
    library: Any = native.library()
    if library is None:
        raise RuntimeError(
            "There is no compiled kernel here, so steps are all in Python and torch."
        )
    run, seconds = getattr(library, STEP_FUNCTION), []

    def timed(*arguments: Any) -> int:
        start = time.perf_counter()
        slot = run(*arguments)
        seconds.append(time.perf_counter() - start)
        return slot

    setattr(library, STEP_FUNCTION, timed)
    try:
        yield seconds
    finally:
        setattr(library, STEP_FUNCTION, run)


def time_split(
    folder: Path, tokens: int, beams: int, new: int, repeats: int = 3
) -> list[dict[str, Any]]:
    """Return for each of RULES the milliseconds of a step, of its kernel, and of the rest: median
    and least of all steps but the first, of which the least is what other programs disturb least.
    """
    model = LongT5ForConditionalGeneration.from_pretrained(
        folder, device="cpu", dtype=torch.float32
    )
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, model.config.vocab_size, (1, tokens), generator=generator)
    encoded = model.encode(ids)
    rows = []
    for name, rules in RULES.items():
        steps: list[tuple[float, float]] = []
        options: dict[str, Any] = {"num_beams": beams, "min_new_tokens": new, **rules}
        for _ in range(repeats + 1):
            with timed_calls() as kernels:
                drafts = model.stream(encoded=encoded, max_new_tokens=new, **options)
                stamps = [time.perf_counter() for _ in drafts]
            if len(kernels) < len(stamps):
                raise RuntimeError("The compiled kernel does not compute this model's steps.")
            whole = [b - a for a, b in zip(stamps, stamps[1:], strict=False)]
            steps += zip(whole, kernels[-len(whole) :], strict=True)
        steps = steps[len(whole) :]  # the first decode warms up
        parts = {
            "step": [a for a, _ in steps],
            "kernels": [b for _, b in steps],
            "rest": [a - b for a, b in steps],
        }
        figures = {k: (1000 * statistics.median(v), 1000 * min(v)) for k, v in parts.items()}
        rows.append({"rules": name, **figures})
    return rows


def split_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of :func:`time_split` as Markdown."""
    lines = [
        "| rules | step ms | least | kernels | least | bookkeeping | least |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        cells = [f"{x:.2f}" for part in ("step", "kernels", "rest") for x in row[part]]
        lines.append(f"| {row['rules']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
