"""A sentence on its own: without citations, references to figures, and what stands in front of it:
the sign of a list, a clause's number, when it was said, the label of an abstract's part, a
connective; with both of its quotation marks, and a stop at its end."""

from __future__ import annotations

import re

from .prose import BULLET
from .sentences import CLOSING, DENSE_STOPS, NOTE_NUMBERS, STOPS

_DATE = (  # "(May 2019)" and "(Since 1990)" are no citations
    r"(?!(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?|Spring|Summer|Autumn|Fall|Winter|FY"
    r"|Q[1-4]|Since|Until|In|By|From|Before|After|About|Around)\.?,? \d{4})"
)
_BODY = r"[A-Z][\w'’.-]*(?: (?:(?:of|for|on|and)(?: the)? )?[A-Z][\w'’.-]*){1,6}, ?\d{4}[a-z]?"
_NAME = r"[A-Z][\w'’.-]*(?: (?:and|&) [A-Z][\w'’.-]*| et al\.?,?)*"
CITATION = re.compile(
    r"\s*(?:\[[1-9]\d*(?:\s*[,;–-]\s*[1-9]\d*)*\]"
    rf"|\((?:(?:see|cf\.?|e\.g\.,?)\s+)?{_DATE}(?:{_NAME},? ?\d{{4}}[a-z]?|{_BODY})"
    rf"(?:[;,] ?(?:{_NAME},? ?)?\d{{4}}[a-z]?)*\)"
    r"|\((?:see )?(?:Figs?|Figure|Figures|Tables?|Eqs?|Equation|Sec|Section|Chapter|Appendix)"
    r"\.?\s[^()]{1,24}\))"
)
# What a citation is part of: "as shown in [3]", "that of (Lee, 1996)", "values in [1, 5]", "x[3]".
NEEDED = re.compile(
    r"(?:(?<![^\W_])[^\W_]{1,2}|[=∈<>+*/(-]|\b(?:from|with|see|and|than|that|interval|range|ranges"
    r"|between|equations?|refs?|references?|papers?|works?))\Z",
    re.IGNORECASE,
)
RAISED = re.compile(
    rf"(?<=[^\W\d_A-Z]{{4}},){NOTE_NUMBERS}|(?<=[^\W\d_A-Z]{{4}}:)\d{{1,2}}(?=\s[A-Z])"
)
LAST_RAISED = re.compile(rf"(?<=[^\W\d_A-Z]{{4}})(\.{CLOSING}){NOTE_NUMBERS}\Z")
# What has "2.5" before it may be measured: a number of three parts or with a stop is a clause's.
LABEL = re.compile(
    r"(?:[\[(]\d{1,2}:\d\d(?::\d\d)?[\])]\s+(?=\S)|\d{1,2}:\d\d:\d\d(?:[.,]\d{1,3})?\s+(?=[^\sa-z]))"
    r"|\d{1,2}(?:(?:\.\d{1,2}){2,3}|\.\d{1,2}\.)\s+(?=[A-Z])"
    r"|\d{1,2}\.\d{1,2}\s+(?=(?:A|An|As|At|By|If|In|It|No|On|To|We)\s|[A-Z][a-zß-ÿ]{2}|[“\"])"
    r"(?!Mill|Mio|Mrd|Bill|Trill|Per|Proz|Uhr|Euro|Dollar|Franken|Liter|Meter|Kilo|Gramm|Tonne"
    r"|Stunde|Minute|Sekunde|Grad|Celsius|Tesla)"
    r"|(?:Background|Context|Introduction|Objectives?|Aims?|Purpose|Setting|Design|Methods?"
    r"|Findings?|Results?|Interpretation|Conclusions?|Summary|Abstract|BACKGROUND|CONTEXT"
    r"|INTRODUCTION|OBJECTIVES?|AIMS?|PURPOSE|SETTING|DESIGN|METHODS?|FINDINGS?|RESULTS?"
    r"|INTERPRETATION|CONCLUSIONS?|SUMMARY|ABSTRACT)(?::\s+|\s?—\s?|\s–\s)(?=[A-Z][^\W\d]*\s)"
)
SOUND = re.compile(  # a person may study "the arts (music)"
    r"\s*(?:[\[(](?:laughs?|laughter|chuckles?|sighs?|coughs?|applause"
    r"|crosstalk|inaudible|unintelligible)[\])]|\[(?:cheers|music|silence|pauses?)\])",
    re.IGNORECASE,
)
ENDED = re.compile(rf"(?:[{STOPS}…]{CLOSING}(?:[ \u00a0\u202f]»)?|[{DENSE_STOPS}][’”」』）]*)\Z")
DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]\W*\Z")  # of Japanese and Chinese
FILLER = re.compile(r"(?:,\s|\A)(?:um+|uh+m?|erm|ähm?|euh),\s", re.IGNORECASE)  # of who thinks
UNOPENED, UNCLOSED = re.compile(r'[.,!?…]"(?!\w)'), re.compile(r'[\s(]?"(?=\w)')
CONNECTIVE = re.compile(
    r"(?:However|Therefore|Moreover|Furthermore|Thus|Hence|Additionally|In addition"
    r"|Consequently|Nevertheless|Nonetheless|Finally|Indeed|In fact|Similarly|Likewise"
    r"|For example|For instance|In contrast|By contrast|On the other hand|As a result"
    r"|In conclusion|In summary|To summarize|Overall|Accordingly|Instead|Meanwhile|Also|Then"
    r"|So|Still|Besides|In particular|Specifically|That is|In other words|Again"
    r"|As (?:already |was )?(?:discussed|mentioned|noted|described|stated|said|explained)"
    r" (?:earlier|above|before|previously)),\s+(?=\S)"
)


