"""Subtitles (SubRip, WebVTT) become paragraphs of speech: no cue numbers, times or sounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from longt5.text.sentences import ends_sentence

from .parts import Block

_CLOCK = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{3})"
_TIMES = re.compile(rf"{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[\w.]*)?\s+([^>]{1,60})>")
_TAG = re.compile(r"</?[a-z][^<>]{0,80}>|<[\d:.]+>|\{\\[^{}]*\}")
_SOUND = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫][^♪♫]*[♪♫]?|#[^#]*#|\*[^*]*\*")  # alone
_TURN = re.compile(r"(?:>>+|[-–—])\s*(?=\S)")  # somebody else speaks
_NAME = re.compile(r"(?![a-zß-ÿ])[^\W\d_][\w.'’ -]{0,30}:\s")
_FRAME = re.compile(r"WEBVTT\b(?!.*[.!?]$)|(?:NOTE|STYLE|REGION)\b", re.M)  # begins what is unsaid
CUES = 3  # of a text that is subtitles at least
PAUSE = 2.0  # seconds: a new paragraph, where a sentence has ended
LONG_PAUSE = 5.0  # wherever it is
LONGEST = 600  # characters of a paragraph, to the end of the sentence


@dataclass
class _Cue:
    start: float
    end: float
    lines: list[str]


def is_subtitles(content: str) -> bool:
    """Whether a text is a list of cues: it says so, or begins with one and there are several, or
    there is nothing else in it."""
    head = content.lstrip().split("\n", 2)[:2]
    is_said = head[0].startswith("WEBVTT")
    least = 1 if is_said else CUES
    begins = is_said or any(map(_is_times, head))
    return begins and (sum(1 for _ in _cues(content, least)) == least or _is_silent(content))


def speech_of(content: str) -> list[Block]:
    """What is said, in paragraphs: each ends where somebody else speaks, or after a pause."""
    blocks: list[str] = []
    end, before = 0.0, ""
    for cue in _cues(content):
        pause, end = cue.start - end, cue.end
        for line in cue.lines:
            if line == before:  # captions that roll up say each line twice
                continue
            before = line
            turn = _TURN.match(line)
            said = line[turn.end() :] if turn else line
            last = blocks[-1] if blocks else ""
            has_ended = ends_sentence(last)
            is_apart = has_ended and (pause >= PAUSE or len(last) > LONGEST)
            # "Rule number / One: never stop" names nobody.
            name = _NAME.match(said)
            speaks = name is not None and (has_ended or name[0].isupper())
            if not last or turn or speaks or is_apart or pause >= LONG_PAUSE:
                blocks.append(said)
            else:
                blocks[-1] = f"{last} {said}"
            pause = 0.0
    return [Block(text) for text in blocks]


def _is_times(line: str) -> bool:
    return _TIMES.fullmatch(line.strip()) is not None


def _is_silent(content: str) -> bool:
    """Whether subtitles have no words: only their header, comments, numbers, times and sounds."""
    for block in re.split(r"\n[ \t]*\n\s*", content.strip()):
        lines = block.split("\n")
        start = next((i for i, line in enumerate(lines) if _is_times(line)), 0)
        rest = (line for line in lines[start:] if not (line.strip().isdigit() or _is_times(line)))
        if not _FRAME.match(block) and any(map(_said, rest)):
            return False
    return True


def _cues(content: str, most: int = 0) -> Iterator[_Cue]:
    """The cues with words, the first `most` ones if that is not 0."""
    lines = content.split("\n")
    count = index = 0
    while index < len(lines):
        times = _TIMES.fullmatch(lines[index].strip())
        index += 1
        if times is None:
            continue
        words = []
        while index < len(lines) and lines[index].strip() and not _is_times(lines[index]):
            words.append(lines[index])
            index += 1
        if words and words[-1].strip().isdigit() and index < len(lines) and lines[index].strip():
            words.pop()  # the number of the next cue, no line being blank before it
        said = list(filter(None, map(_said, words)))
        if said:
            count += 1
            yield _Cue(_seconds(*times.groups()[:4]), _seconds(*times.groups()[4:]), said)
        if most and count == most:
            return


def _said(line: str) -> str:
    """A line without markup; empty where it names a sound. A voice becomes its name."""
    text = _TAG.sub("", _VOICE.sub(r"\1: ", line))
    text = " ".join(text.split())
    return "" if _SOUND.fullmatch(text) else text


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
