"""Typeset the example report from its text, byte for byte the same every time.

python -m tests.tools.make_examples [FOLDER]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    ListFlowable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)
from reportlab.platypus.tableofcontents import TableOfContents

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
SIZE = (176 * mm, 250 * mm)
TITLE = "Ten Years of the Merrow"
SUBTITLE = "Giving a tidal landscape back to the sea, 2014-2024"
FRONT_PAGES = 5  # cover, imprint, contents (2), foreword: numbered i to v

BODY = ParagraphStyle(
    "body", fontName="Times-Roman", fontSize=11, leading=15.5, alignment=TA_JUSTIFY, spaceAfter=6
)
STYLES = {
    "body": BODY,
    "chapter": ParagraphStyle(
        "chapter", BODY, fontName="Times-Bold", fontSize=19, leading=24, spaceAfter=16, alignment=0
    ),
    "section": ParagraphStyle(
        "section",
        BODY,
        fontName="Times-Bold",
        fontSize=12.5,
        leading=16,
        spaceBefore=10,
        spaceAfter=5,
        alignment=0,
        keepWithNext=1,
    ),
    "caption": ParagraphStyle(
        "caption", BODY, fontName="Times-Italic", fontSize=9.5, spaceBefore=8, keepWithNext=1
    ),
    "title": ParagraphStyle(
        "title", BODY, fontName="Times-Bold", fontSize=30, leading=36, alignment=TA_CENTER
    ),
    "subtitle": ParagraphStyle(
        "subtitle", BODY, fontName="Times-Italic", fontSize=14, leading=20, alignment=TA_CENTER
    ),
}


class Report(BaseDocTemplate):
    """Pages with running headers, labels, an outline and a table of contents."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            str(path),
            pagesize=SIZE,
            invariant=1,
            title=TITLE,
            author="The Merrow Partnership",
            subject=SUBTITLE,
            leftMargin=22 * mm,
            rightMargin=22 * mm,
            topMargin=24 * mm,
            bottomMargin=22 * mm,
        )
        frame = Frame(self.leftMargin, self.bottomMargin, self.width, self.height, 0, 0, 0, 0)
        self.addPageTemplates(
            [
                PageTemplate("plain", [frame]),
                PageTemplate("text", [frame], onPage=self.draw_running_lines),
            ]
        )
        self.chapter = ""

    def draw_running_lines(self, canvas: Any, _: Any) -> None:
        """Draw the header (publisher on even pages, title on odd ones) and footer of one page."""
        number = canvas.getPageNumber()
        canvas.saveState()
        canvas.setFont("Times-Italic", 9)
        if number % 2:
            canvas.drawRightString(SIZE[0] - 22 * mm, SIZE[1] - 15 * mm, TITLE)
        else:
            canvas.drawString(22 * mm, SIZE[1] - 15 * mm, "The Merrow Partnership")
        canvas.setFont("Times-Roman", 9)
        canvas.drawCentredString(SIZE[0] / 2, 12 * mm, label_of(number))
        canvas.restoreState()

    def afterFlowable(self, flowable: Any) -> None:
        """Add a heading to the outline and the table of contents."""
        level = {"chapter": 0, "section": 1}.get(getattr(flowable, "heading", ""))
        if level is None:
            return
        text, key = flowable.getPlainText(), f"h{self.seq.nextf('heading')}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(text, key, level, closed=level == 0)
        self.notify("TOCEntry", (level, text, self.page, key))


def label_of(page: int) -> str:
    """Return the printed number of a physical page."""
    front = ("i", "ii", "iii", "iv", "v")
    return front[page - 1] if page <= FRONT_PAGES else str(page - FRONT_PAGES)


def escape(text: str) -> str:
    """Return a text as reportlab's paragraph markup, with typographic dashes and apostrophes."""
    text = re.sub(r"(?<=\d)-(?=\d)", "–", text.replace("&", "&amp;").replace("<", "&lt;"))
    return text.replace("'", "’")


