"""Draw a table of `longt5/BENCHMARKS.md` as a picture, `assets/speed.png`.

    python -m tests.tools.make_speed_picture

The picture carries the figures that it was drawn from; a test compares them with the table.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "assets" / "speed.png"
SOURCE = ROOT / "longt5" / "BENCHMARKS.md"
MACHINE = "## AMD EPYC, Zen 5"  # the table below this heading is drawn
BASE_ROW = re.compile(
    r"^\| base \| ([\d,]+) \| (bf16|fp32) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d,.]+) \|",
    re.MULTILINE,
)
OURS, THEIRS, INK, PAPER = "#0f766e", "#8a94a6", "#1e293b", "#ffffff"
DASHES = {"bf16": "-", "fp32": "--"}
Rows = list[tuple[int, str, list[float], list[float]]]


def rows_of(benchmarks: str) -> Rows:
    """Return (tokens, dtype, encode seconds, step ms) of the base shape.

    Both costs are [this engine's, transformers'].
    """
    table = benchmarks[benchmarks.index(MACHINE) :].split("\n\n")[2]
    rows = []
    for tokens, dtype, *costs in BASE_ROW.findall(table):
        encode, their_encode, step, their_step = (float(cost.replace(",", "")) for cost in costs)
        length = int(tokens.replace(",", ""))
        rows.append((length, dtype, [encode, their_encode], [step, their_step]))
    return rows


def draw(rows: Rows, picture: Path) -> None:
    """Plot both costs by the length of the document, for this engine and for transformers."""
    figure = Figure(figsize=(11, 4.4), facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _panel(left, rows, 2, "Reading: seconds for the whole document", "{:.3g} s")
    _panel(right, rows, 3, "Writing: milliseconds for a step of 4 beams", "{:,.4g} ms")
    figure.savefig(picture, dpi=130, metadata={"Figures": json.dumps(rows), "Software": None})


def _panel(axis: Axes, rows: Rows, column: int, title: str, label: str) -> None:
    for dtype, dash in DASHES.items():
        of_dtype = [row for row in rows if row[1] == dtype]
        for who, (name, colour) in enumerate((("ours", OURS), ("transformers", THEIRS))):
            tokens = [row[0] for row in of_dtype]
            costs = [row[column][who] for row in of_dtype]
            axis.plot(tokens, costs, dash, color=colour, marker="o", markersize=4, linewidth=2)
            axis.annotate(
                f"{name} {dtype}, {label.format(costs[-1])}",
                (tokens[-1], costs[-1]),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=colour if who == 0 else INK,
                annotation_clip=False,
            )
    axis.set_title(title, loc="left", fontsize=11, color=INK)
    axis.set_xlabel("tokens", color=INK)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sorted({row[0] for row in rows}))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda tokens, _: f"{tokens:,.0f}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,g}"))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(rows_of(SOURCE.read_text(encoding="utf-8")), PICTURE)
