"""Subtitles (SubRip, WebVTT) become paragraphs of speech: no cue numbers, times or sounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from longt5.text.sentences import ends_sentence

from ..model import Block

_CLOCK = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{3})"
_TIMES = re.compile(rf"{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE_TAG = re.compile(r"<v(?:\.[\w.]*)?\s+([^>]{1,60})>")
_TAG = re.compile(r"</?[a-z][^<>]{0,80}>|<[\d:.]+>|\{\\[^{}]*\}")
_SOUND_LINE = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫][^♪♫]*[♪♫]?|#[^#]*#|\*[^*]*\*")
_OTHER_SPEAKER = re.compile(r"(?:>>+|[-–—])\s*(?=\S)")
_SPEAKER_NAME = re.compile(r"(?![a-zß-ÿ])[^\W\d_][\w.'’ -]{0,30}:\s")
_HEADER = re.compile(r"WEBVTT\b(?!.*[.!?]$)|(?:NOTE|STYLE|REGION)\b", re.M)  # and comments
# Chosen by hand on talks and films.
_MIN_CUES = 3  # of a text without a header; fewer are an example in a text about subtitles
_PAUSE_S = 2.0  # begins a new paragraph after a sentence
_LONG_PAUSE_S = 5.0  # begins one anywhere
_MAX_PARAGRAPH_CHARACTERS = 600  # after which the end of the sentence ends the paragraph


@dataclass
class _Cue:
    """Times in seconds, and the lines shown between them."""

    start: float
    end: float
    lines: list[str]


def is_subtitles(content: str) -> bool:
    """Return whether a text is a list of cues: it has the header of WebVTT and a cue, or begins
    with one of several cues, or holds nothing else."""
    head = content.lstrip().split("\n", 2)[:2]
    has_header = head[0].startswith("WEBVTT")
    least = 1 if has_header else _MIN_CUES
    begins = has_header or any(map(_is_times, head))
    return begins and (sum(1 for _ in _cues(content, least)) == least or _is_silent(content))


def speech_of(content: str) -> list[Block]:
    """Return the speech in paragraphs; each ends where the speaker changes, or at a pause."""
    paragraphs: list[str] = []
    end, before = 0.0, ""
    for cue in _cues(content):
        pause, end = cue.start - end, cue.end
        for line in cue.lines:
            if line == before:  # captions that roll up repeat each line
                continue
            before = line
            turn = _OTHER_SPEAKER.match(line)
            speech = line[turn.end() :] if turn else line
            last = paragraphs[-1] if paragraphs else ""
            has_ended = ends_sentence(last)
            is_long = len(last) > _MAX_PARAGRAPH_CHARACTERS
            ends_here = has_ended and (pause >= _PAUSE_S or is_long)
            # "Rule number / One: never stop" names nobody.
            name = _SPEAKER_NAME.match(speech)
            is_named = name is not None and (has_ended or name[0].isupper())
            if not last or turn or is_named or ends_here or pause >= _LONG_PAUSE_S:
                paragraphs.append(speech)
            else:
                paragraphs[-1] = f"{last} {speech}"
            pause = 0.0
    return [Block(text) for text in paragraphs]


def _is_times(line: str) -> bool:
    return _TIMES.fullmatch(line.strip()) is not None


def _is_silent(content: str) -> bool:
    """Return whether subtitles have no words: only headers, comments, numbers, times, sounds."""
    for block in re.split(r"\n[ \t]*\n\s*", content.strip()):
        lines = block.split("\n")
        start = next((i for i, line in enumerate(lines) if _is_times(line)), 0)
        rest = (line for line in lines[start:] if not (line.strip().isdigit() or _is_times(line)))
        if not _HEADER.match(block) and any(map(_speech_in, rest)):
            return False
    return True


def _cues(content: str, most: int = 0) -> Iterator[_Cue]:
    """Yield the cues with words, only the first `most` ones if that is not 0."""
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
            words.pop()  # the number of the next cue, with no blank line before it
        speech = list(filter(None, map(_speech_in, words)))
        if speech:
            count += 1
            start, end = times.groups()[:4], times.groups()[4:]
            yield _Cue(_clock_seconds(*start), _clock_seconds(*end), speech)
        if most and count == most:
            return


def _speech_in(line: str) -> str:
    """Return a line without markup; "" where it names a sound. A voice becomes its name."""
    text = _TAG.sub("", _VOICE_TAG.sub(r"\1: ", line))
    text = " ".join(text.split())
    return "" if _SOUND_LINE.fullmatch(text) else text


def _clock_seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000
