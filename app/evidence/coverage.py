"""Coverage of a document: which pages were read, and why the others were not."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from ..documents.headings import PageRange, headings_of_outline
from ..documents.model import Document
from ..documents.references import PlacedHeading, find_references
from ..events import Summary
from ..warning import AppWarning, WarningKind
from ..wording import capital, counted, places, ranges

# The status of a page and its description for the reader.
STATUSES = {
    "read": "read",
    "references": "references left out",
    "contents": "table of contents left out",
    "imprint": "imprint, licence or thanks left out",
    "empty": "nothing to read",
    "scanned": "a picture without text",
    "garbled": "unreadable glyphs",
    "failed": "could not be read",
    "skipped": "not chosen",
    "stopped": "not reached",
}
# A warning of such a kind names the pages of this status: the line does not name them again.
STATUS_WARNINGS = {
    "references": WarningKind.REFERENCES_LEFT_OUT,
    "contents": WarningKind.CONTENTS_LEFT_OUT,
    "imprint": WarningKind.FRONT_MATTER_LEFT_OUT,
    "scanned": WarningKind.PAGES_SCANNED,
    "garbled": WarningKind.PAGES_GARBLED,
    "failed": WarningKind.PAGES_FAILED,
}
# With more pages than this, the cells of the coverage map become too narrow to be widened.
MAX_WIDE_CELLS = 40
# The label of a page of a document without page numbers.
LABEL_WITH_UNIT = re.compile(r"(slide|part|chapter) (\S.*)")
Coverage = tuple[tuple[int, str], ...]


def without_references(document: Document) -> tuple[Document, tuple[int, ...]]:
    """Return the document without its list of references, and the pages that held it.

    A document of nothing but references is returned unchanged.
    """
    usable = [page.text if page.status == "ok" else "" for page in document.pages]
    pages, found = list(document.pages), []
    for index, start, end in find_references(usable, _entries(document, usable)):
        page = pages[index]
        pages[index] = page.with_parts([(0, start), (end, len(page.text))])
        found.append(pages[index].number)
    if not any(page.text.strip() for page in pages if page.status == "ok"):
        return document, ()
    return replace(document, pages=tuple(pages)), tuple(found)


def _entries(document: Document, pages: Sequence[str]) -> list[PlacedHeading]:
    """Return the outline entries of a document, each at its place in the texts of its pages."""
    starts = [0, *accumulate(len(page) + 1 for page in pages)]
    spans = [PageRange(n, starts[n - 1], starts[n] - 1) for n in range(1, len(starts))]
    found = []
    for heading in headings_of_outline("\n".join(pages), document.outline, spans):
        index = bisect_right(starts, heading.start) - 1
        place = (index, heading.start - starts[index])
        found.append(PlacedHeading(place, heading.title, heading.level))
    return found


def references_warning(where: str) -> AppWarning:
    """Return the warning that the list of references on the named pages is left out."""
    message = f"The list of references ({where}) is left out; it can be included."
    return AppWarning(WarningKind.REFERENCES_LEFT_OUT, message)


def coverage_of(document: Document, references: Sequence[int], reached: int | None) -> Coverage:
    """Return (page, status) of each page.

    ``references``: the pages that lost a list of references. ``reached``: the last summarized
    page, None for all.
    """
    cells = []
    for page in document.pages:
        status = "read" if page.status == "ok" else page.status
        if status == "read" and not page.text.strip():
            status = "references" if page.number in references else "empty"
        if status in ("empty", "skipped") and page.number in document.contents:
            status = "contents"
        if status == "skipped" and page.number in document.imprint:
            status = "imprint"
        if status == "read" and reached is not None and page.number > reached:
            status = "stopped"
        cells.append((page.number, status))
    return tuple(cells)


def citations_per_page(summary: Summary) -> Counter[int]:
    """Count the sentences of a summary that cite each page."""
    sentences = (
        s for section in (*summary.sections, *summary.by_section) for s in section.sentences
    )
    return Counter(page for sentence in sentences for page in sentence.pages)


def coverage_line(summary: Summary) -> str:
    """Return `40 of 42 pages read; xli-xlii: nothing to read`, with printed page labels.

    What a warning of the summary names is not repeated.
    """
    warned = {warning.kind for warning in summary.warnings}
    by_status: dict[str, list[int]] = {}
    for page, status in summary.coverage:
        by_status.setdefault(status, []).append(page)
    read = len(by_status.pop("read", ()))
    stopped = by_status.pop("stopped", ())
    parts = [f"{read:,} of {counted(len(summary.coverage), summary.unit)} read"]
    parts += [
        f"{ranges(pages, summary.labels)}: {STATUSES[status]}"
        for status, pages in by_status.items()
        if STATUS_WARNINGS.get(status) not in warned
    ]
    if stopped:  # what follows was not reached either, whatever else it is
        parts.append(f"not reached: from {places(stopped[:1], summary.unit, summary.labels)}")
    return "; ".join(parts)


def page_status_title(summary: Summary, pages: Sequence[int], status: str) -> str:
    """Return `Page iv, 4 of the file: read` for neighbouring pages of one status."""
    where, numbers = places(pages, summary.unit, summary.labels), ranges(pages)
    has_number = where.endswith((f" {numbers}", f"[{numbers} of the file]"))
    physical = "" if has_number else f", {numbers} of the file"
    return f"{capital(where)}{physical}: {STATUSES[status]}"


def page_labels(document: Document, pages: Sequence[int]) -> tuple[str, ...]:
    """Return the printed labels of pages; of other units, `part 3` or `chapter 3`."""
    unit = "" if document.unit == "page" else f"{document.unit} "
    return tuple(f"{unit}{document.pages[page - 1].label}" for page in pages)


def cite_pages(labels: Sequence[str]) -> str:
    """Return `p. 12`, `pp. 12-13`, `pp. 3, 9` or `part 3` for the labels of pages in order."""
    if not labels:
        return ""
    unit, names = split_unit(labels)
    one, many = (f"{unit} ", f"{unit}s ") if unit else ("p. ", "pp. ")
    if len(names) == 1:
        return one + names[0]
    numbers = [int(name) for name in names if name.isdecimal()]
    return many + (ranges(numbers) if len(numbers) == len(names) else ", ".join(names))


def split_unit(labels: Sequence[int | str]) -> tuple[str, list[str]]:
    """Split `part 3`, `part 4` into ("part", ["3", "4"]); the unit of pages is empty."""
    found = [LABEL_WITH_UNIT.match(str(label)) for label in labels]
    units = {match[1] for match in found if match}
    if not all(found) or len(units) != 1:
        return "", [str(label) for label in labels]
    return units.pop(), [match[2] for match in found if match]
