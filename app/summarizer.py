"""Documents become a stream of events; the blocking call drains the stream."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from app.chunking import Chunk, chunk_document
from app.coverage import coverage_of, without_references
from app.documents import ranges
from app.errors import AppError, BadOption, ModelNotFound
from app.events import (
    DraftText,
    Event,
    Finished,
    Progress,
    SectionDone,
    SectionStarted,
    SectionSummary,
    Summary,
)
from app.evidence import SentenceWriter, Source
from app.models import copy_penalty, model_label, resolve_model, window
from app.overview import overview_of
from app.provenance import ModelIdentity, provenance_of, weights_digest
from app.settings import (
    APP_VERSION,
    DEFAULT_BEAMS,
    DEFAULT_LENGTH,
    LENGTH_WORDS,
    MAX_BEAMS,
    WINDOW_RANGE,
)
from longt5.sentences import count_words, ended, headings_of, settled, without_headings

ONE_SENTENCE = 40  # words; a target below it is met by one sentence
SENTENCE_WORDS = 20  # the least a section gets: about one sentence
KEPT_TOKENS = 32_768  # encoder states kept for another length or beam width


@dataclass(frozen=True)
class Options:
    """What a person may choose for one run. `max_new_tokens` limits each section."""

    length: str = DEFAULT_LENGTH
    num_beams: int = DEFAULT_BEAMS
    max_new_tokens: int | None = None
    pages: str = ""
    max_input_tokens: int | None = None
    include_references: bool = False

    def check(self) -> None:
        """Raises BadOption naming the option, before anything is computed."""
        if self.length not in LENGTH_WORDS:
            raise BadOption(
                f"There is no length called {self.length}: choose {', '.join(LENGTH_WORDS)}."
            )
        if not 1 <= self.num_beams <= MAX_BEAMS:
            raise BadOption(f"The number of beams must be 1 to {MAX_BEAMS}, not {self.num_beams}.")
        if self.max_new_tokens is not None and self.max_new_tokens < 1:
            raise BadOption(f"Max new tokens must be at least 1, not {self.max_new_tokens}.")
        if self.max_input_tokens is not None and self.max_input_tokens < WINDOW_RANGE[0]:
            raise BadOption(
                f"The largest input must be at least {WINDOW_RANGE[0]} tokens, not "
                f"{self.max_input_tokens}."
            )


def share_words(length: str, chunks: list[Chunk]) -> list[int]:
    """Word targets of the sections: the document's target shared by source length, never more
    than a third of the source, and never less than a sentence."""
    sizes = [count_words(chunk.text) for chunk in chunks]
    whole = sum(sizes) or 1
    target = min(LENGTH_WORDS[length], whole / 3)
    return [max(round(target * size / whole), min(SENTENCE_WORDS, size // 2), 1) for size in sizes]


def token_limits(words: int, chunk: Chunk, longest: int | None) -> tuple[int, int]:
    """(min_new_tokens, max_new_tokens) for about `words` words of this chunk's language."""
    rate = len(chunk.input_ids) / max(1, count_words(chunk.text))
    rate = min(max(rate, 1.0), 8.0)
    # The search ends with the first sentence after the least length, half a sentence later on
    # average; the room above the target lets that sentence end.
    least = round(rate * (words * 0.4 if words < ONE_SENTENCE else words - 10))
    most = round(rate * (words * 1.15 + 30)) + 8
    if longest is not None:
        least, most = min(least, longest), longest
    return least, most


