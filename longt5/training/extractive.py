"""Extractive targets: the sentences of a document that a summary of it should repeat, tidied.

With a reference summary: the sentences that together overlap most with it. Without one: those
that carry the document's recurring content words. Either way a share of the score is how
central a sentence is, because a small model can learn to see that and cannot learn the taste
of one reference.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..text.features import DANGLING, FREE
from ..text.overlap import Growing
from ..text.sentences import split_sentences
from ..text.tidying import tidy
from ..text.words import STOPWORDS, words_of

MIN_WORDS, MAX_WORDS = 8, 48  # of a sentence worth repeating
MIN_LETTERS = 0.75  # share of a sentence's characters that are letters or spaces


@dataclass(frozen=True)
class Extractive:
    """Options of :func:`extract`: target length in words, and what counts in a choice.

    ``centrality`` weighs centrality against overlap with the reference; ``redundancy`` is the
    share of a sentence's content words that may have been said already.
    """

    min_words: int = 40
    max_words: int = 160
    centrality: float = 0.1
    redundancy: float = 0.6
    dangling: float = 0.7


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be chosen: its tidied text, its words, and where it stands."""

    text: str
    words: list[str]
    content: frozenset[str]
    position: int
    dangles: bool


def candidates(document: str) -> list[Candidate]:
    """The sentences worth repeating: whole, neither short nor endless, mostly letters."""
    found = []
    for position, (start, end) in enumerate(split_sentences(document)):
        text = tidy(document[start:end])
        count = len(text.split())
        if not MIN_WORDS <= count <= MAX_WORDS or not re.search(r"[.!?][\"'”’)]*$", text):
            continue
        letters = sum(c.isalpha() or c == " " for c in text)
        if letters < MIN_LETTERS * len(text) or not (text[0].isupper() or text[0] in "\"“'‘"):
            continue
        words = words_of(text)
        content = frozenset(w for w in words if len(w) > 2 and w not in STOPWORDS)
        found.append(Candidate(text, words, content, position, bool(DANGLING.match(text))))
    return found


def centralities(sentences: Sequence[Candidate]) -> list[float]:
    """How much each sentence's content words recur in the others, 0 to 1; long ones not
    preferred, the first ones slightly."""
    spread = Counter(word for s in sentences for word in s.content)
    # A word of one sentence says nothing about the others; one of all, little.
    weight = {
        word: math.log(count) * math.log(1 + len(sentences) / count)
        for word, count in spread.items()
    }
    raw = [
        sum(weight[word] for word in s.content) / (len(s.words) + 8) * (1 + 0.25 / (1 + i))
        for i, s in enumerate(sentences)
    ]
    best = max(raw, default=0.0)
    return [value / best for value in raw] if best > 0 else [0.0 for _ in raw]


class Overlap:
    """What a sentence adds of a reference, for its length: the share of its words that the
    reference has and the choice does not yet, content words and pairs of words counted twice.

    Its share and not the ROUGE that it adds: that prefers long sentences, and fewer fit.
    ``sentences`` as words; ``bonus`` of each is added to what it gains.
    """

    def __init__(
        self, sentences: Sequence[Sequence[str]], reference: str, bonus: Sequence[float]
    ) -> None:
        parts = [words_of(reference[a:b]) for a, b in split_sentences(reference)]
        self.growing = [
            (1, Growing(parts, 1), _all_words),
            (1, Growing(map(_content_words, parts), 1), _content_words),
            (2, Growing(parts, 2), _all_words),
        ]
        self.profiles = [[g.profile(of(words)) for _, g, of in self.growing] for words in sentences]
        self.lengths = [len(words) + FREE for words in sentences]
        self.bonus = bonus

    def gain(self, index: int) -> float:
        hits = sum(
            weight * g.gain(p)
            for (weight, g, _), p in zip(self.growing, self.profiles[index], strict=True)
        )
        return hits / self.lengths[index] + self.bonus[index]

    def take(self, index: int) -> None:
        for (_, g, _), p in zip(self.growing, self.profiles[index], strict=True):
            g.add(p)


def _all_words(words: Sequence[str]) -> Sequence[str]:
    return words


def _content_words(words: Sequence[str]) -> Sequence[str]:
    return [word for word in words if word not in STOPWORDS]


class Novelty:
    """What a sentence adds without a reference: its centrality, times what is new in it."""

    def __init__(self, sentences: Sequence[Candidate]) -> None:
        self.sentences, self.central = sentences, centralities(sentences)
        self.said: set[str] = set()

    def gain(self, index: int) -> float:
        content = self.sentences[index].content
        return self.central[index] * len(content - self.said) / max(1, len(content))

    def take(self, index: int) -> None:
        self.said.update(self.sentences[index].content)


def choose(
    sentences: Sequence[Candidate], worth: Overlap | Novelty, options: Extractive, budget: int
) -> list[int]:
    """Take the sentence of the highest gain until about ``budget`` words are there or nothing is
    gained: indices in document order."""
    chosen: list[int] = []
    said: set[str] = set()
    length = 0
    left = set(range(len(sentences)))
    while left and length < budget:
        fits = [
            i
            for i in sorted(left)
            if len(sentences[i].content & said) <= options.redundancy * len(sentences[i].content)
            and (not chosen or length + len(sentences[i].words) <= budget * 1.2)
        ]
        if not fits:
            break

        def value(i: int) -> float:
            won = worth.gain(i)
            # A dangling start is fine right behind the sentence that it points to.
            free = not sentences[i].dangles or any(
                sentences[j].position == sentences[i].position - 1 for j in chosen
            )
            return won if free or won < 0 else won * options.dangling

        best = max(fits, key=value)
        if value(best) <= 0 and length >= options.min_words:
            break
        worth.take(best)
        said |= sentences[best].content
        length += len(sentences[best].words)
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def extract(
    document: str, reference: str | None, options: Extractive, budget: int | None = None
) -> str | None:
    """The target for a document: its chosen sentences, tidied and in order, None without any.

    ``budget`` in words; by default that of the reference, within the options' limits. A first
    sentence that dangles is left out where others stay.
    """
    sentences = candidates(document)
    length = budget or (len(words_of(reference)) if reference else options.max_words // 2)
    length = min(max(length, options.min_words), options.max_words)
    chosen = choose(sentences, _worth(sentences, reference, options), options, length)
    while len(chosen) > 1 and sentences[chosen[0]].dangles:
        chosen = chosen[1:]
    return " ".join(sentences[i].text for i in chosen) or None


def _worth(
    sentences: Sequence[Candidate], reference: str | None, options: Extractive
) -> Overlap | Novelty:
    if not reference:
        return Novelty(sentences)
    bonus = [options.centrality * c for c in centralities(sentences)]
    return Overlap([s.words for s in sentences], reference, bonus)
