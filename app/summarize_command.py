"""The `summarize` command: documents to stdout, to one file, or a folder of summaries."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .arguments import search_options
from .cli_files import expand_wildcards, open_output, read_document
from .documents.headings import sections_of
from .documents.model import Document
from .errors import AppError, BadOption, Cancelled
from .events import Event, Finished, Notice, Planned, Progress, Summary
from .export.formats import EXPORT_FORMATS, STREAMED_WRITERS, export_bytes, export_text
from .export.json_object import to_json_line
from .export.style import FILE_STYLE, TERMINAL_STYLE, ExportStyle, LinkStyle
from .runs.batch import Outcome, OutcomeStatus, files_in, outcome_table, summarize_files
from .runs.stop import StopSignal
from .settings import READABLE_SUFFIXES, Settings, supports_dim_text
from .summary.options import Options
from .summary.plan import describe_planned
from .terminal import ProgressLine, SummaryWriter
from .wording import counted, places

_OTHER_SUFFIXES = {"markdown": "md", "text": "txt", "htm": "html"}

if TYPE_CHECKING:
    from .summary.summarizer import Summarizer


@dataclass(frozen=True)
class SummarizeCommand:
    """The checked arguments of one `summarize` command."""

    files: tuple[str, ...]
    options: Options
    output: Path | None
    is_output_folder: bool
    format: str
    model: str
    revision: str | None
    device: str
    dtype: str
    password: str | None
    ocr: bool
    list_sections: bool
    style: ExportStyle
    summary_page: bool

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> SummarizeCommand:
        """Return the command that parsed arguments describe. Raises BadOption."""
        options = search_options(arguments, pages=arguments.pages, sections=arguments.sections)
        if arguments.list_sections and arguments.output is not None:
            raise BadOption("--list-sections only prints the sections: leave -o out.")
        is_folder = _is_folder(arguments.output)
        output = None if arguments.output is None else Path(arguments.output)
        if output is not None and not is_folder and not arguments.format:
            _require_known_suffix(output)
        return cls(
            files=tuple(expand_wildcards(arguments.files)),
            options=options,
            output=output,
            is_output_folder=is_folder,
            format=arguments.format or _format_of(None if is_folder else output),
            model=arguments.model,
            revision=arguments.revision,
            device=arguments.device,
            dtype=arguments.dtype,
            password=arguments.password,
            ocr=arguments.ocr,
            list_sections=arguments.list_sections,
            style=_style_of(arguments),
            summary_page=arguments.summary_page,
        )


@dataclass
class SummarizeRunner:
    """Carries out one `summarize` command; the model is loaded when it is first needed."""

    command: SummarizeCommand
    progress: ProgressLine
    stop: StopSignal
    summarizer: Summarizer | None = None

    def run(self) -> int:
        """Run the command and return the exit code."""
        if self.command.list_sections:
            return self.print_sections()
        if self.command.is_output_folder or any(map(os.path.isdir, self.command.files)):
            return self.summarize_to_folder()
        return self.summarize_to_file()

    def summarize_to_file(self) -> int:
        """Write all summaries to stdout or one file, streaming where the format allows it."""
        command = self.command
        if command.format == "pdf":
            return self.highlight_pdf()
        if command.format == "docx" and (command.output is None or len(command.files) > 1):
            raise BadOption("A Word file needs a path and one document: add -o PATH.docx.")
        if command.format == "html" and len(command.files) > 1:
            raise BadOption("A web page holds one summary: add -o OUT/ for a page per document.")
        if command.output is not None and any(_is_same(p, command.output) for p in command.files):
            raise BadOption(f"{command.output} is the document itself: choose another -o.")
        failed = 0
        with open_output(command.output) as out:
            for path in command.files:
                try:
                    self._summarize(path, out)
                except Cancelled:
                    raise
                except AppError as error:
                    self.progress.clear()
                    if len(command.files) == 1:
                        raise
                    print(error, file=sys.stderr)
                    failed += 1
        return 1 if failed else 0

    def highlight_pdf(self) -> int:
        """Write a copy of one PDF with its cited passages highlighted."""
        from .export.pdf import ONLY_PDF, to_pdf

        command, (path, *others) = self.command, self.command.files
        if command.output is None or others:
            raise BadOption("A PDF needs a path and one document: add -o PATH.pdf.")
        if _is_same(path, command.output):
            raise BadOption(f"{command.output} is the document itself: choose another -o.")
        if not path.lower().endswith(".pdf"):
            raise BadOption(ONLY_PDF.format(name=Path(path).name))
        with open_output(command.output) as out:
            summary = self._summarize(path, out)
            out.buffer.write(to_pdf(summary, path, command.password or "", command.summary_page))
        return 0

    def summarize_to_folder(self) -> int:
        """Write a summary per document into a folder, then print a table of the outcomes."""
        command, out = self.command, self.command.output
        if command.format == "pdf":
            raise BadOption("PDFs with highlights are made one at a time: add -o PATH.pdf.")
        if out is None:
            raise BadOption("A folder of documents needs a folder for the summaries: add -o OUT/.")
        is_named_like_file = _format_of(out) == out.suffix[1:].lower()
        if not command.is_output_folder and not out.exists() and is_named_like_file:
            raise BadOption(f"{out} is named like a file: write {out}/ for a folder of summaries.")
        outcomes: list[Outcome] = []
        try:
            for outcome in summarize_files(
                command.files,
                out,
                command.format,
                self._read,
                self.load,
                command.options,
                self.stop,
                self.progress.show,
                self.progress.start_file,
                command.style,
                command.ocr,
            ):
                self.progress.clear()
                outcomes.append(outcome)
                print(f"{outcome.name}: {outcome.text}", file=sys.stderr)
        finally:
            self.progress.clear()
            if outcomes:
                print(outcome_table(outcomes))
            self._name_pictures(out)
        return 1 if any(o.status is OutcomeStatus.FAILED for o in outcomes) else 0

    def _name_pictures(self, out: Path) -> None:
        """Say how many pictures of the folders were left out."""
        files = self.command.files
        count = len(files_in(files, out, True)) - len(files_in(files, out, self.command.ocr))
        if count:
            print(f"Left out: {counted(count, 'picture')}; --ocr reads them too.", file=sys.stderr)

    def print_sections(self) -> int:
        """Print the sections of each file with their numbers, pages and words."""
        for path in self.command.files:
            document = self._read(path)
            print(f"{document.name}:")
            sections = sections_of(document)
            for number, section in enumerate(sections, 1):
                pages = range(section.pages[0], section.pages[1] + 1)
                where = places(pages, document.unit, document.labels)
                title = section.title or "(before the first heading)"
                print(f"{number:>4}  {where:15} {counted(section.words, 'word'):>13}  {title}")
            if not sections:
                print(f"  no sections were found: choose {document.unit}s with --pages.")
        return 0

    def load(self) -> Summarizer:
        """Return the model, downloading and loading it at the first call. Raises Cancelled."""
        if self.summarizer is None:
            from .runs.model_cache import ModelCache

            command = self.command
            settings = Settings(
                model=command.model,
                revision=command.revision,
                device=command.device,
                dtype=command.dtype,
            )
            loading = ModelCache(settings).loading(command.model, self.stop)
            try:
                while True:
                    self.progress.show(next(loading))
            except StopIteration as ended:
                self.summarizer = ended.value
            if self.summarizer is None:
                raise Cancelled("Stopped while the model was loaded.")
        return self.summarizer

    def _read(self, path: str) -> Document:
        command = self.command
        return read_document(path, command.password, self.progress, self.stop, command.ocr)

    def _summarize(self, path: str, out: TextIO) -> Summary:
        from .runs.device_errors import translate_device_errors

        began = time.monotonic()
        document = self._read(path)
        read_s = time.monotonic() - began
        summarizer, options = self.load(), self.command.options
        summarizer.calibrate(options.num_beams)
        events = translate_device_errors(
            summarizer.stream(document, options, stop_event=self.stop, read_s=read_s)
        )
        summary = print_run(
            events,
            self.command.format,
            document.name,
            out,
            self.progress,
            self.command.style,
        )
        if summary.stopped:
            raise Cancelled("Stopped before the end.")
        return summary


def _style_of(arguments: argparse.Namespace) -> ExportStyle:
    """Return the form of the export; what is printed has no links and footnotes by default."""
    style = TERMINAL_STYLE if arguments.output is None else FILE_STYLE
    links = style.links if arguments.links is None else LinkStyle(arguments.links)
    return replace(
        style, bullets=arguments.bullets, links=links, front_matter=arguments.front_matter
    )


def _is_folder(output: str | None) -> bool:
    """Return True for a folder, and for a name that ends like one."""
    return output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))


def _is_same(path: str, output: Path) -> bool:
    """Return True when writing the output would replace the document."""
    with contextlib.suppress(OSError):
        return output.is_file() and os.path.samefile(path, output)
    return False


def _format_of(output: Path | None) -> str:
    """Return the format that a file's name asks for, Markdown for one that asks for none."""
    suffix = output.suffix.lower().lstrip(".") if output is not None else ""
    suffix = _OTHER_SUFFIXES.get(suffix, suffix)
    return suffix if suffix in (*EXPORT_FORMATS, "pdf") else "md"


