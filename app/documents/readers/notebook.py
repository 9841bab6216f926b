"""Jupyter notebooks are extracted: their text cells; code and its output are left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ...errors import EmptyFile, NotReadable
from .. import limits
from ..encoding import decode_text
from ..model import Block, Extracted, LossKind, OnProgress, ReadRequest
from .blocks import extracted_parts, paragraphs_of
from .markdown import markdown_blocks


def read_notebook(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a notebook, in parts. Raises NotReadable, EmptyFile, TooLong."""
    content, _ = decode_text(Path(request.path).read_bytes())
    if len(content) > limits.MAX_DOCUMENT_CHARACTERS * 2:  # most of it may be pictures
        raise limits.too_many_characters(request.name)
    blocks: list[Block] = []
    left_out: Counter[LossKind] = Counter()
    for cell in _cells(content, request.name):
        source = _source(cell)
        kind = cell.get("cell_type")
        if kind == "markdown":
            found, code = markdown_blocks(source)
            blocks += found
            left_out[LossKind.CODE] += code
        elif kind == "raw":
            blocks += paragraphs_of(source)
        else:
            left_out[LossKind.CODE] += bool(source.strip())
    if not blocks:
        raise EmptyFile(f"“{request.name}” has no text between its code: export it as PDF.")
    return extracted_parts(blocks, has_picture=False, had_contents=False, counts=left_out)


def _cells(content: str, name: str) -> list[dict[str, Any]]:
    """Return the cells of a notebook of version 3 or 4. Raises NotReadable."""
    try:
        notebook = json.loads(content)
        sheets = notebook.get("worksheets") or [notebook]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    except (ValueError, AttributeError, RecursionError, TypeError) as error:
        raise NotReadable(
            f"“{name}” is no sound Jupyter notebook: save it again, or export it as PDF."
        ) from error
    return [cell for cell in cells if isinstance(cell, dict)]


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
