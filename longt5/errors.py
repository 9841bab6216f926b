"""Errors that a person can act on, and checks for optional libraries."""

from __future__ import annotations

from importlib.util import find_spec


class UserError(Exception):
    """An error whose message says what happened and what to do next; shown without a traceback."""


class CheckpointWarning(UserWarning):
    """A checkpoint was loaded, with a reservation: a setting is not applied, a file is outdated."""


def require_modules(extra: str, *modules: str) -> None:
    """Raise UserError with the pip command when one of these modules is not installed."""
    missing = [name.replace("_", "-") for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f'This needs {" and ".join(missing)}: run pip install ".[{extra}]" (or pip install '
            f"{' '.join(missing)}), then try again."
        )


def positive(text: str) -> int:
    """Return a whole number of 1 or more, as a type of argparse. Raises ValueError."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def reason(error: Exception) -> str:
    """Return an exception's message on one line, without its full stop."""
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def first_line(error: Exception) -> str:
    """Return an exception's type and the first line of its message; compilers add pages."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:200].rstrip(" .:")
