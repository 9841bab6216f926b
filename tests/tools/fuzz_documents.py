"""Fuzz the readers: each randomly damaged document must end as a Document or an error, in time.

`python -m tests.tools.fuzz_documents --minutes 10 [--seed 1]`; a failing case is printed with the
numbers that reproduce it: `--seed S --case N`.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from app.documents import limits
from app.documents.characters import strip_controls
from app.documents.encoding import decode_text
from app.documents.load import load_document
from app.documents.model import Document, Page
from app.documents.readers.pdf import parallel
from app.errors import AppError
from app.summary.chunking import chunk_document, join_pages
from tests.documents import make_formats, make_pdfs
from tests.documents.helpers import clean_texts
from tests.documents.make_pdfs import PROSE, text_pdf

PAGE = (
    "<!DOCTYPE html><html><head><meta charset=utf-8><title>T</title></head><body><main><h1>Head"
    f"</h1><p>{PROSE}</p><ul><li>one<li>two</ul><table><tr><td>a<td>b</table></main></body></html>"
)
NUMBERS = (b"0", b"-1", b"65536", b"2147483647", b"4294967296", b"99999999999999999999", b"1e9")
Change = Callable[[bytes, random.Random], bytes]


def originals() -> dict[str, list[bytes]]:
    """Return sound files to damage, by suffix."""
    nav = '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    book = make_formats.epub(
        more={"OEBPS/nav.xhtml": make_formats.NAV, "OEBPS/toc.ncx": make_formats.NCX},
        manifest=nav + '<item id="x" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
        spine='<itemref idref="n"/>',
    )
    return {
        ".pdf": [
            text_pdf([PROSE] * 3),
            text_pdf([PROSE], pageCompression=0),
            make_pdfs.unicode_pdf(["日本語の", "文書です。"]),
            make_pdfs.encrypted(""),
            make_pdfs.canvas_pdf([make_pdfs.scanned]),
            make_pdfs.with_missing_page(),
            make_pdfs.glyph_names(),
            text_pdf([PROSE] * (parallel.MIN_PARALLEL_PAGES + 4)),
        ],
        ".docx": [make_formats.word(make_formats.report)],
        ".odt": [make_formats.odt(make_formats.ODT_BODY, make_formats.ODT_STYLES)],
        ".pptx": [make_formats.slides(make_formats.deck)],
        ".epub": [book],
        ".html": [PAGE.encode(), PAGE.encode("utf-16")],
        ".md": [f"# Head\n\n{PROSE}\n\n- one\n\n|a|b|\n|-|-|\n|c|d|\n\n```\nx\n```\n<p>y".encode()],
        ".txt": [(PROSE * 20).encode(), PROSE.encode("utf-16"), "Река — ночь. ".encode() * 99],
    }


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30, 300))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _lose(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randrange(2000) :]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 500)]
    return data[:start] + piece * chance.choice((2, 20, 2000)) + data[start:]


def _number(data: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    place = chance.choice(found)
    return data[: place.start()] + chance.choice(NUMBERS) + data[place.end() :]


def _objects(data: bytes, chance: random.Random) -> bytes:
    """Duplicate or replace PDF objects, or make them point at each other."""
    found = list(re.finditer(rb"\d+ 0 obj.*?endobj", data, re.S))
    if len(found) < 2:
        return _flip(data, chance)
    one, two = chance.choice(found), chance.choice(found)
    if chance.random() < 0.3:
        number = str(chance.randrange(1, len(found) + 2)).encode()
        return re.sub(rb"\b\d+ 0 R", number + b" 0 R", data, count=chance.randrange(1, 5))
    body = re.sub(rb"^\d+", re.match(rb"\d+", one[0])[0], two[0])  # type: ignore[index]
    return data[: one.start()] + body + data[one.start() if chance.random() < 0.5 else one.end() :]


def _nest(data: bytes, chance: random.Random) -> bytes:
    """Open a tag many times."""
    found = list(re.finditer(rb"<[a-z:]+[^<>/]*>", data))
    if not found:
        return _repeat(data, chance)
    tag = chance.choice(found)
    return data[: tag.start()] + tag[0] * chance.choice((3, 50, 1000)) + data[tag.start() :]


def _member(data: bytes, chance: random.Random) -> bytes:
    """Change, remove, duplicate or rename a member of an archive that stays sound."""
    found = make_formats.members(data)
    name = chance.choice(sorted(found))
    what = chance.random()
    if what < 0.1:
        del found[name]
    elif what < 0.2:
        found["../" + name] = found.pop(name)
    elif what < 0.3:
        found[name] = found[chance.choice(sorted(found))]
    elif found[name]:
        for _ in range(chance.choice((1, 1, 3))):
            change = chance.choice((_flip, _cut, _lose, _repeat, _number, _nest))
            found[name] = change(found[name], chance) or b" "
    return make_formats.zipped(found)


CHANGES: dict[str, Sequence[Change]] = {
    ".pdf": (_flip, _cut, _lose, _repeat, _number, _number, _objects, _objects),
    ".docx": (_flip, _cut, _lose, _member, _member, _member, _member),
    ".odt": (_flip, _cut, _lose, _member, _member, _member, _member),
    ".pptx": (_flip, _cut, _lose, _member, _member, _member, _member),
    ".epub": (_flip, _cut, _lose, _member, _member, _member, _member),
    ".html": (_flip, _cut, _lose, _repeat, _nest, _nest, _number),
    ".md": (_flip, _cut, _lose, _repeat, _nest),
    ".txt": (_flip, _cut, _lose, _repeat),
}


def case(seed: int, number: int, sources: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """Return (suffix, bytes) of one damaged file, always the same for the same numbers."""
    chance = random.Random(f"{seed}:{number}")
    suffix = chance.choice(sorted(sources))
    data = chance.choice(sources[suffix])
    data = chance.choice(CHANGES[suffix])(data, chance)
    if data and suffix not in (".docx", ".odt", ".pptx", ".epub") and chance.random() < 0.4:
        data = chance.choice(CHANGES[suffix])(data, chance)
    return suffix, data


@dataclass
class Found:
    """The outcomes of the cases of a run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)


