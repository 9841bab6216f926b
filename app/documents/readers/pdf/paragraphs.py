"""Lines become paragraphs: where one ends, what is a heading, what stays a list or table row.

With marks (size, weight and place of each line) the page itself tells; without, the lengths of
lines and their last and first characters must do.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median, quantiles

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import VERB
from longt5.text.sentences import ABBREVIATION, ends_clause, last_sentence_end

_WORD = re.compile(r"[^\W\d_]+")
_SYMBOL_BULLET = re.compile(r"^[•▪■●○◦‣–∗·◆➢✓⋆\uf0b7-]\s")
_NUMBER_BULLET = re.compile(r"^(?:\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})[.)]|\[\d{1,3}\])\s")
_NUMBERED = re.compile(  # "3.5 million people moved" begins with no number of a heading
    r"^(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|Chapter \d+)\s+[^\W\d_a-zß-öø-ÿ]"
)
_CAPTION = re.compile(
    r"^(?:Table|Figure|Fig\.|Box|TABLE|FIGURE|FIG\.|BOX|Tabelle|Abbildung|Tableau)\s+[\dA-Z]"
)
_CUT_WORD = re.compile(r"(?<![^\W_])([^\W_]+)([-\u2010\ufffe])$")
_HALF = re.compile(r"[^\W_]+")
_CJK = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
SENTENCE = 4  # words of one at least
FULL = 4  # type sizes from the margin that a full line may end before it
LARGE = 1.15  # times the size of the body: a heading
WIDE = 1.3  # times the usual distance of lines: a new paragraph
INDENT = 0.7  # type sizes further right than the line before: a new paragraph
MAX_KEY = 120  # letters of a line by which it is known
MAX_CELLS = 16  # in one row of a table
LETTER = 0.46  # usual width of a letter, in type sizes


@dataclass(frozen=True)
class Mark:
    """How a line stands on its page: `size` in points; left margin, free room on its right
    (None when unknown) and distance to the line above (0 when unknown) in type sizes; `is_row`
    when wide gaps part it into cells; `place` counts the lines of the page. `lead` counts the
    letters and digits that it begins with in bold and does not end with, `is_set_off` says that
    more than a space follows these; `is_beside` that it is in another cell than the line above."""

    size: float
    is_bold: bool = False
    left: float = 0.0
    room: float | None = None
    gap: float = 0.0
    is_row: bool = False
    place: int = 0
    lead: int = 0
    is_set_off: bool = False
    is_beside: bool = False


Marks = Mapping[str, tuple[Mark, ...]]  # by line_key; lines alike on one page have one each


@dataclass(frozen=True)
class Body:
    """The usual type size, line distance (0 when unknown) and weight of a document."""

    size: float = 0.0
    gap: float = 0.0
    is_bold: bool = False


def line_key(line: str) -> str:
    """The letters and digits of a line: what two readers of a page agree upon."""
    text = unicodedata.normalize("NFKC", line).casefold()
    return "".join(c for c in text if c.isalnum())[:MAX_KEY]


def body_of(marks: Iterable[Marks]) -> Body:
    """The size of most letters and the distance of most lines."""
    found = [
        (mark, len(key))
        for page in marks
        for key, own in page.items()
        for mark in own
        if len(key) > 20
    ]
    if not found:
        return Body()
    letters = sorted((mark.size, count) for mark, count in found)
    half, size = sum(count for _, count in letters) / 2, letters[-1][0]
    for value, count in letters:
        half -= count
        if half <= 0:
            size = value
            break
    gaps = [m.gap for m, _ in found if 0.8 < m.gap < 3 and abs(m.size / size - 1) < 0.1]
    bold = sum(count for mark, count in found if mark.is_bold)
    is_bold = bold > sum(count for _, count in found) / 2
    return Body(size, median(gaps) if gaps else 0.0, is_bold)


def keep_hyphen(head: str, _: str, tail: str) -> str:
    """What a word cut at a line's end becomes when nothing is known about it."""
    return f"{head}-{tail}"


def join_lines(
    text: str,
    marks: Marks | None = None,
    body: Body | None = None,
    join_word: Callable[[str, str, str], str] = keep_hyphen,
) -> str:
    """Paragraphs with a blank line between; rows of lists and tables on lines of their own.
    `join_word` makes one word of the halves, and the sign between, of one cut at a line's end."""
    lines = _rows(text.split("\n"), marks) if marks else text.split("\n")
    lengths = [len(line) for line in lines if len(line) > 1]
    width = quantiles(lengths, n=10)[7] if len(lengths) >= 4 else max(lengths, default=0)
    page = _Page(body or Body(), width)
    own = placed(lines, marks or {})
    blocks: list[list[str]] = []  # in pieces: a page may be one paragraph of a million letters
    before = ""
    for i, line in enumerate(lines):
        if not line:
            before = ""
            continue
        following = lines[i + 1] if i + 1 < len(lines) else ""
        pair = own[i - 1], own[i]
        break_ = page.break_between(before, line, following, pair) if before else "\n\n"
        heading = page.heading_in(before, line, pair)
        if heading:
            if break_ == "" and not ends_clause(before):  # its first lines are above it
                _glue(blocks[-1], heading, join_word)
                blocks[-1] = [_as_heading("".join(blocks[-1]))]
            else:
                blocks.append([_as_heading(heading)])
            blocks.append([line[len(heading) :].lstrip()])
        elif break_ == "\n\n":
            blocks.append([line])
        elif break_ == "\n":
            blocks[-1].append("\n" + line)
        else:
            _glue(blocks[-1], line, join_word)
        before = line
    return "\n\n".join("".join(block) for block in blocks)


