"""The state of the page during a run, and the texts that come from the service."""

from __future__ import annotations

from typing import Any

from ..runs.jobs import Job
from ..runs.run_state import RunState
from ..runs.service import Service
from ..summary.throughput import format_duration
from ..wording import counted
from . import render


class View(dict[str, Any]):
    """Values of the page's components, as one dict that handlers yield.

    Keys: `status` and `summary` (HTML), `job` (id), `running`, `exports` (path by format), `kept`
    (how long the run is stored). None leaves a component unchanged, so that the previous run
    stays visible until the new one has begun.
    """

    def __init__(self) -> None:
        super().__init__(status="", summary=None, job=None, running=False, exports=None, kept=None)

    def with_(self, **changes: Any) -> View:
        """Change values in place and return this view."""
        self.update(changes)
        return self


def deleted_view() -> View:
    """Return the view after a run has been deleted."""
    return View().with_(
        summary=render.EMPTY_SUMMARY,
        status=render.notice("Deleted."),
        job="",
        exports={},
        kept="",
    )


def job_status(state: RunState, job: Job) -> str:
    """Return the status of a job as HTML; while it waits, its place in the queue.

    The first run has none before it: it waits for the model that the page loads at its start.
    """
    if state.stage != "waiting":
        return render.run_status(state)
    if not job.ahead:
        return render.progress_bar("loading", 0.0)
    wait = job.wait_s
    about = "" if wait is None else f", about {format_duration(wait)}"
    return render.progress_bar("waiting", 0.0, f"{counted(job.ahead, 'run')} ahead{about}")


def storage_note(service: Service, job_id: str) -> str:
    """Return a sentence that says where a run is stored and for how long.

    Others than the user of this computer are not told of its folders.
    """
    hours = counted(service.kept_hours, "hour")
    if service.settings.is_shared:
        return (
            f"Your documents and this summary are deleted from the server after {hours} at the "
            "latest. Download what you need."
        )
    folder = service.folder(job_id)
    if folder is None or folder.write_error:
        return "This run is not saved: the disk is full or read-only."
    return f"Your documents and this summary are stored in {folder.path} and deleted after {hours}."
