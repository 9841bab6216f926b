"""Patterns of lines that several steps of reading share."""

from __future__ import annotations

import re

LETTER_RUN = re.compile(r"[^\W\d_]+")
_CUTTING_HYPHENS = ("-", "\u2010", "\ufffe")
_CUT_WORD = re.compile(r"(?<![^\W_])([^\W_]+)([-\u2010\ufffe])$")
CJK_CHARACTER = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


def cut_word(line: str) -> re.Match[str] | None:
    """Return the half of a word and the hyphen that a line ends with; None where it does not."""
    return _CUT_WORD.search(line) if line.endswith(_CUTTING_HYPHENS) else None
