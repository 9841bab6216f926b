"""Measure the reading of web pages against trafilatura, on pages with the text that people marked.

    python -m tests.tools.measure_web FOLDER [--every 3] [--shares 0.2 0.3 0.4 0.5]

FOLDER holds `html/*.html.gz` and `ground-truth/*.json`, as either half of the benchmark WCXB does.
Prints the mean word F1 of our walk alone, trafilatura alone, and both at each share: the article is
taken where it has at least that share of the letters that the walk keeps.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from app.documents.model import Block
from app.documents.readers import article, web


def word_f(read: str, wanted: str) -> float:
    """Return F1 of the words of a text."""
    ours, theirs = Counter(words(read)), Counter(words(wanted))
    common = (ours & theirs).total()
    return 2 * common / max(1, ours.total() + theirs.total())


def words(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return re.findall(r"\w+", text.lower())


def joined(blocks: Sequence[Block]) -> str:
    """Return the text of blocks, a line each."""
    return "\n".join(block.text for block in blocks)


def scores_of(data: bytes, wanted: str, shares: Sequence[float]) -> dict[str, float]:
    """Return the F1 of each way to read a page."""
    markup, _ = web.decode_markup(data)
    tree = LexborHTMLParser(markup)
    if tree.body is None:
        return dict.fromkeys(["walk", "trafilatura", *map(str, shares)], 0.0)
    kept, _ = web.walked_blocks(tree)
    text = article.article_text(markup)
    inside = article.article_blocks(web._TreeWalk(is_page=True).blocks_of(tree.body), text)
    size = sum(len(block.text) for block in kept)
    found = sum(len(block.text) for block in inside)
    walk, chosen = word_f(joined(kept), wanted), word_f(joined(inside), wanted)
    ways = {"walk": walk, "trafilatura": word_f(text, wanted), "article": chosen}
    return ways | {str(share): chosen if found >= share * size else walk for share in shares}


def main(argv: list[str]) -> int:
    """Print the table: a row for each kind of page, a column for each way to read it."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.measure_web")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every N-th page")
    parser.add_argument("--shares", type=float, nargs="+", default=[web.MIN_ARTICLE_SHARE])
    chosen = parser.parse_args(argv)
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    for path in sorted((chosen.folder / "ground-truth").glob("*.json"))[:: chosen.every]:
        truth = json.loads(path.read_text(encoding="utf-8"))
        wanted = truth["ground_truth"].get("main_content")
        if not wanted:
            continue
        packed = chosen.folder / "html" / f"{path.stem}.html.gz"
        scores = scores_of(
            gzip.decompress(packed.read_bytes()),
            wanted,
            chosen.shares,
        )
        for kind in (truth["_internal"]["page_type"]["primary"], "all"):
            rows[kind].append(scores)
    ways = list(rows["all"][0]) if rows["all"] else []
    print(f"{'kind':16} {'pages':>5} " + " ".join(f"{way:>11}" for way in ways))
    for kind, found in sorted(rows.items()):
        means = (sum(scores[way] for scores in found) / len(found) for way in ways)
        print(f"{kind:16} {len(found):5} " + " ".join(f"{mean:11.3f}" for mean in means))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
