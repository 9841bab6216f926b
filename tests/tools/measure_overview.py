"""Measure how well an overview ("in short") matches a written summary, against baselines.

    python -m tests.tools.measure_overview DATA.jsonl[.xz] [--limit N]

ROUGE F1 against the written summaries of the documents that get an overview. The baselines have
at most as many words: the first sentences of the summary, the first of each section, and the first
of the document.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from app.documents.load import document_from_text
from app.events import Sentence, Summary
from app.summary.overview import OVERVIEW_WORDS
from app.summary.summarizer import Options, Summarizer
from longt5.evaluation.baselines import lead
from longt5.evaluation.metrics import rouge_scorer
from longt5.text.words import count_words
from longt5.training.corpus import read_records

SCORES = ("rouge1", "rouge2", "rougeL")


def fitting(sentences: Iterable[Sentence]) -> str:
    """Return the first sentences that fit into an overview."""
    said: list[str] = []
    for sentence in sentences:
        if count_words(" ".join([*said, sentence.text])) > OVERVIEW_WORDS:
            break
        said.append(sentence.text)
    return " ".join(said)


def beginnings(summary: Summary) -> dict[str, str]:
    """Return the overview of a summary and its baselines by name."""
    sections = [section.sentences for section in summary.sections if section.sentences]
    return {
        "in short": " ".join(sentence.text for sentence in summary.overview),
        "summary's first sentences": fitting(s for section in sections for s in section),
        "first of each section": fitting(section[0] for section in sections),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_overview"
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, help="documents looked at (default: all)")
    chosen = parser.parse_args()
    summarizer, score = Summarizer.load("bundled", device="cpu"), rouge_scorer()
    rows: dict[str, list[dict[str, float]]] = {}
    for record in read_records(chosen.data, limit=chosen.limit, paired=True):
        assert record.summary is not None
        summary = summarizer.summarize(document_from_text(record.document), Options())
        if summary.overview:
            said = {
                **beginnings(summary),
                "document's first sentences": lead(record, OVERVIEW_WORDS),
            }
            for name, text in said.items():
                found = {**score(record.summary, text), "words": count_words(text)}
                rows.setdefault(name, []).append(found)
    count = max(map(len, rows.values()), default=0)
    print(f"{f'{count} documents':28}" + "".join(f"{name:>9}" for name in (*SCORES, "words")))
    for name, found in rows.items():
        print(
            f"{name:28}" + "".join(f"{mean(f[s] for f in found):9.1f}" for s in (*SCORES, "words"))
        )


if __name__ == "__main__":
    main()
