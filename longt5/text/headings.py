"""One grammar of headings: which lines are headings, and what their numbers and titles mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .sentences import (
    BLANK_LINE,
    CAPTION_LABEL,
    is_wrapped,
    last_sentence_end,
    sentence_ends,
)

if TYPE_CHECKING:
    from .source import SourceText

# Longer lines are sentences without a stop. Chosen by hand: with much less, the titles of papers
# would be lost, with much more, short paragraphs that a colon ends would be headings.
MAX_HEADING_CHARACTERS = 90

# Parts of a heading line: signs of Markdown, a number or the name of a part, a title.
_CAPITAL = "[A-ZÀ-ÖØ-ÞŒŚŠŻŽČĆĐŁΑ-ΩА-Я]"
_NOT_SMALL = r"[^\W\d_a-zß-öø-ÿ]"  # a capital, or a letter of a script that has none
_MARKDOWN = r"#{1,6}"
_NUMBER = r"\d{1,3}(?:\.\d{1,2})*"
_ROMAN = r"[IVX]{1,5}"
_NAMED_PART = (
    r"Chapter \S+|Appendix \S+|(?:Section|Part|Article|Schedule|Annex|Kapitel|Teil|Anhang|Artikel"
    r"|Chapitre|Partie|Annexe|Cap[íi]tulo|Parte|Anexo) (?:\d[\d.]{0,5}|[IVXL]{1,6}|[A-Z])[.:]?"
)
_TITLE = rf"{_CAPITAL}\S.{{0,70}}"

MARKDOWN_HEADING = re.compile(rf"{_MARKDOWN}\s")
# A line that is a heading by its sign, its number or its words, wherever it stands.
HEADING_LINE = re.compile(
    rf"^(?:{_MARKDOWN}\s+\S.*|(?:{_NUMBER}\.?|{_ROMAN}\.|{_NAMED_PART})\s+(?:[–—-]\s)?{_TITLE}"
    r"|(?:Abstract|Introduction|Background|Methods|Results|Discussion|Conclusions?|References))"
    r"\s*$",
    re.MULTILINE,
)
APPENDIX_LINE = re.compile(rf"^([A-Z])\.?\s+{_TITLE}(?<![.;:,])$", re.MULTILINE)
# The beginning of a numbered heading; "3.5 million people moved" has a small letter.
NUMBERED_HEADING = re.compile(rf"(?:{_NUMBER}\.?|{_ROMAN}\.|Chapter \d+)\s+{_NOT_SMALL}")
# The beginning of one with a number of several parts; "3.5 Millionen Menschen" is an amount.
SECTION_NUMBER = re.compile(
    r"\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+(?!Milli[oa]|Billion|Mio|Mrd|Prozent|Percent|Euro\b)[A-Z]"
)
# A numbered line, and the title that makes it the heading of a chapter.
NUMBERED_LINE = re.compile(
    rf"^(?:{_MARKDOWN}\s*)?(?P<number>{_NUMBER})[.:]?\s+(?P<title>\S.*)$", re.MULTILINE
)
CHAPTER_TITLE = re.compile(rf"{_NOT_SMALL}[^.;]{{0,70}}(?<![,:])")
# What a running header has in front of a chapter's title.
CHAPTER_LABEL = re.compile(
    r"(?:chapter|appendix|kapitel|chapitre|section)\s+[\dIVXA-Z]+\b[.:]", re.IGNORECASE
)

_PREFIX_NUMBER = rf"(?:Chapter )?(?P<number>{_NUMBER})\.?\s+|{_ROMAN}\.\s+"
_PREFIX = rf"(?:{_MARKDOWN}\s*)?(?:{_PREFIX_NUMBER})?"
_LETTERED_PREFIX = rf"(?:{_MARKDOWN}\s*)?(?:{_PREFIX_NUMBER}|[A-Z]\.?\s+)?"  # "A Appendix"


def _title_line(words: str, end: str = r"\s*[.:]?") -> re.Pattern[str]:
    """Return the pattern of a heading line with one of these titles; group "number" is its own."""
    line = rf"^{_LETTERED_PREFIX}(?:{words}){end}$"
    return re.compile(line, re.IGNORECASE | re.MULTILINE)


# Titles by what the section under them is, in the languages of the samples.
CONTENTS_TITLE = _title_line(
    r"(?:table of )?contents?|list of (?:tables|figures|abbreviations)|inhalt(?:sverzeichnis)?"
    r"|table des matières|sommaire|índice(?: general)?|indice|目录|目次"
)
REFERENCES_TITLE = _title_line(
    r"references(?: and notes| cited)?|bibliography|works cited|literature(?: cited)?"
    r"|literaturverzeichnis|literatur|bibliographie"
)
# Sections that are lists of sources where their lines look so.
SOURCES_TITLE = _title_line(
    r"(?:foot|end)?notes(?: and (?:references|sources))?|citations|sources|further reading"
    r"|external links|einzelnachweise|quellen|weblinks|anmerkungen|notes et références"
    r"|liens externes|voir aussi|fuentes|notas|enlaces externos"
)
ACKNOWLEDGEMENTS_TITLE = _title_line(
    r"acknowledge?ments?|contributors|list of contributors|danksagung|remerciements"
    r"|agradecimientos"
)
# Sections that a list of references never contains.
TITLE_AFTER_REFERENCES = _title_line(
    r"appendi(?:x|ces)|annex(?:es)?|supplement(?:ary|al)?|supporting information|glossary|index"
    r"|acknowledge?ments?|about the authors?|anhang|(?:online |materials and )?methods"
    r"|extended data|author contributions|(?:data|code) availability|competing interests"
    r"|conclusions?|chapter \d+|part [IVX\d]+",
    r"\b.{0,80}(?<![.,;])",
)
# The beginning of a paragraph with which a document's own text begins.
OPENING_TITLE = re.compile(
    rf"{_PREFIX}(?:abstract|(?:executive )?summary|introduction|key messages|highlights|foreword"
    r"|preface|zusammenfassung|einleitung|vorwort|résumé|avant-propos|resumen|introducción"
    r"|prólogo)\b",
    re.IGNORECASE,
)
# Words of the titles of sections that say what a document is about, and of those that do not.
KEY_SECTION = re.compile(
    r"summary|abstract|conclu|introduc|overview|motivation|background|purpose|goal|highlight|key",
    re.IGNORECASE,
)
SIDE_SECTION = re.compile(
    r"example|reference|acknowledg|appendix|test|exercise|question|alternativ|drawback|related"
    r"|unresolved|copyright|history|changelog|footnote|bibliograph|further|implementation",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\n")

Place = tuple[int, str]  # where a heading starts, and its words


def is_heading(line: str) -> bool:
    """Return whether the words of a line may be a heading.

    A heading is short, contains no end of a sentence and is no caption.
    """
    is_short = 0 < len(line) <= MAX_HEADING_CHARACTERS
    return is_short and not last_sentence_end(line) and not CAPTION_LABEL.match(line)


def heading_places(text: str) -> list[Place]:
    """Return (start, words) of each heading, in order.

    A heading is a paragraph of its own, or a line of its own where lines are paragraphs.
    """
    found, start = [], 0
    gaps = (BLANK_LINE if is_wrapped(text) else _LINE_END).finditer(text)
    for end, after in [*(gap.span() for gap in gaps), (len(text), len(text))]:
        line = " ".join(text[start:end].split())
        if is_heading(line):
            found.append((start, line))
        start = after
    return found


def without_headings(text: str, source: SourceText) -> str:
    """Return a text without the headings of its source that run into the sentence after them.

    A model that copies takes both for one sentence. Words that begin a sentence of the source are
    no heading of it: under "Microsoft" it may say "Microsoft Corporation". What this removes from
    a sentence never changes when text is appended.
    """
    by_length = sorted((words for _, words in source.headings), key=len, reverse=True)
    parts, begin = [], 0
    for end in [*sentence_ends(text), len(text)]:
        sentence = text[begin:end]
        space = len(sentence) - len(sentence.lstrip())
        rest = sentence[space:]
        for heading in by_length:
            runs_in = rest.startswith(heading) and re.match(r" [^\W\d_a-z]", rest[len(heading) :])
            if runs_in and rest[: len(heading) + 2] not in source.text:
                rest = rest[len(heading) + 1 :]
                break
        parts.append(sentence[:space] + rest)
        begin = end
    return "".join(parts)
