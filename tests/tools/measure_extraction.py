"""Word recall of the readers against poppler's pdftotext, page by page.

    python -m tests.tools.measure_extraction FOLDER

Recall is the share of the words that pdftotext sees on a page and that we see there too, in any
order: "pypdf" and "pdfium" alone, "read" by the better of the two on each page, and "kept" after
cleaning, which drops running headers and tables of contents on purpose.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pypdf
import pypdfium2

from app.documents.load import load_document
from app.documents.readers.pdf import reader as pdf
from app.errors import AppError

TARGET = 0.97
SHARE = 0.9
DROPPED = re.compile("[\u00ad\ufffe\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
DENSE = r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
WORDS = re.compile(rf"{DENSE}|(?:(?!{DENSE})[^\W_])+")


def bag(text: str) -> Counter[str]:
    """Words (single characters where scripts have no spaces), hyphens at line ends undone."""
    text = unicodedata.normalize("NFKC", DROPPED.sub("", re.sub("[\u00ad\ufffe]\\s*\n", "", text)))
    text = re.sub(r"(?<=\w)[-\u2010]\s*\n\s*(?=\w)", "", text)
    return Counter(WORDS.findall(re.sub(r"(?<=\w)[-\u2010](?=\w)", "", text).casefold()))


def recall(ours: list[str], truth: list[str]) -> float:
    """Share of the words of `truth` that stand on the same page of `ours`."""
    found = whole = 0
    for mine, theirs in zip(ours, truth, strict=False):
        wanted = bag(theirs)
        found += sum((wanted & bag(mine)).values())
        whole += sum(wanted.values())
    return found / whole if whole else 1.0


def poppler(path: Path) -> list[str]:
    """pdftotext's pages; raises CalledProcessError."""
    command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    return done.stdout.decode("utf-8", "replace").split("\f")[:-1]


def each_page(read: Callable[[int], str | None], count: int) -> list[str]:
    """Texts of all pages; a page that fails is empty."""
    texts = []
    for index in range(count):
        try:
            texts.append(read(index) or "")
        except Exception:  # what a reader cannot read counts as nothing read
            texts.append("")
    return texts


def measure(path: Path) -> tuple[list[float], int, float]:
    """(recall of pypdf, pdfium, read, kept), pages, seconds of ours."""
    truth = poppler(path)
    one, two = pypdf.PdfReader(path), pypdfium2.PdfDocument(path)
    count = len(truth)
    readings = [
        each_page(lambda i: one.pages[i].extract_text(), count),
        each_page(lambda i: two[i].get_textpage().get_text_bounded(), count),
        each_page(lambda i: pdf.read_page(one, two, i).text, count),
    ]
    began = time.monotonic()
    pages = load_document(path).pages
    seconds = time.monotonic() - began
    readings.append([page.text for page in pages])
    return [recall(reading, truth) for reading in readings], count, seconds


def main(argv: list[str]) -> int:
    """Prints the table; 0 when enough files reach the target, 1 when not or on a wrong call."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        print("usage: python -m tests.tools.measure_extraction FOLDER", file=sys.stderr)
        return 1
    if shutil.which("pdftotext") is None:
        print("Nothing measured: pdftotext (poppler-utils) is not on this machine.")
        return 0
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    print(f"{'file':40} {'pages':>5} {'pypdf':>6} {'pdfium':>6} {'read':>6} {'kept':>6} {'s':>5}")
    good = total = 0
    for path in sorted(Path(argv[0]).glob("*.pdf")):
        try:
            scores, pages, seconds = measure(path)
        except (AppError, OSError, subprocess.SubprocessError, pypdf.errors.PyPdfError) as error:
            print(f"{path.name[:40]:40} skipped: {type(error).__name__}")
            continue
        shown = " ".join(f"{score:6.3f}" for score in scores)
        print(f"{path.name[:40]:40} {pages:5} {shown} {seconds:5.1f}", flush=True)
        total += 1
        good += scores[2] >= TARGET
    print(f"{good} of {total} files are read at {TARGET} or better")
    return 0 if total and good >= SHARE * total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
