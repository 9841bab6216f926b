"""Extractive targets: the sentences of a document that a summary of it should repeat, tidied.

With a reference summary: the sentences that together overlap most with it. Without one: those
that carry the document's recurring content words. Either way a share of the score is how
central a sentence is, because a small model can learn to see that and cannot learn the taste
of one reference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..text.features import DANGLING
from ..text.overlap import Growing
from ..text.sentences import split_sentences
from ..text.source import SourceText
from ..text.tidying import tidy
from ..text.vectors import SMOOTHING_WORDS
from ..text.words import STOPWORDS, content_words, words_of

# Words by which a target may be longer than its budget, as a share: less, and the last sentence
# rarely fits. Chosen by hand.
MAX_OVERRUN = 1.2


@dataclass(frozen=True)
class Extractive:
    """Options of :func:`extract`: target length in words, and the weights of a choice.

    ``centrality`` weighs centrality against overlap with the reference. ``redundancy`` is the
    share of a sentence's content words that earlier sentences may have used. ``dangling``
    multiplies the gain of a sentence that points to one left out.
    """

    min_words: int = 40
    max_words: int = 160
    centrality: float = 0.1
    redundancy: float = 0.6
    dangling: float = 0.7


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be chosen: its tidied text, its words, its number in the document."""

    text: str
    words: list[str]
    content: frozenset[str]
    position: int
    dangles: bool


def candidates_of(source: SourceText) -> list[Candidate]:
    """Return the sentences that a run may quote, tidied."""
    positions = {span: position for position, span in enumerate(source.spans)}
    found = []
    for span in source.candidates:
        text = tidy(source.sentence(span))
        content = frozenset(content_words(text))
        dangles = DANGLING.match(text) is not None
        found.append(Candidate(text, words_of(text), content, positions[span], dangles))
    return found


def centralities(sentences: Sequence[Candidate]) -> list[float]:
    """Return how much each sentence's content words recur in the others, from 0 to 1.

    Long sentences are not preferred; the first ones are, slightly.
    """
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
    """The gain of a sentence for its length: the share of its words that the reference has and
    the choice does not have yet, content words and pairs of words counted twice.

    The ROUGE that a sentence adds would prefer long sentences, of which fewer fit.
    ``sentences``: the words of each; ``bonus``: what is added to the gain of each.
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
        self.lengths = [len(words) + SMOOTHING_WORDS for words in sentences]
        self.bonus = bonus

    def gain(self, index: int) -> float:
        """Return what choosing a sentence would gain."""
        hits = sum(
            weight * g.gain(p)
            for (weight, g, _), p in zip(self.growing, self.profiles[index], strict=True)
        )
        return hits / self.lengths[index] + self.bonus[index]

    def take(self, index: int) -> None:
        """Choose a sentence."""
        for (_, g, _), p in zip(self.growing, self.profiles[index], strict=True):
            g.add(p)


def _all_words(words: Sequence[str]) -> Sequence[str]:
    return words


def _content_words(words: Sequence[str]) -> Sequence[str]:
    return [word for word in words if word not in STOPWORDS]


class Novelty:
    """The gain of a sentence without a reference: centrality times the share that is new."""

    def __init__(self, sentences: Sequence[Candidate]) -> None:
        self.sentences, self.central = sentences, centralities(sentences)
        self.used: set[str] = set()

    def gain(self, index: int) -> float:
        """Return what choosing a sentence would gain."""
        content = self.sentences[index].content
        return self.central[index] * len(content - self.used) / max(1, len(content))

    def take(self, index: int) -> None:
        """Choose a sentence."""
        self.used.update(self.sentences[index].content)


def choose(
    sentences: Sequence[Candidate], worth: Overlap | Novelty, options: Extractive, budget: int
) -> list[int]:
    """Return the indices of chosen sentences, in document order.

    Choose the sentence of the highest gain until about ``budget`` words are chosen or none gains
    anything.
    """
    chosen: list[int] = []
    used: set[str] = set()
    length = 0
    left = set(range(len(sentences)))
    while left and length < budget:
        fits = [
            i
            for i in sorted(left)
            if len(sentences[i].content & used) <= options.redundancy * len(sentences[i].content)
            and (not chosen or length + len(sentences[i].words) <= budget * MAX_OVERRUN)
        ]
        if not fits:
            break

        def value(i: int) -> float:
            gain = worth.gain(i)
            # A dangling sentence may follow the one that it points to.
            free = not sentences[i].dangles or any(
                sentences[j].position == sentences[i].position - 1 for j in chosen
            )
            return gain if free or gain < 0 else gain * options.dangling

        best = max(fits, key=value)
        if value(best) <= 0 and length >= options.min_words:
            break
        worth.take(best)
        used |= sentences[best].content
        length += len(sentences[best].words)
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def extract(
    document: str, reference: str | None, options: Extractive, budget: int | None = None
) -> str | None:
    """Return the target for a document: its chosen sentences, tidied and in order, else None.

    ``budget`` in words; by default the length of the reference, within the options' limits. A
    first sentence that dangles is left out where others stay.
    """
    sentences = candidates_of(SourceText.of(document))
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
