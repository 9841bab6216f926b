"""Documents are read as soon as they are dropped; who needs one waits for the same reading."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from app.documents import Document, load_document
from app.errors import AppError, NotReadable
from app.settings import KEPT_READINGS

Loader = Callable[..., Document]


class Reading:
    """One document on its way from file to text. `seconds` is what it took."""

    def __init__(self, path: str, password: str, loader: Loader) -> None:
        self.path, self.name = path, Path(path).name
        self.done, self.total, self.seconds = 0, 0, 0.0
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._document: Document | None = None
        self._error: AppError | None = None
        self._thread = threading.Thread(
            target=self._read, args=(password, loader), name="reading", daemon=True
        )
        self._thread.start()

    def _read(self, password: str, loader: Loader) -> None:
        began = time.monotonic()
        try:
            self._document = loader(
                self.path,
                password=password or None,
                on_progress=self._on_progress,
                stop_event=self._stop,
            )
        except AppError as error:
            self._error = error
        except Exception:
            self._error = NotReadable(
                f"“{self.name}” could not be read: save it again as PDF, or choose another file."
            )
        finally:
            self.seconds = time.monotonic() - began
            self._ended.set()

    def _on_progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def watch(self, every_s: float = 0.1) -> Iterator[tuple[int, int]]:
        """(pages read, pages) until the reading ends; says nothing of how."""
        while not self._ended.wait(every_s):
            yield self.done, self.total

    def document(self) -> Document:
        """Wait for the document. Raises the AppError that ended the reading."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._document is not None
        return self._document

    @property
    def failed(self) -> bool:
        return self._error is not None

    def stop(self) -> None:
        """End the reading; `document` then raises Cancelled."""
        self._stop.set()


class Reader:
    """Readings by file and password, the newest kept."""

    def __init__(self, loader: Loader = load_document) -> None:
        self._loader = loader
        self._readings: OrderedDict[tuple[str, str], Reading] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, path: str, password: str = "") -> Reading:
        """The reading of a file, begun now unless it has been; a failed one begins anew."""
        key = (path, password)
        with self._lock:
            reading = self._readings.pop(key, None)
            if reading is None or reading.failed:
                reading = Reading(path, password, self._loader)
            self._readings[key] = reading
            while len(self._readings) > KEPT_READINGS:
                self._readings.popitem(last=False)
        return reading
