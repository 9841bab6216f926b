"""The pages of a PDF are counted by its page tree alone, without parsing the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pypdf

_MAX_TREE_DEPTH = 30  # of the tree; writers nest a few levels


def count_pages(reader: pypdf.PdfReader | None) -> int:
    """Return the number of pages of an open document, 0 for none. Where its tree is damaged, the
    pages that pypdf can read are counted, which takes memory for each of them."""
    if reader is None:
        return 0
    try:
        return _count(reader.root_object["/Pages"].get_object(), set(), 0)
    except Exception:  # damaged or contradictory: each page is looked at
        pass
    try:
        return len(reader.pages)
    except Exception:  # a damaged page tree; PDFium rebuilds it
        return 0


def _count(node: Any, seen: set[int], depth: int) -> int:
    """Return the number of pages below a node. Raises ValueError where the node tells another."""
    kids, count = node["/Kids"], int(node["/Count"])
    if depth > _MAX_TREE_DEPTH or id(node) in seen:
        raise ValueError("the tree of pages has a loop")
    seen.add(id(node))
    if len(kids) == count and all(_is_page(kids[i].get_object()) for i in (0, -1)):
        return count  # all kids are pages
    below = (kid.get_object() for kid in kids)
    total = sum(1 if _is_page(kid) else _count(kid, seen, depth + 1) for kid in below)
    if total != count:
        raise ValueError("the tree of pages has another number of pages")
    return total


def _is_page(node: Any) -> bool:
    return node["/Type"] == "/Page"
