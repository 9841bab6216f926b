"""Whether a line is a sentence: it has a finite verb, and no subject was left out.

HanTa tags the words, by models of English and German that lie in its package (Wartena, The Hanover
Tagger, 2019). Lines of other languages all pass.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_MODELS = {"en": "morphmodel_en.pgz", "de": "morphmodel_ger.pgz"}
_PLAIN_QUOTES = str.maketrans("’‘“”„", '\'\'"""')  # as the tagger knows them
_TAGGED_WORD = re.compile(r"'(?:s|re|ve|ll|d|m)\b|\w+(?:[.-]\w+)*|[^\w\s]")
_FINITE = {
    "en": frozenset("VVZ VVD VVB VBZ VBD VBB VHZ VHD VHB VDZ VDD VDB VM0".split()),
    "de": frozenset(("VV(FIN)", "VA(FIN)", "VM(FIN)", "VV(IMP)", "VA(IMP)")),
}
# English verbs that no request begins with: in front, they have lost their subject.
_NEVER_A_REQUEST = frozenset(("VVZ", "VBZ", "VHZ", "VDZ"))
_NOUNS = frozenset(("NN0", "NN1", "NN2", "NP0"))
# What may stand before the past tense that the tagger takes for a participle.
_BEFORE_PAST = _NOUNS | {"AV0", "PNP", "PNI", "CRD", "UNC", "CJC"}
_BEGINS_OBJECT = frozenset(("AT0", "DPS", "DT0", "CRD"))

_RELATIVES = frozenset(("CJT", "DTQ", "PNQ"))  # "that", "which", "who"

Tagged = list[tuple[str, str]]  # words and their tags: C5 of the British National Corpus, or STTS


@cache
def _tagger(language: str) -> Any:
    """Return the tagger of a language, loaded at first use (0.2 s, 40 MB)."""
    from HanTa.HanoverTagger import HanoverTagger

    return HanoverTagger(_MODELS[language])


def is_fragment(sentence: str, language: str) -> bool:
    """Return whether a line of a language (ISO 639-1) has no finite verb or has lost its subject.

    A question that begins with its verb counts as one.

    >>> is_fragment("The mill still grinds flour.", "en")
    False
    >>> is_fragment("Grinds flour for the whole valley.", "en")
    True
    >>> is_fragment("Anna Brandt and Jan Vos, for the millers.", "en")
    True
    """
    if language not in _MODELS:
        return False
    words = _TAGGED_WORD.findall(sentence.translate(_PLAIN_QUOTES))
    if not words:
        return True
    tags = _tagger(language).tag_sent(words, taglevel=0)
    tagged = [(word, tag) for word, tag in zip(words, tags, strict=True) if word[-1].isalnum()]
    if language == "en":
        return _lacks_subject(tagged) or not _has_english_verb(tagged)
    return not any(tag in _FINITE[language] for _, tag in tagged)


def _lacks_subject(tagged: Tagged) -> bool:
    """Return whether a line begins with its verb: "Invests $3 million"."""
    return bool(tagged) and tagged[0][1] in _NEVER_A_REQUEST


def _has_english_verb(tagged: Tagged) -> bool:
    """Return whether a word may be a finite verb, other than of "nodes that fail".

    A line passes where the tagger may have erred: it takes "agreed" for a participle, and "cost"
    in "the walls cost five million" for a noun.
    """
    around = [("", ""), *tagged, ("", "")]
    for i, (_, tag) in enumerate(tagged, 1):
        (_, before), (word, after) = around[i - 1], around[i + 1]
        is_past = tag == "VVN" and before in _BEFORE_PAST and word != "by"
        is_present = tag == "VVI" and before not in ("TO0", "VM0")
        is_noun_or_verb = tag == "NN1" and before == "NN2" and after in _BEGINS_OBJECT
        is_relative = i > 2 and before in _RELATIVES and around[i - 2][1] in _NOUNS
        is_finite = tag in _FINITE["en"] and not is_relative
        if is_finite or is_past or is_present or is_noun_or_verb:
            return True
    return False
