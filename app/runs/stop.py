"""The signal that ends a run, and why it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum


class StopReason(str, Enum):
    """Who or what ended a run."""

    PERSON = "person"  # Stop or Ctrl-C: what is written so far is the result
    ABANDONED = "abandoned"  # the last watcher has been gone for too long
    SHUTDOWN = "shutdown"  # the program closes
    DISCONNECTED = "disconnected"  # the request that drives the run, or its process, is gone


class StopSignal(threading.Event):
    """An event with a reason. `StopReason.PERSON` replaces any other; the first one stays else.

    `is_abandoned` is asked at each `is_set`; once it returns True, the signal stays set.
    """

    def __init__(self, is_abandoned: Callable[[], bool] | None = None) -> None:
        super().__init__()
        self.reason: StopReason | None = None
        self._is_abandoned = is_abandoned

    def set(self, reason: StopReason = StopReason.PERSON) -> None:
        """End the run within one step."""
        if self.reason is None or reason is StopReason.PERSON:
            self.reason = reason
        super().set()

    def is_set(self) -> bool:
        """Return True once the run must end."""
        if not super().is_set() and self._is_abandoned is not None and self._is_abandoned():
            self.set(StopReason.ABANDONED)
        return super().is_set()

    @property
    def is_resumable(self) -> bool:
        """Return True when the run was ended by anything but the person."""
        return self.reason not in (None, StopReason.PERSON)
