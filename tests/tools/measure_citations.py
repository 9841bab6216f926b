"""Measure how often a citation names the right page: by attention, by overlap, by both.

    python -m tests.tools.measure_citations [FILE or FOLDER ...]

In the first table the bundled model summarizes each document. It quotes, so the right page is
known: the one that holds the sentence's longest run of words (six at least). In the second,
sentences of the source are reordered and reworded until they share no run of four words with it,
and the decoder reads them token by token.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from app.documents.load import load_document
from app.errors import AppError
from app.events import Sentence
from app.evidence.citations import Citer, Passage, find_passages
from app.evidence.section_evidence import SectionEvidence
from app.settings import assets_dir
from app.summary.chunking import chunk_document
from app.summary.summarizer import Options, Summarizer
from longt5.text.words import words_of

MIN_RUN_WORDS = 6
METHODS = ("attention", "overlap", "both")
SYNONYMS = dict(
    pair.split(":")
    for pair in "large:big small:little began:started begin:start show:reveal "
    "shows:reveals used:employed "
    "use:employ found:discovered find:discover many:numerous important:significant help:aid "
    "need:require needs:requires said:stated get:obtain give:provide gives:provides make:create "
    "made:created because:since about:around also:too people:persons work:labour new:recent "
    "year:twelvemonth years:twelvemonths before:prior after:following high:elevated "
    "increase:rise increased:risen reduce:lower reduced:lowered".split()
)


@dataclass
class Score:
    """Sentences judged, and for each method those whose top page is right, or next to right."""

    judged: int = 0
    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(METHODS, 0))
    near: dict[str, int] = field(default_factory=lambda: dict.fromkeys(METHODS, 0))

    def add(self, truth: set[int], cited: dict[str, Sequence[int]]) -> None:
        """Count one sentence."""
        self.judged += 1
        for method, pages in cited.items():
            self.right[method] += bool(truth & set(pages))
            self.near[method] += any(abs(a - b) <= 1 for a in truth for b in pages)

    def row(self, name: str) -> str:
        """Return a line of the table."""
        if not self.judged:
            return f"{name[:38]:38} {0:9}"
        cells = "".join(
            f"{100 * self.right[m] / self.judged:7.1f} ({100 * self.near[m] / self.judged:5.1f})"
            for m in METHODS
        )
        return f"{name[:38]:38} {self.judged:9}{cells}"


def longest_runs(sentence: str, passages: Sequence[Passage], text: str) -> set[int]:
    """Return the pages of the sentence's longest run of words.

    Return nothing when the run is shorter than MIN_RUN_WORDS.
    """
    source, pages = [], []
    for passage in passages:
        words = words_of(text[passage.start : passage.end])
        source += words
        pages += [passage.pages] * len(words)
    places: dict[str, list[int]] = {}
    for at, word in enumerate(source):
        places.setdefault(word, []).append(at)
    best, found = MIN_RUN_WORDS - 1, set()
    said = words_of(sentence)
    for begin in range(len(said)):
        for at in places.get(said[begin], ()):
            pairs = zip(said[begin:], source[at : at + len(said)], strict=False)
            n = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            if n > best:
                best, found = n, set()
            if n == best:
                found |= {page for where in pages[at : at + n] for page in where}
    return found


def cited_by(citer: Citer, sentence: str, shares: Sequence[float] | None) -> dict[str, Any]:
    """Return the pages of the best passage by each method."""
    by_attention: Sequence[int] = ()
    if shares is not None:
        best = max(range(len(shares)), key=shares.__getitem__)
        by_attention = citer.passages[best].pages
    tops = {"overlap": citer.cite(sentence), "both": citer.cite(sentence, shares)}
    top = {name: c.passages[0].pages if c.passages else () for name, c in tops.items()}
    return {"attention": by_attention, **top}


def copied(summarizer: Summarizer, document: Any, length: str) -> Score:
    """Score the citations of the model's own summary."""
    score = Score()

    class Recorder(SectionEvidence):
        def _cite(self, sentence: str, shares: Sequence[float] | None) -> Sentence:
            truth = longest_runs(sentence, self._passages, self._chunk.text)
            if truth:
                score.add(truth, cited_by(self._citer, sentence, shares))
            return super()._cite(sentence, shares)

    with mock.patch("app.summary.section_writer.SectionEvidence", Recorder):
        summarizer.summarize(document, Options(length=length))
    return score


