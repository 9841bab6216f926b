"""Render the state of a run as HTML.

All text from a document is escaped. Its elements have an empty `lang`, since screen readers would
otherwise speak every language as English.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

from longt5.text.words import count_words

from ..documents.model import Document, Mark
from ..events import OutlineSection, Sentence, Summary
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
from ..export.pdf import is_pdf
from ..export.shared import (
    BY_SECTION_HEADING,
    flagged_spans,
    provenance_line,
    section_heading,
)
from ..runs.run_state import DocumentState, RunState, SectionState
from ..settings import DEFAULT_MODEL
from ..summary.memory_estimate import format_bytes
from ..summary.throughput import format_duration
from ..warning import AppWarning, WarningKind
from ..wording import STAGE_LABELS, counted, isolated, ranges

MAX_OPEN_SECTIONS = 6  # more would push the end of the page out of sight
# Adults read about 238 words of English non-fiction a minute, silently (Brysbaert 2019).
WORDS_PER_MINUTE = 238
FOLDED_WARNINGS = (
    WarningKind.CONTENTS_LEFT_OUT,
    WarningKind.FRONT_MATTER_LEFT_OUT,
    WarningKind.CONTENT_LEFT_OUT,
    WarningKind.BOILERPLATE_LEFT_OUT,
)
MIN_JUMPS = 4  # summaries of fewer documents are found by scrolling
MANY_DOCUMENTS = 7  # their list scrolls, so that the button below stays in sight
MAX_STRIP_CELLS = 300  # longer documents share cells; more cells would be too narrow to click
LARGER_MODELS = (
    '<p class="provenance">This model picks sentences. Larger ones rewrite: <button type="button" '
    'class="choose-model">choose one</button>.</p>'
)
CITATION_STEPS = (
    (-1, "Previous citation (P)", "‹ Citation"),
    (1, "Next citation (N)", "Citation ›"),
)
EMPTY_SUMMARY = (
    '<div class="invitation"><p>Drop a PDF or paste a long text, then press '
    "<strong>Summarize</strong>.</p><p>The summary appears here while it is being written. "
    '<span class="provisional">Grey text</span> may still change.</p></div>'
)


def error(message: str) -> str:
    """Return an error message, announced by screen readers."""
    return f'<div class="problem" role="alert">{escape(message)}</div>'


def notice(message: str) -> str:
    """Return a message that is no error."""
    return f'<div class="notice" role="status">{escape(message)}</div>'


def progress_bar(stage: str, fraction: float, detail: str = "") -> str:
    """Return a progress bar with the name of its stage above it."""
    percent = round(100 * min(max(fraction, 0.0), 1.0))
    # Screen readers announce only the stage: the rest changes many times a second.
    rest = f" · {escape(detail)}" if detail else ""
    return (
        '<div class="status"><div class="words">'
        f'<span role="status">{STAGE_LABELS[stage]}</span>{rest}</div>'
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent}" aria-label="{STAGE_LABELS[stage]}">'
        f'<div style="width:{percent}%"></div></div></div>'
    )


def download_progress(done: int, total: int, remaining_s: float | None) -> str:
    """Return the progress bar of a download: bytes, speed, and the time that is left."""
    parts = [f"{format_bytes(done)} of {format_bytes(total)}"] if total else []
    if remaining_s is not None and done < total:
        speed = (total - done) / max(remaining_s, 0.001) / 1e6
        parts.append(f"{speed:.0f} MB/s" if speed >= 10 else f"{speed:.1f} MB/s")
        parts.append(f"about {format_duration(remaining_s)} left")
    return progress_bar("downloading", done / total if total else 0.0, ", ".join(parts))


def hint(line: str) -> str:
    """Return a quiet line that explains a part of the form."""
    return f'<p class="hint" role="status">{escape(line)}</p>'


def estimate(line: str, details: str = "") -> str:
    """Return a line with the estimated length and time of a run, the rest as its tooltip."""
    title = f' title="{escape(details)}"' if details else ""
    return f'<p class="forecast" role="status"{title}>{escape(line)}</p>'


def run_status(state: RunState) -> str:
    """Return the progress bar of a run."""
    if state.stage == "waiting":
        return progress_bar("waiting", 0.0)
    p, parts = state.progress, []
    if p is not None and p.stage == "downloading":
        return download_progress(p.done, p.total, p.remaining_s)
    if state.total > 1:
        parts.append(f"document {len(state.documents)} of {state.total}")
    if p is not None and p.sections > 1:
        parts.append(f"step {p.section} of {p.sections}")
    if p is not None and p.remaining_s is not None:
        of_it = " for this one" if state.total > 1 else ""
        parts.append(f"about {format_duration(p.remaining_s)} left{of_it}")
    return progress_bar(state.stage, state.fraction, ", ".join(parts))


def finished_status(state: RunState) -> str:
    """Return the status line of a run that has ended."""
    summaries = [d.summary for d in state.documents if d.summary]
    # The files were read when they were chosen, before the run.
    seconds = sum(s.timings.get("total_s", 0.0) - s.timings.get("read_s", 0.0) for s in summaries)
    words = sum(count_words(s.summary) for s in summaries)
    stage = "stopped" if any(s.stopped for s in summaries) else "done"
    line = f"{STAGE_LABELS[stage]} · {counted(words, 'word')} in {seconds:.1f} s"
    whole = sum(d.planned.words for d in state.documents if d.planned and d.summary)
    if stage == "done" and whole > WORDS_PER_MINUTE * 2 + words:
        line += f" · {reading_minutes(words)} to read instead of {reading_minutes(whole)}"
    return f'<div class="status"><div class="words"><span role="status">{line}</span></div></div>'


def reading_minutes(words: int) -> str:
    """Return about how long a person takes to read so many words: `4 min` or `1 h 20 min`."""
    minutes = max(1, round(words / WORDS_PER_MINUTE))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def summary_html(state: RunState, busy: bool) -> str:
    """Return the summaries of a run, provisional text in grey; `busy` while the run goes on."""
    parts = [_document_article(n, document) for n, document in enumerate(state.documents)]
    html = _jump_list(state) + "".join(parts) + _larger_models(state)
    pdf = " data-pdf" if any(d.summary and is_pdf(d.summary) for d in state.documents) else ""
    return f'<div id="summary" aria-busy="{str(busy).lower()}"{pdf}>{html}</div>'


def _jump_list(state: RunState) -> str:
    """Return links to the summaries of many documents, folded: its height is always the same."""
    if state.total < MIN_JUMPS:
        return ""
    items = "".join(
        f'<li lang=""><a href="#document-{n}">{escape(isolated(document.name))}</a></li>'
        for n, document in enumerate(state.documents)
    )
    return (
        f'<details class="jump"><summary>{counted(state.total, "document")}</summary>'
        f"<ol>{items}</ol></details>"
    )


def _document_article(number: int, document: DocumentState) -> str:
    html = f"<h2>{escape(document.name)}</h2>"
    if document.error:
        return f'<article id="document-{number}">{html}{error(document.error)}</article>'
    parts = document.answer
    for part in parts:
        if document.summary is not None and not (part.committed or part.provisional):
            continue  # it was stopped before its first word
        html += _part_html(number, part, document.summary is not None or part is not parts[-1])
    if document.summary is not None:
        html += coverage_strip(number, document.summary)
    elif document.by_section and document.planned and document.answer:
        html += _empty_strip(document.planned.pages)  # or the sections would move down at the end
    html += _sections_html(number, document)
    if document.summary is not None:
        html += _warning_list([*document.summary.warnings, *document.notices])
        html += f'<p class="provenance">{escape(provenance_line(document.summary))}</p>'
    return f'<article id="document-{number}">{html}</article>'


def _larger_models(state: RunState) -> str:
    """Say once, below all summaries of the bundled model, that others rewrite."""
    models = {d.summary.model for d in state.documents if d.summary and d.summary.summary}
    is_finished = len([d for d in state.documents if d.summary or d.error]) >= state.total
    return LARGER_MODELS if models == {DEFAULT_MODEL} and is_finished else ""


def _warning_list(warnings: Sequence[AppWarning]) -> str:
    """List the warnings, with a button to include the references where they are left out."""
    button = ' <button type="button" class="include">Include it now</button>'
    buttons = {WarningKind.REFERENCES_LEFT_OUT: button}
    items = "".join(f"<li>{escape(w.message)}{buttons.get(w.kind, '')}</li>" for w in warnings)
    return f'<ul class="warnings">{items}</ul>' if items else ""


def _sections_html(number: int, document: DocumentState) -> str:
    """Return the sections of a document, folded; few summaries are open from the start.

    A section without a summary is written when it is opened.
    """
    sections = document.by_section
    outline = document.summary.outline if document.summary else ()
    places: Sequence[OutlineSection | SectionState] = outline or sections
    if not places:
        return ""
    is_open = " open" if len(places) <= MAX_OPEN_SECTIONS else ""
    written, items = {(s.pages, s.title): s for s in sections}, ""
    for at, place in enumerate(places):
        section = written.get((place.pages, place.title))
        said = place.said if isinstance(place, OutlineSection) else ()
        key = f'data-document="{number}" data-section="{at}"'
        state = is_open if section else " data-unwritten"
        body = section_body(number, section, said) if section else ""
        items += (
            f"<details {key}{state}><summary>{escape(section_heading(place))}</summary>"
            f'<div class="section-body">{body}</div></details>'
        )
    hint = ""
    if len(written) < len(places):
        hint = '<p class="hint">Opening a section writes one to three sentences about it.</p>'
    return f'<h3 class="head">{BY_SECTION_HEADING}</h3>{hint}<div class="by-section">{items}</div>'


def section_body(number: int, section: SectionState, said: Sequence[str] = ()) -> str:
    """Return the summary of a section; what the answer says of it stands above, in grey."""
    above = ""
    if said:
        text = escape(" ".join(said))
        above = f'<p class="said" lang=""><span lang="en">In the summary:</span> {text}</p>'
    return above + _paragraph(number, section)


def written_section(number: int, at: int, body: str, busy: bool) -> str:
    """Return the body of section `at` of a document, for the page's script to put in its place."""
    return (
        f'<div data-document="{number}" data-section="{at}" '
        f'aria-busy="{str(busy).lower()}">{body}</div>'
    )


