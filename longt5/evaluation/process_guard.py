"""A small process that outlives another one, and ends the processes which that one has left.

Ray's agents wait for minutes for a head that was killed. The guard reads its stdin, which closes
when its parent ends, however that ended.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

import psutil

LOOK_EVERY_S = 0.5  # at the processes that the parent has started
END_WITHIN_S = 5.0


@contextlib.contextmanager
def guarded_processes(folder: str) -> Iterator[None]:
    """End what this process started inside the block, at the block's end or at its own death.

    `folder` is removed, too.
    """
    command = [sys.executable, __file__, folder]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            guard.wait(2 * END_WITHIN_S)


def watch_parent(folder: str) -> None:
    """Remember the parent's new descendants until it is gone, then end those that are left."""
    this = psutil.Process()
    parent = this.parent()
    before = set(_descendants([parent])) if parent else set()
    seen: set[psutil.Process] = set()
    is_over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(is_over,), daemon=True).start()
    while not is_over.wait(LOOK_EVERY_S):
        seen |= set(_descendants([parent] if parent else []))
    seen |= set(_descendants(seen))
    left = [process for process in seen - before - {this} if process.is_running()]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, END_WITHIN_S)
    shutil.rmtree(folder, ignore_errors=True)


def _wait_for_end(is_over: threading.Event) -> None:
    sys.stdin.read()  # ends when the parent does
    is_over.set()


def _descendants(processes: Iterable[psutil.Process]) -> Iterator[psutil.Process]:
    for process in list(processes):
        with contextlib.suppress(psutil.Error):
            yield from process.children(recursive=True)


if __name__ == "__main__":
    watch_parent(sys.argv[1])
