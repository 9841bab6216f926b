"""Measure how well sentences, quotable sentences, headings and whole files are recognised."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from app.documents import headings
from app.documents.load import document_from_text, load_document
from app.documents.model import Block, BlockKind, Document, ReadRequest
from app.documents.worker import extract_document
from longt5.text import claims
from longt5.text.leaning import leaning
from longt5.text.prose import may_be_quoted
from longt5.text.roles import PlacedTitle, Role
from longt5.text.source import SourceText
from tests.corpus import kinds, layout_kinds, make_files, non_prose_kinds, pdf_kinds, web_pages

CORPUS = Path(__file__).parent
CONTEXT = 30  # characters shown around a wrong sentence boundary
LANGUAGES = {"german": "de", "french": "fr", "spanish": "es"}  # of kinds of sentences


@dataclass
class Figures:
    """What one part of the corpus measures: figures from 0 to 1 by name, and each mistake."""

    values: dict[str, float] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


def precision_recall_f(right: int, found: int, wanted: int) -> dict[str, float]:
    """Return precision, recall and their harmonic mean; each is 1 where nothing is asked."""
    precision = right / found if found else 1.0
    recall = right / wanted if wanted else 1.0
    both = precision + recall
    return {"precision": precision, "recall": recall, "f": 2 * precision * recall / max(both, 1e-9)}


def rows(path: Path) -> list[str]:
    """Return the lines of a file that are not blank."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


# Sentences: a line of the file is a sentence, a blank line ends a paragraph.


def running_text(path: Path) -> tuple[str, set[int]]:
    """Return a file of sentences as running text, and where its sentences end in it.

    Ends of paragraphs are not among them: a blank line always ends a sentence.
    """
    gap = "" if path.stem == "chinese" else " "
    text, ends = "", set()
    for paragraph in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        for sentence in paragraph.splitlines():
            text += sentence
            ends.add(len(text))
            text += gap
        ends.remove(len(text) - len(gap))
        text = text[: len(text) - len(gap)] + "\n\n"
    return text.rstrip(), ends


def measure_sentences() -> dict[str, Figures]:
    """Return precision, recall and F of sentence boundaries by kind of text, and over all."""
    found: dict[str, Figures] = {}
    totals = [0, 0, 0]
    for path in sorted((CORPUS / "sentences").glob("*.txt")):
        text, wanted = running_text(path)
        paragraphs = {match.start() for match in re.finditer(r"\n\n|\Z", text)}
        ends = {end for _, end in SourceText.of(text).spans} - paragraphs
        counts = (len(ends & wanted), len(ends), len(wanted))
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        mistakes = [f"not split: {around(text, end)}" for end in sorted(wanted - ends)]
        mistakes += [f"split: {around(text, end)}" for end in sorted(ends - wanted)]
        found[f"sentences/{path.stem}"] = Figures(precision_recall_f(*counts), mistakes)
    found["sentences"] = Figures(precision_recall_f(*totals))
    return found


def around(text: str, place: int) -> str:
    """Return what stands around a place of a text, the place marked."""
    return f"{text[max(0, place - CONTEXT) : place]}|{text[place : place + CONTEXT]}"


# Quotable sentences: a line is yes or no, a kind, and the sentence.


def measure_quotable() -> dict[str, Figures]:
    """Return precision, recall and F of the sentences that a summary may quote."""
    return {"quotable": _measure_labelled("quotable", lambda sentence, _: may_be_quoted(sentence))}


def measure_leaning() -> dict[str, Figures]:
    """Return precision, recall and F of the sentences that do not stand alone.

    Their kind names their language where it is not English.
    """

    def is_leaning(sentence: str, kind: str) -> bool:
        return leaning(sentence, language=LANGUAGES.get(kind, "en")) is not None

    return {"leaning": _measure_labelled("leaning", is_leaning)}


def _measure_labelled(name: str, is_one: Callable[[str, str], bool]) -> Figures:
    """Measure a file of sentences, each labelled `yes` or `no` and with its kind."""
    mistakes, right, found, wanted = [], 0, 0, 0
    for label, kind, sentence in (line.split("\t") for line in rows(CORPUS / f"{name}.tsv")):
        is_wanted, is_found = label == "yes", is_one(sentence, kind)
        right += is_wanted and is_found
        found += is_found
        wanted += is_wanted
        if is_wanted != is_found:
            mistakes.append(f"{'not ' * is_wanted}{name} ({kind}): {sentence}")
    return Figures(precision_recall_f(right, found, wanted), mistakes)


