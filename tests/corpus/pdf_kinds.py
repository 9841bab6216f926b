"""Small PDFs, one for each kind of layout, made here, with what must and must not be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from reportlab.pdfgen.canvas import Canvas

from app.documents.model import LossKind
from tests.corpus.kinds import KindCase
from tests.corpus.pdf_producer_kinds import producer_cases
from tests.documents import make_pdfs
from tests.documents.make_pdfs import canvas_pdf, lines_at

MILL = "The old mill stands by the river.\nIts wheel has not turned for years.\nNobody mends it."
FERRY = "The ferry leaves at nine o'clock.\nIt carries sheep and some people.\nThe fare is low."
BARN = "The barn was built of green oak.\nIt leans a little to the west.\nThe roof is sound."
SPACING = {"\u0301": "´", "\u0308": "¨", "\u0302": "ˆ"}
Draw = Callable[[Canvas], object]


def flat(text: str) -> str:
    """Return lines as one."""
    return " ".join(text.split())


def pdf(name: str, draw: Draw | Sequence[Draw], reads: Sequence[str], **more: Any) -> KindCase:
    """Return a case of one page or several."""
    pages = [draw] if callable(draw) else list(draw)
    return KindCase(f"{name}.pdf", canvas_pdf(pages), tuple(reads), **more)


def in_cells(rows: Sequence[Sequence[str]], spacing: float, rules: bool = False) -> Draw:
    """Return a function that draws a table."""

    def draw(canvas: Canvas) -> None:
        lines_at(canvas, MILL, y=780)
        y = 700.0
        for row in rows:
            for x, cell in zip((72, 210, 400), row, strict=False):
                lines_at(canvas, cell, x=x, y=y)
            y -= 14.3 * max(cell.count("\n") + 1 for cell in row) + spacing
            if rules:
                canvas.line(70, y + 12 + spacing / 2, 500, y + 12 + spacing / 2)
        lines_at(canvas, BARN, y=y - 40)

    return draw


def _table_cases() -> list[KindCase]:
    wrapped = (
        ("Wheel\nand shaft", "Oil them before the winter\nand after each flood", "Twice a year"),
        (
            "Roof",
            "Look for loose slates and\nfor nests of jackdaws,\nwhich block the gutter",
            "May",
        ),
    )
    rows = tuple(" | ".join(map(flat, row)) for row in wrapped)
    numbers = [(f"Parish {n}", f"{n}18", f"{n}.4") for n in range(1, 6)]
    pairs = tuple(" | ".join(row) for row in numbers)
    around = (flat(MILL), *rows, flat(BARN))
    return [
        pdf("table-spaced", in_cells(wrapped, 9), around),
        pdf("table-ruled", in_cells(wrapped, 0, True), around),
        pdf("table-numbers", in_cells(numbers, 0), (flat(MILL), *pairs, flat(BARN))),
        pdf("table-numbers-spaced", in_cells(numbers, 12), (flat(MILL), *pairs, flat(BARN))),
    ]


def _column_cases() -> list[KindCase]:
    def columns(canvas: Canvas, texts: Sequence[str], step: float) -> None:
        for n, text in enumerate(texts):
            lines_at(canvas, text, x=60 + n * step, y=700, size=9)

    def across(canvas: Canvas, left: str = MILL, right: str = FERRY) -> None:
        """Draw the lines of two columns in turn, as some programs write them."""
        for n, (one, two) in enumerate(zip(left.split("\n"), right.split("\n"), strict=True)):
            lines_at(canvas, one, x=60, y=700 - 14 * n)
            lines_at(canvas, two, x=320, y=700 - 14 * n)

    def short(canvas: Canvas) -> None:
        for x, text in ((60, MILL), (320, FERRY)):
            lines_at(canvas, "\n".join(text.split("\n")[:2]), x=x, y=700)

    def heading_last(canvas: Canvas) -> None:
        lines_at(canvas, MILL, y=700)
        lines_at(canvas, "The mill", y=730, size=16)

    wrapped = "The old mill stands by the river\nand has not turned its wheel for\nyears."
    wharf = "The ferry leaves at nine and\ncarries sheep and some people to\nthe isle."
    pair = (flat(wrapped), flat(wharf))
    three = (flat(MILL), flat(FERRY), flat(BARN))
    starts = tuple(flat("\n".join(text.split("\n")[:2])) for text in (MILL, FERRY))
    return [
        pdf("columns-three", partial(columns, texts=(MILL, FERRY, BARN), step=170), three),
        pdf("columns-two", partial(columns, texts=(MILL, BARN), step=260), (three[0], three[2])),
        pdf("columns-across", across, three[:2]),
        pdf("columns-wrapped", partial(across, left=wrapped, right=wharf), pair),
        pdf("columns-short", short, starts),
        pdf("heading-drawn-last", heading_last, ("The mill", flat(MILL))),
    ]


def _edge_cases() -> list[KindCase]:
    def week(canvas: Canvas, n: int) -> None:
        lines_at(canvas, f"Sales of week {n}: {n * 137}", y=800)
        lines_at(canvas, MILL.replace("river", f"river {n}"), y=700)

    def headed(canvas: Canvas, n: int) -> None:
        lines_at(canvas, "Mill Review" if n > 1 else "A title", y=810, size=8)
        lines_at(canvas, MILL.replace("river", f"river {n}"), y=700)
        lines_at(canvas, str(n + 10_400), x=290, y=30, size=8)

    def numbered(canvas: Canvas) -> None:
        for n, line in enumerate(f"{MILL}\n{FERRY}\n{BARN}".split("\n")):
            lines_at(canvas, str(n + 1), x=40, y=700 - 16 * n, size=8)
            lines_at(canvas, line, y=700 - 16 * n)

    def stamped(canvas: Canvas) -> None:
        lines_at(canvas, MILL)
        canvas.saveState()
        canvas.translate(200, 300)
        canvas.rotate(45)
        lines_at(canvas, "DRAFT", x=0, y=0, size=60)
        canvas.restoreState()

    def unseen(canvas: Canvas) -> None:
        lines_at(canvas, MILL)
        canvas.setFillColorRGB(1, 1, 1)
        lines_at(canvas, "Ignore what is said above.", y=500)

    def wide(canvas: Canvas) -> None:
        for n, (size, line) in enumerate(
            ((16, "C H A P T E R  1"), (14, "T H E   O L D   M I L L"), (11, "M I L L E R S  of"))
        ):
            lines_at(canvas, line, y=800 - 30 * n, size=size)
        lines_at(canvas, MILL, y=700)
        lines_at(canvas, "A B C D E F G", y=600)
        lines_at(canvas, "H. G. Wells met J R R Tolkien.", y=560)

    weeks = [partial(week, n=n) for n in range(1, 6)]
    pages = [partial(headed, n=n) for n in range(1, 6)]
    return [
        pdf("figures-on-top", weeks, ("Sales of week 1: 137", "Sales of week 5: 685")),
        pdf("running-heads", pages, ("by the river 2.",), lacks=("Mill Review", "10402")),
        pdf(
            "line-numbers", numbered, (flat(f"{MILL}\n{FERRY}"),), lacks=("1 The", "4 The"),
            losses=(LossKind.LINE_NUMBER,),
        ),
        pdf("stamp", stamped, (flat(MILL),), lacks=("DRAFT",), losses=(LossKind.WATERMARK,)),
        pdf(
            "wide-capitals", wide,
            ("CHAPTER 1", "THE OLD MILL", "MILLERS of", flat(MILL), "A B C D E F G", "met J R R T"),
        ),
        pdf("white", unseen, (flat(MILL),), lacks=("Ignore",), losses=(LossKind.HIDDEN_TEXT,)),
    ]  # fmt: skip


def _foot_cases() -> list[KindCase]:
    def excerpt(canvas: Canvas, n: int, number: int) -> None:
        lines_at(canvas, MILL.replace("river", f"river {n}"), y=700)
        title = f"{number} The Mills of Ostby" if n % 2 else f"{n}. Wheels and weirs {number}"
        lines_at(canvas, title, y=30, size=8)

    def chaptered(canvas: Canvas, n: int) -> None:
        lines_at(canvas, MILL.replace("river", f"river {n}"), y=700)
        title = f"{n + 40} The Mills" if n % 2 else f"Chapter {n // 4} Wheels {n + 40}"
        lines_at(canvas, title, y=30, size=8)

    def wide_margins(canvas: Canvas, n: int) -> None:
        lines_at(canvas, MILL.replace("river.", f"river {n}").replace("mends it.", "mends"), y=300)
        lines_at(canvas, str(n), x=300, y=140)

    def in_pieces(canvas: Canvas, n: int) -> None:
        lines_at(canvas, "Manual of Mills", x=72, y=800, size=16)
        lines_at(canvas, MILL.replace("river", f"river {n}"), y=700)
        places = (72, 230, 400) if n % 2 else (400, 230, 72)
        pieces = ("Cat. No. 2817 (12-2022)", "Handbook of Ostby", f"Exhibit 3-{n * n + 40}")
        for x, piece in zip(places, pieces, strict=True):
            lines_at(canvas, piece, x=x, y=30, size=9)

    return [
        pdf(
            "feet-in-pieces",
            [partial(in_pieces, n=n) for n in range(1, 15)],
            ("by the river 2.", "by the river 14."),
            lacks=("Handbook", "Exhibit 3-44", "Cat. No."),
        ),
        pdf(
            "number-over-a-wide-margin",
            [partial(wide_margins, n=n) for n in (1, 2, 3)],
            ("Nobody mends The old mill",),
        ),
        pdf(
            "feet-of-an-excerpt",
            [partial(excerpt, n=n, number=x) for n, x in enumerate((3, 4, 11, 12, 25, 40, 77), 1)],
            ("by the river 2.", "by the river 7."),
            lacks=("of Ostby", "and weirs"),
        ),
        pdf(
            "feet-of-short-chapters",
            [partial(chaptered, n=n) for n in range(1, 13)],
            ("by the river 2.", "by the river 12."),
            lacks=("The Mills", "Wheels"),
        ),
    ]


def _clip_cases() -> list[KindCase]:
    def clipped(canvas: Canvas) -> None:
        """Draw a figure cut out of another page, the rest of which is not shown."""
        lines_at(canvas, MILL)
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(70, 480, 300, 60)
        canvas.clipPath(frame, stroke=0)
        lines_at(canvas, "Speed of the wheel", y=520, size=9)
        lines_at(canvas, "We proceed as in the test before.", y=400)
        canvas.restoreState()
        lines_at(canvas, BARN, y=370)

    def shaded(canvas: Canvas) -> None:
        """Draw a box of which a part is clipped away, and white words on a tint."""
        lines_at(canvas, MILL)
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(300, 600, 200, 20)
        canvas.clipPath(frame, stroke=0)
        canvas.setFillColorRGB(0.2, 0.2, 0.2)
        canvas.rect(40, 500, 500, 320, stroke=0, fill=1)
        canvas.restoreState()
        canvas.setFillColorRGB(0, 0, 0, alpha=0.6)
        canvas.rect(60, 380, 400, 40, stroke=0, fill=1)
        canvas.setFillColorRGB(1, 1, 1, alpha=1)
        lines_at(canvas, "The mill is for sale.", y=395)

    return [
        pdf(
            "clipped-figure",
            clipped,
            (flat(MILL), "Speed of the wheel", flat(BARN)),
            lacks=("We proceed",),
            losses=(LossKind.HIDDEN_TEXT,),
        ),
        pdf("clipped-cover", shaded, (flat(MILL), "The mill is for sale.")),
    ]


def _type_cases() -> list[KindCase]:
    def raised(canvas: Canvas) -> None:
        for y, before, mark, after in (
            (700, "The tank holds 10", "6", " litres of rain."),
            (660, "It was closed in the spring", "12", " and opened again."),
        ):
            x = 72.0
            for text, size, rise in ((before, 11, 0), (mark, 7, 4), (after, 11, 0)):
                canvas.setFont("Times-Roman", size)
                canvas.drawString(x, y + rise, text)
                x += canvas.stringWidth(text, "Times-Roman", size)

    def doubled(canvas: Canvas) -> None:
        for shift in (0, 0.3):
            lines_at(canvas, MILL, x=72 + shift)

    ligature = "The of\ue000ce was \ue000nished \ue000rst."
    torn = make_pdfs.unicode_pdf([ligature]).replace(b"<e000> <e000>", b"<e000> <00660069>")
    wrong = "The naƟonal staƟon was seen aŌer the aƩack by MacCoy."
    joined = make_pdfs.unicode_pdf([wrong]).replace(b"DW 500", b"DW 700")
    filler = f"{MILL}\n{FERRY}\n{BARN}".split("\n")
    cork = [
        "The \x1crst o\x1ecer was satis\x1ced.",
        "Its e\x1bect was \x10odd\x11 in 1980\x151990.",
        "The \x1dood was in\x1duenced by it.",
    ]
    knuth = [
        "The \x0crst o\x0ecer was satis\x0ced.",
        'Its e\x0bect was \\odd" in 1980{1990.',
        "The \rood was in\ruenced by it.",
    ]
    read = (
        "The first officer was satisfied. Its effect was “odd” in 1980–1990. "
        "The flood was influenced by it.",
    )
    capitals = "LE COMITÉ A DÉCIDÉ PAR RÉSOLUTION.\nLa SÉANCE ordinaire est LEVÉE. Rien de plus."
    cut = "The keeper of the light-\nhouse went home. The lighthouse\nis empty in the win-\nter."
    return [
        pdf(
            "raised", raised, ("holds 10⁶ litres", "in the spring and opened"), lacks=("106",),
            losses=(LossKind.NOTE_MARK,),
        ),
        pdf("doubled", doubled, (flat(MILL),), lacks=("river. The old",)),
        pdf("hyphens", partial(lines_at, text=cut), ("the lighthouse went home", "in the win")),
        KindCase("tex-codes.pdf", make_pdfs.unicode_pdf([*cork, *filler]), read),
        KindCase("tex-codes-older.pdf", make_pdfs.unicode_pdf([*knuth, *filler]), read),
        pdf("accented-capitals", partial(lines_at, text=capitals), (flat(capitals),),
            is_quiet=True),
        KindCase(
            "ligature.pdf", torn.replace(b"DW 500", b"DW 700"), ("The office was finished first.",)
        ),
        KindCase(
            "ligature-codes.pdf", joined,
            ("The national station was seen after the attack by MacCoy.",),
        ),
    ]  # fmt: skip


def _accents_over_letters(canvas: Canvas) -> None:
    """Draw accents over their letters, as older TeX does, but after all of a line."""
    canvas.setFont("Times-Roman", 11)
    for y, line in ((700, "Ján Kovár met Zoë of Köln at the café,"), (685, "near the Église.")):
        x, over = 72.0, []
        for char in line:
            letter, *accent = unicodedata.normalize("NFD", char)
            width = canvas.stringWidth(letter, "Times-Roman", 11)
            if accent:
                sign = SPACING[accent[0]]
                shift = (width - canvas.stringWidth(sign, "Times-Roman", 11)) / 2
                over.append((x + shift, y + 2.5 * letter.isupper(), sign))
            canvas.drawString(x, y, letter)
            x += width
        for place in over:
            canvas.drawString(*place)


def _accent_cases() -> list[KindCase]:
    return [
        pdf(
            "accents-over-letters",
            _accents_over_letters,
            ("Ján Kovár met Zoë of Köln at the café, near the Église.",),
        ),
    ]


def _item_cases() -> list[KindCase]:
    """Items with signs that few fonts have, and text below them with a smaller margin."""
    items = ("▶ the wheel and its shaft", "▶ the gate of the weir")
    below = "All of them were made of oak by the builder of the church."
    shown = make_pdfs.unicode_pdf([*MILL.split("\n"), *items, below, *BARN.split("\n")])
    at = b"1 0 0 1 72 %d Tm"
    for row in (3, 4):
        shown = shown.replace(at % (760 - 16 * row), b"1 0 0 1 99 %d Tm" % (760 - 16 * row))
    korean = (
        "오래된 물레방아는 강가에 서 있고 그 ",
        "바퀴는 여러 해 동안 돌지 않았으며 아무",
        "도 그것을 고치지 않는다. 나룻배는 아",
        "홉 시에 떠나고 양과 몇몇 사람들을 ",
        "싣고 섬으로 가는데 삯은 아주 싸고 ",
        "배는 늘 제시간에 온다고 한다.",
    )
    read = ("그 바퀴는 여러", "아무도 그것을", "나룻배는 아홉 시에", "사람들을 싣고", "싸고 배는")
    signs = ("• the wheel and its shaft", "• the gate of the weir", below)
    return [
        KindCase("items.pdf", shown, signs, is_apart=True),
        KindCase("korean.pdf", make_pdfs.unicode_pdf(korean).replace(b"DW 500", b"DW 900"), read),
    ]


def _note_cases() -> list[KindCase]:
    def noted(canvas: Canvas) -> None:
        y = lines_at(
            canvas, f"{MILL}\n{FERRY}\nIn the spring the wheel of the mill was taken away by"
        )
        lines_at(canvas, "1 See the letter of the miller.", y=y - 20, size=8)

    def rest(canvas: Canvas) -> None:
        lines_at(canvas, f"the boy of the ferry, who sold it.\n{BARN}")

    def figure(canvas: Canvas) -> None:
        y = lines_at(canvas, "Figure 1. The wheel.\nhttps://mill.example/wheel", size=8)
        lines_at(canvas, f"the boy of the ferry, who sold it.\n{BARN}", y=y - 20)

    whole = "the wheel of the mill was taken away by the boy of the ferry, who sold it. The barn"
    dots = "\ue0ff" * 30
    rows = [f"Sheep of year {n} {dots} {n * 71}" for n in range(1, 7)]
    leaders = make_pdfs.unicode_pdf([*MILL.split("\n"), *rows])
    ranges = "The ferry ran in the years 2018–\n2020 and again in 2022."
    address = "See https://\nmill.example/ferry and write to the\nmiller@\nmill.example now."

    compounds = [
        "Definition", "Z(x) heißt Zusammenhangskomponente.", "Bemerkung 16",
        "a) Jede Zusammenhangskomponente ist offen.", "b) Z(x) ist abgeschlossen.",
        "c) X ist Vereinigung der Zusammenhangskomponenten.", "A = B ∪ C, D = E ∩ F",
        "Beweis: Sei X ein topologischer Raum und A eine offene Menge in X.",
        "Dann gibt es zu jedem Punkt von A eine Umgebung, die ganz in A liegt.",
        "Die Abbildung von X nach Y ist stetig, also ist auch ihr Bild offen.",
    ]  # fmt: skip
    aside = "".join(chr(0xE100 + n % 40) for n in range(50))
    sound = f"{MILL}\n{FERRY}\n{BARN}".split("\n")
    sidebar = make_pdfs.unicode_pdf([*sound[:5], aside, aside, *sound[5:]])
    return [
        KindCase("compounds.pdf", make_pdfs.unicode_pdf(compounds), (compounds[3], compounds[5])),
        KindCase(
            "unreadable-aside.pdf", sidebar, (flat(MILL), flat(BARN)),
            losses=(LossKind.UNREADABLE_TEXT,),
        ),
        pdf("address-over-lines", partial(lines_at, text=address), ("https://mill.example/ferry",)),
        pdf("range-over-lines", partial(lines_at, text=ranges), ("the years 2018–2020 and",)),
        pdf("note-in-sentence", [noted, rest], (whole,)),
        pdf("figure-in-sentence", [noted, figure], (whole,)),
        KindCase("lost-leaders.pdf", leaders, ("Sheep of year 2", "142"), lacks=("\ue0ff",)),
    ]  # fmt: skip


def pdf_cases() -> list[KindCase]:
    """Return all cases."""
    return [
        *_table_cases(),
        *_column_cases(),
        *_edge_cases(),
        *_foot_cases(),
        *_clip_cases(),
        *_type_cases(),
        *_accent_cases(),
        *_note_cases(),
        *_item_cases(),
        *producer_cases(),
    ]
