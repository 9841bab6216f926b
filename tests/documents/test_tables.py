"""Tables of PDFs: cells of several lines, rows, columns, and what is no table."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from app.documents.readers.pdf.lines import Line
from app.documents.readers.pdf.page_model import placed_lines
from app.documents.readers.pdf.page_reader import PageReader
from app.documents.readers.pdf.tables import rows_with_tables
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at

Cells = Sequence[Sequence[str]]


def rows_of_page(draw: Callable[[Canvas], object]) -> list[str]:
    """Return the rows of a page, the lines of a cell joined."""
    page = PageReader(lambda: None, pypdfium2.PdfDocument(io.BytesIO(canvas_pdf([draw])))).read(0)
    assert page.lines is not None
    return [
        " | ".join(" ".join(cell.split()) for cell in line.cells)
        for line in placed_lines(page.lines)
    ]


def table(
    rows: Cells, spacing: float = 8, rules: bool = False, x: Sequence[float] = (72, 200, 380)
) -> Callable[[Canvas], None]:
    """Return a function that draws a table with the tops of its cells in line."""

    def draw(canvas: Canvas) -> None:
        y = 700.0
        for row in rows:
            for left, cell in zip(x, row, strict=False):
                lines_at(canvas, cell, x=left, y=y)
            y -= 14.3 * max(cell.count("\n") + 1 for cell in row) + spacing
            if rules:
                canvas.line(70, y + 12 + spacing / 2, 480, y + 12 + spacing / 2)

    return draw


def joined(rows: Cells) -> list[str]:
    """Return rows as they are to be read."""
    return [" | ".join(" ".join(cell.split()) for cell in row) for row in rows]


WRAPPED = (
    ("Growth hormone\nmonitoring", "Bone age where hormone is\ngiven to the patient", "Yearly"),
    ("Bone", "Examine for scoliosis before\nthe growth hormone and then\nevery year", "Clinic"),
    ("Hearing", "Test at the diagnosis", "Once or\ntwice"),
)


@pytest.mark.parametrize("rules", [False, True])
def test_cells_of_several_lines_are_one_row(rules: bool) -> None:
    assert rows_of_page(table(WRAPPED, rules=rules)) == joined(WRAPPED)


def test_rules_tell_rows_apart_where_space_does_not() -> None:
    assert rows_of_page(table(WRAPPED, spacing=0, rules=True)) == joined(WRAPPED)


@pytest.mark.parametrize("spacing", [0, 4, 14])
def test_rows_of_numbers_stay_rows(spacing: float) -> None:
    rows = [(f"Parish {n}", f"{118 + n}", f"{n}.8") for n in range(1, 7)]
    assert rows_of_page(table(rows, spacing)) == joined(rows)


def test_a_label_over_rows_of_numbers_takes_none_of_them() -> None:
    rows = (("North", "Apples", "12"), ("", "Pears", "7"), ("", "Plums", "31"))
    assert rows_of_page(table(rows, 0)) == ["North | Apples | 12", "Pears | 7", "Plums | 31"]


def test_a_label_of_two_lines_belongs_to_its_numbers() -> None:
    rows = (
        ("Grain", "118", "4.8"),
        ("Flour and\nother goods", "\n204", "\n8.9"),
        ("All", "9", "1"),
    )
    found = rows_of_page(table(rows, 0))
    assert "Flour and other goods | 204 | 8.9" in found


def test_text_above_and_below_a_table_is_none_of_it() -> None:
    def draw(canvas: Canvas) -> None:
        lines_at(canvas, PROSE, y=760)
        table(WRAPPED)(canvas)
        lines_at(canvas, PROSE.replace("river", "brook"), y=530)

    found = rows_of_page(draw)
    assert found[:3] == PROSE.split("\n") and found[3:6] == joined(WRAPPED)


def test_a_number_in_the_margin_belongs_to_its_paragraph() -> None:
    def draw(canvas: Canvas) -> None:
        lines_at(canvas, "¶ 12", x=60, y=700)
        lines_at(canvas, PROSE.split("\n")[0], x=130, y=700)
        lines_at(canvas, "\n".join(PROSE.split("\n")[1:]), x=72, y=685.7)

    assert rows_of_page(draw)[0] == f"¶ 12 {PROSE.splitlines()[0]}"


def test_columns_of_two_lines_are_read_one_after_the_other() -> None:
    halves = (
        "The river rose in the night\nand stood in the kitchen.",
        ("The flour was on the floor\nand nobody swept it up."),
    )

    def draw(canvas: Canvas) -> None:
        for x, half in zip((72, 300), halves, strict=True):
            lines_at(canvas, half, x=x, y=700)

    assert rows_of_page(draw) == [line for half in halves for line in half.split("\n")]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("abc 19", min_size=1, max_size=12).filter(str.strip),
            st.floats(0, 400),
            st.floats(0, 300),
        ),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.tuples(st.floats(0, 300), st.booleans()), max_size=5),
)
def test_no_line_is_lost_or_doubled(places, rules) -> None:
    lines = [
        Line(f"{n}{text.strip()}", x, y - 2, x + 6 * len(text), y + 9, y, 10, False, 0, 3, n)
        for n, (text, x, y) in enumerate(places)
    ]
    drawn = [(0, y, 400, y + 0.5) if flat else (y, 0, y + 0.5, 400) for y, flat in rules]
    rows = rows_with_tables(lines, drawn)
    found = " ".join(cell.text for row in rows for cell in row.cells).split()
    assert sorted(found) == sorted(" ".join(line.text for line in lines).split())
