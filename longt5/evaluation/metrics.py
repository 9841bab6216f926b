"""Metrics of one summary: ROUGE, length, copying, and support by the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..text.claims import check
from ..text.overlap import Gram, ngrams
from ..text.sentences import last_sentence_end, split_sentences
from ..text.words import count_words, words_of

ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")
NGRAM_SIZES = (1, 2, 4)  # lengths of the n-grams that are looked up in the source


@dataclass(frozen=True)
class Metric:
    """Presentation of a metric: its name in a table, its decimals, and its definition."""

    label: str
    digits: int
    about: str


METRICS = {
    "rouge1": Metric("R-1", 1, "ROUGE-1 F1 x 100 (rouge-score), no stemmer"),
    "rouge2": Metric("R-2", 1, "ROUGE-2"),
    "rougeL": Metric("R-L", 1, "ROUGE-L of the whole texts"),
    "rougeLsum": Metric("R-Lsum", 1, "ROUGE-L sentence by sentence"),
    "rouge1_stem": Metric("R-1 stem", 1, "ROUGE-1 with Porter's stemmer"),
    "rouge2_stem": Metric("R-2 stem", 1, "ROUGE-2 with the stemmer"),
    "rougeL_stem": Metric("R-L stem", 1, "ROUGE-L with the stemmer"),
    "rougeLsum_stem": Metric("R-Lsum stem", 1, "ROUGE-Lsum with the stemmer"),
    "words": Metric("words", 0, "length in words"),
    "copied_words": Metric("copied words %", 1, "share of its words that the source has"),
    "copied_4grams": Metric("copied 4-grams %", 1, "share of its 4-grams that the source has"),
    "novel_2grams": Metric(
        "new 2-grams %", 1, "share of its word pairs that the source does not have"
    ),
    "repeated_4grams": Metric(
        "repeated 4-grams %", 1, "share of its 4-grams that repeat earlier ones"
    ),
    "supported": Metric(
        "supported %",
        1,
        "share of sentences whose numbers, units, dates and names are all in the source",
    ),
    "wrong_numbers": Metric(
        "wrong numbers", 2, "numbers, units and dates per summary that the source does not have"
    ),
    "wrong_names": Metric("wrong names", 2, "names per summary that the source does not have"),
    "finished": Metric("finished %", 0, "share of summaries that end with a sentence"),
    "seconds": Metric("s", 2, "seconds per document"),
}


class ScoredDocument:
    """A document and its n-grams, computed once for all systems."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def ngrams(self) -> dict[int, set[Gram]]:
        """Return the n-grams of each size."""
        words = words_of(self.text)
        return {size: set(ngrams(words, size)) for size in NGRAM_SIZES}


def rouge_scorer(lsum: str = "sentences") -> Callable[[str, str], dict[str, float]]:
    """Return a function of (reference, prediction) to F1 x 100 by the rouge-score package.

    Scores are without a stemmer, as in T5's and LongT5's evaluation, and with one. ``lsum``
    defines the sentences of ROUGE-Lsum: "sentences" (our splitter), or "lines" (the lines of the
    text, as in the ``evaluate`` package).
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorers: dict[str, Any] = {
        suffix: RougeScorer(list(ROUGE), use_stemmer=bool(suffix)) for suffix in ("", "_stem")
    }

    def score(reference: str, prediction: str) -> dict[str, float]:
        if lsum == "sentences":
            # The other three scores ignore line ends.
            reference, prediction = sentence_lines(reference), sentence_lines(prediction)
        return {
            name + suffix: 100 * value.fmeasure
            for suffix, scorer in scorers.items()
            for name, value in scorer.score(reference, prediction).items()
        }

    return score


def sentence_lines(text: str) -> str:
    """Return a text with each sentence on its own line."""
    return "\n".join(" ".join(text[a:b].split()) for a, b in split_sentences(text))


def summary_scores(source: ScoredDocument, prediction: str) -> dict[str, float]:
    """Score length, copying, repetition, support and end of a summary; shares are percentages."""
    return {
        "words": float(count_words(prediction)),
        **copying_scores(source, prediction),
        **support_scores(source, prediction),
        "finished": 100.0 * _is_finished(prediction),
    }


def copying_scores(source: ScoredDocument, prediction: str) -> dict[str, float]:
    """Score how much of a summary is in the source, and how much of it repeats itself.

    Every occurrence counts. A summary too short for an n-gram has copied and repeated none.
    """
    words = words_of(prediction)
    known, total = {}, {}
    for size in NGRAM_SIZES:
        counts = ngrams(words, size)
        total[size] = sum(counts.values())
        known[size] = sum(n for gram, n in counts.items() if gram in source.ngrams[size])
    distinct = len(ngrams(words, 4))
    return {
        "copied_words": _percent(known[1], total[1]),
        "copied_4grams": _percent(known[4], total[4]),
        "novel_2grams": _percent(total[2] - known[2], total[2]),
        "repeated_4grams": _percent(total[4] - distinct, total[4]),
    }


def support_scores(source: ScoredDocument, prediction: str) -> dict[str, float]:
    """Check numbers and names by :mod:`longt5.text.claims` against the whole document."""
    flags = check(prediction, source.text, source.text)
    sentences = split_sentences(prediction)
    doubtful = sum(any(a <= flag.span[0] < b for flag in flags) for a, b in sentences)
    names = sum(flag.kind == "name" for flag in flags)
    return {
        "supported": _percent(len(sentences) - doubtful, len(sentences)),
        "wrong_numbers": float(len(flags) - names),
        "wrong_names": float(names),
    }


def _is_finished(text: str) -> bool:
    text = text.rstrip()
    return bool(text) and last_sentence_end(text) == len(text)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
