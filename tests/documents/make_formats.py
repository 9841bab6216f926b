"""Small DOCX, EPUB and HTML files for the tests, and hostile ones. All return bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import docx
import pptx
from PIL import Image
from pptx.util import Inches

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
    'version="1.0"><rootfiles><rootfile full-path="OEBPS/book.opf" '
    'media-type="application/oebps-package+xml"/></rootfiles></container>'
)
CHAPTERS = (
    "<h1>The flood</h1><p>The river rose in the night.</p><p>Nobody expected it.</p>",
    "<h1>The mill</h1><p>The miller counted forty sacks of flour.</p>",
)


def zipped(members: Mapping[str, str | bytes], store: bool = False) -> bytes:
    """Return a ZIP archive of members in order."""
    buffer = io.BytesIO()
    kind = zipfile.ZIP_STORED if store else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, kind)
    return buffer.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """Return the members of a ZIP archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def edited(data: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """Return the archive with some members changed; a missing one begins empty."""
    found = members(data)
    for name, change in changes.items():
        found[name] = change(found.get(name, b""))
    return zipped(found)


def word(build: Callable[[Any], Any]) -> bytes:
    """Return a Word document that a function fills."""
    document = docx.Document()
    build(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def report(document: Any) -> None:
    """Add headings, paragraphs, a list and a table."""
    document.add_heading("The flood of the mill", 0)
    document.add_heading("What happened", 1)
    document.add_paragraph("The river rose in the night and stood in the kitchen.")
    document.add_paragraph("Forty sacks were counted.", style="List Bullet")
    table = document.add_table(2, 2)
    for row, words in zip(table.rows, (("Sacks", "Saved"), ("40", "9")), strict=True):
        for cell, shown in zip(row.cells, words, strict=True):
            cell.text = shown
    document.add_heading("What was lost", 2)
    document.add_paragraph("All the others were lost.")


def odt(
    body: str,
    styles: str = "",
    more: Mapping[str, str | bytes] | None = None,
    kind: str = "text",
) -> bytes:
    """Return an OpenDocument text with that body and styles."""
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("style", "style"),
            ("draw", "drawing"),
        )
    )
    content = (
        f'<?xml version="1.0"?><office:document-content{names}><office:automatic-styles>{styles}'
        f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>"
    )
    first = {"mimetype": f"application/vnd.oasis.opendocument.{kind}"}
    return zipped({**first, "content.xml": content, **(more or {})}, store=True)


ODT_BODY = (
    '<text:p text:style-name="P1">The flood</text:p>'
    "<text:table-of-content><text:p>Before\t1</text:p></text:table-of-content>"
    "<text:tracked-changes><text:p>Never said.</text:p></text:tracked-changes>"
    '<text:h text:outline-level="2">Before</text:h>'
    "<text:p>The river\n  rose <text:span>in the<!-- why? --> night</text:span><text:s/>and"
    "<text:note><text:note-body><text:p>A note.</text:p></text:note-body></text:note> stood"
    "<office:annotation><text:p>Sure?</text:p></office:annotation> in<text:tab/>the kitchen."
    "</text:p>"
    "<text:list><text:list-item><text:p>Forty sacks.</text:p><text:p>All of flour.</text:p>"
    "</text:list-item></text:list>"
    "<table:table><table:table-row><table:table-cell><text:p>Sacks</text:p></table:table-cell>"
    "<table:table-cell><text:p>Saved</text:p></table:table-cell></table:table-row></table:table>"
    "<text:p>Beside.<draw:frame><draw:text-box><text:p>In a box.</text:p></draw:text-box>"
    "</draw:frame> And on.<text:line-break/>A new line.</text:p>"
)
ODT_STYLES = '<style:style style:name="P1" style:parent-style-name="Title"/>'


def slides(build: Callable[[Any], Any]) -> bytes:
    """Return a PowerPoint file that a function fills."""
    deck = pptx.Presentation()
    build(deck)
    buffer = io.BytesIO()
    deck.save(buffer)
    return buffer.getvalue()


