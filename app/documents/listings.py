"""Listings of code: monospaced lines that stand apart from the prose and are none themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from longt5.text.prose import may_be_quoted
from longt5.text.sentences import sentence_spans

from .line_layout import LARGE_TYPE, BodyStyle, LaidOutLine
from .model import Block, BlockKind

_MIN_CODE_INDENT = 0.5  # type sizes: the indent, or more space above than usual, of a single line
_MAX_PROSE_SHARE = 0.5  # of the letters of a listing: in comments, and in what it prints
_CODE_SIGN = re.compile(  # of a line: a prompt, an option, an assignment, a call, an end, a remark
    r"^\s*(?:[$%>] |>>> )|(?:^|\s)--?[a-z][\w-]*(?:[\s=]|$)|\w(?:\[\w*\])? ?(?:[-+:|]?=|->) ?\S"
    r"|\w\([^()\s]*\)|[;{}]\s*$|</?\w+(?:\s[^<>]*)?/?>|^\s*(?:#\w|//|/\*)"
)
_MIN_SIGNS = 0.5  # of the lines: of five in a session at a prompt two are what it prints
_BEGINS_PROSE = re.compile(r"[^\W\d_]|[“\"‘'(]")


def is_code(text: str) -> bool:
    """Return whether a text in monospaced type is not mostly prose, as a letter is."""
    prose = sum(
        end - start
        for start, end in sentence_spans(text)
        if _BEGINS_PROSE.match(text, start) and may_be_quoted(text[start:end])
    )
    return prose < _MAX_PROSE_SHARE * len(text.strip())


def join_listings(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield blocks, those of code that follow each other as one; mere paragraphs where they are
    mostly prose."""
    run: list[Block] = []
    for block in blocks:
        if block.kind is not BlockKind.CODE:
            yield from _joined_listing(run)
            run = []
            yield block
        else:
            run.append(block)
    yield from _joined_listing(run)


def _joined_listing(run: Sequence[Block]) -> list[Block]:
    text = "\n".join(block.text for block in run)
    if not run or is_code(text):
        return [replace(run[0], text=text)] if run else []
    return [replace(block, kind=BlockKind.PARAGRAPH) for block in run]


def indented_listings(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return (start, end) of the runs of lines between blank ones that are indented more than the
    text is, and are code: half of them have its signs."""
    indents = [len(line) - len(line.lstrip()) for line in lines]
    counts: Counter[int] = Counter()
    for line, indent in zip(lines, indents, strict=True):
        counts[indent] += len(line.strip())
    usual = counts.most_common(1)[0][0] if counts else 0
    found, start = [], 0
    for at, line in enumerate([*lines, ""]):
        if line.strip():
            continue
        run = lines[start:at]
        if run and min(indents[start:at]) > usual:
            signs = sum(_CODE_SIGN.search(row) is not None for row in run)
            if signs >= _MIN_SIGNS * len(run) and is_code("\n".join(run)):
                found.append((start, at))
        start = at + 1
    return found


def mark_listings(lines: Sequence[LaidOutLine], body: BodyStyle) -> list[LaidOutLine]:
    """Return the lines of a page, those of listings marked. A page whose document is set in
    monospaced type has none."""
    found = list(lines)
    for start, end in () if body.is_monospaced else _monospaced_runs(lines, body):
        is_set_off = end - start > 1 or _is_set_off(lines, start, body)
        if is_set_off and is_code("\n".join(text for text, _ in lines[start:end])):
            for at, (text, layout) in enumerate(lines[start:end], start):
                found[at] = text, None if layout is None else replace(layout, is_code=True)
    return found


def _monospaced_runs(lines: Sequence[LaidOutLine], body: BodyStyle) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of lines that follow each other in monospaced type, not in that of
    headings."""
    start = 0
    for at, (_, layout) in enumerate([*lines, ("", None)]):
        is_one = (
            layout is not None
            and layout.is_monospaced
            and not layout.is_term
            and not layout.size >= LARGE_TYPE * body.size
        )
        if not is_one:
            if at > start:
                yield start, at
            start = at + 1


def _is_set_off(lines: Sequence[LaidOutLine], at: int, body: BodyStyle) -> bool:
    """Return whether a line in monospaced type is no line of the paragraph around it."""
    layout = lines[at][1]
    before, above = lines[at - 1] if at else ("", None)
    if layout is None or above is None:
        return False
    shift = layout.left * layout.size - above.left * above.size
    is_moved = shift > _MIN_CODE_INDENT * body.size
    is_far = layout.space_above * layout.size > (body.space_above + _MIN_CODE_INDENT) * body.size
    return is_moved or is_far or before.endswith(":")
