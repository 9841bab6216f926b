"""Reading in a child process that can be killed: its time and memory are limited."""

from __future__ import annotations

import contextlib
import math
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..errors import Cancelled, NotReadable
from . import limits
from .model import Extracted, OnProgress, ReadRequest
from .protocol import Failure, ReadProgress, decode_message, encode_message

KILLED = 9  # SIGKILL, which Windows does not name
CHILD_POLL_S = 0.05  # between two looks at the stop
USAGE_POLL_S = 0.25  # between two looks at the memory and the clock, which take some computing


def read_in_child(
    request: ReadRequest,
    on_progress: OnProgress | None,
    stop_event: threading.Event | None,
) -> Extracted:
    """Return what the child process extracts. It is killed at a stop, a limit or an error. Raises
    AppError."""
    # -m finds `app` in the working folder, in a checkout as in an installed package.
    process = subprocess.Popen(
        worker_command(),
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no black box on Windows
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None and process.stdout is not None
    listener = threading.Thread(target=_queue_lines, args=(process.stdout, lines), daemon=True)
    listener.start()
    try:
        try:
            process.stdin.write(encode_message(request))
            process.stdin.flush()  # open until the end: the child takes its closing for ours
        except OSError as error:
            raise ChildEnded from error
        return _await_result(lines, request, usage_of(process.pid), on_progress, stop_event)
    except ChildEnded as error:
        raise _why_it_ended(process, request.name) from error
    finally:
        process.kill()
        process.wait()
        listener.join(5)
        process.stdout.close()
        with contextlib.suppress(OSError):
            process.stdin.close()


class ChildEnded(Exception):
    """The child ended without a result."""


def _why_it_ended(process: subprocess.Popen[str], name: str) -> NotReadable:
    """Return the error for a child that ended by itself: it was killed, or its library crashed."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    # Nobody but the system kills it before this process does, and it does so for want of memory.
    if process.returncode == -KILLED:
        return limits.out_of_memory(name)
    return limits.too_complex(name)


def worker_command() -> list[str]:
    """Return the command that starts the worker; the request, with the password, goes to its
    stdin only."""
    return [sys.executable, "-X", "utf8", "-m", f"{__package__}.worker"]


def usage_of(pid: int) -> Callable[[], tuple[int, float]]:
    """Return a function that measures a process and those that it started: (bytes of memory,
    seconds of computing); (0, infinity) where these cannot be measured."""
    try:
        import psutil

        process = psutil.Process(pid)
    except Exception:  # not installed here, or the process is gone already
        return lambda: (0, math.inf)

    def usage() -> tuple[int, float]:
        try:
            memory, computed = 0, 0.0
            for own in (process, *process.children()):  # some of which may be gone already
                with contextlib.suppress(psutil.NoSuchProcess), own.oneshot():
                    times = own.cpu_times()
                    memory += own.memory_info().rss
                    computed += times.user + times.system
            return memory, computed if memory else math.inf
        except psutil.Error:
            return 0, math.inf

    return usage


def _queue_lines(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    """Put each line of a stream into the queue, then None."""
    # A child killed inside a character, or one that writes bytes that are not text, is at its end.
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put(None)


def _await_result(
    lines: queue.Queue[str | None],
    request: ReadRequest,
    usage: Callable[[], tuple[int, float]],
    on_progress: OnProgress | None,
    stop_event: threading.Event | None,
) -> Extracted:
    started, looked_at = time.monotonic(), 0.0
    allowed, memory, computed = limits.BASE_SECONDS, 0, 0.0
    while True:
        if stop_event is not None and stop_event.is_set():
            raise Cancelled(f"Reading “{request.name}” was stopped: start again when you like.")
        now = time.monotonic()
        if now - looked_at >= USAGE_POLL_S:
            looked_at, (memory, computed) = now, usage()
        # On a busy machine a sound file waits long: only computing time tells how complex it is.
        # The child limits its own memory where the system can; macOS and Windows cannot.
        waited = now - started
        if min(waited, computed) > allowed or memory > limits.MEMORY_BYTES:
            raise limits.too_complex(request.name)
        if waited > allowed * limits.WAITING_FACTOR:
            raise limits.too_busy(request.name)
        try:
            line = lines.get(timeout=CHILD_POLL_S)
        except queue.Empty:
            continue
        if line is None:
            raise ChildEnded
        try:
            message = decode_message(line)
        except ValueError:  # printed by a library
            continue
        if isinstance(message, Extracted):
            return message
        if isinstance(message, Failure):
            raise message.exception()
        if isinstance(message, ReadProgress):
            allowed = limits.reading_seconds(message.total, request.ocr)
            if on_progress is not None:
                on_progress(message.done, message.total)
