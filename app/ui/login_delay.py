"""A rising delay after wrong passwords, so that nobody can try many."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

FREE_ATTEMPTS = 3  # wrong passwords before the first delay: a person mistypes
FIRST_DELAY_S, LONGEST_DELAY_S = 2.0, 300.0
FORGET_AFTER_S = 3_600.0
MAX_TRACKED_ADDRESSES = 10_000  # addresses; the oldest are evicted


class LoginDelay:
    """Wrong passwords by address, and the seconds until the next attempt is looked at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return the seconds that this address has to wait, 0 when it may try now."""
        count, last = self._failures.get(address, (0, 0.0))
        if count < FREE_ATTEMPTS:
            return 0.0
        delay = min(FIRST_DELAY_S * 2.0 ** min(count - FREE_ATTEMPTS, 30), LONGEST_DELAY_S)
        return max(0.0, last + delay - self._clock())

    def fail(self, address: str) -> None:
        """Count a wrong password."""
        count, last = self._failures.pop(address, (0, 0.0))
        if self._clock() - last > FORGET_AFTER_S:
            count = 0
        self._failures[address] = count + 1, self._clock()
        while len(self._failures) > MAX_TRACKED_ADDRESSES:
            self._failures.popitem(last=False)

    def succeed(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address, None)
