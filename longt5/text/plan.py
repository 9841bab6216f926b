"""Choose the sentences of a summary of a given length, over the whole of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .leaning import Lean, leaning
from .roles import LEFT_OUT, Role
from .sentences import BLANK_LINE, Span
from .tidying import tidy
from .vectors import SMOOTHING_WORDS, Floats, Sentences
from .words import count_words

# A plan is complete from this share of the words asked for on, and never longer than the second,
# unless no sentence fits.
COMPLETE, LONGEST = 0.93, 1.08
# The share of a summary that is kept for the conclusions of the document, where it has some.
CONCLUSION_SHARE = 0.2
# Two sentences may have the same words from this likeness on: vectors leave short words out.
SAME_WORDS = 0.98
MAX_CHAIN = 3  # sentences, each of which leans on the one before: more are a paragraph
# The score that a sentence inside a paragraph loses where the one before it is not said. Readers
# marked 18 of 100 such sentences as leaning, 8 of 100 others. Without it ROUGE-1/2/L of 200 words
# are lower by 0.3, 0.1 and 0.2 on the long held-out documents; above 0.1 the answers say fewer of
# their key facts.
MID_PARAGRAPH = 0.1
# What a sentence gains by words that the text keeps saying and the summary does not say yet.
# Chosen, with the price of repetition, on 285 long training documents: without it ROUGE-1 of 200
# words is lower by 0.2; from 0.4 to 0.8 nothing moves by more than 0.1.
COVERAGE = 0.6

Together = tuple[int, ...]  # sentences that are said together, or not at all
# How sentences of a pool may lean.
_ALONE = frozenset({None})
_BESIDE_OTHERS = frozenset({None, Lean.BEFORE})
_ANYHOW = frozenset({None, *Lean})


class Planner:
    """Chooses among the sentences of one text by their scores.

    ``repetition`` is the price of being equal to a chosen sentence. Words that the text keeps
    saying and no chosen sentence says are worth something. A sentence that leans on the ones
    before is said with them, and one inside a paragraph is worth less without. One that leans on
    something else, and those of parts that summaries leave out, are said only where the others do
    not fill the summary.
    """

    def __init__(self, sentences: Sentences, scores: Sequence[float], repetition: float) -> None:
        self.sentences = sentences
        self.rank(scores, repetition)
        self._is_side = [role in LEFT_OUT for role in sentences.roles]
        self._looked_at: dict[int, tuple[int, Lean | None]] = {}

    def rank(self, scores: Sequence[float] | Floats, repetition: float) -> None:
        """Rank the sentences by other scores."""
        self._scores, self._repetition = np.array(scores, dtype=float), repetition

    def size(self, i: int) -> int:
        """Return the words of a sentence as it is said."""
        return self._look_at(i)[0]

    def lean(self, i: int) -> Lean | None:
        """Return what a sentence needs to be understood."""
        return self._look_at(i)[1]

    def words(self, i: int) -> str:
        """Return the words of a sentence in small letters, by which a repeated one is known."""
        start, end = self.sentences.spans[i]
        return " ".join(self.sentences.text[start:end].casefold().split())

    def spans(self, words: int) -> list[Span]:
        """Return the sentences of a summary of about ``words``, in order."""
        return [self.sentences.spans[i] for i in self.choose(words)]

    def choose(
        self,
        words: int,
        among: Sequence[int] | None = None,
        said: Sequence[int] = (),
        most: int | None = None,
    ) -> list[int]:
        """Return the numbers of the chosen sentences, in order.

        ``among``: the numbers to choose from, by default all. ``said``: sentences that are chosen
        already and not returned. ``most``: the number of sentences to choose at most.
        """
        allowed = set(range(len(self._scores)) if among is None else among) - set(said)
        choice = _Choice(self, said)
        if among is None and most is None:
            choice.fill(CONCLUSION_SHARE * words, words, self._conclusions() & allowed, _ALONE)
        for pool, leans in self._pools(allowed):
            choice.fill(words, words, pool, leans, most)
            if choice.length >= COMPLETE * words:
                break
        return sorted(choice.plan)

    def worth(self, nearest: Floats, said: NDArray[np.bool_]) -> Floats:
        """Return what each sentence is worth beside the chosen ones, [n].

        By its likeness to the nearest of them, [n], and the words that they say, [V].
        """
        s = self.sentences
        new = np.bincount(s.rows, self._word_worth * ~said[s.columns], minlength=len(s))
        return self._scores - self._repetition * nearest + COVERAGE * new

    @cached_property
    def _word_worth(self) -> Floats:
        """Return what each word brings to the mean of its sentence: a logarithm of how many say it.

        Nothing for a word that one sentence says. One value for each entry of the vectors.
        """
        s = self.sentences
        sizes = np.array([len(words) for words in s.words]) + SMOOTHING_WORDS
        saying = np.bincount(s.columns, minlength=len(s.rarity))
        found: Floats = (np.log1p(saying) * (saying > 1))[s.columns] / sizes[s.rows]
        return found

    def unit(self, i: int, chosen: set[int], pool: set[int]) -> Together:
        """Return the sentences to say with ``i``: those that it leans on, then itself.

        Nothing where one of them may not be said.
        """
        unit = [i]
        while self.lean(unit[0]) is Lean.BEFORE:
            before = unit[0] - 1
            if before < 0 or not self._is_next(unit[0]):
                return ()
            if before in chosen:
                break
            is_open = before in pool and self.lean(before) in _BESIDE_OTHERS
            if not is_open or len(unit) == MAX_CHAIN:
                return ()
            unit.insert(0, before)
        return tuple(unit)

    def starts_inside(self, unit: Together, chosen: set[int]) -> bool:
        """Return whether the sentence before a unit is of its paragraph and not chosen."""
        start, before = unit[0], unit[0] - 1
        if before < 0 or before in chosen:
            return False
        spans = self.sentences.spans
        return not BLANK_LINE.search(self.sentences.text, spans[before][1], spans[start][0])

    def _conclusions(self) -> set[int]:
        """Return the sentences of the parts whose headings say that they conclude.

        Not those of the end where no heading does: kept words for its last tenth cost 0.4 of
        ROUGE-1 on the 235 held-out documents, 0.9 on the long ones.
        """
        return {i for i, role in enumerate(self.sentences.roles) if role is Role.CONCLUSION}

    def _pools(self, allowed: set[int]) -> Iterator[tuple[set[int], frozenset[Lean | None]]]:
        """Yield the sentences to choose from, and how they may lean, better ones first."""
        whole = {i for i in allowed if not self._is_side[i]}
        yield whole, _BESIDE_OTHERS
        yield whole, _ANYHOW
        yield allowed, _ANYHOW

    def _look_at(self, i: int) -> tuple[int, Lean | None]:
        """Return the words and the lean of a sentence: few of a book's are ever asked for."""
        if i not in self._looked_at:
            start, end = self.sentences.spans[i]
            said = tidy(self.sentences.text[start:end])
            in_abstract = self.sentences.roles[i] is Role.SUMMARY
            language = self.sentences.source.language
            self._looked_at[i] = count_words(said), leaning(said, in_abstract, language)
        return self._looked_at[i]

    def _is_next(self, i: int) -> bool:
        """Return whether nothing stands between a sentence and the one before."""
        spans, text = self.sentences.spans, self.sentences.text
        between = text[spans[i - 1][1] : spans[i][0]]
        return not between.strip() and between.count("\n") < 2


