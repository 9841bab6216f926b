"""Markdown becomes HTML, and that the blocks of the HTML reader; front matter is no text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from longt5.text.prose import may_be_quoted
from longt5.text.sentences import sentence_spans

from ...errors import EmptyFile, TooLong
from ...warning import AppWarning, WarningKind
from .. import limits
from . import encoding as text
from . import web
from .parts import Block, join_blocks, outline_of, pack, paragraphs_of

_FIELD = re.compile(r"\s|[#\-\]}]|[^\s:=][^:=]*[:=]|$")  # begins a line of YAML or TOML
_FENCES = {"---": ("---", "..."), "+++": ("+++",)}  # open front matter, and close it
_LINE_END = re.compile(r"<br\b", re.I)
MAX_NESTING = 60  # of lists and quotes, two for a list; the library passes over what is deeper


def read_markdown(path: Path, name: str) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"} of a Markdown file."""
    content, warning = text.decode(path.read_bytes())
    if len(content) > limits.MAX_CHARACTERS:
        raise TooLong(f"“{name}” holds over {limits.MAX_CHARACTERS:,} characters: split it first.")
    # Read from a file or pasted, a text has the same parts, so the same numbers are cited.
    blocks, left_out = blocks_of(content)
    parts = pack(blocks, at_headings=False)
    if not parts:
        raise EmptyFile(f"“{name}” has no words in it: choose another file.")
    pages = [[str(n), join_blocks(part), "ok"] for n, part in enumerate(parts, 1)]
    warnings = [warning] if warning else []
    if left_out:
        what = "1 block of code is" if left_out == 1 else f"{left_out} blocks of code are"
        message = f"{what} left out of “{name}”."
        warnings.append(AppWarning(WarningKind.BOILERPLATE_LEFT_OUT, message))
    return {"unit": "part", "pages": pages, "outline": outline_of(parts), "warnings": warnings}


def blocks_of(content: str) -> tuple[list[Block], int]:
    """The blocks of a text in Markdown: CommonMark, with tables and words struck through; its
    paragraphs as they stand where it nests too deep. And how many blocks of code are left out:
    all, unless there is nothing else."""
    reader = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    reader.enable(["table", "strikethrough"])
    for kind, rule in (("image", _image), ("html_inline", _tag), ("html_block", _markup)):
        reader.add_render_rule(kind, rule)
    content = without_front_matter(content)
    tokens = reader.parse(content)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return paragraphs_of(content), 0
    prose = [token for token in tokens if not _is_code(token)]
    blocks = web.chapter_blocks(reader.renderer.render(prose, reader.options, {}))
    if blocks:
        return blocks, len(tokens) - len(prose)
    return web.chapter_blocks(reader.renderer.render(tokens, reader.options, {})), 0


def _is_code(token: Token) -> bool:
    """Whether it is a block set off as code, and not a text that somebody set off so."""
    if token.type not in ("fence", "code_block"):
        return False
    words = token.content
    said = sum(
        end - start for start, end in sentence_spans(words) if may_be_quoted(words[start:end])
    )
    return said < len(words.strip()) / 2


def without_front_matter(content: str) -> str:
    """The text after the fields that programs write on top, between two lines --- or +++."""
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


def _image(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """The words in place of a picture."""
    return escapeHtml(self.renderInlineAsText(tokens[index].children or [], options, env))


def _tag(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Tags inside a line: one that is never closed could hide all that follows."""
    return "<br>" if _LINE_END.match(tokens[index].content) else ""


def _markup(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A block of HTML, read apart from the others for the same reason."""
    return "".join(map(_again, web.chapter_blocks(tokens[index].content)))


def _again(block: Block) -> str:
    """HTML that is read as this block."""
    shown = escapeHtml(block.text)
    if block.level:
        return f"<h{block.level}>{shown}</h{block.level}>"
    return f"<table><tr><td>{shown}</table>" if block.is_row else f"<pre>{shown}</pre>"
