"""How long a summary becomes: words for each section, tokens for each search."""

from __future__ import annotations

from collections.abc import Sequence

from longt5.text.words import count_words

from ..documents.model import Chunk
from ..settings import LENGTH_WORDS

ONE_SENTENCE = 40  # words; a target below it is met by a sentence, or what is planned
SENTENCE_WORDS = 20  # the least a section gets: about one sentence
OPENING = 2  # times the words of other sections as long: the first says what a document is about


def share_words(length: str, chunks: Sequence[Chunk]) -> list[int]:
    """Word targets of the sections: the document's target shared by source length, that of the
    first counted OPENING times; never more than a third of the source, and never less than a
    sentence."""
    sizes = [count_words(chunk.text) for chunk in chunks]
    weights = [sizes[0] * OPENING, *sizes[1:]] if sizes else []
    rate = min(LENGTH_WORDS[length], sum(sizes) / 3) / (sum(weights) or 1)
    return [
        max(round(rate * weight), min(SENTENCE_WORDS, size // 2), 1)
        for weight, size in zip(weights, sizes, strict=True)
    ]


def due_words(targets: Sequence[int], written: Sequence[int]) -> int:
    """The target of the section after those that have `written` words: its share, and what they
    left over or took too much, as far as that is at most half of its share.

    >>> due_words([40, 40], []), due_words([40, 40], [30]), due_words([40, 40], [90])
    (40, 50, 20)
    """
    share = targets[len(written)]
    due = sum(targets[: len(written) + 1]) - sum(written)
    least = max(share - share // 2, min(share, SENTENCE_WORDS))
    return min(max(due, least), share + share // 2)


def tokens_per_word(chunk: Chunk) -> float:
    """Of this chunk's language in this vocabulary, within reason."""
    rate = len(chunk.input_ids) / max(1, count_words(chunk.text))
    return min(max(rate, 1.0), 8.0)


def token_limits(
    words: int, chunk: Chunk, longest: int | None, planned: Sequence[int] = ()
) -> tuple[int, int]:
    """(min_new_tokens, max_new_tokens) for about `words` words of this chunk's language;
    `planned`: the tokens of the sentences that are likely to be said."""
    rate = tokens_per_word(chunk)
    # The search ends with the first sentence after the least length, half a sentence later on
    # average; the room above the target lets that sentence end.
    least = round(rate * (words * 0.4 if words < ONE_SENTENCE else words - 10))
    most = round(rate * (words * 1.15 + 30)) + 8
    if planned and (whole := sum(planned)) <= 2 * most:  # else the text is one long sentence
        least, most = whole - min(planned) // 2, max(most, whole + 8)
    if longest is not None:
        least, most = min(least, longest), longest
    return least, most
