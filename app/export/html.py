"""Write a summary as one HTML file that prints well and fetches nothing."""

from __future__ import annotations

from html import escape

from ..events import SectionSummary, Sentence, Summary
from ..evidence.coverage import MAX_WIDE_CELLS, citations_per_page, coverage_line, page_status_title
from ..evidence.provenance import provenance_rows
from .shared import (
    BY_SECTION_HEADING,
    flagged_spans,
    page_address,
    provenance_line,
    quoted_passage,
    section_heading,
    support_notes,
)
from .style import TERMINAL_STYLE, ExportStyle, LinkStyle

PAGE_STYLE = """
:root { --paper: #fff; --ink: #0f172a; --soft: #475569; --doubt: #b45309;
  --read: #99f6e4; --left-out: #cbd5e1; --edge: #94a3b8; --drawn: #0f766e; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --paper: #0f172a; --ink: #e2e8f0; --soft: #a3b3c7; --doubt: #fbbf24;
    --read: #0f766e; --left-out: #334155; --edge: #64748b; --drawn: #5eead4; } }
body { font: 17px/1.6 Georgia, serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere; }
h1, h2, p, dd { unicode-bidi: plaintext; }
h1 { font-size: 1.5rem; } h2 { font-size: 1rem; color: var(--soft); margin-top: 1.6em; }
h1, h2, summary { break-after: avoid; } p, li { orphans: 3; widows: 3; }
summary { font-size: 1.2rem; font-weight: bold; margin-top: 2.4rem; }
.cite { font-size: .8em; color: var(--soft); white-space: nowrap; unicode-bidi: isolate; }
.cite a { color: inherit; } sup { line-height: 0; }
.flag { text-decoration: underline wavy var(--doubt); }
.doubts, .facts { font-size: .85rem; color: var(--soft); }
.strip { display: grid; gap: 4px 1px; margin: .3rem 0 1rem; break-inside: avoid;
  grid-template-columns: repeat(auto-fill, minmax(5px, 1fr)); }
.strip.few { grid-template-columns: repeat(auto-fill, minmax(15px, 1fr)); }
.strip span { height: 8px; background: var(--read);
  border-top: 10px solid var(--paper); }
.strip span:not(.read) { background: var(--left-out); }
.strip span.stopped { background: none; box-shadow: inset 0 0 0 1px var(--edge); }
.strip span.drawn { border-color: var(--drawn); }
dt { float: left; clear: left; width: 7rem; } dd { margin-left: 7.5rem; overflow-wrap: anywhere; }
@page { margin: 18mm; }
@media print { body { margin: 0; padding: 0; } .strip span { print-color-adjust: exact; } }
"""


def to_html(summary: Summary, style: ExportStyle = TERMINAL_STYLE) -> str:
    """Return a complete HTML page."""
    writer = _HtmlWriter(style, summary.name)
    answer = "".join(map(writer.part, summary.sections))
    sections = "".join(map(writer.part, summary.by_section))
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
        f"<title>Summary of {name}</title><style>{PAGE_STYLE}</style></head><body><main>"
        f"<h1>Summary of {name}</h1>{answer}{sections}{writer.footnotes()}{_coverage_html(summary)}"
        + (f'<ul class="doubts">{warnings}</ul>' if warnings else "")
        + f'<p class="facts">{escape(provenance_line(summary))}</p><dl class="facts">{rows}</dl>'
        "</main></body></html>\n"
    )


class _HtmlWriter:
    """Writes the parts of a summary, and numbers their footnotes."""

    def __init__(self, style: ExportStyle, name: str) -> None:
        self._style, self._name = style, name
        self._notes: list[str] = []

    def part(self, part: SectionSummary) -> str:
        """Return a paragraph of the answer or the summary of a section."""
        title = section_heading(part)
        heading = f"<h2>{escape(title)}</h2>" if title else ""
        # An empty lang keeps screen readers from speaking every language as English.
        if self._style.bullets and part.sentences:
            items = "".join(f"<li>{self._sentence(sentence)}</li>" for sentence in part.sentences)
            return f'{heading}<ul lang="">{items}</ul>'
        text = " ".join(map(self._sentence, part.sentences)) or escape(part.text)
        return f'{heading}<p lang="">{text}</p>'

    def footnotes(self) -> str:
        """Return the footnotes of the parts that were written, each with a way back."""
        items = "".join(
            f'<li id="note-{number}"><span lang="">{note}</span> '
            f'<a href="#cited-{number}" aria-label="Back to sentence {number}">↩</a></li>'
            for number, note in enumerate(self._notes, 1)
        )
        return f'<ol class="facts">{items}</ol>' if items else ""

    def _sentence(self, sentence: Sentence) -> str:
        html = "".join(
            f'<span class="flag" title="{escape(reason)}">{escape(text)}</span>'
            if reason
            else escape(text)
            for text, reason in flagged_spans(sentence)
        )
        notes = [escape(note) for note in support_notes(sentence)]
        address = page_address(self._name, sentence)
        if address and self._style.links is not LinkStyle.NONE:
            notes = [f'<a href="{escape(address)}">{note}</a>' for note in notes]
        html += "".join(f'&nbsp;<span class="cite">({note})</span>' for note in notes)
        return html + self._footnote_mark(sentence)

    def _footnote_mark(self, sentence: Sentence) -> str:
        passage = quoted_passage(sentence) if self._style.footnotes else ""
        if not passage:
            return ""
        where = "; ".join(support_notes(sentence))
        self._notes.append(escape(f"{where}: “{passage}”"))
        number = len(self._notes)
        return f'<sup><a id="cited-{number}" href="#note-{number}">{number}</a></sup>'


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
