"""Spreadsheets (XLSX, XLS, ODS) are extracted: a section for each sheet, a row for each row."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import NotReadable
from .. import limits
from ..characters import normalize_characters
from ..model import Block, BlockKind, Extracted, LossKind, OnProgress, ReadRequest
from .archive import Archive
from .blocks import extracted_parts, table_row

_COMMENTS_PART = re.compile(r"xl/(?:comments/)?comments?\d*\.xml|content\.xml")
_COMMENT = re.compile(rb"<(?:\w+:)?comment[\s>]|<office:annotation[\s>]")
_MAX_ROWS = 200_000  # of all sheets together


def read_sheet(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract the values of a spreadsheet, in parts. Hidden sheets are left out. Raises
    NotReadable, TooLong."""
    import python_calamine

    path = Path(request.path)
    comments = 0
    if path.read_bytes()[:2] == b"PK":
        archive = Archive(path, request.name)
        archive.forbid_entities()
        parts = filter(_COMMENTS_PART.fullmatch, archive.names)
        comments = sum(len(_COMMENT.findall(archive.read(part))) for part in parts)
    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        shown = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        ]
        left_out = Counter({LossKind.HIDDEN_SHEET: len(book.sheet_names) - len(shown)})
        left_out[LossKind.COMMENT] = comments
        blocks = []
        for number, name in enumerate(shown, 1):
            blocks += list(_sheet_blocks(book.get_sheet_by_name(name), request.name))
            on_progress(number, len(shown))
    except (python_calamine.CalamineError, OSError) as error:
        raise NotReadable(
            f"“{request.name}” is damaged or locked: save it again in Excel without a password."
        ) from error
    return extracted_parts(blocks, has_picture=False, had_contents=False, counts=left_out)


def _sheet_blocks(sheet: Any, name: str) -> Iterator[Block]:
    """Yield the name of a sheet as a heading and its rows. Raises TooLong."""
    size = 0
    yield Block(sheet.name, BlockKind.HEADING, 1)
    for number, row in enumerate(sheet.iter_rows()):
        cells = [_cell_text(value) for value in row]
        size += sum(map(len, cells))
        if size > limits.MAX_DOCUMENT_CHARACTERS or number > _MAX_ROWS:
            raise limits.too_many_characters(name)
        filled = [cell for cell in cells if cell]
        found = table_row(filled) if len(filled) > 1 else None
        yield from found if found is not None else map(Block, filled)


def _cell_text(value: Any) -> str:
    """Return a value as its cell shows it: no ".0" after whole numbers, dates by day."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(" ", "minutes")
    return " ".join(normalize_characters(str(value)).split())
