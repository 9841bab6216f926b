"""A child process that ends with its parent, however that one ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # of prctl(2)
ORPHANED = 1  # the exit code


def end_with_parent() -> None:
    """End this process when its parent ends, which keeps this process's stdin open until then.

    Call it after the last thing was read from stdin.
    """
    be_killed_with_parent()
    threading.Thread(target=_end_at_eof, name="parent-watch", daemon=True).start()


def be_killed_with_parent() -> None:
    """Let Linux kill this process when the thread that started it ends; elsewhere do nothing.

    Unlike a thread of this process, the system acts in the middle of a library's work too.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_at_eof() -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter exits.
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(ORPHANED)
