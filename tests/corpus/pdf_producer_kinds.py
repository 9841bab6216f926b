"""Small PDFs as different programs write them: right-to-left text, spaces left out, scans."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app.documents.model import LossKind
from tests.corpus.kinds import KindCase
from tests.documents import make_pdfs
from tests.documents.make_pdfs import canvas_pdf

STORY = (
    "The lock-keeper of Pell counted the boats each night and",
    "wrote their names in a book. In the spring of the flood no",
    "boat came for nine days, and he drew a fish on each page.",
    "When the water fell, the fish was the only one that had paid.",
)
HEBREW = "בשנת 1998 נמכרה הסירה הישנה (כולל מנוע) תמורת 45,000 כתרים, ו-40% מהם שולמו."
ARABIC = "بيع القارب القديم للمتحف في سنة 1998 بمبلغ 45,000 كرون."
BRACKETED = "המחיר ירד (42%) בשנה, והסכר [3] נסגר (שוב) בסתיו."
_MIRRORED = str.maketrans("()[]", ")(][")


def _visual_runs(line: str, is_mirrored: bool) -> list[str]:
    """Return a line that runs to the left as runs of one direction, from the left of the page,
    its brackets named by what they mean, or as they look."""
    mirrored = _MIRRORED if is_mirrored else {}
    runs = re.findall(r"[\d.,]*\d%?|[^\d]+", line)
    return [run if run[0].isdigit() else run[::-1].translate(mirrored) for run in runs[::-1]]


def span_pdf(line: str, is_mirrored: bool = True) -> bytes:
    """Return a PDF with a line that runs to the left, drawn from the left in runs of one
    direction, each letter marked with the text it stands for, as browsers write them. All
    letters of its font look alike."""
    letters = sorted({*line, *"()[]"})
    codes = {letter: f"{code:02x}" for code, letter in enumerate(letters, 1)}

    def shown(letter: str) -> str:
        drawn = f"<{codes[letter]}> Tj"
        text = letter.encode("utf-16-be").hex()
        return f"/Span <</ActualText <FEFF{text}>>> BDC {drawn} EMC" if letter.isalpha() else drawn

    content, x = "", 72.0
    for run in _visual_runs(line, is_mirrored):
        content += f"BT /F1 11 Tf 1 0 0 1 {x} 700 Tm\n" + "\n".join(map(shown, run)) + "\nET\n"
        x += 5.5 * len(run)
    maps = "".join(f"<{codes[x]}> <{x.encode('utf-16-be').hex()}>\n" for x in letters)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n1 begincodespacerange <00> "
        f"<ff> endcodespacerange\n{len(letters)} beginbfchar\n{maps}endbfchar\nendcmap end end"
    )
    font = (
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 -200 500 800] /FontMatrix [.001 0 0 .001 0 0] "
        f"/FirstChar 1 /LastChar {len(letters)} /Widths [{'500 ' * len(letters)}] /Resources << >> "
        f"/Encoding << /Type /Encoding /Differences [1 {'/box ' * len(letters)}] >> /CharProcs "
        "<< /box 6 0 R >> /ToUnicode 7 0 R >>"
    )
    box = make_pdfs.stream(b"500 0 0 0 450 700 d1 0 0 450 700 re f")
    return make_pdfs.one_page(content.encode(), font.encode(), box, make_pdfs.stream(cmap.encode()))


def _words_at(canvas: Canvas, gap: float) -> None:
    """Draw the story word by word, without spaces, the words a share of the type size apart."""
    for row, line in enumerate(STORY):
        x = 72.0
        for word in line.split():
            canvas.setFont("Times-Roman", 11)
            canvas.drawString(x, 700 - 14 * row, word)
            x += canvas.stringWidth(word, "Times-Roman", 11) + 11 * gap


def _scanned(canvas: Canvas) -> None:
    """Draw a picture over the page, and under it each word in a type and height of its own."""
    chance = random.Random(5)
    canvas.drawImage(ImageReader(Image.new("L", (20, 28), 230)), 0, 0, 595, 842)
    for row, line in enumerate(STORY):
        x = 72.0
        for word in line.split():
            text = canvas.beginText(x, 700 - 14 * row + chance.uniform(-1.5, 1.5))
            text.setFont("Times-Roman", chance.choice((9.8, 10.4, 11, 11.4)))
            text.setTextRenderMode(3)
            text.textOut(word)
            canvas.drawText(text)
            x += canvas.stringWidth(f"{word} ", "Times-Roman", 11)


def _raised(canvas: Canvas) -> None:
    """Draw signs that follow raised and lowered type."""
    x = 72.0
    for text, size, rise in (
        ("Its lake covers 40 km", 11, 0), ("2", 7, 4), (", and the locks, too old", 11, 0),
        ("12", 7, 4), (", breathe CO", 11, 0), ("2", 7, -2), (".", 11, 0),
    ):  # fmt: skip
        canvas.setFont("Times-Roman", size)
        canvas.drawString(x, 700 + rise, text)
        x += canvas.stringWidth(text, "Times-Roman", size)


def _numbered_sheet(canvas: Canvas) -> None:
    """Draw a court's paper: the lines of the sheet are numbered, below the text too."""
    canvas.setFont("Times-Roman", 11)
    for number in range(1, 26):
        canvas.drawString(50, 770 - 24 * number, str(number))
    for row, line in enumerate((*STORY, *STORY)):
        canvas.drawString(80, 746 - 24 * row, line)


