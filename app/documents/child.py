"""Reading in a child process that can be killed: its time and memory are limited."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .. import errors
from ..errors import AppError, Cancelled, NotReadable
from . import limits

LOOK_S = 0.05  # between two looks at the clock, the memory and the stop


def read_in_child(
    request: dict[str, Any],
    on_progress: Callable[[int, int], None] | None,
    stop_event: threading.Event | None,
) -> dict[str, Any]:
    """What the worker found; it dies with a stop, a limit or an error. The request names the
    `path`, the `name` to show, the `kind`, the `password` and whether to use `ocr`."""
    # -m finds `app` in the working folder, in a checkout as in an installed package.
    process = subprocess.Popen(
        command(),
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no black box on Windows
    )
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None and process.stdout is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, lines), daemon=True)
    listener.start()
    try:
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.close()
        except OSError as error:
            raise too_complex(request["name"]) from error
        return _follow(lines, request, usage_of(process.pid), on_progress, stop_event)
    finally:
        process.kill()
        process.wait()
        listener.join(5)
        process.stdout.close()


def command() -> list[str]:
    """What starts the worker; the request, and so the password, goes to its stdin only."""
    return [sys.executable, "-X", "utf8", "-m", f"{__package__}.worker"]


def usage_of(pid: int) -> Callable[[], tuple[int, float]]:
    """Tells the bytes of memory that a process holds and the seconds that it has computed;
    0 and infinite where that cannot be known."""
    try:
        import psutil

        process = psutil.Process(pid)
    except Exception:  # not installed here, or the process is gone already
        return lambda: (0, math.inf)

    def usage() -> tuple[int, float]:
        try:
            with process.oneshot():
                times = process.cpu_times()
                return int(process.memory_info().rss), times.user + times.system
        except psutil.Error:
            return 0, math.inf

    return usage


def _listen(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    # A child killed inside a character, or one that says what is no text, has nothing more to say.
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put(None)


def _follow(
    lines: queue.Queue[str | None],
    request: dict[str, Any],
    usage: Callable[[], tuple[int, float]],
    on_progress: Callable[[int, int], None] | None,
    stop_event: threading.Event | None,
) -> dict[str, Any]:
    name, started, looked = request["name"], time.monotonic(), 0.0
    allowed, held, computed = limits.BASE_SECONDS, 0, 0.0
    while True:
        if stop_event is not None and stop_event.is_set():
            raise Cancelled(f"Reading “{name}” was stopped: start again when you like.")
        now = time.monotonic()
        if now - looked >= LOOK_S:
            looked, (held, computed) = now, usage()
        # On a busy machine a sound file waits long; only what it computes says how complex it is.
        # The child limits its own memory where the system can; macOS and Windows cannot.
        waited = now - started
        if (
            min(waited, computed) > allowed
            or waited > allowed * limits.PATIENCE
            or held > limits.MEMORY_BYTES
        ):
            raise too_complex(name)
        try:
            line = lines.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if line is None:
            raise too_complex(name)
        try:
            message = json.loads(line)
        except ValueError:  # some library's own word on the way
            continue
        if "result" in message:
            return dict(message["result"])
        if "error" in message:
            kind = getattr(errors, message["error"], AppError)
            raise kind(message["message"])
        allowed = limits.seconds_for(message["total"], bool(request.get("ocr")))
        if on_progress is not None:
            on_progress(message["done"], message["total"])


def too_complex(name: str) -> NotReadable:
    """The sentence for a file that takes more time or memory than any sound one."""
    return NotReadable(f"“{name}” is too complex to read safely: print it to a new PDF first.")
