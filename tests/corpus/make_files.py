"""Make the files of the reading corpus: one text in every format, each with what must be read."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from docx.shared import Pt
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from tests.documents import make_formats, make_pdfs
from tests.tools import make_examples

READING = Path(__file__).parent / "reading"
MARKS = {"@": "heading", "-": "item", "|": "row", "^": "note"}
FONT, FONT_SIZE, PITCH = "Times-Roman", 11, 14


@dataclass(frozen=True)
class Expected:
    """The text of a file, block by block in order, and its headings."""

    blocks: tuple[str, ...]
    headings: tuple[str, ...]


Block = tuple[str, str]  # kind (heading, item, row, note or text) and words


def blocks_of_story(name: str) -> list[Block]:
    """Return the blocks of a text: `@` headings, `-` items, `|` cells, `^` notes below the page,
    else a paragraph a line."""
    lines = filter(None, (READING / name).read_text(encoding="utf-8").splitlines())
    return [
        (MARKS[line[0]], line[1:].strip()) if line[0] in MARKS else ("text", line) for line in lines
    ]


def expected(blocks: Sequence[Block]) -> Expected:
    """Return what must be read of a file that is made of some blocks."""
    shown = tuple(words.replace("|", " ") for _, words in blocks)
    return Expected(shown, tuple(words for kind, words in blocks if kind == "heading"))


def level_of(title: str) -> int:
    """Return a heading's level, 1 for the title of the whole, from its number."""
    number = title.split()[0]
    return 2 + number.count(".") if number[0].isdigit() and number[-1].isdigit() else 1


# Formats with structure


def word_file(blocks: Sequence[Block]) -> bytes:
    """Return a Word document with styles for headings and items, and a table."""

    def build(document: Any) -> None:
        table = None
        for kind, words in blocks:
            if kind == "row":
                cells = words.split("|")
                table = table or document.add_table(0, len(cells))
                for cell, shown in zip(table.add_row().cells, cells, strict=True):
                    cell.text = shown
                continue
            table = None
            if kind == "heading":
                document.add_heading(words, level_of(words))
            else:
                document.add_paragraph(words, style="List Bullet" if kind == "item" else None)
        document.sections[0].header.paragraphs[0].text = "Aldwick Ferry Review"
        document.styles["Normal"].font.size = Pt(FONT_SIZE)

    return make_formats.word(build)


def html_of(blocks: Sequence[Block]) -> str:
    """Return the body of a web page."""
    made, opened = [], ""
    wrappers = {"item": "ul", "row": "table"}
    for kind, words in [*blocks, ("", "")]:
        wrapper = wrappers.get(kind, "")
        if wrapper != opened:
            made += [f"</{opened}>"] * bool(opened) + [f"<{wrapper}>"] * bool(wrapper)
            opened = wrapper
        if kind == "heading":
            made.append(f"<h{level_of(words)}>{escape(words)}</h{level_of(words)}>")
        elif kind == "row":
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in words.split("|"))
            made.append(f"<tr>{cells}</tr>")
        elif kind:
            tag = "li" if kind == "item" else "p"
            made.append(f"<{tag}>{escape(words)}</{tag}>")
    return "\n".join(made)


def web_file(blocks: Sequence[Block]) -> bytes:
    """Return a web page with navigation, a notice about cookies, links to others and a footer."""
    before = (
        '<div class="cookie-banner"><p>We use cookies to improve your visit.</p><button>Accept'
        '</button></div><nav><a href="/">Home</a><a href="/news">News</a><a href="/shop">Shop</a>'
        "</nav>"
    )
    after = (
        '<aside class="related"><h3>Read next</h3><a href="/a">Ten lighthouses to visit</a>'
        '<a href="/b">The best chips in town</a></aside><footer><p>Copyright 2023 Aldwick Post. '
        'All rights reserved.</p><a href="/terms">Terms</a></footer>'
    )
    title = next(words for kind, words in blocks if kind == "heading")
    return make_formats.page(
        f"{before}<main><article>{html_of(blocks)}</article></main>{after}",
        f"<title>{title} - Aldwick Post</title>",
    ).encode()


