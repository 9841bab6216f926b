"""Runs on disk: a private folder per job, each finished section stored before it is shown.

`job.json` holds the request, `document-N.json` the text that was read, `source-N` a copy of the
file, `plan-N.json` the chunks of the text and the identity of the model; then a file per finished
section, and `end-N.json`. A file is either complete or absent. Passwords are not stored.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import shutil
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from ..documents.model import Document
from ..errors import BadOption, Busy
from ..events import SectionSummary, Summary
from ..files import age_s, read_json, write_atomic
from ..settings import private_folder
from ..summary.options import Options
from .request import Request

VERSION = 4  # of the folder's format; folders of another version are not resumed
MAX_ATTEMPTS = 3  # a run that crashes the program again and again at one section is given up
SOURCE_NAME = re.compile(r"source-\d+(\.[^/\\]*)?")
JOB_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
T = TypeVar("T")
log = logging.getLogger(__name__)


class CannotResume(BadOption):
    """A run cannot be resumed, since something that its text depends on has changed."""


class FileLock:
    """A lock file that one process holds; the system releases it when the process dies."""

    def __init__(self, path: Path) -> None:
        """Raise Busy when another process holds the lock, and OSError where none can be made."""
        self._file: IO[bytes] | None = path.open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self.release()
            raise Busy(
                "Another window or process of this program works on this document: wait until it "
                "has finished, or close it."
            ) from error

    def release(self) -> None:
        """Release the lock; releasing it twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@dataclass(frozen=True)
class _Version:
    """The field of `job.json` that all versions have."""

    version: int


@dataclass(frozen=True)
class _StoredRequest:
    """`job.json`: a request without its documents, its files by their names in the folder."""

    version: int
    documents: int
    options: Options
    model: str
    read_s: tuple[float, ...]
    sources: tuple[str | None, ...]
    unread: tuple[tuple[str, str], ...]

    def is_sound(self) -> bool:
        """Return True when the fields fit together, as this program writes them."""
        # A name of another form could lead out of the folder.
        names = all(name is None or SOURCE_NAME.fullmatch(name) for name in self.sources)
        counts = {len(self.sources), len(self.read_s) or self.documents}
        return names and self.documents > 0 and counts == {self.documents}


@dataclass(frozen=True)
class StoredPlan:
    """The fields of `plan-N.json` from which a resumed run takes its settings."""

    options: Options
    device: str
    dtype: str
    notes: tuple[str, ...]  # the fallbacks that were taken when memory ran short


@dataclass(frozen=True)
class _Ending:
    """`end-N.json`: the summary of a document, or why there is none."""

    summary: Summary | None
    failure: str


@dataclass(frozen=True)
class _Outcome:
    """`done.json`: why the whole run failed, or nothing."""

    failure: str


@dataclass(frozen=True)
class _Attempts:
    """`tries.json`: how often a run was resumed since a section was last finished."""

    sections: int
    count: int


