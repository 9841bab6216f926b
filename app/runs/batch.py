"""Summarize a folder of documents into a folder, several at once, but for those that are done."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from longt5.text.words import count_words

from ..documents.characters import display_name
from ..documents.model import Document
from ..errors import UNEXPECTED, AppError, BadOption, Cancelled
from ..events import Event, Finished, Progress
from ..evidence.provenance import export_mark, read_export_mark, sha256_of_files
from ..export.filenames import safe_filename
from ..export.formats import export_bytes
from ..export.style import FILE_STYLE, ExportStyle
from ..files import cannot_write, write_atomic
from ..settings import MAX_AT_ONCE, PICTURE_SUFFIXES, READABLE_KINDS, READABLE_SUFFIXES

if TYPE_CHECKING:
    from ..summary.options import Options
    from ..summary.summarizer import Summarizer
    from .stop import StopSignal

log = logging.getLogger(__name__)


class OutcomeStatus(str, Enum):
    """What became of one file, as it is printed."""

    DONE = "done"
    EXISTS = "there already"  # its summary was written by an earlier run
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """The result for one file; pages and words are 0 unless it was summarized now."""

    name: str
    status: OutcomeStatus
    error: str = ""
    pages: int = 0
    words: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Return the error message, or the status of a file without one."""
        return self.error or self.status.value


def files_in(
    paths: Sequence[str], out: Path | None = None, ocr: bool = False
) -> list[tuple[Path, Path]]:
    """Return (file, subfolder of the output folder) for files and the readable files in folders.

    Hidden files, and summaries that an earlier run wrote into the same folder, are left out, and
    so are pictures in folders unless `ocr`: most are photographs beside the documents.
    """
    found: list[tuple[Path, Path]] = []
    suffixes = {*READABLE_SUFFIXES}.difference(() if ocr else PICTURE_SUFFIXES)
    for path in map(Path, paths):
        if os.path.isdir(path):
            inside = (p for p in sorted(path.rglob("*")) if p.suffix.lower() in suffixes)
            found += [
                (p, p.relative_to(path).parent)
                for p in inside
                if not _is_hidden(p.relative_to(path))
                and _is_file(p)
                and not (out is not None and _is_summary(p, path, out))
            ]
        else:
            found.append((path, Path()))
    return found


def _nothing_to_read(paths: Sequence[str]) -> BadOption:
    return BadOption(
        f"There is no file to read in {', '.join(paths)}: choose another folder, with "
        f"{READABLE_KINDS} (pictures in folders need --ocr)."
    )


def _is_hidden(place: Path) -> bool:
    """Return True for hidden files and the lock files of Word (~$a.docx) and macOS (._a.pdf)."""
    return any(part.startswith((".", "~$")) for part in place.parts)


def _is_file(path: Path) -> bool:
    """Return True for a file to read, also one whose reading will fail with a message."""
    try:
        # What is not there is a link to nothing.
        return path.is_file() or not path.exists()
    except OSError:  # in a folder that may not be entered
        return True


def _is_summary(path: Path, folder: Path, out: Path) -> bool:
    """Return True when a file of a folder is a summary in `out`, which may be that folder."""
    place = out.resolve()
    if place not in Path(os.path.realpath(path)).parents:  # works for circular links too
        return False
    return folder.resolve() in place.parents or (
        path.stem.endswith("-summary") and read_export_mark(path) is not None
    )


def summarize_files(
    paths: Sequence[str],
    out: Path,
    fmt: str,
    read: Callable[[str], Document],
    load: Callable[[], Summarizer],
    options: Options,
    stop: StopSignal,
    on_progress: Callable[[Progress], None],
    on_file: Callable[[int, int, str], None] = lambda number, files, name: None,
    style: ExportStyle = FILE_STYLE,
    ocr: bool = False,
    at_once: int = MAX_AT_ONCE,
) -> Iterator[Outcome]:
    """Yield the outcome of each file in order; summarize those without a summary.

    Files are read one after the other, while up to `at_once` of those before share the model's
    steps. `on_file` is told which file is being read or waited for. Raises BadOption.
    """
    files = files_in(paths, out, ocr)
    if not files:
        raise _nothing_to_read(paths)
    _require_folder(out)
    begun: deque[_Begun] = deque()
    taken: set[str] = set()
    with ThreadPoolExecutor(max(1, at_once), "summarize") as pool:
        try:
            for number, (path, below) in enumerate(files, 1):
                file = _Begun(number, display_name(path.name), on_progress)
                file.target, exists = summary_path(path, out / below, fmt, taken)
                begun.append(file)
                if exists:
                    file.end(Outcome(file.name, OutcomeStatus.EXISTS))
                else:
                    taken.add(_key(file.target))
                    on_file(number, len(files), file.name)
                    with file.failures():
                        document = read(str(path))
                        stream = load().stream(document, options, stop_event=stop)
                        file.future = pool.submit(file.run, stream, fmt, style)
                while begun and (begun[0].is_over or len(begun) >= at_once):
                    yield _wait_for(begun[0], len(files), on_file)
                    begun.popleft()
            while begun:
                yield _wait_for(begun[0], len(files), on_file)
                begun.popleft()
        finally:
            if begun:  # an error, or nobody waits for the rest
                stop.set()


