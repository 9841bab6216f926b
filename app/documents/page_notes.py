"""Notes of a page: blocks in smaller type at the foot of a column, the first with its mark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .line_layout import BodyStyle
from .model import Block, BlockKind, Box

_SMALL_TYPE = 0.93  # of the usual size; notes are set a point below it or more, at most 14 points
_FOOT_MARK = re.compile(r"\(?(\d{1,3}|[a-z]|[*†‡§¶⋆]{1,3})\)?\s?(?=[^\W\d_a-z]|[“\"(]|https?:)")
_MAY_BE_NOTE = (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.CAPTION)


def with_notes(
    blocks: Sequence[Block], sizes: Sequence[float | None], body: BodyStyle
) -> list[Block]:
    """Return the blocks of a page in reading order, those that are notes with their kind.

    `sizes` are the type sizes of the blocks in points, None where unknown. A table in small type
    has no mark; a list in small type has usual type below it, or fills its page.
    """
    found = list(blocks)
    small = [size is not None and size < _SMALL_TYPE * body.size for size in sizes]
    boxes = [_box(block) for block in blocks]
    if not any(small) or all(small):
        return found
    feet: list[list[int]] = []  # small blocks with nothing else below them, by column
    for index, block in enumerate(blocks):
        if not small[index] or block.kind not in _MAY_BE_NOTE:
            continue
        if any(_is_below(boxes[index], boxes[i]) for i in range(len(blocks)) if not small[i]):
            continue
        if feet and feet[-1][-1] == index - 1 and _is_below(boxes[index - 1], boxes[index]):
            feet[-1].append(index)
        else:
            feet.append([index])
    for foot in feet:
        marks = [mark[1] for i in foot if (mark := _FOOT_MARK.match(blocks[i].text))]
        # A note that began on the page before stands above the first mark. Points of a list have
        # the same mark each.
        for index in foot if marks and len(set(marks)) == len(marks) else ():
            found[index] = replace(blocks[index], kind=BlockKind.NOTE)
    return found


def _box(block: Block) -> Box | None:
    if not block.lines:
        return None
    lefts, bottoms, rights, tops = zip(*(line.box for line in block.lines), strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _is_below(above: Box | None, other: Box | None) -> bool:
    """Return whether the other box stands below, in the same column."""
    if above is None or other is None:
        return False
    return other[3] <= above[1] + 2 and other[0] < above[2] and above[0] < other[2]
