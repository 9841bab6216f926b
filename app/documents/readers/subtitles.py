"""The cues of subtitles: their words without numbers, tags and sounds.

SubRip and WebVTT are read here, ASS, TTML and MicroDVD by pysubs2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape

from .speech import Cue

_CLOCK = r"(?:(\d{1,3}):)?(\d\d):(\d\d)[.,](\d{1,3})"
_TIMES = re.compile(rf"{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE_TAG = re.compile(r"<v(?:\.[\w.]*)?\s+([^>]{1,60})>")
_TAG = re.compile(r"</?[a-z][^<>]{0,80}>|<[\d:.]+>|\{\\[^{}]*\}")
_SOUND_LINE = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫][^♪♫]*[♪♫]?|#[^#]*#|\*[^*]*\*")
_HEADER = re.compile(r"WEBVTT\b(?!.*[.!?]$)|(?:NOTE|STYLE|REGION)\b", re.M)  # and comments
_OTHER_FORMATS = {  # of pysubs2, by how a file begins
    "ass": re.compile(r"\s*\[Script Info\]", re.I),
    "ttml": re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:\w+:)?tt[\s>]", re.S),
    "microdvd": re.compile(r"\s*\{\d+\}\{\d+\}.*\n\s*\{\d+\}\{\d+\}"),
}
_FRAMES_PER_SECOND = 25.0  # of MicroDVD, which counts frames; for pauses only
_MIN_CUES = 3  # of a text without a header; fewer are an example in a text about subtitles


def is_subtitles(content: str, is_named: bool = False) -> bool:
    """Return whether a text is a list of cues: it has the header of WebVTT and a cue, or begins
    with one of several cues, of which one is enough where its name says so, or holds nothing
    else."""
    if _format_of(content):
        return True
    head = content.lstrip().split("\n", 2)[:2]
    has_header = head[0].startswith("WEBVTT")
    least = 1 if has_header or is_named else _MIN_CUES
    begins = has_header or any(map(_is_times, head))
    return begins and (sum(1 for _ in _cues(content, least)) == least or _is_silent(content))


def cues_of(content: str) -> Iterator[Cue]:
    """Yield the cues with words of subtitles of any kind."""
    kind = _format_of(content)
    if kind:
        yield from _cues_by_library(content, kind)
    else:
        yield from _cues(content)


def _format_of(content: str) -> str:
    """Return pysubs2's name of the format of subtitles that it reads, "" for others."""
    kind = next((name for name, begins in _OTHER_FORMATS.items() if begins.match(content)), "")
    return "ssa" if kind == "ass" and "[V4 Styles]" in content else kind


def _cues_by_library(content: str, kind: str) -> Iterator[Cue]:
    """Yield the cues of subtitles in a format of pysubs2."""
    import pysubs2

    fps = _FRAMES_PER_SECOND if kind == "microdvd" else None
    try:
        events = pysubs2.SSAFile.from_string(content, format_=kind, fps=fps)
    except (pysubs2.exceptions.Pysubs2Error, ValueError, SyntaxError):  # of XML
        return
    shown = sorted((event for event in events if not event.is_comment), key=lambda e: e.start)
    have_names = len({event.name.strip() for event in shown} - {""}) > 1
    for event in shown:
        speech = _speech_in_lines(event.plaintext.split("\n"))
        if speech and have_names and event.name.strip():
            speech[0] = f"{event.name.strip()}: {speech[0]}"
        if speech:
            yield Cue(event.start / 1000, event.end / 1000, speech)


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


def _cues(content: str, most: int = 0) -> Iterator[Cue]:
    """Yield the cues with words, only the first `most` ones if that is not 0. A cue goes on to
    the next times: blank lines inside it do not end it."""
    lines = content.split("\n")
    count, index = 0, 0
    while index < len(lines):
        times = _TIMES.fullmatch(lines[index].strip())
        index += 1
        if times is None:
            continue
        begin = index
        while index < len(lines) and not _is_times(lines[index]):
            index += 1
        words = lines[begin:index]
        if index < len(lines):
            _pop_label(words)
        speech = _speech_in_lines(_without_comments(words))
        if speech:
            count += 1
            start, end = times.groups()[:4], times.groups()[4:]
            yield Cue(_clock_seconds(*start), _clock_seconds(*end), speech)
        if most and count == most:
            return


def _pop_label(words: list[str]) -> None:
    """Remove the number or the name of the next cue from the end of some lines."""
    if not words or not words[-1].strip():
        return
    is_apart = len(words) > 1 and not words[-2].strip()
    if words[-1].strip().isdigit() or is_apart:
        words.pop()


def _without_comments(words: Sequence[str]) -> Iterator[str]:
    """Yield lines without the comments and styles of WebVTT, which a blank line begins and ends."""
    is_comment, is_blank = False, False
    for line in words:
        is_comment = bool(line.strip()) and (
            is_comment or (is_blank and _HEADER.match(line) is not None)
        )
        is_blank = not line.strip()
        if not is_comment:
            yield line


def _speech_in_lines(lines: Iterable[str]) -> list[str]:
    return list(filter(None, map(_speech_in, lines)))


def _speech_in(line: str) -> str:
    """Return a line without markup; "" where it names a sound. A voice becomes its name."""
    text = unescape(_TAG.sub("", _VOICE_TAG.sub(r"\1: ", line)))
    text = " ".join(text.split())
    return "" if _SOUND_LINE.fullmatch(text) else text


def _clock_seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")
