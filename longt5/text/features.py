"""Features of the sentences of a text: what a ranking of them looks at."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from .headings import KEY_SECTION, SIDE_SECTION
from .roles import LEFT_OUT, Role
from .sentences import BLANK_LINE
from .vectors import SMOOTHING_WORDS, Floats, Sentences
from .words import content_words

# Words: what a shorter or longer sentence costs is learnt. Chosen by hand.
SHORT_SENTENCE, LONG_SENTENCE = 8, 45
# Characters from the start within which the first heading is the title of the document.
TITLE_WITHIN = 200
# Shares of a story's sentences with speech, and with he or she: more changes nothing. By hand.
STORY_SPEECH, STORY_PEOPLE = 0.3, 0.4
MANY_HEADINGS = 10  # of a text: more say nothing more of what it begins with
# The opening of a text is one of its first paragraphs, of some sentences or words, that is like
# the rest of the text: abstracts have a cosine of 0.3 to 0.7, notices of publishers of 0.05 to 0.2.
OPENING_SHARE, OPENING_PARAGRAPHS = 0.1, 3
OPENING_SENTENCES, OPENING_WORDS = 3, 30
OPENING_LIKENESS = 0.2
FIRST_SENTENCES = 5  # stand for the opening where no paragraph does
LONG_OPENING = 120  # content words: of an abstract, which is not longer
PIECES = 10  # of a text, which what it is about runs through
NEAR = 2  # sentences before and after
LAST_SHARE = 0.05  # of a text without conclusions, which end it
INTRODUCTION_WITHIN = 0.2  # of a text: a later one is of a part
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
_QUOTATION = re.compile(r"[\"“”]")
_SPEECH = re.compile(r"[\"“”]|\bsaid\b")
_FIRST_OR_SECOND_PERSON = re.compile(r"\b(?:I|you|your|my)\b")
_THIRD_PERSON = re.compile(r"\b(?:he|she|him|her|his)\b")
_INTRODUCTION = re.compile(
    r"(?:#+\s*)?(?:[\dIVX.]+\s+)?(?:introduction|background|einleitung|introducción)\b",
    re.IGNORECASE,
)
GROUPS = {  # of the features, for the table that says what each brings (assets/model/README.md)
    "place": (
        "late", "begins", "place", "first_three", "paragraph", "ending", "part_place", "part_end",
        "paragraph_place", "paragraph_end", "paragraph_size",
    ),
    "centrality": (
        "central", "recurring", "central_twice", "near_central", "paragraph_central",
        "paragraph_rank", "spread", "peak", "like_part", "novel", "rarity",
    ),
    "likeness": (
        "like_first", "like_opening", "like_summary", "like_ending", "in_title", "in_headings",
        "in_own_heading",
    ),
    "form": (
        "length", "short", "long", "digits", "capitals", "letters", "question", "quotation",
    ),
    "words": ("dangling", "cue", "pointing", "person", "outcome"),
    "roles": (
        "role_summary", "role_results", "role_conclusion", "role_left_out", "before_introduction",
        "good_heading", "poor_heading", "after_heading",
    ),
    "opening": ("opening", "opening_like", "opening_size", "opening_cue", "opening_rank"),
    "text": ("dialogue", "people", "sentences", "headings", "paragraphs"),
}  # fmt: skip
FEATURES = tuple(name for group in GROUPS.values() for name in group)
Columns = dict[str, Floats]


def features(sentences: Sentences) -> Floats:
    """Return the FEATURES of each sentence, [n, F], each of the order of 1."""
    return _Features(sentences).matrix()


class _Features:
    """Computes the columns, each [n], of one text."""

    def __init__(self, sentences: Sentences) -> None:
        self.sentences, self.text = sentences, sentences.text
        self.spans, self.count = sentences.spans, len(sentences)
        self.roles = sentences.roles
        self.central = _relative_to_best(sentences.likeness(sentences.total()))

    def matrix(self) -> Floats:
        if not self.count:
            return np.zeros((0, len(FEATURES)))
        columns = {
            **self._places(),
            **self._centrality(),
            **self._likeness(),
            **self._form(),
            **self._words(),
            **self._roles(),
            **self._opening(),
            **self._of_text(),
        }
        return np.column_stack([columns[name] for name in FEATURES])

    @cached_property
    def parts(self) -> list[int]:
        """The number of the last heading before each sentence, 0 before the first one."""
        places = [place for place, _ in self.sentences.source.headings]
        return [bisect_right(places, start) for start, _ in self.spans]

    @cached_property
    def paragraphs(self) -> list[list[int]]:
        """The sentences of each paragraph."""
        found: list[list[int]] = []
        for i, (start, _) in enumerate(self.spans):
            before = self.spans[i - 1][1] if i else 0
            is_new = not i or self.parts[i] != self.parts[i - 1]
            if is_new or BLANK_LINE.search(self.text, before, start):
                found.append([])
            found[-1].append(i)
        return found

    @cached_property
    def paragraph_of(self) -> list[int]:
        """The number of the paragraph of each sentence."""
        return [number for number, own in enumerate(self.paragraphs) for _ in own]

    @cached_property
    def paragraph_central(self) -> Floats:
        """The cosine of each paragraph with the text, [P]."""
        return self._group_likeness(self.paragraph_of, len(self.paragraphs))

    @cached_property
    def paragraph_rank(self) -> Floats:
        """The share of the paragraphs of several sentences that are less central, [P]."""
        central = self.paragraph_central
        several = np.sort([c for c, own in zip(central, self.paragraphs, strict=True) if own[1:]])
        if not len(several):
            return np.ones(len(central))
        return np.searchsorted(several, central, side="right") / len(several)

    @cached_property
    def opening(self) -> list[int]:
        """The sentences of the paragraph that the text opens with; none where it is unclear."""
        most = max(OPENING_PARAGRAPHS, int(OPENING_SHARE * len(self.paragraphs)))
        for own in self.paragraphs[:most]:
            words = sum(len(self.sentences.words[i]) for i in own)
            is_long = len(own) >= OPENING_SENTENCES or words >= OPENING_WORDS
            if is_long and self._likeness_to_rest(own) >= OPENING_LIKENESS:
                return own
        return []

    def _likeness_to_rest(self, group: Sequence[int]) -> float:
        """Return the cosine of the sum of some vectors with the sum of the others."""
        inside = np.zeros(self.count)
        inside[group] = 1.0
        one, other = self.sentences.total(inside), self.sentences.total(1 - inside)
        lengths = float(np.sqrt((one @ one) * (other @ other)))
        return float(one @ other) / lengths if lengths else 0.0

    def _group_likeness(self, groups: Sequence[int], count: int) -> Floats:
        """Return the cosine of the sum of each group's vectors with that of all, [groups]."""
        s = self.sentences
        total = s.total()
        of_entry = np.asarray(groups)[s.rows]
        keys, places = np.unique(of_entry * len(s.rarity) + s.columns, return_inverse=True)
        sums = np.bincount(places, s.weights)
        owner = keys // len(s.rarity)
        products = np.bincount(owner, sums * total[keys % len(s.rarity)], minlength=count)
        lengths = np.sqrt(np.bincount(owner, sums**2, minlength=count))
        length = float(np.sqrt(total @ total)) or 1.0
        return products / np.maximum(lengths, 1e-9) / length

    def _places(self) -> Columns:
        n, i = self.count, np.arange(self.count)
        part_place, part_end = _places_in_runs(self.parts)
        paragraph_place, paragraph_end = _places_in_runs(self.paragraph_of)
        begins = [_begins_line(self.text, start) for start, _ in self.spans]
        sizes = np.array([len(own) for own in self.paragraphs], dtype=float)
        return {
            "late": np.log1p(i) / 5,
            "begins": 1 / (1 + i),
            "place": i / n,
            "first_three": (i < 3).astype(float),
            "paragraph": np.array(begins, dtype=float),
            "ending": 1 / (n - i),
            "part_place": 1 / (1 + part_place),
            "part_end": 1 / (1 + part_end),
            "paragraph_place": 1 / (1 + paragraph_place),
            "paragraph_end": 1 / (1 + paragraph_end),
            "paragraph_size": np.minimum(1.0, np.log(sizes[self.paragraph_of]) / 3),
        }

    def _centrality(self) -> Columns:
        s, central = self.sentences, self.central
        frequency = np.bincount(s.columns, s.counts, minlength=len(s.rarity))
        sizes = np.array([len(words) for words in s.words], dtype=float)
        sums = np.bincount(s.rows, frequency[s.columns], minlength=self.count)
        of_piece = np.arange(self.count) * min(PIECES, self.count) // self.count
        pieces = [s.likeness(s.total((of_piece == k).astype(float))) for k in set(of_piece)]
        shares = np.maximum(0.0, np.stack(pieces))
        paragraph_central = _relative_to_best(self.paragraph_central)
        return {
            "central": central,
            "recurring": _relative_to_best(sums / (sizes + SMOOTHING_WORDS)),
            "central_twice": _relative_to_best(s.likeness(s.total(central**2))),
            "near_central": _mean_of_neighbours(central, NEAR),
            "paragraph_central": paragraph_central[self.paragraph_of],
            "paragraph_rank": self.paragraph_rank[self.paragraph_of],
            "spread": _relative_to_best(np.sqrt(shares).mean(0)),
            "peak": shares.max(0),
            "like_part": self._likeness_to_part(),
            "novel": self._novelty(),
            "rarity": np.bincount(s.rows, s.counts * s.rarity[s.columns], minlength=self.count)
            / (sizes + 2)
            / 5,
        }

    def _likeness_to_part(self) -> Floats:
        """Return the cosine of each sentence with the part that it stands in."""
        s = self.sentences
        of_entry = np.asarray(self.parts)[s.rows]
        keys, places = np.unique(of_entry * len(s.rarity) + s.columns, return_inverse=True)
        sums = np.bincount(places, s.weights)
        lengths = np.sqrt(
            np.bincount(keys // len(s.rarity), sums**2, minlength=max(self.parts) + 1)
        )
        products = np.bincount(s.rows, s.weights * sums[places], minlength=self.count)
        return products / np.maximum(lengths[self.parts], 1e-9)

    def _novelty(self) -> Floats:
        """Return the share of each sentence's words that no sentence before it has."""
        s = self.sentences
        _, first = np.unique(s.columns, return_index=True)  # entries are sorted by sentence
        is_first = np.zeros(len(s.columns))
        is_first[first] = 1.0
        kinds = np.bincount(s.rows, minlength=self.count)
        return np.bincount(s.rows, is_first, minlength=self.count) / (kinds + 3)

    def _likeness(self) -> Columns:
        s = self.sentences
        summary = [i for i, role in enumerate(self.roles) if role is Role.SUMMARY]
        ending = [i for i, role in enumerate(self.roles) if role is Role.CONCLUSION]
        last = max(1, int(LAST_SHARE * self.count))
        first = range(min(FIRST_SENTENCES, self.count))
        headings = s.source.headings
        words = [set(content_words(line)) for _, line in headings]
        title = words[0] if headings and headings[0][0] < TITLE_WITHIN else set()
        every = set().union(*words)
        own = [words[part - 1] if part else set() for part in self.parts]
        kinds = [set(found) for found in s.words]
        return {
            "like_first": s.similarities(0),
            "like_opening": s.likeness_to_group(self.opening or first),
            "like_summary": s.likeness_to_group(summary),
            "like_ending": s.likeness_to_group(ending or range(self.count - last, self.count)),
            "in_title": np.array([_share(found, title) for found in kinds]),
            "in_headings": np.array([_share(found, every) for found in kinds]),
            "in_own_heading": np.array([_share(*pair) for pair in zip(kinds, own, strict=True)]),
        }

    def _form(self) -> Columns:
        sentences = [self.text[a:b] for a, b in self.spans]
        words = np.array([len(sentence.split()) for sentence in sentences])
        sizes = np.array([max(1, len(sentence)) for sentence in sentences])

        def share(kind: str) -> Floats:
            return np.array([sum(map(getattr(str, kind), x)) for x in sentences]) / sizes

        spaces = np.array([sentence.count(" ") for sentence in sentences]) / sizes
        return {
            "length": np.log1p(words) / 3,
            "short": (words < SHORT_SENTENCE).astype(float),
            "long": (words > LONG_SENTENCE).astype(float),
            "digits": share("isdigit"),
            "capitals": share("isupper"),
            "letters": share("isalpha") + spaces,
            "question": np.array([float(x.endswith("?")) for x in sentences]),
            "quotation": self._has(_QUOTATION),
        }

    def _words(self) -> Columns:
        dangling = [DANGLING.match(self.text, *span) is not None for span in self.spans]
        return {
            "dangling": np.array(dangling, dtype=float),
            "cue": self._has(_CUE),
            "pointing": self._has(_POINTING),
            "person": self._has(_FIRST_OR_SECOND_PERSON),
            "outcome": self._has(_OUTCOME),
        }

    def _has(self, kind: re.Pattern[str]) -> Floats:
        found = [kind.search(self.text, *span) is not None for span in self.spans]
        return np.array(found, dtype=float)

    def _roles(self) -> Columns:
        headings = self.sentences.source.headings
        introduction = next((a for a, line in headings if _INTRODUCTION.match(line)), 0)
        if introduction > INTRODUCTION_WITHIN * len(self.text):
            introduction = 0
        lines = [headings[part - 1][1] if part else "" for part in self.parts]
        new = [i == 0 or self.parts[i] != self.parts[i - 1] for i in range(self.count)]
        return {
            "role_summary": self._role(Role.SUMMARY),
            "role_results": self._role(Role.RESULTS),
            "role_conclusion": self._role(Role.CONCLUSION),
            "role_left_out": self._role(*LEFT_OUT),
            "before_introduction": np.array([float(a < introduction) for a, _ in self.spans]),
            "good_heading": np.array([float(bool(KEY_SECTION.search(x))) for x in lines]),
            "poor_heading": np.array([float(bool(SIDE_SECTION.search(x))) for x in lines]),
            "after_heading": np.array(new, dtype=float),
        }

    def _role(self, *kinds: Role) -> Floats:
        return np.array([float(role in kinds) for role in self.roles])

    def _opening(self) -> Columns:
        """Return what tells an abstract from a first paragraph; 0 outside of the opening."""
        is_in, own = np.zeros(self.count), self.opening
        is_in[own] = 1.0
        if not own:
            return {name: is_in for name in GROUPS["opening"]}
        words = sum(len(self.sentences.words[i]) for i in own)
        rank = self.paragraph_rank[self.paragraph_of[own[0]]]
        return {
            "opening": is_in,
            "opening_like": is_in * self._likeness_to_rest(own),
            "opening_size": is_in * min(1.0, words / LONG_OPENING),
            "opening_cue": is_in * float(self._has(_CUE)[own].any()),
            "opening_rank": is_in * rank,
        }

    def _of_text(self) -> Columns:
        """Return how much the text reads like a story, and its numbers of parts."""
        all_of_them = np.ones(self.count)
        headings = len(self.sentences.source.headings)
        return {
            "dialogue": all_of_them * min(1.0, self._has(_SPEECH).mean() / STORY_SPEECH),
            "people": all_of_them * min(1.0, self._has(_THIRD_PERSON).mean() / STORY_PEOPLE),
            "sentences": all_of_them * np.log(self.count) / 5,
            "headings": all_of_them * min(1.0, headings / MANY_HEADINGS),
            "paragraphs": all_of_them * np.log(len(self.paragraphs)) / 5,
        }


def _begins_line(text: str, place: int) -> bool:
    while place and text[place - 1] in " \t":
        place -= 1
    return not place or text[place - 1] == "\n"


def _share(words: set[str], wanted: set[str]) -> float:
    return len(words & wanted) / (len(words) + 3)


def _places_in_runs(numbers: Sequence[int]) -> tuple[Floats, Floats]:
    """Return how many equal numbers stand in a row before each, and after it."""
    count = len(numbers)
    before, after = np.zeros(count), np.zeros(count)
    for i in range(1, count):
        before[i] = before[i - 1] + 1 if numbers[i] == numbers[i - 1] else 0
    for i in range(count - 2, -1, -1):
        after[i] = after[i + 1] + 1 if numbers[i] == numbers[i + 1] else 0
    return before, after


def _mean_of_neighbours(values: Floats, reach: int) -> Floats:
    """Return the mean of the values up to so many places before and after each."""
    total, counts = np.zeros(len(values)), np.zeros(len(values))
    for step in range(1, min(reach, len(values) - 1) + 1):
        total[step:] += values[:-step]
        total[:-step] += values[step:]
        counts[step:] += 1
        counts[:-step] += 1
    return total / np.maximum(1, counts)


def _relative_to_best(values: Floats) -> Floats:
    best = float(values.max(initial=0.0))
    return values / best if best > 0 else np.zeros(len(values))
