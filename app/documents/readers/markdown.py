"""Markdown is extracted: rendered to HTML and read as such; front matter is left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.subscript import sub_plugin
from mdit_py_plugins.superscript import superscript_plugin

from ...errors import EmptyFile
from ...warning import AppWarning, WarningKind
from .. import limits
from ..encoding import decode_text
from ..listings import is_code
from ..model import Block, BlockKind, Extracted, OnProgress, ReadRequest
from . import web
from .blocks import outline_of_parts, pack_blocks, pages_of_parts, paragraphs_of

_FIELD = re.compile(r"\s|[#\-\]}]|[^\s:=][^:=]*[:=]|$")  # begins a line of YAML or TOML
_FENCES = {"---": ("---", "..."), "+++": ("+++",)}  # open front matter, and close it
_LINE_BREAK_TAG = re.compile(r"<br\b", re.I)
_MAX_NESTING = 60  # of lists and quotes, two for a list; the library skips what is deeper


def read_markdown(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a Markdown file, in parts. Raises EmptyFile, TooLong."""
    content, warning = decode_text(Path(request.path).read_bytes())
    if len(content) > limits.MAX_DOCUMENT_CHARACTERS:
        raise limits.too_many_characters(request.name)
    blocks, count = markdown_blocks(content)
    # Parts are those of the pasted text, so that citations have the same numbers.
    parts = pack_blocks(blocks, at_headings=False)
    if not parts:
        raise EmptyFile(f"“{request.name}” has no words in it: choose another file.")
    notes = ((warning,) if warning else ()) + code_left_out(count)
    pages = pages_of_parts(parts)
    return Extracted("part", pages, outline_of_parts(parts), notes=notes)


def code_left_out(count: int) -> tuple[AppWarning, ...]:
    """Return the warning about so many blocks of code, none about 0."""
    if not count:
        return ()
    what = "1 block of code is" if count == 1 else f"{count} blocks of code are"
    return (AppWarning(WarningKind.BOILERPLATE_LEFT_OUT, f"{what} left out."),)


def markdown_blocks(content: str) -> tuple[list[Block], int]:
    """Return the blocks of CommonMark with tables, notes, definitions, raised, lowered and struck
    type, and how many blocks of code are left out: all, unless there is nothing else. Text that
    nests too deep is returned as plain paragraphs."""
    reader = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
    reader.enable(["table", "strikethrough"])
    for plugin in (footnote_plugin, deflist_plugin, superscript_plugin, sub_plugin):
        reader.use(plugin)
    for kind, rule in (
        ("image", _render_image),
        ("html_inline", _render_inline_tag),
        ("html_block", _render_html_block),
    ):
        reader.add_render_rule(kind, rule)
    content = strip_front_matter(content)
    tokens = reader.parse(content)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        return paragraphs_of(content), 0
    prose = [token for token in tokens if not _is_code(token)]
    blocks = web.chapter_blocks(reader.renderer.render(prose, reader.options, {}))
    if blocks:
        return blocks, len(tokens) - len(prose)
    return web.chapter_blocks(reader.renderer.render(tokens, reader.options, {})), 0


def _is_code(token: Token) -> bool:
    """Return whether a token is a block of code that is not mostly prose."""
    return token.type in ("fence", "code_block") and is_code(token.content)


def strip_front_matter(content: str) -> str:
    """Return the text after its front matter: fields between two lines --- or +++ on top."""
    first, _, rest = content.partition("\n")
    closing = _FENCES.get(first.rstrip())
    if closing is None:
        return content
    at = 0
    for line in rest.splitlines(keepends=True):
        at += len(line)
        if line.rstrip() in closing:
            return rest[at:]
        if not _FIELD.match(line):  # prose between two rules
            break
    return content


def _render_image(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Return the alternative text of an image."""
    return escapeHtml(self.renderInlineAsText(tokens[index].children or [], options, env))


def _render_inline_tag(
    self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """Return a line break for <br>, nothing for another tag: one that is never closed could hide
    all the text after it."""
    return "<br>" if _LINE_BREAK_TAG.match(tokens[index].content) else ""


def _render_html_block(
    self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """Return a block of HTML, parsed on its own: a tag that is never closed ends with it."""
    return "".join(map(_block_html, web.chapter_blocks(tokens[index].content)))


def _block_html(block: Block) -> str:
    """Return HTML that is extracted as this block."""
    shown = escapeHtml(block.text)
    if block.level:
        return f"<h{block.level}>{shown}</h{block.level}>"
    if block.kind is BlockKind.LIST_ITEM:
        return f"<li>{shown.removeprefix('• ')}</li>"
    if block.kind is BlockKind.TABLE_ROW:
        return f"<table><tr><td>{shown}</table>"
    return f"<pre>{shown}</pre>"
