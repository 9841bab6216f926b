"""python -m app summarize | extract | compare | models | serve."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .arguments import Parser
from .documents.headings import listing, sections_of
from .documents.load import load_document, require_text
from .documents.model import Document
from .documents.readers.encoding import shown_name
from .errors import AppError, BadOption, Cancelled, NotReadable, PasswordNeeded, WrongPassword
from .events import Finished, Notice, Planned, Progress, Summary
from .export.formats import EXPORT_FORMATS, export_bytes, export_text
from .export.json_object import to_json_line
from .files import part_of
from .runs.batch import Outcome, run_batch, table, unexpected, unwritable
from .settings import (
    DEFAULT_BEAMS,
    DEFAULT_LENGTH,
    LENGTH_WORDS,
    MAX_BEAMS,
    PROGRAM,
    Settings,
    dims_text,
    moves_cursor,
)
from .summary.models import CATALOGUE, is_local
from .summary.options import Options
from .summary.plan import describe_planned
from .terminal import ProgressLine, SummaryWriter
from .wording import counted, places

PASSWORD_TRIES = 3
EXAMPLES = f"""examples:
  {PROGRAM} summarize report.pdf
  {PROGRAM} summarize report.pdf --length short --format json -o report.json
  {PROGRAM} extract report.pdf --format json
  {PROGRAM} serve --port 7860
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, or 1 with one sentence on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_closed()
    _speak_utf8()
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # at exit it would be too late to say that the disk is full
    except AppError as error:
        _say(str(error))
    except BrokenPipeError:  # the reader of a pipe has gone
        sys.stdout = None  # type: ignore[assignment]
    except OSError as error:
        sys.stdout = None  # type: ignore[assignment]
        reason = (error.strerror or "unknown reason").lower()
        _say(f"The output cannot be written ({reason}): make room, or write to another place.")
    except KeyboardInterrupt:
        _say("Stopped.")
    except Exception as error:
        _say(unexpected(error))
    return 1


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"]:
        from .ui.launch import main as serve

        return serve(arguments[1:])
    chosen = build_parser().parse_args(arguments)
    if sys.stdout is None and not getattr(chosen, "output", None):
        raise BadOption("Stdout is closed, so nobody would see the result: leave it open.")
    return int(chosen.run(chosen))


