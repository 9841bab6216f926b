"""Lines of pages become blocks: characters, contents, paragraphs, headings, cut sentences."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from longt5.text.prose import is_caption

from .characters import is_normalized, normalize_characters
from .definitions import mark_terms, with_term
from .dehyphenation import Dehyphenator
from .heading_styles import HeadingLook, heading_levels
from .interrupted_sentences import rejoin_cut_sentences
from .line_layout import BodyStyle, LaidOutLine, LineLayout, body_style
from .listings import mark_listings
from .model import Block, BlockKind, Box, LineBox
from .page_notes import with_notes
from .paragraph_breaks import with_plain_bullet
from .paragraphs import JoinedLines, JoinWord, join_laid_out, join_wrapped
from .table_of_contents import contents_lines, without_leaders

CELL_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line of a page; `cells` are the texts of a row, one for a line of text. Layout and box are
    None where only the text is known."""

    cells: tuple[str, ...]
    layout: LineLayout | None = None
    box: Box | None = None


@dataclass(frozen=True)
class CleanedPages:
    """The blocks of each page, the indexes of pages that lost a table of contents, and the usual
    type."""

    pages: list[list[Block]]
    contents: list[int]
    body: BodyStyle


def clean_pages(pages: Sequence[Sequence[PlacedLine]]) -> CleanedPages:
    """Return the lines of pages as blocks: paragraphs, headings, rows of tables, captions."""
    cells = [[tuple(map(_clean_cell, line.cells)) for line in page] for page in pages]
    texts = [[" ".join(own).replace("\n", " ") for own in page] for page in cells]
    dropped = contents_lines(texts)
    body = body_style(
        (text, line.layout)
        for page, lines in zip(texts, pages, strict=True)
        for text, line in zip(page, lines, strict=True)
    )
    hyphens = Dehyphenator.of(["\n".join(cell for own in page for cell in own) for page in cells])
    kept: list[list[PlacedLine]] = []
    laid_out: list[list[LaidOutLine]] = []
    for page, own, drop in zip(pages, cells, dropped, strict=True):
        chosen = [i for i in range(len(page)) if i not in drop]
        kept.append([page[i] for i in chosen])
        shown = [_shown_line(own[i], page[i].layout, body, hyphens.join) for i in chosen]
        laid_out.append(list(zip(shown, (line.layout for line in kept[-1]), strict=True)))
    looks: list[list[HeadingLook | None]] = []
    sizes_of: list[list[float | None]] = []
    blocks: list[list[Block]] = []
    for lines, page in zip(mark_terms(laid_out, body), kept, strict=True):
        found = _join_page(mark_listings(lines, body), page, body, hyphens.join)
        blocks.append([block for block, _, _ in found])
        looks.append([look for _, look, _ in found])
        sizes_of.append([size for _, _, size in found])
    blocks = [
        with_notes(page, sizes, body)
        for page, sizes in zip(_with_headings(blocks, looks, body), sizes_of, strict=True)
    ]
    contents = [index for index, drop in enumerate(dropped) if drop]
    return CleanedPages(rejoin_cut_sentences(blocks), contents, body)


def _join_page(
    lines: Sequence[LaidOutLine], page: Sequence[PlacedLine], body: BodyStyle, join_word: JoinWord
) -> list[tuple[Block, HeadingLook | None, float | None]]:
    """Return the lines of a page as blocks, each with its look and the size of its type; a
    definition stands behind its term."""
    found: list[tuple[Block, HeadingLook | None, float | None]] = []
    before: JoinedLines | None = None
    for joined in join_laid_out(lines, body, join_word):
        sources = [replace(page[i], layout=lines[i][1]) for i in joined.lines]
        text = joined.text.replace("\ufffe", "-")
        places = _line_boxes(joined, sources)
        if before is not None and before.lines[-1] == joined.lines[0]:
            heading, places = _share_line(found[-1][0], places)
            found[-1] = heading, *found[-1][1:]
        layouts = [line.layout for line in sources if line.layout is not None]
        size = max((line.size for line in layouts), default=None)
        block = Block(text, _kind(text, sources), lines=places)
        is_defined = before is not None and _is_term(lines[before.lines[0]])
        if is_defined and block.kind is BlockKind.PARAGRAPH:
            found[-1] = _behind_term(found[-1][0], block), None, size
        else:
            found.append((block, _look(text, sources), size))
        before = joined
    return found


def _is_term(line: LaidOutLine) -> bool:
    return line[1] is not None and line[1].is_term