def run_case(seed: int, number: int, sources: dict[str, list[bytes]], found: Found) -> None:
    """Read one damaged file and record the outcome; anything but a Document or a readable error in
    time is a failure."""
    suffix, data = case(seed, number, sources)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        path.write_bytes(data)
        began = time.monotonic()
        try:
            outcome = _checked(load_document(path))
        except AppError as error:
            outcome = f"{suffix} {type(error).__name__}"
            sentence = str(error)
            if "too complex" in sentence:
                outcome += " (child ended)"
            if path.name not in sentence or not sentence.endswith(".") or "\n" in sentence:
                outcome = f"an unreadable error: {sentence!r}"
        except Exception as error:
            outcome = f"raised {type(error).__name__}: {error}"
        seconds = time.monotonic() - began
    most = limits.reading_seconds(limits.MAX_DOCUMENT_PAGES)
    if seconds > most:
        outcome = f"took {seconds:.0f} s"
    if outcome.startswith("."):
        found.outcomes[outcome] += 1
    else:
        found.failures.append(f"--seed {seed} --case {number} ({suffix}): {outcome}")
    found.slowest = max(found.slowest, (seconds, number))


def _checked(document: Document) -> str:
    """Return ".pdf Document", or a description of the defect of a document."""
    numbers = [page.number for page in document.pages]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        return "pages not numbered from 1"
    if any(page.text and page.status != "ok" for page in document.pages):
        return "text on a page that is not ok"
    if any(not 1 <= item.page <= len(numbers) for item in document.outline):
        return "an outline that points outside"
    if any("\x00" in page.text for page in document.pages):
        return "a NUL in the text"
    wrong = check_chunks(document) or _check_places(document)
    if wrong:
        return wrong
    return f"{Path(document.name).suffix} Document"


