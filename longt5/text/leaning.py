"""Sentences that lean on others: what they say is whole only beside a sentence left out.

Words are known in English, German, French and Spanish, verbs in English and German.
"""

from __future__ import annotations

import re
from enum import Enum

from .clauses import NAME_TAGS, is_fragment, tag_words
from .tidying import new_start
from .words import content_words


class Lean(str, Enum):
    """What a sentence needs to be understood."""

    BEFORE = "the sentence before"
    ELSEWHERE = "a list, figure or part of the document"
    FRAGMENT = "a subject or a verb"


# Nouns that mean the document itself: "This report finds ..." stands alone.
_DOCUMENT = (
    r"paper|article|report|study|survey|review|thesis|book|guide(?:line)?s?|guidance|manual"
    r"|document|standard|specification|proposal|rule|regulation|directive|act|law|order|opinion"
    r"|judgment|decision|notice|chapter|work|research|project|programme|program|analysis|plan"
    r"|policy|agreement|contract|publication|letter|memo(?:randum)?|bulletin|budget|handbook"
    r"|year|week|month|case|country|AD|RFC|PEP|KEP|EIP|ERC|BIP"
)
_POINTERS = (  # to the sentence before
    # "It is clear that", "It was in 1990 that" and "There are" point to nothing.
    r"(?:It|He|She|They|Its|His|Her|Their|Theirs|Them)\b(?!(?:['’]s| (?:is|was|has been|would be"
    r"|will be)) (?:\w+ ){1,3}(?:that|to|whether|how|why)\b)"
    rf"|(?:This|That|These|Those|Such)\b(?! (?:\w+ )?(?:{_DOCUMENT})\b)"
    r"|(?:The|An|One)\s?other\b|Another\b|Others\b|(?:The|These|Those) (?:two|three|latter|former"
    r"|same|above|following|first|second|third|last|next|remaining|rest|resulting|corresponding)\b"
    r"|Both\b(?! (?:the |of the )?\w+ and\b)|Neither\b(?! \w+ nor\b)"
    r"|(?:One|Two|Three|Four|Five|Some|Many|Most|All|None|Few|Several|Each) of them\b"
    r"|(?:And|But|Or|Nor|Yet|Then|Thus|Hence|Therefore|However|Alternatively|Otherwise|Instead"
    r"|Consequently|Moreover|Furthermore|Likewise|Similarly|Conversely|Nevertheless|Nonetheless"
    r"|Accordingly|Afterwards?|Also|Again|Besides|Here|There(?! (?:is|are|was|were|has|have|will"
    r"|may|might|can|could|should|must|exists?)\b)|Which|Who|Whose"
    r"|So|Even (?:so|then|rarer|more|worse|better)|For (?:example|instance)"
    r"|In (?:addition|contrast|other words|particular|turn|sum|short)|To (?:sum up|recap)"
    r"|(?:By|On|At|With|From|Under|After|Before|Despite|Unlike|As|Of|To|Among|In|For|Because of)"
    r" (?:that|such|it|them)"
    r"|(?:By|In) contrast|As a (?:result|consequence)|On the (?:other|contrary)"
    r"|As (?:an|another) example"
    r"|(?:First|Second|Third|Fourth|Fifth|Last|Next)(?:ly)?(?=,)|(?:No|Yes)(?=\. )|In the meantime"
    r"|(?:\w+ )?(?:Years|years|months|weeks|days|hours) (?:later|earlier)(?=,)"
    r"|At the same time|Worse still|More(?:over| importantly)|Not only that)\b"
    r"|(?:Dies(?:e[rsmn]?)?|Jene[rsmn]?|Solche[rsmn]?|Dabei|Dadurch|Damit|Daher|Deshalb|Deswegen"
    r"|Dazu|Davon|Darum|Dagegen|Dennoch|Trotzdem|Jedoch|Allerdings|Außerdem|Zudem|Ferner|Hierbei"
    r"|Hierzu|Somit|Sie|Er|Ihre?|Seine?|Deren|Dessen|Letztere[rs]?|Erstere[rs]?|Aber|Und|Oder)\b"
    r"|(?:Ces?|Cette|Cet|Celui|Celle|Ceux|Cela|Ils?|Elles?|Leurs?|Ceci|Cependant|Toutefois|Mais"
    r"|Ainsi|Donc|En effet|De plus|Par conséquent|Par ailleurs)\b(?! y a| est \w+ (?:de|que)\b)"
    r"|(?:Est[eao]s?|Es[ea]s?|Aquell[oa]s?|Ell[oa]s|Ello|Sus?|Sin embargo|Además|Por (?:lo tanto"
    r"|ello|eso|esto)|Pero|Así|No obstante|Dich[oa]s?)\b"
)
LEANING_START = re.compile(rf"[“\"‘'(]?(?:{_POINTERS})")
_DOCUMENT_NOUN = re.compile(rf"(?:\w+ )?(?:{_DOCUMENT})\b")
_OWN_WORDS = 16  # before a demonstrative, from which on it points into its own sentence
_COUNT = (
    r"(?:a number of|a variety of|two|three|four|five"
    r"|six|seven|eight|nine|ten|several|some|the following|\d{1,2})"
)
_ANNOUNCED = (
    r"(?:reasons?|reservations?|ways|steps|points|things|questions|parts|categories|types|kinds"
    r"|factors|issues|options|examples|conditions|requirements|rules|principles|approaches|cases"
    r"|aspects|goals|objectives|criteria|exceptions|caveats|components|properties|drawbacks"
    r"|advantages|disadvantages|benefits|differences|characteristics|stages|phases|problems"
    r"|challenges|solutions|themes|functions)"
)
ELSEWHERE = re.compile(
    r"\b(?:fig(?:ure)?s?|tables?|eqs?|equations?|box(?:es)?|charts?|exhibits?|listings?|algorithms?"
    r"|appendix|annex|abbildung|tabelle|abb|tab|tableau|figura|tabla|cuadro)"
    r"(?:\.? ?\(?\d|\.? (?-i:[A-Z])\b)"
    r"|\b(?:as (?:follows|below|shown)|(?:shown|listed|described|given|discussed|defined|mentioned"
    r"|noted|outlined|summari[sz]ed|presented|explained|seen) (?:above|below|earlier|next|here)"
    r"|(?:see|cf\.|siehe|voir|véase) (?:also )?(?:the )?(?:section|chapter|page|above|below|\d|p\.)"
    r"|\w+ed (?:above|below)(?! (?:zero|the|those|an?|its|\d))|(?:above|below) (?:are|is|were|was)"
    r"|we \w+ (?:above|below|earlier)|as (?:stated|noted|mentioned|discussed|explained)(?=,)"
    r"|available here|(?:just|already) mentioned|(?:earlier|later) in this|in this section"
    r"|refer to the|look back|for (?:more|further) (?:information|details)|twofold|threefold"
    r"|(?:above|below)(?=[.,;:)])|the (?:above|following|previous|preceding)\b"
    r"|(?:section|chapter|clause|paragraph|item|step|line|page|abschnitt|kapitel) \d"
    r"|folgende[rnms]?|oben|unten|ci-dessous|ci-dessus|suivante?s?|siguientes?)\b"
    rf"|:$|\?[”\"’)]?$|\b{_COUNT} (?:\w+ )?{_ANNOUNCED}[.:]?$"
    r"|\b(?:with|are|were|has|have|had|identif\w+|suggest\w*|address\w*|consider)"
    rf" {_COUNT} (?:\w+ )?{_ANNOUNCED}\b"
    r"(?!.*(?::|;|\bfirst\b|\(1\)|\(a\)|, and ))",
    re.IGNORECASE,
)


