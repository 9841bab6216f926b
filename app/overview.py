"""A long summary in short: the sentences of its sections that say most about the others."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from app.citations import features
from app.events import SectionSummary, Sentence
from longt5.sentences import DENSE_STOPS, STOPS, count_words

MAX_WORDS = 120
MIN_SECTIONS = 3  # fewer are short enough to be read themselves
WORTH = 1.5  # a summary of less than this many times MAX_WORDS needs no overview
STRETCHES = 10  # of neighbouring sections, where there is no room for half of the sections
PART = re.compile(r" \(\d+ of \d+\)$")  # what a section cut in parts has behind its title
Ranked = list[tuple[float, Sentence]]
SENTENCE = (6, 40)  # words of a sentence that stands well alone


def overview_of(sections: Sequence[SectionSummary]) -> tuple[Sentence, ...]:
    """At most MAX_WORDS from at least half of the sections, in their order, citations kept.

    Where so many sections do not fit, it is half of the chapters, else of STRETCHES stretches of
    neighbours. Sentences are as the sections have them, so nothing is said that is not there.
    Empty when the summary is short, or when its sentences are too long for that.
    """
    words = sum(count_words(section.text) for section in sections)
    if len(sections) < MIN_SECTIONS or words < WORTH * MAX_WORDS:
        return ()
    shared = Counter(word for section in sections for word in _words(section.text))
    ranked = [_ranked(section, shared) for section in sections]
    for groups in _groupings(sections):
        merged = [sorted((r for i in group for r in ranked[i]), key=_score) for group in groups]
        needed = -(-sum(map(bool, merged)) // 2)
        chosen = _spread(merged, needed)
        if chosen and len(chosen) >= needed:
            return tuple(sentence for _, sentence in sorted(chosen, key=lambda pair: pair[0]))
    return ()


def _groupings(sections: Sequence[SectionSummary]) -> Iterator[list[list[int]]]:
    """The sections as they are, the parts of a chapter together, stretches of neighbours."""
    numbers = range(len(sections))
    yield [[i] for i in numbers]

    def chapter(i: int) -> object:
        return PART.sub("", sections[i].title) or i

    chapters = [list(group) for _, group in groupby(numbers, chapter)]
    if MIN_SECTIONS <= len(chapters) < len(sections):
        yield chapters
    if len(sections) > STRETCHES:
        yield [list(g) for _, g in groupby(numbers, lambda i: i * STRETCHES // len(sections))]


def _score(pair: tuple[float, Sentence]) -> float:
    return -pair[0]


def _stands_alone(text: str) -> bool:
    """Whether it ends, and what it opens it also closes."""
    pairs = all(text.count(a) == text.count(b) for a, b in ("()", "“”", "[]"))
    return text[-1:] in f"{STOPS}{DENSE_STOPS}”\"’)" and pairs and text.count('"') % 2 == 0


def _spread(ranked: Sequence[Ranked], needed: int) -> list[tuple[int, Sentence]]:
    """The best sentence of each group, best groups first; when the room gets short, the
    shortest that still let enough groups in."""
    order = sorted(
        (i for i, options in enumerate(ranked) if options), key=lambda i: -ranked[i][0][0]
    )
    least = {i: min(count_words(s.text) for _, s in ranked[i]) for i in order}
    chosen: list[tuple[int, Sentence]] = []
    room = MAX_WORDS
    for place, i in enumerate(order):
        still = sorted(least[j] for j in order[place + 1 :])[: max(0, needed - len(chosen) - 1)]
        for _, sentence in ranked[i]:
            if count_words(sentence.text) + sum(still) <= room:
                chosen.append((i, sentence))
                room -= count_words(sentence.text)
                break
    return chosen


def _words(text: str) -> set[str]:
    """Its words, without the pairs of neighbours."""
    return {feature for feature in features(text) if " " not in feature}


def _ranked(section: SectionSummary, shared: Counter[str]) -> Ranked:
    """(score, sentence), best first: words shared with all the sections, in how many of them each
    is, doubts count against."""
    found = []
    for at, sentence in enumerate(section.sentences):
        words = count_words(sentence.text)
        if not SENTENCE[0] <= words <= SENTENCE[1] or not _stands_alone(sentence.text):
            continue
        said = {word for word in _words(sentence.text) if len(word) > 3}
        score = sum(math.log(1 + shared[f]) for f in said) / math.sqrt(max(1, len(said)))
        score -= 2.0 * len(sentence.flags) + 0.1 * at + (0 if sentence.pages else 2.0)
        found.append((score, sentence))
    return sorted(found, key=_score)
