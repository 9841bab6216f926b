"""Write a summary as one HTML file that prints well and fetches nothing."""

from __future__ import annotations

from html import escape

from ..events import SectionSummary, Sentence, Summary
from ..evidence.coverage import MAX_WIDE_CELLS, citations_per_page, coverage_line, page_status_title
from ..evidence.provenance import provenance_rows
from .shared import (
    BY_SECTION_HEADING,
    flagged_spans,
    provenance_line,
    section_heading,
    support_notes,
)

STYLE = """
body { font: 17px/1.6 Georgia, serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem;
  color: #0f172a; background: #fff; overflow-wrap: anywhere; }
h1, h2, p, dd { unicode-bidi: plaintext; }
h1 { font-size: 1.5rem; } h2 { font-size: 1rem; color: #475569; margin-top: 1.6em; }
.cite { font-size: .8em; color: #475569; white-space: nowrap; unicode-bidi: isolate; }
.flag { text-decoration: underline wavy #b45309; }
.doubts, .facts { font-size: .85rem; color: #475569; }
.strip { display: grid; gap: 4px 1px; margin: .3rem 0 1rem;
  grid-template-columns: repeat(auto-fill, minmax(5px, 1fr)); }
.strip.few { grid-template-columns: repeat(auto-fill, minmax(15px, 1fr)); }
.strip span { height: 8px; background: #99f6e4;
  border-top: 10px solid #fff; }
.strip span:not(.read) { background: #cbd5e1; }
.strip span.stopped { background: none; box-shadow: inset 0 0 0 1px #94a3b8; }
.strip span.drawn { border-color: #0f766e; }
dt { float: left; clear: left; width: 7rem; } dd { margin-left: 7.5rem; overflow-wrap: anywhere; }
@media print { body { margin: 0; } .strip span { print-color-adjust: exact; } }
"""


def to_html(summary: Summary, bullets: bool = False) -> str:
    """Return a complete HTML page; with `bullets`, each sentence is a list item."""
    answer = "".join(_part_html(part, bullets) for part in summary.sections)
    sections = "".join(_part_html(part, bullets) for part in summary.by_section)
    if sections:
        heading = f"<summary>{BY_SECTION_HEADING}</summary>"
        sections = f"<details open>{heading}{sections}</details>"
    doubts = [
        f"“{s.text[slice(*flag['span'])]}”: {flag['reason']}"
        for section in (*summary.sections, *summary.by_section)
        for s in section.sentences
        for flag in s.flags
    ]
    warnings = "".join(f"<li>{escape(w)}</li>" for w in [*map(str, summary.warnings), *doubts])
    rows = "".join(
        f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in provenance_rows(summary.provenance)
    )
    name = escape(summary.name)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Summary of {name}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Summary of {name}</h1>{answer}{sections}{_coverage_html(summary)}"
        + (f'<ul class="doubts">{warnings}</ul>' if warnings else "")
        + f'<p class="facts">{escape(provenance_line(summary))}</p><dl class="facts">{rows}</dl>'
        "</main></body></html>\n"
    )


def _part_html(part: SectionSummary, bullets: bool) -> str:
    title = section_heading(part)
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    # An empty lang keeps screen readers from speaking every language as English.
    if bullets and part.sentences:
        items = "".join(f"<li>{_sentence_html(sentence)}</li>" for sentence in part.sentences)
        return f'{heading}<ul lang="">{items}</ul>'
    text = " ".join(map(_sentence_html, part.sentences)) or escape(part.text)
    return f'{heading}<p lang="">{text}</p>'


def _sentence_html(sentence: Sentence) -> str:
    html = "".join(
        f'<span class="flag" title="{escape(reason)}">{escape(text)}</span>'
        if reason
        else escape(text)
        for text, reason in flagged_spans(sentence)
    )
    notes = (f' <span class="cite">({escape(note)})</span>' for note in support_notes(sentence))
    return html + "".join(notes)


def _coverage_html(summary: Summary) -> str:
    """Return a strip with a cell for each page: read, cited, left out or not reached."""
    if not summary.coverage:
        return ""
    cited = citations_per_page(summary)
    cells = "".join(
        f'<span class="{status}{" drawn" if cited[page] else ""}" '
        f'title="{escape(page_status_title(summary, [page], status), quote=True)}"></span>'
        for page, status in summary.coverage
    )
    line = escape(coverage_line(summary))
    statuses = {status for _, status in summary.coverage}
    notes = ["A bar: the summary draws on it."] if cited else []
    notes += ["Grey: left out."] if statuses - {"read", "stopped"} else []
    notes += ["Empty: not reached."] if "stopped" in statuses else []
    legend = " ".join([f"{line}.", *notes])
    few = " few" if len(summary.coverage) <= MAX_WIDE_CELLS else ""
    return f'<p class="facts">{legend}</p><div class="strip{few}" aria-hidden="true">{cells}</div>'