_BEGINNING = 6  # words, within which a connective speaks of the sentence before
_EARLY_CONNECTIVE = re.compile(
    r"(?<!\bwe )(?<!\band )\balso\b|\b(?:in doing so|however|auch)\b", re.IGNORECASE
)
# A determiner and its noun: "these large regions" leans, unless regions were spoken of before.
_DEMONSTRATIVE = re.compile(
    r"\b(?P<word>this|these|those|such|another)\b\s*(?=(?P<nouns>(?:[\w-]+(?:\s+[\w-]+){0,2})?))",
    re.IGNORECASE,
)
_PRONOUNS = ("this", "these")  # where no noun follows; "those who" and "such as" point to nothing
_NO_NOUN = re.compile(r"\Z|(?:an?|as|that|who|whose|which|of|is|are|was|were|in|with|to)\b")
_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers)\b")
_LAST_WORD = re.compile(  # of a sentence that has lost a link, a number or the list behind it
    r"\b(?:in|of|by|with|from|at|on|see|the|an?|and|or|than|between)\s?[.)]+$|\(see\)"
    r"|:\s?\d{1,2}\.$"
)
_ASIDE = re.compile(r"\([^()]*\)[.!?]?\Z")  # a whole sentence in brackets explains the one before
_SEE = re.compile(r"See ")
_ITEM = re.compile(r"\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s|Option [A-Z]\b")
# What a point of a list is about: "Areas of agreement: ...", "Risk: ...". A name is a speaker's.
_POINT_NAME = re.compile(r"([A-Z][^.:;!?–—]{0,60})(?::| [–—])\s+(?=[A-Z\d“\"])")
_REQUESTS = ("VVB", "VVI")  # tags of verbs: "Measure the depth: ..."


