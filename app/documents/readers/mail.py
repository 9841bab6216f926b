"""Mail as plain text: quotation marks and signatures are removed."""

from __future__ import annotations

import re
from collections.abc import Sequence

_QUOTE_MARKS = re.compile(r"[ \t]*(?:>[ \t]?)+")
_SIGNATURE_MARK = re.compile(r"--[ \t]*")


def strip_quotes_and_signatures(lines: Sequence[str]) -> tuple[list[str], int]:
    """Return the lines without quotation marks and signatures, and the number of signatures. A
    signature goes from a line "--" to the next blank one."""
    found, count, is_signature = [], 0, False
    for line in lines:
        line = line[marks.end() :] if (marks := _QUOTE_MARKS.match(line)) else line
        if _SIGNATURE_MARK.fullmatch(line):
            count += not is_signature
            is_signature = True
        is_signature = is_signature and bool(line.strip())
        if not is_signature:
            found.append(line)
    return found, count
