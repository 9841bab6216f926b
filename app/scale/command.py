"""The `corpus` command: summarize many documents with Ray, on this machine or on a cluster."""

from __future__ import annotations

import argparse
import contextlib
import queue
import signal
import sys
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from longt5.errors import UserError, positive
from longt5.evaluation.ray_session import ray_session, require_ray

from ..arguments import (
    add_decoding_options,
    add_device_options,
    add_model_options,
    add_search_options,
    add_verbose_option,
    search_options,
)
from ..errors import AppError, BadOption, Cancelled
from ..export.formats import EXPORT_FORMATS
from ..runs.stop import StopSignal
from ..settings import Settings
from ..summary.models import resolve_model
from .pipeline import require_same_program, summarize_corpus, unchanged_ids
from .progress import CorpusProgress
from .source import Corpus
from .store import CorpusStore
from .tasks import CorpusResult, CorpusSettings

STOP_POLL_S = 0.2  # between two looks at the stop signal while no result arrives


def add_corpus_command(
    commands: Any, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add the `corpus` command, which `run` carries out."""
    settings = Settings()
    parser: argparse.ArgumentParser = commands.add_parser(
        "corpus", help="summarize many documents, on this machine or on a cluster"
    )
    parser.set_defaults(run=run)
    option = parser.add_argument
    option(
        "source",
        metavar="SOURCE",
        help="a folder, a pattern ('reports/*.pdf'), a JSON Lines or Parquet file with a column "
        "text or path, or an address of these (s3://, gs://, hf://)",
    )
    option(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="a folder, or the address of one, for Parquet files with a row for each document",
    )
    option(
        "--ray",
        metavar="ADDRESS",
        help="a Ray cluster, as HOST:6379, or auto on one of its machines (default: this machine)",
    )
    option(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that hold the model (default: one per GPU, or per 4 cores)",
    )
    option("--resume", action="store_true", help="go on in OUT: make what is missing or failed")
    option(
        "--format", choices=EXPORT_FORMATS, help="also write a file for each document, in this form"
    )
    option("--include-references", action="store_true", help="read lists of references too")
    option("--ocr", action="store_true", help="read the text of scanned pages by OCR (slow)")
    add_model_options(parser, settings)
    add_search_options(parser)
    add_device_options(parser, settings)
    add_verbose_option(parser)
    add_decoding_options(parser)
    return parser


@dataclass
class CorpusRunner:
    """Carries out one `corpus` command."""

    source: str
    output: str
    settings: CorpusSettings
    address: str | None
    workers: int | None
    resume: bool
    progress: CorpusProgress

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, live: bool) -> CorpusRunner:
        """Return the command that parsed arguments describe; `live` terminals can move the cursor.

        Raises BadOption.
        """
        options = search_options(arguments)
        settings = CorpusSettings(
            options,
            arguments.model,
            arguments.revision,
            arguments.device,
            arguments.dtype,
            arguments.ocr,
            arguments.format,
        )
        progress = CorpusProgress(sys.stderr, live)
        return cls(
            arguments.source,
            arguments.output,
            settings,
            arguments.ray,
            arguments.workers,
            arguments.resume,
            progress,
        )

    def run(self, stop: StopSignal) -> int:
        """Run the command and return the exit code. Raises AppError."""
        try:
            require_ray(self.address)
        except UserError as error:
            raise BadOption(str(error)) from error
        resolve_model(self.settings.model, self.settings.revision)
        corpus = Corpus(self.source, self.output)
        with contextlib.closing(CorpusStore(self.output, self.settings, self.resume)) as store:
            self.progress.begin(len(corpus))
            try:
                unchanged = set(self._unchanged(corpus, store.finished(), stop))
                if len(unchanged) < self.progress.total:
                    for result in self._results(corpus, unchanged, stop):
                        self._take(result, store)
            finally:
                self.progress.clear()
        print(self.progress.outcome(self.output))
        return 1 if self.progress.failed else 0

    def _take(self, result: CorpusResult | None, store: CorpusStore) -> None:
        if result is not None:
            store.add(result, self.settings.format)
            self.progress.add(result.id, result.row)
        else:
            self.progress.show()
        store.write_if_due()

    def _unchanged(
        self, corpus: Corpus, finished: Mapping[str, str], stop: StopSignal
    ) -> Iterator[str]:
        """Yield the documents whose summaries an earlier run has made. Raises Cancelled."""
        if not finished:
            return
        for place in unchanged_ids(corpus, finished):
            self._raise_if_stopped(stop)
            self.progress.skip()
            yield place

    def _results(
        self, corpus: Corpus, unchanged: Container[str], stop: StopSignal
    ) -> Iterator[CorpusResult | None]:
        """Yield results as they come, and None now and then while none does.

        Raises Cancelled soon after the stop, and AppError.
        """
        results: queue.Queue[CorpusResult | Exception | None] = queue.Queue()
        use_gpus = self.settings.device.partition(":")[0] in ("auto", "cuda")
        self.progress.start_ray()
        try:
            with (
                ray_session(self.address, self.workers, use_gpus) as layout,
                _stop_on_termination(stop),
            ):
                self.progress.start_work()
                if self.address is not None:
                    require_same_program()

                def work() -> None:
                    try:
                        for result in summarize_corpus(corpus, unchanged, self.settings, layout):
                            results.put(result)
                        results.put(None)
                    except Exception as error:
                        results.put(error)

                threading.Thread(target=work, name="corpus", daemon=True).start()
                yield from self._drain(results, stop)
        except UserError as error:
            raise AppError(str(error)) from error

    def _raise_if_stopped(self, stop: StopSignal) -> None:
        if stop.is_set():
            raise Cancelled(
                f"Stopped: {self.progress.counts()}. Run the same command with --resume to go on."
            )

    def _drain(
        self, results: queue.Queue[CorpusResult | Exception | None], stop: StopSignal
    ) -> Iterator[CorpusResult | None]:
        while True:
            if results.empty():
                self._raise_if_stopped(stop)
            try:
                result = results.get(timeout=STOP_POLL_S)
            except queue.Empty:
                yield None
                continue
            if result is None:
                return
            if isinstance(result, Exception):
                raise result
            yield result


@contextlib.contextmanager
def _stop_on_termination(stop: StopSignal) -> Iterator[None]:
    """Take SIGTERM for a stop: Ray, which is running by now, would print a trace and exit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
