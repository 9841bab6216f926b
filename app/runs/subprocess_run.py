"""A run in a process of its own: where a GPU has failed, only a new process can use it again."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..errors import AppError, DeviceLost
from ..events import Event
from ..settings import Settings
from .journal import JobFolder
from .requests import ModelKeeper, Request, summarize_all

LOOK_S = 0.05  # between two looks at the stop


@dataclass(frozen=True)
class Order:
    """What the process is to do; `folder` is held by the one that asks for it."""

    settings: Settings
    request: Request
    folder: Path | None
    note: str


def summarize_apart(
    request: Request,
    settings: Settings,
    stop: threading.Event,
    folder: JobFolder | None,
    note: str = "",
) -> Iterator[Event]:
    """What `summarize_all` yields and raises, computed in a new process that ends with it. Raises
    DeviceLost when that process loses its device too, or dies."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    order = Order(settings, request, folder.path if folder else None, note)
    process = context.Process(target=_work, args=(there, order), name="summarize", daemon=True)
    process.start()
    there.close()
    try:
        yield from _heard(here, stop)
    except (EOFError, OSError) as error:
        raise DeviceLost() from error
    finally:
        process.kill()
        process.join()
        here.close()


def _heard(here: Connection, stop: threading.Event) -> Iterator[Event]:
    told = False
    while True:
        if stop.is_set() and not told:
            told = True
            here.send(getattr(stop, "by_hand", True))
        if not here.poll(LOOK_S):
            continue
        kind, value = here.recv()
        if kind == "end":
            return
        if kind == "error":
            raise value
        yield value


def _work(there: Connection, order: Order) -> None:
    """The other process."""
    stop = _Told(there)
    folder = JobFolder(order.folder) if order.folder else None
    try:
        keeper = ModelKeeper(order.settings)
        for event in summarize_all(order.request, keeper, stop, folder, order.note):
            there.send(("event", event))
        there.send(("end", None))
    except AppError as error:
        there.send(("error", error))
    except Exception as error:  # its message may hold the document's text
        there.send(("error", RuntimeError(type(error).__name__)))


class _Told(threading.Event):
    """Set when the other side says so, or is gone."""

    by_hand = False

    def __init__(self, there: Connection) -> None:
        super().__init__()
        threading.Thread(target=self._listen, args=(there,), daemon=True).start()

    def _listen(self, there: Any) -> None:
        try:
            self.by_hand = bool(there.recv())
        except (EOFError, OSError):
            self.by_hand = False
        self.set()
