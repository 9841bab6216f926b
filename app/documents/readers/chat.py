"""Exported chats: each message becomes a paragraph that begins with its sender."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MESSAGE_START = re.compile(  # when, and who
    r"\u200e?\[?\d{1,2}[./-]\d{1,2}[./-]\d{2,4},\s\d{1,2}:\d\d(?::\d\d)?(?:\s?[AaPp]\.?\s?[Mm]\.?)?"
    r"(?:\]| -)\s+([^:]{1,40}:\s)?"
)
_OMITTED_MEDIA = re.compile(r"\u200e?(?:<[^<>]+>|[\w ]{1,20} omitted)")
_MIN_MESSAGES = 3  # chosen by hand: fewer dated lines may be anything


def chat_messages(lines: Sequence[str]) -> tuple[list[str], bool]:
    """Return the messages of a chat, with a blank line before each and without times, and True;
    the lines as they are, and False, where they are no chat."""
    starts = [_MESSAGE_START.match(line) for line in lines]
    if sum(start is not None and start[1] is not None for start in starts) < _MIN_MESSAGES:
        return list(lines), False
    found: list[str] = []
    for line, start in zip(lines, starts, strict=True):
        words = line[start.end() :] if start else line
        if start is None:
            found.append(line)
        elif start[1] and not _OMITTED_MEDIA.fullmatch(words.strip()):
            found += ["", start[1] + words]
    return found, True
