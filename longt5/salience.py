"""Which sentences of a document a summary would repeat: a linear score of what can be counted.

A small model that copies knows how to repeat a sentence better than which one. Where a sentence
stands, how much of the document recurs in it, and how it is built say a good deal about that;
the coefficients lie beside the model's weights (``salience.json``) and are learnt from pairs of
documents and summaries (:mod:`longt5.training.salience`). Scores are relative: log-odds of one
sentence against another. :class:`Ranking` turns them into prices for :mod:`longt5.copying`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .overlap import words_of

FILE = "salience.json"
FREE = 6  # words that a sentence has more in a mean: the means of short ones vary most
SHORT, LONG = 8, 45  # words
ORDER = 15.0  # log-probability: the price of passing over a sentence of the plan
STOPWORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from further "
    "had has have having he her here hers him his how i if in into is it its itself just may me "
    "might more most must my no nor not now of off on once one only or other our out over own same "
    "shall she should so some such than that the their them then there these they this those "
    "through to too two under until up upon us very was we were what when where which while who "
    "whom why will with would you your".split()
)
DANGLING = re.compile(
    r"(?:It|This|That|These|Those|They|He|She|Its|Their|His|Her|Such|There|Here|Both|Another"
    r"|One|Some|And|But|Or|So|Then|Which|Who|Because)\b"
)
CUE = re.compile(
    r"\b(?:we (?:propose|present|introduce|show|describe)|this (?:paper|proposal|article|document"
    r"|chapter|section|report|study)|propos\w*|in summary|overall|in conclusion|important|main"
    r"|primary|key|goals?|motivation|results? (?:show|suggest)|aims?)\b",
    re.IGNORECASE,
)
FEATURES = (
    "late", "opening", "place", "first_three", "paragraph", "central", "recurring", "like_first",
    "length", "short", "long", "dangling", "digits", "capitals", "letters", "cue", "question",
)  # fmt: skip

Span = tuple[int, int]


def content_words(text: str) -> list[str]:
    """Words that mean something, without a plural's ending."""
    words = (word for word in words_of(text) if len(word) > 1 and word not in STOPWORDS)
    return [w[:-1] if len(w) > 4 and w.endswith("s") and not w.endswith("ss") else w for w in words]