# Headings: a line that begins with @ is one.


def plain_title(title: str) -> str:
    """Return a heading in one line, without Markdown's signs, its apostrophes straight."""
    return " ".join(title.strip("#@ \n").replace("’", "'").split())


def compare_headings(document: Document, wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the headings that a document is read with and those that it has."""
    text, pages = headings.join_pages(document)
    found = headings.find_headings(text, document.outline, pages)
    return [plain_title(heading.title) for heading in found], [*map(plain_title, wanted)]


def measure_headings() -> dict[str, Figures]:
    """Return precision, recall and F of headings by document, and over all."""
    found: dict[str, Figures] = {}
    totals = [0, 0, 0]
    for path in sorted((CORPUS / "headings").iterdir()):
        marked = path.read_text(encoding="utf-8")
        document = document_from_text(re.sub("(?m)^@", "", marked), path.name)
        ours, theirs = compare_headings(document, re.findall("(?m)^@.*$", marked))
        counts = ((Counter(ours) & Counter(theirs)).total(), len(ours), len(theirs))
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        found[f"headings/{path.stem}"] = Figures(
            precision_recall_f(*counts), heading_mistakes(ours, theirs)
        )
    found["headings"] = Figures(precision_recall_f(*totals))
    return found


def heading_mistakes(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Return a line for each heading that is missing or none."""
    missing = (Counter(theirs) - Counter(ours)).elements()
    wrong = (Counter(ours) - Counter(theirs)).elements()
    return [*(f"no heading: {title}" for title in missing), *(f"heading: {t}" for t in wrong)]


# Files: their text, its order, their headings.


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters, without punctuation."""
    return re.findall(r"[^\W_]+", text.casefold())


def blocks_in_order(read: Sequence[str], blocks: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many blocks stand whole and in order in the words that were read, and a line for
    each that does not stand whole."""
    text, places, broken = f" {' '.join(read)} ", [], []
    for block in blocks:
        words = f" {' '.join(words_of(block))} "
        after = text.find(words, places[-1] + 1 if places else 0)
        place = text.find(words) if after < 0 else after
        if place < 0:
            broken.append(f"not whole: {block[:70]}")
        else:
            places.append(place)
    tails: list[int] = []  # of the longest rising runs, by length
    for place in places:
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(tails), broken


def measure_file(name: str, data: bytes, expected: make_files.Expected, folder: Path) -> Figures:
    """Return how much of a file's text is read, how much of that belongs to it, how many blocks
    stand whole and in order, and F of its headings."""
    path = folder / name
    path.write_bytes(data)
    document = load_document(path)
    read = words_of("\n".join(page.text for page in document.pages))
    wanted = words_of("\n".join(expected.blocks))
    common = (Counter(read) & Counter(wanted)).total()
    scores = precision_recall_f(common, len(read), len(wanted))
    in_order, mistakes = blocks_in_order(read, expected.blocks)
    values = {"precision": scores["precision"], "recall": scores["recall"]}
    values["order"] = in_order / len(expected.blocks)
    extra = list((Counter(read) - Counter(wanted)).elements())
    if extra:
        mistakes.append(f"too much: {' '.join(extra[:20])}")
    if expected.headings:
        ours, theirs = compare_headings(document, expected.headings)
        right = (Counter(ours) & Counter(theirs)).total()
        values["headings"] = precision_recall_f(right, len(ours), len(theirs))["f"]
        mistakes += heading_mistakes(ours, theirs)
    return Figures(values, mistakes)


# Roles: a line that begins with "@1 " is a heading of that level in the document's outline, and
# "summary| " in front of a paragraph says the role of its sentences, which else are of the body.


def text_with_roles(path: Path) -> tuple[str, list[PlacedTitle], list[tuple[int, Role]]]:
    """Return a text, its outline, and where which role begins."""
    text, outline, wanted = "", list[PlacedTitle](), list[tuple[int, Role]]()
    for line in rows(path):
        heading, labelled = re.match(r"@(\d) (.+)", line), re.match(r"(\w+)\| (.+)", line)
        if heading:
            outline.append(PlacedTitle(len(text), heading[2], int(heading[1])))
        wanted.append((len(text), Role(labelled[1]) if labelled else Role.BODY))
        found = heading or labelled
        text += (found[2] if found else line) + "\n\n"
    return text, outline, wanted


def measure_roles() -> dict[str, Figures]:
    """Return precision, recall and F of the roles of sentences other than the body's."""
    found, wanted, right, mistakes = 0, 0, 0, []
    for path in sorted((CORPUS / "roles").glob("*.txt")):
        text, outline, places = text_with_roles(path)
        source = SourceText.of(text, outline=outline)
        starts = [start for start, _ in places]
        for span, role in zip(source.candidates, source.roles, strict=True):
            asked = places[bisect_right(starts, span[0]) - 1][1]
            found, wanted = found + (role is not Role.BODY), wanted + (asked is not Role.BODY)
            right += role is asked is not Role.BODY
            if role is not asked:
                start = source.sentence(span)[:CONTEXT]
                mistakes.append(f"{path.stem}: {role.value}, not {asked.value}: {start}")
    return {"roles": Figures(precision_recall_f(right, found, wanted), mistakes)}


def measure_reading() -> dict[str, Figures]:
    """Return the figures of each file."""
    with TemporaryDirectory() as folder:
        return {
            f"reading/{name}": measure_file(name, data, expected, Path(folder))
            for name, (data, expected) in make_files.all_files().items()
        }


# Claims: a sentence that rewords its passage, or says something else, and numbers as values.


def measure_claims() -> dict[str, Figures]:
    """Return the figures of both halves: the one that rules may be fitted to, and the other."""
    return {**measure_claim_pairs(), **measure_claim_values()}


def measure_claim_pairs() -> dict[str, Figures]:
    """Return precision, recall and F of flagged false sentences, and the share of true ones that
    are not flagged."""
    found = {}
    for half in ("", "held_out_"):
        counts = {"true": [0, 0], "false": [0, 0]}  # flagged, all
        mistakes = []
        for line in rows(CORPUS / "claims" / f"{half}pairs.tsv"):
            label, language, kind, sentence, passage = line.split("\t")
            is_flagged = bool(claims.check(sentence, passage, passage))
            counts[label][0] += is_flagged
            counts[label][1] += 1
            if is_flagged != (label == "false"):
                mistakes.append(f"{label} ({kind}, {language}): {sentence} <- {passage}")
        true, false = counts["true"], counts["false"]
        values = precision_recall_f(false[0], true[0] + false[0], false[1])
        values["true_kept"] = 1 - true[0] / true[1]
        found[f"claims/{half}pairs"] = Figures(values, mistakes)
    return found


def measure_claim_values() -> dict[str, Figures]:
    """Return precision, recall and F of numbers with their units, and of dates."""
    found = {}
    for half in ("", "held_out_"):
        counts, mistakes = [0, 0, 0], []
        for line in rows(CORPUS / "claims" / f"{half}values.tsv"):
            _, sentence, values = line.split("\t")
            wanted = Counter(value for value in values.split("; ") if value)
            ours = Counter(written_values(sentence))
            right = (ours & wanted).total()
            counts = [
                n + m for n, m in zip(counts, (right, ours.total(), wanted.total()), strict=True)
            ]
            if ours != wanted:
                mistakes.append(f"{sentence}: {'; '.join(ours)}; wanted {values}")
        found[f"claims/{half}values"] = Figures(precision_recall_f(*counts), mistakes)
    return found


def written_values(sentence: str) -> list[str]:
    """Return the numbers of a sentence as "3.5 eur", its dates as "2021-05-03"."""
    numbers = [
        f"{quantity.value.normalize():f} {quantity.unit}".strip()
        for quantity in claims.quantities(sentence)
    ]
    days = [
        f"{year:04}-{month:02}" + (f"-{day:02}" if day else "")
        for (year, month, day), _ in claims.dates(sentence)
    ]
    return numbers + days


def measure_kind_files() -> dict[str, Figures]:
    """Return the figures of the files of every kind but PDF, and of legacy encodings."""
    return {"kinds": Figures(*kinds.measure_kinds())}


def measure_pdf_files() -> dict[str, Figures]:
    """Return the share of small PDFs of every kind that are read without a fault."""
    return {"pdfs": _share_without_faults(pdf_kinds.pdf_cases())}


def measure_non_prose() -> dict[str, Figures]:
    """Return the share of files whose code, definitions and notes are read without a fault."""
    return {"non_prose": _share_without_faults(non_prose_kinds.non_prose_cases())}


def _share_without_faults(cases: Sequence[kinds.KindCase]) -> Figures:
    with TemporaryDirectory() as folder:
        faults = [kinds.case_faults(case, Path(folder)) for case in cases]
    whole = sum(not own for own in faults) / len(cases)
    return Figures({"files": whole}, [fault for own in faults for fault in own])


def measure_layouts() -> dict[str, Figures]:
    """Return, over the PDFs of all layouts: the share of the words that are read, of what is read
    that belongs to the text, of neighbouring words that stay neighbours, of cells of tables that
    are read as such; and F of the headings."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    mistakes: list[str] = []
    with TemporaryDirectory() as folder:
        for case in layout_kinds.layout_cases():
            path = Path(folder) / f"{case.name}.pdf"
            path.write_bytes(case.data)
            request = ReadRequest(str(path), path.name, "pdf")
            blocks = [b for p in extract_document(request, _no_progress).pages for b in p.blocks]
            for figure, (right, all_of_it) in compare_layout(case, blocks).items():
                counts[figure][0] += right
                counts[figure][1] += all_of_it
                if right < all_of_it:
                    mistakes.append(f"{case.name}: {figure} {right} of {all_of_it}")
    shares = {figure: right / whole for figure, (right, whole) in counts.items()}
    found, wanted = shares.pop("heading precision"), shares.pop("heading recall")
    shares["headings"] = 2 * found * wanted / max(found + wanted, 1e-9)
    return {"layouts": Figures(shares, mistakes)}


def compare_layout(
    case: layout_kinds.LayoutCase, blocks: Sequence[Block]
) -> dict[str, tuple[int, int]]:
    """Return what is right and what is asked, by figure."""
    wanted = [words_of(text) for _, text in case.items]
    read = words_of(" ".join(block.text for block in blocks))
    words = Counter(word for own in wanted for word in own)
    pairs = Counter(pair for own in wanted for pair in pairwise(own))
    common = (Counter(read) & words).total()
    headings = Counter(text.casefold() for kind, text in case.items if kind == "heading")
    found = Counter(b.text.casefold().rstrip(".") for b in blocks if b.kind is BlockKind.HEADING)
    cells = Counter(cell for kind, text in case.items if kind == "row" for cell in cells_of(text))
    rows_read = [b.text for b in blocks if b.kind is BlockKind.TABLE_ROW]
    cells_read = Counter(c for text in rows_read for row in text.split("\n") for c in cells_of(row))
    return {
        "recall": (common, words.total()),
        "precision": (common, len(read)),
        "order": ((Counter(pairwise(read)) & pairs).total(), pairs.total()),
        "cells": ((cells & cells_read).total(), max(cells.total(), cells_read.total())),
        "heading precision": ((headings & found).total(), found.total()),
        "heading recall": ((headings & found).total(), headings.total()),
    }


def cells_of(row: str) -> list[str]:
    """Return the cells of a row that are not empty."""
    return [cell.strip() for cell in row.split("|") if cell.strip()]


def measure_web_pages() -> dict[str, Figures]:
    """Return the mean F of the words of web pages, of articles and of mixed pages."""
    scores: dict[str, list[float]] = defaultdict(list)
    mistakes: list[str] = []
    for page in web_pages.web_pages():
        with TemporaryDirectory() as folder:
            path = Path(folder) / page.name
            path.write_bytes(page.data)
            extracted = extract_document(ReadRequest(str(path), page.name, "html"), _no_progress)
        read = Counter(words_of(" ".join(part.text for part in extracted.pages)))
        wanted = Counter(words_of(page.wanted))
        right = (read & wanted).total()
        scores[page.kind].append(precision_recall_f(right, read.total(), wanted.total())["f"])
        for name, words in (("too much", read - wanted), ("missing", wanted - read)):
            if words:
                mistakes.append(f"{page.name}: {name}: {' '.join(list(words)[:15])}")
    values = {kind: sum(own) / len(own) for kind, own in scores.items()}
    return {"web": Figures(values, mistakes)}


def _no_progress(done: int, total: int) -> None:
    return None


MEASURES: dict[str, Callable[[], dict[str, Figures]]] = {
    "sentences": measure_sentences,
    "quotable": measure_quotable,
    "leaning": measure_leaning,
    "headings": measure_headings,
    "roles": measure_roles,
    "reading": measure_reading,
    "kinds": measure_kind_files,
    "pdfs": measure_pdf_files,
    "non_prose": measure_non_prose,
    "layouts": measure_layouts,
    "web": measure_web_pages,
    "claims": measure_claims,
}
