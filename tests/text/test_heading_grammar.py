"""The grammar of headings: which lines are headings, and what their titles mean."""

from __future__ import annotations

import re

import pytest

from longt5.text.headings import (
    ACKNOWLEDGEMENTS_TITLE,
    APPENDIX_LINE,
    CHAPTER_LABEL,
    CONTENTS_TITLE,
    HEADING_LINE,
    NUMBERED_HEADING,
    NUMBERED_LINE,
    OPENING_TITLE,
    REFERENCES_TITLE,
    SECTION_NUMBER,
    TITLE_AFTER_REFERENCES,
    is_heading,
)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (HEADING_LINE, "## What was found"),
        (HEADING_LINE, "3.2 Methods of the survey"),
        (HEADING_LINE, "IV. Results"),
        (HEADING_LINE, "Chapter 3 The Harbour"),
        (HEADING_LINE, "Anhang B: Tabellen"),
        (HEADING_LINE, "Conclusions"),
        (APPENDIX_LINE, "B. Questions of the survey"),
        (NUMBERED_HEADING, "2 Costs"),
        (SECTION_NUMBER, "5.4 Financial performance"),
        (NUMBERED_LINE, "12: Costs of the wall"),
        (CHAPTER_LABEL, "Chapter 3: The Harbour"),
        (CONTENTS_TITLE, "Table of contents"),
        (REFERENCES_TITLE, "7.3 References"),
        (REFERENCES_TITLE, "VI. Bibliography:"),
        (TITLE_AFTER_REFERENCES, "A. Appendix: the questions"),
        (TITLE_AFTER_REFERENCES, "B Supplementary tables"),
        (ACKNOWLEDGEMENTS_TITLE, "# Acknowledgements"),
        (OPENING_TITLE, "1. Introduction and aims"),
    ],
)
def test_headings_are_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.match(line)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (HEADING_LINE, "3.5 million people moved"),
        (HEADING_LINE, "Results were good"),
        (HEADING_LINE, "1998 Was a cold year"),
        (NUMBERED_HEADING, "3.5 million people moved"),
        (SECTION_NUMBER, "3.5 Millionen Menschen zogen um"),
        (SECTION_NUMBER, "2 Costs"),
        (CONTENTS_TITLE, "Contents of the box"),
        (OPENING_TITLE, "A summary of the licence"),
        (REFERENCES_TITLE, "References to the sea"),
        (TITLE_AFTER_REFERENCES, "Methods that we used, and why."),
    ],
)
def test_other_lines_are_no_headings(pattern: re.Pattern[str], line: str) -> None:
    assert not pattern.match(line)


def test_a_heading_is_short_and_ends_no_sentence() -> None:
    assert is_heading("The night of the flood")
    assert not is_heading("The river rose.") and not is_heading("Table 3")
    assert not is_heading("") and not is_heading("word " * 20)
