"""Small PDFs for the tests: typeset ones, hand-written ones, damaged ones. All return bytes."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import pypdf
import pypdfium2
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

SIZE = (595, 842)
PROSE = (
    "The river rose in the night and by the morning it stood in the kitchen of the mill.\n"
    "Nobody had expected it so early in the year, and the flour was still on the floor.\n"
    "The miller counted forty sacks, carried nine of them upstairs and lost the others."
)


def canvas_pdf(draw: Sequence[Callable[[Canvas], Any]], **options: Any) -> bytes:
    """Return a PDF with a page for each function, which draws on reportlab's canvas."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=SIZE, invariant=1, **options)
    for page in draw:
        page(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def lines_at(
    canvas: Canvas,
    text: str,
    x: float = 72,
    y: float = 760,
    size: float = 11,
    pitch: float = 1.3,
    font: str = "Times-Roman",
) -> float:
    """Draw lines of text downward and return the y of the next line."""
    for line in text.split("\n"):
        canvas.setFont(font, size)
        canvas.drawString(x, y, line)
        y -= size * pitch
    return y


def text_pdf(pages: Sequence[str] = (PROSE,), **options: Any) -> bytes:
    """Return a PDF with pages of plain lines in Times."""
    return canvas_pdf([partial(lines_at, text=text) for text in pages], **options)


def scanned(canvas: Canvas) -> None:
    """Draw a page that is only a picture."""
    picture = Image.frombytes("L", (64, 64), bytes(range(256)) * 16)
    canvas.drawImage(ImageReader(picture), 72, 200, 400, 500)


def scan_of(data: bytes) -> bytes:
    """Return a PDF without text that shows a picture of the first page of another."""
    picture = pypdfium2.PdfDocument(io.BytesIO(data))[0].render(scale=2.5).to_pil()
    return canvas_pdf([lambda canvas: canvas.drawImage(ImageReader(picture), 0, 0, *SIZE)])


def encrypted(user_password: str, algorithm: str = "AES-256") -> bytes:
    """Return an encrypted PDF; a blank user password opens without asking."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text_pdf()))
    writer.encrypt(user_password, "the owner's", algorithm=algorithm)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def raw_pdf(objects: Iterable[bytes], root: int = 1) -> bytes:
    """Return a PDF made of objects, numbered from 1, with a correct cross-reference table."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R >>\n" % (len(places) + 1, root)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(data: bytes, extra: bytes = b"") -> bytes:
    """Return a stream object."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), extra, data)


def unicode_pdf(lines: Sequence[str], has_spaces: bool = True) -> bytes:
    """Return a PDF with one page in a font without glyphs, whose codes are UTF-16 and mapped so.
    Without spaces, words are separated by moving the pen, as TeX does."""

    def pieces(line: str) -> bytes:
        words = [line] if has_spaces else line.split()
        codes = (w.encode("utf-16-be", "surrogatepass").hex().encode() for w in words)
        return b" -250 ".join(b"<%b>" % code for code in codes)

    shown = b"".join(
        b"1 0 0 1 72 %d Tm [%b] TJ\n" % (760 - 16 * i, pieces(line)) for i, line in enumerate(lines)
    )
    chars = sorted({c for line in lines for c in line})
    maps = b"".join(b"<%04x> <%04x>\n" % (ord(c), ord(c)) for c in chars)
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        b"%d beginbfchar\n%bendbfchar\nendcmap end end" % (len(chars), maps)
    )
    descendant = (
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Nothing /DW 500 /CIDSystemInfo "
        b"<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor << /Type "
        b"/FontDescriptor /FontName /Nothing /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 "
        b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >> >>"
    )
    return one_page(
        b"BT /F1 11 Tf\n" + shown + b"ET",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Nothing /Encoding /Identity-H "
        b"/DescendantFonts [6 0 R] /ToUnicode 7 0 R >>",
        descendant,
        stream(cmap),
    )


def one_page(content: bytes, font: bytes, *more: bytes) -> bytes:
    """Return a PDF with a page that has a content stream (object 4) and a font F1 (object 5)."""
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            stream(content),
            font,
            *more,
        ]
    )


def glyph_names(text: str = PROSE) -> bytes:
    """Return a PDF whose font names its letters /g1, /g2, which no reader can decode."""
    names = b" ".join(b"/g%d" % code for code in range(33, 127))
    font = (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Nothing /Encoding << /Type /Encoding "
        b"/Differences [33 %b] >> >>" % names
    )
    shown = b"".join(
        b"1 0 0 1 72 %d Tm (%b) Tj\n" % (760 - 16 * i, line.encode("latin-1"))
        for i, line in enumerate(text.split("\n"))
    )
    return one_page(b"BT /F1 11 Tf\n" + shown + b"ET", font)


def with_missing_page() -> bytes:
    """Return a PDF with three pages, of which the second does not exist."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>"
    )
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R 99 0 R 6 0 R] /Count 3 >>",
            page % 4,
            stream(b"BT /F1 11 Tf 72 760 Td (The first page is here and it is sound.) Tj ET"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            page % 7,
            stream(b"BT /F1 11 Tf 72 760 Td (The third page is here and it is sound.) Tj ET"),
        ]
    )


def with_broken_stream() -> bytes:
    """Return a PDF whose compressed content ends early; the text before that can be read."""
    content = b"BT /F1 11 Tf 72 760 Td (The stream is cut off but it begins well.) Tj ET\n"
    packed = zlib.compress(content * 40, 0)[:-30]
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            stream(packed, b"/Filter /FlateDecode"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def with_broken_xref(data: bytes) -> bytes:
    """Return the file with a cross-reference table that points nowhere."""
    return re.sub(rb"startxref\s+\d+", b"startxref\n999999999", data)


def many_pages(count: int) -> bytes:
    """Return a PDF with very many pages, all of them the same object."""
    kids = b" ".join([b"3 0 R"] * count)
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        ]
    )


def page_loop() -> bytes:
    """Return a PDF whose page tree contains itself."""
    return raw_pdf(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]
    )


def bomb(size: int = 400_000_000) -> bytes:
    """Return a PDF with a page whose content grows a thousandfold when unpacked."""
    packer = zlib.compressobj(9)
    block = b" " * 1_000_000
    packed = b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()
    return raw_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
            stream(packed, b"/Filter /FlateDecode"),
        ]
    )
