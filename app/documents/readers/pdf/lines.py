"""The lines of a PDF page: characters become pieces of a line by their places, not their order."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .glyphs import HYPHENS, INSIDE_WORD, GlyphBox, Glyphs
from .raised import RAISED, TypePiece, text_of_pieces
from .right_to_left import has_leftward_letters, with_turned_brackets
from .text_style import TextStyle

# In type sizes where nothing else is said.
_MAX_GAP = 1.6  # inside one line as PDFium reads it; wider gaps separate columns and cells
_MAX_OVERLAP = (
    0.8  # of two letters of a line: kerning, accents and squeezed CJK stops step back less
)
_MAX_SHIFT = 0.62  # up or down, of raised and lowered type; lines are set a size apart
_SAME_BASELINE = 0.22  # pieces drawn apart that stand on one line
_JOIN_GAP = 0.75  # between pieces that are drawn apart: words of a line; columns are further
_WORD_GAP = 0.24  # between letters without a space in the file
_DRAWN_WORD_GAP = 0.05  # between words that are drawn one by one; kerning is less
_MIN_DRAWN_WORDS, _DRAWN_SHARE = 12, 0.75  # of the neighbours in different objects on such a page
_LABEL_LETTERS, _LABEL_GAP = 5, 3.5  # of a bullet or number at a line's start
_PROSE_LETTERS, _PROSE_LABEL_GAP = 30, 7.0  # of the line that is numbered, where it is text
_NUMBER_GAP = 0.4  # beside a number at the edge of a line, which may number the line
_DOUBLE_SHIFT = 0.15  # by which letters drawn twice, to look bold, are apart
_SET_OFF_GAP = 0.5  # after bold words at a line's start
_SCAN_SIZES, _SCAN_SHIFT = 1.3, 0.25  # by which words of a line differ in the layer under a scan
_MIN_WALL, _WALL_OVERLAP = 7.0, 0.5  # points: the height of a row, and letters over a wall
_TINY_SIZE = 2.0  # points: no letter of that size can be read
_MARKS = re.compile(r"[\W_]")
PageArea = tuple[float, float, float, float]  # left, bottom, right, top
Wall = tuple[float, float, float]  # an upright ruling line: x, bottom, top
_PRINTED_HYPHEN = "\u2010"  # which PDFium does not mark at a line's end
HYPHEN = "\ufffe"  # a hyphen at a line's end, as PDFium marks it


@dataclass(slots=True)
class Line:
    """A piece of a line without wide gaps. Edges in points from the left and bottom of the upright
    page; `baseline` likewise. `bold_letters` counts the letters in bold at its start, `letters`
    all. `index` counts the lines in the order of the file. `marks` counts note marks left out."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    baseline: float
    size: float
    is_bold: bool
    bold_letters: int
    letters: int
    index: int
    marks: int = 0
    begins_raised: bool = False
    begins_cell: bool = False  # a ruling line stands before it
    lead_gap: float = 0.0  # after the bold letters at its start
    ends_inside_word: bool = False  # of Korean, which has no hyphens
    is_monospaced: bool = False


@dataclass
class PageLines:
    """The lines of a page in the order of the file, its size when upright, how many quarters it is
    turned, the ruling lines on it, and the characters left out by reason."""

    lines: list[Line]
    width: float
    height: float
    turns: int
    seen: int = 0
    rules: list[PageArea] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """What is drawn beside the text of a page: the text objects that are covered or white on
    white, those that are stamps over others, whether the text is the layer under a scan, and the
    ruling lines."""

    unseen: frozenset[int] = frozenset()
    stamps: frozenset[int] = frozenset()
    is_scan: bool = False
    rules: tuple[PageArea, ...] = ()


@dataclass
class _Open:
    """A line that is being read."""

    pieces: list[TypePiece]
    left: float
    bottom: float
    right: float
    top: float
    last: tuple[float, float]  # left and right edge of the last letter

    @property
    def is_number(self) -> bool:
        """Return whether there are only digits so far."""
        shown = "".join(self.pieces[0].chars[:5])
        return len(self.pieces) == 1 and len(shown) < 5 and shown.isdecimal()


