"""Sentences that lean on others: what they say is whole only beside a sentence left out.

Words are known in English, German, French and Spanish.
"""

from __future__ import annotations

import re
from enum import Enum


class Lean(str, Enum):
    """What a sentence needs to be understood."""

    BEFORE = "the sentence before"
    ELSEWHERE = "a list, figure or part of the document"


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
    r"(?:It|He|She|They|Its|His|Her|Their|Theirs|Them)\b(?! (?:is|was|has been|would be|will be)"
    r" (?:\w+ ){1,3}(?:that|to|whether|how|why)\b)"
    rf"|(?:This|That|These|Those|Such)\b(?! (?:\w+ )?(?:{_DOCUMENT})\b)"
    r"|(?:The|An|One)\s?other\b|Another\b|Others\b|(?:The|These|Those) (?:two|three|latter|former"
    r"|same|above|following|first|second|third|last|next|remaining|rest|resulting|corresponding)\b"
    r"|Both\b(?! (?:the |of the )?\w+ and\b)|Neither\b(?! \w+ nor\b)|Each of (?:these|them|those)\b"
    r"|(?:One|Two|Three|Four|Five|Some|Many|Most|All|None|Few|Several) of (?:these|those|them)\b"
    r"|(?:And|But|Or|Nor|Yet|Then|Thus|Hence|Therefore|However|Alternatively|Otherwise|Instead"
    r"|Consequently|Moreover|Furthermore|Likewise|Similarly|Conversely|Nevertheless|Nonetheless"
    r"|Accordingly|Afterwards?|Also|Again|Besides|Here|There(?! (?:is|are|was|were|has|have|will"
    r"|may|might|can|could|should|must|exists?)\b)|Which|Who|Whose|Because of (?:this|that|these)"
    r"|So|Even (?:so|then|rarer|more|worse|better)|For (?:example|instance|this|these|that|those)"
    r"|In (?:this|that|these|those|such|addition|contrast|other words|particular|turn)"
    r"|(?:By|On|At|With|From|Under|After|Before|Despite|Unlike|As|Of|To|Among) (?:this|that|these"
    r"|those|such|it|them)(?! (?:\w+ )?(?:document|paper|report|study|year)\b)"
    r"|(?:By|In) contrast|As a (?:result|consequence)|On the (?:other|contrary)"
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
_COUNT = r"(?:two|three|four|five|six|seven|eight|nine|ten|several|some|the following|\d{1,2})"
_ANNOUNCED = (
    r"(?:reasons?|reservations?|ways|steps|points|things|questions|parts|categories|types|kinds"
    r"|factors|issues|options|examples|conditions|requirements|rules|principles|approaches|cases"
    r"|aspects|goals|objectives|criteria|exceptions|caveats)"
)
ELSEWHERE = re.compile(
    r"\b(?:fig(?:ure)?s?|tables?|eqs?|equations?|box(?:es)?|charts?|exhibits?|listings?|algorithms?"
    r"|appendix|annex|abbildung|tabelle|abb|tab|tableau|figura|tabla|cuadro)\.? ?(?:\(?\d|[A-Z]\b)"
    r"|\b(?:as (?:follows|below|shown)|(?:shown|listed|described|given|discussed|defined|mentioned"
    r"|noted|outlined|summari[sz]ed|presented|explained|seen) (?:above|below|earlier|next|here)"
    r"|(?:see|cf\.|siehe|voir|véase) (?:also )?(?:the )?(?:section|chapter|page|above|below|\d|p\.)"
    r"|(?:above|below)[.,;:)]|the (?:above|following|previous|preceding|next)\b"
    r"|(?:section|chapter|clause|paragraph|item|step|line|page|abschnitt|kapitel) \d"
    r"|folgende[rnms]?|oben|unten|ci-dessous|ci-dessus|suivante?s?|siguientes?)\b"
    rf"|:$|\?[”\"’)]?$|\b{_COUNT} (?:\w+ )?{_ANNOUNCED}[.:]?$"
    rf"|\b(?:with|for|in|are|has|have|of|identif\w+|consider) {_COUNT} (?:\w+ )?{_ANNOUNCED}\b"
    r"(?!.*(?::|;|\bfirst\b|\(1\)|\(a\)|, and ))",
    re.IGNORECASE,
)


def leaning(sentence: str) -> Lean | None:
    """Return what a tidied sentence needs to be understood, None where it stands alone.

    >>> leaning("These walls cost five million."), leaning("This report is about walls.")
    (<Lean.BEFORE: 'the sentence before'>, None)
    >>> leaning("The cost is shown in Table 3.")
    <Lean.ELSEWHERE: 'a list, figure or part of the document'>
    """
    if ELSEWHERE.search(sentence):
        return Lean.ELSEWHERE
    return Lean.BEFORE if LEANING_START.match(sentence) else None
