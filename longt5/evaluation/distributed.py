"""Score systems on Ray: batches of documents go to workers that hold the checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from ..errors import UserError
from ..training.corpus import Record
from .baselines import BASELINES
from .checkpoints import Checkpoint, InputSettings
from .ray_session import ray_session, stream_items
from .report import Scores, score_systems

LOCAL = "local"  # an address: Ray is started on this machine
Scored = tuple[list[dict[str, Scores]], list[dict[str, str]]]


@dataclass(frozen=True)
class SystemSettings:
    """Systems by name: baselines, and checkpoints with the settings to load them.

    The revision is that of the first one.
    """

    names: tuple[str, ...]
    inputs: InputSettings
    options: Mapping[str, Any]
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"

    def load(self) -> dict[str, Checkpoint | Callable[[Record, int], str]]:
        """Return the systems by name, in order. Raises UserError."""
        return {name: BASELINES.get(name) or self._load(name) for name in self.names}

    def _load(self, name: str) -> Checkpoint:
        revision = self.revision if name == self.names[0] else None
        return Checkpoint.load(
            name,
            self.inputs,
            self.options,
            revision=revision,
            device=self.device,
            dtype=self.dtype,
        )


@dataclass(frozen=True)
class ScoredBatch:
    """The scores and summaries of a batch, or why there are none; where it was computed."""

    number: int
    scores: Sequence[dict[str, Scores]] = ()
    summaries: Sequence[dict[str, str]] = ()
    machine: str = ""
    settings: Mapping[str, Any] | None = None
    error: str = ""


class BatchScorer:
    """Holds the systems, and scores them on batches of records."""

    def __init__(self, settings: SystemSettings, lsum: str) -> None:
        self.lsum, self.error = lsum, ""
        try:
            self.systems = settings.load()
        except UserError as error:
            self.error = str(error)

    def __call__(self, batch: tuple[int, Sequence[Record]]) -> ScoredBatch:
        """Return the scores of a batch, given with its number."""
        number, records = batch
        if self.error:
            return ScoredBatch(number, error=self.error)
        try:
            scores, summaries = score_systems(records, self.systems, len(records), self.lsum)
        except UserError as error:
            return ScoredBatch(number, error=str(error))
        return ScoredBatch(number, scores, summaries, *self._description())

    def _description(self) -> tuple[str, dict[str, Any]]:
        from ..roofline import machine_name

        found = {n: s for n, s in self.systems.items() if isinstance(s, Checkpoint)}
        return machine_name(next(iter(found.values())).model.device), {
            name: checkpoint.settings for name, checkpoint in found.items()
        }


def score_on_ray(
    records: Sequence[Record],
    settings: SystemSettings,
    batch_size: int,
    lsum: str,
    address: str,
    workers: int | None = None,
) -> tuple[Scored, str, Mapping[str, Any]]:
    """Return ((scores, summaries), machine, settings), as one process would compute them.

    Batches are those of :func:`longt5.evaluation.report.score_systems`. Raises UserError.
    """
    starts = range(0, len(records), batch_size)
    batches = [(n, records[at : at + batch_size]) for n, at in enumerate(starts)]
    use_gpus = settings.device.partition(":")[0] in ("auto", "cuda")
    done: dict[int, ScoredBatch] = {}
    cluster = None if address == LOCAL else address
    with (
        ray_session(cluster, workers, use_gpus) as layout,
        tqdm(total=len(records), unit="doc", disable=None) as bar,
    ):
        for batch in stream_items(batches, [], BatchScorer, (settings, lsum), layout):
            if batch.error:
                raise UserError(batch.error)
            done[batch.number] = batch
            bar.update(len(batch.scores))
    ordered = [done[number] for number, _ in batches]
    machines = sorted({batch.machine for batch in ordered})
    scores = [row for batch in ordered for row in batch.scores]
    summaries = [row for batch in ordered for row in batch.summaries]
    return (scores, summaries), "; ".join(machines), ordered[0].settings or {}