def placed(lines: Sequence[str], marks: Marks) -> list[Mark | None]:
    """The mark of each line; among lines alike, that of the place nearest to its neighbours'."""
    options = [_marks_of(line, marks) if line else () for line in lines]
    known = [own[0].place if len(own) == 1 else None for own in options]
    found: list[Mark | None] = []
    before = -1
    for i, own in enumerate(options):
        if len(own) < 2:
            found.append(own[0] if own else None)
        else:
            after = next((p for p in known[i + 1 : i + 4] if p is not None), None)

            def distance(mark: Mark, low: int = before, high: int | None = after) -> int:
                far = abs(mark.place - low - 1)
                return far if high is None else far + abs(high - 1 - mark.place)

            found.append(min(own, key=distance))
        mark = found[-1]
        before = mark.place if mark is not None else before
    return found


def _marks_of(line: str, marks: Marks) -> tuple[Mark, ...]:
    """The marks of a line; where it is made of the cells of a row, one that says so."""
    rest = key = line_key(line)
    if key in marks or not key:
        return marks.get(key, ())
    found: list[Mark] = []
    while rest:
        piece = max((k for k in marks if rest.startswith(k)), key=len, default="")
        if not piece:
            # The key of a long line is cut.
            is_cut = len(key) == MAX_KEY and any(k.startswith(rest) for k in marks)
            if not is_cut:
                return ()
            break
        found.append(marks[piece][0])
        rest = rest[len(piece) :]
    if not (found[0].is_row or any(mark.is_beside for mark in found[1:])):
        return ()
    return (replace(found[0], is_row=True, is_beside=True),)


def _rows(lines: list[str], marks: Marks) -> list[str]:
    """Cells that one reader gives a line each, put back on the line where they stand."""
    found: list[str] = []
    i = 0
    while i < len(lines):
        row, key = lines[i], line_key(lines[i])
        count = 1
        while key and key not in marks and count < MAX_CELLS and i + count < len(lines):
            piece = lines[i + count]
            row, key, count = f"{row} {piece}", key + line_key(piece), count + 1
        whole = count == 1 or key in marks
        found.append(row if whole else lines[i])
        i += count if whole else 1
    return found


