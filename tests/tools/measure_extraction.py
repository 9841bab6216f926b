"""Measure how PDFs are read, beside pdftotext, pypdf, PDFium and others: words, order, cost.

    python -m tests.tools.measure_extraction [FOLDER_OR_FILE...] [--packages FOLDER]

`--packages`: where `pip install --target FOLDER pdftext pdfplumber docling-parse` put these and
what they need. A reader that is not there has no row.

Each reader reads each file in a process of its own; seconds are those of computing, so that other
programs hardly change them. Without files, the PDFs that the corpus makes are read, whose text is
known: words are compared with it, and order is the share of its neighbouring words that are
neighbours in the reading. Of other files nobody knows the text. There a reader is compared with
what most of the others read on the same page, and order is the share of its own pairs that at
least two others have. Our reading leaves out running heads, contents and note marks, and joins cut
words, so that it cannot reach 1. A split word is a pair of words that the others read as one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

_INVISIBLE = re.compile("[\u00ad\ufffe\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
_CUT_WORD = re.compile(r"(?<=\w)(?:[-\u2010\ufffe\u00ad]|\x02)\s*\n\s*(?=\w)|(?<=\w)\x02\s*(?=\w)")
_SPACELESS = r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_WORD = re.compile(rf"{_SPACELESS}|(?:(?!{_SPACELESS})[^\W_])+")
_TIMEOUT_S = 900
Pages = list[str]


def read_ours(path: Path) -> Pages:
    """Return the pages of the project's own reading."""
    from app.documents.load import load_document

    return [page.text for page in load_document(path).pages]


def read_pypdf(path: Path) -> Pages:
    """Return pypdf's pages."""
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    return [_or_empty(page.extract_text) for page in pypdf.PdfReader(path).pages]


def read_pdfium(path: Path) -> Pages:
    """Return PDFium's pages."""
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return [_or_empty(page.get_textpage().get_text_bounded) for page in document]


def read_pdftext(path: Path) -> Pages:
    """Return the pages of pdftext, which must be installed for it."""
    from pdftext.extraction import paginated_plain_text_output

    return list(paginated_plain_text_output(str(path)))


def read_pdfplumber(path: Path) -> Pages:
    """Return the pages of pdfplumber, which must be installed for it."""
    import pdfplumber

    logging.getLogger("pdfminer").setLevel(logging.CRITICAL)
    found = []
    with pdfplumber.open(path) as document:
        for page in document.pages:
            found.append(_or_empty(page.extract_text))
            page.close()  # it keeps its characters otherwise
    return found


def read_docling_parse(path: Path) -> Pages:
    """Return the lines of docling-parse, which must be installed for it, in its order."""
    from docling_parse.pdf_parser import DoclingPdfParser

    document = DoclingPdfParser(loglevel="fatal").load(str(path))
    found = []
    for number in range(1, document.number_of_pages() + 1):
        cells = document.get_page(number).textline_cells
        found.append("\n".join(cell.text for cell in cells))
        document.unload_pages((number, number + 1))
    return found


def read_pdftotext(path: Path) -> Pages:
    """Return the pages of poppler's pdftotext, which must be installed for it."""
    command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)
    return done.stdout.decode("utf-8", "replace").split("\f")[:-1]


READERS: Mapping[str, Callable[[Path], Pages]] = {
    "ours": read_ours,
    "pdftotext": read_pdftotext,
    "PDFium": read_pdfium,
    "pypdf": read_pypdf,
    "pdftext": read_pdftext,
    "pdfplumber": read_pdfplumber,
    "docling-parse": read_docling_parse,
}
INSTALLED_APART = ("pdftext", "pdfplumber", "docling-parse")


def _or_empty(read: Callable[[], str]) -> str:
    try:
        return read()
    except Exception:  # a page that a reader cannot read counts as empty
        return ""


@dataclass
class Reading:
    """The pages of a file as one reader has them, the seconds that took and the peak memory."""

    pages: Pages
    seconds: float
    megabytes: float


@dataclass
class Score:
    """Sums over the files that a reader has read."""

    files: int = 0
    words: list[float] = field(default_factory=list)
    order: list[float] = field(default_factory=list)
    split: int = 0
    total: int = 0
    pages: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


def words_of_page(text: str) -> list[str]:
    """Return the words of a page (single characters in scripts without spaces), cut ones joined."""
    text = _INVISIBLE.sub("", _CUT_WORD.sub("", text))
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def in_process(name: str, path: Path, packages: str = "") -> Reading | None:
    """Return the reading of a file in a new process; None where the reader fails."""
    environment = {**os.environ, "PYTHONPATH": packages} if name in INSTALLED_APART else None
    command = [sys.executable, "-m", "tests.tools.measure_extraction", "--read", name, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, check=True, timeout=_TIMEOUT_S, env=environment
        )
    except subprocess.SubprocessError:
        return None
    return Reading(**json.loads(done.stdout))


def print_reading(name: str, path: Path) -> None:
    """Read a file and print the reading as JSON; seconds of computing, of the processes that it
    starts too, without the start of Python."""
    began = sum(os.times()[:4])
    pages = READERS[name](path)
    seconds = sum(os.times()[:4]) - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(
        json.dumps({"pages": pages, "seconds": seconds, "megabytes": max(_peak(), children) / 1024})
    )


