"""The Python interface: summarize a file or a text in one call, or stream it as typed events."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .documents.load import document_from_text, load_document
from .errors import AppError, NotReadable
from .events import Event, Finished, Progress, Summary
from .runs.model_cache import ModelCache
from .runs.request import Request
from .runs.request_run import summarize_all
from .runs.stop import StopSignal
from .settings import DEFAULT_BEAMS, DEFAULT_LENGTH, DEFAULT_MODEL, READABLE_SUFFIXES, Settings
from .summary.options import Options


def summarize(
    source: str | os.PathLike[str],
    *,
    length: str = DEFAULT_LENGTH,
    words: int | None = None,
    by_section: bool = False,
    pages: str = "",
    sections: str = "",
    include_references: bool = False,
    num_beams: int = DEFAULT_BEAMS,
    max_new_tokens: int | None = None,
    max_input_tokens: int | None = None,
    model: str = DEFAULT_MODEL,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    password: str | None = None,
    ocr: bool = False,
    stop_event: threading.Event | None = None,
    **decoding: Any,
) -> Summary:
    """Return the summary of a document; `.summary` is its text.

    Takes the arguments of :func:`stream` and raises the same errors.
    """
    events = stream(
        source,
        length=length,
        words=words,
        by_section=by_section,
        pages=pages,
        sections=sections,
        include_references=include_references,
        num_beams=num_beams,
        max_new_tokens=max_new_tokens,
        max_input_tokens=max_input_tokens,
        model=model,
        revision=revision,
        device=device,
        dtype=dtype,
        password=password,
        ocr=ocr,
        stop_event=stop_event,
        **decoding,
    )
    for event in events:
        if isinstance(event, Finished):
            return event.summary
    raise AppError("The run ended without a summary: start it again.")


def stream(
    source: str | os.PathLike[str],
    *,
    length: str = DEFAULT_LENGTH,
    words: int | None = None,
    by_section: bool = False,
    pages: str = "",
    sections: str = "",
    include_references: bool = False,
    num_beams: int = DEFAULT_BEAMS,
    max_new_tokens: int | None = None,
    max_input_tokens: int | None = None,
    model: str = DEFAULT_MODEL,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    password: str | None = None,
    ocr: bool = False,
    stop_event: threading.Event | None = None,
    **decoding: Any,
) -> Iterator[Event]:
    """Summarize a document and yield what happens as events of :mod:`app.events`.

    The last event is `Finished`, which carries the summary; when `stop_event` was set it carries
    what was written until then.

    Args:
        source: the document. A `Path` is a file. A `str` is a file when one of that name exists,
            and otherwise the text to summarize. A `str` of one line that ends like a document
            (".pdf", ".docx", ...) and names no file raises NotReadable.
        length: "short", "medium" or "long": about 80, 200 or 500 words.
        words: about so many words, 20 to 5,000, instead of a length.
        by_section: add one to three sentences for each section, as `Summary.by_section`.
        pages: only these pages, such as "1-5,9".
        sections: only these sections, by number ("1,3-4") or by title.
        include_references: read the list of references too.
        num_beams: hypotheses searched, 1 to 16.
        max_new_tokens: most tokens written per section; None follows the length.
        max_input_tokens: most tokens read in one pass; None is the model's window.
        model: "bundled", a folder, or a name on the Hugging Face hub.
        revision: branch, tag or commit of a hub checkpoint.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        password: opens a protected PDF.
        ocr: read the pictures of text on scanned pages.
        stop_event: ends the run within one step once it is set.
        decoding: no_repeat_ngram_size, repetition_penalty, encoder_no_repeat_ngram_size and
            length_penalty replace the settings of a model that writes in its own words.

    The model stays loaded for the next call. Calls may run at once, in threads or as streams that
    are read in turns: they share the model's steps, and each gives what it gives alone. Raises
    AppError, whose message is a sentence for the person: BadOption and
    NotReadable at the call, all others while the events are read.
    """
    chosen = (length, num_beams, max_new_tokens, pages, max_input_tokens, include_references)
    options = Options(*chosen, sections, words=words, by_section=by_section, **decoding)
    options.check()
    path = file_named_by(source)
    settings = Settings(model=model, revision=revision, device=device, dtype=dtype)
    return _events(source, path, options, settings, password, ocr, stop_event)


def file_named_by(source: str | os.PathLike[str]) -> Path | None:
    """Return the file that a source names, or None when the source is a text.

    Raises NotReadable for a name that looks like a document's and names no file.
    """
    if isinstance(source, os.PathLike):
        return Path(source).expanduser()
    if not isinstance(source, str):
        kind = type(source).__name__
        raise TypeError(f"The document must be a path or a text (a str), not {kind}.")
    name = os.path.expanduser(source)
    if os.path.exists(name):
        return Path(name)
    if "\n" not in source.strip() and Path(name.strip()).suffix.lower() in READABLE_SUFFIXES:
        raise NotReadable(f"There is no file “{source}”: check its name and folder.")
    return None


def _events(
    source: str | os.PathLike[str],
    path: Path | None,
    options: Options,
    settings: Settings,
    password: str | None,
    ocr: bool,
    stop_event: threading.Event | None,
) -> Iterator[Event]:
    yield Progress("reading", 0, 1)
    began = time.monotonic()
    if path is None:
        document = document_from_text(str(source))
    else:
        document = load_document(path, password=password, ocr=ocr, stop_event=stop_event)
    yield Progress("reading", 1, 1)
    read_s = time.monotonic() - began
    request = Request((document,), options, settings.model, (read_s,))
    request.check()
    stop = StopSignal(stop_event.is_set) if stop_event is not None else None
    yield from summarize_all(request, _model_cache(settings), stop)


@functools.lru_cache(maxsize=1)
def _model_cache(settings: Settings) -> ModelCache:
    """Return the cache of the loaded model; other settings evict it."""
    return ModelCache(settings)
