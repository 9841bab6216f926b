"""Terms and their definitions are joined: neither says anything without the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from longt5.text.headings import MAX_HEADING_CHARACTERS, NUMBERED_LINE
from longt5.text.prose import BULLET
from longt5.text.sentences import ends_clause

from .line_layout import LARGE_TYPE, NEAR_MARGIN, BodyStyle, LaidOutLine, LineLayout
from .model import Block, BlockKind

_ENDS_TERM = (".", "?", "!", ":", "…")  # a question in place of a term has its own sign
_OPENING_SIGNS = "“\"‘'(["
_MIN_TERMS = 3  # two may be headings above quotations
_MIN_DEFINITION_INDENT, _MAX_DEFINITION_INDENT = (
    1.0,
    6.0,
)  # type sizes by which definitions are indented
_ASSUMED_SIZE = 11.0  # points, where only the indents are known
_MAX_DEFINITION_LINES, _MIN_SHORT_SHARE = 12, 0.8  # of a definition; nearly all are no longer


class _Term(NamedTuple):
    """A line that may be a term: its page and its line, and whether its definition is short."""

    page: int
    line: int
    is_short: bool


def may_be_term(text: str) -> bool:
    """Return whether a text is short enough for a term."""
    return len(text) <= MAX_HEADING_CHARACTERS and "\n" not in text


def with_term(term: str, definition: str) -> str:
    """Return a definition behind its term.

    >>> with_term("hub", "The middle of a wheel.")
    'hub: The middle of a wheel.'
    """
    return f"{term} {definition}" if term.endswith(_ENDS_TERM) else f"{term}: {definition}"


def mark_terms(pages: Sequence[Sequence[LaidOutLine]], body: BodyStyle) -> list[list[LaidOutLine]]:
    """Return the lines of pages, those marked that are terms: short lines, each with its
    definition below, which is indented. Fewer than three of one form are none, nor are the
    headings of sections whose text is indented."""
    forms: defaultdict[tuple[int, int, bool], list[_Term]] = defaultdict(list)
    for number, lines in enumerate(pages):
        for at in range(len(lines) - 1):
            if found := _term_at(lines, at, body):
                shift, layout, length = found
                form = round(shift), round(_left(layout)), layout.is_bold
                forms[form].append(_Term(number, at, length <= _MAX_DEFINITION_LINES))
    marked = [list(page) for page in pages]
    for own in forms.values():
        short = sum(term.is_short for term in own)
        if len(own) < _MIN_TERMS or short < _MIN_SHORT_SHARE * len(own):
            continue
        for term in own:
            text, own_layout = marked[term.page][term.line]
            if own_layout is not None:
                marked[term.page][term.line] = text, replace(own_layout, is_term=True)
    return marked


def _term_at(
    lines: Sequence[LaidOutLine], at: int, body: BodyStyle
) -> tuple[float, LineLayout, int] | None:
    """Return by how many points the lines below a line are indented, its layout, and how many
    lines these are, at most one more than a definition has; None where it is no term."""
    (text, layout), (below, under) = lines[at : at + 2]
    if layout is None or under is None or not _may_be_term_line(text, layout, body):
        return None
    shift = _left(under) - _left(layout)
    if not _MIN_DEFINITION_INDENT * under.size < shift < _MAX_DEFINITION_INDENT * under.size:
        return None
    if (
        under.is_row
        or under.is_monospaced
        or not (below[:1].isalpha() or below[:1] in _OPENING_SIGNS)
    ):
        return None
    before, above = lines[at - 1] if at else ("", None)
    if above is not None and _is_full(above) and not ends_clause(before):
        return None  # the last line of a paragraph
    if above is not None and above.is_monospaced and layout.is_monospaced:
        return None  # the last line of a listing
    definition = []
    for shown, own in lines[at + 1 : at + 2 + _MAX_DEFINITION_LINES]:
        if own is None or _left(own) < _left(under) - own.size / 2:
            break
        definition.append(shown)
    # One indented line may be the first of a paragraph.
    is_whole = len(definition) > 1 or ends_clause(below)
    is_shorter = len(text) < max(map(len, definition), default=0)
    return (shift, layout, len(definition)) if is_whole and is_shorter else None


def _may_be_term_line(text: str, layout: LineLayout, body: BodyStyle) -> bool:
    is_usual = layout.size < LARGE_TYPE * body.size and not (layout.is_row or _is_full(layout))
    is_short = bool(text) and may_be_term(text) and not ends_clause(text)
    is_item = BULLET.match(text) or NUMBERED_LINE.match(text)
    return is_usual and is_short and not is_item and any(map(str.isalpha, text))


def _is_full(layout: LineLayout) -> bool:
    return layout.space_right is not None and layout.space_right < NEAR_MARGIN


def join_definitions(placed: Sequence[tuple[Block, float]]) -> list[Block]:
    """Return paragraphs, each with its indent in points, as blocks with definitions behind their
    terms."""
    lines = [
        (
            block.text,
            LineLayout(_ASSUMED_SIZE, left=indent / _ASSUMED_SIZE)
            if block.kind is BlockKind.PARAGRAPH
            else None,
        )
        for block, indent in placed
    ]
    (marked,) = mark_terms([lines], BodyStyle(_ASSUMED_SIZE))
    found: list[Block] = []
    term = ""
    for (block, _), (_, layout) in zip(placed, marked, strict=True):
        if term:
            found[-1] = replace(block, text=with_term(term, block.text))
        else:
            found.append(block)
        term = block.text if layout is not None and layout.is_term else ""
    return found


def _left(layout: LineLayout) -> float:
    return layout.left * layout.size
