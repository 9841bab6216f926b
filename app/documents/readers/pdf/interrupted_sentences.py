"""A sentence that notes, captions and tables cut in two is put together: they go beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from longt5.text.headings import MAX_HEADING_CHARACTERS
from longt5.text.prose import REMAINDER, is_caption, is_listing
from longt5.text.sentences import ends_sentence, sentence_ends

_CUT = re.compile(r"[^\W\d_A-Z][,)]?$")  # the last letters of a line that goes on
_NOTE = re.compile(
    r"(?:\d{1,3}|[*†‡§¶⋆]+|[a-z](?=[A-Z])) ?[^\W\d_a-z(“\"]|\d{1,3} (?:https?:|www\.)"
)
_BESIDE = re.compile(r"(?:Sources?|Notes?|Key|Legend)\b ?:|(?:Box|Map|Chart) \d", re.I)
_BEGUN = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[IVX]+\.|[•●○◦▪■□‣–—-])\s")  # headings, items
MOST = 12  # blocks that may stand in one sentence
WORDS = 10  # of a paragraph that goes on elsewhere at least
FIGURES = 0.1  # share of its words with digits at most, where it holds no end of a sentence

Block = tuple[int, str]  # the index of its page, and a paragraph or rows


def put_together(pages: Sequence[str]) -> list[str]:
    """The page texts with each sentence whole that is evidently cut: its paragraph ends without a
    stop, one that begins with a small letter follows, and only notes, captions, tables and scraps
    stand between. On the page where it begins they go before it, on the next one behind it."""
    blocks = [(n, block) for n, page in enumerate(pages) for block in page.split("\n\n") if block]
    found: list[Block] = []
    at = 0
    while at < len(blocks):
        end = _end_of(blocks, at) if _is_cut(blocks[at][1]) else None
        if end is None:
            found.append(blocks[at])
            at += 1
            continue
        (first, head), (last, tail) = blocks[at], blocks[end]
        between = blocks[at + 1 : end]
        if first == last:
            # What was put together may be cut again.
            blocks[at : end + 1] = [*between, (first, f"{head} {tail}")]
            found += between
            at += len(between)
        else:
            found += [block for block in between if block[0] == first] + [(first, head)]
            blocks[at : end + 1] = [(last, tail), *(b for b in between if b[0] == last)]
    texts: list[list[str]] = [[] for _ in pages]
    for page, block in found:
        texts[page].append(block)
    return ["\n\n".join(own) for own in texts]


def _is_cut(block: str) -> bool:
    """Whether a block is running text that ends inside a sentence."""
    words = block.split()
    figures = sum(any(map(str.isdigit, word)) for word in words)
    return (
        _CUT.search(block) is not None
        and len(words) >= WORDS
        and not (_is_beside(block) or block[0].isdigit())
        and (figures <= FIGURES * len(words) or bool(sentence_ends(block)))
    )


def _end_of(blocks: Sequence[Block], at: int) -> int | None:
    """The block with which the sentence goes on that the one at hand ends in."""
    for end in range(at + 1, min(len(blocks), at + 2 + MOST)):
        page, block = blocks[end]
        if page > blocks[at][0] + 1:
            return None
        if REMAINDER.match(block) and sentence_ends(block):
            between = [aside for _, aside in blocks[at + 1 : end]]
            # A scrap alone is a heading, unless it is the rest of a page's header.
            is_cut = page > blocks[at][0] or any(
                _is_beside(aside) or any(map(str.isdigit, aside)) for aside in between
            )
            return end if between and is_cut else None
        if not _is_aside(block):
            return None
    return None


def _is_beside(block: str) -> bool:
    """Whether it stands beside the text: a caption, a note, rows."""
    begins = is_caption(block) or any(kind.match(block) for kind in (_NOTE, _BESIDE))
    return begins or "\n" in block or is_listing(block)


def _is_aside(block: str) -> bool:
    """Whether a sentence may go on after it: it is beside the text, or a scrap and no heading."""
    if _is_beside(block):
        return True
    begins = not block[0].islower() and not _BEGUN.match(block)
    return len(block) <= MAX_HEADING_CHARACTERS and not ends_sentence(block) and begins