def page_lines(glyphs: Glyphs, shown: PageArea, drawing: Drawing) -> PageLines:
    """Return the lines of a page. `shown` is the part of the page that is seen; text under a scan
    is read though nobody sees it."""
    turns = _main_direction(glyphs)
    corners = turn_rectangle(shown, turns)
    page = PageLines([], corners[2], corners[3], turns)
    page.rules = [turn_rectangle(rule, turns) for rule in drawing.rules]
    reasons = _reasons(glyphs.styles, drawing, turns)
    walls = [] if turns else _walls(page.rules, glyphs)
    builder = _LineBuilder(page, glyphs.styles, drawing.is_scan, _word_gap(glyphs), walls)
    falls = {
        owner: turn_rectangle((x, y, x, y), turns)[1] - _upright(box, turns)[1]
        for owner, (x, y, box) in glyphs.origins.items()
    }
    for text, owner, is_apart, first, last in glyphs.words:
        if is_apart:
            builder.has_space = True
        if is_apart == INSIDE_WORD:
            builder.end_inside_word()
        if owner is None:  # PDFium's own hyphen at a line's end belongs to no text object
            builder.end_with_hyphen()
            builder.has_space = True
            continue
        if turns:
            left, bottom, right, top = _upright(first, turns)
            last_left, _, right, _ = _upright(last, turns)
        else:
            left, top, _, bottom = first
            last_left, _, right, _ = last
        reason = reasons[owner]
        x, middle = (left + right) / 2, (bottom + top) / 2
        if not (corners[0] <= x <= corners[2] and corners[1] <= middle <= corners[3]):
            reason = "outside"
        if reason:
            builder.leave_out(text, reason)
        else:
            builder.add(text, owner, (left, bottom, right, top), last_left, bottom + falls[owner])
    builder.close()
    page.seen = builder.seen
    page.lines = list(_without_doubles(line for line in page.lines if line.text))
    return page


def _word_gap(glyphs: Glyphs) -> float:
    """Return the least gap between words without a space, in type sizes: smaller on a page whose
    words are drawn one by one, which many scanners and typesetters do."""
    count = apart = 0
    before: int | None = None
    right, bottom = 0.0, 0.0
    for text, owner, is_apart, first, last in glyphs.words:
        if owner != before and owner is not None:
            size = glyphs.styles[owner].size or 1.0
            gap = (first[0] - right) / size
            is_level = abs(first[3] - bottom) < _SCAN_SHIFT * size
            if is_level and len(text) > 1 and -_WORD_GAP < gap < 1:
                count += 1
                apart += bool(is_apart) or gap > _DRAWN_WORD_GAP
        before, right, bottom = owner, last[2], last[3]
    is_drawn_by_word = count >= _MIN_DRAWN_WORDS and apart >= _DRAWN_SHARE * count
    return _DRAWN_WORD_GAP if is_drawn_by_word else _WORD_GAP


def _upright(box: GlyphBox, turns: int) -> PageArea:
    """Return a letter's box after the page is turned so that its text is upright."""
    left, top, right, bottom = box
    return turn_rectangle((left, bottom, right, top), turns)


def _reasons(styles: dict[int, TextStyle], drawing: Drawing, turns: int) -> dict[int, str]:
    """Return for each text object the list of PageLines that takes it; "" for one to be read."""
    found: dict[int, str] = {}
    for owner, style in styles.items():
        if style.turns != turns or owner in drawing.stamps:
            found[owner] = "turned"
        elif not drawing.is_scan and (
            not style.is_drawn or owner in drawing.unseen or 0 < style.size < _TINY_SIZE
        ):
            found[owner] = "hidden"
        else:
            found[owner] = ""
    return found


