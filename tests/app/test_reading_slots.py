"""Files wait for their turn to be read, and the turns are shared."""

from __future__ import annotations

import threading

import pytest

from app.errors import Busy, Cancelled
from app.runs import reading_slots
from app.runs.reading import DocumentReader
from app.runs.reading_slots import ReadingSlots, readings_at_once
from app.runs.shares import WINDOW_S
from app.settings import MAX_VISITOR_PAGES_READ, MAX_VISITOR_READINGS, MAX_WAITING_READINGS
from app.ui.handlers import reading_status
from tests.app.test_jobs import until


def held_reader(gate: threading.Event, at_once: int) -> tuple[DocumentReader, list[str]]:
    """Return a reader whose files are read until the gate opens, and the names of those in work."""
    begun: list[str] = []

    def load(path, *, stop_event, **options):
        begun.append(path)
        while not gate.wait(0.005):
            if stop_event.is_set():
                raise Cancelled("Stopped.")
        return path

    return DocumentReader(load, ReadingSlots(lambda: at_once)), begun


def test_no_more_files_are_read_at_once_than_the_machine_allows() -> None:
    gate = threading.Event()
    reader, begun = held_reader(gate, 2)
    tasks = [reader.open(f"/nowhere/{n}.txt") for n in range(5)]
    until(lambda: len(begun) == 2)
    assert [task.ahead for task in tasks] == [0, 0, 2, 3, 4]
    assert "2 files ahead" in reading_status(tasks[2])
    assert "Reading" in reading_status(tasks[0])
    gate.set()
    assert [task.document() for task in tasks] == [task.path for task in tasks]


def test_a_visitor_with_fewer_files_in_work_goes_first() -> None:
    gate = threading.Event()
    reader, begun = held_reader(gate, 1)
    for n in range(3):
        reader.open(f"/nowhere/long-{n}.txt", visitor="a")
    until(lambda: len(begun) == 1)
    other = reader.open("/nowhere/short.txt", visitor="b")
    assert other.ahead == 1
    gate.set()
    other.document()
    assert begun[1] == "/nowhere/short.txt"


def test_a_file_that_waits_can_be_stopped() -> None:
    gate = threading.Event()
    reader, begun = held_reader(gate, 1)
    first = reader.open("/nowhere/a.txt")
    until(lambda: begun)
    second = reader.open("/nowhere/b.txt")
    second.stop()
    with pytest.raises(Cancelled):
        second.document()
    gate.set()
    assert first.document() and len(begun) == 1


def test_the_line_and_a_visitors_share_of_it_are_bounded() -> None:
    slots = ReadingSlots(lambda: 1)
    for _ in range(MAX_VISITOR_READINGS):
        slots.enter("a")
    with pytest.raises(Busy, match="wait to be read"):
        slots.enter("a")
    for _ in range(MAX_WAITING_READINGS - MAX_VISITOR_READINGS):
        slots.enter("")  # of this computer alone: nobody has to share
    with pytest.raises(Busy):
        slots.enter("b")


def test_a_visitor_reads_so_many_pages_an_hour() -> None:
    now, never = [0.0], threading.Event()
    slots = ReadingSlots(lambda: 1, lambda: now[0])
    for pages in (MAX_VISITOR_PAGES_READ - 1, 1):
        place = slots.enter("a")
        with slots.turn(place, never):
            place.pages = pages
    with pytest.raises(Busy, match="pages within an hour"):
        slots.enter("a")
    slots.enter("b"), slots.enter("")
    now[0] = WINDOW_S + 1
    slots.enter("a")


def test_pages_count_for_a_visitor_while_a_file_is_read() -> None:
    gate = threading.Event()
    loaded = threading.Event()

    def load(path, *, on_progress, **options):
        on_progress(MAX_VISITOR_PAGES_READ, 2 * MAX_VISITOR_PAGES_READ)
        loaded.set()
        gate.wait()
        return path

    reader = DocumentReader(load, ReadingSlots(lambda: 1))
    reader.open("/nowhere/a.pdf", visitor="a")
    loaded.wait()
    with pytest.raises(Busy, match="pages within an hour"):
        reader.open("/nowhere/b.pdf", visitor="a")
    gate.set()


def test_memory_and_processors_say_how_many(monkeypatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    for free, expected in ((None, 1), (0, 1), (4_000_000_000, 2), (10**12, 8)):
        monkeypatch.setattr(reading_slots, "available_bytes", lambda free=free: free)
        assert readings_at_once() == expected
