"""Counts and page numbers as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import bidirectional

# The stages of a run, as the page and the terminal name them.
STAGE_LABELS = {
    "waiting": "Waiting",
    "reading": "Reading",
    "downloading": "Downloading the model",
    "loading": "Loading the model",
    "encoding": "Analyzing",
    "decoding": "Writing",
    "done": "Done",
    "stopped": "Stopped",
}


def counted(count: int, noun: str) -> str:
    """Return `1 word` or `2,310 words`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def isolated(name: str) -> str:
    """Return a name that, written from the right, does not reorder the numbers after it."""
    is_turned = any(bidirectional(letter) in ("R", "AL", "AN") for letter in name)
    return f"\u2068{name}\u2069" if is_turned else name


def ranges(numbers: Iterable[int], labels: Sequence[str] = ()) -> str:
    """Return "1-3, 7" for [1, 2, 3, 7], or with the printed labels of all pages "i-iii, 4"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    names = [[_name(n, labels) for n in run] for run in runs]
    return ", ".join(page_span(first, last) for first, last in names)


def page_span(first: str, last: str) -> str:
    """Return `3`, `3-7`, `A-1–A-7` with a dash where the labels contain hyphens, or `iv to 2`
    where the numbers are of two kinds."""
    if first == last:
        return first
    if first.isalpha() != last.isalpha():
        return f"{first} to {last}"
    return f"{first}{'–' if '-' in first + last else '-'}{last}"


def _name(number: int, labels: Sequence[str]) -> str:
    """Return the label of a page, with its number when a later page has the same label."""
    if not labels:
        return str(number)
    label = labels[number - 1]
    return f"{label} [{number} of the file]" if label in labels[number:] else label


def joined(names: Sequence[str]) -> str:
    """Return `a`, `a and b` or `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def places(numbers: Sequence[int], unit: str = "page", labels: Sequence[str] = ()) -> str:
    """Return `page 4` or `pages iv-vi, 9`."""
    return f"{unit}{'' if len(numbers) == 1 else 's'} {ranges(numbers, labels)}"


def capital(text: str) -> str:
    """Return the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
