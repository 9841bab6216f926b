"""Read documents in the background as soon as they are chosen, once for all who wait for them.

An uploaded file is first moved from Gradio's folder to a private one, so that no URL serves it.
It stays there for further runs until it is forgotten or expires.
"""

from __future__ import annotations

import contextlib
import filecmp
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import files
from ..documents.characters import display_name
from ..documents.load import load_document
from ..documents.model import Document
from ..errors import AppError, FolderUnusable, NotReadable
from ..settings import KEPT_COPIES, KEPT_READINGS, assets_dir, data_dir, private_folder, upload_dir
from .reading_slots import ReadingSlots

Loader = Callable[..., Document]
UNAWAITED_S = 60.0  # between the start of a reading and the first look at it
API_UPLOAD_S = 600.0  # that an API client has to use an upload again


class ReadTask:
    """One file being read in a thread, when its turn comes; `seconds` is how long it took."""

    def __init__(
        self,
        path: str,
        password: str,
        loader: Loader,
        ocr: bool,
        slots: ReadingSlots,
        visitor: str = "",
    ) -> None:
        self._slots, self._place = slots, slots.enter(visitor)
        self.path, self.name = path, display_name(Path(path).name)
        self.done, self.total, self.seconds = 0, 0, 0.0
        self.used_at = time.monotonic()
        self._waiting: list[str] = []  # the sessions that wait for the result
        self.was_awaited = False
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._document: Document | None = None
        self._error: AppError | None = None
        self._thread = threading.Thread(
            target=self._read, args=(password, loader, ocr), name="reading", daemon=True
        )
        self._thread.start()

    def _read(self, password: str, loader: Loader, ocr: bool) -> None:
        began = time.monotonic()
        try:
            with self._slots.turn(self._place, self._stop):
                began = time.monotonic()
                self._document = loader(
                    self.path,
                    password=password or None,
                    on_progress=self._on_progress,
                    stop_event=self._stop,
                    ocr=ocr,
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
        self._place.pages = done

    @property
    def ahead(self) -> int:
        """Return the number of files that are read before this one."""
        return self._place.ahead

    def watch(self, every_s: float = 0.1, who: str = "") -> Iterator[tuple[int, int]]:
        """Yield (pages read, pages) every `every_s` until the reading ends, however it ends."""
        with self.awaited_by(who):
            while not self._ended.wait(every_s):
                yield self.done, self.total

    def document(self, who: str = "") -> Document:
        """Wait for the document and return it. Raises the AppError that ended the reading.

        Handlers `watch` it to the end first: one that waits would hold a thread of the server.
        """
        with self.awaited_by(who):
            self._ended.wait()
        if self._error is not None:
            raise self._error
        assert self._document is not None
        return self._document

    @property
    def failed(self) -> bool:
        """Return True when it was stopped or ended with an error."""
        return self._error is not None or (self._stop.is_set() and not self.ended)

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    @property
    def has_waiters(self) -> bool:
        """Return True while it runs and a session waits for it."""
        return not self.ended and bool(self._waiting)

    def has_other_waiters(self, who: str = "") -> bool:
        """Return True while it runs and another session waits: equal files share a path."""
        return self.has_waiters and any(name != who for name in list(self._waiting))

    @contextlib.contextmanager
    def awaited_by(self, who: str) -> Iterator[None]:
        """Count a session that waits for the result, so that the reading is not dropped."""
        self.was_awaited = True
        self._waiting.append(who)
        try:
            yield
        finally:
            self._waiting.remove(who)

    def stop(self) -> None:
        """End the reading; `document` then raises Cancelled."""
        self._stop.set()


class DocumentReader:
    """The latest read tasks by file, password and OCR, and the private copies of uploads.

    An upload exists only as its copy, so copies are kept longer than what was read.
    """

    def __init__(self, loader: Loader = load_document, slots: ReadingSlots | None = None) -> None:
        self._loader, self._slots = loader, slots or ReadingSlots()
        self._readings: OrderedDict[tuple[str, str, bool], ReadTask] = OrderedDict()
        # The private copy of each upload, and when it was last used.
        self._own: OrderedDict[str, tuple[Path, float]] = OrderedDict()
        self._shown: set[str] = set()  # paths that a page has opened
        self._lock = threading.Lock()

    def open(
        self,
        path: str,
        password: str = "",
        ocr: bool = False,
        by_page: bool = True,
        visitor: str = "",
        known: Document | None = None,
    ) -> ReadTask:
        """Return the read task of a file, starting it unless one runs or has succeeded.

        Where it is `known` what reading it gives, nothing is read, and nobody waits in line. Files
        that only API clients open expire sooner: see :meth:`expire`. Raises NotReadable, and Busy
        when too many files wait.
        """
        key = (path, password, ocr)
        with self._lock:
            if by_page:
                self._shown.add(path)
            source = self._source(path)
            reading = self._readings.pop(key, None)
            if reading is None or reading.failed:
                loader, slots = self._loader, self._slots
                if known is not None:
                    loader, slots = (lambda *_, **options: known), ReadingSlots()
                reading = ReadTask(str(source), password, loader, ocr, slots, visitor)
            reading.used_at = time.monotonic()
            self._readings[key] = reading
            since = time.monotonic() - UNAWAITED_S
            idle = [
                old
                for old, r in self._readings.items()
                if not r.has_waiters and (r.ended or r.was_awaited or r.used_at < since)
            ]
            for old in idle[: max(0, len(self._readings) - KEPT_READINGS)]:
                if old != key:
                    self._readings.pop(old).stop()
            while len(self._own) > KEPT_COPIES:
                self._drop(next(iter(self._own)))
        return reading

    def find(self, path: str, password: str = "", ocr: bool = False) -> ReadTask | None:
        """Return the read task of a file, or None before it was opened; start nothing."""
        return self._readings.get((path, password, ocr))

    def forget(self, path: str, who: str = "") -> None:
        """Drop a file's read tasks and copy, unless another session waits for it."""
        with self._lock:
            if not self._has_other_waiters(path, who):
                self._drop(path)

    def forget_copy(self, copy: Path | None, who: str = "") -> None:
        """Delete a copy made by this or an earlier process, unless another session waits for it."""
        if copy is None or copy.parent.parent != data_dir() / "reading":
            return
        with self._lock:
            paths = [path for path, (own, _) in self._own.items() if own == copy]
            if any(self._has_other_waiters(path, who) for path in paths):
                return
            for path in paths:
                self._drop(path)
            shutil.rmtree(copy.parent, ignore_errors=True)

    def expire(self, age_s: float) -> None:
        """Drop what nobody used for `age_s` seconds, and API uploads after API_UPLOAD_S."""
        with self._lock:
            now = time.monotonic()
            used = [(path, reading.used_at) for (path, *_), reading in self._readings.items()]
            used += [(path, used_at) for path, (_, used_at) in self._own.items()]
            ages = {True: age_s, False: min(age_s, API_UPLOAD_S)}
            kept = {path for path, at in used if now - at <= ages[path in self._shown]}
            kept |= {path for (path, *_), reading in self._readings.items() if not reading.ended}
            for path in {path for path, _ in used} - kept:
                self._drop(path)
            self._shown &= {*self._own, *(path for path, *_ in self._readings)}
            owned = {own.parent for own, _ in self._own.values()}
            for left in (data_dir() / "reading").glob("*"):  # copies of a process that is gone
                with contextlib.suppress(OSError):
                    if left not in owned and files.age_s(left) > max(age_s, 0):
                        shutil.rmtree(left, ignore_errors=True)

    def stop(self) -> None:
        """End all read tasks; the copies stay for a run that is resumed."""
        with self._lock:
            for reading in self._readings.values():
                reading.stop()

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            for path in {*self._own, *(path for path, *_ in self._readings)}:
                self._drop(path)

    def _has_other_waiters(self, path: str, who: str) -> bool:
        readings = [reading for (of, *_), reading in self._readings.items() if of == path]
        return any(reading.has_other_waiters(who) for reading in readings)

    def _drop(self, path: str) -> None:
        self._shown.discard(path)
        for key in [key for key in self._readings if key[0] == path]:
            self._readings.pop(key).stop()
        own = self._own.pop(path, None)
        if own is not None:
            shutil.rmtree(own[0].parent, ignore_errors=True)

    def _source(self, path: str) -> Path:
        """Return the path to read a file from; move an upload to a private folder first."""
        public = Path(path)
        if not is_upload(public):
            return public
        own, _ = self._own.pop(path, (None, 0.0))
        if own is None and public.is_file():
            try:
                folder = private_folder(data_dir() / "reading")
                own = private_folder(folder / secrets.token_urlsafe(12)) / public.name
                shutil.move(public, own)
            except (OSError, FolderUnusable) as error:  # which names a folder of the server
                if own is not None:
                    shutil.rmtree(own.parent, ignore_errors=True)
                reason = (getattr(error, "strerror", "") or "no folder for it").lower()
                name = display_name(public.name)
                raise NotReadable(
                    f"“{name}” cannot be stored ({reason}): make room on the disk, or start the "
                    "page with SUMMARIZER_DATA_DIR set to another folder."
                ) from error
        else:
            with contextlib.suppress(OSError):
                public.unlink()  # the same file was uploaded again
        if own is not None:
            self._own[path] = own, time.monotonic()
        return own or public


def is_upload(path: Path) -> bool:
    """Return True for a file in the upload folder, unless it is one of the page's examples."""
    with contextlib.suppress(OSError):
        example = assets_dir() / "examples" / path.name
        if example.is_file() and filecmp.cmp(example, path, shallow=False):
            return False
    return path.resolve().is_relative_to(upload_dir())
