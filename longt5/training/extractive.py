"""Extractive targets: the sentences of a document that a summary of it should repeat, tidied.

With a reference summary: the sentences that together overlap most with it. Without one: those
that carry the document's recurring content words. Either way a share of the score is how
central a sentence is, because a small model can learn to see that and cannot learn the taste
of one reference.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..overlap import Growing, words_of
from ..sentences import split_sentences

MIN_WORDS, MAX_WORDS = 8, 48  # of a sentence worth repeating
MIN_LETTERS = 0.75  # share of a sentence's characters that are letters or spaces

_NAME = r"[A-Z][\w'’.-]*(?: (?:and|&) [A-Z][\w'’.-]*| et al\.?,?)*"
CITATION = re.compile(
    r"\s*(?:\[\d+(?:\s*[,;–-]\s*\d+)*\]"
    rf"|\((?:(?:see|cf\.?|e\.g\.,?)\s+)?{_NAME},? ?\d{{4}}[a-z]?"
    rf"(?:[;,] ?(?:{_NAME},? ?)?\d{{4}}[a-z]?)*\)"
    r"|\((?:see )?(?:Figs?|Figure|Figures|Tables?|Eqs?|Equation|Sec|Section|Chapter|Appendix)"
    r"\.?\s[^()]{1,24}\))"
)
CONNECTIVE = re.compile(
    r"(?:However|Therefore|Moreover|Furthermore|Thus|Hence|Additionally|In addition"
    r"|Consequently|Nevertheless|Nonetheless|Finally|Indeed|In fact|Similarly|Likewise"
    r"|For example|For instance|In contrast|By contrast|On the other hand|As a result"
    r"|In conclusion|In summary|To summarize|Overall|Accordingly|Instead|Meanwhile|Also|Then"
    r"|Still|Besides|In particular|Specifically|That is|In other words|Again),\s+(?=\S)"
)
DANGLING = re.compile(
    r"(?:It|This|That|These|Those|They|He|She|Its|Their|His|Her|Such|There|Here|Both|Another"
    r"|One|Some|And|But|Or|So|Then|Which|Who|Because)\b"
)
STOPWORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from further "
    "had has have having he her here hers him his how i if in into is it its itself just may me "
    "might more most must my no nor not now of off on once one only or other our out over own same "
    "shall she should so some such than that the their them then there these they this those "
    "through to too two under until up upon us very was we were what when where which while who "
    "whom why will with would you your".split()
)


@dataclass(frozen=True)
class Extractive:
    """Options of :func:`extract`: target length in words, and what counts in a choice.

    ``centrality`` weighs centrality against overlap with the reference; ``redundancy`` is the
    share of a sentence's content words that may have been said already.
    """

    min_words: int = 40
    max_words: int = 160
    centrality: float = 0.1
    redundancy: float = 0.6
    dangling: float = 0.7


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be chosen: its tidied text, its words, and where it stands."""

    text: str
    words: list[str]
    content: frozenset[str]
    position: int
    dangles: bool


def tidy(sentence: str) -> str:
    """Without citations, references to figures, and a connective in front.

    >>> tidy("However, cells divide [3, 4] slowly (Fig. 2).")
    'Cells divide slowly.'
    """
    text = CITATION.sub("", " ".join(sentence.split()))
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    cut = CONNECTIVE.sub("", text, count=1) if CONNECTIVE.match(text) else text
    return cut[:1].upper() + cut[1:] if cut != text else text


def candidates(document: str) -> list[Candidate]:
    """The sentences worth repeating: whole, neither short nor endless, mostly letters."""
    found = []
    for position, (start, end) in enumerate(split_sentences(document)):
        text = tidy(document[start:end])
        count = len(text.split())
        if not MIN_WORDS <= count <= MAX_WORDS or not re.search(r"[.!?][\"'”’)]*$", text):
            continue
        letters = sum(c.isalpha() or c == " " for c in text)
        if letters < MIN_LETTERS * len(text) or not (text[0].isupper() or text[0] in "\"“'‘"):
            continue
        words = words_of(text)
        content = frozenset(w for w in words if len(w) > 2 and w not in STOPWORDS)
        found.append(Candidate(text, words, content, position, bool(DANGLING.match(text))))
    return found


