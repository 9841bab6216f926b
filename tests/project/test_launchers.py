"""Starters for a double click: they start what is installed, with the files that they are given."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from app.ui.launch import build_serve_parser
from tests.conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

LAUNCHERS = ROOT / "assets" / "launchers"
STUB = '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the starter for macOS in the place where it expects itself."""
    folder = tmp_path / "my project" / "assets" / "launchers"
    folder.mkdir(parents=True)
    starter = folder / "summarizer.command"
    starter.write_bytes((LAUNCHERS / starter.name).read_bytes())
    starter.chmod(0o755)
    return tmp_path / "my project"


def started(project: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / "assets" / "launchers" / "summarizer.command", *files],
        env={**os.environ, "PATH": f"{project / 'bin'}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def stub(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(STUB, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_the_starter_prefers_the_projects_own_environment(project: Path) -> None:
    done = started(project)
    assert done.returncode == 1 and "not installed" in done.stderr
    stub(project / "bin" / "longt5-summarizer")
    assert started(project, "a (1).pdf").stdout.split("\n")[1:4] == [
        "serve",
        "--desktop",
        "a (1).pdf",
    ]
    stub(project / ".venv" / "bin" / "python")
    _, page, option, file, _ = started(project, "a (1).pdf").stdout.split("\n")
    assert Path(page).resolve() == project / "app.py" and (option, file) == (
        "--desktop",
        "a (1).pdf",
    )


def test_the_menu_entry_starts_the_installed_command() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment, method-assign]
    entry.read(LAUNCHERS / "longt5-summarizer.desktop", encoding="utf-8")
    program, command, *options, files = entry["Desktop Entry"]["Exec"].split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert program in scripts and (command, files) == ("serve", "%F")
    assert build_serve_parser(Settings()).parse_args([*options, "a.pdf"]).desktop


def batch_commands() -> list[str]:
    lines = (LAUNCHERS / "summarizer.bat").read_text("utf-8").splitlines()
    return [line for line in lines if not line.startswith("rem")]


def test_the_batch_file_passes_files_on_outside_parentheses() -> None:
    lines = batch_commands()
    assert len([line for line in lines if line.endswith(" --desktop !files!")]) == 2
    # Inside parentheses a name such as a(1).pdf would end them.
    assert not any(re.search(r"[()]", line) for line in lines)
    labels = {line[1:] for line in lines if line.startswith(":")}
    assert labels == set(re.findall(r"goto (\w+)", "\n".join(lines)))


def test_the_batch_file_takes_no_dropped_name_for_a_command() -> None:
    """Explorer writes `cmd /c ""summarizer.bat" C:\\a&b.pdf"`: no quotes around the name."""
    lines = batch_commands()
    delayed = lines.index("setlocal EnableDelayedExpansion")
    # %...% is replaced before a line is read, !...! after: a name is never part of what is read.
    assert not any("%*" in line for line in lines[delayed:])
    # While !...! is replaced, % would lose the exclamation marks of a folder's name.
    assert not any("%~dp0" in line for line in lines[delayed:])
    # What Explorer wrote is cut as cmd cuts it: up to the batch file's quote, and the last quote.
    written = r'C:\Windows\system32\cmd.exe /c ""C:\my project\summarizer.bat" C:\a&b.pdf"'
    assert 'set "dropped=!cmdcmdline:*%~nx0"=!"' in lines
    assert 'set "files=!dropped:~0,-1!"' in lines
    assert written.partition('summarizer.bat"')[2][:-1] == r" C:\a&b.pdf"
    # Nor is what follows the sign run once the batch file is over.
    assert lines[-2:] == ["if defined explorer exit !code!", "exit /b !code!"]
