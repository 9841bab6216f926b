"""Front matter: pages that are an imprint, a licence or acknowledgements; text before contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from longt5.text.headings import ACKNOWLEDGEMENTS_TITLE, OPENING_TITLE
from longt5.text.prose import IMPRINT
from longt5.text.roles import Role
from longt5.text.sentences import Span
from longt5.text.source import SourceText
from longt5.text.words import count_words

_LEGAL_TERMS = (  # rare in other texts
    r"copyrights?|licen[cs]e[ds]?|licensing|permissions?|reproduc\w+|redistribut\w+|ISBN|ISSN"
    r"|warrant\w+|liab(?:le|ility)|disclaim\w*|endors\w+|trademarks?|rights reserved|third[- ]party"
    r"|catalogu?ing|typeset\w*|cover design|Impressum|Rechte vorbehalten|Nachdruck"
    r"|Vervielfältigung|Verlag|Droits réservés|imprimé|dépôt légal|Reservados|impreso"
)
_PUBLISHING_TERMS = (
    r"DOI|citation|printed|publish(?:ed|er|ers|ing)|edition|translation|responsibility"
    r"|designations|layout|Druck"
)
_IMPRINT_TERM = re.compile(rf"©|\b(?:{_LEGAL_TERMS}|{_PUBLISHING_TERMS})\b", re.IGNORECASE)
_LEGAL_TERM = re.compile(rf"©|\b(?:{_LEGAL_TERMS})\b", re.IGNORECASE)
# Chosen by hand on books and reports.
_MIN_PAGES = 8  # of a document with front matter: a leaflet has its licence between its text
_FRONT_SHARE, _MIN_FRONT_PAGES = 0.1, 4  # of the pages, that are searched at the beginning
_END_PAGES = 2  # that are searched at the end
_MAX_IMPRINT_WORDS = 1_200  # two pages of small print; more is a text about licences
_SHORT_IMPRINT_WORDS = 60  # up to which one legal term is enough
_MIN_LEGAL_TERMS = 3  # different ones of a longer imprint: the first page of a paper has fewer
_TERM_STEM_LETTERS = 4  # by which terms are different: license, licensed and licence are one
_MIN_IMPRINT_SHARE = 0.7  # of an imprint's words in paragraphs with an imprint's terms
_MIN_NAME_SHARE = 0.4  # of words with a capital, where people and institutes are listed
_MIN_REMAINING_SHARE = 0.85  # of the words; where less stays, the document is about licences
# Of the sentences: more before a table of contents are no front matter. In the seven documents
# of the key facts that have one, it is 1 to 7 %, and none of these sentences belongs in a summary.
_MAX_SHARE_BEFORE_CONTENTS = 0.25


def without_front_matter(
    source: SourceText, contents: Sequence[int], page_at: Callable[[int], int]
) -> list[Span]:
    """Return the sentences that a summary may say: not the front matter, but an abstract in it.

    What stands before the table of contents says how the document was made. ``contents``: its
    pages; ``page_at``: the page of a place in the text.
    """
    first = min(contents, default=0)
    kept = [
        span
        for span, role in zip(source.candidates, source.roles, strict=True)
        if role is Role.SUMMARY or page_at(span[0]) >= first
    ]
    is_front = len(kept) >= (1 - _MAX_SHARE_BEFORE_CONTENTS) * len(source.candidates)
    return kept if is_front else list(source.candidates)


def find_front_matter(texts: Sequence[str]) -> list[int]:
    """Return the indexes of pages at the beginning or the end of a document that are an imprint
    or a licence, and of those at the beginning that thank people by name."""
    if len(texts) < _MIN_PAGES:
        return []
    front = max(_MIN_FRONT_PAGES, round(_FRONT_SHARE * len(texts)))
    found: list[int] = []
    is_thanks = False
    for index, text in enumerate(texts):
        is_front = index < front
        lists_names = is_front and _lists_names(text)
        is_thanks = lists_names and (is_thanks or ACKNOWLEDGEMENTS_TITLE.match(text) is not None)
        is_searched = is_front or index >= len(texts) - _END_PAGES
        if is_thanks or (is_searched and _is_imprint(text)):
            found.append(index)
    words = [count_words(text) for text in texts]
    remaining = sum(words) - sum(words[index] for index in found)
    return found if remaining >= _MIN_REMAINING_SHARE * sum(words) else []


def _is_imprint(text: str) -> bool:
    """Return whether a page names the owners of the text, and hardly anything else."""
    words = count_words(text)
    if not words or words > _MAX_IMPRINT_WORDS or not IMPRINT.search(text):
        return False
    blocks = text.split("\n\n")
    # The first page of a paper names its owners too.
    terms = {found.lower()[:_TERM_STEM_LETTERS] for found in _LEGAL_TERM.findall(text)}
    is_long = words > _SHORT_IMPRINT_WORDS
    if any(map(OPENING_TITLE.match, blocks)) or (is_long and len(terms) < _MIN_LEGAL_TERMS):
        return False
    legal = [block for block in blocks if _IMPRINT_TERM.search(block)]
    return sum(map(count_words, legal)) >= _MIN_IMPRINT_SHARE * words


def _lists_names(text: str) -> bool:
    """Return whether a page lists people: about every other word has a capital."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 1]
    capital = sum(word[0].isupper() and not word.isupper() for word in words)
    return bool(words) and capital >= _MIN_NAME_SHARE * len(words)
