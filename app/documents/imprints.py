"""Pages that are a licence, an imprint or a list of those who helped: they are no content."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.sentences import IMPRINT, count_words

_LEGAL = re.compile(
    r"©|\b(?:copyrights?|licen[cs]e[ds]?|licensing|permissions?|reproduc\w+|redistribut\w+"
    r"|ISBN|ISSN|DOI|warrant\w+|liab(?:le|ility)|disclaim\w*|endors\w+|trademarks?|rights reserved"
    r"|third[- ]party|catalogu?ing|citation|printed|publish(?:ed|er|ers|ing)|edition|translation"
    r"|responsibility|designations|layout|typeset\w*|cover design|Impressum|Rechte vorbehalten"
    r"|Nachdruck|Vervielfältigung|Verlag|Druck|Droits réservés|imprimé|dépôt légal"
    r"|Reservados|impreso)\b",
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
    legal = [block for block in text.split("\n\n") if _LEGAL.search(block)]
    return sum(map(count_words, legal)) >= LEGAL * words


def _is_of_names(text: str) -> bool:
    """Whether it lists people: about every other word has a capital."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 1]
    capital = sum(word[0].isupper() and not word.isupper() for word in words)
    return bool(words) and capital >= NAMES * len(words)
