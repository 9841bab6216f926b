"""Where sentences end: boundaries only, in text that may still be growing."""

from __future__ import annotations

import re
from itertools import chain

STOPS = ".!?؟۔।॥"  # end a sentence where a space follows
DENSE_STOPS = "。！？"  # of scripts without spaces: end a sentence wherever they stand
CLOSING = r"[\"'”’»)\]]*"  # pattern of what may stand between a stop and the space
# The same in scripts without spaces, where a straight mark may open the next sentence.
DENSE_CLOSING = "”’」』》）)】"
NOTE_NUMBERS = r"\d{1,3}(?:[,–-]\d{1,3})*(?=\s|\Z)"  # raised, of notes or references
CAPTION_LABEL = re.compile(
    r"(?:Table|Figure|Fig\.|Listing|Algorithm|Box|TABLE|FIGURE|FIG\.|BOX|Tabelle|Abbildung|Tableau)"
    r"\s?(?:\d+[a-z]?|[A-Z]\d*)\b"
)
ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|al|[Cc]f|vs?|ex rel|Fed|Civ|Pub|Dr|Mr|Mrs|Ms|Prof"
    r"|Fig|Figs|Eq|Eqs|Sec|No|Nos|Vol|pp|St|Jr"
    r"|U\.S|approx|resp|Ref|Inc|Tel|Univ|Dept|Rev|Gen|Col|Capt|Lt|Sgt|Gov|Sen|Hon|Mt"
    r"|Nr|z|z\.B|d\. ?h|h\. ?c|u\. ?a|vgl|ca|bzw|inkl|zzgl|Mio|Mrd|Tsd|Hr|Hrsg|Sr|Sra|Dra|EE)"
    r"|(?<![\w.])[A-Z])\.\Z"
)
# Longer lines are paragraphs and not wrapped text. Chosen by hand: books and mail wrap at 60 to
# 100 characters; above that a paragraph of one sentence would be taken for a wrapped line.
MAX_WRAPPED_LINE = 120
BLANK_LINE = re.compile(r"\n[ \t]*\n")

_ENDING = re.compile(
    rf"[{STOPS}]{CLOSING}(?:[ \u00a0\u202f]»)?(?=\s|\Z)|[{DENSE_STOPS}]+[{DENSE_CLOSING}]*"
    rf"|(?<=[^\W\d_A-Z]{{4}})\.{CLOSING}{NOTE_NUMBERS}"
)
# Abbreviations before a number only: "p. 5", "Sept. 2022", "art. 12", "Hauptstr. 7", "N.C. 4".
_ABBREVIATION_BEFORE_NUMBER = re.compile(
    r"(?:\b(?:Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Okt|Nov|Dec|Dez|Abs|Abb|Tab|Kap|Bd|[Aa]rts?|[Cc]h|[Cc]l"
    r"|Stat|Cir"
    r"|figs?|eqs?|nos?|vols?|secs?|[Pp]aras?|[Nn]úm|[Pp]ágs?|p)"
    r"|[Ss]tr|\b[A-Z](?:\.[A-Z]){1,4})\.\Z"
)
_ORDINAL = re.compile(  # of German: "am 3. Oktober", "im 14. Jahrhundert"
    r"\b(?:(?<!I )[Aa]m|[Ii]m|[Vv]om|[Zz]u[mr]|[Dd]e[rsmn]|[Dd]as|[Bb]is|[Aa]b|[Ss]eit) \d{1,2}\.\Z"
)
# A volume and its reporter, before the page: "268 N.C. App. 1", "12 F. Supp. 2d 9".
_REPORTER = re.compile(r"\b\d{1,4} [A-Z]\.(?:[A-Z]\.)*(?: [A-Z][a-z]+\.)?\Z")
_PATH = re.compile(r"[/\\_=.@]\s?[\w-]*\.\Z")  # "man/hello.1"
_LOOK_BACK = 16  # characters before a stop that these patterns see: the longest match has 13
_NEXT_CHARACTER = re.compile(r"[^\S\n]*\n?[^\S\n]*(\S)")  # in the same paragraph
_NEVER_FIRST = ".,;:)"  # begin no sentence: "x1, . . . , xn"
_OPENING_QUOTES = "“„«"  # may begin a sentence after the number of a note
_LETTER = re.compile(r"[^\W\d_]")
_SPACE = re.compile(r"\s+")
_CELL_EDGE = re.compile(r" \| ")  # between the cells of a table's row
_TABLE_ROW = re.compile(r"^.* \| .*$", re.MULTILINE)
_ITEM_BREAK = re.compile(r"\n(?=[ \t]*(?:[•●○◦▪■□‣∙➢✓\uf0b7]\s|[-*–—]\s+[^\W_a-zß-ÿ]))")
_AT_END = re.compile(rf"[{STOPS}{DENSE_STOPS}]{CLOSING}$")
_AT_CLAUSE_END = re.compile(
    rf"[{STOPS}{DENSE_STOPS}:;：；]{CLOSING}(?:\d{{1,3}}(?:[,–-]\d{{1,3}})*)?$"
)
_STOP_BEFORE_SPACE = re.compile(rf"[{STOPS}](?=\s|\Z)")
_STOP_AND_CLOSING = re.compile(rf"[{STOPS}{DENSE_STOPS}”’\"')\]]*")

Span = tuple[int, int]  # (start, end) in characters


def sentence_ends(text: str) -> list[int]:
    """Return where sentences end.

    An end that something follows stays one whatever comes after its first character, so
    streamed sentences never change.
    """
    ends, begin = [], 0
    for match in _ENDING.finditer(text):
        if not _continues(text, begin, match):
            begin = match.end()
            ends.append(begin)
    return ends


