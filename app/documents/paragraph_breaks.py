"""Paragraph breaks between lines: ordered tables of named rules, each with an example.

Rules by layout use the size, weight and place of each line; where these are unknown, rules by
length use the number of characters and the first and last of them. The first rule that applies
decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from longt5.text.headings import MAX_HEADING_CHARACTERS, NUMBERED_HEADING
from longt5.text.prose import is_caption
from longt5.text.sentences import ends_clause

from .line_layout import LARGE_TYPE, BodyStyle, LineLayout
from .line_patterns import CJK_CHARACTER, LETTER_RUN, cut_word

SAME_PARAGRAPH, NEW_LINE, NEW_PARAGRAPH = "", "\n", "\n\n"

_SYMBOL_BULLET = re.compile(r"^[•▪■●○◦‣–∗·◆➢✓⋆▶►▸▹▷❖✔✗➔➤→⇒★☆☐☑☒❑❏◇◊♦\uf0b7\uf0a7\uf0d8\uf0fc-]\s")
_RARE_BULLET = re.compile(r"^[▶►▸▹▷❖✔➔➤→⇒★❑❏◇◊♦\uf0a7\uf0d8\uf0fc](?=\s)")
_NUMBER_BULLET = re.compile(r"^(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|\[\d{1,3}\])\s")

# All in type sizes where nothing else is said, and chosen by hand on the sample documents.
_WIDE_SPACE = 1.3  # times the usual distance of lines: a new paragraph
_MIN_LINE_SPACE, _HEADING_LINE_SPACE = 1.2, 1.5  # usual distances of text lines, heading lines
_OTHER_SIZE = 0.1  # share by which type differs: less is rounding
_MIN_INDENT, _MAX_INDENT = 0.7, 5  # of a first line; less is a ragged margin, more is centred
_MIN_OUTDENT = 0.5  # by which text begins left of the sign of an item
_SAME_LEFT = 0.2  # lines that begin this near to each other are aligned
_FULL_LINE, _SHORT_LINE = 3, 9  # space on the right: a full line has less, a short one more
_LETTER_WIDTH = 0.46  # of an average letter
_SPARE_SPACE = 2  # that a word needs besides its letters before its line counts as short
# Shares of a full line's characters below which a line is short, after a full stop and without.
_SHORT_AFTER_STOP, _SHORT_WITHOUT_STOP, _SHORT_HEADING = 0.8, 0.6, 0.75
_MIN_LINE_BELOW_CAPITALS = 30  # characters of text below a heading in capitals; lists have less
_ALWAYS_SHORT = 30  # of a heading on a line of its own


def with_plain_bullet(line: str) -> str:
    """Return a line with the usual sign of an item in place of a rare one."""
    return line if line[:1].isascii() else _RARE_BULLET.sub("•", line)


@dataclass(frozen=True)
class LinePair:
    """Two lines that follow each other, with the context that the rules need: the line after them,
    their layouts, the usual style of the document, and the characters of a full line."""

    before: str
    line: str
    above: LineLayout | None = None  # the layout of `before`
    below: LineLayout | None = None  # the layout of `line`
    body: BodyStyle = BodyStyle(10.0, 1.2)
    full_width: float = 60.0
    following: str = ""

    @property
    def has_layouts(self) -> bool:
        """Return whether the layouts of both lines and the usual style are known."""
        return self.above is not None and self.below is not None and bool(self.body.size)

    @cached_property
    def layouts(self) -> tuple[LineLayout, LineLayout]:
        """Return the layouts of both lines."""
        assert self.above is not None and self.below is not None
        return self.above, self.below

    @cached_property
    def ends_clause(self) -> bool:
        """Return whether the first line ends a sentence or a clause."""
        return ends_clause(self.before)

    @property
    def continues_lowercase(self) -> bool:
        """Return whether the second line begins with a small letter."""
        return self.line[0].islower()

    @cached_property
    def has_heading_type(self) -> bool:
        """Return whether the second line is larger than the text, or bold where the text is
        not."""
        _, below = self.layouts
        is_bold = below.is_bold and not self.body.is_bold
        return below.size >= LARGE_TYPE * self.body.size or is_bold

    @cached_property
    def has_other_size(self) -> bool:
        """Return whether the lines differ in size."""
        above, below = self.layouts
        return abs(below.size / above.size - 1) > _OTHER_SIZE

    @property
    def is_small_above(self) -> bool:
        """Return whether the first line is smaller than the text, as a legend or a caption."""
        return self.layouts[0].size < (1 - _OTHER_SIZE) * self.body.size

    @cached_property
    def has_other_type(self) -> bool:
        """Return whether the lines differ in size or weight."""
        above, below = self.layouts
        return self.has_other_size or above.is_bold != below.is_bold

    @cached_property
    def has_short_first_line(self) -> bool:
        """Return whether the first word of the second line would have fitted on the first."""
        space = self.layouts[0].space_right
        if space is None:
            return False
        if CJK_CHARACTER.match(self.before[-1]) and CJK_CHARACTER.match(self.line[0]):
            return _FULL_LINE < space < math.inf  # lines of these scripts may end anywhere
        return self.first_word_width < space

    @property
    def first_word_width(self) -> float:
        """Return the space that the first word of the second line takes, and some to spare."""
        return _LETTER_WIDTH * len(self.line.split(" ", 1)[0]) + _SPARE_SPACE

    @property
    def indent(self) -> float:
        """Return how much further right the second line begins."""
        above, below = self.layouts
        return below.left - above.left


@dataclass(frozen=True)
class BreakRule:
    """The separator of two lines to which the rule applies, with an example of such lines."""

    name: str
    separator: str
    applies: Callable[[LinePair], bool]
    example: LinePair


def rule_for(pair: LinePair) -> BreakRule:
    """Return the first rule that applies to two lines."""
    for rules in (BREAKS_ALWAYS, BREAKS_BY_LAYOUT if pair.has_layouts else BREAKS_BY_LENGTH):
        for rule in rules:
            if rule.applies(pair):
                return rule
    raise AssertionError("the last rule of each table applies to all lines")


def _has_wide_space(pair: LinePair) -> bool:
    usual = max(pair.body.space_above, _MIN_LINE_SPACE)
    if pair.has_heading_type:
        usual = _HEADING_LINE_SPACE
    return pair.layouts[1].space_above > _WIDE_SPACE * usual


def _is_short_over_full(pair: LinePair) -> bool:
    above, below = (layout.space_right for layout in pair.layouts)
    return above is not None and below is not None and below < _FULL_LINE and above > _SHORT_LINE


def _is_heading_by_length(line: str, before: str, following: str, full_width: float) -> bool:
    """Return whether a line is a heading by its length, its letters and its neighbours."""
    longest = min(MAX_HEADING_CHARACTERS, max(_SHORT_HEADING * full_width, _ALWAYS_SHORT))
    if len(line) > longest or ends_clause(line):
        return False
    if line[-1] in ",-(" or line[0].islower() or not LETTER_RUN.search(line):
        return False
    if before and not ends_clause(before):
        return False
    if NUMBERED_HEADING.match(line) or (line.isupper() and len(line) > 3):
        return True
    is_short = len(line) < _SHORT_WITHOUT_STOP * full_width
    return bool(following) and not following[0].islower() and is_short


def _has_heading_by_length(pair: LinePair) -> bool:
    return _is_heading_by_length(
        pair.line, pair.before, pair.following, pair.full_width
    ) or _is_heading_by_length(pair.before, "", pair.line, pair.full_width)


def _is_full_by_length(pair: LinePair) -> bool:
    share = _SHORT_AFTER_STOP if pair.ends_clause else _SHORT_WITHOUT_STOP
    return not len(pair.before) < share * pair.full_width


_FULL_LAYOUT = LineLayout(10, space_right=0.5, space_above=1.2)
_SHORT_LAYOUT = LineLayout(10, space_right=20, space_above=1.2)
_ROW_LAYOUT = LineLayout(10, space_above=1.2, is_row=True)
_LARGE_LAYOUT = LineLayout(16, space_right=0.5, space_above=1.2)
_LARGE_SHORT_LAYOUT = LineLayout(16, space_right=20, space_above=1.2)
_BOLD_LAYOUT = LineLayout(10, is_bold=True, space_right=20, space_above=1.2)
_INDENTED_LAYOUT = LineLayout(10, left=1.5, space_right=0.5, space_above=1.2)
_CODE_LAYOUT = LineLayout(10, space_above=1.2, is_code=True)
_TERM_LAYOUT = LineLayout(10, space_above=1.2, is_term=True)
_FAR_BELOW_LAYOUT = LineLayout(10, space_right=0.5, space_above=2.4)
_FULL_TEXT = "The river rose in the night and the miller carried the sacks"  # 60 characters

BREAKS_ALWAYS = (
    BreakRule(
        "bullet or caption",
        NEW_PARAGRAPH,
        lambda p: bool(_SYMBOL_BULLET.match(p.line) or is_caption(p.line)),
        LinePair("These were lost:", "• Forty sacks"),
    ),
    BreakRule(
        "cut word",
        SAME_PARAGRAPH,
        lambda p: (
            cut_word(p.before) is not None
            and (p.continues_lowercase or (p.before[-2:-1].isdigit() and p.line[0].isdigit()))
        ),
        LinePair("The har-", "bour is open."),
    ),
)
BREAKS_BY_LAYOUT = (
    BreakRule(
        "next line of a listing",
        NEW_LINE,
        lambda p: p.layouts[0].is_code and p.layouts[1].is_code,
        LinePair("x <- 3", "print(x)", _CODE_LAYOUT, _CODE_LAYOUT),
    ),
    BreakRule(
        "edge of a listing",
        NEW_PARAGRAPH,
        lambda p: p.layouts[0].is_code or p.layouts[1].is_code,
        LinePair("print(x)", "which writes 3.", _CODE_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "term and definition",
        NEW_PARAGRAPH,
        lambda p: p.layouts[0].is_term or p.layouts[1].is_term,
        LinePair("hub", "The middle of a wheel.", _TERM_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "next row of a table",
        NEW_LINE,
        lambda p: p.layouts[0].is_row and p.layouts[1].is_row,
        LinePair("Site Area", "Gannet 118", _ROW_LAYOUT, _ROW_LAYOUT),
    ),
    BreakRule(
        "edge of a table",
        NEW_PARAGRAPH,
        lambda p: p.layouts[0].is_row or p.layouts[1].is_row,
        LinePair("Gannet 118", "The river rose.", _ROW_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "text below an item",
        NEW_PARAGRAPH,
        lambda p: _SYMBOL_BULLET.match(p.before) is not None and p.indent < -_MIN_OUTDENT,
        LinePair("▶ Forty sacks", "They were sold.", _INDENTED_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "word in another type inside a sentence",
        SAME_PARAGRAPH,
        lambda p: (
            p.has_other_type
            and not p.ends_clause
            and p.continues_lowercase
            and p.layouts[0].size < LARGE_TYPE * p.body.size
            # A sentence goes on below a figure, whose last line is set small or apart.
            and not (p.has_other_size and (p.is_small_above or _has_wide_space(p)))
        ),
        LinePair(_FULL_TEXT, "quickly", _FULL_LAYOUT, _BOLD_LAYOUT),
    ),
    BreakRule(
        "another type",
        NEW_PARAGRAPH,
        lambda p: p.has_other_type,
        LinePair("The flood", "It rained.", _LARGE_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "wide space above",
        NEW_PARAGRAPH,
        _has_wide_space,
        LinePair(_FULL_TEXT, "Later it fell.", _FULL_LAYOUT, _FAR_BELOW_LAYOUT),
    ),
    BreakRule(
        "numbered heading below another",
        NEW_PARAGRAPH,
        lambda p: p.has_heading_type and NUMBERED_HEADING.match(p.line) is not None,
        LinePair("2 Floods", "2.1 The mill", _LARGE_LAYOUT, _LARGE_LAYOUT),
    ),
    BreakRule(
        "titles aligned below each other",
        NEW_LINE,
        lambda p: (
            p.has_heading_type
            and p.has_short_first_line
            and abs(p.indent) < _SAME_LEFT
            and not p.continues_lowercase
        ),
        LinePair("Anna Wood", "Peter Hale", _LARGE_SHORT_LAYOUT, _LARGE_SHORT_LAYOUT),
    ),
    BreakRule(
        "heading on several lines",
        SAME_PARAGRAPH,
        lambda p: p.has_heading_type,
        LinePair(
            "What the river did to the", "Village and its Mill", _LARGE_LAYOUT, _LARGE_SHORT_LAYOUT
        ),
    ),
    BreakRule(
        "numbered item",
        NEW_PARAGRAPH,
        lambda p: (
            _NUMBER_BULLET.match(p.line) is not None and (p.ends_clause or p.has_short_first_line)
        ),
        LinePair("We decide:", "1. Build a bridge", _FULL_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "indented first line",
        NEW_PARAGRAPH,
        lambda p: p.ends_clause and _MIN_INDENT < p.indent < _MAX_INDENT,
        LinePair(f"{_FULL_TEXT}.", "Nobody slept", _FULL_LAYOUT, _INDENTED_LAYOUT),
    ),
    BreakRule(
        "short last line",
        NEW_PARAGRAPH,
        lambda p: p.ends_clause and p.has_short_first_line and not p.continues_lowercase,
        LinePair("It rose.", "Nobody slept", _SHORT_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "heading in capitals",
        NEW_PARAGRAPH,
        lambda p: (
            p.has_short_first_line
            and p.before.isupper()
            and len(p.before) <= MAX_HEADING_CHARACTERS
            and not p.line.isupper()
            and not p.continues_lowercase
            and len(p.line) > _MIN_LINE_BELOW_CAPITALS
        ),
        LinePair("THE MILL", _FULL_TEXT, _SHORT_LAYOUT, _SHORT_LAYOUT),
    ),
    BreakRule(
        "full line",
        SAME_PARAGRAPH,
        lambda p: not p.has_short_first_line or p.continues_lowercase,
        LinePair(_FULL_TEXT, "Miller Lane", _FULL_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "heading in the type of the text",
        NEW_PARAGRAPH,
        _is_short_over_full,
        LinePair("The mill", "Nobody slept", _SHORT_LAYOUT, _FULL_LAYOUT),
    ),
    BreakRule(
        "line of a list",
        NEW_LINE,
        lambda p: True,
        LinePair("Anna Wood", "Peter Hale", _SHORT_LAYOUT, _SHORT_LAYOUT),
    ),
)
BREAKS_BY_LENGTH = (
    BreakRule(
        "heading by its length",
        NEW_PARAGRAPH,
        _has_heading_by_length,
        LinePair("RESULTS", "The last of it."),
    ),
    BreakRule(
        "numbered item after a sentence",
        NEW_PARAGRAPH,
        lambda p: p.ends_clause and _NUMBER_BULLET.match(p.line) is not None,
        LinePair("We decide:", "(a) a bridge,"),
    ),
    BreakRule(
        "full line by its length",
        SAME_PARAGRAPH,
        lambda p: p.continues_lowercase or _is_full_by_length(p),
        LinePair(_FULL_TEXT, "Miller Lane"),
    ),
    BreakRule(
        "short last line by its length",
        NEW_PARAGRAPH,
        lambda p: p.ends_clause,
        LinePair("It rose.", "Nobody slept"),
    ),
    BreakRule(
        "line of a list by its length",
        NEW_LINE,
        lambda p: True,
        LinePair("one of the people of,", "Peter Hale"),
    ),
)