def _require_known_suffix(output: Path) -> None:
    """Raise BadOption for a name of another kind of document, which the file would not be."""
    known = {*EXPORT_FORMATS, *_OTHER_SUFFIXES, "pdf"}
    suffix = output.suffix.lower()
    if suffix in (*READABLE_SUFFIXES, ".doc") and suffix[1:] not in known:
        raise BadOption(
            f"No summary can be written as {suffix}: end the name with one of "
            f"{', '.join('.' + fmt for fmt in (*EXPORT_FORMATS, 'pdf'))}, or add --format."
        )


def print_run(
    events: Iterator[Event],
    fmt: str,
    name: str,
    out: TextIO,
    progress: ProgressLine,
    style: ExportStyle = FILE_STYLE,
) -> Summary:
    """Print the events of a run as they come; return its summary."""
    writer = None
    is_streamed = fmt in STREAMED_WRITERS and not style.front_matter
    if is_streamed:
        writer = SummaryWriter(out, fmt, name, supports_dim_text(), style)
    for event in events:
        if isinstance(event, Progress):
            # On one screen the summary itself shows how far the writing is.
            if event.stage != "decoding" or not (writer and out.isatty()):
                progress.show(event)
            continue
        if isinstance(event, Planned):
            progress.print_line(f"{describe_planned(event)}.")
        elif isinstance(event, Notice):
            progress.print_line(event.message)
        progress.clear()
        if writer is not None:
            writer.handle(event)
        if isinstance(event, Finished):
            if not is_streamed:
                _write_complete(event.summary, fmt, out, style)
            return event.summary
    raise AppError("The run ended without a summary: start it again.")


def _write_complete(summary: Summary, fmt: str, out: TextIO, style: ExportStyle) -> None:
    """Write a summary in a format that cannot be streamed."""
    if fmt == "docx":
        out.buffer.write(export_bytes(summary, fmt, style))
    elif fmt == "json":
        out.write(to_json_line(summary))
    elif fmt != "pdf":  # a copy of the document, which the summary does not hold
        out.write(export_text(summary, fmt, style))
    out.flush()
