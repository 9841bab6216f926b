"""Baselines without a model: the first sentences, TextRank, LexRank, and the oracle.

Each picks candidate sentences up to a given number of words, so that no system wins by its length
alone; only the oracle, an upper bound, chooses its own length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ..text.overlap import Growing
from ..text.prose import Span, candidate_spans, join_sentences
from ..text.words import count_words, words_of
from ..training.corpus import Record

MAX_RANKED = 2000  # sentences; TextRank and LexRank compare each pair, in quadratic time


def lead(record: Record, words: int) -> str:
    """Return the first sentences."""
    spans = candidate_spans(record.document)
    return _fill_to_length(record.document, spans, range(len(spans)), words)


def textrank(record: Record, words: int) -> str:
    """Return the sentences that share most words with others (Mihalcea and Tarau 2004; sumy)."""
    from sumy.summarizers.text_rank import TextRankSummarizer

    return _rank_with_sumy(TextRankSummarizer, record.document, words)


def lexrank(record: Record, words: int) -> str:
    """Return the sentences most like others by tf-idf cosine (Erkan and Radev 2004; sumy)."""
    from sumy.summarizers.lex_rank import LexRankSummarizer

    return _rank_with_sumy(LexRankSummarizer, record.document, words)


def oracle(record: Record, words: int) -> str:
    """Return the sentences that greedily raise ROUGE-1 F against the reference, while one does.

    ``words`` is not used.
    """
    spans = candidate_spans(record.document)
    growing = Growing([words_of(record.summary or "")], 1)
    profiles = [growing.profile(words_of(record.document[a:b])) for a, b in spans]
    left = list(range(len(spans)))
    chosen: list[int] = []
    while left:
        best = max(left, key=lambda i: growing.score_with(profiles[i]))
        if growing.score_with(profiles[best]) <= growing.score():
            break
        growing.add(profiles[best])
        left.remove(best)
        chosen.append(best)
    return join_sentences(record.document, [spans[i] for i in sorted(chosen)])


BASELINES: dict[str, Callable[[Record, int], str]] = {
    "lead": lead, "textrank": textrank, "lexrank": lexrank, "oracle": oracle,
}  # fmt: skip


def _fill_to_length(text: str, spans: list[Span], ranking: Sequence[int], words: int) -> str:
    """Return the first sentences of a ranking, at least one, while each brings the length
    nearer to ``words``."""
    chosen: list[int] = []
    total = 0
    for i in ranking:
        size = count_words(text[slice(*spans[i])])
        if chosen and abs(total + size - words) >= abs(total - words):
            break
        chosen.append(i)
        total += size
    return join_sentences(text, [spans[i] for i in sorted(chosen)])


class _WordTokenizer:
    """The tokenizer that sumy needs, without NLTK's data."""

    def to_words(self, text: str) -> tuple[str, ...]:
        return tuple(words_of(text))


def _rank_with_sumy(method: Any, text: str, words: int) -> str:
    """Summarize by a ranking of sumy."""
    spans, ranking = _sumy_ranking(method, text, MAX_RANKED)
    return _fill_to_length(text, list(spans), ranking, words)


@lru_cache(maxsize=128)  # several lengths of one document in a row; a ranking is quadratic
def _sumy_ranking(method: Any, text: str, most: int) -> tuple[tuple[Span, ...], tuple[int, ...]]:
    """Return the first candidates of a text, and their numbers by sumy's ranking, best first.

    With its English stemmer and stop words.
    """
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.nlp.stemmers import Stemmer
    from sumy.utils import get_stop_words

    spans = [s for s in candidate_spans(text)[:most] if words_of(text[slice(*s)])]
    summarizer = method(Stemmer("english"))
    summarizer.stop_words = get_stop_words("english")
    sentences = [Sentence(text[start:end], _WordTokenizer()) for start, end in spans]
    ranking: list[int] = []

    def keep(infos: Sequence[Any]) -> Sequence[Any]:
        ranking.extend(info.order for info in infos)
        return infos

    summarizer(ObjectDocumentModel([Paragraph(sentences)]), keep)
    return tuple(spans), tuple(ranking)
