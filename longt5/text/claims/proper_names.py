"""Names of a sentence: its capitalized words."""

from __future__ import annotations

import re

from ..sentences import sentence_ends
from .vocabulary import ClaimWords, likely_words, plain

NAME_WORD = re.compile(r"[^\W\d_][\w.'’-]*")
NO_NAMES = frozenset(
    "The A An In On At By For From To Of And But Or If It Its This That These Those He She They "
    "We You I His Her Their Our My When While After Before During Since Because Although As With "
    "Without Under Over Between Each Every Both Some Many Most All No Not Only Also However "
    "There Here Then Thus Moreover Furthermore Finally First Second Third One Two Three Such So "
    "What Which Who Whose Where Why How Yet Still Even Chapter Section Figure Table Page".split()
)


def names(text: str, vocabulary: ClaimWords | None = None) -> list[tuple[str, tuple[int, int]]]:
    """Return (word, span) of the capitalized words inside sentences, without months."""
    firsts = {0, *sentence_ends(text)}
    months = (vocabulary or likely_words(text)).months
    found = []
    for match in NAME_WORD.finditer(text):
        word = bare(match[0])
        at = max(end for end in firsts if end <= match.start())
        begins = not text[at : match.start()].strip("\"'“‘([ \n")
        if not word[:1].isupper() or len(word) < 2 or word in NO_NAMES or begins:
            continue
        if plain(word).rstrip(".") in months:
            continue
        found.append((word, (match.start(), match.start() + len(word))))
    return found


def bare(word: str) -> str:
    """Return a word without an 's and without punctuation after it."""
    return re.sub(r"['’]s$|[.,'’-]+$", "", word)


def is_known(word: str, vocabulary: set[str]) -> bool:
    """Return whether a text has a word, or all parts of it."""
    return word.lower() in vocabulary or all(
        part in vocabulary for part in re.split(r"[-’']", word.lower()) if part
    )
