"""Exported chats: each message becomes a paragraph that begins with its sender.

A chat is known by what repeats, in any language: a date or a time, and a name, on at least three
lines of one shape.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_CHAT_LETTER = r"[^\W\d_]"
# 3.4.2025, 2025/4/3, 2025年4月3日, 2025. 4. 3., 3.04.2025 г.
_DATE = (
    r"\d{1,4}\s?[./年년-]\s?\d{1,2}\s?[./月월-]\s?\d{1,4}[.日일]?"
    rf"(?:\s{_CHAT_LETTER}{{1,2}}\.)?"
)
_NAMED_DATE = rf"(?:\d{{1,2}}\.?\s)?{_CHAT_LETTER}{{3,10}}\.?\s(?:\d{{1,2}},?\s)?\d{{4}}"
_MARKER = rf"{_CHAT_LETTER}{{1,4}}\.?(?:\s?{_CHAT_LETTER}\.)?"  # klo, à, um, 上午, AM, p. m.
# A word before a colon or an arrow is no marker of the time but a name: "10:05 Anna: ...".
_LATER_MARKER = rf"(?:\s?{_MARKER}(?![^\W_]|\s?:))?"
_CHAT_TIME = rf"(?:{_MARKER}\s?)?\d{{1,2}}[:.h]\d\d(?:[:.]\d\d)?{_LATER_MARKER}"
_HALF_DAY_TIME = r"\d{1,2}:\d\d(?::\d\d)?\s?[AaPp]\.?\s?[Mm]\b\.?"
_DAY = rf"(?:{_DATE}|{_NAMED_DATE})"
_WHEN = rf"(?:{_DAY}(?:[,،]?\s+|[,،])(?:{_MARKER}\s)?{_CHAT_TIME}|{_CHAT_TIME}[,،]?\s+{_DAY})"
_CHAT_NAME = r"[^:\[\]<>\n]{1,40}?"
_MESSAGE = re.compile(  # when - who: what
    rf"(?:\[(?P<in>{_WHEN}|{_HALF_DAY_TIME})\]|(?P<out>{_WHEN}))(?P<gap>\s?[-–|]\s|\s|[:,]\s)"
    rf"(?:(?P<name>{_CHAT_NAME})\s?:\s)?"
)
_NICKNAMED = re.compile(  # [10:05] <anna> what, and notices of who comes and goes
    rf"(?:{_DAY}[,T]?\s?)?(?:\[(?P<in>{_CHAT_TIME})\]|(?P<out>{_CHAT_TIME}))\s+"
    rf"(?:<\s?[@+%&~]?(?P<name>[^\s<>]{{2,30}})>\s|-!-\s|\*{{1,3}}\s)"
)
_HEADED = re.compile(  # who, [when]: and the message on the lines below
    rf"(?P<name>{_CHAT_NAME}),?\s+(?:\[(?P<in>{_WHEN}|{_CHAT_TIME})\]|(?P<out>{_WHEN}|{_CHAT_TIME})):?"
)
_BELOW_TIME = re.compile(rf"\[(?P<in>{_WHEN}|{_CHAT_TIME})\]\s+(?P<name>{_CHAT_NAME}):?")
_MEETING = re.compile(  # 10:10:22 From Anna to Everyone: what
    rf"(?P<in>\d{{1,2}}:\d\d:\d\d)\s+{_CHAT_LETTER}{{2,5}}\s+(?P<name>{_CHAT_NAME})"
    rf"(?:\s+{_CHAT_LETTER}{{1,4}}\s+[^:\n]{{1,40}}?)?\s?:(?:\s|$)"
)
_TABBED = re.compile(rf"(?P<in>{_CHAT_TIME})\t(?P<name>{_CHAT_NAME})\t")  # of LINE
_DAY_LINE = re.compile(rf"{_DAY}(?:[,\s]*\(?{_CHAT_LETTER}{{1,12}}\.?\)?)?")  # 2025/04/03(Thu)
_DASHED_NAME = re.compile(r"\s[—–|](?:\s.*)?$")  # "Anna — Today", before the time
_WHOLE_LINES = (_HEADED, _BELOW_TIME)  # the message stands below
_MEDIA = re.compile(r"\u200e?<[^<>]+>|\u200e.{0,60}|[\w ]{1,20} omitted")
_MIN_MESSAGES = 3  # chosen by hand: fewer dated lines may be anything
_LOG_LEVEL = re.compile(r"[a-z][\w.-]*|[A-Z]{3,8}|.*[/\\=(].*")  # worker, ERROR, app.db


@dataclass(frozen=True)
class ChatText:
    """The lines of a chat, and how many messages held only a picture or another file."""

    lines: list[str]
    media: int


def read_chat(lines: Sequence[str]) -> ChatText | None:
    """Return a chat with a blank line before each message and without times; None where the
    lines are no chat."""
    for pattern in (_MESSAGE, _NICKNAMED, _HEADED, _BELOW_TIME, _MEETING, _TABBED):
        starts = [_start(pattern, line) for line in lines]
        names = [start["name"].strip() for start in starts if start and start["name"]]
        shapes = Counter(_shape(start) for start in starts if start and start["name"])
        if max(shapes.values(), default=0) < _MIN_MESSAGES:
            continue
        is_agenda = pattern in _WHOLE_LINES and len(set(names)) == len(names)
        is_log = pattern is not _NICKNAMED and all(map(_LOG_LEVEL.fullmatch, names))
        if not is_agenda and not is_log:
            return _messages(lines, starts)
    return None


def _start(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    shown = _UNSEEN.sub("", line)
    return pattern.fullmatch(shown) if pattern in _WHOLE_LINES else pattern.match(shown)


def _shape(start: re.Match[str]) -> str:
    """Return when a message was sent as a shape: the digits and letters do not count."""
    found = start.groupdict()
    when = found.get("in") or found.get("out") or ""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", when)) + (found.get("gap") or "")


def _messages(lines: Sequence[str], starts: Sequence[re.Match[str] | None]) -> ChatText:
    found: list[str] = []
    media, waiting, is_notice = 0, "", False  # waiting: a sender whose words stand below
    for line, start in zip(lines, starts, strict=True):
        if start is None:
            if not is_notice and not _DAY_LINE.fullmatch(line.strip()):
                found.append(f"{waiting}{line}" if line.strip() else line)
                waiting = "" if line.strip() else waiting
            continue
        media += bool(waiting)
        waiting, is_notice = "", not start["name"]
        if is_notice:
            continue
        sender = _DASHED_NAME.sub("", start["name"].strip()) + ": "
        found.append("")
        words = _after(line, start)
        if not words.strip():
            waiting = sender
        elif _MEDIA.fullmatch(words.strip()):
            media += 1
            is_notice = True
        else:
            found.append(sender + words)
    return ChatText(found, media + bool(waiting))


def _after(line: str, start: re.Match[str]) -> str:
    """Return the rest of a line after the start of its message, with its unseen marks: WhatsApp
    puts one before what it says itself."""
    seen = 0
    for index, character in enumerate(line):
        if seen == start.end():
            return line[index:]
        seen += not _UNSEEN.match(character)
    return ""
