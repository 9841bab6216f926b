"""Call a module in a child process: a JSON request on stdin, text on stdout, within limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import limits
from .parent_watch import be_killed_with_parent


def call_in_child(module: str, request: object, timeout_s: float) -> str:
    """Return what the `main` of a module prints in a process of its own.

    Raises subprocess.SubprocessError when it fails or takes longer, and OSError.
    """
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-m", module],
        input=json.dumps(request),
        cwd=Path(__file__).resolve().parents[2],  # where -m finds this package
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        check=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no black box on Windows
    )
    return done.stdout


def receive_call(seconds: float) -> Any:
    """Return the request, in the child process, and limit its memory and computing time."""
    request = json.loads(sys.stdin.read())
    be_killed_with_parent()
    limits.limit_memory()
    limits.limit_computing(seconds)
    return request
