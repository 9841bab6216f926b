"""Run-in headings: bold words that begin a paragraph, as in "Study area. The river ..."."""

from __future__ import annotations

from longt5.text.headings import MAX_HEADING_CHARACTERS, NUMBERED_HEADING
from longt5.text.prose import VERB, is_caption
from longt5.text.sentences import ABBREVIATION, last_sentence_end

from .line_layout import line_key
from .line_patterns import LETTER_RUN

_MIN_SENTENCE_WORDS = 4  # chosen by hand: a bold "Study area." keeps its stop, it is no sentence


def run_in_heading(
    line: str, bold_letters: int, is_set_off: bool = False, is_full: bool = False
) -> str:
    """Return the heading that a line begins with, given how many letters and digits it begins
    with in bold; "" where these are no heading before a sentence in usual weight."""
    end = _end_of_letters(line, bold_letters)
    heading, rest = line[:end].rstrip(), line[end:].lstrip()
    if (
        not LETTER_RUN.search(heading)
        or len(heading) > MAX_HEADING_CHARACTERS
        or heading[-1] in ":,;"
    ):
        return ""
    # "U.S." ends no heading; "Appendix A." does.
    is_short = ABBREVIATION.search(heading) is not None and heading[-3:-2] != " "
    is_ended = heading[-1] == "." and not is_short
    is_closed = is_ended or is_set_off or (is_full and NUMBERED_HEADING.match(heading))
    is_heading = is_closed and rest[:1].isupper() and not is_caption(line)
    return heading if is_heading else ""


def split_run_in_heading(paragraph: str, bold_letters: int) -> list[str]:
    """Return a paragraph, given how many letters and digits it begins with in bold, as [heading,
    rest]; [paragraph] where it begins with no heading. A sentence in bold stays with its
    paragraph."""
    heading = run_in_heading(paragraph, bold_letters) if bold_letters else ""
    if not heading or VERB.search(heading) or last_sentence_end(heading[:-1]):
        return [paragraph]
    return [without_full_stop(heading), paragraph[len(heading) :].lstrip()]


def without_full_stop(heading: str) -> str:
    """Return a heading without its full stop, where it would count as a sentence with it."""
    is_long = len(heading.split()) >= _MIN_SENTENCE_WORDS
    is_title = len(heading) <= MAX_HEADING_CHARACTERS and not VERB.search(heading)
    is_one = is_title and not last_sentence_end(heading[:-1])
    return heading[:-1] if is_long and is_one and heading.endswith(".") else heading


def _end_of_letters(line: str, count: int) -> int:
    """Return where in a line its first `count` letters and digits end, with the marks after
    them."""
    end = 0
    while end < len(line) and count > 0:
        count -= len(line_key(line[end]))
        end += 1
    while end < len(line) and not line[end].isalnum() and not line[end].isspace():
        end += 1
    return end