class _LineBuilder:
    """Puts words together to lines, in the order of the file."""

    def __init__(
        self,
        page: PageLines,
        styles: dict[int, TextStyle],
        is_scan: bool,
        word_gap: float,
        walls: list[Wall],
    ) -> None:
        self.has_space = False
        self.seen = 0
        self._page = page
        self._styles = styles
        self._is_scan = is_scan
        self._word_gap = word_gap
        self._line: _Open | None = None
        self._owner: int | None = None
        self._size = 1.0
        self._bold = self._monospaced = False
        self._y = self._last_left = self._right = 0.0
        self._chars: list[str] = []
        self._reason = ""
        self._walls = walls
        self._begins_cell = False
        self._cut = (0, 0.0)  # the line that ended inside a word, and where

    def add(self, text: str, owner: int, box: PageArea, last_left: float, y: float) -> None:
        """Add a word with its box, the left edge of its last letter and its baseline."""
        self.seen += len(text)
        size = self._size
        gap = box[0] - self._right
        # Nearly all words stand right after the one before, in the same type.
        if owner == self._owner and -0.01 < y - self._y < 0.01 and -0.3 * size < gap < size:
            is_apart = self.has_space or gap > _WORD_GAP * size
            is_near = gap <= _NUMBER_GAP * size and not (self._walls and self._is_walled(box[0], y))
            if not is_apart or is_near:
                if is_apart:
                    self._chars.append(" ")
                    self.has_space = False
                self._chars.append(text)
                self._last_left, self._right = last_left, box[2]
                return
        self._add_slowly(text, owner, box, last_left, y)

    def _add_slowly(self, text: str, owner: int, box: PageArea, last_left: float, y: float) -> None:
        if owner != self._owner:
            style = self._styles[owner]
            self._owner, self._size, self._bold = owner, style.size or 1.0, style.is_bold
            self._monospaced = style.is_monospaced
        size, line = self._size, self._line
        left, bottom, right, top = box
        text = HYPHEN if text in HYPHENS else text
        self._reason = ""
        if line is not None:
            self._settle(line)
            place = _place_in(line, left, right, y, size)
            is_far = place > _NUMBER_GAP * size and (line.is_number or place > size)
            is_level = abs(y - self._y) < size / 2
            is_walled = bool(self._walls) and is_level and self._is_walled(left, y)
            is_cell = is_far and (line.is_number or text[0] in "0123456789")
            if place < 0 or is_walled or is_cell:
                self.close()
                line, self._begins_cell = None, is_walled
            else:
                self._append(line, text, place, left, right, y)
        if line is None:
            piece = TypePiece(size, y, self._bold, [text], left, right, self._monospaced)
            line = self._line = _Open([piece], left, bottom, right, top, (left, right))
        line.last = last_left, right
        line.left, line.right = min(line.left, left), max(line.right, right)
        line.bottom, line.top = min(line.bottom, bottom), max(line.top, top)
        self._chars = line.pieces[-1].chars
        self._y, self._last_left, self._right, self.has_space = y, last_left, right, False

    def _is_walled(self, left: float, y: float) -> bool:
        """Return whether a ruling line of a table runs between the last letter and another one on
        its right."""
        beside = bisect_left(self._walls, (self._right - _WALL_OVERLAP,))
        until = bisect_left(self._walls, (left + _WALL_OVERLAP,))
        return any(bottom < y < top for _, bottom, top in self._walls[beside:until])

    def _append(
        self, line: _Open, text: str, place: float, left: float, right: float, y: float
    ) -> None:
        """Append a word to the last piece of a line, or begin another piece."""
        piece = line.pieces[-1]
        is_letter = len(text) == 1 == len(piece.chars[-1])  # of a word that is set wide
        least = _WORD_GAP if is_letter else self._word_gap
        if self.has_space or place > least * self._size:
            piece.chars.append(" ")
        style = self._size, self._bold, self._monospaced
        is_same = (piece.size, piece.bold, piece.is_monospaced) == style
        is_level = abs(piece.y - y) <= 0.04 * self._size
        if self._is_scan:  # OCR guesses the type of each word anew
            is_same = max(piece.size, self._size) < _SCAN_SIZES * min(piece.size, self._size)
            is_level = abs(piece.y - y) <= _SCAN_SHIFT * self._size
        if is_same and is_level:
            piece.chars.append(text)
            piece.right = right
        else:
            size, bold, monospaced = style
            line.pieces.append(TypePiece(size, y, bold, [text], left, right, monospaced))

    def _settle(self, line: _Open) -> None:
        """Take over the place that words added fast have reached."""
        if self._right > line.last[1]:
            line.last = self._last_left, self._right
            line.right = max(line.right, self._right)
            line.pieces[-1].right = self._right

    def leave_out(self, text: str, reason: str) -> None:
        """Add a word to one of the lists of what is left out."""
        self.seen += len(text)
        runs = getattr(self._page, reason)
        if reason != self._reason:
            runs.append("")
        runs[-1] += text
        self._reason = reason
        self._owner = None
        self.has_space = True

    def end_with_hyphen(self) -> None:
        """Add the hyphen at a line's end that PDFium took for a soft one."""
        if self._line is not None:
            self._line.pieces[-1].chars.append(HYPHEN)

    def end_inside_word(self) -> None:
        """Note that the word goes on which the line ends with, should it end here."""
        self._cut = id(self._line), self._right

    def close(self) -> None:
        """End the line."""
        if self._line is not None:
            self._settle(self._line)
            self._page.lines.append(_close(self._line, len(self._page.lines)))
            self._page.lines[-1].begins_cell = self._begins_cell
            self._begins_cell = False
            is_cut = self._cut == (id(self._line), self._line.last[1])
            self._page.lines[-1].ends_inside_word = is_cut
        self._line = None
        owner = self._owner
        self._y = math.nan if owner is None else self._y


