"""Time the first words of a short document while a long one runs: `... LONG SHORT`.

Each figure is the time from submitting the short document to its first certain words: alone, then
submitted while the long one is being read by the model, and while it is being written, with one
run at a time and with as many as the page allows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from app.documents.load import load_document
from app.documents.model import Document
from app.events import DraftText, Event, Progress
from app.runs.jobs import Job
from app.runs.model_cache import ModelCache
from app.runs.request import Request
from app.runs.service import Service
from app.settings import MAX_AT_ONCE, Settings
from app.summary.options import Options

MOMENTS: dict[str, Callable[[Event], bool]] = {
    "is read": lambda event: isinstance(event, Progress) and event.stage == "encoding",
    "is written": lambda event: isinstance(event, DraftText),
}


def first_words_s(service: Service, document: Document, options: Options) -> float:
    """Return the seconds from submitting a document to its first certain words."""
    service.models.forget_documents()
    began = time.monotonic()
    job = service.submit(Request((document,), options, "bundled"), "short", keep=False)
    seconds = next(
        time.monotonic() - began
        for event in job.events()
        if isinstance(event, DraftText) and event.committed
    )
    end(job)
    return seconds


def end(job: Job) -> None:
    """Stop a run and wait until it has ended."""
    job.stop()
    job.wait(60)


def beside_s(
    service: Service, long: Document, short: Document, options: Options, moment: str
) -> float:
    """Return the seconds to the short document's first words at a moment of the long one's run."""
    job = service.submit(Request((long,), options, "bundled"), "long", keep=False)
    for event in job.events():
        if MOMENTS[moment](event):
            break
    seconds = first_words_s(service, short, options)
    end(job)
    return seconds


def main() -> int:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("long", help="a document of several hundred pages")
    parser.add_argument("short")
    parser.add_argument("--words", type=int, default=500, help="of each answer")
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    long, short = load_document(chosen.long), load_document(chosen.short)
    options = Options(words=chosen.words)
    models: ModelCache | None = None
    print(f"{long.name}: {len(long.pages)} pages; {short.name}: {len(short.pages)} pages")
    print("| first words of the short document, s | " + " | ".join(["alone", *MOMENTS]) + " |")
    print("|---|---|" + "---|" * len(MOMENTS))
    for at_once in (1, MAX_AT_ONCE):
        service = Service(Settings(max_at_once=at_once))
        if models is not None:
            service.models = models
        models = service.models
        first_words_s(service, short, options)  # loads the model
        alone = [first_words_s(service, short, options) for _ in range(chosen.runs)]
        row = [statistics.median(alone)]
        for moment in MOMENTS:
            times = [beside_s(service, long, short, options, moment) for _ in range(chosen.runs)]
            row.append(statistics.median(times))
        cells = " | ".join(f"{seconds:.2f}" for seconds in row)
        print(f"| {at_once} run{'s' if at_once > 1 else ''} at once | {cells} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
