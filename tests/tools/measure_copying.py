"""Measure what the copy rule does for summaries of the bundled model.

    python -m tests.tools.measure_copying [FILE or FOLDER ...]

Each document is summarized at every price of leaving the source; at 0 without the rule.
Verbatim: sentences that stand in the source letter for letter. Doubts: numbers, dates, units and
names flagged, per sentence. Unfinished: sentences cut off at the maximum length.
"""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import Any
from unittest import mock

from app.settings import LENGTH_WORDS, assets_dir
from app.summary.summarizer import Options, Summarizer
from longt5 import copy_processor
from longt5.copy_processor import FORBIDDING_PENALTY, copy_rule
from tests.tools.measure_citations import documents_of


def letters(text: str) -> str:
    """Return letters and digits only, since cleaning changes spaces and hyphens."""
    return re.sub(r"[\W_]+", "", text).lower()


def measure(summarizer: Summarizer, documents: list[Any], length: str, price: float) -> str:
    """Return a row of the table."""
    count = verbatim = doubts = unfinished = 0
    priced = partial(copy_rule, penalty=price)
    with (
        mock.patch.object(summarizer, "is_extractive", price > 0),
        mock.patch.object(summarizer, "planners", summarizer.planners if price else None),
        mock.patch.object(copy_processor, "copy_rule", priced),
    ):
        for document in documents:
            source = letters("".join(page.text for page in document.pages))
            for section in summarizer.summarize(document, Options(length=length)).sections:
                for sentence in section.sentences:
                    count += 1
                    verbatim += letters(sentence.text) in source
                    doubts += len(sentence.flags)
                    unfinished += sentence.text.endswith("…")
    count = max(1, count)
    return (
        f"{price:6.0g}{count:11}{100 * verbatim / count:12.0f}{doubts / count:9.2f}"
        f"{100 * unfinished / count:15.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_copying"
    )
    parser.add_argument("paths", nargs="*", default=[str(assets_dir() / "examples")])
    parser.add_argument("--prices", nargs="+", type=float, default=[0.0, 30.0, FORBIDDING_PENALTY])
    parser.add_argument("--length", choices=sorted(LENGTH_WORDS), default="medium")
    chosen = parser.parse_args()
    summarizer = Summarizer.load("bundled", device="cpu", dtype="float32")
    documents = list(documents_of(chosen.paths))
    print(f"{'price':>6}{'sentences':>11}{'verbatim, %':>12}{'doubts':>9}{'unfinished, %':>15}")
    for price in chosen.prices:
        print(measure(summarizer, documents, chosen.length, price), flush=True)


if __name__ == "__main__":
    main()