def _check_places(document: Document) -> str:
    """Return the defect of the lines and notes of pages; "" where all lie in order in the text."""
    for page in document.pages:
        for name, spans in (
            ("lines", [line[:2] for line in page.lines]),
            ("notes", page.non_prose),
        ):
            edges = [edge for span in spans for edge in span]
            if edges != sorted(edges) or (
                edges and not 0 <= edges[0] <= edges[-1] <= len(page.text)
            ):
                return f"{name} outside the text"
    return ""


class Letters:
    """A tokenizer whose tokens are eight letters long."""

    def encode_with_offsets(self, content: str) -> tuple[list[int], list[tuple[int, int]]]:
        starts = range(0, len(content), 8)
        spans = [(start, min(start + 8, len(content))) for start in starts]
        return [1] * len(spans) + [0], [*spans, (len(content), len(content))]


def check_chunks(document: Document, window: int = 64) -> str:
    """Return the defect of the chunks of a document: lost text, too small a window, a span on
    another page; "" when there is none."""
    chunks = chunk_document(document, Letters(), window)
    whole, spans = join_pages(document)
    joined = "".join(chunk.text[chunk.overlap :] for chunk in chunks)
    if joined.split() != whole.split() and "".join(joined.split()) != "".join(whole.split()):
        return "text lost in chunks"
    if any(len(chunk.input_ids) > window for chunk in chunks):
        return "a chunk beyond the window"
    own = {number: whole[start:end] for number, start, end in spans}
    for chunk in chunks:
        for span in chunk.spans:
            if chunk.text[span.start : span.end] not in own[span.page]:
                return "a span that leads to another page"
    return ""


def run_texts(seed: int, found: Found, examples: int = 60) -> None:
    """Decode, clean and chunk texts generated by hypothesis."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.lists(st.one_of(st.text(max_size=600), st.binary(max_size=600)), min_size=1, max_size=5),
        st.integers(8, 90),
    )
    def each(texts: list[str | bytes], window: int) -> None:
        decoded = [decode_text(t)[0] if isinstance(t, bytes) else strip_controls(t) for t in texts]
        cleaned = clean_texts(decoded)
        assert len(cleaned) == len(texts), "pages lost in cleaning"
        assert not any("\x00" in page or "\x1b" in page for page in cleaned), "controls left"
        pages = tuple(Page(n, str(n), t, "ok") for n, t in enumerate(cleaned, 1))
        wrong = check_chunks(Document("made.txt", "", "part", pages, ()), window)
        assert not wrong, wrong
        found.outcomes[".made text"] += 1

    try:
        each()
    except Exception as error:
        found.failures.append(f"texts of seed {seed}: {type(error).__name__}: {error}")


def run(minutes: float, seed: int) -> Found:
    """Run cases until the time is over, with some generated texts after every tenth file."""
    found, sources, number = Found(), originals(), 0
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        run_case(seed, number, sources, found)
        if number % 10 == 0:
            run_texts(seed + number, found)
        number += 1
    return found


def main() -> int:
    """Run and report; return 1 when a case failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--case", type=int, help="only this one")
    chosen = parser.parse_args()
    if chosen.case is not None:
        found = Found()
        run_case(chosen.seed, chosen.case, originals(), found)
    else:
        found = run(chosen.minutes, chosen.seed)
    for outcome, count in sorted(found.outcomes.items()):
        print(f"{count:7}  {outcome}")
    seconds, number = found.slowest
    total = sum(found.outcomes.values()) + len(found.failures)
    print(f"{total} cases, {len(found.failures)} failures, slowest {seconds:.1f} s (case {number})")
    print("\n".join(found.failures))
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
