"""Sentences that notes, captions and tables interrupt are rejoined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import REMAINDER, is_caption, is_listing
from longt5.text.sentences import contains_stop, ends_sentence

from .model import NON_PROSE, Block, BlockKind

_INTERRUPTED_END = re.compile(r"[^\W\d_A-Z][,)]?$")  # the last letters of a line that goes on
_END_LETTERS = 3  # that it looks at, with a line end
_FOOTNOTE = re.compile(
    r"(?:\d{1,3}|[*†‡§¶⋆]+|[a-z](?=[A-Z])) ?[^\W\d_a-z(“\"]|\d{1,3} (?:https?:|www\.)"
)
_SOURCE_OR_BOX = re.compile(r"(?:Sources?|Notes?|Key|Legend)\b ?:|(?:Box|Map|Chart) \d", re.I)
_HEADING_OR_ITEM = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]+\.|[•●○◦▪■□‣–—-])\s")
# Chosen by hand on the sample documents.
_MAX_BLOCKS_BETWEEN = 12  # in one sentence: a table and its notes; more is another article
_MIN_CUT_WORDS = 10  # of a paragraph that goes on elsewhere; shorter ones are headings, cells
_MAX_DIGIT_SHARE = 0.1  # of its words, where it holds no end of a sentence: else it is a row

PageBlock = tuple[int, Block]  # the index of its page, and a paragraph or rows


def rejoin_cut_paragraphs(paragraphs: Sequence[str]) -> list[str]:
    """Return the paragraphs of one text with the sentences rejoined that are evidently cut."""
    (blocks,) = rejoin_cut_sentences([[Block(paragraph) for paragraph in paragraphs]])
    return [block.text for block in blocks]


def rejoin_cut_sentences(pages: Sequence[Sequence[Block]]) -> list[list[Block]]:
    """Return the blocks of pages with sentences rejoined that are evidently cut: the paragraph
    ends without a stop, one that begins with a small letter follows, and only notes, captions,
    tables and fragments stand between. These go before the sentence on the page where it begins,
    and after it on the next page."""
    blocks = [(n, block) for n, page in enumerate(pages) for block in page if block.text]
    found: list[PageBlock] = []
    at = 0
    while at < len(blocks):
        own = blocks[at][1]
        may_go_on = not own.level and own.kind not in NON_PROSE and _is_cut(own.text)
        end = _continuation(blocks, at) if may_go_on else None
        if end is None:
            found.append(blocks[at])
            at += 1
            continue
        (first, head), (last, tail) = blocks[at], blocks[end]
        between = blocks[at + 1 : end]
        if first == last:
            # The rejoined block may be cut again.
            moved = (line.moved(len(head.text) + 1) for line in tail.lines)
            joined = replace(head, text=f"{head.text} {tail.text}", lines=(*head.lines, *moved))
            blocks[at : end + 1] = [*between, (first, joined)]
            found += between
            at += len(between)
        else:
            found += [block for block in between if block[0] == first] + [(first, head)]
            blocks[at : end + 1] = [(last, tail), *(b for b in between if b[0] == last)]
    kept: list[list[Block]] = [[] for _ in pages]
    for page, block in found:
        kept[page].append(block)
    return kept


def _is_cut(block: str) -> bool:
    """Return whether a block is running text that ends inside a sentence."""
    if _INTERRUPTED_END.search(block[-_END_LETTERS:]) is None or block[0].isdigit():
        return False
    words = block.split()
    if len(words) < _MIN_CUT_WORDS or _is_outside_text(block):
        return False
    digits = sum(any(map(str.isdigit, word)) for word in words)
    return digits <= _MAX_DIGIT_SHARE * len(words) or contains_stop(block)


def _continuation(blocks: Sequence[PageBlock], at: int) -> int | None:
    """Return the index of the block that continues the last sentence of the block at `at`."""
    for end in range(at + 1, min(len(blocks), at + 2 + _MAX_BLOCKS_BETWEEN)):
        page, block = blocks[end][0], blocks[end][1].text
        if page > blocks[at][0] and page > _next_page(blocks, at):
            return None
        kind = blocks[end][1].kind
        if kind is BlockKind.CODE:  # a word of the sentence, as in "the command x starts it"
            return None
        is_note = kind is BlockKind.NOTE
        if REMAINDER.match(block) and contains_stop(block) and not is_note:
            between = [aside.text for _, aside in blocks[at + 1 : end]]
            # A fragment alone is a heading, unless it is the rest of a page's header.
            is_cut = page > blocks[at][0] or any(
                _is_outside_text(aside) or any(map(str.isdigit, aside)) for aside in between
            )
            return end if between and is_cut else None
        if not is_note and (blocks[end][1].level or not _may_interrupt(block)):
            return None
    return None


def _next_page(blocks: Sequence[PageBlock], at: int) -> int:
    """Return the index of the next page with text after that of a block."""
    own = blocks[at][0]
    return next((page for page, _ in blocks[at + 1 :] if page > own), own)


def _is_outside_text(block: str) -> bool:
    """Return whether a block is a caption, a note or rows."""
    begins = is_caption(block) or any(kind.match(block) for kind in (_FOOTNOTE, _SOURCE_OR_BOX))
    return begins or "\n" in block or is_listing(block)


def _may_interrupt(block: str) -> bool:
    """Return whether a sentence may go on after a block: one outside the text, or a fragment that
    is no heading."""
    if _is_outside_text(block):
        return True
    is_unmarked = not block[0].islower() and not _HEADING_OR_ITEM.match(block)
    return len(block) <= MAX_HEADING_CHARACTERS and not ends_sentence(block) and is_unmarked
