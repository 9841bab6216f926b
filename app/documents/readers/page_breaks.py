"""The pages of a plain text are joined: headers, footers and page numbers are removed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.text.sentences import ends_clause

from ..running_lines import drop_running_lines

PAGE_BREAK = "\f"
_NUMBER_LINE = re.compile(r"(?:[-–— ]*(?:page )?|\[(?:pg|page) ?)(\d{1,4})(?:\]|[-–— ]*)", re.I)
_RFC_FOOTER = re.compile(r"\S.* {3,}\[Page (\d{1,4})\]")  # as on the pages of an RFC
# Chosen by hand on books and RFCs.
_MIN_PAGE_LINES = 9  # from one page number to the next; nearer numbers count items
_MIN_PAGE_NUMBERS = 3  # that follow each other
_MAX_TITLE_CHARACTERS = 39  # of a page's last paragraph that only goes on with a small letter
_MIN_BROKEN_SHARE = 0.25  # of the breaks inside a sentence; fewer: the numbers are chapters'


def join_text_pages(content: str) -> str:
    """Return a text without its page breaks (form feeds, else lines that are page numbers) and
    the running lines next to them."""
    if PAGE_BREAK not in content:
        lines = content.split("\n")
        for index in _page_number_lines(lines):
            lines[index] += PAGE_BREAK
        content = "\n".join(lines)
        if PAGE_BREAK not in content:
            return content
    pages = ["\n".join(map(str.strip, page.split("\n"))) for page in content.split(PAGE_BREAK)]
    return _join_paragraphs([page.strip("\n") for page in drop_running_lines(pages)])


def _page_number_lines(lines: Sequence[str]) -> list[int]:
    """Return the indexes of lines that number pages: each number is one more than the one before,
    at least some lines later, and sentences go on after some of them."""
    runs: list[list[int]] = []
    last = 0
    for index, line in enumerate(lines):
        found = _NUMBER_LINE.fullmatch(line.strip()) or _RFC_FOOTER.fullmatch(line.strip())
        if found is None:
            continue
        number = int(found[1])
        if runs and number == last + 1 and index - runs[-1][-1] >= _MIN_PAGE_LINES:
            runs[-1].append(index)
        else:
            runs.append([index])
        last = number
    return [
        index
        for run in runs
        if len(run) >= _MIN_PAGE_NUMBERS
        and sum(_is_inside_text(lines, i) for i in run) >= _MIN_BROKEN_SHARE * len(run)
        for index in run
    ]


def _is_inside_text(lines: Sequence[str], index: int) -> bool:
    """Return whether a line stands inside a sentence, or is a footer with more than a number."""
    if _RFC_FOOTER.fullmatch(lines[index].strip()):
        return True
    before = next((lines[i].rstrip() for i in range(index - 1, -1, -1) if lines[i].strip()), "")
    return bool(before) and not ends_clause(before)


def _join_paragraphs(pages: Sequence[str]) -> str:
    """Return the pages as one text, in which a paragraph that ends inside a sentence goes on."""
    text = ""
    for page in filter(None, pages):
        is_short = len(text.rpartition("\n\n")[2]) <= _MAX_TITLE_CHARACTERS
        is_title = is_short and not page[0].islower()
        goes_on = text and not ends_clause(text[-9:]) and not is_title
        text += ("\n" if goes_on else "\n\n" if text else "") + page
    return text
