"""The sentences of a document that may be picked: whole ones, no headings and no scraps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .sentences import (
    BLANK,
    IMPRINT,
    LABEL,
    REST,
    is_apart,
    is_listing,
    is_wrapped,
    last_sentence_end,
    split_sentences,
)
from .tidying import BULLET
from .words import STOPWORDS, count_words

MIN_WORDS, MAX_CHARACTERS = 4, 600  # shorter is a scrap, longer is a table or a listing
# A name with a small letter and what it does: "systemd is a manager", "make reads the file".
NAMED = re.compile(
    r"([a-z][a-z\d]+) (?:is|are|was|were|can|does|has|will|may|must|allows|provides|lets|reads"
    r"|writes|runs|uses|prints|shows|supports|creates|takes|makes|checks)\b"
)
SIGN = re.compile(rf"(?:{BULLET.pattern}|\([a-z]{{1,4}}\)\s)")  # of an item of a list
FEW = 8  # whole sentences that are too few to leave the others out
LISTS = 3  # times their words: a text that is mostly lists, as a CV is
ITEM = 6  # words of an item that says something, at least

Span = tuple[int, int]


def sentence_spans(text: str) -> list[Span]:
    """(start, end) of each sentence. Where lines are paragraphs, a line's end ends one too, so
    that a heading does not run into the sentence after it."""
    spans = split_sentences(text)
    if is_wrapped(text):
        return spans
    return [span for start, end in spans for span in _by_lines(text, start, end)]


def _by_lines(text: str, start: int, end: int) -> list[Span]:
    spans = []
    for line in text[start:end].split("\n"):
        body = line.strip()
        if body:
            begin = start + len(line) - len(line.lstrip())
            spans.append((begin, begin + len(body)))
        start += len(line) + 1
    return spans


def candidate_spans(text: str) -> list[Span]:
    """Return the (start, end) of each sentence of a text that a summary may quote."""
    return select_candidates(text, sentence_spans(text))


def select_candidates(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the sentences among ``spans`` that a summary may quote.

    Fall back to fragments, then to list items, when a text has few full sentences.
    """
    imprints = _imprints(text)
    whole = [
        (start, end)
        for start, end in spans
        if is_whole(text[start:end], _begins_with_name(text, start))
        and not any(a <= start < b for a, b in imprints)
    ]
    sizes = [sum(count_words(text[a:b]) for a, b in some) for some in (whole, spans)]
    if 2 * sizes[0] > sizes[1] or (len(whole) >= FEW and LISTS * sizes[0] > sizes[1]):
        return whole
    if len(whole) >= FEW:
        told = set(whole)
        return [s for s in spans if s in told or _is_item(text[slice(*s)])]
    return [s for s in spans if _is_scrap(text[slice(*s)])] or list(spans)


def _is_scrap(piece: str) -> bool:
    """Whether it may be said where there is little else: it ends, or is as long as a sentence and
    does not only lead to what comes after it."""
    is_long = count_words(piece) >= MIN_WORDS and not piece.endswith((":", "："))
    return (is_long or last_sentence_end(piece) == len(piece)) and _is_text(piece)


def _is_item(line: str) -> bool:
    """Whether it is an item of a list that says something."""
    return BULLET.match(line) is not None and count_words(line) > ITEM and _is_text(line)


def _imprints(text: str) -> list[Span]:
    """(start, end) of the paragraphs that say whose the text is: what stands beside a copyright
    line are publishers, printers and the like."""
    edges = [0, *(gap.end() for gap in BLANK.finditer(text)), len(text)]
    return [
        (start, end)
        for start, end in pairwise(edges)
        if end - start <= MAX_CHARACTERS and IMPRINT.search(text, start, end)
    ]


def _begins_with_name(text: str, start: int) -> bool:
    """Whether a sentence begins with the name of a command or the like, in small letters: a word
    that comes again, and never with an article, which the rest of a cut sentence mostly has."""
    found = NAMED.match(text, start)
    if found is None or found[1] in STOPWORDS:
        return False
    word = rf"\b{found[1]}\b"
    with_article = rf"\b(?:the|an?|this|these|any|each|its|their|of|no) {word}"
    return len(re.findall(word, text)) > 1 and not re.search(with_article, text, re.IGNORECASE)


def is_whole(sentence: str, is_named: bool = False) -> bool:
    """Whether it is one to its end, and no scrap, listing, caption or note; `is_named`: what it
    begins with is a name, though its letter is small."""
    return (
        last_sentence_end(sentence) == len(sentence)
        and count_words(LABEL.sub("", sentence, count=1)) >= MIN_WORDS
        and not _is_title(sentence)
        and _is_text(sentence[:1].upper() + sentence[1:] if is_named else sentence)
        and not ((sign := SIGN.match(sentence)) and REST.match(sentence, sign.end()))
    )


def _is_title(sentence: str) -> bool:
    """Whether all its words begin with capitals, as in "2 Sleep Centre, Utrecht."; a text in
    capitals throughout, or in letters that have none, may say anything."""
    words = sentence.split()
    is_title = all(word[0].isupper() or not word[0].isalpha() for word in words)
    return is_title and any(map(str.islower, sentence))


def _is_text(sentence: str) -> bool:
    """Whether it is no listing, command, caption or note."""
    return len(sentence) <= MAX_CHARACTERS and not (is_listing(sentence) or is_apart(sentence))


def picked(text: str, spans: list[Span]) -> str:
    """The text of some sentences, each on one line's worth of spaces, in the given order."""
    return " ".join(" ".join(text[start:end].split()) for start, end in spans)
