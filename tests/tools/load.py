"""python -m tests.tools.load --clients 50 --minutes 5: measure the page under load on this machine.

Clients summarize and extract texts of their own, read slowly, vanish in the middle of a run or an
upload, and send files, against a page that the program starts on loopback and ends. The page
takes each client for a visitor of its own, as if a proxy stood in front.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from tests.server import running_page

MAX_CLIENTS, MAX_MINUTES = 200, 30
PATIENCE_S = 600.0
ARRIVAL_S = 10.0  # within which all clients come
PLACES = ("harbour", "library", "orchard", "station", "quarry", "theatre", "lighthouse", "museum")
KINDS = ("summarize", "summarize", "extract", "upload", "slow", "vanish")
REFUSALS = ("queue is full", "share", "wait to be read", "One of your documents")


@dataclass
class Figures:
    """What the clients saw.

    `came` is when each run was taken, by its number. A wait for a first word is (client, seconds,
    number of the run), not of a slow reader, who makes it longer. Runs that are to be left count
    for nothing, since they end before their turn.
    """

    page_s: list[float] = field(default_factory=list)
    waits: list[tuple[int, float, int]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    came: dict[int, float] = field(default_factory=dict)
    begun: int = 0
    unfinished: int = 0
    busy_s: float = 0.0  # while runs were unfinished
    busy_since: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """Count one outcome."""
        with self.lock:
            self.done[what] += 1

    def begin(self) -> int:
        """Count a run that begins; return its number."""
        with self.lock:
            now = time.monotonic()
            if not self.unfinished:
                self.busy_since = now
            self.unfinished += 1
            self.begun += 1
            self.came[self.begun] = now
            return self.begun

    def end(self, number: int, is_run: bool) -> None:
        """Count a run that ended, or that was refused."""
        with self.lock:
            self.unfinished -= 1
            if not is_run:
                del self.came[number]
            if not self.unfinished:
                self.busy_s += time.monotonic() - self.busy_since

    def shares(self) -> dict[int, float]:
        """Return each client's waits as a part of its fair ones."""
        fair = fair_times(self.came, self.busy_s / max(1, len(self.came)))
        waited, due = defaultdict[int, float](float), defaultdict[int, float](float)
        for client, seconds, number in self.waits:
            waited[client] += seconds
            due[client] += fair[number]
        return {client: waited[client] / due[client] for client in waited}


@dataclass(frozen=True)
class Memory:
    """The bytes that the page's processes hold before the load, at its end and after a rest."""

    before: int
    at_end: int
    rested: int
    rest_s: float

    @property
    def growth(self) -> float:
        """Return by which part of the memory before it has grown once the load is over."""
        return self.rested / self.before - 1


def fair_times(came: dict[int, float], run_s: float) -> dict[int, float]:
    """Return how long each run takes on a machine that gives all that are there equal parts of it.

    `came` is when each came, `run_s` the seconds that one takes alone. Those that come later take
    their parts too, as they do where several run at once.
    """
    ends, there = dict[int, float](), deque[tuple[float, int]]()  # (share at which it ends, run)
    now = share = 0.0  # `share`: the seconds of work that a run has got which was always there
    for number, at in [*sorted(came.items(), key=lambda run: run[1]), (0, math.inf)]:
        while there and now + (there[0][0] - share) * len(there) <= at:
            now += (there[0][0] - share) * len(there)
            share, over = there.popleft()
            ends[over] = now - came[over]
        share += (at - now) / len(there) if there else 0.0
        now = at
        there.append((share + run_s, number))
    return ends


def text_of(client: int, chance: random.Random) -> str:
    """Return a text that is about one client only."""
    lines = [
        f"The {chance.choice(PLACES)} of Marker{client}x received {chance.randint(100, 999)} "
        f"visitors and spent {chance.randint(10, 99)} thousand on repairs in {1900 + n}."
        for n in range(chance.randint(8, 30))
    ]
    return " ".join(lines)