class _Either(threading.Event):
    """Set when either the caller's event or its own is."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        return super().is_set() or (self.other is not None and self.other.is_set())


@dataclass
class _Clock:
    encode_s: float = 0.0
    decode_s: float = 0.0


Resume = Callable[[dict[str, Any]], Sequence[SectionSummary]]


class Summarizer:
    """A loaded model and its tokenizer. One run at a time; see :class:`app.jobs.JobRunner`."""

    def __init__(self, model: Any, tokenizer: Any, identity: ModelIdentity) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.identity = identity
        self.name = identity.name
        self.window = window(tokenizer)
        self._kept: OrderedDict[tuple[int, ...], Any] = OrderedDict()

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
        from app.documents import require_text, select_pages

        options = options or Options()
        options.check()
        if options.pages.strip():
            document = select_pages(document, options.pages)
        require_text(document)
        limit = window(self.tokenizer, options.max_input_tokens)
        references: tuple[int, ...] = ()
        if not options.include_references:
            document, references = without_references(document)
        return self._stream(document, references, options, limit, stop_event, read_s, resume)

    def summarize(self, document: Any, options: Options | None = None) -> Summary:
        """The blocking call: the stream, drained."""
        *_, last = self.stream(document, options)
        assert isinstance(last, Finished)
        return last.summary

    def _stream(
        self,
        document: Any,
        references: tuple[int, ...],
        options: Options,
        limit: int,
        stop_event: threading.Event | None,
        read_s: float,
        resume: Resume | None,
    ) -> Iterator[Event]:
        began, clock = time.monotonic(), _Clock()
        chunks = chunk_document(document, self.tokenizer, limit)
        kept = list(resume(self._plan(chunks, options)))[: len(chunks)] if resume else []
        targets = share_words(options.length, chunks)
        source = Source(document)
        done: list[SectionSummary] = []
        stopped = False
        for number, (chunk, words) in enumerate(zip(chunks, targets, strict=True), start=1):
            if stop_event is not None and stop_event.is_set():
                stopped = True
                break
            yield SectionStarted(number, len(chunks), chunk.pages)
            if number <= len(kept):
                done.append(kept[number - 1])
                yield SectionDone(number, done[-1])
                continue
            encoded = None
            for item in self._encode(chunk, number, len(chunks), stop_event, clock):
                if isinstance(item, Progress):
                    yield item
                else:
                    encoded = item
            if encoded is None:
                stopped = True
                break
            for event in self._decode(
                chunk, encoded, words, options, (number, len(chunks)), stop_event, clock, source
            ):
                yield event
                if isinstance(event, SectionDone):
                    done.append(event.result)
            if done and done[-1].finish_reason in ("stopped", "deadline"):
                stopped = True
                break
        timings = {
            "read_s": round(read_s, 3),
            "encode_s": round(clock.encode_s, 3),
            "decode_s": round(clock.decode_s, 3),
            "total_s": round(read_s + time.monotonic() - began, 3),
        }
        summary = self._summary(document, options, chunks, done, timings, stopped)
        reached = chunks[len(done) - 1].pages[1] if done else 0
        coverage = coverage_of(document, references, reached if stopped else None)
        if references:
            summary = replace(summary, warnings=(*summary.warnings, _left_out(references)))
        dtype = str(self.model.dtype).removeprefix("torch.")
        made = provenance_of(document, options, self.identity, dtype, coverage)
        overview = overview_of(done)
        yield Finished(replace(summary, coverage=coverage, provenance=made, overview=overview))

    def _plan(self, chunks: list[Chunk], options: Options) -> dict[str, Any]:
        """All that a finished section depends on: whoever has the same gets the same words."""
        return {
            "options": asdict(options),
            "model": self.name,
            "revision": self.identity.revision,
            "weights_sha256": self.identity.weights_sha256,
            "decoding": self.identity.decoding,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": self.model.device.type,
            "app_version": APP_VERSION,
            "chunks": [
                {"pages": chunk.pages, "sha256": hashlib.sha256(
                    " ".join(map(str, chunk.input_ids)).encode()).hexdigest()}
                for chunk in chunks
            ],
        }  # fmt: skip

    def _encode(
        self,
        chunk: Chunk,
        number: int,
        sections: int,
        stop_event: threading.Event | None,
        clock: _Clock,
    ) -> Iterator[Any]:
        """Yields Progress for each layer, then the encoder states; nothing more when stopped."""
        key = tuple(chunk.input_ids)
        if key in self._kept:
            self._kept.move_to_end(key)
            yield self._kept[key]
            return
        began = time.monotonic()
        stop = _Either(stop_event)
        news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # A callback cannot yield, so the encoder runs beside us and reports its layers here.
        worker = threading.Thread(
            target=self._encode_beside, args=(chunk, stop, news), name="encode", daemon=True
        )
        worker.start()
        try:
            while True:
                kind, value = news.get()
                if kind == "layer":
                    yield Progress("encoding", value[0], value[1], number, sections)
                    continue
                break
        finally:
            stop.set()
            worker.join()
        clock.encode_s += time.monotonic() - began
        if kind == "error":
            raise value
        if kind == "done":
            self._keep(key, value)
            yield value

    def _encode_beside(
        self, chunk: Chunk, stop: threading.Event, news: queue.SimpleQueue[Any]
    ) -> None:
        from longt5 import Stopped

        try:
            # The app never imports torch: the model makes the tensor of ids [1, S].
            weight = next(iter(self.model.parameters()))
            ids = weight.new_empty(0).long().new_tensor([chunk.input_ids])
            states = self.model.encode(
                ids,
                on_progress=lambda done, total: news.put(("layer", (done, total))),
                stop_event=stop,
            )
            news.put(("done", states))
        except Stopped:
            news.put(("stopped", None))
        except BaseException as error:
            news.put(("error", error))

    def forget(self) -> None:
        """Let go of the encoder states that were kept for another run."""
        self._kept.clear()

    def _keep(self, key: tuple[int, ...], states: Any) -> None:
        self._kept[key] = states
        while len(self._kept) > 1 and sum(map(len, self._kept)) > KEPT_TOKENS:
            self._kept.popitem(last=False)

    def _decode(
        self,
        chunk: Chunk,
        encoded: Any,
        words: int,
        options: Options,
        place: tuple[int, int],
        stop_event: threading.Event | None,
        clock: _Clock,
        source: Source,
    ) -> Iterator[Event]:
        from longt5 import StreamingDecoder

        began = time.monotonic()
        writer = SentenceWriter(chunk, self.tokenizer, source)
        least, most = token_limits(words, chunk, options.max_new_tokens)
        decoder = StreamingDecoder(self.tokenizer)
        sure, maybe, count, reason = "", "", 0, "stopped"
        tokens: list[int] = []
        headings = headings_of(chunk.text)
        copying = self._copying(writer, options.num_beams)
        drafts = self.model.stream(
            encoded=encoded,
            stop_event=stop_event,
            num_beams=options.num_beams,
            num_return_sequences=1,
            min_new_tokens=least,
            max_new_tokens=most,
            record_attention=True,
            spans=[writer.spans],
            logits_processor=copying,
            # Whole sentences repeat names; the rule for copying keeps them from coming twice.
            **({"no_repeat_ngram_size": 0} if copying else {}),
            # A sum of log-probs, not their mean, prefers the shorter of two sentences.
            **({"length_penalty": 0.0} if words < ONE_SENTENCE else {}),
        )
        for draft in drafts:
            sure, maybe = decoder.update(draft.committed, draft.provisional, done=draft.done)
            count = len(draft.committed) + len(draft.provisional)
            writer.attention += draft.attention or []
            if draft.done:
                reason = draft.finish_reason or "eos"
                tokens = [*draft.committed, *draft.provisional]
                break
            firm = without_headings(settled(sure), headings)
            guess = without_headings(sure + maybe, headings)[len(firm) :]
            cited = writer.sentences(settled(sure), draft.committed, headings)
            yield DraftText(place[0], firm, guess, cited)
            yield Progress("decoding", min(count, most), most, *place)
        clock.decode_s += time.monotonic() - began
        raw = ended(sure + maybe, reason)
        text = without_headings(raw, headings)
        cited = writer.sentences(raw, tokens, headings)
        yield DraftText(place[0], text, "", cited)
        result = SectionSummary(
            chunk.pages, text, len(chunk.input_ids), count, reason, cited
        )
        yield SectionDone(place[0], result)

    def _copying(self, writer: SentenceWriter, num_beams: int) -> list[Any]:
        """For a model that copies, the rule that keeps it inside the sentences of the source."""
        from longt5.copying import CopyPenalty

        penalty = copy_penalty(self.name)
        if not penalty:
            return []
        eos = self.tokenizer.eos_token_id
        return [CopyPenalty(penalty, [writer.source_sentences()], num_beams, eos)]

    def _summary(
        self,
        document: Any,
        options: Options,
        chunks: list[Chunk],
        done: list[SectionSummary],
        timings: dict[str, float],
        stopped: bool,
    ) -> Summary:
        warnings = list(document.warnings)
        if stopped and len(done) < len(chunks):
            first = chunks[len(done)].pages[0]
            warnings.append(f"Stopped: what follows from page {first} on is not summarized.")
        return Summary(
            name=document.name,
            pages=len(document.pages),
            model=self.name,
            options=asdict(options),
            summary="\n\n".join(section.text for section in done if section.text),
            sections=tuple(done),
            warnings=tuple(warnings),
            timings=timings,
            stopped=stopped,
        )


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