def _behind_term(term: Block, definition: Block) -> Block:
    """Return a definition behind its term."""
    text = with_term(term.text, definition.text)
    shift = len(text) - len(definition.text)
    moved = (line.moved(shift) for line in definition.lines)
    return replace(definition, text=text, lines=(*term.lines, *moved))


def text_lines(text: str, placed: Sequence[PlacedLine] = ()) -> list[PlacedLine]:
    """Return the lines of a text, with the boxes of those `placed` lines that are left in it."""
    known: dict[str, deque[PlacedLine]] = {}
    for line in placed:
        known.setdefault(line.cells[0], deque()).append(line)
    return [
        known[line].popleft() if known.get(line) else PlacedLine((line,))
        for line in normalize_characters(text).split("\n")
    ]


def _clean_cell(text: str) -> str:
    """Return a line, or the lines of a cell, with plain characters."""
    if is_normalized(text):  # most lines
        return text.strip()
    return "\n".join(normalize_characters(line).replace("\n", "") for line in text.split("\n"))


def _shown_line(
    cells: Sequence[str], layout: LineLayout | None, body: BodyStyle, join_word: JoinWord
) -> str:
    """Return the text of a line, with a plain bullet and without leaders. Wide gaps in a line of
    code make no cells."""
    is_code = layout is not None and layout.is_monospaced and not body.is_monospaced
    text = " ".join(" ".join(cells).split()) if is_code else _row_text(cells, join_word)
    return with_plain_bullet(without_leaders(text).strip())


def _row_text(cells: Sequence[str], join_word: JoinWord) -> str:
    """Return the cells of a row on one line; the lines of a cell are joined like a paragraph's."""
    return CELL_SEPARATOR.join(
        join_wrapped(cell.split("\n"), join_word) if "\n" in cell else cell
        for cell in cells
        if cell
    )


def _kind(text: str, sources: Sequence[PlacedLine]) -> BlockKind:
    layouts = [line.layout for line in sources if line.layout is not None]
    if any(layout.is_code for layout in layouts):
        return BlockKind.CODE
    if any(layout.is_row for layout in layouts):
        return BlockKind.TABLE_ROW
    return BlockKind.CAPTION if is_caption(text) else BlockKind.PARAGRAPH


def _line_boxes(block: JoinedLines, sources: Sequence[PlacedLine]) -> tuple[LineBox, ...]:
    """Return the places of the lines of a block. `sources`: the lines that it is made of."""
    ends = (*block.starts[1:], len(block.text))
    return tuple(
        LineBox(start, end, line.box)
        for start, end, line in zip(block.starts, ends, sources, strict=True)
        if line.box is not None and start < end
    )


def _share_line(heading: Block, places: tuple[LineBox, ...]) -> tuple[Block, tuple[LineBox, ...]]:
    """Return a run-in heading and the lines of the paragraph that begins beside it, with the box
    of their common line cut between them, about where the heading ends."""
    if not heading.lines or not places:
        return heading, places
    last, first = heading.lines[-1], places[0]
    left, bottom, right, top = first.box
    letters = last.end - last.start
    cut = round(left + (right - left) * letters / (letters + first.end - first.start), 1)
    own = last._replace(box=(left, bottom, cut, top))
    rest = first._replace(box=(cut, bottom, right, top))
    return replace(heading, lines=(*heading.lines[:-1], own)), (rest, *places[1:])


def _look(text: str, sources: Sequence[PlacedLine]) -> HeadingLook | None:
    """Return how a block looks, as far as that may make it a heading; None for rows, for code and
    for blocks whose places are unknown."""
    layouts = [line.layout for line in sources if line.layout is not None]
    if not layouts or any(layout.is_row or layout.is_code for layout in layouts):
        return None
    letters = sum(map(str.isalnum, text))
    is_lead = len(layouts) == 1 and layouts[0].bold_letters >= letters - 1
    return HeadingLook(
        size=layouts[0].size,
        is_bold=all(layout.is_bold for layout in layouts) or is_lead,
        lines=len(layouts),
        is_run_in=is_lead,
    )


def _with_headings(
    pages: Sequence[Sequence[Block]],
    looks: Sequence[Sequence[HeadingLook | None]],
    body: BodyStyle,
) -> list[list[Block]]:
    levels = heading_levels([[block.text for block in page] for page in pages], looks, body)
    return [
        [
            replace(block, kind=BlockKind.HEADING, level=level) if level else block
            for block, level in zip(page, own, strict=True)
        ]
        for page, own in zip(pages, levels, strict=True)
    ]
