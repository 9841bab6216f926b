"""Simulate visitors of replicas of the page: how many an hour hear their first words in time.

    python -m tests.tools.simulate_serving [--costs FILE] [--speedup 1,1.4,2] [--rates 10,100,10000]

Discrete events: visitors come at random (Poisson), each with a document. A machine reads documents
one after another and writes with one model: either one document at a time, or several that share it
equally. A balancer sends each visitor to the machine with the fewest documents. Costs come from
measurements: `serving_costs.json` beside this file names where each figure comes from, and
`--measure FILE...` makes such a file from documents and the bundled model on this machine.

`--speedup`: what a model computes with 1, 2, ... documents at once, relative to one (as measured by
`python -m longt5.benchmark`); without it, sharing gains nothing, and only orders the work anew.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import math
import os
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COSTS = Path(__file__).with_name("serving_costs.json")
FIRST_WORDS_S = 5.0  # the wait that 95 of 100 visitors accept
VISITORS = 3000  # of a simulation; the first tenth fill the machines and are not counted
REPLICAS = (1, 2, 4, 8, 16)
RATES = (10, 100, 10_000)
SEARCHES_AT_ONCE = 8
NEVER = math.inf


@dataclass(frozen=True)
class DocumentCost:
    """Seconds to read a document, then on the model alone to its first words and to its end."""

    read_s: float
    first_s: float
    total_s: float
    share: float = 1.0


@dataclass(frozen=True)
class Policy:
    """How a machine shares its model: documents at once, and what the model then computes.

    `speedup[n - 1]` is the work of n documents at once relative to one; the last value stands for
    more.
    """

    label: str
    at_once: int = 1
    speedup: tuple[float, ...] = (1.0,)

    def rate(self, count: int) -> float:
        """Return the speed of each of so many documents, relative to one alone."""
        return self.speedup[min(count, len(self.speedup)) - 1] / count


@dataclass
class Machine:
    """A replica: a reader, and a model that the documents in it share equally.

    Work is measured in seconds of the model alone. `done` is the work that every document in the
    model has received since the beginning, so that a document that comes at `done` = d ends at
    d + its work, however many come and go.
    """

    policy: Policy
    done: float = 0.0
    now: float = 0.0
    documents: int = 0  # in the machine, from arrival to end
    active: int = 0
    reader_free_at: float = 0.0
    queue: deque[int] = field(default_factory=deque)
    marks: list[tuple[float, int, bool]] = field(default_factory=list)  # (done, visitor, is end)

    def advance(self, now: float) -> None:
        """Give every document in the model its share of the time since the last event."""
        if self.active:
            self.done += (now - self.now) * self.policy.rate(self.active)
        self.now = now

    def next_at(self) -> float:
        """Return the time of the next first words or end, if nobody else comes."""
        if not self.marks:
            return math.inf
        return self.now + max(0.0, self.marks[0][0] - self.done) / self.policy.rate(self.active)

    def enter(self, visitor: int, cost: DocumentCost) -> None:
        """Take a document into the model."""
        self.active += 1
        heapq.heappush(self.marks, (self.done + cost.first_s, visitor, False))
        heapq.heappush(self.marks, (self.done + cost.total_s, visitor, True))


def simulate(
    costs: Sequence[DocumentCost],
    gaps: Sequence[float],
    replicas: int,
    policy: Policy,
) -> tuple[list[float], list[float]]:
    """Return the seconds of each visitor from arrival to (first words, end).

    `costs` and `gaps` (seconds since the visitor before) are those of the visitors in order.
    """
    arrivals = list(itertools.accumulate(gaps))
    machines = [Machine(policy) for _ in range(replicas)]
    first, end = [math.nan] * len(costs), [math.nan] * len(costs)
    reads: list[tuple[float, int, int]] = []  # (time, visitor, machine)
    following = 0
    while following < len(costs) or any(machine.documents for machine in machines):
        arrival = arrivals[following] if following < len(costs) else math.inf
        read = reads[0][0] if reads else math.inf
        busy = min(range(replicas), key=lambda i: machines[i].next_at())
        model = machines[busy].next_at()
        now = min(arrival, read, model)
        if now == model:
            machine = machines[busy]
            machine.advance(now)
            machine.done, visitor, is_end = heapq.heappop(machine.marks)
            (end if is_end else first)[visitor] = now - arrivals[visitor]
            if is_end:
                machine.active -= 1
                machine.documents -= 1
                if machine.queue:
                    waiting = machine.queue.popleft()
                    machine.enter(waiting, costs[waiting])
        elif now == read:
            _, visitor, at = heapq.heappop(reads)
            machines[at].advance(now)
            if machines[at].active < policy.at_once:
                machines[at].enter(visitor, costs[visitor])
            else:
                machines[at].queue.append(visitor)
        else:
            at = min(range(replicas), key=lambda i: machines[i].documents)
            machine = machines[at]
            machine.documents += 1
            machine.reader_free_at = max(now, machine.reader_free_at) + costs[following].read_s
            heapq.heappush(reads, (machine.reader_free_at, following, at))
            following += 1
    return first, end


def draw_visitors(
    mix: Sequence[DocumentCost], count: int, seed: int = 1
) -> tuple[list[DocumentCost], list[float]]:
    """Return the documents of visitors, and the gaps between them at one visitor a second."""
    source = random.Random(seed)
    documents = source.choices(mix, [cost.share for cost in mix], k=count)
    return documents, [source.expovariate(1.0) for _ in range(count)]


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed, without the first tenth."""
    counted = sorted(values[len(values) // 10 :])
    return counted[math.ceil(0.95 * len(counted)) - 1]


def wait_at(mix: Sequence[DocumentCost], per_hour: float, replicas: int, policy: Policy) -> float:
    """Return the p95 wait for first words, in seconds, at so many visitors an hour."""
    documents, gaps = draw_visitors(mix, VISITORS)
    return p95(simulate(documents, [g * 3600 / per_hour for g in gaps], replicas, policy)[0])


def visitors_held(mix: Sequence[DocumentCost], replicas: int, policy: Policy) -> int:
    """Return the most visitors an hour, within 2 %, whose p95 wait is FIRST_WORDS_S; 0 for none.

    All rates use the same visitors, only closer together.
    """
    if wait_at(mix, 1.0, replicas, policy) > FIRST_WORDS_S:
        return 0
    low, high = 1.0, 3600.0 * replicas * 100
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        if wait_at(mix, middle, replicas, policy) <= FIRST_WORDS_S:
            low = middle
        else:
            high = middle
    return _rounded(low)


def replicas_needed(mix: Sequence[DocumentCost], per_hour: float, policy: Policy) -> int:
    """Return the fewest replicas that hold so many visitors an hour; 0 where no number does."""
    if wait_at(mix, 1.0, 1, policy) > FIRST_WORDS_S:
        return 0
    high = 1
    while wait_at(mix, per_hour, high, policy) > FIRST_WORDS_S:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        is_enough = wait_at(mix, per_hour, middle, policy) <= FIRST_WORDS_S
        low, high = (low, middle) if is_enough else (middle, high)
    return high


def _rounded(value: float) -> int:
    """Return a figure with two digits, rounded down."""
    step = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return int(value // step * step)


def policies(speedup: Sequence[float]) -> tuple[Policy, Policy]:
    """Return the two ways to share a model."""
    shared = Policy(f"{SEARCHES_AT_ONCE} share the model", SEARCHES_AT_ONCE, tuple(speedup))
    return Policy("one at a time"), shared


def report(
    costs: dict[str, Any], speedup: Sequence[float], rates: Sequence[float]
) -> Iterator[str]:
    """Yield the lines of both tables, as Markdown."""
    hourly = [f"{rate:,} an hour" for rate in rates]
    tables = (
        (visitors_held, REPLICAS, [str(n) for n in REPLICAS], "none"),
        (replicas_needed, rates, hourly, "none suffices"),
    )
    for number, (figure, places, heads, none) in enumerate(tables):
        if number:
            yield ""
        yield "| documents | the model | " + " | ".join(heads) + " |"
        yield "|---|---" + "|---" * len(places) + "|"
        for workload in costs.values():
            mix = mix_of(workload)
            for policy in policies(speedup):
                counts = [figure(mix, place, policy) for place in places]
                cells = " | ".join(f"{count:,}" if count else none for count in counts)
                yield f"| {workload['label']} | {policy.label} | {cells} |"


def mix_of(workload: dict[str, Any]) -> list[DocumentCost]:
    """Return the documents of a workload of the costs file."""
    return [DocumentCost(**document) for document in workload["documents"]]


def measure(paths: Sequence[str], repeats: int = 3) -> dict[str, Any]:
    """Return a costs file of some documents: medians of a few runs on this machine."""
    from app.documents.load import load_document
    from app.events import DraftText, Finished
    from app.summary.summarizer import Summarizer

    summarizer = Summarizer.load()
    found = []
    for path in paths:
        runs = []
        for _ in range(repeats):
            summarizer.clear_cache()
            began = time.perf_counter()
            document = load_document(path)
            read = time.perf_counter()
            first = None
            for event in summarizer.stream(document):
                is_text = isinstance(event, DraftText) and bool(event.committed)
                if first is None and (is_text or isinstance(event, Finished)):
                    first = time.perf_counter()
            runs.append((read - began, (first or read) - read, time.perf_counter() - read))
        names = ("read_s", "first_s", "total_s")
        medians = (round(statistics.median(column), 3) for column in zip(*runs, strict=True))
        found.append({"share": 1 / len(paths), **dict(zip(names, medians, strict=True))})
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    source = f"medians of {repeats} runs, {os.cpu_count()} processors{load}"
    label = ", ".join(Path(path).name for path in paths)
    return {"measured": {"label": label, "source": source, "documents": found}}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, or write measured costs, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--costs", type=Path, default=COSTS)
    parser.add_argument("--speedup", default="1", metavar="1,X,Y")
    parser.add_argument("--rates", default=",".join(map(str, RATES)), metavar="N,N")
    parser.add_argument("--measure", nargs="+", metavar="FILE", help="print a costs file instead")
    chosen = parser.parse_args(argv)
    if chosen.measure:
        print(json.dumps(measure(chosen.measure), indent=2))
        return 0
    costs = json.loads(chosen.costs.read_text(encoding="utf-8"))
    speedup = [float(value) for value in chosen.speedup.split(",")]
    for line in report(costs, speedup, [int(rate) for rate in chosen.rates.split(",")]):
        print(line)
    for workload in costs.values():
        print(f"\n{workload['label']}: {workload['source']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
