"""The C++ compiler and the source of the kernels."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("native.cpp")
HEADERS = (SOURCE.with_name("team.h"),)
# Pairs of bfloat16 are read as one number, hence no strict aliasing.
FLAGS = ["-std=c++17", "-O3", "-fopenmp", "-pthread", "-fPIC", "-fno-strict-aliasing"]
COMPILE_TIMEOUT_SECONDS = 300  # compiling takes seconds, much longer on a busy machine


def find_compiler() -> str | None:
    """Return the path of g++ or clang++, None where there is neither."""
    return shutil.which("g++") or shutil.which("clang++")


def source_texts() -> list[str]:
    """Return the texts of the kernels' source files."""
    return [path.read_text("utf-8") for path in (SOURCE, *HEADERS)]


def compile_library(compiler: str, flags: Sequence[str], path: Path) -> None:
    """Compile under a temporary name first, so that no process loads a half-written file."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        _compile([compiler, *flags, "-shared"], made)
        made.replace(path)


def compile_object(compiler: str, flags: Sequence[str], path: Path) -> None:
    """Compile without linking."""
    _compile([compiler, *flags, "-c"], path)


def _compile(command: Sequence[str], path: Path) -> None:
    subprocess.run(
        [*command, str(SOURCE), "-o", str(path)],
        check=True,
        capture_output=True,
        timeout=COMPILE_TIMEOUT_SECONDS,
    )
