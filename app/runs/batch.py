"""A folder of documents into a folder of summaries: what is there already is not made again."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longt5.text.words import count_words

from ..documents.model import Document
from ..documents.readers.encoding import shown_name
from ..errors import UNEXPECTED, AppError, BadOption, Cancelled
from ..events import Finished, Progress
from ..evidence.provenance import export_mark, read_export_mark, sha256_of_files
from ..export.filenames import safe_filename
from ..export.formats import export_bytes
from ..files import write_whole
from ..settings import READABLE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of one file: pages and words are 0 when it was not summarized now."""

    name: str
    status: str  # done | there already | the error's sentence
    pages: int = 0
    words: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.status not in ("done", "there already")


def files_in(paths: Sequence[str], out: Path | None = None) -> list[tuple[Path, Path]]:
    """(file, its place below the output folder) for files and all readable ones in folders, but
    for hidden ones and the summaries that an earlier run has put among them."""
    found: list[tuple[Path, Path]] = []
    for path in map(Path, paths):
        if os.path.isdir(path):
            inside = (p for p in sorted(path.rglob("*")) if p.suffix.lower() in READABLE)
            found += [
                (p, p.relative_to(path).parent)
                for p in inside
                if not _is_hidden(p.relative_to(path))
                and _is_file(p)
                and not (out is not None and _is_made(p, path, out))
            ]
        else:
            found.append((path, Path()))
    return found


def _is_hidden(place: Path) -> bool:
    """Hidden, or what Word (~$a.docx) and macOS (._a.pdf) put beside a document."""
    return any(part.startswith((".", "~$")) for part in place.parts)


def _is_file(path: Path) -> bool:
    """Whether it is to be read, if only to say why it cannot be."""
    try:
        # What is not there is a link to nothing.
        return path.is_file() or not path.exists()
    except OSError:  # in a folder that may not be entered
        return True


def _is_made(path: Path, folder: Path, out: Path) -> bool:
    """Whether a file of a folder is a summary in `out`; a folder `out` inside has nothing else."""
    place = out.resolve()
    if place not in Path(os.path.realpath(path)).parents:  # a link in a circle leads somewhere too
        return False
    return folder.resolve() in place.parents or (
        path.stem.endswith("-summary") and read_export_mark(path) is not None
    )


def run_batch(
    paths: Sequence[str],
    out: Path,
    fmt: str,
    read: Callable[[str], Document],
    load: Callable[[], Any],
    options: Any,
    stop: threading.Event,
    on_progress: Callable[[Progress], None],
    on_file: Callable[[int, int, str], None] = lambda number, files, name: None,
) -> Iterator[Outcome]:
    """Summarize every file that has no summary yet. Raises BadOption when there is none."""
    from .device_errors import translate_device_errors

    files = files_in(paths, out)
    if not files:
        raise BadOption(f"There is no {', '.join(READABLE)} file in {', '.join(paths)}.")
    _require_folder(out)
    summarizer = None
    for number, (path, below) in enumerate(files, 1):
        name = shown_name(path.name)
        target, is_there = place_of(path, out / below, fmt)
        if is_there:
            yield Outcome(name, "there already")
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
            keep(target, export_bytes(summary, fmt))
        except Cancelled:
            raise
        except AppError as error:
            yield Outcome(name, str(error))
            continue
        except Exception as error:
            yield Outcome(name, unexpected(error))
            continue
        words = count_words(summary.summary)
        yield Outcome(name, "done", summary.pages, words, time.monotonic() - began)


def unexpected(error: Exception) -> str:
    """What to say of a failure that no AppError stands for."""
    # The class, never the message: it may hold the document's text.
    log.debug("details", exc_info=error)
    return f"{UNEXPECTED[:-1]} ({type(error).__name__})."


def place_of(path: Path, folder: Path, fmt: str) -> tuple[Path, bool]:
    """Where the summary of a file is (True), or the first name that nothing else has (False):
    `a-summary.md`, with the file's kind in front where a.pdf and a.txt meet, then with a number.

    Which document a summary is of, its own text says: what other files there are, their order and
    what became of them changes nothing.
    """
    base = safe_filename(path.name, fmt)
    kind = re.sub(r"[^A-Za-z0-9]", "", path.suffix) or "file"
    name = re.compile(rf"(?:{kind}\d*-)?{re.escape(base)}", re.IGNORECASE)
    # By name first: a look at each file there, for each document, takes minutes where are many.
    names = os.listdir(folder) if folder.is_dir() else []
    there = [p for p in sorted(folder / n for n in names if name.fullmatch(n)) if _is_used(p)]
    if there and path.is_file():
        with contextlib.suppress(OSError):  # reading it will say why
            mark = export_mark(shown_name(path.name), sha256_of_files(path))
            for summary in (p for p in there if read_export_mark(p) == mark):
                return summary, True
    target, number = folder / base, 1
    while _is_used(target):
        target = folder / f"{kind}{number if number > 1 else ''}-{base}"
        number += 1
    return target, False


def _is_used(path: Path) -> bool:
    return path.exists() and not (path.is_file() and path.stat().st_size == 0)


def keep(target: Path, data: bytes) -> None:
    """Write a summary, whole or not at all. Raises BadOption."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data, mode=0o666)
    except OSError as error:
        raise unwritable(target, error) from error


def _require_folder(out: Path) -> None:
    """Make the folder. Raises BadOption before anything is computed that could not be kept."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise unwritable(out, error) from error


def unwritable(path: Path, error: OSError) -> BadOption:
    """What to say of an output that the system refuses."""
    reason = (error.strerror or "unknown reason").lower()
    return BadOption(f"{path} cannot be written ({reason}): choose another -o.")


def table(outcomes: Sequence[Outcome]) -> str:
    """What was done, a line per file."""
    width = max((len(o.name) for o in outcomes), default=4)
    width = min(width, 48)
    lines = [f"{'FILE':{width}}  {'PAGES':>5}  {'WORDS':>5}  {'SECONDS':>7}  STATUS"]
    for o in outcomes:
        seconds = f"{o.seconds:.1f}" if o.words else ""
        numbers = f"{o.pages or '':>5}  {o.words or '':>5}  {seconds:>7}"
        lines.append(f"{o.name[:width]:{width}}  {numbers}  {o.status}")
    return "\n".join(lines)