def _part_html(number: int, section: SectionState, is_written: bool) -> str:
    label = section_heading(section)
    heading = f'<h3 class="label">{escape(label)}</h3>' if label else ""
    return heading + _paragraph(number, section, is_written)


def _paragraph(number: int, section: SectionState, is_written: bool = True) -> str:
    # Provisional text continues the paragraph of the committed text and brings its own spaces.
    cited = " ".join(
        f'<span class="sentence{same}">{cited_sentence(number, sentence)}</span>'
        for sentence, same in _with_runs(section.sentences, is_written)
    )
    text = cited or escape(section.committed)
    provisional = ""
    if section.provisional:
        provisional = f'<span class="provisional">{escape(section.provisional)}</span>'
    return f'<p class="text" lang="">{text}{provisional}</p>'


def _with_runs(sentences: Sequence[Sentence], is_written: bool) -> Iterator[tuple[Sentence, str]]:
    """Yield sentences for a paragraph, where one citation stands behind a run from one page.

    The others are hidden by their class " same". While a part is being written its last sentence
    has none yet: the next one may continue the run, and text must not move.
    """
    passages: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    for at, sentence in enumerate(sentences):
        after = sentences[at + 1] if at + 1 < len(sentences) else None
        passages, marks = (*passages, *sentence.passages), (*marks, *sentence.marks)
        is_last = after is None or after.labels != sentence.labels or not sentence.pages
        if sentence.pages and ((after is None and not is_written) or not is_last):
            yield sentence, " same"
        else:
            yield replace(sentence, passages=passages, marks=marks), ""
            passages, marks = (), ()