class LoadClient:
    """One client, which asks for one thing after another until the time is over."""

    def __init__(self, url: str, number: int, ends: float, figures: Figures) -> None:
        self.number, self.ends, self.figures = number, ends, figures
        self.chance = random.Random(number)
        address = {"X-Forwarded-For": f"203.0.113.{number}"}
        self.http = httpx.Client(base_url=url, timeout=PATIENCE_S, headers=address)

    def run(self) -> None:
        """Ask until the time is over."""
        time.sleep(self.chance.random() * ARRIVAL_S)
        while time.monotonic() < self.ends:
            kind = self.chance.choice(KINDS)
            try:
                getattr(self, kind)()
            except (httpx.HTTPError, AssertionError) as error:
                self.figures.count(f"lost: {kind} ({type(error).__name__})")
            time.sleep(self.chance.random())
        self.http.close()

    def summarize(self, pause_s: float = 0.0, leave_after: int = 0) -> None:
        """Summarize a text; read each event after a pause, or leave after some."""
        values = {"text": text_of(self.number, self.chance), "length": "short", "num_beams": 1}
        began, last, is_run = time.monotonic(), None, False
        events = self.events("summarize", values)
        next(events)  # its place in line is that of the moment when the page has taken it
        run = 0 if leave_after else self.figures.begin()
        try:
            for number, (event, data) in enumerate(events, 1):
                if event == "error":
                    self.refused(data)
                    return
                last, is_run = data[0] if data else last, True
                if last and last["committed"] and began and not (pause_s or leave_after):
                    wait = self.number, time.monotonic() - began, run
                    self.figures.waits.append(wait)
                    began = 0.0
                if leave_after and number >= leave_after:
                    self.figures.count("vanished in a run")
                    return
                time.sleep(pause_s)
        finally:
            if not leave_after:
                self.figures.end(run, is_run)
        assert last is not None and last["result"] is not None
        self.check(last["result"]["summary"])

    def slow(self) -> None:
        """Summarize a text and read each event late."""
        self.summarize(pause_s=0.2)

    def vanish(self) -> None:
        """Leave in the middle of a run, then in the middle of an upload."""
        self.summarize(leave_after=self.chance.randint(1, 5))

        def cut_off() -> Any:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
            yield b"Cut off. " * 1_000
            raise ConnectionAbortedError

        header = {"Content-Type": "multipart/form-data; boundary=x"}
        with contextlib.suppress(ConnectionAbortedError):
            self.http.post("/gradio_api/upload", content=cut_off(), headers=header)
        self.figures.count("vanished in an upload")

    def upload(self) -> None:
        """Send a file and extract its text."""
        data = text_of(self.number, self.chance).encode()
        sent = self.http.post("/gradio_api/upload", files={"files": ("mine.txt", data)})
        if sent.status_code != 200:
            self.figures.count(f"refused: {sent.status_code}")
            return
        file = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        self.extract({"file": file})

    def extract(self, values: dict[str, Any] | None = None) -> None:
        """Extract the text of a file or of a text."""
        values = values or {"text": text_of(self.number, self.chance)}
        for event, data in self.events("extract", values):
            if not event:
                continue
            if event == "error":
                self.refused(data)
                return
            self.check(data[0]["pages"][0]["text"])

    def events(self, name: str, values: dict[str, Any]) -> Any:
        """Yield ("", None) once the call is taken, then its events without heartbeats."""
        asked = self.http.post(f"/gradio_api/call/v2/{name}", json=values)
        yield "", None
        if asked.status_code == 503:
            yield "error", asked.text
            return
        asked.raise_for_status()
        address, event = f"/gradio_api/call/{name}/{asked.json()['event_id']}", ""
        with self.http.stream("GET", address) as answer:
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif line.startswith("data: ") and event != "heartbeat":
                    yield event, json.loads(line.removeprefix("data: "))

    def refused(self, said: Any) -> None:
        """Count a refusal in words, or an error that is none."""
        is_refusal = any(words in str(said) for words in REFUSALS)
        self.figures.count("refused in words" if is_refusal else f"failed: {str(said)[:80]}")

    def check(self, text: str) -> None:
        """Count a result as this client's own, or as another's."""
        own = f"Marker{self.number}x"
        others = text.replace(own, "").count("Marker")
        self.figures.count("mixed up" if others or own not in text else "whole results")


def look(url: str, over: threading.Event, figures: Figures) -> None:
    """Open the page again and again, and record how long each takes."""
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        while not over.is_set():
            began = time.monotonic()
            client.get("/").raise_for_status()
            figures.page_s.append(time.monotonic() - began)
            over.wait(0.5)


def server_memory(port: int) -> int:
    """Return the bytes of the process that listens on a port, and of its children."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(c.laddr.port == port for c in process.net_connections("tcp")):
                family = [process, *process.children(recursive=True)]
                return sum(p.memory_info().rss for p in family)
    return 0


def share(values: list[float], part: float) -> float:
    """Return the value below which a part of the values lies."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def report(figures: Figures, memory: Memory) -> str:
    """Return the figures as lines of text."""
    page, waits = figures.page_s, [seconds for _, seconds, _ in figures.waits]
    shares = list(figures.shares().values())
    lines = [
        f"page: {len(page)} loads, p50 {share(page, 0.5):.2f} s, p95 {share(page, 0.95):.2f} s, "
        f"max {max(page, default=0):.2f} s",
        f"first word: {len(waits)} waits of {len(shares)} clients, p50 {share(waits, 0.5):.1f} s, "
        f"p95 {share(waits, 0.95):.1f} s, max {max(waits, default=0):.1f} s",
        f"waits of a client as a part of its fair ones: p50 {share(shares, 0.5):.2f}, max "
        f"{max(shares, default=0):.2f}",
        f"memory: {memory.before / 1e6:.0f} MB before, {memory.at_end / 1e6:.0f} MB at the end, "
        f"{memory.rested / 1e6:.0f} MB ({memory.growth:+.0%}) after {memory.rest_s:.0f} s of rest",
        *(f"{what}: {count}" for what, count in sorted(figures.done.items())),
    ]
    return "\n".join(lines)


def measure(clients: int, minutes: float, rest_s: float) -> tuple[Figures, Memory]:
    """Return the figures, and the memory before the load, at its end and `rest_s` s later."""
    figures, over = Figures(), threading.Event()
    with (
        tempfile.TemporaryDirectory() as data,
        running_page("--behind-proxy", SUMMARIZER_DATA_DIR=data) as url,
    ):
        port = httpx.URL(url).port or 0
        LoadClient(url, 0, 0.0, Figures()).summarize()  # the model is loaded
        before, ends = server_memory(port), time.monotonic() + minutes * 60
        with ThreadPoolExecutor(clients + 1) as pool:
            looking = pool.submit(look, url, over, figures)
            made = [LoadClient(url, n, ends, figures) for n in range(1, clients + 1)]
            list(pool.map(LoadClient.run, made))
            over.set()
            looking.result()
        at_end = server_memory(port)
        time.sleep(rest_s)
        return figures, Memory(before, at_end, server_memory(port), rest_s)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; return 1 when a result was lost or mixed up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rest", type=float, default=300.0, help="seconds before memory is read")
    chosen = parser.parse_args(argv)
    clients = min(chosen.clients, MAX_CLIENTS)
    figures, memory = measure(clients, min(chosen.minutes, MAX_MINUTES), chosen.rest)
    print(report(figures, memory))
    return int(any(what.startswith(("lost", "mixed", "failed")) for what in figures.done))


if __name__ == "__main__":
    sys.exit(main())
