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
NAME_TAGS = frozenset(("NP0", "UNC", "NE"))  # of names, and of words that the tagger does not know
# What may stand before the past tense that the tagger takes for a participle.
_BEFORE_PAST = _NOUNS | {"AV0", "PNP", "PNI", "CRD", "UNC", "CJC"}
_BEGINS_OBJECT = frozenset(("AT0", "DPS", "DT0", "CRD", "AVQ"))
# Two nouns, the second of which may be the verb of the first: "walls cost", "a plan changes".
_AGREEING = frozenset((("NN2", "NN1"), ("NN1", "NN2")))
# What a clause inside another begins with: "if", "that", "which", "who", "when".
_OPENS_CLAUSE = frozenset(("CJS", "CJT", "DTQ", "PNQ", "AVQ"))
# Words that the tagger takes for such, and that mostly open a phrase: "such as", "more than".
_OPENS_PHRASE = frozenset(("as", "like", "than", "for", "so"))
# What a line begins with where its subject may follow a noun: "In the spring it closes."
_FRONTED = frozenset(("PRP", "PRF", "CJS", "AV0", "CRD", "VVG", "VVN", "TO0"))
_ENDS_OPENING = frozenset(",;:–—")  # "If needed, the gate opens": the clause has no verb of its own

# Words and punctuation with their tags: C5 of the British National Corpus, or STTS.
Tagged = list[tuple[str, str]]


@cache
def _tagger(language: str) -> Any:
    """Return the tagger of a language, loaded at first use (0.2 s, 40 MB)."""
    from HanTa.HanoverTagger import HanoverTagger

    return HanoverTagger(_MODELS[language])


def tag_words(sentence: str, language: str) -> Tagged:
    """Return the words of a line with their tags, none for a language (ISO 639-1) without a model.

    >>> tag_words("The mill grinds.", "en")
    [('The', 'AT0'), ('mill', 'NN1'), ('grinds', 'VVZ'), ('.', 'PUN')]
    """
    plain = sentence.translate(_PLAIN_QUOTES).replace("cannot", "can not")  # as the tagger knows it
    words = _TAGGED_WORD.findall(plain)
    if language not in _MODELS or not words:
        return []
    return list(zip(words, _tagger(language).tag_sent(words, taglevel=0), strict=True))


def is_fragment(sentence: str, language: str) -> bool:
    """Return whether a line has no finite verb of its own or has lost its subject.

    A question that begins with its verb counts as one.

    >>> is_fragment("The mill still grinds flour.", "en")
    False
    >>> is_fragment("Grinds flour for the whole valley.", "en")
    True
    >>> is_fragment("Anna Brandt, who owns the mill.", "en")
    True
    """
    if language not in _MODELS:
        return False
    tagged = tag_words(sentence, language)
    if language == "en":
        return _lacks_subject(tagged) or not _has_main_verb(tagged)
    return not any(tag in _FINITE[language] for _, tag in tagged)


def _lacks_subject(tagged: Tagged) -> bool:
    """Return whether a line begins with its verb: "Invests $3 million"."""
    first = next((tag for word, tag in tagged if word[-1].isalnum()), "")
    return first in _NEVER_A_REQUEST


def _has_main_verb(tagged: Tagged) -> bool:
    """Return whether an English line has a finite verb outside of brackets and of inner clauses.

    An inner clause has the verb that follows the word that opens it, and those joined to that verb
    by "and": "nodes that fail and restart". A line passes where the tagger may have erred.
    """
    around = [("", ""), *_outside_brackets(tagged), ("", "")]
    is_open = is_inner = False
    for i in range(1, len(around) - 1):
        word, tag = around[i]
        if word in _ENDS_OPENING:
            is_open = False
        elif tag in _OPENS_CLAUSE and word.lower() not in _OPENS_PHRASE:
            is_open = True
        elif tag == "PNP" and around[i - 1][1] in _NOUNS and around[1][1] not in _FRONTED:
            is_open = True  # "the way it is run"
        elif _may_be_finite(*around[i - 1 : i + 2]):
            if not is_open and not (is_inner and around[i - 1][1] == "CJC"):
                return True
            is_open, is_inner = False, True
    return False


def _outside_brackets(tagged: Tagged) -> Tagged:
    found, depth = [], 0
    for word, tag in tagged:
        depth += (word in "([") - (word in ")]" and depth > 0)
        if not depth and word not in ")]":
            found.append((word, tag))
    return found


def _may_be_finite(before: tuple[str, str], this: tuple[str, str], after: tuple[str, str]) -> bool:
    """Return whether a word may be a finite verb.

    The tagger takes "agreed" for a participle, and "cost" in "the walls cost five million" for a
    noun.
    """
    tag = this[1]
    is_past = tag == "VVN" and before[1] in _BEFORE_PAST and after[0] != "by"
    is_present = tag == "VVI" and before[1] not in ("TO0", "VM0")
    is_noun_or_verb = (before[1], tag) in _AGREEING and after[1] in _BEGINS_OBJECT
    return tag in _FINITE["en"] or is_past or is_present or is_noun_or_verb
