"""The lines of a page are joined to paragraphs, headings, and rows of lists and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import quantiles

from longt5.text.sentences import ends_clause

from .dehyphenation import keep_hyphen
from .line_layout import NEAR_MARGIN, BodyStyle, LineLayout
from .line_patterns import CJK_CHARACTER, cut_word
from .paragraph_breaks import NEW_LINE, NEW_PARAGRAPH, LinePair, rule_for
from .run_in_headings import run_in_heading, without_full_stop

_FIRST_HALF_WORD = re.compile(r"[^\W_]+")
_RANGE_ENDS, _ADDRESS_ENDS = ("–", "—"), ("/", "@")
_RANGE_END = re.compile(r"\d[–—]$")  # "2018–" at a line's end, whose other number is on the next
_ADDRESS_END = re.compile(r"(?:https?:/|www\.)\S*/$|\w@$")
_FULL_LINE_DECILE = 7  # of the lengths of lines: three in ten lines are full, or longer

JoinWord = Callable[[str, str, str], str]


@dataclass(frozen=True)
class JoinedLines:
    """A paragraph, a heading or rows, the indexes of the lines that it is made of, and where the
    text of each of these begins."""

    text: str
    lines: tuple[int, ...]
    starts: tuple[int, ...]


def join_lines(text: str, join_word: JoinWord = keep_hyphen) -> str:
    """Return the lines of a plain text as paragraphs with a blank line between; rows of lists and
    tables keep lines of their own. `join_word` joins a word cut at a line's end, given its
    halves and the hyphen between."""
    lines = [(line, None) for line in text.split("\n")]
    return "\n\n".join(block.text for block in join_laid_out(lines, BodyStyle(), join_word))


def join_laid_out(
    lines: Sequence[tuple[str, LineLayout | None]], body: BodyStyle, join_word: JoinWord
) -> list[JoinedLines]:
    """Return lines, each with its place on the page where that is known, as blocks."""
    lengths = [len(line) for line, _ in lines if len(line) > 1]
    is_enough = len(lengths) >= 4
    full_width = (
        quantiles(lengths, n=10)[_FULL_LINE_DECILE] if is_enough else max(lengths, default=0)
    )
    blocks: list[list[str]] = []  # in pieces: a page may be one paragraph of a million letters
    sources: list[list[int]] = []
    before, above = "", None
    for i, (line, below) in enumerate(lines):
        if not line:
            before, above = "", None
            continue
        following = lines[i + 1][0] if i + 1 < len(lines) else ""
        separator = NEW_PARAGRAPH
        if before:
            pair = LinePair(before, line, above, below, body, full_width, following)
            separator = rule_for(pair).separator
        heading = _run_in_heading(before, line, above, below, body)
        if heading:
            if separator == "" and not ends_clause(before):  # it began on lines above
                _append_line(blocks[-1], heading, join_word)
                whole = "".join(blocks[-1])
                if without_full_stop(whole) != whole:
                    blocks[-1][-1] = blocks[-1][-1][:-1]
                sources[-1].append(i)
            else:
                blocks.append([without_full_stop(heading)])
                sources.append([i])
            blocks.append([line[len(heading) :].lstrip()])
            sources.append([i])
        elif separator == NEW_PARAGRAPH:
            blocks.append([line])
            sources.append([i])
        else:
            if separator == NEW_LINE:
                blocks[-1].append("\n" + line)
            elif above is not None and above.ends_inside_word:
                blocks[-1].append(line)
            else:
                _append_line(blocks[-1], line, join_word)
            sources[-1].append(i)
        before, above = line, below
    return [
        JoinedLines("".join(block), tuple(own), tuple(accumulate(map(len, block[:-1]), initial=0)))
        for block, own in zip(blocks, sources, strict=True)
    ]


def join_wrapped(lines: Sequence[str], join_word: JoinWord) -> str:
    """Return the lines of one paragraph as one, with words joined that are cut."""
    block: list[str] = []
    for line in filter(None, lines):
        if block:
            _append_line(block, line, join_word)
        else:
            block.append(line)
    return "".join(block)


def _run_in_heading(
    before: str,
    line: str,
    above: LineLayout | None,
    below: LineLayout | None,
    body: BodyStyle,
) -> str:
    """Return the bold heading that a line begins with and that its paragraph goes on after, as in
    "Study area. The river ..." or "3.2 Methods We asked ..."; "" where there is none."""
    if below is None or not below.bold_letters or body.is_bold or below.is_code:
        return ""
    is_below_bold = above is not None and above.is_bold
    if before and not is_below_bold and not ends_clause(before):
        return ""
    is_full = below.space_right is not None and below.space_right < NEAR_MARGIN
    return run_in_heading(line, below.bold_letters, below.is_lead_set_off, is_full)


def _append_line(block: list[str], line: str, join_word: JoinWord) -> None:
    """Append a line to a paragraph in pieces: with its cut word joined, else after a space, which
    Chinese, Japanese, addresses and ranges of numbers do without."""
    last = block[-1]
    cut = cut_word(last)
    rest = _FIRST_HALF_WORD.match(line) if cut else None
    if cut and rest:
        block[-1] = last[: cut.start()]
        block.append(join_word(cut[1], cut[2], rest[0]) + line[rest.end() :])
    else:
        is_spaceless = CJK_CHARACTER.match(last[-1]) and CJK_CHARACTER.match(line[0])
        is_range = last.endswith(_RANGE_ENDS) and _RANGE_END.search(last) and line[0].isdecimal()
        is_address = (
            last.endswith(_ADDRESS_ENDS) and _ADDRESS_END.search(last) and line[0].isalnum()
        )
        block.append(line if is_spaceless or is_range or is_address else " " + line)
