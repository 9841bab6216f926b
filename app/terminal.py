"""Output of a run on a terminal: the streaming summary on stdout, progress on stderr."""

from __future__ import annotations

import shutil
from itertools import accumulate
from typing import TextIO
from unicodedata import east_asian_width

from .events import (
    DraftText,
    Event,
    Finished,
    PartKind,
    Progress,
    SectionDone,
    SectionStarted,
    Sentence,
    Summary,
)
from .export.formats import STREAMED_WRITERS
from .export.style import TERMINAL_STYLE, ExportStyle
from .runs.run_state import fraction_of
from .summary.throughput import format_duration
from .wording import STAGE_LABELS, isolated

DIM, PLAIN, CLEAR_BELOW, CLEAR_LINE = "\x1b[2m", "\x1b[0m", "\x1b[J", "\r\x1b[K"
MAX_PROVISIONAL_LINES = 4
BAR_WIDTH = 20  # characters


def cut_to_width(text: str, columns: int) -> str:
    """Return as much of a line as fits; Chinese characters and emoji take two columns each."""
    ends = accumulate(1 + (east_asian_width(letter) in "WF") for letter in text)
    return text[: sum(end <= columns for end in ends)]


def wrap_text(text: str, columns: int) -> list[str]:
    """Return a text in lines of at most so many columns, broken between words if possible."""
    lines, rest = [], " ".join(text.split())
    while rest:
        line = cut_to_width(rest, columns) or rest[0]
        if rest[len(line) :][:1].strip():  # the break would be inside a word
            line = line[: line.rfind(" ")] if " " in line else line
        lines.append(line)
        rest = rest[len(line) :].lstrip()
    return lines


class ProgressLine:
    """The progress of a run on one line that is rewritten.

    Without a terminal, or one that is `live`, a line is printed for each stage or section, or for
    each of several files.
    """

    def __init__(self, out: TextIO, live: bool = True) -> None:
        self.out, self.is_live = out, live and out.isatty()
        self.last = self.file = ""
        self.files_begun = 0

    def start_file(self, number: int, files: int, name: str) -> None:
        """Show that one of several files begins, or that it is waited for again."""
        self.file = f"file {number} of {files}, {isolated(name)}"
        is_new, self.files_begun = number > self.files_begun, max(number, self.files_begun)
        if is_new and not self.is_live:
            self._write(f"{self.file[:1].upper()}{self.file[1:]}\n")

    def show(self, event: Progress) -> None:
        """Show the progress of a stage."""
        text = STAGE_LABELS[event.stage]
        section = f"step {event.section} of {event.sections}" if event.sections > 1 else ""
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
        full = round(BAR_WIDTH * share)
        left = event.remaining_s
        wait = f", about {format_duration(left)} left" if left is not None else ""
        parts = [
            f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {100 * share:3.0f} %",
            text + wait,
            self.file,
        ]
        width = shutil.get_terminal_size().columns - 1  # a wrapped line could not be cleared
        self._write(f"{CLEAR_LINE}{cut_to_width('  '.join(filter(None, parts)), width)}")

    def print_line(self, text: str) -> None:
        """Print a line that is not rewritten."""
        self.clear()
        self._write(f"{text}\n")

    def clear(self) -> None:
        """Erase the line from a terminal."""
        if self.is_live and self.last:
            self._write(CLEAR_LINE)
            self.last = ""

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


class SummaryWriter:
    """Writes events as Markdown or text, character for character as `app.export.formats` does.

    On a terminal the provisional text follows dimmed, and is replaced at each step.
    """

    def __init__(
        self, out: TextIO, fmt: str, name: str, color: bool, style: ExportStyle = TERMINAL_STYLE
    ) -> None:
        self.out, self.name = out, name
        self.format = STREAMED_WRITERS[fmt](style, name)
        self.kind: PartKind | None = None  # of the latest part
        self.is_live = color and out.isatty()
        self.written = ""  # the text so far, a prefix of the export
        self.before_section = ""
        self.provisional_lines = 0

    def handle(self, event: Event) -> None:
        """Print what an event adds to the summary."""
        if isinstance(event, SectionStarted):
            if not self.written:
                self._append(self.format.title(self.name))
            heading = self.format.section_start(event, self.kind)
            self.kind = event.kind
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
        """Show the provisional text, dimmed, on the lines below."""
        if not self.is_live or not provisional.strip():
            return
        width = max(20, shutil.get_terminal_size().columns - 1)
        lines = wrap_text(provisional, width)[:MAX_PROVISIONAL_LINES]
        # Scroll first (an index keeps the column): scrolling later would move the saved position.
        self.out.write("\x1bD" * len(lines) + f"\x1b[{len(lines)}A\x1b7")
        self.out.write("".join(f"\r\n{DIM}{line}{PLAIN}" for line in lines) + "\x1b8")
        self.out.flush()
        self.provisional_lines = len(lines)

    def _erase(self) -> None:
        if self.provisional_lines:
            self.out.write(f"\x1b8{CLEAR_BELOW}")
            self.provisional_lines = 0
