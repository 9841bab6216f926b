"""Wrapped lines of text become paragraphs, rows of tables and listings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from longt5.text.headings import MARKDOWN_HEADING
from longt5.text.sentences import MAX_WRAPPED_LINE

from ..characters import normalize_characters
from ..dehyphenation import Dehyphenator
from ..interrupted_sentences import rejoin_cut_paragraphs
from ..listings import indented_listings
from ..model import Block, BlockKind
from ..paragraphs import join_lines
from .blocks import lines_of, paragraphs_of
from .speech import cut_speech, is_unpunctuated

_COLUMN_GAP = re.compile(r"(?<=\S)(?: {4,}| *\t+ *)(?=\S)")  # between the columns of a table
_ITEM_LABEL_CHARACTERS = 6  # at a line's start; the gap after a number there is no table's
_LOG_ENTRY_OR_SPEAKER = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]|\[\d{1,2}:\d\d(?::\d\d)?\]|\d{1,2}:\d\d:\d\d\b"
    r"|[A-Z][A-Z .'’-]{1,30}:\s"
)
_CELL_SEPARATOR = " | "


def prose_blocks(lines: Sequence[str]) -> list[Block]:
    """Return the paragraphs, rows and listings of wrapped lines."""
    join_word = Dehyphenator.of(["\n".join(map(normalize_characters, lines))]).join
    blocks: list[Block] = []
    begin = 0
    for start, end in [*indented_listings(lines), (len(lines), len(lines))]:
        text = "\n".join(map(normalize_characters, _set_apart(lines[begin:start])))
        joined = join_lines(text, join_word=join_word).replace("\ufffe", "-")
        paragraphs = "\n\n".join(rejoin_cut_paragraphs(joined.split("\n\n")))
        blocks += [part for block in paragraphs_of(paragraphs) for part in _with_kind(block)]
        if shown := lines_of("\n".join(lines[start:end])):
            blocks.append(Block(shown, BlockKind.CODE))
        begin = end
    return blocks


def _with_kind(block: Block) -> list[Block]:
    """Return a paragraph with its kind; speech that nobody punctuated is cut into pieces."""
    if _CELL_SEPARATOR in block.text:
        return [Block(block.text, BlockKind.TABLE_ROW)]
    if is_unpunctuated(block.text):
        return list(map(Block, cut_speech(block.text)))
    return [block]


def _set_apart(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines, with a blank line around each one that is not wrapped: rows of tables,
    headings, paragraphs on one line, entries of a log."""
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        body = line.strip()
        label, rest = body[:_ITEM_LABEL_CHARACTERS], body[_ITEM_LABEL_CHARACTERS:]
        cells = label + _COLUMN_GAP.sub(_CELL_SEPARATOR, rest)
        if cells != body:
            yield from ("", cells, "")
        elif MARKDOWN_HEADING.match(body):
            yield from ("", body, "")
        elif len(body) > MAX_WRAPPED_LINE:
            goes_on = following.lstrip()[:1].islower()
            yield from (*([] if body[0].islower() else [""]), body, *([] if goes_on else [""]))
        elif _LOG_ENTRY_OR_SPEAKER.match(body):
            yield from ("", body)
        else:
            yield body