def _peak() -> int:
    """Return the peak memory of this process in kilobytes. The figure of `getrusage` begins with
    that of the process that started this one, so Linux is asked for another."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def overlap(one: Counter[str], two: Counter[str]) -> float:
    """Return the F measure of two bags of words."""
    return 2 * (one & two).total() / max(one.total() + two.total(), 1)


def score_against_text(reading: Reading, blocks: Sequence[str], score: Score) -> None:
    """Add the figures of a file whose text is known."""
    words = words_of_page("\n".join(reading.pages))
    wanted = [words_of_page(block) for block in blocks]
    score.words.append(overlap(Counter(words), Counter(w for block in wanted for w in block)))
    pairs = Counter(pair for block in wanted for pair in pairwise(block))
    score.order.append((pairs & Counter(pairwise(words))).total() / max(pairs.total(), 1))


def score_against_others(own: Pages, others: Sequence[Pages], score: Score) -> None:
    """Add the figures of a file that several readers have read."""
    right = seen = paired = agreed = 0
    known = [Counter(w for page in other for w in words_of_page(page)) for other in others]
    vocabulary = {w for bag in known for w in bag if sum(w in b for b in known) >= 2}
    for index, page in enumerate(own):
        words = words_of_page(page)
        theirs = [words_of_page(other[index]) for other in others if index < len(other)]
        bags = [Counter(page_words) for page_words in theirs]
        wanted = Counter(
            {w: int(median(bag[w] for bag in bags)) for w in {w for bag in bags for w in bag}}
        )
        right += 2 * (Counter(words) & wanted).total()
        seen += len(words) + wanted.total()
        pairs = [*pairwise(words)]
        sets = [{*pairwise(page_words)} for page_words in theirs]
        paired += len(pairs)
        agreed += sum(sum(pair in own_set for own_set in sets) >= 2 for pair in pairs)
        score.split += sum(
            a + b in vocabulary and not {a, b} <= vocabulary
            for a, b in pairs
            if a.isalpha() and b.isalpha() and not re.match(_SPACELESS, a + b)
        )
        score.total += len(words)
    score.words.append(right / max(seen, 1))
    score.order.append(agreed / max(paired, 1))


def add_cost(reading: Reading, score: Score) -> None:
    """Add the pages, seconds and memory of a reading."""
    score.files += 1
    score.pages += len(reading.pages)
    score.seconds += reading.seconds
    score.megabytes = max(score.megabytes, reading.megabytes)


def table(scores: Mapping[str, Score]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| reader | files | words F | order | split words in 2,000 | pages per s | peak MB |"
    yield "|---|---|---|---|---|---|---|"
    for name, score in scores.items():
        if not score.files:
            continue
        figures = [sum(values) / max(len(values), 1) for values in (score.words, score.order)]
        split = f"{2_000 * score.split / score.total:.2f}" if score.total else "-"
        yield (
            f"| {name} | {score.files} | {figures[0]:.3f} | {figures[1]:.3f} | {split} | "
            f"{score.pages / max(score.seconds, 1e-9):.0f} | {score.megabytes:.0f} |"
        )


def measure_made(names: Sequence[str], packages: str) -> dict[str, Score]:
    """Return the scores of readers over the PDFs that the corpus makes."""
    # Their libraries would count as memory of each reader.
    from tests.corpus import layout_kinds, make_files

    made = {
        name: (data, expected.blocks)
        for name, (data, expected) in make_files.all_files().items()
        if name.endswith(".pdf")
    }
    made |= {
        f"{case.name}.pdf": (case.data, tuple(text for _, text in case.items))
        for case in layout_kinds.layout_cases()
    }
    scores = {name: Score() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for file, (data, blocks) in made.items():
            path = Path(folder) / file
            path.write_bytes(data)
            for name in names:
                reading = in_process(name, path, packages)
                if reading is not None:
                    score_against_text(reading, blocks, scores[name])
                    add_cost(reading, scores[name])
    return scores


def measure_files(paths: Sequence[Path], names: Sequence[str], packages: str) -> dict[str, Score]:
    """Return the scores of readers over files; each file's words and order are printed."""
    scores = {name: Score() for name in names}
    for path in paths:
        readings = {name: in_process(name, path, packages) for name in names}
        line = []
        for name, reading in readings.items():
            others = [r.pages for n, r in readings.items() if r is not None and n != name]
            if reading is None:
                line.append(f"{name} failed")
                continue
            score_against_others(reading.pages, others, scores[name])
            add_cost(reading, scores[name])
            line.append(f"{name} {scores[name].words[-1]:.3f} {scores[name].order[-1]:.3f}")
        print(f"{path.name[:36]:36} {', '.join(line)}", flush=True)
    return scores


def main(argv: Sequence[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--readers", nargs="+", choices=[*READERS], default=[*READERS])
    parser.add_argument("--packages", default="", help="folder of readers not installed here")
    parser.add_argument("--read", choices=[*READERS], help="print one reading as JSON")
    chosen = parser.parse_args(argv)
    if chosen.read:
        print_reading(chosen.read, chosen.paths[0])
        return 0
    files = [
        file
        for path in chosen.paths
        for file in (sorted(path.glob("*.pdf")) if path.is_dir() else [path])
    ]
    measured = (
        measure_files(files, chosen.readers, chosen.packages)
        if files
        else measure_made(chosen.readers, chosen.packages)
    )
    print("\n".join(table(measured)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
