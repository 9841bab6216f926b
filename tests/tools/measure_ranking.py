"""Measure what each group of features brings to the ranking of sentences.

    python -m tests.tools.measure_ranking PAIRS HELD_OUT [--limit N]

Fit the ranking to PAIRS with all features, then again without each group, and score the planned
sentences of the documents of HELD_OUT: ROUGE-1/2 of all at 92 words, and ROUGE-1/2/L of those of
more than 4,500 words at 200. The features are computed once. `--limit` takes every so many pairs,
so that N remain.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from longt5.evaluation.metrics import rouge_scorer
from longt5.text.features import FEATURES, GROUPS, features
from longt5.text.plan import Planner
from longt5.text.salience import Salience
from longt5.text.source import SourceText
from longt5.text.tidying import tidy
from longt5.text.vectors import Floats, Sentences
from longt5.text.words import count_words
from longt5.training.corpus import read_records
from longt5.training.salience import TrainingPair, fit_pairs, pairs_of

SHORT, LONG = 92, 200  # words of a summary: the mean of the references, and the usual length
MIN_WORDS = 4500  # of a long document


@dataclass(frozen=True)
class HeldOut:
    """A document that is scored, with what does not depend on the ranking."""

    sentences: Sentences
    x: Floats
    planner: Planner
    summary: str
    is_long: bool


def held_out(path: Path) -> list[HeldOut]:
    """Read the documents that are scored, and compute their features."""
    found = []
    for record in read_records(path, limit=None, paired=True):
        sentences = Sentences(SourceText.of(record.document))
        planner = Planner(sentences, [0.0] * len(sentences), 0.0)
        is_long = count_words(record.document) > MIN_WORDS
        summary = record.summary or ""
        found.append(HeldOut(sentences, features(sentences), planner, summary, is_long))
    return found


def without(names: Iterable[str], pairs: list[TrainingPair]) -> list[TrainingPair]:
    """Return pairs whose features of some names are 0."""
    columns = [FEATURES.index(name) for name in names]
    found = []
    for x, wanted in pairs:
        bare = x.clone()
        bare[:, columns] = 0.0
        found.append((bare, wanted))
    return found


def blind(salience: Salience, names: Iterable[str]) -> Salience:
    """Return a ranking that does not look at some features."""
    gone = {FEATURES.index(name) for name in names}

    def row(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(0.0 if i in gone else value for i, value in enumerate(values))

    return replace(salience, linear=row(salience.linear), hidden=tuple(map(row, salience.hidden)))


def figures(salience: Salience, documents: list[HeldOut]) -> list[float]:
    """Return the means: ROUGE-1/2 of all documents, ROUGE-1/2/L of the long ones."""
    score = rouge_scorer()

    def answer(document: HeldOut, words: int) -> str:
        source, planner = document.sentences.source, document.planner
        planner.rank(salience.scores(document.x), salience.repetition)
        spans = planner.spans(words)
        following = source.following(spans)
        return " ".join(tidy(source.sentence(s), i in following) for i, s in enumerate(spans))

    every = [score(d.summary, answer(d, SHORT)) for d in documents]
    long = [score(d.summary, answer(d, LONG)) for d in documents if d.is_long]
    return [
        *(mean(found[key] for found in every) for key in ("rouge1", "rouge2")),
        *(mean(found[key] for found in long) for key in ("rouge1", "rouge2", "rougeL")),
    ]


def main() -> None:
    """Print a line for all features, and one for each group left out."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_ranking"
    )
    parser.add_argument("pairs", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("--limit", type=int, help="pairs to fit to (default: all)")
    chosen = parser.parse_args()
    records = read_records(chosen.pairs, None, paired=True)
    if chosen.limit:
        records = records[:: max(1, len(records) // chosen.limit)]
    pairs = pairs_of(records, workers=os.cpu_count() or 1)
    documents = held_out(chosen.held_out)
    names = "R-1", "R-2", "long R-1", "long R-2", "long R-L"
    print(f"{'':22}" + "".join(f"{name:>10}" for name in names))
    for group, gone in {"all features": (), **GROUPS}.items():
        ranking = blind(fit_pairs(without(gone, pairs)), gone)
        label = f"without {group}" if gone else group
        print(f"{label:22}" + "".join(f"{x:10.1f}" for x in figures(ranking, documents)))


if __name__ == "__main__":
    main()
