"""Words of a text: how many, which, and which of them carry meaning."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
STOPWORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from further "
    "had has have having he her here hers him his how i if in into is it its itself just may me "
    "might more most must my no nor not now of off on once one only or other our out over own same "
    "shall she should so some such than that the their them then there these they this those "
    "through to too two under until up upon us very was we were what when where which while who "
    "whom why will with would you your".split()
)


def count_words(text: str) -> int:
    """Return the number of words; scripts without spaces count two characters as one word."""
    dense = len(_CJK.findall(text))
    return len(_CJK.sub(" ", text).split()) + dense // 2


def words_of(text: str) -> list[str]:
    """Return the runs of letters and digits in lower case.

    >>> words_of("Don't stop: 3.5 km!")
    ['don', 't', 'stop', '3', '5', 'km']
    """
    return _WORD.findall(text.lower())
