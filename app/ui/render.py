"""A run's state as HTML. Everything that comes from a document is escaped, and its language is
told to be unknown, or a screen reader would speak all of them as English."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape

from longt5.text.words import count_words

from ..documents.model import Document
from ..events import Sentence, Summary
from ..evidence.coverage import (
    MAX_WIDE_CELLS,
    STATUSES,
    citations_per_page,
    cite_pages,
    coverage_line,
    page_status_title,
)
from ..export.compare import (
    align_sections,
    common_sentences,
    describe_summary,
    normalize_sentence,
)
from ..export.shared import (
    OVERVIEW_HEADING,
    flagged_spans,
    provenance_line,
    section_heading,
)
from ..runs.run_state import DocumentState, RunState, SectionState
from ..summary.throughput import format_duration
from ..warning import AppWarning, WarningKind
from ..wording import counted, ranges

STAGES = {
    "waiting": "Waiting",
    "reading": "Reading",
    "loading": "Loading the model",
    "encoding": "Understanding",
    "decoding": "Writing",
    "done": "Done",
    "stopped": "Stopped",
}
MAX_CELLS = 300  # of the coverage strip; more pages share cells
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
    # Only the stage is announced: the rest changes many times a second.
    rest = f" · {escape(detail)}" if detail else ""
    return (
        '<div class="status"><div class="words">'
        f'<span role="status">{STAGES[stage]}</span>{rest}</div>'
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-label="{STAGES[stage]}">'
        f'<div style="width:{percent}%"></div></div></div>'
    )


def forecast(line: str) -> str:
    """What a run will take, quietly."""
    return f'<p class="forecast" role="status">{escape(line)}</p>'


def status(board: RunState, ahead: int = 0) -> str:
    """Where a run is."""
    if board.stage == "waiting":
        detail = f"{ahead} before this one" if ahead else ""
        return bar("waiting", 0.0, detail)
    p, parts = board.progress, []
    if board.total > 1:
        parts.append(f"document {len(board.documents)} of {board.total}")
    if p is not None and p.sections > 1:
        parts.append(f"section {p.section} of {p.sections}")
    if p is not None and p.remaining_s is not None:
        parts.append(f"about {format_duration(p.remaining_s)} left")
    return bar(board.stage, board.fraction, ", ".join(parts))


def finished(board: RunState) -> str:
    """The line under a summary that has ended."""
    summaries = [d.summary for d in board.documents if d.summary]
    seconds = sum(s.timings.get("total_s", 0.0) for s in summaries)
    words = sum(count_words(s.summary) for s in summaries)
    stage = "stopped" if any(s.stopped for s in summaries) else "done"
    line = f"{STAGES[stage]} · {counted(words, 'word')} in {seconds:.1f} s"
    return f'<div class="status"><div class="words"><span role="status">{line}</span></div></div>'


def summary(board: RunState, busy: bool) -> str:
    """All documents of a run: solid where certain, grey where not yet; ``busy`` while it runs."""
    several = len(board.documents) > 1 or board.total > 1
    parts = [_document(n, document, several) for n, document in enumerate(board.documents)]
    return f'<div id="summary" aria-busy="{str(busy).lower()}">{"".join(parts)}</div>'


def _document(number: int, document: DocumentState, several: bool) -> str:
    html = f"<h2>{escape(document.name)}</h2>" if several else ""
    if document.error:
        return html + error(document.error)
    head = "h3" if several else "h2"
    planned = document.planned.sections if document.planned else 0
    headed = max(planned, len(document.sections)) > 1
    if document.summary is not None and document.summary.overview:
        short = " ".join(_sentence(number, s) for s in document.summary.overview)
        short = f'{_heading(head, OVERVIEW_HEADING)}<p lang="">{short}</p>'
        html += f'<section class="short">{short}</section>'
        html += coverage(number, document.summary)
    for section in document.sections:
        html += _heading(head, section_heading(section)) if headed else ""
        html += _section(number, section)
    if document.summary is not None:
        html += "" if document.summary.overview else coverage(number, document.summary)
        html += _warnings([*document.summary.warnings, *document.notices])
        html += f'<p class="provenance">{escape(provenance_line(document.summary))}</p>'
    return f"<article>{html}</article>"


def _warnings(warnings: Sequence[AppWarning]) -> str:
    """What a reader must know, with the way to the references where they are left out."""
    button = ' <button type="button" class="include">Include it now</button>'
    items = "".join(
        f"<li>{escape(w.message)}{button if w.kind is WarningKind.REFERENCES_LEFT_OUT else ''}</li>"
        for w in warnings
    )
    return f'<ul class="warnings">{items}</ul>' if items else ""


def _heading(tag: str, title: str) -> str:
    return f'<{tag} class="head">{escape(title)}</{tag}>'


def _section(number: int, section: SectionState) -> str:
    # The guess continues the certain text in the same paragraph, its own spaces included.
    text = " ".join(_sentence(number, s) for s in section.sentences) or escape(section.committed)
    guess = ""
    if section.provisional:
        guess = f'<span class="provisional">{escape(section.provisional)}</span>'
    return f'<p class="text" lang="">{text}{guess}</p>'


def _sentence(number: int, sentence: Sentence) -> str:
    """The sentence, doubtful spans marked, and a button that shows where it came from."""
    html = "".join(
        _doubtful(text, reason) if reason else escape(text)
        for text, reason in flagged_spans(sentence)
    )
    if not sentence.pages:
        return html + (
            ' <span class="unsupported" tabindex="0" title="No passage supports this.">'
            '<span aria-hidden="true">?</span><span class="spoken"> (no passage supports this)'
            "</span></span>"
        )
    label = escape(cite_pages(sentence.labels))
    numbers = ranges(sentence.pages)
    # What is printed on a page may be another number than a viewer of the file counts.
    physical = "" if label.endswith(f" {numbers}") else f": page {numbers} of the file"
    passages = escape(json.dumps(sentence.passages), quote=True)
    return (
        f'{html} <button type="button" class="cite" data-document="{number}" '
        f'data-page="{sentence.pages[0]}" data-passages="{passages}" '
        f'title="Show where it stands{physical}">{label}</button>'
    )


def _doubtful(text: str, reason: str) -> str:
    reason = escape(reason)
    return (
        f'<mark class="flag" tabindex="0" title="{reason}">{escape(text)}'
        f'<span class="spoken"> (doubtful: {reason})</span></mark>'
    )


def coverage(number: int, summary: Summary) -> str:
    """A cell per page (or run of pages): read or why not; above it, the higher the more, a bar
    where the summary draws on it."""
    if not summary.coverage:
        return ""
    cited = citations_per_page(summary)
    step = -(-len(summary.coverage) // MAX_CELLS)
    cells = []
    for begin in range(0, len(summary.coverage), step):
        run = summary.coverage[begin : begin + step]
        status = next((s for _, s in run if s != "read"), "read")
        uses = sum(cited[page] for page, _ in run)
        drawn = f", {counted(uses, 'sentence')} from here" if uses else ""
        title = escape(
            page_status_title(summary, [page for page, _ in run], status) + drawn, quote=True
        )
        cells.append(
            f'<button type="button" class="cell {status}" data-document="{number}" '
            f'data-page="{run[0][0]}" data-uses="{min(uses, 3)}" data-passages="[]" '
            f'title="{title}" aria-label="{title}" tabindex="{-1 if begin else 0}"></button>'
        )
    line = escape(coverage_line(summary), quote=True)
    few = " few" if len(cells) <= MAX_WIDE_CELLS else ""
    if len(cells) == 1:  # there is nothing to tell apart
        return f'<div class="coverage"><p>{line}</p></div>'
    return (
        f'<div class="coverage"><p>{line}</p>'
        f'<div class="strip{few}" role="group" aria-label="{line}">{"".join(cells)}</div>'
        f"{_legend({s for _, s in summary.coverage}, bool(cited))}</div>"
    )


def _legend(statuses: set[str], is_cited: bool) -> str:
    """What the cells mean, as far as they are there."""
    found = [("read", "0", "read")] if "read" in statuses else []
    found += [("read", "3", "the summary draws on it")] if is_cited else []
    found += [("other", "0", "left out")] if statuses - {"read", "stopped"} else []
    found += [("stopped", "0", STATUSES["stopped"])] if "stopped" in statuses else []
    return (
        '<p class="legend" aria-hidden="true">'
        + "".join(
            f'<span><span class="cell {kind}" data-uses="{uses}"></span>{words}</span>'
            for kind, uses, words in found
        )
        + "</p>"
    )


def comparison(one: Summary, two: Summary) -> str:
    """Two summaries of one document beside each other; what only one says stands out."""
    rows = align_sections(one, two)
    both = common_sentences(rows)

    def side(sentences: Sequence[Sentence]) -> str:
        kinds = ("both" if normalize_sentence(s.text) in both else "only" for s in sentences)
        pairs = zip(kinds, sentences, strict=True)
        return " ".join(f'<span class="{kind}">{_sentence(0, s)}</span>' for kind, s in pairs)

    body = "".join(
        f'<tr><th colspan="2" scope="rowgroup">{escape(row.heading)}</th></tr>'
        f"<tr><td>{side(row.left)}</td><td>{side(row.right)}</td></tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col">{when}<small>{escape(describe_summary(s))}</small></th>'
        for when, s in (("Earlier", one), ("Now", two))
    )
    return (
        f'<table class="compare"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        '<p class="legend"><span class="only">Marked</span>only this one says it</p>'
    )


def source_page(number: int, page: int, document: Document, body: str) -> str:
    """A page of the source beside the summary, with the way back and to its neighbours."""

    label, last = document.pages[page - 1].label, len(document.pages)

    def turn(to: int, text: str) -> str:
        off = "" if 1 <= to <= last else " disabled"
        return (
            f'<button type="button" class="turn" data-document="{number}" data-page="{to}" '
            f'data-passages="[]"{off}>{text}</button>'
        )

    printed = f" (printed: {escape(label)})" if label != str(page) else ""
    name = f"{escape(document.name)} · {document.unit} {page} of {last}{printed}"
    return _source(turn(page - 1, "‹ Before") + turn(page + 1, "Next ›"), name, body)


def no_source(message: str) -> str:
    """Why there is no page to show, where it would stand."""
    return _source("", "Source", notice(message))


def _source(turns: str, name: str, body: str) -> str:
    return (
        '<section class="source" aria-labelledby="source-name" tabindex="-1">'
        f'<div class="source-bar">{turns}<span id="source-name">{name}</span>'
        '<button type="button" class="close">Close</button></div>'
        f'<div class="source-body">{body}</div></section>'
    )


def picture(png: bytes, page: int, passages: Sequence[str]) -> str:
    """A page drawn by the server; who cannot see it is told what is marked on it."""
    data = base64.b64encode(png).decode("ascii")
    marked = f", where this is marked: {' … '.join(passages)}" if passages else ""
    alt = escape(f"Page {page}{marked}")
    return f'<img alt="{alt}" src="data:image/png;base64,{data}">'


def passage_in_context(text: str, passages: Sequence[str]) -> str:
    """A page's text with the cited passages marked."""
    spans = sorted((at, at + len(p)) for p in passages if p and (at := text.find(p)) >= 0)
    html, at = "", 0
    for start, end in spans:
        if start >= at:
            html += f"{escape(text[at:start])}<mark>{escape(text[start:end])}</mark>"
            at = end
    return f'<div class="context" lang="">{html}{escape(text[at:])}</div>'


def facts(documents: Sequence[Document]) -> str:
    """What was read: pages, words, and what could not be read."""
    items = []
    for document in documents:
        pages = counted(len(document.pages), document.unit)
        words = counted(sum(count_words(page.text) for page in document.pages), "word")
        warnings = "".join(
            f"<br><small{_mood(w)}>{escape(w.message)}</small>" for w in document.warnings
        )
        items.append(
            f"<li><strong>{escape(document.name)}</strong> · {pages} · {words}{warnings}</li>"
        )
    return f'<ul class="facts">{"".join(items)}</ul>'


def _mood(warning: AppWarning) -> str:
    return ' class="quiet"' if warning.is_informational else ""
