"""Whether PDFium alone may read a PDF, as the bytes of the file tell without parsing it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

_OBJECT_STREAM = b"/ObjStm"  # whose contents are compressed
_STREAM_START = re.compile(rb"/ObjStm\b[^<>]*>>\s*stream\r?\n")
_STREAM_END = b"endstream"
_MAX_INFLATED_BYTES = 50_000_000  # of all object streams; more are left to the parser's own limits
_PARSED = (b"/Encrypt", b"/Collection")  # what only a parser understands
_LAYERS, _LAYERS_OFF = b"/OCProperties", re.compile(rb"/OFF\s*\[?\s*\d")
_KIDS, _KIDS_ARRAY = b"/Kids", re.compile(rb"/Kids\s*\[([\d\sR]*)\]")
_PAGES_NODE = re.compile(rb"/Type\s*/Pages\b")


def is_plain(path: Path, pages: int) -> bool:
    """Return whether a file that PDFium opens with so many pages holds nothing that a parser must
    look at: more or fewer pages than that in its page tree, layers that are switched off,
    encryption, a portfolio. Anything unusual is not plain: parsing costs time, and loses no text.
    """
    has_layers = has_layers_off = False
    nodes: set[bytes] = set()  # those of a file that was saved again stand in it twice
    try:
        for part in _object_parts(path.read_bytes()):
            if any(name in part for name in _PARSED):
                return False
            nodes.update(_kids_of_pages(part))
            has_layers = has_layers or _LAYERS in part
            is_off = b"/OFF" in part and _LAYERS_OFF.search(part) is not None
            has_layers_off = has_layers_off or is_off
    except (zlib.error, ValueError):
        return False
    # All nodes but the first one and all pages are a kid of one node.
    kids = sum(node.count(b"R") for node in nodes)
    return kids == pages + len(nodes) - 1 and not (has_layers and has_layers_off)


def _object_parts(data: bytes) -> Iterator[bytes]:
    """Yield a file and what is in its object streams. Raises zlib.error and ValueError for streams
    that are packed in an unusual way, or hold too much."""
    yield data
    spare = _MAX_INFLATED_BYTES
    at = data.find(_OBJECT_STREAM)
    while at >= 0:
        start = _STREAM_START.match(data, at)
        if start is None:
            raise ValueError("an object stream with an unusual dictionary")
        end = data.find(_STREAM_END, start.end())  # the rest would be copied for each stream
        inflater = zlib.decompressobj()
        part = inflater.decompress(data[start.end() : end], spare + 1)
        spare -= len(part)
        if spare < 0 or not inflater.eof:
            raise ValueError("an object stream that is too long or cut off")
        yield part
        at = data.find(_OBJECT_STREAM, start.end())


def _kids_of_pages(part: bytes) -> Iterator[bytes]:
    """Yield the lists of references to kids of the nodes of page trees."""
    at = part.find(_KIDS)
    while at >= 0:
        array = _KIDS_ARRAY.match(part, at)
        start, end = part.rfind(b"<<", 0, at), part.find(b">>", at)
        if array is not None and _PAGES_NODE.search(part, max(start, 0), max(end, at)):
            yield array[1]
        at = part.find(_KIDS, at + 1)