def _layered() -> bytes:
    """Return a PDF with a line on a layer that is switched off and one on a layer that is shown."""
    content = "".join(
        f"/OC /{layer} BDC BT /F1 11 Tf 72 {y} Td ({line}) Tj ET EMC\n"
        for layer, y, line in (("A", 700, STORY[0]), ("B", 680, "Die Boote der Nacht."))
    )
    return make_pdfs.raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [6 0 R 7 0 R] /D << /OFF "
            b"[7 0 R] /Order [] >> >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources "
            b"<< /Font << /F1 5 0 R >> /Properties << /A 6 0 R /B 7 0 R >> >> >>",
            make_pdfs.stream(content.encode()),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Type /OCG /Name (English) >>",
            b"<< /Type /OCG /Name (Deutsch) >>",
        ]
    )


def _stamped(canvas: Canvas) -> None:
    """Draw a level stamp in grey under the text."""
    canvas.setFillGray(0.85)
    canvas.setFont("Helvetica-Bold", 70)
    canvas.drawString(120, 660, "DRAFT")
    canvas.setFillGray(0)
    _words_at(canvas, 0.25)


def _crossed(canvas: Canvas) -> None:
    """Draw the text over the upright lines of a drawing."""
    for x in range(80, 400, 8):
        canvas.line(x, 600, x, 800)
    _words_at(canvas, 0.25)


def producer_cases() -> list[KindCase]:
    """Return all cases."""
    story = " ".join(STORY)

    def made(name: str, draw: Callable[[Canvas], object], text: str = story) -> KindCase:
        return KindCase(f"{name}.pdf", canvas_pdf([draw]), (text,))

    cut = ["The keeper of the water‐", "way counted the boats and the",
           "fish, which paid him noth‐", "ing at all in the spring."]  # fmt: skip
    joined = "The keeper of the waterway counted the boats and the fish, which paid him nothing"
    sheet = KindCase(
        "numbered-sheet.pdf", canvas_pdf([_numbered_sheet]), (story, story),
        lacks=("14", "21"), losses=(LossKind.LINE_NUMBER,),
    )  # fmt: skip
    return [
        KindCase("hebrew-in-spans.pdf", span_pdf(HEBREW), (HEBREW,)),
        KindCase("arabic-in-spans.pdf", span_pdf(ARABIC), (ARABIC,)),
        KindCase("brackets-by-meaning.pdf", span_pdf(BRACKETED), (BRACKETED,)),
        KindCase("brackets-by-look.pdf", span_pdf(BRACKETED, False), (BRACKETED,)),
        made("words-drawn-close", lambda canvas: _words_at(canvas, 0.13)),
        made("text-over-lines", _crossed),
        made("scan-with-uneven-words", _scanned),
        made("sign-after-raised", _raised,
             "covers 40 km², and the locks, too old, breathe CO₂."),
        KindCase("printed-hyphens.pdf", make_pdfs.unicode_pdf(cut), (joined,)),
        sheet,
        KindCase(
            "layer-switched-off.pdf",
            _layered(),
            (STORY[0],),
            ("Die Boote",),
            (LossKind.HIDDEN_TEXT,),
        ),
        KindCase(
            "level-stamp.pdf", canvas_pdf([_stamped]), (story,), ("DRAFT",), (LossKind.WATERMARK,)
        ),
    ]  # fmt: skip
