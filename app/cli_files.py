"""Files of the command line: documents read with a password prompt, an output that is complete."""

from __future__ import annotations

import contextlib
import getpass
import glob
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TextIO, cast

from .documents.characters import display_name
from .documents.limits import MAX_FILE_BYTES
from .documents.load import load_document
from .documents.model import Document
from .errors import BadOption, Cancelled, NotReadable, PasswordNeeded, WrongPassword
from .events import Progress
from .files import cannot_write, temporary_path
from .runs.stop import StopSignal
from .settings import STDIN_NAME
from .terminal import ProgressLine

PASSWORD_ATTEMPTS = 3
STDIN = "-"  # in the place of a file


@contextlib.contextmanager
def stdin_as_file(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield paths with `-` replaced by a file that holds what stdin holds. Raises BadOption."""
    if STDIN not in paths:
        yield list(paths)
        return
    if sys.stdin is None:
        raise BadOption(f"Stdin is closed, so {STDIN} has nothing to read: name a file.")
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if os.name == "nt" else "Ctrl-D"
        print(f"Type or paste a text; end it with {end} on a line of its own.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        copy, stdin = Path(folder) / STDIN_NAME, cast(BufferedReader, sys.stdin.buffer)
        with copy.open("wb") as file:
            # A little over the limit, so that its reader refuses what is longer.
            while (room := MAX_FILE_BYTES + 2**20 - file.tell()) > 0:
                # Not read(), after which a person would have to type the end twice.
                part = stdin.read1(min(room, 2**16))
                if not part:
                    break
                file.write(part)
        yield [str(copy) if path == STDIN else path for path in paths]


def expand_wildcards(paths: Sequence[str]) -> list[str]:
    """Return paths with `reports\\*.pdf` replaced by the files it stands for, as the shells of
    Windows leave it to programs. Raises BadOption where it stands for none."""
    found: list[str] = []
    for path in paths:
        is_pattern = glob.has_magic(path) and not os.path.exists(path)
        matches = sorted(glob.glob(path)) if is_pattern else [path]
        if not matches:
            raise BadOption(f"No file matches {path}: check the folder and the spelling.")
        found += matches
    return found


def read_document(
    path: str,
    password: str | None,
    progress: ProgressLine,
    stop: StopSignal,
    ocr: bool = False,
) -> Document:
    """Return the document in a file; prompt for a missing password where stdin is a terminal."""
    if path.startswith(("https://", "http://")) and not os.path.exists(path):
        raise NotReadable(f"{path} is an address, and nothing is fetched: download the file first.")
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        name = display_name(Path(path).name)
        raise NotReadable(
            f"“{name}” is a pipe or a device: save it as a file, or pass it to stdin as {STDIN}."
        )
    for attempt in range(PASSWORD_ATTEMPTS + 1):
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
            if attempt == PASSWORD_ATTEMPTS or sys.stdin is None or not sys.stdin.isatty():
                raise type(error)(f"{str(error).rstrip('.')} (--password TEXT).") from None
            print(error, file=sys.stderr)
            try:
                password = _prompt_password()
            except EOFError:
                raise error from None
        finally:
            progress.clear()
    raise AssertionError("unreachable")


def _prompt_password() -> str:
    """Return what is typed. Ctrl-C, which elsewhere only sets the stop signal, interrupts it."""
    if threading.current_thread() is not threading.main_thread():
        return getpass.getpass("Password: ")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass("Password: ")
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Open stdout, or a file that gets its name when it is complete or the person stopped it.

    After an error, an earlier file of that name stays. A pipe or device is written to directly.
    Raises BadOption when the file cannot be written.
    """
    if path is None or _is_stdout(path):
        yield sys.stdout
        return
    target = Path(os.path.realpath(path))  # replace what a link leads to, not the link
    is_file = target.is_file() or not target.exists()
    part = temporary_path(target) if is_file else path
    try:
        out = part.open("w", encoding="utf-8", errors="replace", newline="\n")
        if target.is_file():
            shutil.copymode(target, part)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not is_file:
        with out:
            yield out
        return
    try:
        with out:
            yield out
    except Cancelled:
        _replace_unless_empty(part, target)
        raise
    except BaseException:
        if target.exists():
            part.unlink()
        else:
            _replace_unless_empty(part, target)
        raise
    _replace_unless_empty(part, target)


def _is_stdout(path: Path) -> bool:
    """Return True for /dev/stdout and other names of the open stdout."""
    with contextlib.suppress(OSError):
        return sys.stdout is not None and os.path.samestat(path.stat(), os.fstat(1))
    return False


def _replace_unless_empty(part: Path, path: Path) -> None:
    if part.stat().st_size:
        part.replace(path)
    else:
        part.unlink()
