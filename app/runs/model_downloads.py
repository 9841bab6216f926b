"""Downloads of checkpoints that go on by themselves: one for each model, watched by any number."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ..errors import AppError, Cancelled
from .hub_download import fetch_checkpoint
from .hub_file import CANCELLED

SPEED_WINDOW_S = 5.0  # shorter, the speed would jump; longer, it would say what has been
WATCH_DOWNLOAD_S = 0.1


class Download:
    """A download in a thread of its own: bytes so far, of how many, how fast, and how it ended.

    It ends when it is cancelled, or when the last of those who want it has left.
    """

    def __init__(self, name: str, revision: str | None, after: Download | None = None) -> None:
        self.name = name
        self.done = self.total = 0
        self.error: BaseException | None = None
        self.cancelled, self.ended = threading.Event(), threading.Event()
        self._wanted_by = 0
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int]] = deque()
        self._run = lambda: self._fetch(revision, after)

    def start(self) -> None:
        """Begin in a new thread."""
        threading.Thread(target=self._run, name="download", daemon=True).start()

    def want(self) -> bool:
        """Count one more who wants it; return False when it was cancelled before."""
        with self._lock:
            self._wanted_by += 1
            return not self.cancelled.is_set()

    def leave(self) -> None:
        """Count one less who wants it, and cancel it after the last."""
        with self._lock:
            self._wanted_by -= 1
            if self._wanted_by <= 0 and not self.ended.is_set():
                self.cancelled.set()

    def bytes_per_s(self) -> float:
        """Return the speed of the last seconds."""
        samples = [s for s in list(self._samples) if s[0] > time.monotonic() - SPEED_WINDOW_S]
        if len(samples) < 2:
            return 0.0
        return (samples[-1][1] - samples[0][1]) / max(0.001, time.monotonic() - samples[0][0])

    def remaining_s(self) -> float | None:
        """Return the seconds that are left at the speed of now, None where it stands still."""
        speed = self.bytes_per_s()
        return (self.total - self.done) / speed if speed > 0 else None

    def wait(self, cancel: threading.Event, on_progress: Callable[[Download], None]) -> None:
        """Wait for the end. Raises what it ended with; Cancelled, and leaves it, on `cancel`."""
        while not self.ended.wait(WATCH_DOWNLOAD_S):
            on_progress(self)
            if cancel.is_set():
                raise Cancelled(CANCELLED)
        if self.error is not None:
            raise self.error

    def _fetch(self, revision: str | None, after: Download | None) -> None:
        try:
            if after is not None:  # it was cancelled, and may still wait for an answer
                after.ended.wait()
            fetch_checkpoint(self.name, revision, self.cancelled, self._on_bytes)
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()

    def _on_bytes(self, done: int, total: int) -> None:
        now = time.monotonic()
        self.done, self.total = done, total
        if not self._samples or now - self._samples[-1][0] > WATCH_DOWNLOAD_S / 2:
            self._samples.append((now, done))
        while self._samples[0][0] < now - SPEED_WINDOW_S:
            self._samples.popleft()


class ModelDownloads:
    """The downloads of a process by the name of their model, the last one of each."""

    def __init__(self) -> None:
        self._downloads: dict[str, Download] = {}
        self._lock = threading.Lock()

    def join(self, name: str, revision: str | None = None) -> Download:
        """Return the download of a model, begun unless it is going on; `leave` it in the end."""
        with self._lock:
            current = self._downloads.get(name)
            if current is not None and not current.ended.is_set() and current.want():
                return current
            download = Download(name, revision, current)
            download.want()
            self._downloads[name] = download
        download.start()
        return download

    def find(self, name: str) -> Download | None:
        """Return the download of a model that is going on or has failed."""
        return self._downloads.get(name)

    def forget(self, name: str) -> None:
        """Cancel a download and forget how it ended."""
        with self._lock:
            download = self._downloads.pop(name, None)
        if download is not None:
            download.cancelled.set()

    def fetch(
        self,
        name: str,
        revision: str | None,
        cancel: threading.Event,
        on_progress: Callable[[Download], None],
    ) -> None:
        """Download a model and wait for it; raise what it ends with."""
        download = self.join(name, revision)
        try:
            download.wait(cancel, on_progress)
        finally:
            download.leave()


def error_of(download: Download) -> AppError | None:
    """Return why a download has failed, None where it has not or was cancelled."""
    error = download.error
    if error is None or isinstance(error, Cancelled):
        return None
    return error if isinstance(error, AppError) else AppError(f"({type(error).__name__})")