def _walls(rules: Sequence[PageArea], glyphs: Glyphs) -> list[Wall]:
    """Return the upright ruling lines that no word crosses, from the left; [] where there is but
    one, as between columns."""
    found = sorted(
        ((left + right) / 2, bottom, top)
        for left, bottom, right, top in rules
        if right - left < top - bottom >= _MIN_WALL
    )
    if len(found) < 2:
        return []
    crossed: set[Wall] = set()
    for _, _, _, first, last in glyphs.words:
        beside = bisect_left(found, (first[0] + _WALL_OVERLAP,))
        until = bisect_left(found, (last[2] - _WALL_OVERLAP,))
        middle = (first[1] + first[3]) / 2
        crossed |= {wall for wall in found[beside:until] if wall[1] < middle < wall[2]}
    return [wall for wall in found if wall not in crossed]


def _place_in(line: _Open, left: float, right: float, y: float, size: float) -> float:
    """Return the gap between the last letter of a line and another; -1 where the letter is on
    another line. Lines run in either direction."""
    piece = line.pieces[-1]
    big = max(size, piece.size)
    base = max(line.pieces[0].y, piece.y), min(line.pieces[0].y, piece.y)
    if y > base[0] + _MAX_SHIFT * big or y < base[1] - _MAX_SHIFT * big:
        return -1.0
    first, last = line.last
    gap = left - last if left >= first or left > last - _MAX_OVERLAP * big else first - right
    if gap > _MAX_GAP * big or gap < -_MAX_OVERLAP * big:
        return -1.0
    if left < first and gap > _JOIN_GAP * big:  # back by more than a letter of right-to-left text
        return -1.0
    return max(gap, 0.0)


def _main_direction(glyphs: Glyphs) -> int:
    """Return by how many quarters most letters are turned to the left."""
    counts: Counter[int | None] = Counter()
    for owner, style in glyphs.styles.items():
        counts[style.turns] += glyphs.uses[owner]
    (turns, _), *_ = counts.most_common(1) or [(0, 0)]
    return turns or 0


def turn_rectangle(shown: PageArea, turns: int) -> PageArea:
    """Return a rectangle after a page is turned so that its text is upright."""
    left, bottom, right, top = shown
    if turns == 1:
        return bottom, -right, top, -left
    if turns == 2:
        return -right, -top, -left, -bottom
    if turns == 3:
        return -top, left, -bottom, right
    return shown


def _close(line: _Open, index: int) -> Line:
    """Return the line with its text and type: those of most of its letters."""
    weight: Counter[tuple[float, float]] = Counter()
    letters = bold = signs = monospaced = 0
    for piece in line.pieces:
        shown = "".join(piece.chars)
        piece.chars = [shown]
        count = count_alphanumerics(shown)
        weight[piece.size, piece.y] += max(len(shown), 1)
        letters += count
        bold += count if piece.bold else 0
        signs += len(shown)
        monospaced += len(shown) if piece.is_monospaced else 0
    size, baseline = max(weight, key=weight.__getitem__)
    text, marks = text_of_pieces(line.pieces, size, baseline)
    text = text.replace("\x02", HYPHEN).replace("\xad", HYPHEN)
    if text.endswith(_PRINTED_HYPHEN):
        text = text[:-1] + HYPHEN
    lead, lead_gap = _bold_lead(line.pieces)
    return Line(
        text=text,
        left=line.left,
        bottom=line.bottom,
        right=line.right,
        top=line.top,
        baseline=baseline,
        size=size,
        is_bold=bold > 0 and bold >= 0.9 * letters,
        bold_letters=0 if bold >= 0.9 * letters else lead,
        letters=letters,
        index=index,
        marks=marks,
        begins_raised=line.pieces[0].kind(size, baseline) == RAISED and len(line.pieces) > 1,
        lead_gap=lead_gap / size,
        is_monospaced=monospaced > 0 and monospaced >= 0.9 * signs,
    )


