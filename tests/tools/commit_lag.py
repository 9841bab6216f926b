"""Measure how many steps after its first appearance a token is committed.

    python -m tests.tools.commit_lag FILE... [--beams 2 4 8] [--length medium] [--chunks 3]

Prints a table for the engine's documentation. Documents are read, cut into chunks and given
lengths as in the app. The lag of a token is the number of steps between its first appearance in
the best hypothesis and its commit. Committed early: the share of the answer that was committed
before the last step (median over the chunks). First commit, astray until: shares of the steps;
until the latter, given for each chunk, the best hypothesis did not even begin with the answer's
first token.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longt5 import Draft


@dataclass(frozen=True)
class Lags:
    """The lag of each token of one decode, and the steps of commits.

    ``first``: the step of the first commit. ``astray``: the last step at which the best hypothesis
    did not begin as the answer does; an earlier commit of its beginning would have been wrong.
    """

    tokens: list[int]
    steps: int
    first: int
    astray: int
    before_last: int

    @property
    def share(self) -> float:
        """The share of the final tokens that was committed before the last step."""
        return self.before_last / max(1, len(self.tokens))


def measure(drafts: Sequence[Draft]) -> Lags:
    """Return the lags of one row from all its drafts, the last included."""
    final = drafts[-1].committed
    shown, committed, astray = [0] * len(final), [0] * len(final), 0
    for step, draft in reversed(list(enumerate(drafts, 1))):
        best = [*draft.committed, *draft.provisional]
        same = next((i for i, t in enumerate(final) if best[i : i + 1] != [t]), len(final))
        shown[:same] = [step] * same
        astray = max(astray, step if best[:1] != final[:1] else 0)
        committed[: len(draft.committed)] = [step] * len(draft.committed)
    return Lags(
        [c - s for c, s in zip(committed, shown, strict=True)],
        len(drafts),
        committed[0] if final else len(drafts),
        astray,
        len(drafts[-2].committed) if len(drafts) > 1 else 0,
    )


def decodes(path: Path, summarizer: Any, beams: Sequence[int], length: str, most: int):
    """Yield (beams, drafts) of each of the document's first ``most`` chunks."""
    import torch

    from app.documents.load import load_document
    from app.settings import LENGTH_WORDS
    from app.summary.chunking import chunk_document
    from app.summary.lengths import section_targets, token_limits

    chunks = chunk_document(load_document(path), summarizer.tokenizer, summarizer.window)
    targets = section_targets(LENGTH_WORDS[length], chunks)
    for chunk, words in list(zip(chunks, targets, strict=True))[:most]:
        encoded = summarizer.model.encode(torch.tensor([chunk.input_ids]))
        least, longest = token_limits(words, chunk)
        for width in beams:
            yield (
                width,
                list(
                    summarizer.model.stream(
                        encoded=encoded,
                        num_beams=width,
                        num_return_sequences=1,
                        min_new_tokens=least,
                        max_new_tokens=longest,
                    )
                ),
            )


def table(found: dict[tuple[str, int], list[Lags]]) -> Iterator[str]:
    """Yield Markdown rows, one per document and beam width; medians over its chunks."""
    yield (
        "| document | beams | tokens | lag median | lag p95 | committed early | first commit | "
        "astray until |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for (name, beams), lags in found.items():
        tokens = sorted(lag for one in lags for lag in one.tokens) or [0]
        p95 = tokens[min(len(tokens) - 1, int(0.95 * len(tokens)))]
        share = statistics.median(one.share for one in lags)
        first = statistics.median(one.first / one.steps for one in lags)
        astray = [f"{one.astray / one.steps:.0%}" for one in lags]
        yield (
            f"| {name} | {beams} | {len(tokens)} | {statistics.median(tokens):.0f} | {p95} | "
            f"{share:.0%} | {first:.0%} | {', '.join(astray)} |"
        )


def summary(found: dict[tuple[str, int], list[Lags]]) -> Iterator[str]:
    """Yield a line for each beam width, over all decodes."""
    for beams in sorted({width for _, width in found}):
        lags = [one for (_, width), own in found.items() if width == beams for one in own]
        late = sum(one.astray > one.steps / 4 for one in lags)
        early = statistics.quantiles((one.first / one.steps for one in lags), n=4)
        share = statistics.quantiles((one.share for one in lags), n=4)
        yield (
            f"{beams} beams, {len(lags)} decodes (quartiles): first commit at "
            f"{_percents(early)} of the steps, committed early {_percents(share)}; the best "
            f"hypothesis changed its first token after a quarter of the steps in {late}"
        )


def _percents(shares: Sequence[float]) -> str:
    return " / ".join(f"{share:.0%}" for share in shares)


def main() -> None:
    from app.summary.summarizer import Summarizer

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--beams", nargs="+", type=int, default=[2, 4, 8])
    parser.add_argument("--length", default="medium")
    parser.add_argument("--chunks", type=int, default=3, help="of each document")
    parser.add_argument("--model", default="bundled")
    arguments = parser.parse_args()
    summarizer = Summarizer.load(arguments.model)
    found: dict[tuple[str, int], list[Lags]] = {}
    for path in arguments.files:
        for beams, drafts in decodes(
            path, summarizer, arguments.beams, arguments.length, arguments.chunks
        ):
            found.setdefault((path.stem, beams), []).append(measure(drafts))
    print(*table(dict(sorted(found.items()))), "", *summary(found), sep="\n")


if __name__ == "__main__":
    main()