def slide(deck: Any, title: str, points: Sequence[str] = (), notes: str = "") -> Any:
    """Add a slide with a title, a list of points and notes."""
    made = deck.slides.add_slide(deck.slide_layouts[1])
    made.shapes.title.text = title
    made.placeholders[1].text = "\n".join(points)
    if notes:
        made.notes_slide.notes_text_frame.text = notes
    return made


def deck(deck: Any) -> None:
    """Add a title slide, points with notes, a table next to a group, and a picture alone."""
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = "The flood\vof the mill"
    first.placeholders[1].text = "A talk to the council"
    slide(deck, "What happened", ["The river rose.", "Sacks: 40"], "Nobody expected it so early.")
    third = deck.slides.add_slide(deck.slide_layouts[5])
    third.shapes.title.text = "What was lost"
    table = third.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for row, words in zip(table.rows, (("Sacks", "Saved"), ("40", "9")), strict=True):
        for cell, shown in zip(row.cells, words, strict=True):
            cell.text = shown
    group = third.shapes.add_group_shape()
    box = group.shapes.add_textbox(Inches(1), Inches(5), Inches(4), Inches(1))
    box.text_frame.text = "All the others were lost."
    last = deck.slides.add_slide(deck.slide_layouts[6])
    last.shapes.add_picture(picture(), Inches(1), Inches(1))


def picture_only(document: Any) -> None:
    """Add a picture alone, as of a scanned page."""
    document.add_picture(picture())


def picture() -> io.BytesIO:
    buffer = io.BytesIO()
    Image.frombytes("L", (64, 64), bytes(range(256)) * 16).save(buffer, "PNG")
    return io.BytesIO(buffer.getvalue())


def page(body: str, head: str = "") -> str:
    """Return an XHTML page."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head>{head}</head><body>{body}</body></html>'
    )


def epub(
    chapters: Sequence[str] = CHAPTERS,
    more: Mapping[str, str | bytes] | None = None,
    manifest: str = "",
    spine: str = "",
) -> bytes:
    """Return a book with a chapter for each body."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(1, len(chapters) + 1)
    )
    refs = "".join(f'<itemref idref="c{n}"/>' for n in range(1, len(chapters) + 1))
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f"<manifest>{items}{manifest}</manifest><spine>{refs}{spine}</spine></package>"
    )
    found: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": package,
    }
    found |= {f"OEBPS/c{n}.xhtml": page(body) for n, body in enumerate(chapters, 1)}
    return zipped({**found, **(more or {})})


NAV = page(
    '<nav epub:type="toc"><ol><li><a href="c1.xhtml">One: the <i>flood</i></a><ol><li>'
    '<a href="c1.xhtml#night">By night</a></li></ol></li><li><a href="c2.xhtml#x">Two</a></li>'
    '<li><a href="missing.xhtml">Gone</a></li></ol></nav>'
)
NCX = (
    '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" '
    '"http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">'
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>First'
    '</text></navLabel><content src="c1.xhtml"/><navPoint><navLabel><text>Inner</text></navLabel>'
    '<content src="c1.xhtml#a"/></navPoint></navPoint></navMap></ncx>'
)


def many_members(count: int) -> bytes:
    """Return a Word document with very many members."""
    return edited(word(report), {f"word/media/{n}.txt": lambda _: b"x" for n in range(count)})


def packed_well(size: int) -> bytes:
    """Return a Word document with a member that unpacks to a thousand times its size."""
    return edited(word(report), {"word/media/zeros.xml": lambda _: b" " * size})


LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
OUTSIDE = '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


def with_doctype(data: bytes, member: str, doctype: str) -> bytes:
    """Return the archive with a document type before the root of one XML member."""

    def change(xml: bytes) -> bytes:
        end = xml.index(b"?>") + 2
        return xml[:end] + doctype.encode() + xml[end:]

    return edited(data, {member: change})
