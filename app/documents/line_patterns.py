"""Patterns of lines that several steps of reading share."""

from __future__ import annotations

import re

LETTER_RUN = re.compile(r"[^\W\d_]+")
NUMBERED_HEADING = re.compile(  # "3.5 million people moved" begins with no number of a heading
    r"^(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|Chapter \d+)\s+[^\W\d_a-zß-öø-ÿ]"
)
TABLE_OR_FIGURE = re.compile(
    r"^(?:Table|Figure|Fig\.|Box|TABLE|FIGURE|FIG\.|BOX|Tabelle|Abbildung|Tableau)\s+[\dA-Z]"
)
CUT_WORD = re.compile(r"(?<![^\W_])([^\W_]+)([-\u2010\ufffe])$")
CJK_CHARACTER = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
