"""Start the page as its users do, in a subprocess on a free port."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.documents.parent_watch import be_killed_with_parent

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(
    command: Sequence[str], log: list[str] | None = None, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that ends with the block; what it still prints then is added to `log`."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        # A test that is killed leaves no server behind, where the system can see to that.
        preexec_fn=be_killed_with_parent if sys.platform == "linux" else None,
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        if log is not None:
            log += process.stdout
        process.stdout.close()


@contextlib.contextmanager
def running_page(*options: str, log: list[str] | None = None, **environment: str) -> Iterator[str]:
    """Yield the URL of a page that runs until the block ends; its output is added to `log`."""
    command = [sys.executable, "app.py", "--port", str(free_port()), *options]
    with started(command, log, **environment) as process:
        url = address_of(process)
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        yield url


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the address that a page prints once it has started. Raises AssertionError."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Open "):
            return line.split()[1]
    raise AssertionError("the page did not start: " + "".join(said))
