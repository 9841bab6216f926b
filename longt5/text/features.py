"""Features of the sentences of a text, and the similarity of two of them."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .headings import KEY_SECTION, SIDE_SECTION
from .sentences import Span
from .source import SourceText
from .words import content_words

# Added to a sentence's words in a mean, since means over few words vary most. Chosen by hand.
SMOOTHING_WORDS = 6
# Words: what a shorter or longer sentence costs is learnt. Chosen by hand.
SHORT_SENTENCE, LONG_SENTENCE = 8, 45
# Characters from the start within which the first heading is the title of the document.
TITLE_WITHIN = 200
# Shares of a story's sentences with speech, and with he or she: more changes nothing. By hand.
STORY_SPEECH, STORY_PEOPLE = 0.3, 0.4
DANGLING = re.compile(  # points to the sentence before
    r"(?:It|This|That|These|Those|They|He|She|Its|Their|His|Her|Such|There|Here|Both|Another"
    r"|One|Some|And|But|Or|So|Then|Which|Who|Because)\b"
)
_CUE = re.compile(  # of authors who state what they do, or what matters
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
_POINTING = re.compile(  # to other places of the document
    r"\b(?:in this (?:section|chapter|module|unit|paper|document|article)|(?:next|following"
    r"|previous) (?:section|chapter)|fig(?:ure)?s?|tables?|(?:section|chapter) \d|below|above"
    r"|as follows|we (?:will|then)|you (?:will|can)|note that|see also|for example|for instance"
    r"|e\.g\.)",
    re.IGNORECASE,
)
_QUOTATION = re.compile(r"[\"“”]")
_SPEECH = re.compile(r"[\"“”]|\bsaid\b")
_FIRST_OR_SECOND_PERSON = re.compile(r"\b(?:I|you|your|my)\b")
_THIRD_PERSON = re.compile(r"\b(?:he|she|him|her|his)\b")


class Sentences:
    """Sentences of a text as content words and tf-idf vectors."""

    def __init__(self, source: SourceText, spans: Sequence[Span] | None = None) -> None:
        """Count the words of ``spans``, by default of the source's candidates."""
        self.source, self.text = source, source.text
        self.spans = spans = source.candidates if spans is None else spans
        self.words = [content_words(self.text[a:b]) for a, b in spans]
        self.dangles = [DANGLING.match(self.text, a, b) is not None for a, b in spans]
        counts = [Counter(words) for words in self.words]
        self.frequency: Counter[str] = Counter()
        in_sentences: Counter[str] = Counter()
        for own in counts:
            self.frequency.update(own)
            in_sentences.update(own.keys())
        inverse = {w: math.log(1 + len(spans) / n) for w, n in in_sentences.items()}
        self.vectors = [_unit({w: n * inverse[w] for w, n in own.items()}) for own in counts]
        self.document_vector = _unit({w: n * inverse[w] for w, n in self.frequency.items()})

    def similarity(self, one: int, other: int) -> float:
        """Return the cosine of two sentences' tf-idf vectors, from 0 to 1."""
        return _cosine(self.vectors[one], self.vectors[other])

    def features(self, later: bool = False) -> list[list[float]]:
        """Return the FEATURES of each sentence, [n, F], each of the order of 1.

        ``later``: the text continues an earlier part of its document.
        """
        central = _relative_to_best([_cosine(v, self.document_vector) for v in self.vectors])
        recurring = _relative_to_best(
            [
                sum(self.frequency[w] for w in set(words)) / (len(words) + SMOOTHING_WORDS)
                for words in self.words
            ]
        )
        of_text = [float(later), *self._text_features()]
        return [
            [
                *self._place_features(i),
                central[i],
                recurring[i],
                self.similarity(i, 0),
                *self._form_features(i),
                *headings,
                *self._word_features(i),
                *of_text,
            ]
            for i, headings in enumerate(self._heading_features())
        ]

    def _place_features(self, i: int) -> tuple[float, ...]:
        before = self.text[: self.spans[i][0]].rstrip(" \t")
        return (
            math.log(1 + i) / 5,
            1 / (1 + i),
            i / len(self.spans),
            i < 3,
            not before or before.endswith("\n"),
        )

    def _form_features(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        words, size = len(sentence.split()), max(1, len(sentence))
        return (
            math.log(1 + words) / 3,
            words < SHORT_SENTENCE,
            words > LONG_SENTENCE,
            self.dangles[i],
            sum(c.isdigit() for c in sentence) / size,
            sum(c.isupper() for c in sentence) / size,
            sum(c.isalpha() or c == " " for c in sentence) / size,
            _CUE.search(sentence) is not None,
            sentence.endswith("?"),
        )

    def _heading_features(self) -> Iterator[tuple[float, ...]]:
        """Yield the features of each sentence that come from the headings."""
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
                KEY_SECTION.search(line) is not None,
                SIDE_SECTION.search(line) is not None,
                number != last,
            )
            last = number

    def _word_features(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        kinds = _POINTING, _QUOTATION, _FIRST_OR_SECOND_PERSON
        return tuple(kind.search(sentence) is not None for kind in kinds)

    def _text_features(self) -> tuple[float, ...]:
        """Return how much the text reads like a story, and its length."""
        speech, people = (
            sum(kind.search(self.text[slice(*span)]) is not None for span in self.spans)
            / len(self.spans)
            for kind in (_SPEECH, _THIRD_PERSON)
        )
        is_story = min(1.0, speech / STORY_SPEECH), min(1.0, people / STORY_PEOPLE)
        return *is_story, math.log(len(self.spans)) / 5


def _unit(vector: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(x * x for x in vector.values())) or 1.0
    return {word: x / length for word, x in vector.items()}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    return sum(x * large.get(word, 0.0) for word, x in small.items())


def _relative_to_best(values: Sequence[float]) -> list[float]:
    best = max(values, default=0.0)
    return [value / best if best > 0 else 0.0 for value in values]
