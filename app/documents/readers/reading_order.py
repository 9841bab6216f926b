"""The order in which boxes on a slide are read: cut at the widest gaps between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom
_SHRINK = 0.1  # of a box's size, on each side: boxes are drawn larger than their text
_MAX_BOXES = 200  # of a slide; more keep the order of the file


def in_reading_order(
    items: Sequence[Item], rectangle_of: Callable[[Item], Rectangle]
) -> list[Item]:
    """Return boxes in the order in which a person reads them.

    The boxes are cut in two where the gap that crosses them all is widest: text stands nearer to
    its own heading than to the next column or row. Boxes without such a gap keep their order.
    """
    if len(items) > _MAX_BOXES:
        return list(items)
    boxes = [(_shrunk(rectangle_of(item)), item) for item in items]
    return [item for _, item in _ordered(boxes)]


def _shrunk(box: Rectangle) -> Rectangle:
    left, top, right, bottom = box
    across, down = (right - left) * _SHRINK, (bottom - top) * _SHRINK
    return left + across, top + down, right - across, bottom - down


def _ordered(boxes: list[tuple[Rectangle, Item]]) -> list[tuple[Rectangle, Item]]:
    found: list[tuple[Rectangle, Item]] = []
    waiting = [boxes]
    while waiting:
        group = waiting.pop()
        halves = _halves(group)
        if halves is None:
            found += group
        else:
            waiting += [halves[1], halves[0]]
    return found


def _halves(
    group: list[tuple[Rectangle, Item]],
) -> tuple[list[tuple[Rectangle, Item]], list[tuple[Rectangle, Item]]] | None:
    """Return the boxes before and after the widest gap; None where no gap crosses them all."""
    if len(group) < 2:
        return None
    width, axis, place = max(_widest_gap([box for box, _ in group], axis) for axis in (0, 1))
    if width <= 0:
        return None
    first = [entry for entry in group if entry[0][axis] < place]
    second = [entry for entry in group if entry[0][axis] >= place]
    return first, second


def _widest_gap(boxes: Sequence[Rectangle], axis: int) -> tuple[float, int, float]:
    """Return the widest gap along an axis: its width, the axis, and where it ends."""
    best, reach = (0.0, axis, 0.0), float("-inf")
    for begin, end in sorted((box[axis], box[axis + 2]) for box in boxes):
        if reach > float("-inf") and begin - reach > best[0]:
            best = (begin - reach, axis, begin)
        reach = max(reach, end)
    return best