@dataclass(frozen=True)
class _Page:
    body: Body
    width: float  # characters of a full line

    def break_between(
        self, before: str, line: str, following: str, marks: tuple[Mark | None, Mark | None]
    ) -> str:
        """What stands between two lines: "" (one paragraph), a line end, or a blank line."""
        if _SYMBOL_BULLET.match(line) or _CAPTION.match(line):
            return "\n\n"
        if _CUT_WORD.search(before) and line[0].islower():
            return ""
        one, two = marks
        if one is not None and two is not None and self.body.size:
            return self._by_marks(before, one, line, two)
        if self._is_heading(line, before, following) or self._is_heading(before, "", line):
            return "\n\n"
        ends = ends_clause(before)
        if _NUMBER_BULLET.match(line) and ends:
            return "\n\n"
        if line[0].islower() or not len(before) < (0.8 if ends else 0.6) * self.width:
            return ""
        return "\n\n" if ends else "\n"

    def _by_marks(self, before: str, one: Mark, line: str, two: Mark) -> str:
        if one.is_row or two.is_row:
            return "\n" if one.is_row and two.is_row and not two.is_beside else "\n\n"
        ends = ends_clause(before)
        if two.is_beside:
            # A sentence may go on from a full line in the next column of the page.
            is_full = one.room is None or one.room <= self._first_word(line)
            is_full = is_full and two.left > one.left and len(before) > self.width / 2
            if ends or not (is_full or line[0].islower()):
                return "\n\n"
        if abs(two.size / one.size - 1) > 0.1 or one.is_bold != two.is_bold:
            # A word in another type may begin or end a line of running text.
            runs_on = not ends and line[0].islower() and one.size < LARGE * self.body.size
            return "" if runs_on else "\n\n"
        is_bold = two.is_bold and not self.body.is_bold
        is_title = two.size >= LARGE * self.body.size or is_bold
        if two.gap > WIDE * (max(self.body.gap, 1.2) if not is_title else 1.5):
            return "\n\n"
        fits = one.room is not None and self._first_word(line) < one.room
        if _CJK.match(before[-1]) and _CJK.match(line[0]):
            fits = one.room is not None and 3 < one.room < math.inf  # a line may end anywhere
        if is_title:
            # Rows begin at the same place; the lines of a centred title do not.
            row = fits and abs(two.left - one.left) < 0.2 and not line[0].islower()
            return "\n\n" if _NUMBERED.match(line) else "\n" if row else ""
        if _NUMBER_BULLET.match(line) and (ends or fits):
            return "\n\n"
        if ends and (INDENT < two.left - one.left < 5 or (fits and not line[0].islower())):
            return "\n\n"
        if not fits or line[0].islower():
            return ""
        # A short line above a full one is a heading in the type of the text.
        is_heading = one.room is not None and two.room is not None and two.room < 3 < one.room / 3
        return "\n\n" if is_heading else "\n"

    def heading_in(self, before: str, line: str, marks: tuple[Mark | None, Mark | None]) -> str:
        """The heading in bold that a line begins with and that its paragraph goes on after, as in
        "Study area. The river ..." or "3.2 Methods We asked ..."; empty where there is none."""
        one, two = marks
        if two is None or not two.lead or self.body.is_bold:
            return ""
        is_below_bold = one is not None and one.is_bold
        if before and not is_below_bold and not ends_clause(before):
            return ""
        is_full = two.room is not None and two.room < FULL
        return lead_of(line, two.lead, two.is_set_off, is_full)

    @staticmethod
    def _first_word(line: str) -> float:
        """Room, in type sizes, that the first word would have taken, and some to spare."""
        return LETTER * len(line.split(" ", 1)[0]) + 2

    def _is_heading(self, line: str, before: str, following: str) -> bool:
        if len(line) > min(90, max(0.75 * self.width, 30)) or ends_clause(line):
            return False
        if line[-1] in ",-(" or line[0].islower() or not _WORD.search(line):
            return False
        if before and not ends_clause(before):
            return False
        if _NUMBERED.match(line) or (line.isupper() and len(line) > 3):
            return True
        return bool(following) and not following[0].islower() and len(line) < 0.6 * self.width


def lead_of(line: str, count: int, is_set_off: bool = False, is_full: bool = False) -> str:
    """The heading that the first `count` letters and digits of a line are, in bold before a
    sentence in usual weight; empty where they are none."""
    end = _after(line, count)
    heading, rest = line[:end].rstrip(), line[end:].lstrip()
    if not _WORD.search(heading) or len(heading) > MAX_HEADING_CHARACTERS or heading[-1] in ":,;":
        return ""
    # "U.S." is none; "Appendix A." is.
    is_short = ABBREVIATION.search(heading) is not None and heading[-3:-2] != " "
    is_ended = heading[-1] == "." and not is_short
    is_closed = is_ended or is_set_off or (is_full and _NUMBERED.match(heading))
    is_heading = is_closed and rest[:1].isupper() and not _CAPTION.match(line)
    return heading if is_heading else ""


def lead_apart(paragraph: str, count: int) -> list[str]:
    """A paragraph whose first `count` letters and digits are in bold, with a heading that these
    are apart from the rest. A sentence that is only stressed stays with it."""
    lead = lead_of(paragraph, count) if count else ""
    if not lead or VERB.search(lead) or last_sentence_end(lead[:-1]):
        return [paragraph]
    return [_as_heading(lead), paragraph[len(lead) :].lstrip()]


def _after(line: str, count: int) -> int:
    """Where in a line its first `count` letters and digits end, with a full stop after them."""
    end = 0
    while end < len(line) and count > 0:
        count -= len(line_key(line[end]))
        end += 1
    while end < len(line) and not line[end].isalnum() and not line[end].isspace():
        end += 1
    return end


def _as_heading(words: str) -> str:
    """A heading without its full stop, where it would else count as a sentence."""
    is_long = len(words.split()) >= SENTENCE
    is_title = len(words) <= MAX_HEADING_CHARACTERS and not VERB.search(words)
    is_one = is_title and not last_sentence_end(words[:-1])
    return words[:-1] if is_long and is_one and words.endswith(".") else words


def _glue(block: list[str], line: str, join_word: Callable[[str, str, str], str]) -> None:
    """Goes on with a paragraph on one line; Chinese and Japanese take no space between."""
    last = block[-1]
    cut, rest = _CUT_WORD.search(last), _HALF.match(line)
    if cut and rest:
        block[-1] = last[: cut.start()]
        block.append(join_word(cut[1], cut[2], rest[0]) + line[rest.end() :])
    else:
        is_close = _CJK.match(last[-1]) and _CJK.match(line[0])
        block.append(line if is_close else " " + line)
