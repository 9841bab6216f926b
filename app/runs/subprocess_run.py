"""A run in a new process: after a GPU has failed, only a new process can use it again."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from ..errors import AppError, DeviceLost
from ..events import Event
from ..settings import Settings
from .journal import JobFolder
from .model_cache import ModelCache
from .request import Request
from .request_run import summarize_all
from .stop import StopReason, StopSignal

POLL_S = 0.05  # between two looks at the stop signal


@dataclass(frozen=True)
class SubprocessTask:
    """What the process computes; `folder` stays locked by the parent process."""

    settings: Settings
    request: Request
    folder: Path | None
    note: str


def summarize_in_subprocess(
    request: Request,
    settings: Settings,
    stop: StopSignal,
    folder: JobFolder | None,
    note: str = "",
) -> Iterator[Event]:
    """Yield and raise what `summarize_all` does, computed in a new process that ends with it.

    Raises DeviceLost when that process loses its device too, or dies.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    task = SubprocessTask(settings, request, folder.path if folder else None, note)
    process = context.Process(target=_work, args=(theirs, task), name="summarize", daemon=True)
    process.start()
    theirs.close()
    try:
        yield from _relay(ours, stop)
    except (EOFError, OSError) as error:
        raise DeviceLost() from error
    finally:
        process.kill()
        process.join()
        ours.close()


def _relay(connection: Connection, stop: StopSignal) -> Iterator[Event]:
    """Yield the events of the process and send it the stop signal once."""
    is_stop_sent = False
    while True:
        if stop.is_set() and not is_stop_sent:
            is_stop_sent = True
            connection.send(stop.reason)
        if not connection.poll(POLL_S):
            continue
        kind, value = connection.recv()
        if kind == "end":
            return
        if kind == "error":
            raise value
        yield value


def _work(connection: Connection, task: SubprocessTask) -> None:
    """Run the task in the new process."""
    stop = StopSignal()
    threading.Thread(target=_receive_stop, args=(connection, stop), daemon=True).start()
    folder = JobFolder(task.folder) if task.folder else None
    try:
        models = ModelCache(task.settings)
        for event in summarize_all(task.request, models, stop, folder, task.note):
            connection.send(("event", event))
        connection.send(("end", None))
    except AppError as error:
        connection.send(("error", error))
    except Exception as error:  # its message may hold the document's text
        connection.send(("error", RuntimeError(type(error).__name__)))


def _receive_stop(connection: Connection, stop: StopSignal) -> None:
    """Set the signal when the parent process sends it, or is gone."""
    try:
        stop.set(connection.recv())
    except (EOFError, OSError):
        stop.set(StopReason.DISCONNECTED)
