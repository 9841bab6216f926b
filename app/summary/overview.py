"""A long summary in short: the sentences of its sections that say most about the others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from longt5.text.sentences import ends_sentence
from longt5.text.words import count_words

from ..events import SectionSummary, Sentence
from ..evidence.citations import overlap_features

OVERVIEW_WORDS = 120
MIN_SECTIONS = 3  # fewer are short enough to be read themselves
WORTH = 1.5  # a summary of less than this many times OVERVIEW_WORDS needs no overview
OVERVIEW_GROUPS = 10  # of neighbouring sections, where there is no room for half of the sections
PART = re.compile(r" \(\d+ of \d+\)$")  # what a section cut in parts has behind its title
SENTENCE = (6, 40)  # words of a sentence that stands well alone
FIRST = 3.0  # what the first section has before the others: it says what the document is about


def overview_of(sections: Sequence[SectionSummary]) -> tuple[Sentence, ...]:
    """Return the sentences of the overview, in document order, with their citations.

    They come from at least half of the sections and have at most OVERVIEW_WORDS together; the
    best of the other sentences fill the room left. Where half of the sections do not fit, half of
    the chapters must be represented, else half of OVERVIEW_GROUPS groups of neighbours. Sentences
    are quoted from the sections unchanged. The overview is empty when the summary is short, or
    when its sentences are too long.
    """
    words = sum(count_words(section.text) for section in sections)
    if len(sections) < MIN_SECTIONS or words < WORTH * OVERVIEW_WORDS:
        return ()
    shared = Counter(word for section in sections for word in _words(section.text))
    ranked = [_ranked(i, section, shared) for i, section in enumerate(sections)]
    for groups in _groupings(sections):
        merged = [sorted((r for i in group for r in ranked[i]), key=_score) for group in groups]
        chosen = _spread([options for options in merged if options])
        if len(chosen) == 1:  # with others of its section it would only say that again
            return (chosen[0].sentence,)
        if chosen:
            left = [r for rest in ranked for r in rest if r not in chosen and r.is_sure]
            chosen += _fitting(sorted(left, key=_score), OVERVIEW_WORDS - sum(map(_length, chosen)))
            return tuple(found.sentence for found in sorted(chosen, key=lambda r: r.at))
    return ()


@dataclass(frozen=True)
class Ranked:
    """A sentence that may be said, its worth, and where it stands: section, then place."""

    score: float
    at: tuple[int, int]
    sentence: Sentence

    @property
    def is_sure(self) -> bool:
        """Whether it has its passage, and nothing in it is doubtful."""
        return bool(self.sentence.pages) and not self.sentence.flags


def _groupings(sections: Sequence[SectionSummary]) -> Iterator[list[list[int]]]:
    """The sections as they are, the parts of a chapter together, stretches of neighbours."""
    numbers = range(len(sections))
    yield [[i] for i in numbers]

    def chapter(i: int) -> object:
        return PART.sub("", sections[i].title) or i

    chapters = [list(group) for _, group in groupby(numbers, chapter)]
    if MIN_SECTIONS <= len(chapters) < len(sections):
        yield chapters
    if len(sections) > OVERVIEW_GROUPS:
        yield [list(g) for _, g in groupby(numbers, lambda i: i * OVERVIEW_GROUPS // len(sections))]


def _score(found: Ranked) -> float:
    return -found.score


def _length(found: Ranked) -> int:
    return count_words(found.sentence.text)


def _stands_alone(text: str) -> bool:
    """Whether it ends, and what it opens it also closes."""
    pairs = all(text.count(a) == text.count(b) for a, b in ("()", "“”", "[]"))
    return ends_sentence(text) and pairs and text.count('"') % 2 == 0


def _spread(groups: Sequence[list[Ranked]]) -> list[Ranked]:
    """The best sentence of half of the groups, two at least: of the best ones, else of those that
    let enough groups in. Nothing where so many do not fit."""
    order = sorted(groups, key=lambda options: -options[0].score)
    needed = max(-(-len(order) // 2), min(2, len(order)))
    for some in (order[:needed], order):
        chosen = _one_each(some, needed)
        if len(chosen) >= needed:
            return chosen
    return []


def _one_each(order: Sequence[list[Ranked]], needed: int) -> list[Ranked]:
    """The best sentence of each group; when the room gets short, the shortest that still let
    enough groups in."""
    least = [min(map(_length, options)) for options in order]
    chosen: list[Ranked] = []
    room = OVERVIEW_WORDS
    for place, options in enumerate(order):
        still = sum(sorted(least[place + 1 :])[: max(0, needed - len(chosen) - 1)])
        fitting = next((found for found in options if _length(found) + still <= room), None)
        if fitting is not None:
            chosen.append(fitting)
            room -= _length(fitting)
    return chosen


def _fitting(ranked: Sequence[Ranked], room: int) -> list[Ranked]:
    """The best that have room."""
    chosen = []
    for found in ranked:
        if _length(found) <= room:
            chosen.append(found)
            room -= _length(found)
    return chosen


def _words(text: str) -> set[str]:
    """Its words, without the pairs of neighbours."""
    return {feature for feature in overlap_features(text) if " " not in feature}


def _ranked(number: int, section: SectionSummary, shared: Counter[str]) -> list[Ranked]:
    """Its sentences, best first: words shared with all the sections, in how many of them each
    is, doubts count against."""
    found = []
    for at, sentence in enumerate(section.sentences):
        words = count_words(sentence.text)
        if not SENTENCE[0] <= words <= SENTENCE[1] or not _stands_alone(sentence.text):
            continue
        said = {word for word in _words(sentence.text) if len(word) > 3}
        score = sum(math.log(1 + shared[f]) for f in said) / math.sqrt(max(1, len(said)))
        score -= 2.0 * len(sentence.flags) + 0.1 * at + (0 if sentence.pages else 2.0)
        found.append(Ranked(score + FIRST * (number == 0), (number, at), sentence))
    return sorted(found, key=_score)