def centralities(sentences: Sequence[Candidate]) -> list[float]:
    """How much each sentence's content words recur in the others, 0 to 1; long ones not
    preferred, the first ones slightly."""
    spread = Counter(word for s in sentences for word in s.content)
    # A word of one sentence says nothing about the others; one of all, little.
    weight = {
        word: math.log(count) * math.log(1 + len(sentences) / count)
        for word, count in spread.items()
    }
    raw = [
        sum(weight[word] for word in s.content) / (len(s.words) + 8) * (1 + 0.25 / (1 + i))
        for i, s in enumerate(sentences)
    ]
    best = max(raw, default=0.0)
    return [value / best for value in raw] if best > 0 else [0.0 for _ in raw]


def oracle(
    sentences: Sequence[Candidate], reference: str, options: Extractive, budget: int
) -> list[int]:
    """Greedy indices that maximise ROUGE-1 F + 1.5 ROUGE-2 F against the reference, with a
    share for centrality, up to about ``budget`` words, in document order."""
    parts = [words_of(reference[a:b]) for a, b in split_sentences(reference)]
    growing = [Growing(parts, n) for n in (1, 2)]
    profiles = [[g.profile(s.words) for g in growing] for s in sentences]
    central = centralities(sentences)

    def gain(index: int) -> float:
        one, two = (g.score_with(p) - g.score()
                    for g, p in zip(growing, profiles[index], strict=True))  # fmt: skip
        return one + 1.5 * two + options.centrality * 0.1 * central[index]

    def take(index: int) -> None:
        for g, p in zip(growing, profiles[index], strict=True):
            g.add(p)

    return _greedy(sentences, gain, take, options, budget)


def principal(sentences: Sequence[Candidate], options: Extractive, budget: int) -> list[int]:
    """Greedy indices of the sentences that add the most central words not yet said."""
    central = centralities(sentences)
    said: set[str] = set()

    def gain(index: int) -> float:
        content = sentences[index].content
        return central[index] * len(content - said) / max(1, len(content))

    def take(index: int) -> None:
        said.update(sentences[index].content)

    return _greedy(sentences, gain, take, options, budget)


def _greedy(
    sentences: Sequence[Candidate],
    gain: Callable[[int], float],
    take: Callable[[int], None],
    options: Extractive,
    budget: int,
) -> list[int]:
    """Take the sentence of the highest gain until the budget is met or nothing is gained."""
    chosen: list[int] = []
    said: set[str] = set()
    length = 0
    left = set(range(len(sentences)))
    while left and length < budget:
        fits = [
            i
            for i in sorted(left)
            if len(sentences[i].content & said) <= options.redundancy * len(sentences[i].content)
            and (not chosen or length + len(sentences[i].words) <= budget * 1.2)
        ]
        if not fits:
            break

        def value(i: int) -> float:
            won = gain(i)
            # A dangling start is fine right behind the sentence that it points to.
            free = not sentences[i].dangles or any(
                sentences[j].position == sentences[i].position - 1 for j in chosen
            )
            return won if free or won < 0 else won * options.dangling

        best = max(fits, key=value)
        if value(best) <= 0 and length >= options.min_words:
            break
        take(best)
        said |= sentences[best].content
        length += len(sentences[best].words)
        chosen.append(best)
        left.remove(best)
    return sorted(chosen)


def extract(
    document: str, reference: str | None, options: Extractive, budget: int | None = None
) -> str | None:
    """The target for a document: its chosen sentences, tidied and in order, None without any.

    ``budget`` in words; by default that of the reference, within the options' limits. A first
    sentence that dangles is left out where others stay.
    """
    sentences = candidates(document)
    length = budget or (len(words_of(reference)) if reference else options.max_words // 2)
    length = min(max(length, options.min_words), options.max_words)
    chosen = (
        oracle(sentences, reference, options, length)
        if reference
        else principal(sentences, options, length)
    )
    while len(chosen) > 1 and sentences[chosen[0]].dangles:
        chosen = chosen[1:]
    return " ".join(sentences[i].text for i in chosen) or None