def leaning(sentence: str, in_abstract: bool = False, language: str = "") -> Lean | None:
    """Return what a tidied sentence needs to be understood, None where it stands alone.

    ``in_abstract``: it is of the author's summary, where a label names what is said. ``language``:
    its ISO 639-1 code, "" where it is not known.

    >>> leaning("These walls cost five million."), leaning("This report is about walls.")
    (<Lean.BEFORE: 'the sentence before'>, None)
    >>> leaning("In some places, these walls are of stone.")
    <Lean.BEFORE: 'the sentence before'>
    >>> leaning("The cost is shown in Table 3.")
    <Lean.ELSEWHERE: 'a list, figure or part of the document'>
    """
    points_away = ELSEWHERE.search(sentence) or _LAST_WORD.search(sentence)
    is_point = _ITEM.match(sentence) or (not in_abstract and _has_label(sentence, language))
    is_glued = language == "en" and new_start(sentence) > 0
    if points_away or is_point or is_glued or _SEE.match(sentence):
        return Lean.ELSEWHERE
    is_leaning = (
        LEANING_START.match(sentence)
        or _ASIDE.match(sentence)
        or _EARLY_CONNECTIVE.search(" ".join(sentence.split()[:_BEGINNING]))
        or _has_new_demonstrative(sentence, language)
        or _has_unknown_person(sentence, language)
    )
    if is_leaning:
        return Lean.BEFORE
    return Lean.FRAGMENT if is_fragment(sentence, language) else None


def _has_label(sentence: str, language: str) -> bool:
    """Return whether a sentence begins with the name of a point of a list.

    Without tags, names of speakers are known by their capitals.
    """
    label = _POINT_NAME.match(sentence)
    if label is None:
        return False
    tags = [tag for word, tag in tag_words(label[1], language) if word.isalnum()]
    if not tags:
        return label[1].split()[-1].islower()
    is_request = tags[0] in _REQUESTS
    return tags[-1].startswith("NN") and (is_request or is_fragment(label[1], language))


def _has_new_demonstrative(sentence: str, language: str) -> bool:
    """Return whether "these regions", or "this" alone, stands where nothing was spoken of."""
    for match in _DEMONSTRATIVE.finditer(sentence):
        before = sentence[: match.start()]
        if _NO_NOUN.match(match["nouns"]):
            is_pronoun = match["word"].lower() in _PRONOUNS
            tags = [tag for _, tag in tag_words(before, language)] if is_pronoun else []
            is_new = is_pronoun and not any(tag.startswith(("NN", "NP")) for tag in tags)
        elif _DOCUMENT_NOUN.match(match["nouns"]):
            continue
        else:
            is_new = not set(content_words(before)).intersection(content_words(match["nouns"]))
        if is_new and len(before.split()) <= _OWN_WORDS:
            return True
    return False


def _has_unknown_person(sentence: str, language: str) -> bool:
    """Return whether he or she stands where nobody was named before."""
    match = _PERSON.search(sentence)
    if match is None:
        return False
    before = tag_words(sentence[: match.start()], language)
    return not any(tag in NAME_TAGS for _, tag in before)