class JobFolder:
    """The folder of one job, locked by this process from `Journal.begin` or `acquire` on.

    A failing disk does not end a run: `write_error` then says why nothing is stored any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write_error = ""
        self._lock: FileLock | None = None
        self._writing = threading.Lock()

    def acquire(self) -> None:
        """Lock the folder. Raises Busy when another process has, and OSError when it is gone."""
        if self._lock is None:
            self._lock = FileLock(self.path / "lock")

    def release(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def stop_writing(self, reason: str) -> None:
        """Store nothing from now on; return after a write in progress has ended."""
        with self._writing:
            self.write_error = reason

    def write_request(self, request: Request) -> None:
        """Store a request, the copies of its files first."""
        names = []
        for number, source in enumerate(request.sources or (None,) * len(request.documents), 1):
            name = f"source-{number}{source.suffix.lower()}" if source else None
            if source and name:
                shutil.copyfile(source, self.path / name)
            names.append(name)
        for number, document in enumerate(request.documents, 1):
            self._write(f"document-{number}.json", asdict(document))
        stored = _StoredRequest(
            VERSION,
            len(request.documents),
            request.options,
            request.model,
            request.read_s,
            tuple(names),
            request.unread,
        )
        self._write("job.json", asdict(stored))

    def request(self) -> Request | None:
        """Return the request; None when the folder is incomplete or of another version."""
        stored = self._stored_request()
        if stored is None:
            return None
        documents = []
        for number in range(1, stored.documents + 1):
            document = self._read(f"document-{number}.json", Document)
            if document is None:
                return None
            documents.append(document)
        sources = tuple(self.path / name if name else None for name in stored.sources)
        return Request(
            tuple(documents), stored.options, stored.model, stored.read_s, sources, stored.unread
        )

    def plan(self, number: int) -> StoredPlan | None:
        """Return the plan of document `number` (1-based), or None before `fix_plan`."""
        return self._read(f"plan-{number}.json", StoredPlan)

    def fix_plan(self, number: int, plan: dict[str, Any]) -> list[SectionSummary]:
        """Store the plan of a document, or compare it with the one that is stored.

        Return the finished sections. Raises CannotResume with the reason when the plans differ.
        """
        before = self._read(f"plan-{number}.json", dict[str, Any])
        if before is None:
            self._write(f"plan-{number}.json", plan)
            return self.sections(number)
        plan = json.loads(json.dumps(plan))
        # On a GPU equal bytes are not promised, and a lost one must not end the run.
        free = ("notes",) if before.get("device") == "cpu" else ("notes", "device", "dtype")
        for key in plan:
            if key not in free and before.get(key) != plan[key]:
                raise CannotResume(
                    f"This run cannot be resumed because {_difference(key)}: its finished sections "
                    "stay; summarize again for the rest."
                )
        return self.sections(number)

    def drop_plan(self, number: int, keep_sections: bool) -> None:
        """Delete the plan of a document, and its finished sections unless they are kept."""
        if not keep_sections:
            for path in self.path.glob(f"section-{number}-*.json"):
                _delete(path)
        _delete(self.path / f"plan-{number}.json")

    def add_section(self, number: int, section: int, result: SectionSummary) -> None:
        """Store a finished section (1-based); it is on the disk when this returns."""
        name = f"section-{number}-{section:05}.json"
        if not (self.path / name).exists():
            self._write(name, asdict(result))

    def sections(self, number: int) -> list[SectionSummary]:
        """Return the finished sections of a document, from the first up to the first gap."""
        found: list[SectionSummary] = []
        while section := self._read(f"section-{number}-{len(found) + 1:05}.json", SectionSummary):
            found.append(section)
        return found

    def end_document(self, number: int, summary: Summary | None, failure: str = "") -> None:
        """Store the summary of a document, or the sentence that says why it failed."""
        self._write(f"end-{number}.json", asdict(_Ending(summary, failure)))

    def ending(self, number: int) -> Summary | str | None:
        """Return the summary of a document, or why it failed; None while it has not ended."""
        ending = self._read(f"end-{number}.json", _Ending)
        return None if ending is None else ending.summary or ending.failure

    def summaries(self) -> list[Summary | None]:
        """Return a summary per document, None where it failed; [] before all have ended."""
        stored = self._stored_request()
        if stored is None:
            return []
        endings: list[Summary | None] = []
        for number in range(1, stored.documents + 1):
            ending = self.ending(number)
            if ending is None:
                return []
            endings.append(ending if isinstance(ending, Summary) else None)
        return endings

    def finish(self, failure: str = "") -> None:
        """Mark the whole run as over: it will not be resumed."""
        self._write("done.json", asdict(_Outcome(failure)))

    def outcome(self) -> str | None:
        """Return why the run failed, "" when it did not, None while it can be resumed."""
        done = self._read("done.json", _Outcome)
        return None if done is None else done.failure

    def count_attempt(self) -> bool:
        """Count a resumption; return False when too many finished no further section."""
        done = len(list(self.path.glob("section-*.json")))
        before = self._read("tries.json", _Attempts)
        count = before.count + 1 if before and before.sections == done else 1
        self._write("tries.json", asdict(_Attempts(done, count)))
        return count <= MAX_ATTEMPTS

    def _stored_request(self) -> _StoredRequest | None:
        found = self._read("job.json", _Version)
        if found is None or found.version != VERSION:
            return None
        stored = self._read("job.json", _StoredRequest)
        return stored if stored is not None and stored.is_sound() else None

    def _write(self, name: str, values: dict[str, Any]) -> None:
        with self._writing:
            if self.write_error:
                return
            # Half a surrogate pair, which UTF-8 cannot hold, is stored as a question mark.
            data = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
            try:
                write_atomic(self.path / name, data)
            except OSError as error:
                self.write_error = (error.strerror or "unknown reason").lower()
                log.warning("job %s is no longer stored: %s", self.path.name, type(error).__name__)

    def _read(self, name: str, kind: type[T]) -> T | None:
        return read_json(self.path / name, kind)


class Journal:
    """The folders of all jobs of one user, deleted `kept_s` seconds after their last change."""

    def __init__(self, root: Path, kept_s: float) -> None:
        self.root, self.kept_s = root, kept_s

    def begin(self, job_id: str, request: Request) -> JobFolder | None:
        """Return a locked folder for a new job; None when the disk cannot be written."""
        self.sweep()
        folder = JobFolder(self.root / job_id)
        try:
            private_folder(self.root)
            private_folder(folder.path)
            folder.acquire()
            folder.write_request(request)
        except (OSError, BadOption) as error:
            log.warning("job %s is not stored: %s", job_id, type(error).__name__)
        else:
            if not folder.write_error:
                return folder
        folder.release()
        shutil.rmtree(folder.path, ignore_errors=True)
        return None

    def find(self, job_id: str) -> JobFolder | None:
        """Return the folder of a job, not yet locked; None when there is none, or it expired."""
        if not JOB_ID.fullmatch(job_id):
            return None
        path = self.root / job_id
        return JobFolder(path) if path.is_dir() and not self._has_expired(path) else None

    def folder_to_delete(self, job_id: str) -> JobFolder | None:
        """Return the folder of a job whatever it holds, also after it expired."""
        path = self.root / job_id
        return JobFolder(path) if JOB_ID.fullmatch(job_id) and path.is_dir() else None

    def delete(self, folder: JobFolder) -> None:
        """Delete all that is stored of a job, now."""
        folder.stop_writing("deleted")  # a write in progress would outlast the deletion
        folder.release()
        # Renamed first: another process that still computes the job would go on writing to it.
        gone = self.root / secrets.token_hex(12)
        with contextlib.suppress(OSError):
            folder.path.rename(gone)
        for path in (folder.path, gone):
            shutil.rmtree(path, ignore_errors=True)

    def sweep(self) -> None:
        """Delete the folders that have expired and that no process has locked."""
        for path in self.root.glob("*") if self.root.is_dir() else ():
            if JOB_ID.fullmatch(path.name) and path.is_dir() and self._has_expired(path):
                with contextlib.suppress(Busy, OSError):
                    FileLock(path / "lock").release()
                    shutil.rmtree(path, ignore_errors=True)

    def _has_expired(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            files = [p for p in path.iterdir() if p.name != "lock"]
            return age_s(*(files or [path])) > self.kept_s
        return False


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):  # absent, or on a disk that became read-only
        path.unlink()


def _difference(key: str) -> str:
    return {
        "weights_sha256": "the weights of the model are not those that it began with",
        "revision": "the model is of another revision",
        "dtype": "the model computes in another number format",
        "device": "the device is another one",
        "app_version": "this is another version of the program",
        "parts": "the text is now cut into other sections",
    }.get(key, f"its {key} is not what it was")