@dataclass
class _Begun:
    """A file that was begun: its summary is being made, or its outcome is known."""

    number: int
    name: str
    on_progress: Callable[[Progress], None]
    target: Path = Path()
    future: Future[Outcome] | None = None
    outcome: Outcome | None = None
    is_shown: bool = False  # its progress, because it is waited for

    def __post_init__(self) -> None:
        self.began = time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.future is None or self.future.done()

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Make the outcome of an error, but for Cancelled."""
        try:
            yield
        except Cancelled:
            raise
        except AppError as error:
            self.end(Outcome(self.name, OutcomeStatus.FAILED, str(error)))
        except Exception as error:
            self.end(Outcome(self.name, OutcomeStatus.FAILED, describe_unexpected(error)))

    def run(self, events: Iterator[Event], fmt: str, style: ExportStyle) -> Outcome:
        """Write the summary, and return the outcome. Raises Cancelled."""
        with self.failures():
            self._write(events, fmt, style)
        assert self.outcome is not None
        return self.outcome

    def _write(self, events: Iterator[Event], fmt: str, style: ExportStyle) -> None:
        from .device_errors import translate_device_errors

        summary = None
        for event in translate_device_errors(events):
            if isinstance(event, Progress) and self.is_shown:
                self.on_progress(event)
            elif isinstance(event, Finished):
                summary = event.summary
        if summary is None or summary.stopped:
            raise Cancelled("Stopped: run the same command again to go on.")
        write_summary(self.target, export_bytes(summary, fmt, style))
        words, seconds = count_words(summary.summary), time.monotonic() - self.began
        self.end(Outcome(self.name, OutcomeStatus.DONE, "", summary.pages, words, seconds))


def _wait_for(file: _Begun, files: int, on_file: Callable[[int, int, str], None]) -> Outcome:
    """Return the outcome of a file, showing its progress meanwhile."""
    if file.outcome is not None:
        return file.outcome
    assert file.future is not None
    on_file(file.number, files, file.name)
    file.is_shown = True
    return file.future.result()


def describe_unexpected(error: Exception) -> str:
    """Return the message for an error that is not an AppError."""
    # The class, never the message: it may hold the document's text.
    log.debug("details", exc_info=error)
    return f"{UNEXPECTED[:-1]} ({type(error).__name__})."


def summary_path(
    path: Path, folder: Path, fmt: str, taken: Collection[str] = ()
) -> tuple[Path, bool]:
    """Return (path of a file's summary, True), or (an unused path for it, False).

    `taken`: the keys of paths of summaries that are being made.

    The path is `a-summary.md`; `pdf-a-summary.md` where a.pdf and a.txt collide, then with a
    number. A summary names its document in its own text, so neither the other files nor their
    order change what is found.
    """
    base = safe_filename(path.name, fmt)
    kind = re.sub(r"[^A-Za-z0-9]", "", path.suffix) or "file"
    name = re.compile(rf"(?:{kind}\d*-)?{re.escape(base)}", re.IGNORECASE)
    # Filter by name first: opening each file for each document takes minutes in a large folder.
    names = os.listdir(folder) if folder.is_dir() else []
    existing = [p for p in sorted(folder / n for n in names if name.fullmatch(n)) if _is_used(p)]
    if existing and path.is_file():
        with contextlib.suppress(OSError):  # reading the file will report the error
            mark = export_mark(display_name(path.name), sha256_of_files(path))
            for summary in (p for p in existing if read_export_mark(p) == mark):
                return summary, True
    target, number = folder / base, 1
    while _is_used(target) or _key(target) in taken:
        target = folder / f"{kind}{number if number > 1 else ''}-{base}"
        number += 1
    return target, False


def _key(path: Path) -> str:
    """Return a path as file systems that ignore case compare it."""
    return str(path).casefold()


def _is_used(path: Path) -> bool:
    return path.exists() and not (path.is_file() and path.stat().st_size == 0)


def write_summary(target: Path, data: bytes) -> None:
    """Write a summary completely or not at all. Raises BadOption."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, data, mode=0o666)
    except OSError as error:
        raise cannot_write(target, error) from error


def _require_folder(out: Path) -> None:
    """Make the folder. Raises BadOption before a summary is computed that could not be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise cannot_write(out, error) from error


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    """Return a table with a line per file."""
    width = max((len(o.name) for o in outcomes), default=4)
    width = min(width, 48)
    lines = [f"{'FILE':{width}}  {'PAGES':>5}  {'WORDS':>5}  {'SECONDS':>7}  STATUS"]
    for o in outcomes:
        seconds = f"{o.seconds:.1f}" if o.words else ""
        numbers = f"{o.pages or '':>5}  {o.words or '':>5}  {seconds:>7}"
        lines.append(f"{o.name[:width]:{width}}  {numbers}  {o.text}")
    return "\n".join(lines)
