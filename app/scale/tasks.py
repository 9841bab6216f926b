"""The work on one document of a corpus: read, plan, write. Each step returns a value that travels
between machines."""

from __future__ import annotations

import functools
import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents import limits
from ..documents.load import load_document
from ..documents.model import Document
from ..errors import AppError, DeviceLost, NotReadable, TooLong
from ..events import Finished, Summary
from ..export.formats import export_bytes
from ..runs.batch import describe_unexpected
from ..runs.device_errors import translate_device_errors
from ..settings import APP_VERSION
from ..summary.options import Options
from ..summary.plan import SummaryPlan, make_plan
from .filesystem import is_remote, open_address
from .source import CorpusDocument, encode_text

_LOST = (
    "The process that {step} “{name}” was ended each time, most likely because memory ran short: "
    "try it alone, on a machine with more memory."
)

if TYPE_CHECKING:
    from ..summary.extractive import ExtractivePlanners
    from ..summary.summarizer import Summarizer


@dataclass(frozen=True)
class CorpusSettings:
    """All that the summaries of a corpus depend on, besides the documents."""

    options: Options = Options()
    model: str = "bundled"
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    ocr: bool = False
    format: str | None = None  # of a file for each document


@dataclass(frozen=True)
class CorpusWork:
    """A document on its way: `document` once it is read, `plan` once it is planned."""

    source: CorpusDocument
    document: Document | None = None
    plan: SummaryPlan | None = None
    read_s: float = 0.0
    error: str = ""
    is_fatal: bool = False  # an error that every document would have


@dataclass(frozen=True)
class CorpusResult:
    """A finished document: its row of the output, and the content of its own file, if asked for.

    `is_fatal`: the row's error is one that every document would have.
    """

    id: str
    row: dict[str, Any]
    exported: bytes | None = None
    is_fatal: bool = False


@dataclass(frozen=True)
class CorpusReader:
    """Reads documents, each in a child process within the limits of reading."""

    ocr: bool = False

    def __call__(self, source: CorpusDocument) -> CorpusWork:
        """Return the document that was read, or the reason why it was not."""
        if source.error:
            return CorpusWork(source, error=source.error)
        began = time.monotonic()
        try:
            document = self._load(source)
        except AppError as error:
            return CorpusWork(source, error=str(error))
        except Exception as error:
            return CorpusWork(source, error=describe_unexpected(error))
        return CorpusWork(source, document, read_s=time.monotonic() - began)

    def _load(self, source: CorpusDocument) -> Document:
        if source.text is None and not is_remote(source.path):
            local = open_address(source.path)[1]
            return load_document(local, name=source.name, ocr=self.ocr)
        with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
            path = Path(folder) / ("document.txt" if source.text is not None else "document")
            if source.text is not None:
                path.write_bytes(encode_text(source.text))
            else:
                _fetch(source, path)
            return load_document(path, name=source.name, ocr=self.ocr)


def _fetch(source: CorpusDocument, target: Path) -> None:
    """Copy a file of another filesystem to this machine. Raises TooLong and NotReadable."""
    try:
        system, path = open_address(source.path)
        size = int(system.size(path) or 0)
        if size <= limits.MAX_FILE_BYTES:
            system.get_file(path, str(target))
            return
    except AppError:
        raise
    except Exception as error:  # filesystems raise many types
        raise NotReadable(
            f"“{source.name}” cannot be fetched ({type(error).__name__}): check its address, and "
            "the login of this machine for it."
        ) from error
    most = limits.MAX_FILE_BYTES // 1024**2
    raise TooLong(
        f"“{source.name}” is {size / 1024**2:.0f} MB and the limit is {most} MB: split it first."
    )


@dataclass(frozen=True)
class CorpusPlanner:
    """Plans summaries without the weights of the model."""

    settings: CorpusSettings

    def __call__(self, work: CorpusWork) -> CorpusWork:
        """Return the work with its plan, or with the reason why there is none."""
        if work.document is None or work.error:
            return work
        try:
            tokenizer, planners = _planning_of(self.settings.model, self.settings.revision)
        except AppError as error:
            return replace(work, error=str(error), is_fatal=True)
        try:
            plan = make_plan(work.document, self.settings.options, tokenizer, planners)
        except AppError as error:
            return replace(work, error=str(error))
        except Exception as error:
            return replace(work, error=describe_unexpected(error))
        finally:
            if planners is not None:
                planners.clear()  # no other run of this document follows in this process
        return replace(work, plan=plan)


