"""Choose the sentences of a summary of a given length, over the whole of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .features import Sentences
from .leaning import Lean, leaning
from .roles import LEFT_OUT, Role
from .sentences import Span
from .tidying import tidy
from .words import count_words

# A plan is complete from this share of the words asked for on, and never longer than the second,
# unless no sentence fits.
COMPLETE, LONGEST = 0.93, 1.08
# The share of a summary that is kept for the conclusions of the document, where it has some.
CONCLUSION_SHARE = 0.2
ENDING_SHARE = 0.1  # of a document without a heading for its conclusions, where these stand


class Planner:
    """Chooses among the sentences of one text by their scores.

    ``repetition`` is the price of being equal to a chosen sentence. Sentences that lean on what
    is left out, and those of parts that summaries leave out, are chosen only where the others do
    not fill the summary; one that leans on the sentence before may be said with it.
    """

    def __init__(self, sentences: Sentences, scores: Sequence[float], repetition: float) -> None:
        self.sentences = sentences
        self._scores, self._repetition = scores, repetition
        texts = [sentences.text[a:b] for a, b in sentences.spans]
        alone = [tidy(text) for text in texts]
        self.words = [count_words(text) for text in alone]
        self.leans = [leaning(text) for text in alone]
        self._is_side = [role in LEFT_OUT for role in sentences.roles]

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
        chosen = self._reserved(words, allowed, said) if among is None and most is None else []
        for pool in self._pools(allowed):
            chosen = self._fill(words, pool, chosen, said, most)
            if sum(self.words[i] for i in chosen) >= COMPLETE * words:
                break
        return sorted(chosen)

    def _reserved(self, words: int, allowed: set[int], said: Sequence[int]) -> list[int]:
        """Return the best of the conclusions: what a document says in the end is not left out."""
        ending = {i for i in self._conclusions() & allowed if self.leans[i] is None}
        return self._fill(round(CONCLUSION_SHARE * words), ending, [], said, None)

    def _conclusions(self) -> set[int]:
        """Return the sentences of the conclusions; without a heading, those of the end."""
        roles = self.sentences.roles
        named = {i for i, role in enumerate(roles) if role is Role.CONCLUSION}
        whole = [i for i, is_side in enumerate(self._is_side) if not is_side]
        return named or set(whole[len(whole) - round(ENDING_SHARE * len(whole)) :])

    def _pools(self, allowed: set[int]) -> Iterator[set[int]]:
        """Yield the sentences to choose from, better ones first."""
        whole = {i for i in allowed if not self._is_side[i]}
        yield {i for i in whole if self.leans[i] is not Lean.ELSEWHERE}
        yield whole
        yield allowed

    def _fill(
        self,
        words: int,
        pool: set[int],
        chosen: Sequence[int],
        said: Sequence[int],
        most: int | None,
    ) -> list[int]:
        plan = list(chosen)
        nearest = [0.0] * len(self._scores)
        for i in (*said, *plan):
            self._note(nearest, i)
        length = sum(self.words[i] for i in plan)
        rejected: set[int] = set()
        while length < COMPLETE * words and (most is None or len(plan) < most):
            left = pool.difference(plan, rejected)
            if not left:
                break
            best = max(left, key=lambda i: (self._worth(i, nearest), -i))
            unit = self._unit(best, {*plan, *said}, pool)
            size = sum(self.words[i] for i in unit)
            fits = length + size <= LONGEST * words or not plan and len(rejected) == len(left)
            too_many = most is not None and len(plan) + len(unit) > most
            if not unit or not fits or too_many:
                rejected.add(best)
                continue
            plan += unit
            length += size
            for i in unit:
                self._note(nearest, i)
        if not plan and pool:  # no sentence is short enough
            unit_sizes = [i for i in pool if self.leans[i] is None] or list(pool)
            plan = [min(unit_sizes, key=lambda i: (self.words[i], i))]
        return plan

    def _unit(self, i: int, chosen: set[int], pool: set[int]) -> list[int]:
        """Return the sentences to add with ``i``: one that it leans on, then itself."""
        if self.leans[i] is not Lean.BEFORE or (i - 1 in chosen and self._is_next(i)):
            return [i]
        if i - 1 in pool and self._is_next(i) and self.leans[i - 1] is None:
            return [i - 1, i]
        return []

    def _is_next(self, i: int) -> bool:
        """Return whether nothing stands between a sentence and the one before."""
        spans, text = self.sentences.spans, self.sentences.text
        between = text[spans[i - 1][1] : spans[i][0]]
        return i > 0 and not between.strip() and between.count("\n") < 2

    def _worth(self, i: int, nearest: Sequence[float]) -> float:
        return self._scores[i] - self._repetition * nearest[i]

    def _note(self, nearest: list[float], chosen: int) -> None:
        for i in range(len(nearest)):
            nearest[i] = max(nearest[i], self.sentences.similarity(i, chosen))
