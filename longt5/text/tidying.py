"""A sentence as it reads on its own.

Without what stands in front of it (bullet, time code, clause number, label of an abstract's part,
heading, connective), without citations and references to figures, with both of its quotation
marks, and with a stop at its end.
"""

from __future__ import annotations

import re

from .prose import BULLET, MAX_LABEL_WORDS, VERB
from .sentences import CLOSING, DENSE_STOPS, NOTE_NUMBERS, STOPS
from .words import STOPWORDS

# What may stand in front of a sentence, one subject each.
_TIME_CODE = re.compile(
    r"[\[(]\d{1,2}:\d\d(?::\d\d)?[\])]\s+(?=\S)"
    r"|\d{1,2}:\d\d:\d\d(?:[.,]\d{1,3})?\s+(?=[^\sa-z])"
)
# A number of three parts, or with a stop, is a clause's.
_CLAUSE_NUMBER = re.compile(r"\d{1,2}(?:(?:\.\d{1,2}){2,3}|\.\d{1,2}\.)\s+(?=[A-Z])")
# A number of two parts may be an amount: "2.5 Meter", "2.5 DM".
_AMOUNT_OF = (
    r"Mill|Mio|Mrd|Bill|Trill|Per|Proz|Uhr|Euro|Dollar|Franken|Liter|Meter|Kilo|Gramm|Tonne"
    r"|Stunde|Minute|Sekunde|Grad|Celsius|Tesla"
)
_SHORT_CLAUSE_NUMBER = re.compile(
    r"\d{1,2}\.\d{1,2}\s+(?=(?:A|An|As|At|By|If|In|It|No|On|To|We)\s|[A-Z][a-zß-ÿ]{2}|[“\"])"
    rf"(?!{_AMOUNT_OF})"
)
_ABSTRACT_PARTS = (
    r"Background|Context|Introduction|Objectives?|Aims?|Purpose|Setting|Design|Methods?"
    r"|Findings?|Results?|Interpretation|Conclusions?|Summary|Abstract"
)
_ABSTRACT_LABEL = re.compile(
    rf"(?:{_ABSTRACT_PARTS}|{_ABSTRACT_PARTS.upper()})"
    r"(?::\s+|\s?—\s?|\s–\s)(?=[A-Z][^\W\d]*\s)"
)
LEADING = {
    "bullet": BULLET,
    "time code": _TIME_CODE,
    "clause number": _CLAUSE_NUMBER,
    "clause number of two parts": _SHORT_CLAUSE_NUMBER,
    "label of an abstract's part": _ABSTRACT_LABEL,
}

# A capital within a sentence that no name has: "Conclusions In this paper, we show ...".
_NEW_START = re.compile(r"(?<=[\w’')\]] )([A-Z][a-z]+) (?=[a-z])")

# "(May 2019)" and "(Since 1990)" are no citations.
_MONTH = (
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_PERIOD = r"Spring|Summer|Autumn|Fall|Winter|FY|Q[1-4]"
_DATE_PREPOSITION = r"Since|Until|In|By|From|Before|After|About|Around"
_NO_DATE = rf"(?!(?:{_MONTH}|{_PERIOD}|{_DATE_PREPOSITION})\.?,? \d{{4}})"
_AUTHOR_WORD = r"[A-Z][\w'’.-]*"
_AUTHORS = rf"{_AUTHOR_WORD}(?: (?:and|&) {_AUTHOR_WORD}| et al\.?,?)*"
# "(World Health Organization, 2019)": the name of an institution takes a comma.
_INSTITUTION = (
    rf"{_AUTHOR_WORD}(?: (?:(?:of|for|on|and)(?: the)? )?{_AUTHOR_WORD}){{1,6}}, ?\d{{4}}[a-z]?"
)
_NUMBERED_CITATION = r"\[[1-9]\d*(?:\s*[,;–-]\s*[1-9]\d*)*\]"
_NAMED_CITATION = (
    rf"\((?:(?:see|cf\.?|e\.g\.,?)\s+)?{_NO_DATE}(?:{_AUTHORS},? ?\d{{4}}[a-z]?|{_INSTITUTION})"
    rf"(?:[;,] ?(?:{_AUTHORS},? ?)?\d{{4}}[a-z]?)*\)"
)
_CROSS_REFERENCE = (
    r"\((?:see )?(?:Figs?|Figure|Figures|Tables?|Eqs?|Equation|Sec|Section|Chapter|Appendix)"
    r"\.?\s[^()]{1,24}\)"
)
_CITATION = re.compile(rf"\s*(?:{_NUMBERED_CITATION}|{_NAMED_CITATION}|{_CROSS_REFERENCE})")
# What needs the citation: "as shown in [3]", "that of (Lee, 1996)", "values in [1, 5]", "x[3]".
_NEEDS_CITATION = re.compile(
    r"(?:(?<![^\W_])[^\W_]{1,2}|[=∈<>+*/(-]|\b(?:from|with|see|and|than|that|interval|range|ranges"
    r"|between|equations?|refs?|references?|papers?|works?))\Z",
    re.IGNORECASE,
)
_SPACE_BEFORE_STOP = re.compile(r"\s+([,.;:!?])(?=\s|\Z)")

# Numbers of notes after a word of four letters: after fewer they may be an exponent or a formula.
_WORD_BEFORE_NOTE = r"(?<=[^\W\d_A-Z]{4}"
_NOTE_NUMBER = re.compile(
    rf"{_WORD_BEFORE_NOTE},){NOTE_NUMBERS}|{_WORD_BEFORE_NOTE}:)\d{{1,2}}(?=\s[A-Z])"
)
_LAST_NOTE_NUMBER = re.compile(rf"{_WORD_BEFORE_NOTE})(\.{CLOSING}){NOTE_NUMBERS}\Z")
_SOUND = re.compile(  # of a transcript; in round brackets a person may study "the arts (music)"
    r"\s*(?:[\[(](?:laughs?|laughter|chuckles?|sighs?|coughs?|applause"
    r"|crosstalk|inaudible|unintelligible)[\])]|\[(?:cheers|music|silence|pauses?)\])",
    re.IGNORECASE,
)
_FILLER = re.compile(r"(?:,\s|\A)(?:um+|uh+m?|erm|ähm?|euh),\s", re.IGNORECASE)
_CONNECTIVE = re.compile(
    r"(?:However|Therefore|Moreover|Furthermore|Thus|Hence|Additionally|In addition"
    r"|Consequently|Nevertheless|Nonetheless|Finally|Indeed|In fact|Similarly|Likewise"
    r"|For example|For instance|In contrast|By contrast|On the other hand|As a result"
    r"|In conclusion|In summary|To summarize|Overall|Accordingly|Instead|Meanwhile|Also|Then"
    r"|So|Still|Besides|In particular|Specifically|That is|In other words|Again"
    r"|As (?:already |was )?(?:discussed|mentioned|noted|described|stated|said|explained)"
    r" (?:earlier|above|before|previously)),\s+(?=\S)"
)
_HAS_STOP = re.compile(
    rf"(?:[{STOPS}…]{CLOSING}(?:[ \u00a0\u202f]»)?|[{DENSE_STOPS}][’”」』）]*)\Z"
)
_DENSE_END = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]\W*\Z")  # of Japanese and Chinese
_CLOSING_QUOTE, _OPENING_QUOTE = re.compile(r'[.,!?…]"(?!\w)'), re.compile(r'[\s(]?"(?=\w)')


