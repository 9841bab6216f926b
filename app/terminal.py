"""A run on a terminal: the summary on stdout as it streams, progress on stderr."""

from __future__ import annotations

import shutil
from itertools import accumulate
from typing import TextIO
from unicodedata import east_asian_width

from .events import (
    DraftText,
    Event,
    Finished,
    Progress,
    SectionDone,
    SectionStarted,
    Sentence,
    Summary,
)
from .export.formats import STREAMED_WRITERS
from .runs.run_state import fraction_of
from .summary.throughput import format_duration

DIM, PLAIN, CLEAR_BELOW, CLEAR_LINE = "\x1b[2m", "\x1b[0m", "\x1b[J", "\r\x1b[K"
MAX_PROVISIONAL_LINES = 4
BAR = 20  # characters
STAGES = {
    "reading": "Reading",
    "loading": "Loading the model",
    "encoding": "Understanding",
    "decoding": "Writing",
}


def fitting(text: str, columns: int) -> str:
    """As much of a line as so many columns hold: Chinese letters and emoji take two each."""
    ends = accumulate(1 + (east_asian_width(letter) in "WF") for letter in text)
    return text[: sum(end <= columns for end in ends)]


def wrapped(text: str, columns: int) -> list[str]:
    """A text in lines of so many columns, parted between words where one ends in time."""
    lines, rest = [], " ".join(text.split())
    while rest:
        line = fitting(rest, columns) or rest[0]
        if rest[len(line) :][:1].strip():  # a word goes on
            line = line[: line.rfind(" ")] if " " in line else line
        lines.append(line)
        rest = rest[len(line) :].lstrip()
    return lines


class ProgressLine:
    """What is being done, on one line that is rewritten; off a terminal, or on one that is not
    `live`, a line for each stage or section, or for each file of several."""

    def __init__(self, out: TextIO, live: bool = True) -> None:
        self.out, self.is_live = out, live and out.isatty()
        self.last = self.file = ""

    def turn_to(self, number: int, files: int, name: str) -> None:
        """One of several files begins."""
        self.file = f"file {number} of {files}, {name}"
        if not self.is_live:
            self._write(f"{self.file[:1].upper()}{self.file[1:]}\n")

    def show(self, event: Progress) -> None:
        """Say how far a stage is."""
        text = STAGES[event.stage]
        section = f"section {event.section} of {event.sections}" if event.sections > 1 else ""
        if self.is_live:
            self._rewrite(event, f"{text} {section}".rstrip())
            self.last = text
            return
        text = section.capitalize() or text
        if text != self.last and not self.file:
            self._write(f"{text}\n")
        self.last = text

    def _rewrite(self, event: Progress, text: str) -> None:
        share = event.done / event.total if event.total else 0.0
        if event.stage in ("encoding", "decoding"):
            share = fraction_of(event)
        full = round(BAR * share)
        left = event.remaining_s
        wait = f", about {format_duration(left)} left" if left is not None else ""
        parts = [f"[{'#' * full}{'.' * (BAR - full)}] {100 * share:3.0f} %", text + wait, self.file]
        width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be cleared
        self._write(f"{CLEAR_LINE}{fitting('  '.join(filter(None, parts)), width)}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._write(f"{text}\n")

    def clear(self) -> None:
        """Leave no trace on a terminal."""
        if self.is_live and self.last:
            self._write(CLEAR_LINE)
            self.last = ""

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


class SummaryWriter:
    """Writes events as Markdown or text: what is printed is what `app.export.formats` gives.

    On a terminal the provisional text follows dimmed, and is replaced at each step.
    """

    def __init__(self, out: TextIO, fmt: str, name: str, color: bool) -> None:
        self.out, self.name = out, name
        self.format = STREAMED_WRITERS[fmt]
        self.is_live = color and out.isatty()
        self.written = ""  # the exact text so far, as `app.export.formats` would begin
        self.before_section = ""
        self.provisional_lines = 0

    def handle(self, event: Event) -> None:
        """Print what an event adds."""
        if isinstance(event, SectionStarted):
            if not self.written:
                self._append(self.format.title(self.name))
            heading = self.format.section_start(event, event.sections > 1)
            self.before_section = self.written + heading
            self._append(heading)
        elif isinstance(event, DraftText):
            self._erase()
            self._extend(self.before_section + self._shown(event.committed, event.sentences))
            self._draw(event.provisional)
        elif isinstance(event, SectionDone):
            self._erase()
            self._extend(self.before_section + self.format.section_text(event.result) + "\n\n")
        elif isinstance(event, Finished):
            self._erase()
            self._finish(event.summary)

    def _finish(self, summary: Summary) -> None:
        whole = self.format.whole(summary)
        if whole.startswith(self.written):
            self._extend(whole)
        else:  # stopped inside a section that left no text
            self._append(self.format.ending(summary))

    def _shown(self, text: str, sentences: tuple[Sentence, ...]) -> str:
        if sentences:
            return self.format.cited(sentences)
        return self.format.escape(text)

    def _extend(self, whole: str) -> None:
        self._append(whole[len(self.written) :])

    def _append(self, text: str) -> None:
        if text:
            self.written += text
            self.out.write(text)
            self.out.flush()

    def _draw(self, provisional: str) -> None:
        """Show the guess on the lines below, dimmed; a blank line keeps it apart."""
        if not self.is_live or not provisional.strip():
            return
        width = max(20, shutil.get_terminal_size().columns - 1)
        lines = wrapped(provisional, width)[:MAX_PROVISIONAL_LINES]
        # Make room first (an index keeps the column), or scrolling would move the saved place.
        self.out.write("\x1bD" * len(lines) + f"\x1b[{len(lines)}A\x1b7")
        self.out.write("".join(f"\r\n{DIM}{line}{PLAIN}" for line in lines) + "\x1b8")
        self.out.flush()
        self.provisional_lines = len(lines)

    def _erase(self) -> None:
        if self.provisional_lines:
            self.out.write(f"\x1b8{CLEAR_BELOW}")
            self.provisional_lines = 0
