"""Transcripts whose times stand on lines of their own or before each line become speech."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .speech import Cue

# 0:04, 1:02:03.500, and 0:0:4.5 of Teams
_STAMP_CLOCK = (
    r"(?:(?:(?:\d{1,3}:)?\d{1,3}:)\d{2}(?:[.,]\d{1,3})?|\d{1,2}:\d{1,2}:\d{1,2}[.,]\d{1,3})"
)
_STAMP_RANGE = rf"{_STAMP_CLOCK}(?:\s*(?:-->|,|-|–|to)\s*{_STAMP_CLOCK})?"
_STAMP = re.compile(rf"[\[(]?\s*({_STAMP_CLOCK})(?:\s*(?:-->|,|-|–)\s*({_STAMP_CLOCK}))?\s*[\])]?")
_STAMP_FIRST = re.compile(
    rf"(?:\[{_STAMP_RANGE}\]|\({_STAMP_RANGE}\)|{_STAMP_RANGE}(?=[\s|:–-]|$))(?:\s*[-–|:]\s|\s*)"
)
_NAMED_SPEAKER = r"(?![a-zß-ÿ])[^\W\d_][\w.'’() -]{0,40}?"
_NAME_FIRST = re.compile(
    rf"({_NAMED_SPEAKER})[\s,:–-]*"
    rf"(?:\[({_STAMP_CLOCK})\]|\(({_STAMP_CLOCK})\)|(?<=\s)({_STAMP_CLOCK})):?$"
)
_NICKNAME = re.compile(r"<\s?[@+%&~]?[^\s<>]{2,30}> ")
_NAME_LINE = re.compile(r"[^\W\d_][^.!?]{0,40}")
_SPOKEN_LENGTH = re.compile(r"(?:\d{1,2}\s[^\W\d_]{3,12}[,.]?\s?){1,3}")  # "1 minute, 3 seconds"
_TSV_HEAD = re.compile(r"start\tend\ttext\n")  # of Whisper's TSV, in thousandths
_TSV_ROW = re.compile(r"(\d+)\t(\d+)\t(.*)")
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_FIRST_START_S = 60.0  # a transcript begins at its beginning, an agenda at nine o'clock
_MIN_STAMPS = 3  # fewer times may be anything
_MIN_TIMED_SHARE = 0.3  # of the lines with words that a time begins or stands above; chosen by hand


@dataclass(frozen=True)
class _Stamped:
    """A line with a time: its start and end in seconds, the speaker, the words after it."""

    start: float
    end: float | None
    speaker: str
    words: str
    is_clock: bool = False  # a bare 9:30, which may be a time of day


def transcript_cues(content: str) -> list[Cue] | None:
    """Return the cues of a transcript; None where a text is none: too few lines have times, or
    these go backwards."""
    for read in (_table_cues, _json_cues):
        cues = read(content)
        if cues is not None:
            return cues
    lines = [line.strip() for line in content.split("\n")]
    stamps = [_stamp_of(line) for line in lines]
    found = [stamp for stamp in stamps if stamp is not None]
    spoken = sum(1 for line in lines if line) - sum(not stamp.words for stamp in found)
    if len(found) < _MIN_STAMPS or len(found) < _MIN_TIMED_SHARE * spoken:
        return None
    starts = [stamp.start for stamp in found]
    if any(later < earlier for earlier, later in zip(starts, starts[1:], strict=False)):
        return None
    if found[0].is_clock and starts[0] > _FIRST_START_S:
        return None
    return _with_names_inline(list(_cues_of_stamps(lines, stamps)))


def _with_names_inline(cues: list[Cue]) -> list[Cue]:
    """Return the cues with the speaker before the words, where each has a name on a line above."""
    first = [cue.lines[0] for cue in cues if len(cue.lines) > 1]
    few = len(set(first)) <= len(first) / 2
    if len(first) < len(cues) or not few or not all(map(_NAME_LINE.fullmatch, first)):
        return cues
    return [
        Cue(cue.start, cue.end, [f"{cue.lines[0]}: {cue.lines[1]}", *cue.lines[2:]]) for cue in cues
    ]


def _stamp_of(line: str) -> _Stamped | None:
    """Return the time that a line begins with, or that follows a name; None where it has none."""
    if _STAMP_FIRST.match(line) and (times := _STAMP.match(line)):
        rest = line[times.end() :].lstrip(" \t-–|:")
        if _NICKNAME.match(rest):
            return None  # of a chat
        end = _seconds(times[2]) if times[2] else None
        is_clock = end is None and _TIME_OF_DAY.fullmatch(times[0].strip()) is not None
        return _Stamped(_seconds(times[1]), end, "", rest, is_clock)
    if named := _NAME_FIRST.fullmatch(line):
        return _Stamped(_seconds(named[2] or named[3] or named[4]), None, named[1].strip(), "")
    return None


def _cues_of_stamps(lines: Sequence[str], stamps: Sequence[_Stamped | None]) -> Iterator[Cue]:
    """Yield a cue for each time with the words up to the next one."""
    cue: Cue | None = None
    speaker = label = ""
    places = [i for i, stamp in enumerate(stamps) if stamp is not None]
    following = {place: stamps[after] for place, after in zip(places, places[1:], strict=False)}
    for index, (line, stamp) in enumerate(zip(lines, stamps, strict=True)):
        if stamp is None:
            is_length = cue is not None and not cue.lines and _SPOKEN_LENGTH.fullmatch(line)
            if cue is not None and line and not is_length:
                cue.lines.append(label + line)
                label = ""
            continue
        if cue is not None and cue.lines:
            yield cue
        after = following.get(index)
        end = stamp.end if stamp.end is not None else after.start if after else stamp.start
        cue = Cue(stamp.start, end, [stamp.words] if stamp.words else [])
        if stamp.speaker and stamp.speaker != speaker:
            speaker, label = stamp.speaker, f"{stamp.speaker}: "
    if cue is not None and cue.lines:
        yield cue


def _table_cues(content: str) -> list[Cue] | None:
    if not _TSV_HEAD.match(content):
        return None
    rows = [found for line in content.split("\n") if (found := _TSV_ROW.fullmatch(line))]
    return [Cue(int(row[1]) / 1000, int(row[2]) / 1000, [row[3].strip()]) for row in rows]


def _json_cues(content: str) -> list[Cue] | None:
    """Return the segments of a transcript in JSON, as Whisper writes it."""
    if not content.startswith("{") or '"segments"' not in content:
        return None
    try:
        segments = json.loads(content)["segments"]
        return [
            Cue(float(segment["start"]), float(segment["end"]), [segment["text"].strip()])
            for segment in segments
            if segment["text"].strip()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
