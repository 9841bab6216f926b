"""Summarize a folder of documents into a folder, leaving out summaries that exist already."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from longt5.text.words import count_words

from ..documents.characters import display_name
from ..documents.model import Document
from ..errors import UNEXPECTED, AppError, BadOption, Cancelled
from ..events import Finished, Progress
from ..evidence.provenance import export_mark, read_export_mark, sha256_of_files
from ..export.filenames import safe_filename
from ..export.formats import export_bytes
from ..export.style import FILE_STYLE, ExportStyle
from ..files import cannot_write, write_atomic
from ..settings import PICTURE_SUFFIXES, READABLE_KINDS, READABLE_SUFFIXES

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
) -> Iterator[Outcome]:
    """Yield the outcome of each file; summarize those without a summary. Raises BadOption."""
    from .device_errors import translate_device_errors

    files = files_in(paths, out, ocr)
    if not files:
        raise _nothing_to_read(paths)
    _require_folder(out)
    summarizer = None
    for number, (path, below) in enumerate(files, 1):
        name = display_name(path.name)
        target, exists = summary_path(path, out / below, fmt)
        if exists:
            yield Outcome(name, OutcomeStatus.EXISTS)
            continue
        on_file(number, len(files), name)
        began = time.monotonic()
        try:
            document = read(str(path))
            summarizer = summarizer or load()
            summary = None
            for event in translate_device_errors(
                summarizer.stream(document, options, stop_event=stop)
            ):
                if isinstance(event, Progress):
                    on_progress(event)
                elif isinstance(event, Finished):
                    summary = event.summary
            if summary is None or summary.stopped:
                raise Cancelled("Stopped: run the same command again to go on.")
            write_summary(target, export_bytes(summary, fmt, style))
        except Cancelled:
            raise
        except AppError as error:
            yield Outcome(name, OutcomeStatus.FAILED, str(error))
            continue
        except Exception as error:
            yield Outcome(name, OutcomeStatus.FAILED, describe_unexpected(error))
            continue
        yield Outcome(
            name,
            OutcomeStatus.DONE,
            pages=summary.pages,
            words=count_words(summary.summary),
            seconds=time.monotonic() - began,
        )


def describe_unexpected(error: Exception) -> str:
    """Return the message for an error that is not an AppError."""
    # The class, never the message: it may hold the document's text.
    log.debug("details", exc_info=error)
    return f"{UNEXPECTED[:-1]} ({type(error).__name__})."


def summary_path(path: Path, folder: Path, fmt: str) -> tuple[Path, bool]:
    """Return (path of a file's summary, True), or (an unused path for it, False).

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
    while _is_used(target):
        target = folder / f"{kind}{number if number > 1 else ''}-{base}"
        number += 1
    return target, False


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