def cited_sentence(number: int, sentence: Sentence) -> str:
    """Return a sentence with its doubtful spans marked and a button that shows its source."""
    html = "".join(
        _flagged_span(text, reason) if reason else escape(text)
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
    # The printed page number may differ from the position in the file, which viewers count.
    physical = "" if label.endswith(f" {numbers}") else f": page {numbers} of the file"
    passages = escape(json.dumps(sentence.passages), quote=True)
    marks = escape(json.dumps(sentence.marks, separators=(",", ":")), quote=True)
    return (
        f'{html} <button type="button" class="cite" data-document="{number}" '
        f'data-page="{sentence.pages[0]}" data-passages="{passages}" '
        f'data-marks="{marks}" '
        f'title="Show the source{physical}">{label}</button>'
    )


def _flagged_span(text: str, reason: str) -> str:
    reason = escape(reason)
    return (
        f'<mark class="flag" tabindex="0" title="{reason}">{escape(text)}'
        f'<span class="spoken"> (check this: {reason})</span></mark>'
    )


def _empty_strip(pages: int) -> str:
    """Return a strip without content, as high as the one that will stand in its place."""
    count = min(pages, MAX_STRIP_CELLS)
    few = " few" if count <= MAX_WIDE_CELLS else ""
    cells = '<span class="cell"></span>' * count if count > 1 else ""
    strip = f'<div class="strip{few}">{cells}</div><p class="legend">&nbsp;</p>' if cells else ""
    return f'<div class="coverage pending" aria-hidden="true"><p>&nbsp;</p>{strip}</div>'


def coverage_strip(number: int, summary: Summary) -> str:
    """Return a strip with a cell for each page, or for several pages of a long document.

    A cell shows whether its pages were read, and a bar above it how often they are cited.
    """
    if not summary.coverage:
        return ""
    cited = citations_per_page(summary)
    step = -(-len(summary.coverage) // MAX_STRIP_CELLS)
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
    if len(cells) == 1:  # the line says all that one cell could show
        return f'<div class="coverage"><p>{line}</p></div>'
    return (
        f'<div class="coverage"><p>{line}</p>'
        f'<div class="strip{few}" role="group" aria-label="{line}">{"".join(cells)}</div>'
        f"{_legend({s for _, s in summary.coverage}, bool(cited))}</div>"
    )


def _legend(statuses: set[str], is_cited: bool) -> str:
    """Explain the kinds of cells that a strip has."""
    found = [("read", "0", "read")] if "read" in statuses else []
    found += [("read", "3", "cited in the summary")] if is_cited else []
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


def comparison_table(earlier: Summary, current: Summary) -> str:
    """Return two summaries side by side; sentences that only one of them has are highlighted."""
    rows = align_sections(earlier, current)
    common = common_sentences(rows)

    def side(sentences: Sequence[Sentence]) -> str:
        kinds = ("both" if normalize_sentence(s.text) in common else "only" for s in sentences)
        pairs = zip(kinds, sentences, strict=True)
        return " ".join(f'<span class="{kind}">{cited_sentence(0, s)}</span>' for kind, s in pairs)

    body = "".join(
        f'<tr><th colspan="2" scope="rowgroup">{escape(row.heading)}</th></tr>'
        f"<tr><td>{side(row.left)}</td><td>{side(row.right)}</td></tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col">{label}<small>{escape(describe_summary(s))}</small></th>'
        for label, s in (("Earlier", earlier), ("Current", current))
    )
    return (
        f'<table class="compare"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        '<p class="legend"><span class="only">Highlighted</span>only in this summary</p>'
    )


def source_page(number: int, page: int, document: Document, body: str) -> str:
    """Return a page of the source with buttons to the pages before and after it."""
    label, last = document.pages[page - 1].label, len(document.pages)

    def turn(to: int, text: str) -> str:
        off = "" if 1 <= to <= last else " disabled"
        return (
            f'<button type="button" class="turn" data-document="{number}" data-page="{to}" '
            f'data-passages="[]"{off}>{text}</button>'
        )

    where = f"{document.unit} {page} of {last}"
    if label != str(page):  # the printed number first, as the citation has it
        where = f"{document.unit} {escape(label)} ({page} of {last} in the file)"
    name = f"{escape(isolated(document.name))} · {where}"
    citations = "".join(
        f'<button type="button" class="cited" data-step="{step}" title="{title}" '
        f'aria-label="{title}">{text}</button>'
        for step, title, text in CITATION_STEPS
    )
    return _source(turn(page - 1, "‹ Page") + turn(page + 1, "Page ›") + citations, name, body)


def missing_source(message: str) -> str:
    """Return a message in place of a page of the source."""
    return _source("", "Source", notice(message))


def _source(turns: str, name: str, body: str) -> str:
    return (
        '<section class="source" aria-labelledby="source-name" tabindex="-1">'
        f'<div class="source-bar">{turns}<span id="source-name">{name}</span>'
        '<button type="button" class="close">Close</button></div>'
        f'<div class="source-body" tabindex="0" aria-label="Page" role="group">{body}</div>'
        "</section>"
    )


def page_picture(png: bytes, page: int, passages: Sequence[str]) -> str:
    """Return the picture of a page; its alternative text names the marked passages."""
    data = base64.b64encode(png).decode("ascii")
    marked = f", marked: {' … '.join(passages)}" if passages else ""
    alt = escape(f"Page {page}{marked}")
    return (
        '<button type="button" class="sheet" title="Show the whole page, or its full width">'
        f'<img alt="{alt}" src="data:image/png;base64,{data}"></button>'
    )


def passage_in_context(text: str, passages: Sequence[str]) -> str:
    """Return the text of a page with the cited passages marked."""
    spans = sorted((at, at + len(p)) for p in passages if p and (at := text.find(p)) >= 0)
    html, at = "", 0
    for start, end in spans:
        if start >= at:
            html += f"{escape(text[at:start])}<mark>{escape(text[start:end])}</mark>"
            at = end
    return f'<div class="context" lang="">{html}{escape(text[at:])}</div>'


def document_facts(documents: Sequence[Document]) -> str:
    """Return the pages, words and warnings of each document that was read."""
    items = []
    for document in documents:
        name, pages = isolated(document.name), counted(len(document.pages), document.unit)
        words = counted(sum(count_words(page.text) for page in document.pages), "word")
        facts = f"<strong>{escape(name)}</strong> · {pages} · {words}"
        items.append(f"<li>{facts}{_facts_warnings(document.warnings)}</li>")
    if len(documents) < MANY_DOCUMENTS:
        return f'<ul class="facts">{"".join(items)}</ul>'
    every = sum(count_words(page.text) for document in documents for page in document.pages)
    total = f"{counted(len(documents), 'document')}, {counted(every, 'word')}"
    return (
        f'<p class="hint" role="status">{total}</p>'
        f'<ul class="facts many" tabindex="0" aria-label="{total}">{"".join(items)}</ul>'
    )


def _facts_warnings(warnings: Sequence[AppWarning]) -> str:
    """Return the warnings of a document; what is left out is folded, as its summary lists it."""
    shown, folded = "", ""
    for warning in warnings:
        message = escape(warning.message)
        if warning.kind in FOLDED_WARNINGS:
            folded += f"<p>{message}</p>"
        else:
            quiet = ' class="quiet"' if warning.is_informational else ""
            shown += f"<br><small{quiet}>{message}</small>"
    if folded:
        folded = f"<details><summary>What is left out</summary>{folded}</details>"
    return shown + folded