def _say(sentence: str) -> None:
    print(f"\r{sentence}" if sys.stderr.isatty() else sentence, file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options; every default is read from the settings."""
    parser = Parser(
        prog=PROGRAM,
        description="Summarize long documents on this machine with LongT5.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_summarize(commands)
    _add_extract(commands)
    compare = commands.add_parser("compare", help="two summaries of one document side by side")
    compare.set_defaults(run=run_compare)
    compare.add_argument(
        "files",
        nargs=2,
        type=Path,
        metavar="JSON",
        help="made with summarize --format json -o JSON",
    )
    models = commands.add_parser("models", help="list the checkpoints offered by name")
    models.set_defaults(run=run_models)
    commands.add_parser(
        "serve", help="start the page in the browser (the same as python app.py)", add_help=False
    )
    return parser


def _add_summarize(commands: Any) -> None:
    settings = Settings()  # the environment says nothing of these
    add = commands.add_parser("summarize", help="summarize documents")
    add.set_defaults(run=run_summarize)
    option = add.add_argument
    option(
        "files",
        nargs="+",
        metavar="FILE",
        help="a PDF, Word, OpenDocument, PowerPoint, EPUB, HTML, Markdown, text or subtitles "
        "file, or a folder of them (with -o OUT/)",
    )
    option(
        "--model",
        default=settings.model,
        metavar="M",
        help="bundled, a folder, or a name on the Hugging Face hub (default: %(default)s)",
    )
    option("--revision", metavar="R", help="branch, tag or commit of a hub checkpoint")
    option(
        "--length",
        choices=LENGTH_WORDS,
        default=DEFAULT_LENGTH,
        help="about "
        + ", ".join(f"{w} ({n})" for n, w in LENGTH_WORDS.items())
        + " words for the whole document (default: %(default)s)",
    )
    option(
        "--num-beams",
        type=int,
        default=DEFAULT_BEAMS,
        metavar="N",
        help=f"hypotheses searched, 1 to {MAX_BEAMS}: more is slower (default: %(default)s)",
    )
    option(
        "--max-new-tokens",
        type=int,
        metavar="N",
        help="most tokens written per section (default: from --length)",
    )
    option(
        "--max-input-tokens",
        type=int,
        metavar="N",
        help="tokens read in one pass (default: the model's window)",
    )
    option(
        "--pages",
        default="",
        metavar="1-5,9",
        help="only these pages, counted from the first (default: all)",
    )
    option(
        "--sections",
        default="",
        metavar="1,3-4",
        help='only these sections, by number or by title ("Methods; Results")',
    )
    option("--list-sections", action="store_true", help="show the numbered sections, and stop")
    option(
        "--include-references",
        action="store_true",
        help="read the list of references too (default: left out, and said)",
    )
    option(
        "--ocr",
        action="store_true",
        help='read the pictures of text on scanned pages (needs pip install ".[ocr]"; slow)',
    )
    option("--password", metavar="TEXT", help="opens a protected PDF")
    option(
        "--format",
        choices=EXPORT_FORMATS,
        help="default: what the name after -o ends with, else md; docx only with -o",
    )
    option(
        "-o",
        "--output",
        metavar="PATH",
        help="write to a file, not to stdout; into a folder (OUT/) a file for each document, "
        "and those that are there already are not made again",
    )
    option(
        "--device",
        default=settings.device,
        metavar="D",
        help="auto, cpu, cuda, cuda:1 or mps (default: %(default)s)",
    )
    option(
        "--dtype",
        default=settings.dtype,
        metavar="T",
        help="auto, float32, bfloat16, float16 or int8 (default: %(default)s)",
    )


def _add_extract(commands: Any) -> None:
    add = commands.add_parser("extract", help="print the text of a document, page by page")
    add.set_defaults(run=run_extract)
    add.add_argument(
        "file",
        metavar="FILE",
        help="a PDF, Word, OpenDocument, PowerPoint, EPUB, HTML, Markdown, text or subtitles file",
    )
    add.add_argument("--ocr", action="store_true", help="read the text of scanned pages (slow)")
    add.add_argument("--password", metavar="TEXT", help="opens a protected PDF")
    add.add_argument("--format", choices=("txt", "json"), default="txt", help="default: txt")


def run_summarize(chosen: argparse.Namespace) -> int:
    """Read each file, then summarize it; a file that fails does not stop the others."""
    options = Options(
        length=chosen.length,
        num_beams=chosen.num_beams,
        max_new_tokens=chosen.max_new_tokens,
        pages=chosen.pages,
        max_input_tokens=chosen.max_input_tokens,
        include_references=chosen.include_references,
        sections=chosen.sections,
    )
    options.check()
    if chosen.list_sections and chosen.output is not None:
        raise BadOption("--list-sections shows the sections and writes nothing: leave -o out.")
    chosen.is_folder = _is_folder(chosen.output)
    chosen.output = None if chosen.output is None else Path(chosen.output)
    chosen.format = chosen.format or _format_of(None if chosen.is_folder else chosen.output)
    with _stop_on_interrupt() as stop:
        run = Run(chosen, options, ProgressLine(sys.stderr, moves_cursor()), stop)
        if chosen.list_sections:
            return run.sections()
        if chosen.is_folder or any(map(os.path.isdir, chosen.files)):
            return run.folder()
        return run.files()


@dataclass
class Run:
    """One `summarize` command."""

    chosen: argparse.Namespace
    options: Options
    progress: ProgressLine
    stop: threading.Event
    summarizer: Any = None

    def files(self) -> int:
        """Each file to stdout or to one file, as it streams where the format allows."""
        chosen = self.chosen
        if chosen.format == "docx" and (chosen.output is None or len(chosen.files) > 1):
            raise BadOption("A Word file needs a place and one document: add -o PATH.docx.")
        if chosen.format == "html" and len(chosen.files) > 1:
            raise BadOption("A web page holds one summary: add -o OUT/ for a page per document.")
        if chosen.output is not None and any(_is_same(p, chosen.output) for p in chosen.files):
            raise BadOption(f"{chosen.output} is the document itself: choose another -o.")
        failed = 0
        with _output(chosen.output) as out:
            for path in chosen.files:
                try:
                    self._one(path, out)
                except Cancelled:
                    raise
                except AppError as error:
                    self.progress.clear()
                    if len(chosen.files) == 1:
                        raise
                    print(error, file=sys.stderr)
                    failed += 1
        return 1 if failed else 0

    def sections(self) -> int:
        """What the sections of each file are called, with their numbers, pages and words."""
        for path in self.chosen.files:
            document = self._read(path)
            print(f"{document.name}:")
            for number, section in enumerate(sections_of(document), 1):
                pages = range(section.pages[0], section.pages[1] + 1)
                where = places(pages, document.unit, document.labels)
                title = section.title or "(before the first heading)"
                print(f"{number:>4}  {where:15} {counted(section.words, 'word'):>13}  {title}")
            if not sections_of(document):
                print(f"  no sections are known: choose {document.unit}s with --pages.")
        return 0

    def _read(self, path: str) -> Document:
        return read(path, self.chosen.password, self.progress, self.stop, self.chosen.ocr)

    def _one(self, path: str, out: TextIO) -> None:
        from .runs.device_errors import translate_device_errors

        began = time.monotonic()
        document = self._read(path)
        read_s = time.monotonic() - began
        self.load().calibrate(self.options.num_beams)
        events = translate_device_errors(
            self.load().stream(document, self.options, stop_event=self.stop, read_s=read_s)
        )
        summary = show(events, self.chosen.format, document.name, out, self.progress)
        if summary.stopped:
            raise Cancelled("Stopped before the end.")

    def folder(self) -> int:
        """Every file of the folders into a folder of summaries, and a table of what was done."""
        chosen, out = self.chosen, self.chosen.output
        if out is None:
            raise BadOption("A folder of documents needs a folder for the summaries: add -o OUT/.")
        if not chosen.is_folder and not out.exists() and _format_of(out) == out.suffix[1:].lower():
            raise BadOption(f"{out} is named like a file: write {out}/ for a folder of summaries.")
        outcomes: list[Outcome] = []
        try:
            for outcome in run_batch(
                chosen.files,
                out,
                chosen.format,
                self._read,
                self.load,
                self.options,
                self.stop,
                self.progress.show,
                self.progress.turn_to,
            ):
                self.progress.clear()
                outcomes.append(outcome)
                print(f"{outcome.name}: {outcome.status}", file=sys.stderr)
        finally:
            self.progress.clear()
            if outcomes:
                print(table(outcomes))
        return 1 if any(outcome.failed for outcome in outcomes) else 0

    def load(self) -> Any:
        """The model, loaded at its first use."""
        if self.summarizer is None:
            from .summary.summarizer import Summarizer

            self.summarizer = Summarizer.load(
                self.chosen.model,
                revision=self.chosen.revision,
                device=self.chosen.device,
                dtype=self.chosen.dtype,
                on_progress=lambda done, total: self.progress.show(
                    Progress("loading", done, total)
                ),
            )
        return self.summarizer


def _is_folder(output: str | None) -> bool:
    """Whether it is one, or written like one."""
    return output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def _is_same(path: str, output: Path) -> bool:
    """Whether writing the output would take the place of a document."""
    with contextlib.suppress(OSError):
        return output.is_file() and os.path.samefile(path, output)
    return False


def _format_of(output: Path | None) -> str:
    suffix = output.suffix.lower().lstrip(".") if output is not None else ""
    return suffix if suffix in EXPORT_FORMATS else "md"


def show(
    events: Iterator[Any], fmt: str, name: str, out: TextIO, progress: ProgressLine
) -> Summary:
    """Print a run as it goes; returns its summary."""
    writer = SummaryWriter(out, fmt, name, dims_text()) if fmt in ("md", "txt") else None
    for event in events:
        if isinstance(event, Progress):
            # On one screen the summary itself shows how far the writing is.
            if event.stage != "decoding" or not (writer and out.isatty()):
                progress.show(event)
            continue
        if isinstance(event, Planned):
            progress.say(f"{describe_planned(event)}.")
        elif isinstance(event, Notice):
            progress.say(event.message)
        progress.clear()
        if writer is not None:
            writer.handle(event)
        if isinstance(event, Finished):
            _write(event.summary, fmt, out)
            return event.summary
    raise AppError("The run ended without a summary: start it again.")


def _write(summary: Summary, fmt: str, out: TextIO) -> None:
    if fmt == "docx":
        out.buffer.write(export_bytes(summary, fmt))
    elif fmt == "json":
        out.write(to_json_line(summary))
    elif fmt == "html":
        out.write(export_text(summary, fmt))
    out.flush()


def run_extract(chosen: argparse.Namespace) -> int:
    """Print the pages; exit code 0 if at least one has usable text."""
    progress = ProgressLine(sys.stderr, moves_cursor())
    with _stop_on_interrupt() as stop:
        document = read(chosen.file, chosen.password, progress, stop, chosen.ocr)
    if chosen.format == "json":
        found = {**document.to_dict(), "sections": listing(document)}
        print(json.dumps(found, ensure_ascii=False))
    else:
        for page in document.pages:
            print(f"[{document.unit} {page.label}: {page.status}]\n{page.text}\n")
        for warning in document.warnings:
            print(warning, file=sys.stderr)
    require_text(document)
    return 0


def run_compare(chosen: argparse.Namespace) -> int:
    """A table in Markdown: what both say of the same pages, and what only one does."""
    from .export.compare import comparison_to_markdown, read_summary

    print(comparison_to_markdown(*map(read_summary, chosen.files)), end="")
    return 0


def run_models(chosen: argparse.Namespace) -> int:
    """A table of the catalogue."""
    rows = [("NAME", "SIZE", "WINDOW", "LICENCE", "PRESENT", "")]
    rows += [
        (c.name, c.size, f"{c.window:,}", c.licence, "yes" if is_local(c) else "no", c.about)
        for c in CATALOGUE
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[5]]).rstrip())
    print("\nAny other LongT5 checkpoint works too: --model FOLDER or --model OWNER/NAME.")
    return 0


def read(
    path: str,
    password: str | None,
    progress: ProgressLine,
    stop: threading.Event,
    ocr: bool = False,
) -> Document:
    """A document from a path; asks for a password on a terminal, and only there."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        name = shown_name(Path(path).name)
        raise NotReadable(f"“{name}” is a pipe or a device; only files are read: save it as one.")
    for attempt in range(PASSWORD_TRIES + 1):
        try:
            return load_document(
                path,
                password=password,
                on_progress=lambda done, total: progress.show(Progress("reading", done, total)),
                stop_event=stop,
                ocr=ocr,
            )
        except (PasswordNeeded, WrongPassword) as error:
            progress.clear()
            if attempt == PASSWORD_TRIES or sys.stdin is None or not sys.stdin.isatty():
                raise
            print(error, file=sys.stderr)
            try:
                password = _asked_for_password()
            except EOFError:
                raise error from None
        finally:
            progress.clear()
    raise AssertionError("unreachable")


def _asked_for_password() -> str:
    """What is typed; a Ctrl-C, which elsewhere only asks the work to stop, ends the question."""
    if threading.current_thread() is not threading.main_thread():
        return getpass.getpass("Password: ")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass("Password: ")
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that appears under its name only when it is whole or stopped by hand; an
    error leaves what was there before, if anything was. A pipe or a device is written as it is."""
    if path is None or _is_stdout(path):
        yield sys.stdout
        return
    place = Path(os.path.realpath(path))  # a link stays, what it leads to is written
    is_file = place.is_file() or not place.exists()
    part = part_of(place) if is_file else path
    try:
        out = part.open("w", encoding="utf-8", errors="replace", newline="\n")
        if place.is_file():
            shutil.copymode(place, part)
    except OSError as error:
        raise unwritable(path, error) from error
    if not is_file:
        with out:
            yield out
        return
    try:
        with out:
            yield out
    except Cancelled:
        _put(part, place)
        raise
    except BaseException:
        if place.exists():
            part.unlink()
        else:
            _put(part, place)
        raise
    _put(part, place)


def _is_stdout(path: Path) -> bool:
    """Whether it is /dev/stdout or the like, whatever that leads to."""
    with contextlib.suppress(OSError):
        return sys.stdout is not None and os.path.samestat(path.stat(), os.fstat(1))
    return False


def _put(part: Path, path: Path) -> None:
    """In place of what was there, unless it is empty."""
    if part.stat().st_size:
        part.replace(path)
    else:
        part.unlink()


@contextlib.contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl-C ends the run with what there is; the second one at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _open_closed() -> None:
    """What the caller has closed leads nowhere: a file opened later would take its place."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    if sys.stderr is None:
        sys.stderr = os.fdopen(spare, "w")
    else:
        os.close(spare)


def _speak_utf8() -> None:
    for out in (sys.stdout, sys.stderr):
        if hasattr(out, "reconfigure"):
            out.reconfigure(encoding="utf-8", errors="replace")
