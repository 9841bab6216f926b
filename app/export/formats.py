"""Choose the writer of an export format. Each format has a module of its own."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TypeVar

from ..events import Summary
from .docx import to_docx
from .filenames import safe_filename
from .html import to_html
from .json_object import to_json, to_json_line
from .markdown import MarkdownWriter
from .style import FILE_STYLE, ExportStyle
from .text import TextWriter

Written = TypeVar("Written")
Writer = Callable[[Summary, ExportStyle], Written]
# These two can be printed while a summary is being written.
STREAMED_WRITERS: dict[str, type[TextWriter]] = {"md": MarkdownWriter, "txt": TextWriter}


def _writer(make: type[TextWriter]) -> Callable[[Summary, ExportStyle], str]:
    return lambda summary, style: make(style, summary.name).whole(summary)


TEXT_EXPORTS: dict[str, Writer[str]] = {
    **{fmt: _writer(make) for fmt, make in STREAMED_WRITERS.items()},
    "json": lambda summary, style: to_json(summary),
    "html": to_html,
}
EXPORTS: dict[str, Writer[str | bytes]] = {
    **TEXT_EXPORTS,
    "docx": to_docx,
}
EXPORT_FORMATS = tuple(EXPORTS)
# File name suffixes where one file holds several summaries.
COLLECTION_SUFFIXES = {"json": "jsonl", "html": "html.zip", "docx": "docx.zip"}


def export_text(summary: Summary, fmt: str, style: ExportStyle = FILE_STYLE) -> str:
    """Return a summary as "md", "txt", "json" or "html"."""
    return TEXT_EXPORTS[fmt](summary, style)


def export_bytes(summary: Summary, fmt: str, style: ExportStyle = FILE_STYLE) -> bytes:
    """Return a summary as the content of a file of any format."""
    exported = EXPORTS[fmt](summary, style)
    return exported if isinstance(exported, bytes) else _encode(exported)


def export_collection(
    summaries: Sequence[Summary], fmt: str, style: ExportStyle = FILE_STYLE
) -> bytes:
    """Return one or more summaries as the content of one file.

    Several become JSON lines, a zip archive of HTML or Word files, or text in a row.
    """
    if len(summaries) == 1:
        return export_bytes(summaries[0], fmt, style)
    if fmt == "json":
        return _encode("".join(map(to_json_line, summaries)))
    if fmt in STREAMED_WRITERS:
        return _encode("\n".join(export_text(summary, fmt, style) for summary in summaries))
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, summary in enumerate(summaries, 1):
            name = f"{number:02}-{safe_filename(summary.name, fmt)}"
            archive.writestr(name, export_bytes(summary, fmt, style))
    return out.getvalue()


def collection_suffix(fmt: str, count: int) -> str:
    """Return the file name suffix of an export of `count` summaries."""
    return COLLECTION_SUFFIXES.get(fmt, fmt) if count > 1 else fmt


def _encode(text: str) -> bytes:
    # Some documents hold lone surrogates, which UTF-8 cannot encode: they become "?".
    return text.encode("utf-8", "replace")
