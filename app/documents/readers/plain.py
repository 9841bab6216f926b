"""Plain text is extracted: subtitles, chats, mail, books with page breaks, wrapped lines."""

from __future__ import annotations

import re
from pathlib import Path

from longt5.text.headings import MARKDOWN_HEADING

from ...errors import EmptyFile
from ...warning import AppWarning, WarningKind
from .. import limits
from ..characters import strip_controls
from ..encoding import decode_raw_text
from ..model import Block, Extracted, Loss, LossKind, OnProgress, ReadRequest
from .blocks import (
    CONTENTS_LEFT_OUT,
    losses_of,
    outline_of_parts,
    pack_blocks,
    pages_of_parts,
    paragraphs_of,
    without_typed_contents,
)
from .chat import read_chat
from .gutenberg import GUTENBERG_LEFT_OUT, book_of_text
from .mail import clean_thread
from .page_breaks import PAGE_BREAK, join_text_pages
from .speech import speech_blocks
from .subtitles import cues_of, is_subtitles
from .transcripts import transcript_cues
from .wrapped_lines import prose_blocks

_CUE_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".sbv")
_LINK = re.compile(r"\[[^\n]{1,200}?\]\((?:https?://|[#./\w])[^\s)]{0,500}\)")
_FENCE = re.compile(r"^```", re.M)


def read_text(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a text file. Raises EmptyFile, TooLong."""
    content, warning = decode_raw_text(Path(request.path).read_bytes())
    notes = (warning,) if warning else ()
    return extract_text(clean_text(content, request.name), request.name, notes)


def clean_text(content: str, name: str) -> str:
    """Return a text without control characters other than its page breaks. Raises TooLong,
    EmptyFile."""
    if len(content) > limits.MAX_DOCUMENT_CHARACTERS:
        raise limits.too_many_characters(name)
    content = PAGE_BREAK.join(map(strip_controls, content.split(PAGE_BREAK))).strip()
    if not content:
        raise EmptyFile(f"“{name}” is empty: choose a file or paste text with words in it.")
    return content


def extract_text(content: str, name: str, notes: tuple[AppWarning, ...] = ()) -> Extracted:
    """Extract a cleaned text, in parts. Raises EmptyFile."""
    blocks, left_out, losses = text_blocks(content, Path(name).suffix.lower() in _CUE_SUFFIXES)
    if not blocks:
        raise EmptyFile(f"“{name}” has no text, only subtitles without words: choose another file.")
    blocks, had_contents = without_typed_contents(blocks)
    if had_contents:
        left_out = [*left_out, CONTENTS_LEFT_OUT]
    parts = pack_blocks(blocks)
    pages, outline = pages_of_parts(parts), outline_of_parts(parts)
    return Extracted("part", pages, outline, notes=(*notes, *left_out), losses=losses)


def text_blocks(
    content: str, is_named_cues: bool = False
) -> tuple[list[Block], list[AppWarning], tuple[Loss, ...]]:
    """Return the paragraphs of a text, each on one line, and the rows of its tables, and
    warnings about what is left out, and losses that can be counted."""
    cues = (
        list(cues_of(content)) if is_subtitles(content, is_named_cues) else transcript_cues(content)
    )
    if cues is not None:
        return speech_blocks(cues), [_left_out("The numbers and times of the subtitles are")], ()
    book, is_framed = book_of_text(content)
    chat = read_chat(book.split("\n"))
    if not chat and is_markdown(book):
        from .markdown import code_left_out, markdown_blocks

        found, count = markdown_blocks(book)
        return found, list(code_left_out(count)), ()
    text = join_text_pages("\n".join(chat.lines) if chat else book)
    mail = clean_thread(text)
    blocks = prose_blocks(mail.lines)
    if not blocks:
        return paragraphs_of(content.replace(PAGE_BREAK, "\n\n")), [], ()
    warnings = [GUTENBERG_LEFT_OUT] if is_framed else []
    if chat:
        what = "The times of the messages, and the notices of the chat program, are"
        warnings.append(_left_out(what))
        mail.left_out[LossKind.CHAT_FILE] += chat.media
    return blocks, warnings, losses_of(mail.left_out)


def is_markdown(content: str) -> bool:
    """Return whether a text without a file's name is Markdown: a link or block of code says so
    where there is a heading too, or two links.

    A heading alone may be a comment of a script, and plain text shows it as well.
    """
    links = len(_LINK.findall(content))
    marks = links + (len(_FENCE.findall(content)) > 1)
    return links > 1 or (marks > 0 and any(map(MARKDOWN_HEADING.match, content.split("\n"))))


def _left_out(what: str) -> AppWarning:
    return AppWarning(WarningKind.BOILERPLATE_LEFT_OUT, f"{what} left out.")
