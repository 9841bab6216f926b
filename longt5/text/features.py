"""What can be counted in the sentences of a text, and how alike two of them are."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .sentences import Span
from .source import SourceText
from .words import STOPWORDS, words_of

FREE = 6  # words that a sentence has more in a mean: the means of short ones vary most
SHORT, LONG = 8, 45  # words
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
    "in_title", "in_headings", "good_heading", "poor_heading", "after_heading",
    "pointing", "quotation", "person",
    "later", "dialogue", "people", "sentences",
)  # fmt: skip
TITLE_WITHIN = 200  # characters
GOOD_HEADING = re.compile(
    r"summary|abstract|conclu|introduc|overview|motivation|background|purpose|goal|highlight|key",
    re.IGNORECASE,
)
POOR_HEADING = re.compile(
    r"example|reference|acknowledg|appendix|test|exercise|question|alternativ|drawback|related"
    r"|unresolved|copyright|history|changelog|footnote|bibliograph|further|implementation",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"\b(?:in this (?:section|chapter|module|unit|paper|document|article)|(?:next|following"
    r"|previous) (?:section|chapter)|fig(?:ure)?s?|tables?|(?:section|chapter) \d|below|above"
    r"|as follows|we (?:will|then)|you (?:will|can)|note that|see also|for example|for instance"
    r"|e\.g\.)",
    re.IGNORECASE,
)
QUOTATION = re.compile(r"[\"“”]")
SAID = re.compile(r"[\"“”]|\bsaid\b")
PERSON = re.compile(r"\b(?:I|you|your|my)\b")
PEOPLE = re.compile(r"\b(?:he|she|him|her|his)\b")


def content_words(text: str) -> list[str]:
    """Words that mean something, without a plural's ending."""
    words = (word for word in words_of(text) if len(word) > 1 and word not in STOPWORDS)
    return [w[:-1] if len(w) > 4 and w.endswith("s") and not w.endswith("ss") else w for w in words]


class Sentences:
    """The sentences of a text: what can be counted in each, and how alike two of them are."""

    def __init__(self, source: SourceText, spans: Sequence[Span] | None = None) -> None:
        """Count the words of ``spans``, by default those of the source's candidates."""
        self.source, self.text = source, source.text
        self.spans = spans = source.candidates if spans is None else spans
        text = source.text
        self.words = [content_words(text[a:b]) for a, b in spans]
        self.dangles = [DANGLING.match(text, a, b) is not None for a, b in spans]
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

    def features(self, later: bool = False) -> list[list[float]]:
        """[n, FEATURES], all of the size of 1; ``later``: the text goes on from an earlier part
        of its document."""
        central = _to_best([_cosine(v, self.whole) for v in self.vectors])
        recurring = _to_best(
            [
                sum(self.frequency[w] for w in set(words)) / (len(words) + FREE)
                for words in self.words
            ]
        )
        whole = [float(later), *self._of_all()]
        return [
            [
                *self._of_place(i),
                central[i],
                recurring[i],
                self.alike(i, 0),
                *self._of_form(i),
                *headings,
                *self._of_words(i),
                *whole,
            ]
            for i, headings in enumerate(self._of_headings())
        ]

    def _of_place(self, i: int) -> tuple[float, ...]:
        before = self.text[: self.spans[i][0]].rstrip(" \t")
        return (
            math.log(1 + i) / 5,
            1 / (1 + i),
            i / len(self.spans),
            i < 3,
            not before or before.endswith("\n"),
        )

    def _of_form(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        words, size = len(sentence.split()), max(1, len(sentence))
        return (
            math.log(1 + words) / 3,
            words < SHORT,
            words > LONG,
            self.dangles[i],
            sum(c.isdigit() for c in sentence) / size,
            sum(c.isupper() for c in sentence) / size,
            sum(c.isalpha() or c == " " for c in sentence) / size,
            CUE.search(sentence) is not None,
            sentence.endswith("?"),
        )

    def _of_headings(self) -> Iterator[tuple[float, ...]]:
        """For each sentence, what the headings say of it."""
        found = self.source.headings
        places = [place for place, _ in found]
        title = set(content_words(found[0][1]) if found and places[0] < TITLE_WITHIN else ())
        all_words = {word for _, line in found for word in content_words(line)}
        last = None
        for (start, _), words in zip(self.spans, map(set, self.words), strict=True):
            number = bisect_right(places, start) - 1
            line = found[number][1] if number >= 0 else ""
            yield (
                len(words & title) / (len(words) + 3),
                len(words & all_words) / (len(words) + 3),
                GOOD_HEADING.search(line) is not None,
                POOR_HEADING.search(line) is not None,
                number != last,
            )
            last = number

    def _of_words(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        return tuple(r.search(sentence) is not None for r in (POINTING, QUOTATION, PERSON))

    def _of_all(self) -> tuple[float, ...]:
        """Whether the text tells a story, and how long it is."""
        texts, n = [self.text[a:b] for a, b in self.spans], len(self.spans)
        said, people = (sum(r.search(x) is not None for x in texts) / n for r in (SAID, PEOPLE))
        return min(1.0, said / 0.3), min(1.0, people / 0.4), math.log(n) / 5


def _unit(vector: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(x * x for x in vector.values())) or 1.0
    return {word: x / length for word, x in vector.items()}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    return sum(x * large.get(word, 0.0) for word, x in small.items())


def _to_best(values: Sequence[float]) -> list[float]:
    best = max(values, default=0.0)
    return [value / best if best > 0 else 0.0 for value in values]