def tidy(sentence: str, follows: bool = False) -> str:
    """The sentence as it reads without those around it; ``follows``: the one before it stays
    there, so its connective does too.

    >>> tidy("However, cells divide [3, 4] slowly (Fig. 2).")
    'Cells divide slowly.'
    >>> tidy("• The doors open at nine.")
    'The doors open at nine.'
    >>> tidy("SUMMARY: The agency proposes new rules.")
    'The agency proposes new rules.'
    >>> tidy("[00:12:05] [laughs] Um, it was, uh, late.")
    'It was late.'
    >>> tidy("It affects some of the births.1,2")
    'It affects some of the births.'
    >>> tidy("However, [3] shows that p lies in [1, 4].", follows=True)
    'However, [3] shows that p lies in [1, 4].'
    >>> tidy("• Decide on electric buses in 2027;")
    'Decide on electric buses in 2027.'
    >>> tidy("很难"), tidy("어렵다")
    ('很难。', '어렵다.')
    >>> tidy('I have played here since I was nine," said Webb.')
    '"I have played here since I was nine," said Webb.'
    """
    text = " ".join(sentence.split())
    while bullet := BULLET.match(text):
        text = text[bullet.end() :]
    while label := LABEL.match(text):
        text = text[label.end() :]
    text = LAST_RAISED.sub(r"\1", RAISED.sub("", SOUND.sub("", text).lstrip()))
    if FILLER.search(text):
        text = _capital(FILLER.sub(" ", text).lstrip())
    cut = CITATION.sub(_cut, text)
    if cut != text:
        text = re.sub(r"\s+([,.;:!?])(?=\s|\Z)", r"\1", cut)
    if not follows and CONNECTIVE.match(text):
        text = _capital(CONNECTIVE.sub("", text, count=1))
    return _ended(_quoted(text))


def _ended(text: str) -> str:
    """With a stop at its end, which the points of a list do not have: without one they would run
    into each other, and the citation of the last would be that of all. A capital goes with it."""
    if not text or ENDED.search(text):
        return text
    return _capital(text.rstrip(" ,;:")) + ("。" if DENSE.search(text) else ".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quoted(text: str) -> str:
    """With the quotation mark that the sentence before or after it has."""
    if text.count('"') % 2:
        first, last = text.index('"'), text.rindex('"')
        if UNOPENED.match(text, first - 1 if first else first):
            return f'"{text}'
        return f'{text}"' if UNCLOSED.match(text, max(0, last - 1)) else text
    if "„" in text or (missing := text.count("”") - text.count("“")) == 0:
        return text  # in German “ closes
    return f"“{text}" if missing > 0 else f"{text}”"


def _cut(citation: re.Match[str]) -> str:
    """Nothing in place of a citation, unless the words before it need it."""
    before = citation.string[: citation.start()].rstrip()
    needed = not before or before.endswith(",") or NEEDED.search(before)
    return citation.group() if needed else ""