def heading(text: str, kind: str) -> Paragraph:
    """Return a heading that is added to the outline when it is drawn."""
    made = Paragraph(escape(text), STYLES[kind])
    made.heading = kind
    return made


def table(rows: list[str]) -> Table:
    """Return lines such as `| a | b |` as a ruled table."""
    cells = [[escape(cell.strip()) for cell in row.strip("| ").split("|")] for row in rows]
    width = max(map(len, cells))
    cells = [row + [""] * (width - len(row)) for row in cells]
    return Table(
        cells,
        hAlign="LEFT",
        spaceAfter=10,
        style=[
            ("FONT", (0, 0), (-1, -1), "Times-Roman", 9.5),
            ("FONT", (0, 0), (-1, 0), "Times-Bold", 9.5),
            ("LINEABOVE", (0, 0), (-1, 0), 0.8, colors.black),
            ("LINEBELOW", (0, 0), (-1, 0), 0.4, colors.black),
            ("LINEBELOW", (0, -1), (-1, -1), 0.8, colors.black),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ],
    )


def story(text: str) -> Iterator[Any]:
    """Yield flowables: `#` chapters, `##` sections, `-` bullets, `>` captions, `|` tables."""
    first = True
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.split("\n")
        if block.startswith("# "):
            yield from () if first else (PageBreak(),)
            first = False
            yield heading(block[2:], "chapter")
        elif block.startswith("## "):
            yield heading(block[3:], "section")
        elif block.startswith("> "):
            yield Paragraph(escape(lines[0][2:]), STYLES["caption"])
            yield table(lines[1:])
        elif block.startswith("- "):
            items = [Paragraph(escape(line[2:]), BODY) for line in lines]
            yield ListFlowable(items, bulletType="bullet", leftIndent=12)
        else:
            yield Paragraph(escape(block), BODY)


def front() -> Iterator[Any]:
    """Yield the cover, the imprint and the contents."""
    yield Spacer(1, 45 * mm)
    yield Paragraph(TITLE, STYLES["title"])
    yield Spacer(1, 8 * mm)
    yield Paragraph(escape(SUBTITLE), STYLES["subtitle"])
    yield Spacer(1, 60 * mm)
    yield Paragraph("The Merrow Partnership<br/>Harrowick, 2025", STYLES["subtitle"])
    yield PageBreak()
    yield Spacer(1, 140 * mm)
    yield Paragraph(
        "This report was written as an example document for a summarizer. The Merrow, its "
        "towns, the people named, all figures and all references are invented. "
        "The text is in the public domain (CC0 1.0).",
        BODY,
    )
    yield NextPageTemplate("text")
    yield PageBreak()
    yield Paragraph("Contents", STYLES["chapter"])
    contents = TableOfContents(dotsMinLevel=0, formatter=label_of)
    contents.levelStyles = [
        ParagraphStyle(
            "toc0",
            BODY,
            fontName="Times-Bold",
            fontSize=9.5,
            leading=11,
            spaceBefore=2,
            spaceAfter=0,
            alignment=0,
        ),
        ParagraphStyle(
            "toc1", BODY, fontSize=9, leading=10, leftIndent=12, spaceAfter=0, alignment=0
        ),
    ]
    yield contents
    yield PageBreak()


def label_pages(canvas: Any) -> None:
    """Number the front matter i, ii, iii and the text from 1."""
    if canvas.getPageNumber() == 1:
        canvas.addPageLabel(0, style="ROMAN_LOWER", start=1)
        canvas.addPageLabel(FRONT_PAGES, style="ARABIC", start=1)


def build(path: Path) -> None:
    """Write the report to `path`; multiBuild runs until the page numbers stand still."""
    text = (EXAMPLES / "merrow-report.txt").read_text(encoding="utf-8")
    report = Report(path)
    report.pageTemplates[0].onPage = lambda canvas, _: label_pages(canvas)
    report.multiBuild([*front(), *story(text)])


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    build(folder / "merrow-report.pdf")
    print(folder / "merrow-report.pdf")
