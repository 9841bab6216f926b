"""Runs kept on disk: a private folder per job, each finished section safe before it is shown.

`job.json` says what was asked, `document-N.json` is the text that was read, `source-N` a copy of
the file, `plan-N.json` how the text was cut and by which weights it is summarized; then a file
per finished section, and `end-N.json`. A file appears whole or not at all. No password is kept.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ..documents.model import Document, OutlineItem, Page
from ..errors import BadOption, Busy
from ..events import SectionSummary, Sentence, Summary
from ..files import write_whole
from ..settings import private_folder
from ..warning import AppWarning

VERSION = 3
MAX_TRIES = 3  # a run that ends the program again and again at one section is given up
JOB_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
log = logging.getLogger(__name__)


class CannotResume(BadOption):
    """A run cannot go on where it was, since something that shapes its words has changed."""


class Lock:
    """A file that one process holds; the system lets go of it when the process dies."""

    def __init__(self, path: Path) -> None:
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
        """Let others in; twice is as good as once."""
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
class Asked:
    """What a job was asked to do, as its folder tells it."""

    documents: tuple[Document, ...]
    options: dict[str, Any]
    model: str
    read_s: tuple[float, ...]
    sources: tuple[Path | None, ...]  # the private copies of the files
    unread: tuple[tuple[str, str], ...] = ()  # the names of other files, and why not


class JobFolder:
    """The folder of one job, held by this process from `Journal.begin` or `take` to `release`.

    A disk that fails does not end a run: `broken` then says why it is no longer kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = ""
        self._held: Lock | None = None
        self._writing = threading.Lock()

    def take(self) -> None:
        """Hold the folder. Raises Busy when another process does."""
        if self._held is None:
            self._held = Lock(self.path / "lock")

    def release(self) -> None:
        """Let another process have it."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def ask(self, asked: Asked) -> None:
        """Write down what is to be done, the copies of the files first."""
        sources = []
        for number, source in enumerate(asked.sources, 1):
            name = f"source-{number}{source.suffix.lower()}" if source else None
            if source and name:
                shutil.copyfile(source, self.path / name)
            sources.append(name)
        for number, document in enumerate(asked.documents, 1):
            self._write(f"document-{number}.json", asdict(document))
        self._write(
            "job.json",
            {
                "version": VERSION,
                "documents": len(asked.documents),
                "options": asked.options,
                "model": asked.model,
                "read_s": list(asked.read_s),
                "sources": sources,
                "unread": asked.unread,
            },
        )

    def asked(self) -> Asked | None:
        """What is to be done; None when the folder is not whole or of another version."""
        job = self._read("job.json")
        if job is None or job["version"] != VERSION:
            return None
        documents = [self._read(f"document-{n}.json") for n in range(1, job["documents"] + 1)]
        if None in documents:
            return None
        sources = tuple(self.path / name if name else None for name in job["sources"])
        found = tuple(document_of(values) for values in documents if values is not None)
        unread = tuple((name, why) for name, why in job.get("unread", ()))
        return Asked(found, job["options"], job["model"], tuple(job["read_s"]), sources, unread)

    def plan(self, number: int) -> dict[str, Any] | None:
        """How document `number` (1-based) is cut and by what it is summarized, once fixed."""
        return self._read(f"plan-{number}.json")

    def agree(self, number: int, plan: dict[str, Any]) -> list[SectionSummary]:
        """Fix the plan of a document, or go by the one there is; returns the sections that are
        finished. Raises CannotResume with the reason when the two differ."""
        before = self.plan(number)
        if before is None:
            self._write(f"plan-{number}.json", plan)
            return self.sections(number)
        plan = json.loads(json.dumps(plan))
        # On a GPU equal bytes are not promised, and a lost one must not end the run.
        free = ("notes",) if before["device"] == "cpu" else ("notes", "device", "dtype")
        for key in plan:
            if key not in free and before.get(key) != plan[key]:
                raise CannotResume(
                    f"This run cannot go on where it ended, because {_difference(key)}: what is "
                    "finished stays; summarize again for the rest."
                )
        return self.sections(number)

    def replan(self, number: int, keep_sections: bool) -> None:
        """Forget the plan of a document, and the sections that came of it unless they stay."""
        if not keep_sections:
            for path in self.path.glob(f"section-{number}-*.json"):
                path.unlink(missing_ok=True)
        (self.path / f"plan-{number}.json").unlink(missing_ok=True)

    def add(self, number: int, section: int, result: SectionSummary) -> None:
        """Keep a finished section (1-based); it is on the disk when this returns."""
        name = f"section-{number}-{section:05}.json"
        if not (self.path / name).exists():
            self._write(name, asdict(result))

    def sections(self, number: int) -> list[SectionSummary]:
        """The finished sections of a document, from the first to the last without a gap."""
        found: list[SectionSummary] = []
        while values := self._read(f"section-{number}-{len(found) + 1:05}.json"):
            found.append(section_of(values))
        return found

    def end(self, number: int, summary: Summary | None, failure: str = "") -> None:
        """A document has ended, with a summary or with a sentence that says why not."""
        values = asdict(summary) if summary else None
        self._write(f"end-{number}.json", {"summary": values, "failure": failure})

    def ended(self, number: int) -> Summary | str | None:
        """The summary of a document, or why it failed; None while it has not ended."""
        values = self._read(f"end-{number}.json")
        if values is None:
            return None
        return summary_of(values["summary"]) if values["summary"] else str(values["failure"])

    def summaries(self) -> list[Summary | None]:
        """One for each document, None where it failed; nothing before all have ended."""
        job = self._read("job.json")
        if job is None or job["version"] != VERSION:
            return []
        ended = [self.ended(number) for number in range(1, job["documents"] + 1)]
        return [] if None in ended else [e if isinstance(e, Summary) else None for e in ended]

    def finish(self, failure: str = "") -> None:
        """The whole run is over: nothing is left to resume."""
        self._write("done.json", {"failure": failure})

    def outcome(self) -> str | None:
        """None while there is something to resume, else why the run failed or nothing."""
        done = self._read("done.json")
        return None if done is None else str(done["failure"])

    def try_again(self) -> bool:
        """Count a resumption; False when too many of them brought nothing new."""
        done = len(list(self.path.glob("section-*.json")))
        before = self._read("tries.json") or {}
        count = before.get("count", 0) + 1 if before.get("sections") == done else 1
        self._write("tries.json", {"sections": done, "count": count})
        return bool(count <= MAX_TRIES)

    def _write(self, name: str, values: dict[str, Any]) -> None:
        with self._writing:
            if self.broken:
                return
            data = json.dumps(values, ensure_ascii=False).encode("utf-8", "replace")
            try:
                write_whole(self.path / name, data)
            except OSError as error:
                self.broken = (error.strerror or "unknown reason").lower()
                log.warning("job %s is no longer kept: %s", self.path.name, type(error).__name__)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            values = json.loads((self.path / name).read_bytes())
        except (OSError, ValueError):
            return None
        return values if isinstance(values, dict) else None


class Journal:
    """All jobs of one user. `kept_s`: how long a folder stays after its last change."""

    def __init__(self, root: Path, kept_s: float) -> None:
        self.root, self.kept_s = root, kept_s

    def begin(self, job_id: str, asked: Asked) -> JobFolder | None:
        """A folder for a new job, held by this process; None when the disk says no."""
        self.sweep()
        folder = JobFolder(self.root / job_id)
        try:
            private_folder(self.root)
            private_folder(folder.path)
            folder.take()
            folder.ask(asked)
        except (OSError, BadOption) as error:
            log.warning("job %s is not kept: %s", job_id, type(error).__name__)
            folder.broken = "x"
        if folder.broken:
            folder.release()
            shutil.rmtree(folder.path, ignore_errors=True)
            return None
        return folder

    def find(self, job_id: str) -> JobFolder | None:
        """The folder of a job, not yet held; None when there is none, or it is too old."""
        if not JOB_ID.fullmatch(job_id):
            return None
        path = self.root / job_id
        return JobFolder(path) if path.is_dir() and not self._is_old(path) else None

    def forget(self, folder: JobFolder) -> None:
        """Delete all that is kept of a job, now."""
        with folder._writing:  # what is half written would outlast the folder's deletion
            folder.broken = "forgotten"
        folder.release()
        # By another name, or a process that still computes it would go on writing into it.
        gone = self.root / secrets.token_hex(12)
        with contextlib.suppress(OSError):
            folder.path.rename(gone)
        for path in (folder.path, gone):
            shutil.rmtree(path, ignore_errors=True)

    def sweep(self) -> None:
        """Delete the folders that have been kept long enough and that nobody holds."""
        for path in self.root.glob("*") if self.root.is_dir() else ():
            if JOB_ID.fullmatch(path.name) and path.is_dir() and self._is_old(path):
                with contextlib.suppress(Busy, OSError):
                    Lock(path / "lock").release()
                    shutil.rmtree(path, ignore_errors=True)

    def _is_old(self, path: Path) -> bool:
        with contextlib.suppress(OSError):
            newest = max(
                (p.stat().st_mtime for p in path.iterdir() if p.name != "lock"),
                default=path.stat().st_mtime,
            )
            return time.time() - newest > self.kept_s
        return False


def _difference(key: str) -> str:
    return {
        "weights_sha256": "the weights of the model are not those that it began with",
        "revision": "the model is of another revision",
        "dtype": "the model computes in another number format",
        "device": "the device is another one",
        "app_version": "this is another version of the program",
        "chunks": "the text is now cut into other sections",
    }.get(key, f"its {key} is not what it was")


def document_of(values: dict[str, Any]) -> Document:
    """A Document from its JSON."""
    return Document(
        **{
            **values,
            "pages": tuple(Page(**page) for page in values["pages"]),
            "warnings": tuple(map(AppWarning.from_dict, values["warnings"])),
            "contents": tuple(values["contents"]),
            "imprint": tuple(values.get("imprint", ())),
            "outline": tuple(OutlineItem(**item) for item in values["outline"]),
        }
    )


def sentence_of(values: dict[str, Any]) -> Sentence:
    """A Sentence from its JSON."""
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Sentence(**made)


def section_of(values: dict[str, Any]) -> SectionSummary:
    """A SectionSummary from its JSON."""
    sentences = tuple(sentence_of(s) for s in values["sentences"])
    pairs = {key: tuple(values[key]) for key in ("pages", "labels")}
    return SectionSummary(**{**values, **pairs, "sentences": sentences})


def summary_of(values: dict[str, Any]) -> Summary:
    """A Summary from its JSON."""
    return Summary(
        **{
            **values,
            "sections": tuple(section_of(s) for s in values["sections"]),
            "warnings": tuple(map(AppWarning.from_dict, values["warnings"])),
            "coverage": tuple((page, status) for page, status in values["coverage"]),
            "overview": tuple(sentence_of(s) for s in values["overview"]),
            "labels": tuple(values.get("labels", ())),  # those of earlier versions have none
        }
    )
