"""The article of a web page: trafilatura tells its words, and our walk gives their form."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from ..model import Block, BlockKind

_SHINGLE_WORDS = 4
_LIST_MARK = "- "
# Of the letters of trafilatura's text that our blocks must hold. Below, a page puts its text where
# our walk does not look, and trafilatura's own lines are taken. Fitted on every fourth page of
# WCXB's development half, with the share in web.py: F1 of words 0.846, without these lines 0.815;
# 0.7 and 0.5 give the same.
_MIN_COVERED = 0.6
_MIN_SHINGLES_INSIDE = 0.5  # of a block's runs of words; marks of notes and the like break a few


def article_text(markup: str) -> str:
    """Return the text of a page's article; "" where trafilatura finds none."""
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs pages' addresses
    try:
        return trafilatura.extract(markup, include_comments=True, include_tables=True) or ""
    except Exception:  # its parsers raise many types
        return ""


def article_blocks(blocks: Sequence[Block], text: str) -> list[Block]:
    """Return the blocks of a page that stand in the text of its article, or the lines of the text
    where these blocks are not most of it."""
    found = blocks_inside(blocks, text)
    if sum(len(block.text) for block in found) >= _MIN_COVERED * len(text):
        return found
    titles = {block.text: block for block in blocks if block.kind is BlockKind.HEADING}
    return [titles.get(line) or _block_of(line) for line in text.splitlines() if line.strip()]


def _block_of(line: str) -> Block:
    """Return a line of trafilatura's text as a block."""
    if line.startswith(_LIST_MARK):
        return Block(line[len(_LIST_MARK) :].strip(), BlockKind.LIST_ITEM)
    return Block(line.strip())


def blocks_inside(blocks: Sequence[Block], text: str) -> list[Block]:
    """Return the blocks whose words stand in a text, and the headings above them."""
    words = _words(text)
    joined = f" {' '.join(words)} "
    shingles = set(_shingles(words))
    found: list[Block] = []
    is_followed = False
    for block in reversed(blocks):
        is_inside = _is_inside(_words(block.text), joined, shingles)
        if is_inside or (is_followed and block.kind is BlockKind.HEADING):
            found.append(block)
        is_followed = is_inside or (is_followed and block.kind is BlockKind.HEADING)
    return found[::-1]


def _is_inside(words: list[str], joined: str, shingles: set[tuple[str, ...]]) -> bool:
    if len(words) < _SHINGLE_WORDS:
        return bool(words) and f" {' '.join(words)} " in joined
    own = _shingles(words)
    return sum(shingle in shingles for shingle in own) >= _MIN_SHINGLES_INSIDE * len(own)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _shingles(words: Sequence[str]) -> list[tuple[str, ...]]:
    count = len(words) - _SHINGLE_WORDS + 1
    return [tuple(words[i : i + _SHINGLE_WORDS]) for i in range(count)]
