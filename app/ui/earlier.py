"""Earlier summaries of a document in this browser, to be compared with the one that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..events import Summary
from ..export.compare import describe_summary
from ..runs.service import Service
from . import render

REMEMBERED = 12  # runs of one browser; a run's id is what opens it, so no one else's are here


class Earlier:
    """The finished summaries of runs, from memory or from their folders."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._finished: dict[str, list[Summary | None]] = {}

    @property
    def jobs(self) -> list[str]:
        """The runs that are in memory."""
        return list(self._finished)

    def remember(self, job_id: str, summaries: Sequence[Summary | None]) -> None:
        """A run has ended with these, one for each document; None where it failed."""
        self._finished[job_id] = list(summaries)
        while len(self._finished) > REMEMBERED * 4:
            del self._finished[next(iter(self._finished))]

    def forget(self, job_id: str) -> None:
        """Nothing is left of a run."""
        self._finished.pop(job_id, None)

    def summary(self, job_id: str) -> Summary | None:
        """The finished summary of a run, whole; None when it is of several documents."""
        found = self._finished.get(job_id)
        if found is None:
            folder = self._service.folder(job_id)
            found = folder.summaries() if folder else []
        first, *others = found or [None]
        return first if first and not first.stopped and not any(others) else None

    def offer(self, job_id: str, history: list[str] | None) -> tuple[list[str], Any, Any, str]:
        """After a run: the history with it, and updates of the folded comparison, its choices
        (earlier summaries of the same document, newest first) and its table."""
        history = [job for job in history or [] if job != job_id][: REMEMBERED - 1]
        shown = self.summary(job_id)
        choices = (
            []
            if shown is None
            else [
                (describe_summary(other), job)
                for job in history
                if (other := self.summary(job)) and _sha256(other) == _sha256(shown)
            ]
        )
        if job_id:
            history = [job_id, *history]
        box = gr.update(visible=bool(choices), open=False)
        return history, box, gr.update(choices=choices, value=None), ""

    def compare(self, job_id: str, other_id: str | None) -> str:
        """The shown summary beside an earlier one, as HTML."""
        one, two = self.summary(other_id or ""), self.summary(job_id)
        if not other_id:
            return ""
        if one is None or two is None:
            return render.notice("That summary is no longer kept.")
        return render.comparison(one, two)


def _sha256(summary: Summary) -> str:
    return str(summary.provenance.get("sha256"))
