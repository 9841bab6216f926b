"""The overview of a long summary: the sentences of its sections that represent the others best."""

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

OVERVIEW_WORDS = 120  # one paragraph that is read in half a minute
MIN_SECTIONS = 3  # fewer sections are read as fast as an overview
# Summaries of fewer than this many times OVERVIEW_WORDS get no overview: it would repeat most of
# them.
MIN_SUMMARY_RATIO = 1.5
# Groups of neighbouring sections that are represented instead of sections, where half of the
# sections do not fit: half of ten groups are five sentences of about 24 words.
OVERVIEW_GROUPS = 10
SPLIT_SECTION_SUFFIX = re.compile(r" \(\d+ of \d+\)$")  # of the title of a section cut in parts
# Words of a sentence that may be in an overview: shorter ones need their neighbours, longer ones
# fill a third of it.
SENTENCE_WORDS_RANGE = (6, 40)
MIN_TOPIC_LETTERS = 4  # of words that count as topics; shorter ones are mostly function words
# Scores are about 1 to 10; what is taken from or added to them is chosen by hand.
DOUBT_PENALTY = 2.0  # for each flag, and for a missing citation
PLACE_PENALTY = 0.1  # for each sentence before it in its section: sections open with what matters
FIRST_SECTION_BONUS = 3.0  # the first section tells what the document is about


def overview_of(sections: Sequence[SectionSummary]) -> tuple[Sentence, ...]:
    """Return the sentences of the overview, in document order, with their citations.

    They come from at least half of the sections and have at most OVERVIEW_WORDS together; the
    best of the other sentences fill the room left. Where half of the sections do not fit, half of
    the chapters must be represented, else half of OVERVIEW_GROUPS groups of neighbours. Sentences
    are quoted from the sections unchanged. The overview is empty when the summary is short, or
    when its sentences are too long.
    """
    words = sum(count_words(section.text) for section in sections)
    if len(sections) < MIN_SECTIONS or words < MIN_SUMMARY_RATIO * OVERVIEW_WORDS:
        return ()
    section_counts = Counter(stem for section in sections for stem in _stems(section.text))
    ranked = [_rank(i, section, section_counts) for i, section in enumerate(sections)]
    for groups in _possible_groups(sections):
        merged = [sorted((r for i in group for r in ranked[i]), key=_by_score) for group in groups]
        chosen = _one_of_half([options for options in merged if options])
        if len(chosen) == 1:  # other sentences of the same section would repeat it
            return (chosen[0].sentence,)
        if chosen:
            left = [r for rest in ranked for r in rest if r not in chosen and r.is_sure]
            room = OVERVIEW_WORDS - sum(map(_length, chosen))
            chosen += _fitting(sorted(left, key=_by_score), room)
            return tuple(found.sentence for found in sorted(chosen, key=lambda r: r.at))
    return ()


@dataclass(frozen=True)
class RankedSentence:
    """A candidate sentence, its score, and its position: (section, place in the section)."""

    score: float
    at: tuple[int, int]
    sentence: Sentence

    @property
    def is_sure(self) -> bool:
        """True if the sentence is cited and has no flags."""
        return bool(self.sentence.pages) and not self.sentence.flags


def _possible_groups(sections: Sequence[SectionSummary]) -> Iterator[list[list[int]]]:
    """Yield groupings of section numbers: single sections, chapters, groups of neighbours."""
    numbers = range(len(sections))
    yield [[i] for i in numbers]

    def chapter(i: int) -> object:
        return SPLIT_SECTION_SUFFIX.sub("", sections[i].title) or i

    chapters = [list(group) for _, group in groupby(numbers, chapter)]
    if MIN_SECTIONS <= len(chapters) < len(sections):
        yield chapters
    if len(sections) > OVERVIEW_GROUPS:
        yield [list(g) for _, g in groupby(numbers, lambda i: i * OVERVIEW_GROUPS // len(sections))]


def _by_score(candidate: RankedSentence) -> float:
    return -candidate.score


def _length(candidate: RankedSentence) -> int:
    return count_words(candidate.sentence.text)


def _stands_alone(text: str) -> bool:
    """Return True if a sentence has a stop at its end and no open bracket or quotation."""
    pairs = all(text.count(a) == text.count(b) for a, b in ("()", "“”", "[]"))
    return ends_sentence(text) and pairs and text.count('"') % 2 == 0


def _one_of_half(groups: Sequence[list[RankedSentence]]) -> list[RankedSentence]:
    """Return the best sentence of each of half of the groups, at least two.

    The groups are the best ones, else those whose sentences leave room for enough groups. Return
    nothing where so many do not fit.
    """
    order = sorted(groups, key=lambda options: -options[0].score)
    needed = max(-(-len(order) // 2), min(2, len(order)))
    for some in (order[:needed], order):
        chosen = _one_each(some, needed)
        if len(chosen) >= needed:
            return chosen
    return []


def _one_each(order: Sequence[list[RankedSentence]], needed: int) -> list[RankedSentence]:
    """Return one sentence per group: the best that leaves room for `needed` groups in all."""
    least = [min(map(_length, options)) for options in order]
    chosen: list[RankedSentence] = []
    room = OVERVIEW_WORDS
    for place, options in enumerate(order):
        still = sum(sorted(least[place + 1 :])[: max(0, needed - len(chosen) - 1)])
        fitting = next((found for found in options if _length(found) + still <= room), None)
        if fitting is not None:
            chosen.append(fitting)
            room -= _length(fitting)
    return chosen


def _fitting(ranked: Sequence[RankedSentence], room: int) -> list[RankedSentence]:
    """Return the best sentences that fit into `room` words."""
    chosen = []
    for found in ranked:
        if _length(found) <= room:
            chosen.append(found)
            room -= _length(found)
    return chosen


def _stems(text: str) -> set[str]:
    """Return the stems of a text."""
    return {feature for feature in overlap_features(text) if " " not in feature}


def _rank(
    number: int, section: SectionSummary, section_counts: Counter[str]
) -> list[RankedSentence]:
    """Return the candidates of a section, best first.

    A sentence scores by the number of sections in which its stems occur (`section_counts`).
    """
    found = []
    least, most = SENTENCE_WORDS_RANGE
    for at, sentence in enumerate(section.sentences):
        words = count_words(sentence.text)
        if not least <= words <= most or not _stands_alone(sentence.text):
            continue
        topics = {stem for stem in _stems(sentence.text) if len(stem) >= MIN_TOPIC_LETTERS}
        score = sum(math.log(1 + section_counts[t]) for t in topics)
        score /= math.sqrt(max(1, len(topics)))
        uncited = 0 if sentence.pages else DOUBT_PENALTY
        score -= DOUBT_PENALTY * len(sentence.flags) + PLACE_PENALTY * at + uncited
        score += FIRST_SECTION_BONUS * (number == 0)
        found.append(RankedSentence(score, (number, at), sentence))
    return sorted(found, key=_by_score)
