"""A folder of documents into a folder of summaries: what is there already is not made again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import export
from app.documents import Document
from app.errors import AppError, BadOption, Cancelled
from app.events import Finished, Progress
from app.settings import READABLE
from longt5.sentences import count_words


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
    for the summaries that an earlier run has put among them."""
    found: list[tuple[Path, Path]] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (p for p in sorted(path.rglob("*")) if p.suffix.lower() in READABLE)
            files = [(p, p.relative_to(path).parent) for p in inside if p.is_file()]
            made = _made_of(files, out) if out is not None else set()
            is_inside = out is not None and path.resolve() in out.resolve().parents
            found += [
                (p, below) for p, below in files
                if p.resolve() not in made
                and not (is_inside and out is not None and out.resolve() in p.resolve().parents)
            ]  # fmt: skip
        else:
            found.append((path, Path()))
    return found


def _made_of(files: Sequence[tuple[Path, Path]], out: Path) -> set[Path]:
    """What the summaries of these files are called, in any format."""
    return {
        (out / below / export.safe_filename(path.name, fmt)).resolve()
        for path, below in files
        for fmt in export.FORMATS
    }


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
    from app.runs import in_words

    files = files_in(paths, out)
    if not files:
        raise BadOption(f"There is no {', '.join(READABLE)} file in {', '.join(paths)}.")
    summarizer = None
    taken: set[Path] = set()
    for number, (path, below) in enumerate(files, 1):
        target = _free(out / below / export.safe_filename(path.name, fmt), path, taken)
        if target.is_file() and target.stat().st_size:
            yield Outcome(path.name, "there already")
            continue
        on_file(number, len(files), path.name)
        began = time.monotonic()
        try:
            document = read(str(path))
            summarizer = summarizer or load()
            summary = None
            for event in in_words(summarizer.stream(document, options, stop_event=stop)):
                if isinstance(event, Progress):
                    on_progress(event)
                elif isinstance(event, Finished):
                    summary = event.summary
            if summary is None or summary.stopped:
                raise Cancelled("Stopped: run the same command again to go on.")
            write_whole(target, export.export_bytes(summary, fmt))
        except Cancelled:
            raise
        except AppError as error:
            yield Outcome(path.name, str(error))
            continue
        words = count_words(summary.summary)
        yield Outcome(path.name, "done", summary.pages, words, time.monotonic() - began)


def _free(target: Path, path: Path, taken: set[Path]) -> Path:
    """The target, or one with the file's kind in it when a.pdf and a.txt would meet, and with a
    number when there are several of a kind."""
    kind, free, number = path.suffix.lstrip("."), target, 1
    while free in taken:
        free = target.with_name(f"{kind}{number if number > 1 else ''}-{target.name}")
        number += 1
    taken.add(free)
    return free


def write_whole(target: Path, data: bytes) -> None:
    """A file that appears under its name only when it is whole. Raises BadOption."""
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise BadOption(f"{target} cannot be written ({reason}): choose another -o.") from error


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
