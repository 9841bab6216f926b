"""The lines of a page are joined to paragraphs, headings, and rows of lists and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import quantiles

from longt5.text.sentences import ends_clause

from .dehyphenation import keep_hyphen
from .line_layout import NEAR_MARGIN, BodyStyle, LineLayout, PageLayout, is_cut_key, line_key
from .line_patterns import CJK_CHARACTER, CUT_WORD
from .paragraph_breaks import NEW_LINE, NEW_PARAGRAPH, LinePair, rule_for
from .run_in_headings import run_in_heading, without_full_stop

_FIRST_HALF_WORD = re.compile(r"[^\W_]+")
_MAX_ROW_CELLS = 16  # of a table that are looked for on lines of their own; bounds the search
_FULL_LINE_DECILE = 7  # of the lengths of lines: three in ten lines are full, or longer

JoinWord = Callable[[str, str, str], str]


def join_lines(
    text: str,
    layout: PageLayout | None = None,
    body: BodyStyle | None = None,
    join_word: JoinWord = keep_hyphen,
) -> str:
    """Return the lines of a page as paragraphs with a blank line between; rows of lists and
    tables keep lines of their own. `join_word` joins a word cut at a line's end, given its
    halves and the hyphen between."""
    lines = _rejoin_rows(text.split("\n"), layout) if layout else text.split("\n")
    lengths = [len(line) for line in lines if len(line) > 1]
    is_enough = len(lengths) >= 4
    full_width = (
        quantiles(lengths, n=10)[_FULL_LINE_DECILE] if is_enough else max(lengths, default=0)
    )
    body = body or BodyStyle()
    layouts = layouts_of_lines(lines, layout or {})
    blocks: list[list[str]] = []  # in pieces: a page may be one paragraph of a million letters
    before = ""
    for i, line in enumerate(lines):
        if not line:
            before = ""
            continue
        following = lines[i + 1] if i + 1 < len(lines) else ""
        above, below = layouts[i - 1], layouts[i]
        separator = NEW_PARAGRAPH
        if before:
            pair = LinePair(before, line, above, below, body, full_width, following)
            separator = rule_for(pair).separator
        heading = _run_in_heading(before, line, above, below, body)
        if heading:
            if separator == "" and not ends_clause(before):  # it began on lines above
                _append_line(blocks[-1], heading, join_word)
                blocks[-1] = [without_full_stop("".join(blocks[-1]))]
            else:
                blocks.append([without_full_stop(heading)])
            blocks.append([line[len(heading) :].lstrip()])
        elif separator == NEW_PARAGRAPH:
            blocks.append([line])
        elif separator == NEW_LINE:
            blocks[-1].append("\n" + line)
        else:
            _append_line(blocks[-1], line, join_word)
        before = line
    return "\n\n".join("".join(block) for block in blocks)


def _run_in_heading(
    before: str,
    line: str,
    above: LineLayout | None,
    below: LineLayout | None,
    body: BodyStyle,
) -> str:
    """Return the bold heading that a line begins with and that its paragraph goes on after, as in
    "Study area. The river ..." or "3.2 Methods We asked ..."; "" where there is none."""
    if below is None or not below.bold_letters or body.is_bold:
        return ""
    is_below_bold = above is not None and above.is_bold
    if before and not is_below_bold and not ends_clause(before):
        return ""
    is_full = below.space_right is not None and below.space_right < NEAR_MARGIN
    return run_in_heading(line, below.bold_letters, below.is_lead_set_off, is_full)


def layouts_of_lines(lines: Sequence[str], layout: PageLayout) -> list[LineLayout | None]:
    """Return the layout of each line, None where unknown. Of several equal lines on the page, the
    one nearest to the line's neighbours counts."""
    options = [_options_of_line(line, layout) if line else () for line in lines]
    known = [found[0].index if len(found) == 1 else None for found in options]
    chosen: list[LineLayout | None] = []
    before = -1
    for i, found in enumerate(options):
        if len(found) < 2:
            chosen.append(found[0] if found else None)
        else:
            after = next((index for index in known[i + 1 : i + 4] if index is not None), None)

            def distance(option: LineLayout, low: int = before, high: int | None = after) -> int:
                far = abs(option.index - low - 1)
                return far if high is None else far + abs(high - 1 - option.index)

            chosen.append(min(found, key=distance))
        latest = chosen[-1]
        before = latest.index if latest is not None else before
    return chosen


def _options_of_line(line: str, layout: PageLayout) -> tuple[LineLayout, ...]:
    """Return the layouts that a line may have. A line made of the cells of a row has that of the
    first cell, marked as a row."""
    rest = key = line_key(line)
    if key in layout or not key:
        return layout.get(key, ())
    found: list[LineLayout] = []
    while rest:
        piece = max((k for k in layout if rest.startswith(k)), key=len, default="")
        if not piece:
            if not (is_cut_key(key) and any(k.startswith(rest) for k in layout)):
                return ()
            break
        found.append(layout[piece][0])
        rest = rest[len(piece) :]
    if not (found[0].is_row or any(cell.is_new_cell for cell in found[1:])):
        return ()
    return (replace(found[0], is_row=True, is_new_cell=True),)


def _rejoin_rows(lines: list[str], layout: PageLayout) -> list[str]:
    """Return the lines with the cells of a row, which one reader gives a line each, on the line
    where they stand."""
    found: list[str] = []
    i = 0
    while i < len(lines):
        row, key = lines[i], line_key(lines[i])
        count = 1
        while key and key not in layout and count < _MAX_ROW_CELLS and i + count < len(lines):
            cell = lines[i + count]
            row, key, count = f"{row} {cell}", key + line_key(cell), count + 1
        is_found = count == 1 or key in layout
        found.append(row if is_found else lines[i])
        i += count if is_found else 1
    return found


def _append_line(block: list[str], line: str, join_word: JoinWord) -> None:
    """Append a line to a paragraph in pieces: with its cut word joined, else after a space, which
    Chinese and Japanese do without."""
    last = block[-1]
    cut, rest = CUT_WORD.search(last), _FIRST_HALF_WORD.match(line)
    if cut and rest:
        block[-1] = last[: cut.start()]
        block.append(join_word(cut[1], cut[2], rest[0]) + line[rest.end() :])
    else:
        is_spaceless = CJK_CHARACTER.match(last[-1]) and CJK_CHARACTER.match(line[0])
        block.append(line if is_spaceless else " " + line)
