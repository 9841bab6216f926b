"""Documents become a stream of events; the blocking call drains the stream."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.chunking import Chunk, chunk_document
from app.coverage import coverage_of, without_references
from app.documents import ranges
from app.errors import AppError, BadOption, ModelNotFound
from app.events import (
    Event,
    Finished,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
)
from app.evidence import Source
from app.lengths import share_words
from app.models import copy_penalty, model_label, resolve_model, window
from app.options import Options
from app.overview import overview_of
from app.provenance import ModelIdentity, provenance_of, weights_digest
from app.section_writer import SectionWriter
from app.sections import chosen_part
from app.settings import APP_VERSION
from app.states import KeptStates, encode

UNFINISHED = ("stopped", "deadline")
Resume = Callable[[dict[str, Any]], Sequence[SectionSummary]]


@dataclass
class _Clock:
    encode_s: float = 0.0
    decode_s: float = 0.0


class Summarizer:
    """A loaded model and its tokenizer. One run at a time; see :class:`app.jobs.JobRunner`."""

    def __init__(self, model: Any, tokenizer: Any, identity: ModelIdentity) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.identity = identity
        self.name = identity.name
        self.window = window(tokenizer)
        self.kept = KeptStates()

    @classmethod
    def load(
        cls,
        model: str = "bundled",
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Summarizer:
        """Load a checkpoint by name, folder or hub id. Raises ModelNotFound, BadOption."""
        where = resolve_model(model)
        if on_progress:
            on_progress(0, 2)
        from longt5 import LongT5ForConditionalGeneration, Tokenizer
        from longt5.weights import locate

        local = where != model or model_label(model) != model
        try:
            tokenizer = Tokenizer.from_pretrained(
                where, revision=revision, local_files_only=local
            )
            if on_progress:
                on_progress(1, 2)
            network = LongT5ForConditionalGeneration.from_pretrained(
                where, revision=revision, device=device, dtype=dtype, local_files_only=local
            )
        except AppError:
            raise
        except Exception as error:
            raise _cannot_load(model, device, dtype, error) from error
        network.eval()
        if on_progress:
            on_progress(2, 2)
        folder = locate(where, revision, local_files_only=True)
        identity = ModelIdentity(
            model_label(model), revision, weights_digest(folder),
            network.generation_config.to_dict(),
        )  # fmt: skip
        return cls(network, tokenizer, identity)

    def stream(
        self,
        document: Any,
        options: Options | None = None,
        *,
        stop_event: threading.Event | None = None,
        read_s: float = 0.0,
        resume: Resume | None = None,
    ) -> Iterator[Event]:
        """Summarize a Document. Raises BadOption and NoTextLayer at once; ends with Finished,
        also when `stop_event` was set, then with what there is. `resume` is told the plan of the
        run and returns the sections that an earlier run of the same plan has finished."""
        from app.documents import require_text

        options = options or Options()
        options.check()
        document = chosen_part(document, options.sections, options.pages)
        require_text(document)
        limit = window(self.tokenizer, options.max_input_tokens)
        references: tuple[int, ...] = ()
        if not options.include_references:
            document, references = without_references(document)
        run = _Run(self, document, references, options, limit, stop_event, read_s)
        return run.events(resume)

    @property
    def dtype(self) -> str:
        """The number format of the weights."""
        return str(self.model.dtype).removeprefix("torch.")

    def summarize(self, document: Any, options: Options | None = None) -> Summary:
        """The blocking call: the stream, drained."""
        *_, last = self.stream(document, options)
        assert isinstance(last, Finished)
        return last.summary

    def forget(self) -> None:
        """Let go of the encoder states that were kept for another run."""
        self.kept.clear()


@dataclass
class _Run:
    """One document on its way: what it is read with, and what is done so far."""

    summarizer: Summarizer
    document: Any
    references: tuple[int, ...]
    options: Options
    limit: int
    stop_event: threading.Event | None
    read_s: float

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.clock = _Clock()
        self.done: list[SectionSummary] = []
        self.chunks: list[Chunk] = []

    def events(self, resume: Resume | None) -> Iterator[Event]:
        """Every section in turn, then Finished."""
        self.chunks = chunk_document(self.document, self.summarizer.tokenizer, self.limit)
        kept = list(resume(self._plan()))[: len(self.chunks)] if resume else []
        targets = share_words(self.options.length, self.chunks)
        source = Source(self.document)
        for number, (chunk, words) in enumerate(zip(self.chunks, targets, strict=True), start=1):
            if self._is_stopped():
                break
            yield SectionStarted(
                number, len(self.chunks), chunk.pages, chunk.title, source.labels_of(chunk.pages)
            )
            if number <= len(kept):
                self.done.append(kept[number - 1])
                yield SectionDone(number, self.done[-1])
            else:
                yield from self._section(number, chunk, words, source)
            if len(self.done) < number or self.done[-1].finish_reason in UNFINISHED:
                break
        yield Finished(self._summary())

    def _is_stopped(self) -> bool:
        return self.stop_event is not None and self.stop_event.is_set()

    def _section(self, number: int, chunk: Chunk, words: int, source: Source) -> Iterator[Event]:
        """Read and write one section; when it is stopped while reading, it is not in `done`."""
        encoded = None
        place = (number, len(self.chunks))
        for item in self._encoded(chunk, place):
            if isinstance(item, Progress):
                yield item
            else:
                encoded = item
        if encoded is None:
            return
        began = time.monotonic()
        s = self.summarizer
        writer = SectionWriter(s.model, s.tokenizer, chunk, source, place, copy_penalty(s.name))
        for event in writer.events(encoded, words, self.options, self.stop_event):
            if isinstance(event, SectionDone):
                self.done.append(event.result)
                self.clock.decode_s += time.monotonic() - began
            yield event

    def _encoded(self, chunk: Chunk, place: tuple[int, int]) -> Iterator[Any]:
        """Yields Progress for each layer, then the encoder states; nothing more when stopped."""
        key = tuple(chunk.input_ids)
        states = self.summarizer.kept.get(key)
        if states is not None:
            yield states
            return
        began = time.monotonic()
        for item in encode(self.summarizer.model, key, self.stop_event):
            if isinstance(item, tuple):
                done, total = item
                yield Progress("encoding", done, total, *place)
            else:
                self.clock.encode_s += time.monotonic() - began
                self.summarizer.kept.keep(key, item)
                yield item

    def _plan(self) -> dict[str, Any]:
        """All that a finished section depends on: whoever has the same gets the same words."""
        s = self.summarizer
        return {
            "options": asdict(self.options),
            "model": s.name,
            "revision": s.identity.revision,
            "weights_sha256": s.identity.weights_sha256,
            "decoding": s.identity.decoding,
            "dtype": s.dtype,
            "device": s.model.device.type,
            "app_version": APP_VERSION,
            "chunks": [
                {"pages": chunk.pages, "sha256": hashlib.sha256(
                    " ".join(map(str, chunk.input_ids)).encode()).hexdigest()}
                for chunk in self.chunks
            ],
        }  # fmt: skip

    def _summary(self) -> Summary:
        """What there is, complete or not."""
        s, document, done = self.summarizer, self.document, self.done
        stopped = len(done) < len(self.chunks) or any(
            section.finish_reason in UNFINISHED for section in done
        )
        reached = self.chunks[len(done) - 1].pages[1] if done else 0
        coverage = coverage_of(document, self.references, reached if stopped else None)
        return Summary(
            name=document.name,
            pages=len(document.pages),
            model=s.name,
            options=asdict(self.options),
            summary="\n\n".join(section.text for section in done if section.text),
            sections=tuple(done),
            warnings=self._warnings(),
            timings=self._timings(),
            stopped=stopped,
            coverage=coverage,
            overview=overview_of(done),
            provenance=provenance_of(document, self.options, s.identity, s.dtype, coverage),
        )

    def _warnings(self) -> tuple[str, ...]:
        warnings = list(self.document.warnings)
        if len(self.done) < len(self.chunks):
            first = self.chunks[len(self.done)].pages[0]
            warnings.append(f"Stopped: what follows from page {first} on is not summarized.")
        if self.references:
            warnings.append(_left_out(self.references))
        return tuple(warnings)

    def _timings(self) -> dict[str, float]:
        return {
            "read_s": round(self.read_s, 3),
            "encode_s": round(self.clock.encode_s, 3),
            "decode_s": round(self.clock.decode_s, 3),
            "total_s": round(self.read_s + time.monotonic() - self.began, 3),
        }


def _left_out(references: tuple[int, ...]) -> str:
    where = f"page {references[0]}" if len(references) == 1 else f"pages {ranges(references)}"
    return f"The list of references ({where}) is left out; it can be included."


def _cannot_load(model: str, device: str, dtype: str, error: Exception) -> AppError:
    reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
    if isinstance(error, (FileNotFoundError, OSError)):
        return ModelNotFound(
            f"The model {model} could not be loaded ({reason}): check the name or the folder, "
            "and the network if it must be downloaded."
        )
    if device != "auto" or dtype != "auto":
        return BadOption(
            f"The model {model} could not be loaded on device {device} as {dtype} ({reason}): "
            "try --device auto --dtype auto."
        )
    return ModelNotFound(f"The model {model} could not be loaded ({reason}): choose another.")