def _bold_lead(pieces: Sequence[TypePiece]) -> tuple[int, float]:
    """Return how many letters and digits a line begins with in bold, and the gap after these. A
    word in another type may be among them, where more than a space follows."""
    count, found = 0, (0, 0.0)
    for index, piece in enumerate(pieces):
        if index and not piece.bold and pieces[index - 1].bold:
            gap = piece.left - pieces[index - 1].right
            if not found[0] or gap > _SET_OFF_GAP * piece.size:
                found = count, gap
        if not index and not piece.bold:
            return 0, 0.0
        count += count_alphanumerics("".join(piece.chars))
    return found if found[0] else (count, 0.0)


def _without_doubles(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines without those drawn a second time at nearly the same place, to look bold or
    as a shadow."""
    seen: dict[str, list[Line]] = {}
    for line in lines:
        same = seen.setdefault(line.text, [])
        near = max(_DOUBLE_SHIFT * line.size, 1.0)
        if any(
            abs(line.left - other.left) <= near and abs(line.baseline - other.baseline) <= near
            for other in same
        ):
            continue
        same.append(line)
        yield line


def count_alphanumerics(text: str) -> int:
    """Return how many letters and digits a text has."""
    return len(text) - len(_MARKS.findall(text))


def rows_of(lines: Iterable[Line]) -> list[list[Line]]:
    """Return the lines grouped by baseline, from the top, each row from the left."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.baseline):
        last = rows[-1][0] if rows else None
        if last is not None and last.baseline - line.baseline <= _SAME_BASELINE * max(
            min(line.size, last.size), 1.0
        ):
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.left)
    return rows


def join_pieces(lines: Iterable[Line]) -> list[Line]:
    """Return the lines with pieces of one line joined that the file draws apart: neighbours with no
    more than a word's gap between, or a bullet or number and what it labels."""
    found: list[Line] = []
    for row in rows_of(lines):
        is_leftward = sum(map(_is_right_to_left, row)) > 0
        if is_leftward:
            row.reverse()
        current = row[0]
        for line in row[1:]:
            space = current.left - line.right if is_leftward else line.left - current.right
            gap = space / max(current.size, line.size, 1.0)
            is_label = current.letters <= _LABEL_LETTERS and len(current.text) <= _LABEL_LETTERS + 2
            is_next = line.index == current.index + 1
            limit = _JOIN_GAP if not is_next else _MAX_GAP
            if is_label and is_next and line.letters > 3:
                is_prose = len(row) == 2 and line.letters >= _PROSE_LETTERS
                limit = _PROSE_LABEL_GAP if is_prose else _LABEL_GAP
            if -_MAX_OVERLAP < gap <= limit and not line.begins_cell:
                current = _joined(current, line, gap > _WORD_GAP)
            else:
                found.append(current)
                current = line
        found.append(current)
    for line in found:
        if has_leftward_letters(line.text):
            line.text = with_turned_brackets(line.text)
    found.sort(key=lambda line: line.index)
    return found


def _is_right_to_left(line: Line) -> bool:
    """Return whether a line has more letters of Arabic, Hebrew and the like than others."""
    if line.text.isascii():
        return False
    found = sum("\u0590" <= char <= "\u08ff" or "\ufb1d" <= char <= "\ufefc" for char in line.text)
    return 2 * found > line.letters


def _joined(one: Line, two: Line, is_apart: bool) -> Line:
    base = one if one.letters >= two.letters else two
    is_bold = one.is_bold and two.is_bold
    lead = one.letters if one.is_bold and not two.is_bold else one.bold_letters
    return Line(
        text=one.text + (" " if is_apart or one.text.endswith((" ", ".")) else "") + two.text,
        left=min(one.left, two.left),
        bottom=min(one.bottom, two.bottom),
        right=max(one.right, two.right),
        top=max(one.top, two.top),
        baseline=base.baseline,
        size=base.size,
        is_bold=is_bold,
        bold_letters=0 if is_bold else lead,
        letters=one.letters + two.letters,
        index=two.index if one.index + 1 == two.index else one.index,
        marks=one.marks + two.marks,
        ends_inside_word=two.ends_inside_word,
        begins_raised=one.begins_raised,
        begins_cell=one.begins_cell,
        lead_gap=(two.left - one.right) / base.size if one.is_bold else one.lead_gap,
        is_monospaced=one.is_monospaced and two.is_monospaced,
    )
