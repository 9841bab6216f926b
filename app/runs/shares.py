"""What each visitor has used in the last hour: bytes sent, pages read."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 3_600.0
STEP_S = 60.0  # what is used within it counts as one amount
MAX_TRACKED_VISITORS = 10_000  # the oldest are evicted


class HourlyUse:
    """Amounts by visitor, each forgotten after an hour; the visitor "" has no share."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, visitor: str, amount: int) -> None:
        """Count what a visitor has used."""
        if not visitor or not amount:
            return
        with self._lock:
            now, used = self._clock(), self._used.setdefault(visitor, deque())
            if used and now - used[-1][0] < STEP_S:
                now, before = used.pop()
                amount += before
            used.append((now, amount))
            self._used.move_to_end(visitor)
            while len(self._used) > MAX_TRACKED_VISITORS:
                self._used.popitem(last=False)

    def of(self, visitor: str) -> int:
        """Return what a visitor has used in the last hour."""
        with self._lock:
            used = self._used.get(visitor, deque())
            while used and self._clock() - used[0][0] > WINDOW_S:
                used.popleft()
            return sum(amount for _, amount in used)
