"""The document model: the extract that a reader returns, and the document made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any, Literal, NamedTuple

from longt5.text.sentences import Span, split_sentences
from longt5.text.source import SourceText

from ..warning import AppWarning

# A longer run without a sentence end, as in a transcript without punctuation, is cut into pieces
# of this size: a passage must stay short enough to be quoted and read.
MAX_PASSAGE_CHARS = 600

PageStatus = Literal["ok", "empty", "scanned", "garbled", "failed", "skipped"]
Unit = Literal["page", "slide", "chapter", "part"]
Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
OnProgress = Callable[[int, int], None]  # is called with (pages read, pages)


class BlockKind(str, Enum):
    """The kind of a block of text."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    TABLE_ROW = "table row"
    LIST_ITEM = "list item"
    NOTE = "note"
    CAPTION = "caption"
    CODE = "code"


# Blocks of which no sentence is quoted.
NON_PROSE = (BlockKind.NOTE, BlockKind.CODE)


class LineBox(NamedTuple):
    """The characters [start, end) of a text that stand on one line of its page, and the box of
    that line."""

    start: int
    end: int
    box: Box

    def moved(self, by: int) -> LineBox:
        """Return the same line of a text that begins `by` characters earlier."""
        return LineBox(self.start + by, self.end + by, self.box)


class Mark(NamedTuple):
    """A cited part of a line: its physical page, the line's box, and which share of the letters
    of the line the part begins after and ends with."""

    page: int
    box: Box
    first: float = 0.0
    last: float = 1.0


@dataclass(frozen=True)
class Block:
    """A block of text. `level` of a heading counts from 1, the highest. `page` is the physical
    page, from 1; 0 until the block has one. `lines` are the places of its lines, where known."""

    text: str
    kind: BlockKind = BlockKind.PARAGRAPH
    level: int = 0
    page: int = 0
    lines: tuple[LineBox, ...] = ()

    @property
    def is_line(self) -> bool:
        """Return whether the block is a row or an item, which needs no blank line before it."""
        return self.kind in (BlockKind.TABLE_ROW, BlockKind.LIST_ITEM)


def join_blocks(blocks: Sequence[Block]) -> str:
    """Return the text of blocks: a blank line between paragraphs, a line for each row or item."""
    return "".join(gap + block.text for gap, block in _with_gaps(blocks))


def _with_gaps(blocks: Sequence[Block]) -> Iterator[tuple[str, Block]]:
    """Yield blocks with what stands before each of them in the joined text."""
    for i, block in enumerate(blocks):
        goes_on = bool(i) and block.is_line and blocks[i - 1].is_line
        yield ("\n" if goes_on else "\n\n" if i else ""), block


@dataclass(frozen=True)
class OutlineItem:
    """A heading of the document's own outline and the physical page it points to."""

    title: str
    page: int
    level: int


@dataclass(frozen=True)
class ExtractedPage:
    """One page as a reader found it: printed label, status and blocks in reading order."""

    label: str
    status: PageStatus
    blocks: tuple[Block, ...] = ()

    @property
    def text(self) -> str:
        """Return the text of the blocks."""
        return join_blocks(self.blocks)

    @property
    def lines(self) -> tuple[LineBox, ...]:
        """Return the places of the lines of the text, where known."""
        found: list[LineBox] = []
        at = 0
        for gap, block in _with_gaps(self.blocks):
            at += len(gap)
            found += [line.moved(at) for line in block.lines]
            at += len(block.text)
        return tuple(found)

    @property
    def non_prose(self) -> tuple[Span, ...]:
        """Return the characters [start, end) of the text that are notes or code."""
        found: list[Span] = []
        at = 0
        for gap, block in _with_gaps(self.blocks):
            at += len(gap)
            if block.kind in NON_PROSE:
                found.append((at, at + len(block.text)))
            at += len(block.text)
        return tuple(found)


