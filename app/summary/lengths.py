"""The length of a summary: words for each section, token limits for each search."""

from __future__ import annotations

from collections.abc import Sequence

from longt5.text.words import count_words

from ..documents.model import Chunk

# A section with a smaller target is one sentence, whatever its length: forty words are a long
# sentence, and two of average length would already exceed the target.
ONE_SENTENCE_WORDS = 40
# The smallest target of a section, about one sentence: with less, no sentence could end.
MIN_SECTION_WORDS = 20
# The weight of the first section, which tells what the document is about; chosen by hand.
FIRST_SECTION_WEIGHT = 2
# Languages in scripts that the vocabulary hardly knows need several tokens per word; beyond these
# bounds the text is no prose (one "word" of a thousand letters) and the rate means nothing.
TOKENS_PER_WORD_RANGE = (1.0, 8.0)


def share_words(words: int, chunks: Sequence[Chunk]) -> list[int]:
    """Return the word target of each section.

    The document's target, `words`, is shared by source length, the first section counting
    FIRST_SECTION_WEIGHT times. A document gets at most a third of its own words, a section at
    least a sentence.
    """
    sizes = [count_words(chunk.text) for chunk in chunks]
    weights = [sizes[0] * FIRST_SECTION_WEIGHT, *sizes[1:]] if sizes else []
    rate = min(words, sum(sizes) / 3) / (sum(weights) or 1)
    return [
        max(round(rate * weight), min(MIN_SECTION_WORDS, size // 2), 1)
        for weight, size in zip(weights, sizes, strict=True)
    ]


def due_words(targets: Sequence[int], written: Sequence[int]) -> int:
    """Return the target of the next section, given the words `written` by the ones before.

    That is its own target, corrected by the surplus or deficit so far, by at most half of it.

    >>> due_words([40, 40], []), due_words([40, 40], [30]), due_words([40, 40], [90])
    (40, 50, 20)
    """
    share = targets[len(written)]
    due = sum(targets[: len(written) + 1]) - sum(written)
    least = max(share - share // 2, min(share, MIN_SECTION_WORDS))
    return min(max(due, least), share + share // 2)


def tokens_per_word(chunk: Chunk) -> float:
    """Return the tokens per word of a chunk, within TOKENS_PER_WORD_RANGE."""
    rate = len(chunk.input_ids) / max(1, count_words(chunk.text))
    return min(max(rate, TOKENS_PER_WORD_RANGE[0]), TOKENS_PER_WORD_RANGE[1])


def token_limits(words: int, chunk: Chunk) -> tuple[int, int]:
    """Return (min_new_tokens, max_new_tokens) for about `words` words in the chunk's language."""
    rate = tokens_per_word(chunk)
    # The search ends with the first sentence after the minimum, half a sentence later on average;
    # the room above the target lets that sentence end.
    least = round(rate * (words * 0.4 if words < ONE_SENTENCE_WORDS else words - 10))
    return least, round(rate * (words * 1.15 + 30)) + 8
