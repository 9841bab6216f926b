"""How many files are read at once: as many as processors and memory allow, shared by visitors."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

from ..documents.limits import MEMORY_BYTES
from ..errors import Busy, Cancelled
from ..settings import MAX_VISITOR_PAGES_READ, MAX_VISITOR_READINGS, MAX_WAITING_READINGS
from ..summary.memory_estimate import available_bytes
from .shares import HourlyUse

SLOT_POLL_S = 0.05  # between two looks at the stop signal, and at the memory that became free
TOO_MANY_READINGS = (
    "Too many files wait to be read here: try again in a minute. What you entered stays."
)
TOO_MANY_PAGES = (
    f"You have sent over {MAX_VISITOR_PAGES_READ:,} pages within an hour, which is one visitor's "
    "share: try again later. What you entered stays."
)


def readings_at_once() -> int:
    """Return the number of files that the processors and the free memory allow, at least 1."""
    free = available_bytes()
    by_memory = free // MEMORY_BYTES if free is not None else 1
    return max(1, min(os.cpu_count() or 1, by_memory))


class ReadingPlace:
    """A file's place in line; `ahead` is the number of files before it, 0 once it is read.

    `pages` is how many of its pages were read so far.
    """

    def __init__(self, visitor: str) -> None:
        self.visitor = visitor
        self.ahead = self.pages = 0


class ReadingSlots:
    """The line of files to be read: visitors take turns, those with fewer files in work first."""

    def __init__(
        self,
        at_once: Callable[[], int] = readings_at_once,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once, self._pages = at_once, HourlyUse(clock)
        self._running: list[ReadingPlace] = []
        self._waiting: list[ReadingPlace] = []
        self._latest: str | None = None  # the visitor whose file was begun last
        self._changed = threading.Condition()

    def enter(self, visitor: str = "") -> ReadingPlace:
        """Return a place at the end of the line. Raises Busy when the line or a share is full."""
        place = ReadingPlace(visitor)
        with self._changed:
            mine = [p for p in (*self._waiting, *self._running) if p.visitor == visitor]
            if len(self._waiting) >= MAX_WAITING_READINGS or (
                visitor and len(mine) >= MAX_VISITOR_READINGS
            ):
                raise Busy(TOO_MANY_READINGS)
            pages = self._pages.of(visitor) + sum(p.pages for p in mine)
            if visitor and pages >= MAX_VISITOR_PAGES_READ:
                raise Busy(TOO_MANY_PAGES)
            self._waiting.append(place)
            self._update_places()
        return place

    @contextlib.contextmanager
    def turn(self, place: ReadingPlace, stop: threading.Event) -> Iterator[None]:
        """Wait for the turn of a place, and hold it. Raises Cancelled when `stop` is set."""
        try:
            with self._changed:
                while not self._is_next(place):
                    if stop.is_set():
                        raise Cancelled("Stopped while the file waited to be read.")
                    self._changed.wait(SLOT_POLL_S)
                self._waiting.remove(place)
                self._running.append(place)
                self._latest = place.visitor
                self._update_places()
            yield
        finally:
            with self._changed:
                self._pages.add(place.visitor, place.pages)
                for line in (self._waiting, self._running):
                    if place in line:
                        line.remove(place)
                self._update_places()
                self._changed.notify_all()

    def _in_order(self) -> list[ReadingPlace]:
        in_work = [place.visitor for place in self._running]
        return sorted(
            self._waiting,
            key=lambda place: (in_work.count(place.visitor), place.visitor == self._latest),
        )

    def _is_next(self, place: ReadingPlace) -> bool:
        if self._running and len(self._running) >= self._at_once():
            return False
        return self._in_order()[0] is place

    def _update_places(self) -> None:
        for ahead, place in enumerate(self._in_order(), len(self._running)):
            place.ahead = ahead
        for place in self._running:
            place.ahead = 0
