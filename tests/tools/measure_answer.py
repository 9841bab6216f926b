"""Measure the answer of long documents against written summaries, beside its rivals.

    python -m tests.tools.measure_answer DATA.jsonl[.xz] [--limit N] [--plan-only]

ROUGE F1 of documents of more than 4,500 words, taken whole, at 80, 200 and 500 words: the answer of
the app, one made section by section, the first sentences (LEAD), LexRank and TextRank over the
whole document, and the oracle, which chooses its own length. Then the same documents without
their authors' summaries. A star marks a difference from the answer whose 95 % bootstrap interval
leaves out zero.
`--plan-only` scores the sentences that are planned, which the model then quotes: the same text in
a tenth of the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean

from app.documents.load import document_from_text
from app.documents.model import Document
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from longt5.evaluation.baselines import BASELINES
from longt5.evaluation.bootstrap import interval
from longt5.evaluation.metrics import rouge_scorer
from longt5.text.roles import Role
from longt5.text.source import SourceText
from longt5.text.tidying import tidy
from longt5.text.words import count_words, words_of
from longt5.training.corpus import Record, read_records

MIN_WORDS = 4500
LENGTHS = (80, 200, 500)
SCORES = ("rouge1", "rouge2", "rougeL")
# Of a sentence's word trigrams in the reference, from which it counts as quoted, and of a document,
# where an abstract stands.
QUOTED_SHARE, EARLY_SHARE = 0.8, 0.1
SECTION_CHARACTERS = 17_000  # of a section of the rival: what 4,096 tokens hold
Scores = dict[str, float]


class Answers:
    """Writes the answers of the app, and those that are put together section by section."""

    def __init__(self, plan_only: bool) -> None:
        self.summarizer = Summarizer.load("bundled", device="cpu")
        self.plan_only = plan_only

    def answer(self, record: Record, words: int) -> str:
        """Return the answer of the app."""
        document, options = document_from_text(record.document), Options(words=words)
        if not self.plan_only:
            return self.summarizer.summarize(document, options).summary
        return self._planned(document, options)

    def by_section(self, record: Record, words: int) -> str:
        """Return what sections that know nothing of each other say, each by its length."""
        text = record.document
        pieces = [text[i : i + SECTION_CHARACTERS] for i in range(0, len(text), SECTION_CHARACTERS)]
        shares = [max(20, round(words * len(piece) / len(text))) for piece in pieces]
        said = " ".join(
            self._planned(document_from_text(piece), Options(words=share))
            for piece, share in zip(pieces, shares, strict=True)
            if SourceText.of(piece).candidates
        )
        return " ".join(said.split()[:words])

    def _planned(self, document: Document, options: Options) -> str:
        said = []
        for part in self.summarizer.plan(document, options).parts:
            source, plan = part.chunk.source, part.plan or ()
            following = source.following(plan)
            for number, span in enumerate(plan):
                said.append(tidy(source.sentence(span), number in following))
        return " ".join(said)


def without_summary(record: Record) -> Record:
    """Return a record without its author's own summary.

    That is what a heading or a label names so, and sentences of the beginning that stand in the
    reference to the letter: an abstract without a heading.
    """
    source = SourceText.of(record.document)
    reference = _trigrams(record.summary or "")
    left, at = [], 0
    for (start, end), role in zip(source.candidates, source.roles, strict=True):
        own = _trigrams(source.sentence((start, end)))
        is_quoted = len(own & reference) > QUOTED_SHARE * len(own) > 0
        is_early = start < EARLY_SHARE * len(record.document)
        if role is Role.SUMMARY or (is_quoted and is_early):
            left.append(record.document[at:start])
            at = end
    return replace(record, document="".join(left) + record.document[at:])


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return set(zip(words, words[1:], words[2:], strict=False))


def rows(
    records: list[Record], systems: dict[str, Callable[[Record, int], str]], words: int
) -> Iterator[tuple[str, list[Scores]]]:
    """Yield the scores of each system on each document."""
    score = rouge_scorer()
    for name, write in systems.items():
        made = []
        for record in records:
            text = write(record, words)
            made.append({**score(record.summary or "", text), "words": count_words(text)})
        yield name, made


def print_table(title: str, words: int, found: dict[str, list[Scores]]) -> None:
    """Print the means of each system; a star where the answer differs for sure."""
    print(f"\n{title}, {words} words\n{'':22}" + "".join(f"{s:>10}" for s in (*SCORES, "words")))
    answer = found["answer"]
    for name, made in found.items():
        cells = []
        for key in SCORES:
            gaps = [a[key] - b[key] for a, b in zip(answer, made, strict=True)]
            _, low, high = interval(gaps)
            star = "*" if low > 0 or high < 0 else " "
            cells.append(f"{mean(m[key] for m in made):9.1f}{star}")
        print(f"{name:22}" + "".join(cells) + f"{mean(m['words'] for m in made):9.0f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_answer"
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, help="documents scored (default: all)")
    parser.add_argument("--plan-only", action="store_true", help="score the planned sentences")
    chosen = parser.parse_args()
    records = [
        record
        for record in read_records(chosen.data, limit=None, paired=True)
        if count_words(record.document) > MIN_WORDS
    ][: chosen.limit]
    answers = Answers(chosen.plan_only)
    systems = {"answer": answers.answer, "section by section": answers.by_section, **BASELINES}
    stripped = [bare for record in records if (bare := without_summary(record)) != record]
    print(f"{len(records)} documents, {len(stripped)} of them with an author's summary")
    for words in LENGTHS:
        print_table("all documents", words, dict(rows(records, systems, words)))
    for words in LENGTHS if stripped else ():
        print_table("those without it", words, dict(rows(stripped, systems, words)))


if __name__ == "__main__":
    main()