class Sentences:
    """The sentences of a text: what can be counted in each, and how alike two of them are."""

    def __init__(self, text: str, spans: Sequence[Span]) -> None:
        self.text, self.spans = text, spans
        self.words = [content_words(text[a:b]) for a, b in spans]
        counts = [Counter(words) for words in self.words]
        self.frequency: Counter[str] = Counter()
        in_sentences: Counter[str] = Counter()
        for own in counts:
            self.frequency.update(own)
            in_sentences.update(own.keys())
        inverse = {w: math.log(1 + len(spans) / n) for w, n in in_sentences.items()}
        self.vectors = [_unit({w: n * inverse[w] for w, n in own.items()}) for own in counts]
        self.whole = _unit({w: n * inverse[w] for w, n in self.frequency.items()})

    def alike(self, one: int, other: int) -> float:
        """Cosine of two sentences' tf-idf vectors, 0 to 1."""
        return _cosine(self.vectors[one], self.vectors[other])

    def features(self) -> list[list[float]]:
        """[n, FEATURES], all of the size of 1."""
        central = _to_best([_cosine(v, self.whole) for v in self.vectors])
        recurring = _to_best([
            sum(self.frequency[w] for w in set(words)) / (len(words) + FREE)
            for words in self.words
        ])  # fmt: skip
        return [
            [*self._of_place(i), central[i], recurring[i], self.alike(i, 0), *self._of_form(i)]
            for i in range(len(self.spans))
        ]

    def _of_place(self, i: int) -> tuple[float, ...]:
        before = self.text[: self.spans[i][0]].rstrip(" \t")
        return (
            math.log(1 + i) / 5, 1 / (1 + i), i / len(self.spans), i < 3,
            not before or before.endswith("\n"),
        )  # fmt: skip

    def _of_form(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        words, size = len(sentence.split()), max(1, len(sentence))
        return (
            math.log(1 + words) / 3, words < SHORT, words > LONG,
            DANGLING.match(sentence) is not None,
            sum(c.isdigit() for c in sentence) / size, sum(c.isupper() for c in sentence) / size,
            sum(c.isalpha() or c == " " for c in sentence) / size,
            CUE.search(sentence) is not None, sentence.endswith("?"),
        )  # fmt: skip


@dataclass(frozen=True)
class Salience:
    """Coefficients of FEATURES; ``strength`` multiplies the whole against the model's own
    log-probabilities, ``repetition`` is the price of being just like a sentence already said."""

    coefficients: Mapping[str, float]
    strength: float = 4.0
    repetition: float = 3.0

    @classmethod
    def load(cls, folder: str | Path) -> Salience | None:
        """What lies beside a checkpoint's weights, None without it. Raises ValueError when it is
        none."""
        path = Path(folder) / FILE
        if not path.is_file():
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
        if set(values.get("coefficients", ())) != set(FEATURES):
            raise ValueError(f"{path} does not have the features of this version")
        return cls(values["coefficients"], values["strength"], values["repetition"])

    @property
    def digest(self) -> str:
        """What tells it from another one."""
        values = (sorted(self.coefficients.items()), self.strength, self.repetition)
        return hashlib.sha256(repr(values).encode()).hexdigest()[:16]

    def save(self, folder: str | Path) -> None:
        """Write :data:`FILE` into a checkpoint's folder."""
        values = {
            "coefficients": dict(self.coefficients), "strength": self.strength,
            "repetition": self.repetition,
        }  # fmt: skip
        text = json.dumps(values, indent=2) + "\n"
        (Path(folder) / FILE).write_text(text, encoding="utf-8")

    def of(self, text: str, spans: Sequence[Span], words: int) -> Ranking:
        """The ranking of a text's sentences for a summary of about ``words``."""
        sentences = Sentences(text, spans)
        weights = [self.coefficients[name] for name in FEATURES]
        scores = [
            sum(w * x for w, x in zip(weights, row, strict=True)) for row in sentences.features()
        ]
        return Ranking(self, sentences, scores, words)


class Ranking:
    """What each sentence costs as the next one of a summary, given those already said.

    The best ones that together have the summary's length are the ``plan``. The first of them in
    the document that is not said yet is free; each that is passed over costs ORDER, and so does
    leaving the plan, with what the sentence is worth less. After the plan the best one left is
    free.
    """

    def __init__(
        self, salience: Salience, sentences: Sentences, scores: Sequence[float], words: int
    ) -> None:
        self.salience, self.sentences, self.scores = salience, sentences, scores
        self.plan, self.floor = self._planned(words)
        self._known: dict[frozenset[int], list[float]] = {}

    def _planned(self, words: int) -> tuple[frozenset[int], float]:
        """The best sentences, as long as each brings their length nearer; the last one's worth."""
        plan: set[int] = set()
        length, floor = 0, -math.inf
        nearest = [0.0] * len(self.scores)  # likeness to the plan so far, kept up as it grows

        def worth(i: int) -> float:
            return self.scores[i] - self.salience.repetition * nearest[i]

        while len(plan) < len(self.scores):
            best = max((i for i in range(len(self.scores)) if i not in plan), key=worth)
            size = len(self.sentences.text[slice(*self.sentences.spans[best])].split())
            if plan and abs(length + size - words) >= abs(length - words):
                break
            floor = worth(best)
            plan.add(best)
            length += size
            nearest = [max(n, self.sentences.alike(i, best)) for i, n in enumerate(nearest)]
        return frozenset(plan), floor

    def prices(self, said: Collection[int]) -> list[float]:
        """[n]: the price of each sentence as the next one."""
        key = frozenset(said)
        if key not in self._known:
            self._known[key] = self._priced(key)
        return self._known[key]

    def _priced(self, said: frozenset[int]) -> list[float]:
        # Against the plan as well: what it says already is worth no more before it is said.
        worth = [self._worth(i, said | self.plan) for i in range(len(self.scores))]
        floor, leaving = self.floor, ORDER
        if said >= self.plan:
            floor, leaving = max((w for i, w in enumerate(worth) if i not in said), default=0), 0
        prices = [self.salience.strength * max(0.0, floor - w) + leaving for w in worth]
        for passed, i in enumerate(sorted(self.plan - said)):
            prices[i] = ORDER * passed
        return prices

    def _worth(self, i: int, said: Collection[int]) -> float:
        nearest = max((self.sentences.alike(i, j) for j in said if j != i), default=0.0)
        return self.scores[i] - self.salience.repetition * nearest


def _unit(vector: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(x * x for x in vector.values())) or 1.0
    return {word: x / length for word, x in vector.items()}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    return sum(x * large.get(word, 0.0) for word, x in small.items())


def _to_best(values: Sequence[float]) -> list[float]:
    best = max(values, default=0.0)
    return [value / best if best > 0 else 0.0 for value in values]
