"""Counts and pages as people say them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def counted(count: int, noun: str) -> str:
    """`1 word` or `2,310 words`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ranges(numbers: Iterable[int], labels: Sequence[str] = ()) -> str:
    """[1, 2, 3, 7] -> "1-3, 7"; as it is printed where the labels of all pages are given:
    "i-iii, 4"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    names = [[_name(n, labels) for n in run] for run in runs]
    return ", ".join(span(first, last) for first, last in names)


def span(first: str, last: str) -> str:
    """`3`, `3-7` or, where a hyphen would be taken for one of theirs, `A-1–A-7`."""
    if first == last:
        return first
    return f"{first}{'–' if '-' in first + last else '-'}{last}"


def _name(number: int, labels: Sequence[str]) -> str:
    """What is printed on a page; where it is printed on a later one too, its number as well."""
    if not labels:
        return str(number)
    label = labels[number - 1]
    return f"{label} [{number} of the file]" if label in labels[number:] else label


def places(numbers: Sequence[int], unit: str = "page", labels: Sequence[str] = ()) -> str:
    """`page 4` or `pages iv-vi, 9`."""
    return f"{unit}{'' if len(numbers) == 1 else 's'} {ranges(numbers, labels)}"


def capital(text: str) -> str:
    """A sentence's beginning, the rest as it is."""
    return text[:1].upper() + text[1:]