class LossKind(str, Enum):
    """A kind of content that a reader sees and leaves out. The values travel between processes;
    `nouns` are shown to the person."""

    ANNOTATION = "annotation"
    ATTACHMENT = "attachment"
    CHART = "chart"
    CHAT_FILE = "picture or file of a chat"
    CODE = "block of code"
    COMMENT = "comment"
    EMBEDDED_FILE = "embedded file"
    ENDNOTE = "endnote"
    EQUATION = "equation"
    FIGURE = "figure"
    FOOTNOTE = "footnote"
    HIDDEN_PARAGRAPH = "hidden paragraph"
    HIDDEN_SHAPE = "hidden shape"
    HIDDEN_SHEET = "hidden sheet"
    HIDDEN_SLIDE = "hidden slide"
    HIDDEN_TEXT = "passage of hidden text"
    INCLUDED_FILE = "included file"
    LINE_NUMBER = "line number"
    MAIL_HEADER = "mail header"
    MAIL_NOTICE = "mail notice"
    NOTE_MARK = "note mark"
    OFF_PAGE_TEXT = "passage outside the page"
    PICTURE = "picture with text"
    QUOTED_MAIL = "quoted mail"
    RUNNING_LINE = "running header or footer"
    SIGNATURE = "signature"
    UNREADABLE_TEXT = "passage of unreadable glyphs"
    WATERMARK = "watermark or turned text"

    def nouns(self, count: int) -> str:
        """Return `1 comment` or `3 passages of hidden text`."""
        if count == 1:
            return f"1 {self.value}"
        return f"{count:,} {_LOSS_PLURALS.get(self, f'{self.value}s')}"


_LOSS_PLURALS = {
    LossKind.CHAT_FILE: "pictures or files of a chat",
    LossKind.CODE: "blocks of code",
    LossKind.HIDDEN_TEXT: "passages of hidden text",
    LossKind.OFF_PAGE_TEXT: "passages outside the page",
    LossKind.PICTURE: "pictures with text",
    LossKind.QUOTED_MAIL: "quoted mails",
    LossKind.RUNNING_LINE: "running headers and footers",
    LossKind.UNREADABLE_TEXT: "passages of unreadable glyphs",
    LossKind.WATERMARK: "watermarks or turned texts",
}


@dataclass(frozen=True)
class Loss:
    """Content of one kind that was seen and left out: on a physical page, from 1, None where the
    format has no pages, and how often."""

    kind: LossKind
    page: int | None = None
    count: int = 1


@dataclass(frozen=True)
class Extracted:
    """The extract of a file. `notes` warn about the way it was read, `losses` name every kind of
    content left out; `contents` are the pages, from 1, that lost a table of contents. `coverage`
    is the share of the characters in the file that are in the text; None where not counted."""

    unit: Unit
    pages: tuple[ExtractedPage, ...]
    outline: tuple[OutlineItem, ...] = ()
    contents: tuple[int, ...] = ()
    notes: tuple[AppWarning, ...] = ()
    losses: tuple[Loss, ...] = ()
    coverage: float | None = None


@dataclass(frozen=True)
class ReadRequest:
    """A file to read: its path, the name to show, its kind (a key of READERS), the password, and
    whether pictures of text are read by OCR."""

    path: str
    name: str
    kind: str
    password: str | None = None
    ocr: bool = False


@dataclass(frozen=True)
class Page:
    """One page of a document: physical number from 1, printed label, cleaned text, status, and
    the places of the text's lines, where known. `non_prose` are the characters [start, end) of
    the text that are notes or code."""

    number: int
    label: str
    text: str
    status: str  # a PageStatus
    lines: tuple[LineBox, ...] = ()
    non_prose: tuple[Span, ...] = ()

    def with_parts(self, parts: Sequence[Span]) -> Page:
        """Return the page with only some parts of its text, each in characters [start, end), a
        blank line between; the lines move with their text."""
        texts: list[str] = []
        lines: list[LineBox] = []
        non_prose: list[Span] = []
        at = 0
        for start, end in parts:
            body = self.text[start:end].strip()
            if not body:
                continue
            start = self.text.index(body, start)
            end = start + len(body)
            at += 2 if texts else 0
            lines += [
                LineBox(max(line.start, start), min(line.end, end), line.box).moved(at - start)
                for line in self.lines
                if line.start < end and start < line.end
            ]
            non_prose += [
                (max(first, start) + at - start, min(last, end) + at - start)
                for first, last in self.non_prose
                if first < end and start < last
            ]
            texts.append(body)
            at += len(body)
        text = "\n\n".join(texts)
        return replace(self, text=text, lines=tuple(lines), non_prose=tuple(non_prose))


