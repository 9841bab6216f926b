"""Page breaks in plain text: headers, footers and numbers go, a sentence goes on across them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.text.sentences import ends_clause

from ..cleaning import drop_running_lines

BREAK = "\f"
_NUMBER = re.compile(r"(?:[-–— ]*(?:page )?|\[(?:pg|page) ?)(\d{1,4})(?:\]|[-–— ]*)", re.I)
_FOOTER = re.compile(r"\S.* {3,}\[Page (\d{1,4})\]")  # as on the pages of an RFC
LINES = 8  # that a page has at least
ROW = 3  # numbers that follow each other at least
TITLE = 40  # characters; a shorter last paragraph of a page goes on only with a small letter
INSIDE = 0.25  # of the breaks at least are inside a sentence: else the numbers are chapters'


def without_pages(content: str) -> str:
    """A text without its page breaks (form feeds, else lines that are page numbers) and what
    repeats beside them."""
    if BREAK not in content:
        lines = content.split("\n")
        for index in _numbered(lines):
            lines[index] += BREAK
        content = "\n".join(lines)
        if BREAK not in content:
            return content
    pages = ["\n".join(map(str.strip, page.split("\n"))) for page in content.split(BREAK)]
    return _joined([page.strip("\n") for page in drop_running_lines(pages)])


def _numbered(lines: Sequence[str]) -> list[int]:
    """The lines that number pages: each says one more than the one before it, at least a few
    lines further, and sentences go on after some of them."""
    runs: list[list[int]] = []
    last = 0
    for index, line in enumerate(lines):
        found = _NUMBER.fullmatch(line.strip()) or _FOOTER.fullmatch(line.strip())
        if found is None:
            continue
        number = int(found[1])
        if runs and number == last + 1 and index - runs[-1][-1] > LINES:
            runs[-1].append(index)
        else:
            runs.append([index])
        last = number
    return [
        index
        for run in runs
        if len(run) >= ROW and sum(_is_inside(lines, i) for i in run) >= INSIDE * len(run)
        for index in run
    ]


def _is_inside(lines: Sequence[str], index: int) -> bool:
    """Whether a line stands inside a sentence, or below the text of a page with a footer."""
    if _FOOTER.fullmatch(lines[index].strip()):
        return True
    before = next((lines[i].rstrip() for i in range(index - 1, -1, -1) if lines[i].strip()), "")
    return bool(before) and not ends_clause(before)


def _joined(pages: Sequence[str]) -> str:
    """The pages as one text: a paragraph that ends inside a sentence goes on."""
    text = ""
    for page in filter(None, pages):
        is_title = len(text.rpartition("\n\n")[2]) < TITLE and not page[0].islower()
        goes_on = text and not ends_clause(text[-9:]) and not is_title
        text += ("\n" if goes_on else "\n\n" if text else "") + page
    return text
