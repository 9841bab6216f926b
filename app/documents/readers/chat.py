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
_DATE = r"\d{1,4}\s?[./年-]\s?\d{1,2}\s?[./月-]\s?\d{1,4}[.日]?"
_NAMED_DATE = r"(?:\d{1,2}\.?\s)?[^\W\d_]{3,10}\.?\s(?:\d{1,2},?\s)?\d{4}"
_MARKER = r"[^\W\d_]{1,4}\.?(?:\s?[^\W\d_]\.)?"  # klo, à, um, 上午, AM, p. m.
_CHAT_TIME = rf"(?:{_MARKER}\s?)?\d{{1,2}}[:.h]\d\d(?:[:.]\d\d)?(?:\s?{_MARKER}(?![^\W\d_]))?"
_DAY = rf"(?:{_DATE}|{_NAMED_DATE})"
_WHEN = rf"(?:{_DAY}(?:,?\s+|,)(?:{_MARKER}\s)?{_CHAT_TIME}|{_CHAT_TIME},?\s+{_DAY})"
_CHAT_NAME = r"[^:\[\]<>\n]{1,40}?"
_MESSAGE = re.compile(  # when - who: what
    rf"(?:\[(?P<in>{_WHEN})\]|(?P<out>{_WHEN}))(?P<gap>\s?[-–|]\s|\s|[:,]\s)(?:(?P<name>{_CHAT_NAME})\s?:\s)?"
)
_HEADED = re.compile(  # who, [when]: and the message on the lines below
    rf"(?P<name>{_CHAT_NAME}),?\s+(?:\[(?P<in>{_WHEN}|{_CHAT_TIME})\]|(?P<out>{_WHEN}|{_CHAT_TIME})):?"
)
_MEETING = re.compile(  # 10:10:22 From Anna to Everyone: what
    rf"(?P<in>{_CHAT_TIME})\s+[^\W\d_]{{2,5}}\s+(?P<name>{_CHAT_NAME})\s+[^\W\d_]{{1,4}}\s+[^:\n]{{1,40}}?\s?:\s"
)
_TABBED = re.compile(rf"(?P<in>{_CHAT_TIME})\t(?P<name>{_CHAT_NAME})\t")  # of LINE
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
    for pattern in (_MESSAGE, _HEADED, _MEETING, _TABBED):
        starts = [_start(pattern, line) for line in lines]
        names = [start["name"].strip() for start in starts if start and start["name"]]
        shapes = Counter(_shape(start) for start in starts if start and start["name"])
        if sum(1 for _ in names) >= _MIN_MESSAGES and max(shapes.values()) >= _MIN_MESSAGES:
            is_agenda = pattern is _HEADED and len(set(names)) == len(names)
            if not is_agenda and not all(map(_LOG_LEVEL.fullmatch, names)):
                return _messages(lines, starts, is_headed=pattern is _HEADED)
    return None


def _start(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    shown = _UNSEEN.sub("", line)
    return pattern.fullmatch(shown) if pattern is _HEADED else pattern.match(shown)


def _shape(start: re.Match[str]) -> str:
    """Return when a message was sent as a shape: the digits and letters do not count."""
    found = start.groupdict()
    when = found.get("in") or found.get("out") or ""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", when)) + (found.get("gap") or "")


def _messages(
    lines: Sequence[str], starts: Sequence[re.Match[str] | None], is_headed: bool
) -> ChatText:
    found: list[str] = []
    media, name, is_notice = 0, "", False
    for line, start in zip(lines, starts, strict=True):
        if start is None:
            if not is_notice:
                found.append(f"{name}{line}" if line.strip() else line)
                name = "" if line.strip() else name
            continue
        if name:
            media += 1
            name = ""
        is_notice = not start["name"]
        if is_notice:
            continue
        sender = f"{start['name'].strip()}: "
        found.append("")
        if is_headed:
            name = sender
            continue
        words = _after(line, start)
        if not words.strip() or _MEDIA.fullmatch(words.strip()):
            media += 1
            is_notice = True
        else:
            found.append(sender + words)
    return ChatText(found, media)


def _after(line: str, start: re.Match[str]) -> str:
    """Return the rest of a line after the start of its message, with its unseen marks: WhatsApp
    puts one before what it says itself."""
    seen = 0
    for index, character in enumerate(line):
        if seen == start.end():
            return line[index:]
        seen += not _UNSEEN.match(character)
    return ""
