"""Pages that are a licence, an imprint or a list of those who helped: they are no content."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.text.prose import IMPRINT
from longt5.text.words import count_words

_OWN = (  # words of the law, rare in other texts
    r"copyrights?|licen[cs]e[ds]?|licensing|permissions?|reproduc\w+|redistribut\w+|ISBN|ISSN"
    r"|warrant\w+|liab(?:le|ility)|disclaim\w*|endors\w+|trademarks?|rights reserved|third[- ]party"
    r"|catalogu?ing|typeset\w*|cover design|Impressum|Rechte vorbehalten|Nachdruck"
    r"|Vervielfältigung|Verlag|Droits réservés|imprimé|dépôt légal|Reservados|impreso"
)
_OTHER = (
    r"DOI|citation|printed|publish(?:ed|er|ers|ing)|edition|translation|responsibility"
    r"|designations|layout|Druck"
)
_LEGAL = re.compile(rf"©|\b(?:{_OWN}|{_OTHER})\b", re.IGNORECASE)
_KINDS = re.compile(rf"©|\b(?:{_OWN})\b", re.IGNORECASE)
_CONTENT = re.compile(
    r"(?:#+ )?(?:\d\.? |I\. )?(?:abstract|(?:executive )?summary|introduction|key messages"
    r"|highlights|foreword|preface|zusammenfassung|einleitung|vorwort|résumé|avant-propos|resumen"
    r"|introducción|prólogo)\b",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"(?:#+ )?(?:acknowledge?ments?|contributors|list of contributors|danksagung|remerciements"
    r"|agradecimientos)\s*\n",
    re.IGNORECASE,
)
EARLY, LATE = 0.1, 2  # share of the pages in front, and pages at the end, that are looked at
LEAST = 8  # pages of a document that has such
MOST = 1_200  # words of an imprint
SHORT = 60  # words of one that need not say much
STEM = 4  # letters by which words are of one kind
KINDS = 3  # of words of the law in a longer one, at least
LEGAL = 0.7  # share of its words in paragraphs that name what an imprint names
NAMES = 0.4  # share of words with capitals where people and their institutes are listed
WHOLE = 0.85  # of the words stay at least, else these pages are what the document is about


def imprints(texts: Sequence[str]) -> list[int]:
    """The indexes of pages in front of a document, or at its end, that are an imprint, and of
    those in front that thank people by name."""
    if len(texts) < LEAST:
        return []
    early = max(4, round(EARLY * len(texts)))
    found: list[int] = []
    is_thanks = False
    for index, text in enumerate(texts):
        is_front = index < early
        lists = is_front and _is_of_names(text)
        is_thanks = lists and (is_thanks or _THANKS.match(text) is not None)
        if is_thanks or ((is_front or index >= len(texts) - LATE) and _is_imprint(text)):
            found.append(index)
    words = [count_words(text) for text in texts]
    left = sum(words) - sum(words[index] for index in found)
    return found if left >= WHOLE * sum(words) else []


def _is_imprint(text: str) -> bool:
    """Whether it says whose the text is, and hardly anything else."""
    words = count_words(text)
    if not words or words > MOST or not IMPRINT.search(text):
        return False
    blocks = text.split("\n\n")
    # The first page of a paper says whose it is too.
    kinds = {found.lower()[:STEM] for found in _KINDS.findall(text)}
    if any(map(_CONTENT.match, blocks)) or (words > SHORT and len(kinds) < KINDS):
        return False
    legal = [block for block in blocks if _LEGAL.search(block)]
    return sum(map(count_words, legal)) >= LEGAL * words


def _is_of_names(text: str) -> bool:
    """Whether it lists people: about every other word has a capital."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 1]
    capital = sum(word[0].isupper() and not word.isupper() for word in words)
    return bool(words) and capital >= NAMES * len(words)