def tidy(sentence: str, follows: bool = False) -> str:
    """Return a sentence as it reads without the sentences around it.

    ``follows``: the sentence before it stays in front of it, so its connective stays too.

    >>> tidy("However, cells divide [3, 4] slowly (Fig. 2).")
    'Cells divide slowly.'
    >>> tidy("• The doors open at nine.")
    'The doors open at nine.'
    >>> tidy("SUMMARY: The agency proposes new rules.")
    'The agency proposes new rules.'
    >>> tidy("Choice of towns The aim was to find places without a ferry.")
    'The aim was to find places without a ferry.'
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
    text = _without_leading(" ".join(sentence.split()))
    text = _without_heading(text)
    text = _NOTE_NUMBER.sub("", _SOUND.sub("", text).lstrip())
    text = _LAST_NOTE_NUMBER.sub(r"\1", text)
    if _FILLER.search(text):
        text = _capitalize(_FILLER.sub(" ", text).lstrip())
    text = _without_citations(text)
    if not follows and _CONNECTIVE.match(text):
        text = _capitalize(_CONNECTIVE.sub("", text, count=1))
    return _with_stop(_with_both_quotes(text))


def _without_leading(text: str) -> str:
    """Return a sentence without bullets, numbers and labels in front of it."""
    while found := next(filter(None, (piece.match(text) for piece in LEADING.values())), None):
        text = text[found.end() :]
    return text


def new_start(sentence: str) -> int:
    """Return where an English sentence begins anew, as after a heading without a stop; 0: nowhere.

    >>> new_start("Results In this survey, we asked nine libraries.")
    8
    """
    starts = (m for m in _NEW_START.finditer(sentence) if m[1].lower() in STOPWORDS)
    return next((start.start() for start in starts), 0)


def _without_heading(text: str) -> str:
    """Return a sentence without a heading in front, which has few words and no verb."""
    start = new_start(text)
    heading = text[:start].split()
    is_long = len(heading) > MAX_LABEL_WORDS or ":" in text[:start]
    if not heading or is_long or VERB.search(text, 0, start):
        return text
    return text if heading[-1].lower() in STOPWORDS else text[start:]


def _without_citations(text: str) -> str:
    """Return a sentence without the citations that its words do not need."""
    cut = _CITATION.sub(_citation_or_nothing, text)
    return text if cut == text else _SPACE_BEFORE_STOP.sub(r"\1", cut)


def _citation_or_nothing(citation: re.Match[str]) -> str:
    before = citation.string[: citation.start()].rstrip()
    is_needed = not before or before.endswith(",") or _NEEDS_CITATION.search(before)
    return citation.group() if is_needed else ""


def _with_both_quotes(text: str) -> str:
    """Return a sentence with the quotation mark that the sentence before or after it has."""
    if text.count('"') % 2:
        first, last = text.index('"'), text.rindex('"')
        if _CLOSING_QUOTE.match(text, first - 1 if first else first):
            return f'"{text}'
        return f'{text}"' if _OPENING_QUOTE.match(text, max(0, last - 1)) else text
    if "„" in text or (missing := text.count("”") - text.count("“")) == 0:
        return text  # in German “ closes
    return f"“{text}" if missing > 0 else f"{text}”"


def _with_stop(text: str) -> str:
    """Return a sentence with a stop at its end and then a capital at its beginning.

    The items of a list have no stops: without them they would run into each other, and the
    citation of the last one would be that of all.
    """
    if not text or _HAS_STOP.search(text):
        return text
    return _capitalize(text.rstrip(" ,;:")) + ("。" if _DENSE_END.search(text) else ".")


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]
