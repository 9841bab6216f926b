"""Patterns of lines that several steps of reading share."""

from __future__ import annotations

import re

LETTER_RUN = re.compile(r"[^\W\d_]+")
CUT_WORD = re.compile(r"(?<![^\W_])([^\W_]+)([-\u2010\ufffe])$")
CJK_CHARACTER = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
