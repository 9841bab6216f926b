"""Measure the words and their order that the PDF readers find, against poppler's pdftotext.

    python -m tests.tools.measure_extraction FOLDER

Two figures for each reader: the share of the words that pdftotext sees on a page and that are
there too, and the share of the reader's neighbouring word pairs that pdftotext has. Our reading
drops running heads, contents and note marks on purpose, and joins cut words.
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
from itertools import pairwise
from pathlib import Path

import pypdf
import pypdfium2

from app.documents.load import load_document
from app.errors import AppError

_TARGET_RECALL = 0.9  # of our reading, which leaves out heads, contents and imprints
_TARGET_SHARE = 0.9  # of the files
_INVISIBLE = re.compile("[\u00ad\ufffe\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
_SPACELESS = r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_WORD = re.compile(rf"{_SPACELESS}|(?:(?!{_SPACELESS})[^\W_])+")


def bag(text: str) -> Counter[str]:
    """Return the words of a text (single characters in scripts without spaces), dehyphenated."""
    text = unicodedata.normalize(
        "NFKC", _INVISIBLE.sub("", re.sub("[\u00ad\ufffe]\\s*\n", "", text))
    )
    text = re.sub(r"(?<=\w)[-\u2010]\s*\n\s*(?=\w)", "", text)
    return Counter(_WORD.findall(re.sub(r"(?<=\w)[-\u2010](?=\w)", "", text).casefold()))


def recall(ours: list[str], truth: list[str]) -> float:
    """Return the share of the words of `truth` that are on the same page of `ours`."""
    found = whole = 0
    for mine, theirs in zip(ours, truth, strict=False):
        wanted = bag(theirs)
        found += sum((wanted & bag(mine)).values())
        whole += sum(wanted.values())
    return found / whole if whole else 1.0


def poppler(path: Path) -> list[str]:
    """Return pdftotext's pages. Raises CalledProcessError."""
    command = ["pdftotext", "-enc", "UTF-8", str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    return done.stdout.decode("utf-8", "replace").split("\f")[:-1]


def each_page(read: Callable[[int], str | None], count: int) -> list[str]:
    """Return the texts of all pages; a page that fails is empty."""
    texts = []
    for index in range(count):
        try:
            texts.append(read(index) or "")
        except Exception:  # a page that a reader cannot read counts as empty
            texts.append("")
    return texts


def word_pairs(text: str) -> Counter[tuple[str, str]]:
    """Return the neighbouring words of a text."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return Counter(pairwise(words))


def pair_share(ours: list[str], truth: list[str]) -> float:
    """Return the share of the neighbouring word pairs of `ours` that `truth` has too."""
    mine, theirs = word_pairs(" ".join(ours)), word_pairs(" ".join(truth))
    return sum((mine & theirs).values()) / max(sum(mine.values()), 1)


def measure(path: Path) -> tuple[list[tuple[float, float]], int, float]:
    """Return (word recall, share of word pairs) of pypdf, PDFium and our reading; the number of
    pages; seconds of load_document."""
    truth = poppler(path)
    one, two = pypdf.PdfReader(path), pypdfium2.PdfDocument(path)
    count = len(truth)
    readings = [
        each_page(lambda i: one.pages[i].extract_text(), count),
        each_page(lambda i: two[i].get_textpage().get_text_bounded(), count),
    ]
    began = time.monotonic()
    pages = load_document(path).pages
    seconds = time.monotonic() - began
    readings.append([page.text for page in pages])
    scores = [(recall(reading, truth), pair_share(reading, truth)) for reading in readings]
    return scores, count, seconds


def main(argv: list[str]) -> int:
    """Print the table. Return 0 when enough files reach the target, else 1."""
    if len(argv) != 1 or not Path(argv[0]).is_dir():
        print("usage: python -m tests.tools.measure_extraction FOLDER", file=sys.stderr)
        return 1
    if shutil.which("pdftotext") is None:
        print("Nothing measured: pdftotext (poppler-utils) is not on this machine.")
        return 0
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    print(f"{'file':40} {'pages':>5} {'pypdf':>11} {'pdfium':>11} {'ours':>11} {'pages/s':>7}")
    good = total = 0
    for path in sorted(Path(argv[0]).glob("*.pdf")):
        try:
            scores, pages, seconds = measure(path)
        except (AppError, OSError, subprocess.SubprocessError, pypdf.errors.PyPdfError) as error:
            print(f"{path.name[:40]:40} skipped: {type(error).__name__}")
            continue
        shown = " ".join(f"{words:5.3f} {pairs:5.3f}" for words, pairs in scores)
        print(f"{path.name[:40]:40} {pages:5} {shown} {pages / seconds:7.1f}", flush=True)
        total += 1
        good += scores[-1][0] >= _TARGET_RECALL
    print(f"{good} of {total} files are read at {_TARGET_RECALL} or better")
    return 0 if total and good >= _TARGET_SHARE * total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
