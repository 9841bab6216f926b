"""Measure how many altered statements are flagged, and how many true ones are.

    python -m tests.tools.measure_claims [FILE or FOLDER ...]

First the pairs of `tests/corpus/claims`, then statements made from documents.
True statements are sentences of the documents, unchanged or with a number rounded to fewer digits.
Altered ones have one number, date, unit or name that the page does not state; a name is replaced
by another one of the same document if there is one.
"""

from __future__ import annotations

import argparse
import random
import re
from calendar import month_name
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app.settings import assets_dir
from longt5.text import claims
from longt5.text.claims import check
from longt5.text.claims.numerals import NUMBER
from longt5.text.sentences import split_sentences
from tests.corpus.measures import measure_claim_pairs
from tests.tools.measure_citations import documents_of

PER_DOCUMENT = 150
OTHER_UNITS = {"%": "km", "km": "kg", "m": "kg", "eur": "hours", "t": "km", "ha": "km", "h": "km"}
MONTHS = month_name[1:]
MONTH = re.compile("|".join(MONTHS))
Alter = Callable[[str, str, random.Random], "str | None"]


@lru_cache(64)
def page_quantities(page: str) -> list[claims.Quantity]:
    """Return the numbers of a page, found once."""
    return claims.quantities(page)


def other_number(sentence: str, page: str, chance: random.Random) -> str | None:
    """Change one number in digits to one that the page does not have."""
    found = [m for m in NUMBER.finditer(sentence) if not _in_date(sentence, m.start())]
    if not found:
        return None
    match = chance.choice(found)
    digits = [i for i in range(*match.span()) if sentence[i].isdigit()]
    for _ in range(20):
        at = chance.choice(digits)
        digit = chance.choice([d for d in "123456789" if d != sentence[at]])
        altered = sentence[:at] + digit + sentence[at + 1 :]
        said = [q for q in claims.quantities(altered) if q.span[0] <= at < q.span[1]]
        if said and not any(map(said[0].stands_for, page_quantities(page))):
            return altered
    return None


def other_date(sentence: str, page: str, chance: random.Random) -> str | None:
    """Change a month to one that the page does not name."""
    dated = claims.dates(sentence)
    match = MONTH.search(sentence, *dated[0][1]) if dated else None
    if not match:
        return None
    free = [month for month in MONTHS if month[:3].lower() not in page.lower()]
    if not free:
        return None
    return sentence[: match.start()] + chance.choice(free) + sentence[match.end() :]


def other_unit(sentence: str, page: str, chance: random.Random) -> str | None:
    """Replace a unit by one of another kind."""
    for q in claims.quantities(sentence):
        words = sentence[slice(*q.span)]
        if q.unit in OTHER_UNITS and words[-1:].isalpha() | (words[-1:] == "%"):
            number = re.sub(r"[^\d.,]*$", "", words)
            if number and number[0].isdigit():
                return sentence.replace(words, f"{number} {OTHER_UNITS[q.unit]}", 1)
    return None


def other_name(sentence: str, page: str, chance: random.Random, pool: list[str]) -> str | None:
    """Replace a name by one from elsewhere in the document, or by an invented one."""
    found = claims.names(sentence)
    free = [n for n in pool if n.lower() not in page.lower()] or ["Quillsworth"]
    if not found:
        return None
    word, (start, end) = chance.choice(found)
    return sentence[:start] + chance.choice(free) + sentence[end:]


def rounded(sentence: str, page: str, chance: random.Random) -> str | None:
    """Round a decimal number to an integer, which keeps the statement true."""
    match = re.search(r"(?<![\w.,])\d+\.\d+(?![\w.]*\d)", sentence)
    if not match or _in_date(sentence, match.start()):
        return None
    whole = str(int(Decimal(match[0]).quantize(Decimal(1), "ROUND_HALF_UP")))
    return sentence[: match.start()] + whole + sentence[match.end() :]


def _in_date(sentence: str, at: int) -> bool:
    return any(start <= at < end for _, (start, end) in claims.dates(sentence))


def sentences_of(document: Any) -> Iterator[tuple[str, str]]:
    """Yield (sentence, text of its page) for every sentence of ordinary length."""
    for page in document.pages:
        if page.status == "ok":
            for start, end in split_sentences(page.text):
                if 8 <= len(page.text[start:end].split()) <= 60 and page.text[end - 1] in ".!?":
                    yield page.text[start:end], page.text


def measure(document: Any, counts: dict[str, list[int]]) -> None:
    """Add (flagged, tried) of one document to the counts of each kind."""
    chance = random.Random(7)
    pairs = list(sentences_of(document))
    facts = {page: claims.Facts(page) for _, page in pairs}
    whole = claims.Facts("\n\n".join(p.text for p in document.pages))
    pool = sorted({word for s, _ in pairs for word, _ in claims.names(s) if len(word) > 3})
    kinds: dict[str, Alter] = {
        "as it is (true)": lambda s, p, c: s,
        "rounded (true)": rounded,
        "number": other_number,
        "date": other_date,
        "unit": other_unit,
        "name": lambda s, p, c: other_name(s, p, c, pool),
    }
    for sentence, page in chance.sample(pairs, min(PER_DOCUMENT, len(pairs))):
        for kind, alter in kinds.items():
            altered = alter(sentence, page, chance)
            if altered is not None:
                counts[kind][0] += bool(check(altered, facts[page], whole))
                counts[kind][1] += 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_claims"
    )
    parser.add_argument("paths", nargs="*", default=[str(assets_dir() / "examples")])
    chosen = parser.parse_args()
    for name, figures in measure_claim_pairs().items():
        print(name, *(f"{key} {value:.3f}" for key, value in figures.values.items()), sep="  ")
    kinds = ("as it is (true)", "rounded (true)", "number", "date", "unit", "name")
    counts = {kind: [0, 0] for kind in kinds}
    for document in documents_of(chosen.paths):
        measure(document, counts)
    print(f"{'statement':18}{'tried':>8}{'flagged, %':>12}")
    for kind, (flagged, tried) in counts.items():
        print(f"{kind:18}{tried:8}{100 * flagged / max(1, tried):12.1f}")


if __name__ == "__main__":
    main()
