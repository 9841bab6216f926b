"""Words cut at a line's end are joined, with the hyphen where it belongs to the word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .line_patterns import LETTER_RUN

_CUT_WORD_PAIR = re.compile(
    r"(?<![^\W\d_])[^\W\d_]+[-\u2010\ufffe][ \t]*\n[ \t]*[^\W\d_]+",
)
_HYPHENS = ("-", "\u2010", "\ufffe")
# Words between two halves of which the first one's second part is left out. English, German,
# Dutch, Swedish, Danish and Norwegian; Romance languages do not write so.
_CONJUNCTIONS = frozenset("and or to nor und oder bis sowie bzw en of och eller og".split())
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]+-[^\W\d_]+")

# First parts that English writes with a hyphen; a word cut after one of them is a compound.
_COMPOUND_HEADS = frozenset("well self non ex half high low long short full so ill much e".split())
_MIN_COMPOUND_TAIL = 4  # letters: "self-ish" and "well-ing" are cut words


@dataclass(frozen=True)
class Dehyphenator:
    """The words of a document, by which the halves of a cut word are joined."""

    words: frozenset[str]
    stems: frozenset[str]
    compounds: frozenset[str]

    @classmethod
    def of(cls, pages: Sequence[str]) -> Dehyphenator:
        """Collect the words inside lines; the halves of cut words are not words."""
        # No word holds a space, so each of the runs between spaces is looked at once.
        runs = {run for page in pages for run in _without_cut_words(page).lower().split()}
        words = {word for run in runs for word in LETTER_RUN.findall(run)}
        # A stem is a word without its last one to three letters, and has at least six.
        stems = {word[:end] for word in words for end in range(len(word) - 3, len(word)) if end > 5}
        compounds = {word for run in runs if "-" in run for word in _COMPOUND.findall(run)}
        return cls(frozenset(words), frozenset(stems | words), frozenset(compounds))

    def join(self, head: str, hyphen: str, tail: str) -> str:
        """Return the word cut into `head` and `tail`: with a hyphen unless the document has the
        joined word elsewhere, or a word of the same stem. A hyphen that stands for the second
        part of a word, as in "two- and three-year", keeps its space."""
        word = (head + tail).lower()
        if tail in _CONJUNCTIONS and word not in self.words:
            return f"{head}- {tail}"
        # A capital inside a word is the begin of another one: "Office-Paket".
        if head[-1].islower() and tail[0].isupper():
            return f"{head}-{tail}"
        # A stem must reach into the tail, else "well-known" would follow "wellness".
        stem = word[: max(len(head) + 3, len(word) - 3, 6)]
        if word in self.words or (len(tail) > 2 and stem in self.stems):
            return head + tail
        is_soft = hyphen == "\ufffe" and (head + tail).isalpha()
        is_fixed = head.lower() in _COMPOUND_HEADS and len(tail) >= _MIN_COMPOUND_TAIL
        if not is_soft or is_fixed or f"{head}-{tail}".lower() in self.compounds:
            return f"{head}- {tail}" if tail in _CONJUNCTIONS else f"{head}-{tail}"
        # Most of PDFium's line-end hyphens are soft; two whole words are a compound.
        halves = {head.lower(), tail.lower()}
        is_compound = halves <= self.words and min(map(len, halves)) > 2
        return f"{head}-{tail}" if is_compound else head + tail


def _without_cut_words(page: str) -> str:
    """Return the lines of a page without the words that are cut at their ends."""
    found: list[str] = []
    current, *rest = page.split("\n")
    for line in rest:
        if current.rstrip(" \t").endswith(_HYPHENS):  # few lines do, and the pattern is slow
            *whole, current = _CUT_WORD_PAIR.sub(" ", f"{current}\n{line}").split("\n")
            found += whole
        else:
            found.append(current)
            current = line
    return "\n".join([*found, current])


def keep_hyphen(head: str, _: str, tail: str) -> str:
    """Return a word cut at a line's end with its hyphen: nothing is known about the word. A
    suspended hyphen, as in "pre- and post-war", keeps its space."""
    return f"{head}- {tail}" if tail in _CONJUNCTIONS else f"{head}-{tail}"
