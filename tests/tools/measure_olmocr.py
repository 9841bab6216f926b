"""Measure how PDFs are read by the tests of olmOCR-bench: text that is there, is not, in order.

    python -m tests.tools.measure_olmocr FOLDER [--readers ours pdftotext] [--failures ours]

FOLDER holds `*.jsonl` with tests and `pdfs/`, as the benchmark does. Tests of tables as Markdown,
of formulas as TeX and of blank pages are left out, and so are PDFs that no reader of text finds any
word in, which need OCR: the row `scans` counts their tests.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools.measure_extraction import READERS, Pages, in_process

KINDS = ("present", "absent", "order")
_PLAIN = str.maketrans("‘’‚“”„‐‑‒–—−\u00a0", "'''\"\"\"------ ")


@dataclass(frozen=True)
class PageTest:
    """What must or must not stand on a page: `texts` are one, or the earlier and the later one.
    Up to `max_diffs` letters may differ; only the first or last letters of the page are searched
    where these are given."""

    pdf: str
    page: int
    kind: str
    texts: tuple[str, ...]
    max_diffs: int = 0
    is_case_sensitive: bool = True
    first: int | None = None
    last: int | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> PageTest:
        """Return the test in a line of the benchmark."""
        names = ("before", "after") if data["type"] == "order" else ("text",)
        return cls(
            data["pdf"],
            data["page"],
            data["type"],
            tuple(data[name] for name in names),
            data.get("max_diffs") or 0,
            data.get("case_sensitive", True),
            data.get("first_n"),
            data.get("last_n"),
        )

    def passes(self, page: str) -> bool:
        """Return whether the text of a page has what it must have."""
        page = plain(page, self.is_case_sensitive)
        parts = [page[: self.first]] if self.first else []
        parts += [page[-self.last :]] if self.last else []
        wanted = [plain(text, self.is_case_sensitive) for text in self.texts]
        ends = [
            [end for part in parts or [page] for end in ends_of(text, part, self.max_diffs)]
            for text in wanted
        ]
        if self.kind != "order":
            return bool(ends[0]) == (self.kind == "present")
        return all(ends) and min(ends[0]) - len(wanted[0]) < max(ends[1]) - len(wanted[1])


def plain(text: str, is_case_sensitive: bool = True) -> str:
    """Return a text with single spaces, plain quotes and hyphens, and no signs of tables."""
    text = unicodedata.normalize("NFKC", text.translate(_PLAIN)).replace("\u00ad", "")
    text = re.sub(r"[\ufffe\x02]\s*", "", re.sub(r"\s\|\s", " ", text))
    text = " ".join(text.split())
    return text if is_case_sensitive else text.casefold()


def ends_of(wanted: str, text: str, max_diffs: int) -> list[int]:
    """Return where parts of a text end that differ from the wanted one by so few letters."""
    if not max_diffs:
        return [match.start() + len(wanted) for match in re.finditer(re.escape(wanted), text)]
    # Sellers: the least number of edits that turn the first letters of `wanted` into text that
    # ends here.
    found = []
    column = list(range(len(wanted) + 1))
    for end, char in enumerate(text, 1):
        diagonal = column[0]
        for i, own in enumerate(wanted, 1):
            cost = min(diagonal + (own != char), column[i] + 1, column[i - 1] + 1)
            diagonal, column[i] = column[i], cost
        if column[-1] <= max_diffs:
            found.append(end)
    return found


def tests_in(folder: Path) -> Iterator[PageTest]:
    """Yield the tests of a folder that a text can pass."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            data = json.loads(line) if line.strip() else {}
            if data.get("type") in KINDS:
                yield PageTest.of(data)


def has_words(readings: Mapping[str, Pages]) -> bool:
    """Return whether any reader has found a word."""
    return any(re.search(r"\w\w", page) for pages in readings.values() for page in pages)


def main(argv: Sequence[str]) -> int:
    """Print the table: a row for each reader, tests passed of each kind."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readers", nargs="+", choices=[*READERS], default=[*READERS])
    parser.add_argument("--packages", default="", help="folder of the readers not installed here")
    parser.add_argument("--failures", nargs="*", default=[], help="readers whose failures to print")
    chosen = parser.parse_args(argv)
    by_pdf: defaultdict[str, list[PageTest]] = defaultdict(list)
    for test in tests_in(chosen.folder):
        by_pdf[test.pdf].append(test)
    passed: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for pdf, tests in sorted(by_pdf.items()):
        path = chosen.folder / "pdfs" / pdf
        found = {name: in_process(name, path, chosen.packages) for name in chosen.readers}
        readings = {name: reading.pages for name, reading in found.items() if reading is not None}
        for name in found.keys() - readings.keys():
            print(f"{name}: {pdf}: not read")
        if not has_words(readings):
            total["scans"] += len(tests)
            continue
        total.update(test.kind for test in tests)
        for name, pages in readings.items():
            for test in tests:
                own = pages[test.page - 1] if test.page <= len(pages) else ""
                is_right = test.passes(own)
                passed.setdefault(name, Counter())[test.kind] += is_right
                if not is_right and name in chosen.failures:
                    print(f"{name}: {pdf}: {test.kind} {' < '.join(test.texts)}")
    print(f"| reader | {' | '.join(KINDS)} |")
    print(f"|---|{'---|' * len(KINDS)}")
    for name, counts in passed.items():
        print(f"| {name} | {' | '.join(f'{counts[kind]} of {total[kind]}' for kind in KINDS)} |")
    print(f"scans: {total['scans']} tests")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
