"""The command line: summarize, extract, corpus, compare, models, open, serve, completion."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from .arguments import (
    Parser,
    add_decoding_options,
    add_device_options,
    add_model_options,
    add_search_options,
    add_verbose_option,
    add_version_option,
    set_log_level,
)
from .cli_files import read_document, stdin_as_file
from .completion import SHELLS
from .documents.headings import list_sections
from .documents.load import require_text
from .errors import AppError, BadOption
from .export.formats import EXPORT_FORMATS
from .export.style import LinkStyle
from .optional_packages import install_command
from .runs.batch import describe_unexpected
from .runs.stop import StopSignal
from .scale.command import CorpusRunner, add_corpus_command
from .settings import (
    APP_NAME,
    PROGRAM,
    READABLE_KINDS,
    Settings,
    moves_cursor,
)
from .summarize_command import SummarizeCommand, SummarizeRunner
from .summary.models import CATALOGUE, is_downloaded
from .terminal import ProgressLine

HOW_TO_COMPLETE = (
    f'for bash: eval "$({APP_NAME} completion bash)" in ~/.bashrc; for zsh: > '
    f"~/.zfunc/_{APP_NAME}; for fish: > ~/.config/fish/completions/{APP_NAME}.fish"
)
EXAMPLES = f"""examples:
  {PROGRAM} summarize report.pdf
  {PROGRAM} summarize report.pdf --length short --format json -o report.json
  {PROGRAM} extract report.pdf --format json
  {PROGRAM} open report.pdf
  {PROGRAM} serve --port 7860
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 after printing one sentence to stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_standard_streams()
    _use_utf8()
    try:
        try:
            return _run_command(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # at exit it would be too late to report a full disk
    except AppError as error:
        _print_error(str(error))
    except BrokenPipeError:  # the reader of a pipe is gone
        sys.stdout = None  # type: ignore[assignment]
    except OSError as error:
        sys.stdout = None  # type: ignore[assignment]
        reason = (error.strerror or "unknown reason").lower()
        _print_error(
            f"The output cannot be written ({reason}): free some space, or write elsewhere."
        )
    except KeyboardInterrupt:
        _print_error("Stopped.")
    except Exception as error:
        _print_error(describe_unexpected(error))
    return 1


def _run_command(arguments: list[str]) -> int:
    flags = [*takewhile(lambda word: word in ("-v", "--verbose"), arguments)]
    words = arguments[len(flags) :]
    if words and words[0] in ("serve", "open"):  # which have a parser of their own
        shown = ["--open"] if words[0] == "open" else []
        return _serve([*flags, *shown, *words[1:]])
    parser = build_parser()
    if not arguments:
        parser.print_help(sys.stderr)
        return 1
    if os.path.exists(arguments[0]) and arguments[0] not in _commands_of(parser):
        file = shlex.quote(arguments[0])
        raise BadOption(f"Name a command before the file: {PROGRAM} summarize {file}.")
    chosen = parser.parse_args(arguments)
    set_log_level(chosen)
    if sys.stdout is None and not getattr(chosen, "output", None):
        raise BadOption("Stdout is closed, so nobody would see the result: leave it open.")
    return int(chosen.run(chosen))


def _serve(arguments: list[str]) -> int:
    from .ui.launch import main as serve

    return serve(arguments)


def _print_error(sentence: str) -> None:
    print(f"\r{sentence}" if sys.stderr.isatty() else sentence, file=sys.stderr)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; defaults come from the settings."""
    parser = Parser(
        prog=PROGRAM,
        description="Summarize long documents on this machine with LongT5.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version_option(parser)
    add_verbose_option(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_summarize(commands)
    _add_extract(commands)
    add_corpus_command(commands, run_corpus)
    compare = commands.add_parser("compare", help="two summaries of one document side by side")
    compare.set_defaults(run=run_compare)
    compare.add_argument(
        "files",
        nargs=2,
        type=Path,
        metavar="JSON",
        help="made with summarize --format json -o JSON",
    )
    add_verbose_option(compare)
    models = commands.add_parser("models", help="list the checkpoints offered by name")
    models.set_defaults(run=run_models)
    add_verbose_option(models)
    commands.add_parser("serve", help="start the page", add_help=False)
    commands.add_parser("open", help="open files in the page, in the browser", add_help=False)
    completion = commands.add_parser("completion", help="print a script for completion in a shell")
    completion.set_defaults(run=run_completion)
    completion.add_argument("shell", choices=SHELLS, help=HOW_TO_COMPLETE)
    return parser


def _commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command by its name."""
    actions = parser._actions
    (commands,) = (each for each in actions if isinstance(each, argparse._SubParsersAction))
    return commands.choices


def _add_summarize(commands: Any) -> None:
    settings = Settings()  # no environment variable changes these defaults
    parser = commands.add_parser("summarize", help="summarize documents")
    parser.set_defaults(run=run_summarize)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=f"{READABLE_KINDS}, or a folder of such files (with -o OUT/); - for stdin",
    )
    add_model_options(parser, settings)
    add_search_options(parser)
    _add_document_options(parser)
    _add_output_options(parser)
    add_device_options(parser, settings)
    add_verbose_option(parser)
    add_decoding_options(parser)


