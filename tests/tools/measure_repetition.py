"""Measure how much of a summary repeats itself, with the app's settings and without any rule.

    python -m tests.tools.measure_repetition [MODEL ...] [--file FILE ...]

For each model (default: random weights in the layouts of published checkpoints) the share of
4-grams of words that repeat earlier ones, over short summaries of all files. The rule is about
tokens: a word that is written with other tokens may come again.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.documents.load import load_document
from app.documents.model import Document
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.text.overlap import ngrams
from longt5.text.words import words_of
from tests.app.checkpoint_layouts import LAYOUTS, write_checkpoint
from tests.conftest import EXAMPLE_TEXT

NO_RULE = {"no_repeat_ngram_size": 0, "repetition_penalty": 1.0}  # no rule at all


def repetition(loaded: Summarizer, documents: Sequence[Document], options: Options) -> float:
    """Return the percentage of 4-grams that repeat earlier ones of the same summary."""
    texts = (loaded.summarize(document, options).summary for document in documents)
    counts = [ngrams(words_of(text), 4) for text in texts]
    total = sum(sum(count.values()) for count in counts)
    return 100 * (total - sum(map(len, counts))) / max(1, total)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_repetition"
    )
    parser.add_argument("models", nargs="*")
    parser.add_argument("--file", nargs="+", type=Path, default=[EXAMPLE_TEXT])
    parser.add_argument("--num-beams", type=int, default=4)
    chosen = parser.parse_args()
    documents = [load_document(path) for path in chosen.file]
    print("| model | repeated % | repeated %, no rule |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        places = {name: name for name in chosen.models} or {
            layout.name: str(write_checkpoint(layout, Path(folder, str(number))))
            for number, layout in enumerate(LAYOUTS)
        }
        for name, place in places.items():
            loaded = Summarizer.load(place, device="cpu", dtype="float32")
            ours = Options(length="short", num_beams=chosen.num_beams)
            free = Options(length="short", num_beams=chosen.num_beams, **NO_RULE)
            found = [repetition(loaded, documents, options) for options in (ours, free)]
            print(f"| {name} | {found[0]:.1f} | {found[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
