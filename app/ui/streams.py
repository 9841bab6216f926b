"""Which sessions listen to the events of their runs: Gradio draws from a run that nobody hears."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

MAX_TRACKED_SESSIONS = 10_000  # sessions; the oldest are evicted


class OpenStreams:
    """The sessions with an open stream of events, and when the others closed their last one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._closed_at: OrderedDict[str, float] = OrderedDict()

    def opened(self, session: str) -> None:
        """Count a stream of a session."""
        self._open[session] += 1

    def closed(self, session: str) -> None:
        """Remove a stream of a session."""
        self._open[session] -= 1
        if self._open[session] <= 0:
            del self._open[session]
            self._closed_at[session] = self._clock()
            self._closed_at.move_to_end(session)
            while len(self._closed_at) > MAX_TRACKED_SESSIONS:
                self._closed_at.popitem(last=False)

    def is_open(self, session: str) -> bool:
        """Return True while a session has a stream open."""
        return session in self._open

    def was_open(self, session: str) -> bool:
        """Return True when a session has, or has had, a stream open."""
        return session in self._open or session in self._closed_at

    def unheard_s(self, session: str, since: float) -> float:
        """Return the seconds since a session last had a stream open, at most those since `since`.

        `since` is the start of its run on the clock: a session may never open a stream.
        """
        if session in self._open:
            return 0.0
        return self._clock() - max(since, self._closed_at.get(session, since))
