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
# Languages in scripts that the vocabulary hardly knows need several tokens per word; beyond these
# bounds the text is no prose (one "word" of a thousand letters) and the rate means nothing.
TOKENS_PER_WORD_RANGE = (1.0, 8.0)


def section_targets(words: int, chunks: Sequence[Chunk]) -> list[int]:
    """Return the words to write about each chunk of a document, for an answer of `words` words.

    Each may be as long as the answer, which is chosen from all of them, and is at most a third of
    its chunk.
    """
    sizes = [count_words(chunk.text) for chunk in chunks]
    return [max(min(words, size // 3), min(MIN_SECTION_WORDS, size // 2), 1) for size in sizes]


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
