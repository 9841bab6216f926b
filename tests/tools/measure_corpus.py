"""Measure the corpus: sentences, headings, reading and claims, with every mistake.

    python -m tests.tools.measure_corpus [PART...]

A figure above its floor by a hundredth or more is marked: raise the floor in
`tests/corpus/floors.py`.
"""

from __future__ import annotations

import argparse
import math
import sys

from tests.corpus.floors import FLOORS
from tests.corpus.measures import MEASURES, Figures


def rounded_down(value: float) -> float:
    """Return a figure cut to two digits."""
    return math.floor(value * 100 + 1e-9) / 100


def row(name: str, figure: str, value: float) -> str:
    """Return a line of the table: figure, value, floor and what to do about it."""
    floor = FLOORS.get(name, {}).get(figure)
    if floor is None:
        note = "no floor yet"
    elif value < floor:
        note = "below its floor"
    else:
        note = "raise the floor" if rounded_down(value) > floor else ""
    shown = "    " if floor is None else f"{floor:4.2f}"
    return f"{name:32} {figure:10} {value:5.3f} {shown} {note}".rstrip()


def show(name: str, figures: Figures, has_mistakes: bool) -> None:
    """Print the figures of one part of the corpus, and its mistakes."""
    for figure, value in figures.values.items():
        print(row(name, figure, value))
    for mistake in figures.mistakes if has_mistakes else ():
        print(f"    {mistake}")


def main(argv: list[str]) -> int:
    """Print the table; 1 when a figure is below its floor, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.measure_corpus")
    parser.add_argument("parts", nargs="*", help=", ".join(MEASURES))
    parser.add_argument("--quiet", action="store_true", help="figures only, no mistakes")
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="mistakes of the held-out half too",
    )
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.parts) - set(MEASURES):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; choose {', '.join(MEASURES)}")
    status = 0
    for part in chosen.parts or MEASURES:
        for name, figures in MEASURES[part]().items():
            has_mistakes = "held_out" not in name or chosen.held_out
            show(name, figures, has_mistakes and not chosen.quiet)
            floors = FLOORS.get(name, {})
            status |= any(value < floors.get(key, 0) for key, value in figures.values.items())
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