def reworded(sentence: str, chance: random.Random) -> str:
    """Return the sentence with groups of three words swapped and common words replaced."""
    words = [SYNONYMS.get(w.lower(), w) for w in sentence.rstrip(".!?").split()]
    words = [w for w in words if len(w) > 3 or chance.random() > 0.4]
    groups = [words[i : i + 3] for i in range(0, len(words), 3)]
    for i in range(0, len(groups) - 1, 2):
        groups[i], groups[i + 1] = groups[i + 1], groups[i]
    return " ".join(word for group in groups for word in group) + "."


def shares_four(a: str, b: str) -> bool:
    """Return True if two texts have four words in a row in common."""
    one, two = words_of(a), words_of(b)
    runs = {tuple(one[i : i + 4]) for i in range(len(one) - 3)}
    return any(tuple(two[i : i + 4]) in runs for i in range(len(two) - 3))


def rewritten(summarizer: Summarizer, document: Any, per_chunk: int = 12) -> Score:
    """Score the citations of reworded sentences that the decoder reads."""
    score, chance = Score(), random.Random(1)
    tokenizer, model = summarizer.tokenizer, summarizer.model
    for chunk in chunk_document(document, tokenizer, summarizer.window):
        passages = find_passages(chunk)
        citer = Citer(passages)
        known = [
            p
            for p in passages
            if len(p.pages) == 1 and 12 <= len(words_of(chunk.text[p.start : p.end])) <= 60
        ]
        encoded = model.encode(torch.tensor([chunk.input_ids]))
        for passage in chance.sample(known, min(per_chunk, len(known))):
            said = reworded(chunk.text[passage.start : passage.end], chance)
            if shares_four(said, chunk.text):
                continue
            shares = attention_of(model, encoded, tokenizer.encode(said), passages)
            score.add(set(passage.pages), cited_by(citer, said, shares))
    return score


@torch.no_grad()
def attention_of(
    model: Any, encoded: Any, tokens: list[int], passages: Sequence[Passage]
) -> list[float]:
    """Return the share of attention on each passage while the decoder reads tokens."""
    output = model(encoder_outputs=encoded, labels=torch.tensor([tokens]), output_attentions=True)
    heads = model.generation_config.alignment_heads
    layers = output.cross_attentions
    if heads is None:
        weights = torch.stack(layers).mean((0, 1, 2))
    else:
        weights = torch.stack([layers[layer][0, head] for layer, head in heads]).mean(0)
    running = torch.nn.functional.pad(weights.sum(0).cumsum(0), (1, 0))
    return [float(running[p.tokens[1]] - running[p.tokens[0]]) for p in passages]


def documents_of(paths: Sequence[str]) -> Iterator[Any]:
    """Yield the documents of files and folders; report unreadable ones on stderr."""
    files = []
    for path in map(Path, paths):
        files += sorted(path.glob("*.pdf")) if path.is_dir() else [path]
    for file in files:
        try:
            yield load_document(file)
        except AppError as error:
            print(error, file=sys.stderr)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m tests.tools.measure_citations"
    )
    parser.add_argument("paths", nargs="*", default=[str(assets_dir() / "examples")])
    parser.add_argument("--length", default="long", choices=("short", "medium", "long"))
    chosen = parser.parse_args()
    summarizer = Summarizer.load("bundled", device="cpu", dtype="float32")
    documents = list(documents_of(chosen.paths))
    head = f"{'':38} sentences" + "".join(f"{m:>15}" for m in METHODS)
    for title, measure in (
        (
            "Copied sentences: right page, % (within one page, %)",
            lambda d: copied(summarizer, d, chosen.length),
        ),
        (
            "Reworded sentences: right page, % (within one page, %)",
            lambda d: rewritten(summarizer, d),
        ),
    ):
        print(f"\n{title}\n{head}")
        whole = Score()
        for document in documents:
            score = measure(document)
            print(score.row(document.name), flush=True)
            whole.judged += score.judged
            for m in METHODS:
                whole.right[m] += score.right[m]
                whole.near[m] += score.near[m]
        print(whole.row("all"))


if __name__ == "__main__":
    main()
