"""Small PDFs of many layouts, made here, with all of their text, headings and tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from tests.documents.make_pdfs import SIZE as SHEET
from tests.documents.make_pdfs import canvas_pdf

TEXTS = (
    "The dairy at Ashcombe began with nine cows and a shed that let in the rain. Its owner sold "
    "the milk from a cart, and on Sundays she churned what was left to butter for the inn.",
    "In the second year a neighbour lent her a field beside the brook. The grass there was sweet, "
    "but twice the water rose over the bank, and the herd had to be driven to the hill by night.",
    "A cheese was tried next. The first forty wheels cracked, because the cellar was too dry, and "
    "only after a bath of wet sand was laid on its floor did the rind stay whole.",
    "Buyers came from the coast when a ship's cook praised the cheese. He took six wheels for a "
    "voyage of five months, and the last of them, he wrote, was better than the first.",
    "The shed was replaced by a barn of brick. Three masons worked on it from March to August, and "
    "the roof was tiled by a man who had never fallen, as he told everybody who would hear it.",
    "When the railway was opened, milk could be sent to the town before breakfast. The cart was "
    "given to the inn, where children still climb on it, and the horse was left to grow fat.",
    "Not all went well. A fever killed eleven calves in one winter, and the bank asked for its "
    "money in the same week, so that two fields and the silver had to be sold.",
    "Today the dairy keeps eighty cows. It is run by a granddaughter of the first owner, who has "
    "hung the old yoke over the door and lets visitors taste the butter for nothing.",
)
SIDE_NOTE = "The cellar can be seen on Sundays, and on feast days too."
SIZE, PITCH, LEFT, TOP = 10.5, 13.5, 70.0, 760.0
Item = tuple[str, str]  # "text", "heading" or "row", and its text; cells stand between " | "
NUMBERS = [("Year", "Cows", "Milk", "Wheels")]
NUMBERS += [(str(1901 + n), str(9 + 7 * n), f"{2.5 + n:.1f}", str(40 * n)) for n in range(6)]
WRAPPED = [("Part of the barn", "What is done there", "When")]
WRAPPED += [
    ("Cellar with the wet sand", "Wheels are turned and washed with brine", "Each morning"),
    ("Loft", "Hay is dried, aired and thrown down to the herd below", "From June to August"),
    ("Churning room", "Butter is churned from the milk of Saturday", "On Sundays"),
]
EVEN = [
    ("Cellar with the wet sand on its floor", "Wheels are turned and washed with brine by hand",
     "From the spring until the end of August"),
    ("Loft with the wide door to the yard", "Hay is dried and aired and thrown to the herd",
     "From summer until the night of the fair"),
]  # fmt: skip
KEYS = [("Owner", "Ada Pell"), ("Cows", "80"), ("Village", "Ashcombe"), ("Founded", "1901")]
GAPS = [("Field", "Hay", "Grain"), ("Brook", "12", ""), ("Hill", "", "31"), ("Mill", "7", "9")]
NARROW = [("Year", "Cows", "Remark"), ("1901", "9", "The cart was bought from the inn.")]
NARROW += [("1911", "40", "The railway came."), ("1921", "80", "A barn of brick was built.")]
TERMS = [("Article 4", "Milk is sold before eight o'clock, and none of it after nine.")]
TERMS += [("Article 5", "Whoever breaks a wheel pays for it, unless the cellar was to blame.")]
TERMS += [("Article 6", "Visitors may taste the butter, but must not take it home with them.")]


@dataclass(frozen=True)
class LayoutCase:
    """A PDF and all that must be read in it, in order."""

    name: str
    data: bytes
    items: tuple[Item, ...]


class Pen:
    """Draws downward on a canvas."""

    def __init__(self, canvas: Canvas, left: float = LEFT, top: float = TOP, width: float = 450):
        self.canvas, self.left, self.y, self.width = canvas, left, top, width

    def line(self, text: str, font: str = "Times-Roman", size: float = SIZE, x: float = 0) -> None:
        """Draw a line and step down."""
        self.canvas.setFont(font, size)
        self.canvas.drawString(self.left + x, self.y, text)
        self.y -= PITCH * size / SIZE

    def text(self, text: str, size: float = SIZE, indent: float = 0, pitch: float = 1) -> None:
        """Draw a paragraph, its lines filled to the width."""
        lines = simpleSplit(text, "Times-Roman", size, self.width - indent)
        for n, line in enumerate(lines):
            self.line(line, size=size, x=0 if n else indent)
            self.y -= PITCH * (pitch - 1)

    def gap(self, height: float = 9) -> None:
        """Step down."""
        self.y -= height

    def row(self, cells: Sequence[str], widths: Sequence[float], size: float = 9.5) -> None:
        """Draw a row of a table, the lines of a cell below each other."""
        x, lowest = 0.0, self.y
        for cell, width in zip(cells, widths, strict=True):
            y = self.y
            self.canvas.setFont("Times-Roman", size)
            for line in simpleSplit(cell, "Times-Roman", size, width - 14):
                self.canvas.drawString(self.left + x, y, line)
                y -= 11.5
            x, lowest = x + width, min(lowest, y)
        self.y = lowest


def page(*draw: Callable[[Canvas], object]) -> bytes:
    """Return a PDF with a page for each function."""
    return canvas_pdf(draw)


def prose(numbers: Sequence[int]) -> tuple[Item, ...]:
    """Return paragraphs as they must be read."""
    return tuple(("text", TEXTS[n]) for n in numbers)


def in_columns(
    canvas: Canvas,
    columns: Sequence[Sequence[int]],
    width: float,
    top: float = TOP,
    gap: float = 18,
) -> None:
    """Draw paragraphs in columns."""
    for at, numbers in enumerate(columns):
        pen = Pen(canvas, 50 + at * (width + gap), top, width)
        for number in numbers:
            pen.text(TEXTS[number], size=9, indent=9)


def titled(canvas: Canvas, columns: Sequence[Sequence[int]], width: float) -> None:
    Pen(canvas, 50).line("The dairy at Ashcombe", "Times-Bold", 18)
    in_columns(canvas, columns, width, TOP - 40)


def spaced(canvas: Canvas, gap: float, indent: float, pitch: float) -> None:
    pen = Pen(canvas)
    for number in (0, 1, 2, 3):
        pen.text(TEXTS[number], indent=indent, pitch=pitch)
        pen.gap(gap)


def shuffled(canvas: Canvas) -> None:
    lines = [
        (50 + at * 258, TOP - 12 * n, line)
        for at, numbers in enumerate(((0, 1, 2), (3, 4, 5)))
        for n, line in enumerate(
            line for i in numbers for line in simpleSplit(TEXTS[i], "Times-Roman", 9, 240)
        )
    ]
    random.Random(3).shuffle(lines)
    canvas.setFont("Times-Roman", 9)
    for x, y, line in lines:
        canvas.drawString(x, y, line)


def word_by_word(canvas: Canvas) -> None:
    pen = Pen(canvas)
    for number in (0, 1, 2):
        for line in simpleSplit(TEXTS[number], "Times-Roman", SIZE, 450):
            x = LEFT
            canvas.setFont("Times-Roman", SIZE)
            for word in line.split():
                canvas.drawString(x, pen.y, word)
                x += canvas.stringWidth(f"{word} ", "Times-Roman", SIZE)
            pen.gap(PITCH)


def letter_by_letter(canvas: Canvas) -> None:
    pen = Pen(canvas)
    for line in simpleSplit(f"{TEXTS[0]} {TEXTS[1]}", "Times-Roman", SIZE, 450):
        x = LEFT
        canvas.setFont("Times-Roman", SIZE)
        for letter in line:
            if letter != " ":
                canvas.drawString(x, pen.y, letter)
            x += canvas.stringWidth(letter, "Times-Roman", SIZE)
        pen.gap(PITCH)


def turned(canvas: Canvas, turns: int) -> None:
    canvas.setPageRotation(turns)
    width, height = SHEET if turns == 180 else SHEET[::-1]
    canvas.translate(width / 2, height / 2)
    canvas.rotate(turns)
    pen = Pen(canvas, -200, 150, 400)
    for number in (0, 1, 2):
        pen.text(TEXTS[number])
        pen.gap()


def column_cases() -> list[LayoutCase]:
    """Return pages in one to three columns."""

    two, three = ((0, 1, 2, 3), (4, 5, 6, 7)), ((0, 1, 2), (3, 4, 5), (6, 7))
    title = (("heading", "The dairy at Ashcombe"),)
    return [
        LayoutCase(
            "two-columns", page(partial(in_columns, columns=two, width=240)), prose(range(8))
        ),
        LayoutCase(
            "three-columns", page(partial(in_columns, columns=three, width=158)), prose(range(8))
        ),
        LayoutCase(
            "two-columns-titled", page(partial(titled, columns=two, width=240)),
            (*title, *prose(range(8))),
        ),
        LayoutCase(
            "three-columns-titled", page(partial(titled, columns=three, width=158)),
            (*title, *prose(range(8))),
        ),
        LayoutCase(
            "narrow-gutter", page(partial(in_columns, columns=two, width=248, gap=10)),
            prose(range(8)),
        ),
        LayoutCase("spaced", page(partial(spaced, gap=9, indent=0, pitch=1)), prose(range(4))),
        LayoutCase("indented", page(partial(spaced, gap=0, indent=16, pitch=1)), prose(range(4))),
        LayoutCase("double", page(partial(spaced, gap=9, indent=0, pitch=1.8)), prose(range(4))),
        LayoutCase("shuffled", page(shuffled), prose(range(6))),
        LayoutCase("word-by-word", page(word_by_word), prose(range(3))),
        LayoutCase("letter-by-letter", page(letter_by_letter), prose(range(2))),
        *(
            LayoutCase(f"turned-{turns}", page(partial(turned, turns=turns)), prose(range(3)))
            for turns in (90, 180, 270)
        ),
    ]  # fmt: skip


def draw_table(
    canvas: Canvas, rows: Sequence[Sequence[str]], widths: Sequence[float], space: float,
    rules: bool, grid: bool,
) -> None:  # fmt: skip
    pen = Pen(canvas)
    pen.text(TEXTS[0])
    pen.gap(20)
    tops = [pen.y + 10]
    for row in rows:
        pen.row(row, widths)
        pen.gap(space)
        tops.append(pen.y + 10)
    edges = [pen.left - 4 + sum(widths[:n]) for n in range(len(widths) + 1)]
    for y in tops if rules or grid else ():
        canvas.line(edges[0], y, edges[-1], y)
    for x in edges if grid else ():
        canvas.line(x, tops[0], x, tops[-1])
    pen.gap(20)
    pen.text(TEXTS[1])


def in_column(canvas: Canvas) -> None:
    left, right = Pen(canvas, 50, TOP, 240), Pen(canvas, 308, TOP, 240)
    left.text(TEXTS[0], size=9)
    left.gap(12)
    for row in NUMBERS[:4]:
        left.row(row, (60, 50, 50, 50), size=8)
    left.gap(12)
    left.text(TEXTS[1], size=9)
    for n in (2, 3, 4):
        right.text(TEXTS[n], size=9)


def row_items(rows: Sequence[Sequence[str]]) -> tuple[Item, ...]:
    return tuple(("row", " | ".join(row)) for row in rows)


def table_cases() -> list[LayoutCase]:
    """Return tables between paragraphs."""
    four, three, two = (80, 80, 80, 80), (130, 190, 130), (90, 330)
    shapes: list[tuple[str, Sequence[Sequence[str]], Sequence[float], float, bool, bool]] = [
        ("numbers", NUMBERS, four, 0, False, False),
        ("numbers-ruled", NUMBERS, four, 3, True, False),
        ("numbers-grid", NUMBERS, four, 3, False, True),
        ("wrapped-spaced", WRAPPED, three, 8, False, False),
        ("wrapped-ruled", WRAPPED, three, 3, True, False),
        ("wrapped-grid", WRAPPED, three, 3, False, True),
        ("wrapped-tight", WRAPPED, three, 2, False, False),
        ("even-spaced", EVEN, three, 8, False, False),
        ("even-ruled", EVEN, three, 3, True, False),
        ("keys", KEYS, (90, 120), 2, False, False),
        ("gaps", GAPS, (100, 60, 60), 2, False, False),
        ("narrow-grid", NARROW, (29, 31, 320), 3, False, True),
        ("gaps-grid", GAPS, (100, 60, 60), 3, False, True),
        ("terms", TERMS, two, 6, False, False),
        ("terms-grid", TERMS, two, 3, False, True),
    ]

    cases = [
        LayoutCase(
            f"table-{name}",
            page(
                partial(draw_table, rows=rows, widths=widths, space=space, rules=rules, grid=grid)
            ),
            (*prose([0]), *row_items(rows), *prose([1])),
        )
        for name, rows, widths, space, rules, grid in shapes
    ]
    inside = (*prose([0]), *row_items(NUMBERS[:4]), *prose([1, 2, 3, 4]))
    return [*cases, LayoutCase("table-in-column", page(in_column), inside)]


def heading_cases() -> list[LayoutCase]:
    """Return headings of several looks over paragraphs."""
    titles = ("Nine cows", "The field by the brook", "A cheese that cracked", "Buyers")

    def draw(canvas: Canvas, heads: Sequence[str], font: str, size: float, gap: float) -> None:
        pen = Pen(canvas)
        for number, head in enumerate(heads):
            pen.line(head, font, size)
            pen.gap(gap)
            pen.text(TEXTS[number])
            pen.gap(16)

    def run_in(canvas: Canvas) -> None:
        pen = Pen(canvas)
        for number, head in enumerate(titles):
            first, *rest = simpleSplit(f"{head}. {TEXTS[number]}", "Times-Roman", SIZE, 430)
            canvas.setFont("Times-Bold", SIZE)
            canvas.drawString(LEFT, pen.y, f"{head}.")
            shift = canvas.stringWidth(f"{head}. ", "Times-Bold", SIZE)
            pen.line(first[len(head) + 2 :], x=shift)
            for line in rest:
                pen.line(line)
            pen.gap(9)

    looks = {
        "large": (titles, "Times-Roman", 15.0, 4.0),
        "bold": (titles, "Times-Bold", SIZE, 2.0),
        "bold-tight": (titles, "Times-Bold", SIZE, 0.0),
        "numbered": (tuple(f"{n}. {t}" for n, t in enumerate(titles, 1)), "Times-Bold", SIZE, 2.0),
        "capitals": (tuple(map(str.upper, titles)), "Times-Roman", SIZE, 6.0),
    }
    return [
        *(
            LayoutCase(
                f"headings-{name}",
                page(partial(draw, heads=heads, font=font, size=size, gap=gap)),
                tuple(
                    item
                    for n, head in enumerate(heads)
                    for item in (("heading", head), ("text", TEXTS[n]))
                ),
            )
            for name, (heads, font, size, gap) in looks.items()
        ),
        LayoutCase(
            "headings-run-in", page(run_in),
            tuple(i for n, t in enumerate(titles) for i in (("heading", t), ("text", TEXTS[n]))),
        ),
    ]  # fmt: skip


def headed(canvas: Canvas, n: int) -> None:
    Pen(canvas, top=810).line("Ashcombe Parish Papers", size=8)
    Pen(canvas, 290, 30).line(str(n + 40), size=8)
    pen = Pen(canvas)
    for number in (2 * n, 2 * n + 1):
        pen.text(TEXTS[number])
        pen.gap()


def numbered(canvas: Canvas) -> None:
    pen, count = Pen(canvas, 90), 0
    for number in (0, 1, 2):
        for line in simpleSplit(TEXTS[number], "Times-Roman", SIZE, 430):
            count += 1
            canvas.setFont("Times-Roman", 8)
            canvas.drawString(60, pen.y, str(count))
            pen.line(line)
        pen.gap()


def noted(canvas: Canvas) -> None:
    pen = Pen(canvas)
    pen.text(TEXTS[0])
    pen.gap()
    pen.text(TEXTS[1])
    canvas.line(LEFT, 120, LEFT + 100, 120)
    foot = Pen(canvas, top=105)
    foot.line("1 The shed stood until the year of the flood.", size=8)
    foot.line("2 The inn was called The Yoke.", size=8)


def side_note(canvas: Canvas) -> None:
    pen = Pen(canvas, 70, TOP, 330)
    for number in (0, 1, 2):
        pen.text(TEXTS[number])
        pen.gap()
    Pen(canvas, 425, TOP - 100, 120).text(SIDE_NOTE, size=8)


def boxed(canvas: Canvas) -> None:
    pen = Pen(canvas)
    pen.text(TEXTS[0])
    pen.gap(20)
    canvas.rect(LEFT - 6, pen.y - 36, 462, 50)
    pen.text(TEXTS[3], size=9)
    pen.gap(24)
    pen.text(TEXTS[1])


def listed(canvas: Canvas, mark: str) -> None:
    pen = Pen(canvas)
    pen.text(TEXTS[0])
    pen.gap()
    for n, text in enumerate(TEXTS[2:5], 1):
        sign = f"{n}." if mark == "1" else mark
        pen.canvas.setFont("Times-Roman", SIZE)
        pen.canvas.drawString(LEFT, pen.y, sign)
        body = Pen(canvas, LEFT + 18, pen.y, 430)
        body.text(text)
        pen.y = body.y - 4
    pen.gap()
    pen.text(TEXTS[1])


def with_figure(canvas: Canvas) -> None:
    pen = Pen(canvas)
    pen.text(TEXTS[0])
    for n in range(4):
        canvas.rect(120 + 70 * n, 560, 40, 30 + 20 * n, fill=1)
    Pen(canvas, top=530).line("Figure 1. Wheels of cheese sold in each year.", size=9)
    Pen(canvas, top=490).text(TEXTS[1])


def over_page(canvas: Canvas, text: str) -> None:
    Pen(canvas).text(text)


def edge_cases() -> list[LayoutCase]:
    """Return pages with heads, feet, notes, side notes, boxes, lists and figures."""

    words = TEXTS[2].split()
    halves = " ".join(words[:24]), " ".join(words[24:])
    listed_items = prose([0, 2, 3, 4, 1])
    whole = tuple(range(8))
    return [
        LayoutCase("heads", page(*(partial(headed, n=n) for n in range(4))), prose(whole)),
        LayoutCase("line-numbers", page(numbered), prose(range(3))),
        LayoutCase(
            "notes", page(noted),
            (
                *prose([0, 1]), ("text", "The shed stood until the year of the flood."),
                ("text", "The inn was called The Yoke."),
            ),
        ),
        LayoutCase(
            "side-note", page(side_note),
            (*prose([0, 1, 2]), ("text", SIDE_NOTE)),
        ),
        LayoutCase("box", page(boxed), prose([0, 3, 1])),
        LayoutCase("bullets", page(partial(listed, mark="•")), listed_items),
        LayoutCase("dashes", page(partial(listed, mark="–")), listed_items),
        LayoutCase("numbers", page(partial(listed, mark="1")), listed_items),
        LayoutCase(
            "figure", page(with_figure),
            (
                *prose([0]), ("text", "Figure 1. Wheels of cheese sold in each year."),
                *prose([1]),
            ),
        ),
        LayoutCase(
            "over-the-page", page(*(partial(over_page, text=half) for half in halves)), prose([2])
        ),
    ]  # fmt: skip


def layout_cases() -> list[LayoutCase]:
    """Return all cases."""
    return [*column_cases(), *table_cases(), *heading_cases(), *edge_cases()]
