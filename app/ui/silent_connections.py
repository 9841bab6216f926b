"""Close connections on which no whole request arrives, and allow as many as the system does.

The server waits for the end of a request's headers without a limit, so a few programs that send
none could hold all connections that a process may have, and nobody else could open the page.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

SILENT_S = 30.0  # that a browser has to send its request; on the slowest lines it takes seconds


class SilentConnections:
    """Since when each connection of the server has been without a request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Of each silent connection: its latest request, and since when there is no other.
        self._since: dict[Any, tuple[Any, float]] = {}

    def look(self, connections: Iterable[Any]) -> list[Any]:
        """Return the connections that have been silent for too long.

        They are the protocols of uvicorn: `cycle` is the latest request, None before the first.
        """
        now = self._clock()
        known, self._since = self._since, {}
        for connection in connections:
            request = connection.cycle
            if request is None or request.response_complete:
                before, since = known.get(connection, (None, now))
                self._since[connection] = request, since if before is request else now
        return [c for c, (_, since) in self._since.items() if now - since > SILENT_S]

    def close(self, connections: Iterable[Any]) -> None:
        """Close those that are silent, in the server's own thread."""
        for connection in self.look(connections):
            connection.transport.close()


def allow_many_files() -> None:
    """Let this process open as many files and connections as the system allows it to."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
