"""Failures that a person can act on, and optional libraries that are missing."""

from __future__ import annotations

from importlib.util import find_spec


class UserError(Exception):
    """`str(error)` says what happened and what to do next; it is shown without a traceback."""


def require(extra: str, *modules: str) -> None:
    """Raises UserError with the pip command when one of these modules is not installed."""
    missing = [name.replace("_", "-") for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f'This needs {" and ".join(missing)}: run pip install ".[{extra}]" (or pip install '
            f"{' '.join(missing)}), then try again."
        )


def positive(text: str) -> int:
    """A whole number of 1 or more, as a type of argparse. Raises ValueError."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def reason(error: Exception) -> str:
    """What an exception says, on one line and without a full stop."""
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
