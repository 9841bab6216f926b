"""Completion of the command line in a shell: scripts made by shtab from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")
FILE_METAVARS = ("FILE", "JSON", "PATH", "M")  # of arguments that name a file or a folder


def completion_script(parser: argparse.ArgumentParser, shell: str, program: str) -> str:
    """Return the script that completes `program`, whose command line `parser` reads."""
    import shtab

    parser.prog = program
    for action in _actions(parser):
        if action.metavar in FILE_METAVARS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