def _add_document_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
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
    option("--list-sections", action="store_true", help="list the numbered sections and exit")
    option(
        "--include-references",
        action="store_true",
        help="read the list of references too (default: left out, with a note)",
    )
    option(
        "--ocr",
        action="store_true",
        help="read the text of scanned pages, and pictures in folders, by OCR (needs "
        f"{install_command('ocr')}; slow)",
    )
    option("--password", metavar="TEXT", help="opens a protected PDF")


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "--format",
        choices=(*EXPORT_FORMATS, "pdf"),
        help="default: the suffix of the -o name, else md; docx only with -o; pdf is the document "
        "with its cited passages highlighted",
    )
    option("--bullets", action="store_true", help="write the sentences as a list")
    option(
        "--links",
        choices=[style.value for style in LinkStyle],
        help="how citations of a PDF lead to its pages in Markdown and HTML: report.pdf#page=11, "
        "or as Obsidian writes it (default: pages with -o, else none)",
    )
    option(
        "--summary-page",
        action="store_true",
        help="put the summary before the document, with links, in --format pdf",
    )
    option(
        "--front-matter",
        action="store_true",
        help="begin Markdown with a YAML block: title, source, model, date",
    )
    option(
        "-o",
        "--output",
        metavar="PATH",
        help="write to a file instead of stdout; into a folder (OUT/), write a file per document "
        "and skip those that exist",
    )


def _add_extract(commands: Any) -> None:
    parser = commands.add_parser("extract", help="print the text of a document, page by page")
    parser.set_defaults(run=run_extract)
    option = parser.add_argument
    option(
        "file",
        metavar="FILE",
        help=f"{READABLE_KINDS}; - for stdin",
    )
    option("--ocr", action="store_true", help="read the text of scanned pages by OCR (slow)")
    option("--password", metavar="TEXT", help="opens a protected PDF")
    option("--format", choices=("txt", "json"), default="txt", help="default: txt")
    add_verbose_option(parser)


def run_summarize(chosen: argparse.Namespace) -> int:
    """Summarize each file; one that fails does not stop the others."""
    with stdin_as_file(chosen.files) as chosen.files:
        command = SummarizeCommand.from_arguments(chosen)
        return _summarize(command)


def _summarize(command: SummarizeCommand) -> int:
    with _stop_on_interrupt() as stop:
        progress = ProgressLine(sys.stderr, moves_cursor())
        return SummarizeRunner(command, progress, stop).run()


def run_extract(chosen: argparse.Namespace) -> int:
    """Print the pages of a document; return 0 if at least one has usable text."""
    progress = ProgressLine(sys.stderr, moves_cursor())
    if os.path.isdir(chosen.file):
        raise BadOption(f"{chosen.file} is a folder: name one file in it.")
    with stdin_as_file([chosen.file]) as (path,), _stop_on_interrupt() as stop:
        document = read_document(path, chosen.password, progress, stop, chosen.ocr)
    if chosen.format == "json":
        found = {**document.to_dict(), "sections": list_sections(document)}
        print(json.dumps(found, ensure_ascii=False))
    else:
        for page in document.pages:
            print(f"[{document.unit} {page.label}: {page.status}]\n{page.text}\n")
        for warning in document.warnings:
            print(warning, file=sys.stderr)
    require_text(document)
    return 0


def run_corpus(chosen: argparse.Namespace) -> int:
    """Summarize a corpus with Ray; return 0 if every document has a summary."""
    runner = CorpusRunner.from_arguments(chosen, moves_cursor())
    with _stop_on_interrupt() as stop:
        return runner.run(stop)


def run_compare(chosen: argparse.Namespace) -> int:
    """Print a Markdown table of two summaries, with the sentences that only one has in bold."""
    from .export.compare import comparison_to_markdown, read_summary

    print(comparison_to_markdown(*map(read_summary, chosen.files)), end="")
    return 0


def run_models(chosen: argparse.Namespace) -> int:
    """Print a table of the checkpoints that have names."""
    rows = [("NAME", "SIZE", "WINDOW", "LICENCE", "PRESENT", "")]
    rows += [
        (c.name, c.size, f"{c.window:,}", c.licence, "yes" if is_downloaded(c) else "no", c.about)
        for c in CATALOGUE
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[5]]).rstrip())
    print("\nAny other LongT5 checkpoint works too: --model FOLDER or --model OWNER/NAME.")
    return 0


def run_completion(chosen: argparse.Namespace) -> int:
    """Print the script that completes the installed command in a shell."""
    from .completion import completion_script
    from .ui.launch import build_serve_parser

    parser = build_parser()
    for name in ("serve", "open"):
        _commands_of(parser)[name] = build_serve_parser(Settings())
    print(completion_script(parser, chosen.shell, APP_NAME), end="")
    return 0


@contextlib.contextmanager
def _stop_on_interrupt() -> Iterator[StopSignal]:
    """Set the stop signal at the first Ctrl-C; at the second one, interrupt at once."""
    stop = StopSignal()
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


def _open_standard_streams() -> None:
    """Open closed standard streams on the null device: a file opened later would replace them."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    if sys.stderr is None:
        sys.stderr = os.fdopen(spare, "w")
    else:
        os.close(spare)


def _use_utf8() -> None:
    for out in (sys.stdout, sys.stderr):
        if hasattr(out, "reconfigure"):
            out.reconfigure(encoding="utf-8", errors="replace")
