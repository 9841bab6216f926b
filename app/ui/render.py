"""A run's state as HTML. Everything that comes from a document is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.board import Board, DocumentBoard, SectionBoard
from app.documents import Document
from app.export import page_range, provenance
from app.sentences import count_words

STAGES = {
    "waiting": "Waiting",
    "reading": "Reading",
    "loading": "Loading the model",
    "encoding": "Understanding",
    "decoding": "Writing",
    "done": "Done",
    "stopped": "Stopped",
}
EMPTY = (
    '<div class="empty"><p>Drop a PDF, or paste a long text, then press '
    "<strong>Summarize</strong>.</p><p>Sentences that can no longer change are solid; the "
    'search\'s current best guess is <span class="provisional">grey</span>.</p></div>'
)


def error(message: str) -> str:
    """A failure, announced by screen readers."""
    return f'<div class="problem" role="alert">{escape(message)}</div>'


def notice(message: str) -> str:
    """Something worth knowing that is no failure."""
    return f'<div class="notice" role="status">{escape(message)}</div>'


def bar(stage: str, fraction: float, detail: str = "") -> str:
    """A progress bar with its stage in words."""
    percent = round(100 * min(max(fraction, 0.0), 1.0))
    words = STAGES[stage] + (f" · {detail}" if detail else "")
    return (
        f'<div class="status" role="status"><div class="words">{escape(words)}</div>'
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-label="{escape(STAGES[stage])}">'
        f'<div style="width:{percent}%"></div></div></div>'
    )


def status(board: Board, ahead: int = 0) -> str:
    """Where a run is."""
    if board.stage == "waiting":
        detail = f"{ahead} before this one" if ahead else ""
        return bar("waiting", 0.0, detail)
    p, parts = board.progress, []
    if board.total > 1:
        parts.append(f"document {len(board.documents)} of {board.total}")
    if p is not None and p.sections > 1:
        parts.append(f"section {p.section} of {p.sections}")
    return bar(board.stage, board.fraction, ", ".join(parts))


def finished(board: Board) -> str:
    """The line under a summary that has ended."""
    summaries = [d.summary for d in board.documents if d.summary]
    seconds = sum(s.timings.get("total_s", 0.0) for s in summaries)
    words = sum(count_words(s.summary) for s in summaries)
    stage = "stopped" if any(s.stopped for s in summaries) else "done"
    return bar(stage, board.fraction if stage == "stopped" else 1.0,
               f"{words} words in {seconds:.1f} s")  # fmt: skip


def summary(board: Board) -> str:
    """All documents of a run: solid where certain, grey where not yet."""
    several = len(board.documents) > 1 or board.total > 1
    parts = [_document(document, several) for document in board.documents]
    busy = any(not (d.summary or d.error) for d in board.documents)
    return f'<div id="summary" aria-busy="{str(busy).lower()}">{"".join(parts)}</div>'


def _document(document: DocumentBoard, several: bool) -> str:
    html = f"<h2>{escape(document.name)}</h2>" if several else ""
    if document.error:
        return html + error(document.error)
    headed = len(document.sections) > 1
    html += "".join(_section(section, headed) for section in document.sections)
    if document.summary is not None:
        warnings = "".join(f"<li>{escape(w)}</li>" for w in document.summary.warnings)
        html += f'<ul class="warnings">{warnings}</ul>' if warnings else ""
        html += f'<p class="provenance">{escape(provenance(document.summary))}</p>'
    return f"<article>{html}</article>"


def _section(section: SectionBoard, headed: bool) -> str:
    heading = f"<h3>{escape(page_range(section.pages))}</h3>" if headed else ""
    # The guess continues the certain text in the same paragraph, its own spaces included.
    text = escape(section.committed).replace("\n\n", "</p><p>")
    guess = ""
    if section.provisional:
        guess = f'<span class="provisional">{escape(section.provisional)}</span>'
    return f'{heading}<p class="text">{text}{guess}</p>'


def facts(documents: Sequence[Document]) -> str:
    """What was read: pages, words, and what could not be read."""
    items = []
    for document in documents:
        count = len(document.pages)
        unit = document.unit if count == 1 else f"{document.unit}s"
        words = sum(count_words(page.text) for page in document.pages)
        warnings = "".join(f"<br><small>{escape(w)}</small>" for w in document.warnings)
        items.append(
            f"<li><strong>{escape(document.name)}</strong> · {count} {unit} · "
            f"{words:,} words{warnings}</li>"
        )
    return f'<ul class="facts">{"".join(items)}</ul>'