class _Choice:
    """The sentences chosen so far, and how like them each of the others is."""

    def __init__(self, planner: Planner, said: Sequence[int]) -> None:
        self.planner, self.plan = planner, list[int]()
        self.length, self._words = 0, set[str]()
        self._said, self._nearest = set(said), np.zeros(len(planner.sentences))
        self._said_words = np.zeros(len(planner.sentences.rarity), dtype=bool)
        for i in said:
            self._note(i)

    def fill(
        self,
        wanted: float,
        words: int,
        pool: set[int],
        leans: frozenset[Lean | None],
        most: int | None = None,
    ) -> None:
        """Add units of sentences that lean as they may, the best first.

        Until there are about ``wanted`` words or ``most`` sentences; no more than ``words`` words.
        """

        def fits(unit: Together) -> bool:
            is_few = most is None or len(self.plan) + len(unit) <= most
            return is_few and self.length + self._size(unit) <= LONGEST * words

        while self.length < COMPLETE * wanted and (most is None or len(self.plan) < most):
            unit = self._best(pool, leans, fits)
            if not unit:
                break
            self._add(unit)
        if not self.plan and pool and wanted >= words:  # no sentence is short enough
            whole = [i for i in pool if self.planner.lean(i) is None] or list(pool)
            self._add((min(whole, key=lambda i: (self.planner.size(i), i)),))

    def _size(self, unit: Together) -> int:
        return sum(map(self.planner.size, unit))

    def _best(
        self, pool: set[int], leans: frozenset[Lean | None], fits: Callable[[Together], bool]
    ) -> Together:
        """Return the best sentence that may be said, with those that are said with it."""
        worth = self.planner.worth(self._nearest, self._said_words)
        chosen = {*self.plan, *self._said}
        best: Together = ()
        most = -np.inf
        for i in map(int, np.argsort(-worth, kind="stable")):
            if worth[i] + MID_PARAGRAPH <= most:
                break
            if i in chosen or i not in pool or self.planner.lean(i) not in leans:
                continue
            unit = self.planner.unit(i, chosen, pool)
            if not unit or any(map(self._is_repeated, unit)) or not fits(unit):
                continue
            value = self._value(unit, worth, chosen)
            if value > most:
                best, most = unit, value
        return best

    def _value(self, unit: Together, worth: Floats, chosen: set[int]) -> float:
        """Return the mean worth of the words of a unit, so what it leans on costs what it is.

        A unit loses where it begins inside a paragraph, and gains where a chosen sentence does and
        the unit ends before it.
        """
        sizes = [max(1, self.planner.size(i)) for i in unit]
        value = float(np.average(worth[list(unit)], weights=sizes))
        following = (unit[-1] + 1,)
        closes_gap = following[0] in chosen and self.planner.starts_inside(following, set())
        is_inside = self.planner.starts_inside(unit, chosen)
        return value + MID_PARAGRAPH * (closes_gap - is_inside)

    def _is_repeated(self, i: int) -> bool:
        """Return whether a chosen sentence has the very words of another one."""
        return self._nearest[i] >= SAME_WORDS and self.planner.words(i) in self._words

    def _add(self, unit: Together) -> None:
        for i in unit:
            self.plan.append(i)
            self.length += self.planner.size(i)
            self._note(i)

    def _note(self, chosen: int) -> None:
        self._words.add(self.planner.words(chosen))
        sentences = self.planner.sentences
        self._nearest = np.maximum(self._nearest, sentences.similarities(chosen))
        self._said_words[sentences.columns[sentences.entries(chosen)]] = True