@dataclass(frozen=True)
class Document:
    """The text of one file, page by page."""

    name: str
    sha256: str
    unit: str  # a Unit
    pages: tuple[Page, ...]
    warnings: tuple[AppWarning, ...]
    outline: tuple[OutlineItem, ...] = ()
    contents: tuple[int, ...] = ()  # chosen pages that lost a table of contents
    imprint: tuple[int, ...] = ()  # chosen pages that were an imprint, a licence or thanks
    ocr: bool = False  # were pictures of text read?
    losses: tuple[Loss, ...] = ()
    coverage: float | None = None  # share of the characters in the file; None where not counted

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the printed labels of all pages; () where these are the physical numbers."""
        labels = tuple(page.label for page in self.pages)
        return () if labels == tuple(str(page.number) for page in self.pages) else labels

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `extract` prints."""
        pages = [
            {"number": p.number, "label": p.label, "text": p.text, "status": p.status}
            for p in self.pages
        ]
        warnings = [warning.message for warning in self.warnings]
        losses = [
            {"kind": loss.kind.value, "page": loss.page, "count": loss.count}
            for loss in self.losses
        ]
        return {
            "name": self.name,
            "unit": self.unit,
            "pages": pages,
            "warnings": warnings,
            "losses": losses,
            "coverage": self.coverage,
        }


@dataclass(frozen=True)
class PageSpan:
    """The part of a chunk that lies on one page.

    `start` and `end` are characters of the chunk's text, `token_start` and `token_end` positions
    in its `input_ids`. The part begins at character `page_start` of the page's text.
    """

    page: int
    start: int
    end: int
    token_start: int
    token_end: int
    page_start: int = 0


@dataclass(frozen=True)
class Chunk:
    """The part of a document that one encoder pass reads.

    `input_ids` ends with `</s>`; `offsets` are each token's (start, end) in `text`. `cut` names
    the boundary at the chunk's end: "end" (of the document), "section", "paragraph", "sentence" or
    "token". The first `overlap` characters repeat the end of the chunk before. `title` joins the
    titles of the chunk's sections.
    """

    input_ids: list[int]
    offsets: list[tuple[int, int]]
    pages: tuple[int, int]
    text: str
    spans: tuple[PageSpan, ...]
    cut: str
    overlap: int = 0
    title: str = ""

    @cached_property
    def source(self) -> SourceText:
        """The text split into passages: sentences, and pieces of overlong ones."""
        return SourceText.of(self.text, passages_of(self.text))


def passages_of(text: str) -> list[Span]:
    """Return the sentences of a text, overlong ones in pieces of at most MAX_PASSAGE_CHARS, which
    end with a clause, else with a word."""
    return [piece for span in split_sentences(text) for piece in _pieces(text, *span)]


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the pieces of an overlong sentence, without gaps between."""
    while end - start > MAX_PASSAGE_CHARS:
        last = start + MAX_PASSAGE_CHARS
        least = start + MAX_PASSAGE_CHARS // 2
        cut = max((text.rfind(mark, least, last) + 2 for mark in ("; ", ", ", ": ")), default=0)
        if cut <= least:
            cut = text.rfind(" ", least, last) + 1
        cut = cut if cut > least else last
        yield start, cut
        start = cut
    yield start, end
