"""The log of a run, a line per step in ``log.csv``, and its curves as a picture."""

from __future__ import annotations

import csv
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..checkpoint import replacing

LOG_COLUMNS = (
    "step",
    "stage",
    "loss",
    "lr",
    "norm",
    "tokens_per_s",
    "val_loss",
    "rouge1",
    "rouge2",
)


class Log:
    """``log.csv`` of a run; a resumed run drops the lines after the step it resumes from."""

    def __init__(self, path: Path, steps_done: int) -> None:
        self.path = path
        rows = [row for row in read_log(path) if int(row["step"]) <= steps_done]
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def add(self, **values: Any) -> None:
        """Append one step, with floats in full precision, so that two runs can be compared."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, LOG_COLUMNS).writerow(values)


def read_log(path: Path) -> list[dict[str, str]]:
    """Read the complete lines of a log, [] without one."""
    if not path.is_file():
        return []
    text = path.read_bytes().decode()
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def plot_curves(log: Path, picture: Path) -> str | None:
    """Plot loss and validation curves as a PNG; without matplotlib return a sentence saying so."""
    if find_spec("matplotlib") is None:
        return 'No picture of the curves without matplotlib: pip install ".[train]".'
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    losses, scores = figure.subplots(2, sharex=True)
    rows = read_log(log)
    for axis, name in (
        (losses, "loss"),
        (losses, "val_loss"),
        (scores, "rouge1"),
        (scores, "rouge2"),
    ):
        points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        axis.plot(
            [x for x, _ in points],
            [y for _, y in points],
            label=name,
            marker="" if name == "loss" else ".",
        )
    for axis, label in ((losses, "loss per target token"), (scores, "validation ROUGE F1")):
        axis.set_ylabel(label)
        axis.legend()
        axis.grid(alpha=0.3)
    scores.set_xlabel("step")
    figure.savefig(picture, dpi=120)
    return None