@functools.lru_cache(maxsize=1)
def _planning_of(model: str, revision: str | None) -> tuple[Any, ExtractivePlanners | None]:
    from ..summary.loading import load_planning

    return load_planning(model, revision)


class CorpusWriter:
    """Holds a loaded model, and writes the summaries of planned documents, several at once."""

    def __init__(self, settings: CorpusSettings) -> None:
        from ..summary.summarizer import Summarizer

        self.settings, self.failure = settings, ""
        try:
            self.summarizer: Summarizer | None = Summarizer.load(
                settings.model,
                revision=settings.revision,
                device=settings.device,
                dtype=settings.dtype,
            )
            self.summarizer.planners = None  # plans come with the documents
        except AppError as error:
            self.summarizer, self.failure = None, str(error)

    def __call__(self, work: CorpusWork) -> CorpusResult:
        """Return the result of one document."""
        if self.summarizer is None and not work.error:
            work = replace(work, error=self.failure, is_fatal=True)
        if self.summarizer is None or work.plan is None or work.error:
            return failed_result(work)
        return write_planned(self.summarizer, work, self.settings.format)


def write_planned(summarizer: Summarizer, work: CorpusWork, fmt: str | None) -> CorpusResult:
    """Return the result of a planned document, with a file in a format if one is named.

    A device that failed ends the process, because only a new one can use it again.
    """
    assert work.plan is not None
    try:
        events = translate_device_errors(summarizer.stream_plan(work.plan, read_s=work.read_s))
        summary = next(event.summary for event in events if isinstance(event, Finished))
    except DeviceLost:
        os._exit(1)
    except AppError as error:
        return failed_result(replace(work, error=str(error)))
    except Exception as error:
        return failed_result(replace(work, error=describe_unexpected(error)))
    finally:
        summarizer.forget(work.plan)  # no other length is asked for
    exported = export_bytes(summary, fmt) if fmt else None
    return CorpusResult(work.source.id, row_of(work, summary), exported)


def program_version() -> str:
    """Return the version of this program on the machine that runs this."""
    return APP_VERSION


def mark_as_lost(item: CorpusDocument | CorpusWork) -> CorpusDocument | CorpusWork:
    """Return an item that ended its process each time it was tried, with that as its error."""
    is_unread = isinstance(item, CorpusDocument)
    source = item if isinstance(item, CorpusDocument) else item.source
    step = "read" if is_unread else "summarized"
    return replace(item, error=_LOST.format(step=step, name=source.name))


def failed_result(work: CorpusWork) -> CorpusResult:
    """Return the result of a document that could not be summarized."""
    return CorpusResult(work.source.id, row_of(work, None), is_fatal=work.is_fatal)


def row_of(work: CorpusWork, summary: Summary | None) -> dict[str, Any]:
    """Return the row of a document, with its summary or the reason why there is none."""
    source, document = work.source, work.document
    row: dict[str, Any] = {"id": source.id, "path": source.path, "error": work.error}
    if document is not None:
        row |= {
            "sha256": document.sha256,
            "pages": len(document.pages),
            "losses": [asdict(loss) | {"kind": loss.kind.value} for loss in document.losses],
            "warnings": [warning.message for warning in document.warnings],
        }
    if work.plan is not None:
        row["words"] = work.plan.words
    if summary is not None:
        sections = (*summary.sections, *summary.by_section)
        row |= {
            "summary": summary.summary,
            "sentences": [
                {name: value for name, value in sentence.to_dict().items() if name != "marks"}
                for section in summary.sections
                for sentence in section.sentences
            ],
            "sections": [
                {"title": part.title, "pages": list(part.pages), "text": part.text}
                for part in summary.by_section
            ],
            "coverage": [{"page": page, "status": status} for page, status in summary.coverage],
            "warnings": [warning.message for warning in summary.warnings],
            "timings": summary.to_dict()["timings"],
            "tokens_read": sum(section.tokens_in for section in sections),
            "tokens_written": sum(section.tokens_out for section in sections),
            "weights_sha256": summary.provenance.get("weights_sha256", ""),
        }
    return row
