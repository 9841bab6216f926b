"""Earlier summaries of the same document in this browser, for comparison with the latest one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ..events import SectionSummary, Summary
from ..export.compare import describe_summary
from ..runs.run_state import DocumentState
from ..runs.service import Service
from . import render

# Per browser: enough to choose from, few enough to read. The id of a run opens it, so the list
# is stored in the browser that started the runs and holds no other runs.
MAX_HISTORY = 12
MAX_CACHED_RUNS = 48  # for about four browsers; other runs are read from their folders


class SummaryHistory:
    """The finished summaries of runs, from memory or from the runs' folders."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._finished: dict[str, list[Summary | None]] = {}
        self._adding = threading.Lock()

    @property
    def job_ids(self) -> list[str]:
        """Return the ids of the runs that are in memory."""
        return list(self._finished)

    def remember(self, job_id: str, summaries: Sequence[Summary | None]) -> None:
        """Cache the summaries of a finished run, one per document; None where it failed."""
        self._finished[job_id] = list(summaries)
        while len(self._finished) > MAX_CACHED_RUNS:
            del self._finished[next(iter(self._finished))]

    def add_section(self, job_id: str, number: int, section: SectionSummary) -> None:
        """Add the summary of one section to document `number` (from 0) of a finished run."""
        with self._adding:
            found = list(self._of(job_id))
            summary = found[number] if number < len(found) else None
            if summary is None:  # deleted meanwhile
                return
            found[number] = summary.with_section(section)
            self.remember(job_id, found)
            folder = self._service.folder(job_id)
            if folder is not None:
                folder.end_document(number + 1, found[number])

    def restore(self, job_id: str, documents: Sequence[DocumentState]) -> None:
        """Set the summaries of a run that is shown again: sections were perhaps added to them."""
        for document, summary in zip(documents, self._of(job_id), strict=False):
            if document.summary is not None and summary is not None:
                document.summary = summary

    def forget(self, job_id: str) -> None:
        """Evict a run from the cache."""
        self._finished.pop(job_id, None)

    def summaries(self, job_id: str) -> list[Summary]:
        """Return the finished summaries of a run, [] for an unknown one."""
        return [summary for summary in self._of(job_id) if summary is not None]

    def all(self, job_id: str) -> Sequence[Summary | None]:
        """Return a summary for each document of a run, None where it failed."""
        return self._of(job_id)

    def at(self, job_id: str, number: int) -> Summary | None:
        """Return the summary of document `number` (from 0) of a run; None where it has none."""
        return dict(enumerate(self._of(job_id))).get(number)

    def _of(self, job_id: str) -> Sequence[Summary | None]:
        found = self._finished.get(job_id)
        if found is not None:
            return found
        folder = self._service.folder(job_id)
        return folder.summaries() if folder else []

    def summary(self, job_id: str) -> Summary | None:
        """Return the summary of a run of one document; None when stopped, failed or unknown."""
        first, *others = self._of(job_id) or [None]
        return first if first and not first.stopped and not any(others) else None

    def comparison_updates(
        self, job_id: str, history: list[str] | None
    ) -> tuple[list[str], Any, Any, str]:
        """Return the history with a new run, and updates of the comparison's components.

        These are the accordion, the dropdown (earlier summaries of the same document, newest
        first) and the table.
        """
        history = [job for job in history or [] if job != job_id][: MAX_HISTORY - 1]
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
        accordion = gr.update(visible=bool(choices), open=False)
        return history, accordion, gr.update(choices=choices, value=None), ""

    def comparison_html(self, job_id: str, other_id: str | None) -> str:
        """Return the table that compares a run with an earlier one, as HTML."""
        if not other_id:
            return ""
        earlier, current = self.summary(other_id), self.summary(job_id)
        if earlier is None or current is None:
            return render.notice("That summary has been deleted.")
        return render.comparison_table(earlier, current)


def _sha256(summary: Summary) -> str:
    return str(summary.provenance.get("sha256"))
