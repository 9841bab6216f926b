"""What the page and the API ask for: documents in, a job to watch out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from app.board import Board
from app.documents import Document, require_text, select_pages
from app.errors import AppError
from app.events import DocumentFailed, DocumentStarted, Event, Finished, Progress
from app.jobs import Job, JobRunner
from app.settings import LINGER_S, Settings
from app.summarizer import Options, Summarizer

IDLE_S = 0.5


@dataclass(frozen=True)
class Request:
    """One click on Summarize: plain data, so that it can cross to another process."""

    documents: tuple[Document, ...]
    options: Options
    model: str
    read_s: tuple[float, ...] = ()

    def check(self) -> None:
        """Raises BadOption or NoTextLayer before anything is queued."""
        self.options.check()
        if len(self.documents) == 1:
            require_text(select_pages(self.documents[0], self.options.pages))


class ModelKeeper:
    """The one loaded model; another name takes its place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = ""
        self._summarizer: Summarizer | None = None

    def get(self, name: str, on_progress: Callable[[int, int], None] | None = None) -> Summarizer:
        """Load a model unless it is the one at hand. Raises ModelNotFound, BadOption."""
        if self._summarizer is None or self._name != name:
            self._summarizer = None  # free the old one before the new one needs its room
            s = self._settings
            self._summarizer = Summarizer.load(
                name,
                revision=s.revision if name == s.model else None,
                device=s.device,
                dtype=s.dtype,
                on_progress=on_progress,
            )
            self._name = name
        return self._summarizer

    def holds(self, name: str) -> bool:
        return self._summarizer is not None and self._name == name


def summarize_all(
    request: Request, keeper: ModelKeeper, stop_event: threading.Event | None = None
) -> Iterator[Event]:
    """Every document of a request in turn; one that fails among several does not end the run."""
    total = len(request.documents)
    for number, document in enumerate(request.documents, 1):
        if stop_event is not None and stop_event.is_set() and number > 1:
            return
        yield DocumentStarted(number, total, document.name)
        if not keeper.holds(request.model):
            yield Progress("loading", 0, 1)
        try:
            summarizer = keeper.get(request.model)
            read_s = request.read_s[number - 1] if request.read_s else 0.0
            yield from summarizer.stream(
                document, request.options, stop_event=stop_event, read_s=read_s
            )
        except AppError as error:
            if total == 1:
                raise
            yield DocumentFailed(document.name, str(error))


class Service:
    """Runs requests: on the runner's thread or, where a GPU is lent per call, in the caller."""

    def __init__(
        self, settings: Settings, lent_gpu: Callable[[Request], Iterator[Event]] | None = None
    ) -> None:
        self.settings = settings
        self.keeper = ModelKeeper(settings)
        self.runner = JobRunner(settings.max_waiting, LINGER_S if settings.on_space else None)
        self._lent_gpu = lent_gpu

    @property
    def can_reattach(self) -> bool:
        """Whether a run goes on without the page that began it."""
        return self._lent_gpu is None

    def submit(self, request: Request, session: str = "") -> Job:
        """Queue a request; watch it with `watch`. Raises BadOption, NoTextLayer, Busy."""
        request.check()
        if self._lent_gpu is not None:
            return self.runner.adopt(session)
        return self.runner.submit(lambda stop: summarize_all(request, self.keeper, stop), session)

    def watch(self, job: Job, request: Request) -> Iterator[Event | None]:
        """The job's events; None when it only waits."""
        if self._lent_gpu is None:
            yield from job.events(IDLE_S)
            return
        yield from job.steps(lambda stop: self._borrow(request, stop))
        if job.error is not None:
            raise job.error

    def _borrow(self, request: Request, stop: threading.Event) -> Iterator[Any]:
        """Run in the process that holds the GPU; closing its generator ends it."""
        assert self._lent_gpu is not None
        board = Board()
        events = self._lent_gpu(request)
        for event in events:
            board.apply(event)
            yield event
            if stop.is_set() and not isinstance(event, Finished):
                events.close()  # type: ignore[attr-defined]
                yield Finished(board.stopped_summary(request.model, asdict(request.options)))
                return
