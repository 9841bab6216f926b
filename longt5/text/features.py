"""Features of the sentences of a text, and the similarity of two of them."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from .headings import KEY_SECTION, SIDE_SECTION
from .roles import LEFT_OUT, Role
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
    "role_summary", "role_results", "role_conclusion", "role_left_out", "part_place", "ending",
    "like_summary", "like_opening", "outcome",
    "dialogue", "people", "sentences", "headings",
)  # fmt: skip
_POINTING = re.compile(  # to other places of the document
    r"\b(?:in this (?:section|chapter|module|unit|paper|document|article)|(?:next|following"
    r"|previous) (?:section|chapter)|fig(?:ure)?s?|tables?|(?:section|chapter) \d|below|above"
    r"|as follows|we (?:will|then)|you (?:will|can)|note that|see also|for example|for instance"
    r"|e\.g\.)",
    re.IGNORECASE,
)
_OUTCOME = re.compile(  # what was found, decided or asked for
    r"\b(?:we (?:conclude|find|found|affirm|reverse|hold|recommend|estimate)|conclud\w+|found that"
    r"|shows? that|showed that|demonstrat\w+|recommend\w*|should|shall|must|therefore|thus"
    r"|as a result|significant(?:ly)?|increas\w+|decreas\w+|reduc\w+|improv\w+|affirm\w*"
    r"|revers\w+|order\w*|decid\w+|estimat\w+)\b",
    re.IGNORECASE,
)
OPENING_SENTENCES = 5  # of which an abstract or a lead has about as many
MANY_HEADINGS = 10  # of a text: more say nothing more of what it begins with
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

    @cached_property
    def roles(self) -> list[Role]:
        """The role of the part that each sentence stands in."""
        by_span = dict(zip(self.source.candidates, self.source.roles, strict=True))
        return [by_span.get(span, Role.BODY) for span in self.spans]

    def features(self) -> list[list[float]]:
        """Return the FEATURES of each sentence, [n, F], each of the order of 1."""
        central = _relative_to_best([_cosine(v, self.document_vector) for v in self.vectors])
        recurring = _relative_to_best(
            [
                sum(self.frequency[w] for w in set(words)) / (len(words) + SMOOTHING_WORDS)
                for words in self.words
            ]
        )
        of_text = self._text_features()
        summary = [i for i, role in enumerate(self.roles) if role is Role.SUMMARY]
        like_summary = self._likeness(summary)
        like_opening = self._likeness(range(min(OPENING_SENTENCES, len(self.spans))))
        return [
            [
                *self._place_features(i),
                central[i],
                recurring[i],
                self.similarity(i, 0),
                *self._form_features(i),
                *headings,
                *self._word_features(i),
                *self._role_features(i),
                1 / (1 + place),
                1 / (len(self.spans) - i),
                like_summary[i],
                like_opening[i],
                self._is_outcome(i),
                *of_text,
            ]
            for i, (place, headings) in enumerate(self._heading_features())
        ]

    def _likeness(self, others: Sequence[int]) -> list[float]:
        """Return the cosine of each sentence with the sum of some others, itself left out."""
        total: dict[str, float] = {}
        for i in others:
            for word, x in self.vectors[i].items():
                total[word] = total.get(word, 0.0) + x
        chosen, found, squares = set(others), [], _squares(total)
        for i, vector in enumerate(self.vectors):
            dot, norm = _cosine(vector, total), squares
            if i in chosen:  # |total - v|^2 = |total|^2 - 2 total.v + |v|^2
                own = _squares(vector)
                dot, norm = dot - own, norm - 2 * dot + own
            found.append(dot / math.sqrt(norm) if norm > 1e-9 else 0.0)
        return found

    def _role_features(self, i: int) -> tuple[float, ...]:
        role = self.roles[i]
        return (
            role is Role.SUMMARY,
            role is Role.RESULTS,
            role is Role.CONCLUSION,
            role in LEFT_OUT,
        )

    def _is_outcome(self, i: int) -> bool:
        return _OUTCOME.search(self.text, *self.spans[i]) is not None

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

    def _heading_features(self) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Yield the place of each sentence under its heading, and its features of headings."""
        found = self.source.headings
        places = [place for place, _ in found]
        title = set(content_words(found[0][1]) if found and places[0] < TITLE_WITHIN else ())
        all_words = {word for _, line in found for word in content_words(line)}
        last, place = None, 0
        for (start, _), words in zip(self.spans, map(set, self.words), strict=True):
            number = bisect_right(places, start) - 1
            line = found[number][1] if number >= 0 else ""
            place = 0 if number != last else place + 1
            yield (
                place,
                (
                    len(words & title) / (len(words) + 3),
                    len(words & all_words) / (len(words) + 3),
                    KEY_SECTION.search(line) is not None,
                    SIDE_SECTION.search(line) is not None,
                    number != last,
                ),
            )
            last = number

    def _word_features(self, i: int) -> tuple[float, ...]:
        sentence = self.text[slice(*self.spans[i])]
        kinds = _POINTING, _QUOTATION, _FIRST_OR_SECOND_PERSON
        return tuple(kind.search(sentence) is not None for kind in kinds)

    def _text_features(self) -> tuple[float, ...]:
        """Return how much the text reads like a story, its length, and its number of headings."""
        size = max(1, len(self.spans))
        speech, people = (
            sum(kind.search(self.text[slice(*span)]) is not None for span in self.spans) / size
            for kind in (_SPEECH, _THIRD_PERSON)
        )
        is_story = min(1.0, speech / STORY_SPEECH), min(1.0, people / STORY_PEOPLE)
        headings = min(1.0, len(self.source.headings) / MANY_HEADINGS)
        return *is_story, math.log(size) / 5, headings


def _unit(vector: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(x * x for x in vector.values())) or 1.0
    return {word: x / length for word, x in vector.items()}


def _squares(vector: Mapping[str, float]) -> float:
    return sum(x * x for x in vector.values())


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    return sum(x * large.get(word, 0.0) for word, x in small.items())


def _relative_to_best(values: Sequence[float]) -> list[float]:
    best = max(values, default=0.0)
    return [value / best if best > 0 else 0.0 for value in values]