def book_file(blocks: Sequence[Block]) -> bytes:
    """Return an EPUB with a chapter for each heading of the second level."""
    chapters: list[list[Block]] = [[]]
    for kind, words in blocks:
        if kind == "heading" and level_of(words) == 2:
            chapters.append([])
        chapters[-1].append((kind, words))
    return make_formats.epub([html_of(chapter) for chapter in chapters])


def odt_file(blocks: Sequence[Block]) -> bytes:
    """Return an OpenDocument text with headings, a list and a table."""
    made = []
    for kind, words in blocks:
        shown = f"<text:p>{escape(words)}</text:p>"
        if kind == "heading":
            shown = f'<text:h text:outline-level="{level_of(words)}">{escape(words)}</text:h>'
        elif kind == "item":
            shown = f"<text:list><text:list-item>{shown}</text:list-item></text:list>"
        elif kind == "row":
            cells = "".join(
                f"<table:table-cell><text:p>{escape(cell)}</text:p></table:table-cell>"
                for cell in words.split("|")
            )
            shown = f"<table:table><table:table-row>{cells}</table:table-row></table:table>"
        made.append(shown)
    return make_formats.odt("".join(made))


def markdown_file(blocks: Sequence[Block]) -> bytes:
    """Return Markdown."""
    made = []
    for kind, words in blocks:
        if kind == "heading":
            made.append(f"\n{'#' * level_of(words)} {words}\n")
        elif kind == "row":
            made.append(f"| {words.replace('|', ' | ')} |")
        else:
            made.append(f"- {words}" if kind == "item" else f"\n{words}\n")
    return "\n".join(made).encode()


def text_file(blocks: Sequence[Block]) -> bytes:
    """Return plain text whose lines are wrapped."""
    made = []
    for kind, words in blocks:
        shown = f"- {words}" if kind == "item" else words.replace("|", "\t")
        made.append(textwrap.fill(shown, 72) if kind != "row" else shown)
        made += [""] * (kind not in ("item", "row"))
    return "\n".join(made).encode()


def slides_file(blocks: Sequence[Block]) -> bytes:
    """Return slides: a heading begins one, and what follows are its points."""

    def build(deck: Any) -> None:
        pages: list[list[Block]] = []
        for kind, words in blocks:
            if kind == "heading":
                pages.append([])
            pages[-1].append((kind, words))
        for (_, title), *points in pages:
            make_formats.slide(deck, title, [words.replace("|", ": ") for _, words in points])

    return make_formats.slides(build)


def subtitles_file(blocks: Sequence[Block]) -> bytes:
    """Return subtitles; a sentence of more than six words is shown in two cues."""
    cues = []
    for _, words in blocks:
        parts = words.split()
        half = len(parts) // 2 if len(parts) > 6 else len(parts)
        cues += [" ".join(part) for part in (parts[:half], parts[half:]) if part]
    shown = []
    for number, cue in enumerate(cues):
        minute, second = divmod(number * 3, 60)
        times = (f"00:{minute:02}:{at:02},000" for at in (second, second + 2))
        shown.append(f"{number + 1}\n{' --> '.join(times)}\n{cue}\n")
    return "\n".join(shown).encode()


# PDFs


def wrapped(words: str, width: float, has_hyphens: bool) -> Iterator[str]:
    """Yield the lines of a paragraph of some width; long words may be hyphenated at line ends."""
    line = ""
    for word in words.split():
        longer = f"{line} {word}".strip()
        if stringWidth(longer, FONT, FONT_SIZE) <= width:
            line = longer
            continue
        cut = len(word) // 2
        if has_hyphens and len(word) > 8 and word.isalpha():
            begun = f"{line} {word[:cut]}-".strip()
            if stringWidth(begun, FONT, FONT_SIZE) <= width:
                line, word = begun, word[cut:]
        yield line
        line = word
    yield line


