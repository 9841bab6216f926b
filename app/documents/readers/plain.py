"""Plain text becomes paragraphs: wrapped lines are joined, what mail adds to a letter goes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from longt5.text.sentences import MAX_WRAPPED_LINE

from ...warning import AppWarning, WarningKind
from .parts import Block, paragraphs_of
from .pdf.interrupted_sentences import put_together
from .pdf.paragraphs import join_lines
from .subtitles import is_subtitles, speech_of

_QUOTED = re.compile(r"[ \t]*(?:>[ \t]?)+")
_SIGNATURE = re.compile(r"--[ \t]*")
_GAP = re.compile(r"(?<=\S)(?: {4,}| *\t+ *)(?=\S)")  # between the columns of a table
_ENTRY = re.compile(  # of a log, or who speaks when
    r"\[?\d{4}-\d\d-\d\d[T ]|\[\d{1,2}:\d\d(?::\d\d)?\]|\d{1,2}:\d\d:\d\d\b"
    r"|[A-Z][A-Z .'’-]{1,30}:\s"
)
_MESSAGE = re.compile(  # of an exported chat: when, and who
    r"\u200e?\[?\d{1,2}[./-]\d{1,2}[./-]\d{2,4},\s\d{1,2}:\d\d(?::\d\d)?(?:\s?[AaPp]\.?\s?[Mm]\.?)?"
    r"(?:\]| -)\s+([^:]{1,40}:\s)?"
)
_OMITTED = re.compile(r"\u200e?(?:<[^<>]+>|[\w ]{1,20} omitted)")
_HEADING = re.compile(r"#{1,6}\s")
_FRAME = {
    edge: re.compile(rf"^[ \t]*\*\*\* ?{edge} OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.M)
    for edge in ("START", "END")
}
_CELL = " | "
BREAK = "\f"  # between pages
MESSAGES = 3  # of an exported chat at least
LABEL = 6  # characters at the start of a line: the gap after a number is no table's


def blocks_of(content: str) -> tuple[list[Block], list[AppWarning]]:
    """The paragraphs of a text, each on one line, with the rows of its tables; and what to say of
    that which is left out."""
    from ..cleaning import Hyphens, characters
    from .page_breaks import without_pages

    if is_subtitles(content):
        return speech_of(content), [_left_out("The numbers and times of the subtitles are")]
    book, is_framed = _book(content)
    lines, is_chat = _chat(book.split("\n"))
    quoted, signatures = _letters(without_pages("\n".join(lines)).split("\n"))
    text = "\n".join(map(characters, _apart(quoted)))
    (joined,) = put_together([join_lines(text, join_word=Hyphens.of([text]).join)])
    found = [Block(b.text, 0, _CELL in b.text) for b in paragraphs_of(joined)]
    if not found:
        return paragraphs_of(content.replace(BREAK, "\n\n")), []
    left_out = ["What Project Gutenberg says around the book is"] if is_framed else []
    if signatures:
        what = "1 signature of a mail is" if signatures == 1 else f"{signatures} signatures are"
        left_out.append(what)
    if is_chat:
        left_out.append("The times of the messages, and what the chat itself says, are")
    return found, list(map(_left_out, left_out))


def _left_out(what: str) -> AppWarning:
    return AppWarning(WarningKind.BOILERPLATE_LEFT_OUT, f"{what} left out.")


def _chat(lines: list[str]) -> tuple[list[str], bool]:
    """The messages of an exported chat, each a paragraph that begins with who says it, and whether
    there are some; else the lines as they are."""
    starts = [_MESSAGE.match(line) for line in lines]
    if sum(start is not None and start[1] is not None for start in starts) < MESSAGES:
        return lines, False
    found: list[str] = []
    for line, start in zip(lines, starts, strict=True):
        words = line[start.end() :] if start else line
        if start is None:
            found.append(line)
        elif start[1] and not _OMITTED.fullmatch(words.strip()):
            found += ["", start[1] + words]
    return found, True


def _book(content: str) -> tuple[str, bool]:
    """The text between the lines where Project Gutenberg says that its book begins and ends, and
    whether there are such."""
    begin, end = (_FRAME[edge].search(content) for edge in ("START", "END"))
    first, last = begin.end() if begin else 0, end.start() if end else len(content)
    return (content[first:last], True) if begin or end else (content, False)


def _letters(lines: list[str]) -> tuple[list[str], int]:
    """The lines without marks of quotation and signatures, and how many of these there were."""
    found, count, is_signature = [], 0, False
    for line in lines:
        line = line[quoted.end() :] if (quoted := _QUOTED.match(line)) else line
        if _SIGNATURE.fullmatch(line):
            count += not is_signature
            is_signature = True
        is_signature = is_signature and bool(line.strip())
        if not is_signature:
            found.append(line)
    return found, count


def _apart(lines: list[str]) -> Iterator[str]:
    """The lines, with a blank one around each that stands for itself."""
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        body = line.strip()
        cells = body[:LABEL] + _GAP.sub(_CELL, body[LABEL:])
        if cells != body:
            yield from ("", cells, "")
        elif _HEADING.match(body):
            yield from ("", body, "")
        elif len(body) > MAX_WRAPPED_LINE:
            goes_on = following.lstrip()[:1].islower()
            yield from (*([] if body[0].islower() else [""]), body, *([] if goes_on else [""]))
        elif _ENTRY.match(body):
            yield from ("", body)
        else:
            yield body
