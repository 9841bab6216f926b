"""The progress of a corpus on one line: documents, pages and tokens per second, time left."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from ..summary.throughput import format_duration
from ..terminal import BAR_WIDTH, CLEAR_LINE, cut_to_width
from ..wording import counted, isolated

REDRAW_S = 0.2
LINE_EVERY_S = 30.0  # where lines are printed, not rewritten
ERRORS_SHOWN = 20  # of documents; the table has them all


class CorpusProgress:
    """Counts what is done, and shows it on a terminal that is `live`, else as a line at times."""

    def __init__(
        self, out: TextIO, live: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.out, self.is_live = out, live and out.isatty()
        self._clock = clock
        self.total = self.done = self.failed = self.skipped = 0
        self.work: Counter[str] = Counter()
        self._began = self._worked_since = self._shown_at = clock()
        self._has_line = False

    def begin(self, total: int) -> None:
        """Start the clock for so many documents."""
        self.total = total
        self._began = self._worked_since = self._clock()

    def start_ray(self) -> None:
        """Say that Ray is being started, which takes some seconds."""
        self.clear()
        self.out.write(f"{self.counts()}; starting Ray.\n")
        self.out.flush()

    def start_work(self) -> None:
        """Start the clock of the pace, now that Ray runs."""
        self._worked_since = self._clock()

    def skip(self) -> None:
        """Count a document that an earlier run has summarized."""
        self.skipped += 1
        self.show()

    def add(self, place: str, row: Mapping[str, Any]) -> None:
        """Count a row, and print the reason of one without a summary."""
        self.done += 1
        if row.get("error"):
            self.failed += 1
            if self.failed <= ERRORS_SHOWN:
                self.clear()
                self.out.write(f"{isolated(place)}: {row['error']}\n")
        self.work.update(
            {
                "pages": row.get("pages") or 0,
                "tokens": (row.get("tokens_read") or 0) + (row.get("tokens_written") or 0),
            }
        )
        self.show()

    def show(self) -> None:
        """Draw the line, where enough time has passed since the last one."""
        now = self._clock()
        if now - self._shown_at < (REDRAW_S if self.is_live else LINE_EVERY_S):
            return
        self._shown_at = now
        if self.is_live:
            width = shutil.get_terminal_size().columns - 1  # a wrapped line could not be cleared
            self.out.write(f"{CLEAR_LINE}{cut_to_width(self.line(), width)}")
            self._has_line = True
        else:
            self.out.write(f"{self.line()}\n")
        self.out.flush()

    def line(self) -> str:
        """Return the progress as one line."""
        finished = self.done + self.skipped
        share = finished / max(1, self.total)
        full = round(BAR_WIDTH * share)
        parts = [
            f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {100 * share:3.0f} %",
            self.counts(),
        ]
        seconds, left = self._clock() - self._worked_since, self.remaining_s()
        if left is not None and seconds > 0:
            parts.append(f"about {format_duration(left)} left")
            rates = (f"{self.work[name] / seconds:,.1f} {name}/s" for name in ("pages", "tokens"))
            parts.append(", ".join(rates))
        return "  ".join(parts)

    def remaining_s(self) -> float | None:
        """Return the seconds left by the pace so far, None before the first document is done."""
        if not self.done:
            return None
        per_document = (self._clock() - self._worked_since) / self.done
        return per_document * max(0, self.total - self.done - self.skipped)

    def counts(self) -> str:
        """Return `12 of 60 documents, 2 there already, 1 failed`."""
        parts = [f"{self.done + self.skipped:,} of {counted(self.total, 'document')}"]
        parts += [f"{self.skipped:,} there already"] if self.skipped else []
        parts += [f"{self.failed:,} failed"] if self.failed else []
        return ", ".join(parts)

    def outcome(self, output: str) -> str:
        """Return the last line: what was done, in which time, and where the rows are."""
        seconds = format_duration(self._clock() - self._began)
        made = self.done - self.failed
        parts = [f"{made:,} summarized"]
        parts += [f"{self.skipped:,} there already"] if self.skipped else []
        parts += [f"{self.failed:,} failed (see the column error)"] if self.failed else []
        total = counted(self.total, "document")
        return f"{total}: {', '.join(parts)}, in {seconds}. The rows are in {output}."

    def clear(self) -> None:
        """Erase the line from a terminal."""
        if self._has_line:
            self.out.write(CLEAR_LINE)
            self._has_line = False