def typeset_lines(
    blocks: Sequence[Block], width: float, has_hyphens: bool
) -> list[tuple[str, str]]:
    """Return (kind, words) of each line; blank lines lie between paragraphs."""
    lines: list[tuple[str, str]] = []
    for kind, words in blocks:
        if kind in ("row", "note"):
            lines.append((kind, words))
            continue
        if lines and not (kind == "item" and lines[-1][0] == "item"):
            lines.append(("gap", ""))
        shown = f"• {words}" if kind == "item" else words
        lines += [(kind, line) for line in wrapped(shown, width, has_hyphens)]
    return lines


def typeset(blocks: Sequence[Block], columns: int, has_hyphens: bool, per_column: int) -> bytes:
    """Return a PDF with running headers and page numbers."""
    width = (451 - 24 * (columns - 1)) / columns
    lines = typeset_lines(blocks, width, has_hyphens)
    per_page = per_column * columns
    pages = [lines[start : start + per_page] for start in range(0, len(lines), per_page)]

    def draw(canvas: Canvas, number: int, shown: Sequence[tuple[str, str]]) -> None:
        canvas.setFont("Times-Italic", 9)
        canvas.drawString(72, 800, "Aldwick Ferry Review" if number % 2 else "County Papers")
        canvas.drawCentredString(297, 30, str(number))
        notes = [words for kind, words in shown if kind == "note"]
        for at, words in enumerate(reversed(notes)):
            canvas.setFont(FONT, 8)
            canvas.drawString(72, 60 + 10 * at, words)
        for at, (kind, words) in enumerate(line for line in shown if line[0] != "note"):
            x, y = 72 + at // per_column * (width + 24), 760 - at % per_column * PITCH
            canvas.setFont(
                "Times-Bold" if kind == "heading" else FONT, FONT_SIZE + 2 * (kind == "heading")
            )
            for cell, part in enumerate(words.split("|")):
                canvas.drawString(x + cell * width / 3, y, part)

    return make_pdfs.canvas_pdf(
        [partial(draw, number=n, shown=page) for n, page in enumerate(pages, 1)]
    )


def merrow() -> tuple[bytes, Expected]:
    """Return the example report and the text that it was typeset from."""
    folder = make_examples.EXAMPLES
    text = (folder / "merrow-report.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    blocks = [make_examples.TITLE, make_examples.SUBTITLE]
    blocks += [line.lstrip("#>-| ").replace("|", " ") for line in lines]
    titles = tuple(line.lstrip("# ") for line in lines if line.startswith("#"))
    return (folder / "merrow-report.pdf").read_bytes(), Expected(tuple(blocks), titles)


def all_files() -> dict[str, tuple[bytes, Expected]]:
    """Return each file of the corpus by name, with what must be read in it."""
    story = blocks_of_story("ferry.txt")
    makers: dict[str, Callable[[Sequence[Block]], bytes]] = {
        "ferry.docx": word_file,
        "ferry.odt": odt_file,
        "ferry.epub": book_file,
        "ferry.html": web_file,
        "ferry.md": markdown_file,
        "ferry.txt": text_file,
        "ferry-one-column.pdf": partial(typeset, columns=1, has_hyphens=False, per_column=30),
        "ferry-hyphenated.pdf": partial(typeset, columns=1, has_hyphens=True, per_column=18),
        "ferry-two-columns.pdf": partial(typeset, columns=2, has_hyphens=True, per_column=30),
    }
    found = {name: (make(story), expected(story)) for name, make in makers.items()}
    for name, source, make in (
        ("talk.pptx", "talk.txt", slides_file),
        ("interview.srt", "interview.txt", subtitles_file),
    ):
        blocks = blocks_of_story(source)
        found[name] = (make(blocks), expected(blocks))
    german = blocks_of_story("orchard.txt")
    found["orchard.pdf"] = (typeset(german, 1, True, 16), expected(german))
    found["orchard.html"] = (web_file(german), expected(german))
    return {**found, "merrow-report.pdf": merrow()}