def _continues(text: str, begin: int, stop: re.Match[str]) -> bool:
    """Return whether the sentence from ``begin`` continues after a stop.

    It does when the stop belongs to an abbreviation, to the number of a caption or to a file's
    name, and when a small letter follows, as in "Who?" he asked. After the number of a note only
    a capital or a quotation begins a sentence. Where sentences themselves begin with small
    letters, a small letter tells nothing.
    """
    if stop[0][0] in DENSE_STOPS:
        return False
    after = stop.start() + 1
    low = max(begin, after - _LOOK_BACK)
    has_note = stop[0][-1].isdigit()
    if has_note and _PATH.search(text, low, after):
        return True
    if any(kind.search(text, low, after) for kind in (ABBREVIATION, _ORDINAL, _REPORTER)):
        return True
    _, gap, label = text[low : after - 1].rpartition("\n\n")
    if (gap or low == begin) and CAPTION_LABEL.fullmatch(label.strip()):
        return True
    following = _NEXT_CHARACTER.match(text, stop.end())
    if following is None or stop.end() == following.start(1):
        return False
    if following[1] in _NEVER_FIRST:
        return True
    if has_note:
        return not (following[1].isupper() or following[1] in _OPENING_QUOTES)
    first = _LETTER.search(text, begin, after)
    if following[1].islower():
        return first is None or not first[0].islower()
    before_number = following[1].isdigit() or following[1] == "§"
    return before_number and _ABBREVIATION_BEFORE_NUMBER.search(text, low, after) is not None


def last_sentence_end(text: str) -> int:
    """Return the length of the longest prefix of full sentences, 0 without one."""
    return max(sentence_ends(text), default=0)


def is_full_sentence(text: str) -> bool:
    """Return whether a text ends where a sentence ends."""
    return last_sentence_end(text) == len(text)


def ends_sentence(line: str) -> bool:
    """Return whether a line ends with a stop, quotes and brackets after it allowed.

    Looks at the last characters only; :func:`sentence_ends` also knows abbreviations.
    """
    return _AT_END.search(line) is not None


def ends_clause(line: str) -> bool:
    """Return whether a line ends with a stop, a colon or a semicolon.

    Quotes, brackets and the number of a note may follow.
    """
    return _AT_CLAUSE_END.search(line) is not None


def contains_stop(text: str) -> bool:
    """Return whether a stop stands before a space or at the end, where a sentence ends or not."""
    return _STOP_BEFORE_SPACE.search(text) is not None


def after_stop(text: str, end: int) -> int:
    """Return where the stops, quotes and brackets end that follow a place.

    >>> after_stop('He said "no."', 11)
    13
    """
    found = _STOP_AND_CLOSING.match(text, end)
    return found.end() if found else end


def sentence_starts(text: str, low: int = 0, high: int | None = None) -> list[int]:
    """Return where the sentences begin that follow another one in ``text[low:high]``.

    >>> sentence_starts("One. Two vs. three. Four")
    [5, 20]
    """
    part = text[low:high]
    starts = []
    for end in sentence_ends(part):
        space = _SPACE.match(part, end)
        if space or part[end - 1] in f"{DENSE_STOPS}{DENSE_CLOSING}":
            starts.append(low + (space.end() if space else end))
    return starts


def settled_sentences(committed: str) -> str:
    """Return the sentences of committed text that later text cannot change."""
    words = committed.rstrip("\ufffd \n")  # half a character does not tell what follows
    gap = max(words.rfind(" "), words.rfind("\n"))
    return words[: max((end for end in sentence_ends(words) if end <= gap), default=0)]


def finish_text(text: str, reason: str) -> str:
    """Return a section's final text: full sentences, where it has any.

    Text that a person stopped (``reason`` "stopped") keeps its unfinished sentence, marked with
    an ellipsis. Half a character at the end is dropped.
    """
    text = text.rstrip().rstrip("\ufffd").rstrip()
    end = last_sentence_end(text)
    if end and reason != "stopped":
        return text[:end]
    return f"{text} …" if end < len(text) else text


def is_wrapped(text: str) -> bool:
    """Return whether paragraphs are wrapped over several lines."""
    return max(map(len, text.splitlines()), default=0) <= MAX_WRAPPED_LINE


def split_sentences(text: str) -> list[Span]:
    """Return the (start, end) of each sentence, without the space around it.

    A blank line, the next item of a list and the edges of a table's cell end a sentence too.
    """
    breaks = (match.start() for gap in (BLANK_LINE, _ITEM_BREAK) for match in gap.finditer(text))
    cells = (match.span() for kind in (_CELL_EDGE, _TABLE_ROW) for match in kind.finditer(text))
    cuts = sorted({*sentence_ends(text), *breaks, *chain.from_iterable(cells), len(text)})
    spans, begin = [], 0
    for end in cuts:
        body = text[begin:end]
        start = begin + len(body) - len(body.lstrip())
        if body.strip(" |\n"):
            spans.append((start, start + len(body.strip())))
        begin = end
    return spans


def sentence_spans(text: str) -> list[Span]:
    """Return the (start, end) of each sentence; unwrapped lines end one too.

    Where lines are paragraphs, a heading would else run into the sentence after it.
    """
    spans = split_sentences(text)
    if is_wrapped(text):
        return spans
    return [span for start, end in spans for span in _split_at_lines(text, start, end)]


def _split_at_lines(text: str, start: int, end: int) -> list[Span]:
    spans = []
    for line in text[start:end].split("\n"):
        body = line.strip()
        if body:
            begin = start + len(line) - len(line.lstrip())
            spans.append((begin, begin + len(body)))
        start += len(line) + 1
    return spans
