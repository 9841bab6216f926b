"""Plain text becomes paragraphs: wrapped lines are joined, what mail adds to a letter goes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.documents.paragraphs import join_lines
from app.documents.parts import Block, paragraphs_of
from longt5.sentences import WRAPPED

_QUOTED = re.compile(r"[ \t]*(?:>[ \t]?)+")
_SIGNATURE = re.compile(r"--[ \t]*")
_GAP = re.compile(r"(?<=\S)(?: {4,}| *\t+ *)(?=\S)")  # between the columns of a table
_ENTRY = re.compile(  # of a log, or who speaks when
    r"\[?\d{4}-\d\d-\d\d[T ]|\[\d{1,2}:\d\d(?::\d\d)?\]|\d{1,2}:\d\d:\d\d\b"
    r"|[A-Z][A-Z .'’-]{1,30}:\s"
)
_HEADING = re.compile(r"#{1,6}\s")
_CELL = " | "
LABEL = 6  # characters at the start of a line: the gap after a number is no table's


def blocks_of(content: str) -> list[Block]:
    """The paragraphs of a text, each on one line, and the rows of its tables."""
    from app.cleaning import Hyphens, characters

    text = "\n".join(map(characters, _lines(content.split("\n"))))
    joined = join_lines(text, join_word=Hyphens.of([text]).join)
    found = [Block(b.text, 0, _CELL in b.text) for b in paragraphs_of(joined)]
    return found or paragraphs_of(content)


def _lines(lines: list[str]) -> Iterator[str]:
    """The lines without marks of quotation and signatures; a blank one around each that stands
    for itself."""
    is_signature = False
    for line in lines:
        line = line[quoted.end() :] if (quoted := _QUOTED.match(line)) else line
        is_signature = bool(line.strip()) and (is_signature or bool(_SIGNATURE.fullmatch(line)))
        if is_signature:
            continue
        body = line.strip()
        cells = body[:LABEL] + _GAP.sub(_CELL, body[LABEL:])
        if cells != body:
            yield from ("", cells, "")
        elif len(body) > WRAPPED or _HEADING.match(body):
            yield from ("", body, "")
        elif _ENTRY.match(body):
            yield from ("", body)
        else:
            yield body
