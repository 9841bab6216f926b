"""Word documents, slides, books, web pages and legacy text, read from small files."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml.ns import qn

from app import errors
from app.documents import file_kinds as kinds
from app.documents import limits
from app.documents.encoding import decode_text
from app.documents.headings import sections_of
from app.documents.load import document_from_text, load_document, require_text
from app.documents.model import Block, BlockKind, join_blocks
from app.documents.readers import READERS, markdown, web
from app.documents.readers.blocks import MAX_OUTLINE_TITLE, outline_of_parts, pack_blocks
from app.settings import READABLE_SUFFIXES
from app.summary.summarizer import Options
from tests.documents import make_formats, new_formats
from tests.documents.make_pdfs import PROSE, text_pdf

pytestmark = pytest.mark.usefixtures("no_child")

ROOT = Path(__file__).parents[2]


def outline(document) -> list[tuple[str, int, int]]:
    return [(item.title, item.page, item.level) for item in document.outline]


# Word


def test_headings_lists_and_tables_of_a_word_document(load) -> None:
    document = load(make_formats.word(make_formats.report), "report.docx")
    assert document.unit == "part" and [page.status for page in document.pages] == ["ok"]
    assert document.pages[0].text == (
        "The flood of the mill\n\nWhat happened\n\nThe river rose in the night and stood in the "
        "kitchen.\n\n• Forty sacks were counted.\nSacks | Saved\n40 | 9\n\nWhat was lost\n\n"
        "All the others were lost."
    )
    assert outline(document) == [
        ("The flood of the mill", 1, 1),
        ("What happened", 1, 1),
        ("What was lost", 1, 2),
    ]
    assert document.warnings == ()


def test_a_long_word_document_has_parts(load) -> None:
    def build(document) -> None:
        for number in range(12):
            document.add_heading(f"Chapter {number}", 1)
            for _ in range(6):
                document.add_paragraph(PROSE.replace("\n", " "))

    document = load(make_formats.word(build), "long.docx")
    assert len(document.pages) >= 6
    for title, number, level in outline(document):
        assert level == 1 and title in document.pages[number - 1].text
    assert not any(page.text.endswith(tuple("0123456789")) for page in document.pages)


def test_insertions_controls_and_text_boxes_of_word_are_read(load) -> None:
    """Insertions, content controls and text boxes count; deletions, moves and fallbacks do not."""
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = (
        f"<w:p {w}><w:ins><w:r><w:t>Inserted words </w:t></w:r></w:ins><w:del><w:r><w:delText>gone"
        "</w:delText></w:r></w:del><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:t>"
        "stay</w:t><w:br/><w:t>here.</w:t><w:noBreakHyphen/></w:r><w:r><w:rPr><w:vanish/></w:rPr>"
        "<w:t>hidden</w:t></w:r></w:p>"
        f"<w:sdt {w}><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent>"
        f"</w:sdt><w:p {w} {mc}><w:r><w:t>Around.</w:t><mc:AlternateContent><mc:Choice><w:p><w:r>"
        "<w:t>Boxed.</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:p><w:r><w:t>Boxed.</w:t></w:r>"
        "</w:p></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    ).encode()
    data = make_formats.edited(
        make_formats.word(lambda document: None),
        {"word/document.xml": lambda xml: xml.replace(b"<w:body>", b"<w:body>" + body)},
    )
    assert load(data, "changes.docx").pages[0].text == (
        "Inserted words stay\nhere.-\n\nControlled.\n\nAround.\n\nBoxed."
    )


def test_a_word_document_with_only_a_picture_is_scanned(load) -> None:
    document = load(make_formats.word(make_formats.picture_only), "scan.docx")
    assert [page.status for page in document.pages] == ["scanned"]
    with pytest.raises(errors.NoTextLayer, match="OCR"):
        require_text(document)
    with pytest.raises(errors.EmptyFile):
        require_text(load(make_formats.word(lambda document: None), "blank.docx"))


def test_locked_and_old_word_documents_are_refused(load) -> None:
    with pytest.raises(errors.NotReadable, match="without one in Word"):
        load(b"\xd0\xcf\x11\xe0" + b"\0" * 600, "locked.docx")
    with pytest.raises(errors.NotReadable, match="an old Word document.*save it as DOCX"):
        load(b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old.doc")


LEADS = [  # in bold, and how its paragraph goes on; whether it is a heading
    ("Study area.", "The valley is wet.", True),
    ("Policies on care at home", ". The county pays for it.", True),
    ("The river rose in the night.", "Nobody expected it.", False),
    ("The Tenant", "shall pay the rent.", False),
]


@pytest.mark.parametrize(("lead", "rest", "is_heading"), LEADS)
def test_bold_run_in_headings_are_separated(load, lead, rest, is_heading) -> None:
    def build(document) -> None:
        paragraph = document.add_paragraph()
        paragraph.add_run(lead).bold = True
        paragraph.add_run(rest if rest[0] == "." else f" {rest}")

    joined = f"{lead}{'' if rest[0] == '.' else ' '}{rest}"
    ended = f"{lead.removesuffix('.')}{'.' if len(lead.split()) < 4 else ''}"
    found = f"{ended}\n\n{rest.lstrip('. ')}" if is_heading else joined
    assert load(make_formats.word(build), "a.docx").pages[0].text == found
    page = f"<p>{joined.replace(lead, f'<strong>{lead}</strong>')}</p>".encode()
    assert load(page, "a.html").pages[0].text == found


# OpenDocument


def test_headings_lists_and_tables_of_an_open_document(load) -> None:
    document = load(make_formats.odt(make_formats.ODT_BODY, make_formats.ODT_STYLES), "a.odt")
    assert document.unit == "part" and document.pages[0].text == (
        "The flood\n\nBefore\n\nThe river rose in the night and stood in the kitchen.\n\n"
        "• Forty sacks.\n\nAll of flour.\n\nSacks | Saved\n\n"
        "Beside. And on.\nA new line.\n\nIn a box."
    )
    assert outline(document) == [("The flood", 1, 1), ("Before", 1, 2)]
    assert tuple(map(str, document.warnings)) == (
        "The table of contents is left out.",
        "Left out: 1 footnote, 1 comment.",
    )


def test_open_documents_without_text_are_refused(load) -> None:
    locked = (
        '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        "<m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"
    )
    empty = {"mimetype": "application/vnd.oasis.opendocument.text"}
    for data, sentence in (
        (make_formats.odt("", more={"META-INF/manifest.xml": locked}), "protected by a password"),
        (make_formats.odt("", kind="spreadsheet"), "damaged or locked"),
        (make_formats.zipped(empty, store=True), "damaged"),
    ):
        with pytest.raises(errors.NotReadable, match=sentence):
            load(data, "a.odt")
    with pytest.raises(errors.EmptyFile):
        require_text(load(make_formats.odt("<text:p> </text:p>"), "blank.odt"))
    picture = "<text:p><draw:frame><draw:image/></draw:frame></text:p>"
    with pytest.raises(errors.NoTextLayer, match="save it as PDF"):
        require_text(load(make_formats.odt(picture), "scan.odt"))


# Slides


def test_paragraphs_in_the_only_cell_of_a_row_stay_apart(load) -> None:
    def build(deck) -> None:
        made = make_formats.slide(deck, "Offices")
        table = made.shapes.add_table(2, 2, 914_400, 2_000_000, 9_000_000, 900_000).table
        table.cell(0, 0).merge(table.cell(0, 1))
        table.cell(0, 0).text = "Office 603: Administration\nOffice 605: Proposals"
        table.cell(1, 0).text, table.cell(1, 1).text = "Roof", "3"

    text = load(make_formats.slides(build), "offices.pptx").pages[0].text
    assert "Office 603: Administration\n\nOffice 605: Proposals" in text and "Roof | 3" in text


def test_titles_lists_tables_and_notes_of_slides(load) -> None:
    document = load(make_formats.slides(make_formats.deck), "talk.pptx")
    assert document.unit == "slide" and [p.status for p in document.pages] == [
        "ok",
        "ok",
        "ok",
        "scanned",
    ]
    assert [page.text for page in document.pages] == [
        "The flood of the mill\n\nA talk to the council",
        "What happened\n\n• The river rose.\n• Sacks: 40\n\nNobody expected it so early.",
        "What was lost\n\nSacks | Saved\n40 | 9\n\nAll the others were lost.",
        "",
    ]
    titles = ["The flood of the mill", "What happened", "What was lost"]
    assert outline(document) == [(title, n, 1) for n, title in enumerate(titles, 1)]
    notes, picture = map(str, document.warnings)
    assert "notes are read" in notes and picture.startswith("Slide 4 is left out")


def test_diagrams_and_sections_of_slides_are_read_but_footers_are_not(load) -> None:
    """Diagrams lie in parts of their own, sections in an extension; footers are no text."""
    a = "http://schemas.openxmlformats.org/drawingml/2006/main"
    dgm = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    p14 = "http://schemas.microsoft.com/office/powerpoint/2010/main"

    def build(deck) -> None:
        made = make_formats.slide(deck, "Causes", ["Rain"])
        make_formats.slide(deck, "Costs", ["40 sacks"])
        make_formats.slide(deck, "Costs", ["9 saved"])
        points = "".join(
            f"<d:pt><d:t><a:p><a:r><a:t>{x}</a:t></a:r></a:p></d:t></d:pt>"
            for x in ("It rained", "", "It rose")
        )
        names = f'xmlns:d="{dgm}" xmlns:a="{a}"'
        data = f"<d:dataModel {names}><d:ptLst>{points}</d:ptLst></d:dataModel>"
        part = Part(
            PackURI("/ppt/diagrams/data1.xml"), "application/xml", deck.part.package, data.encode()
        )
        related = made.part.relate_to(part, "http://example.org/diagramData")
        frame = made.shapes.add_table(1, 1, 914_400, 6_500_000, 9, 9)._element
        for child in list(frame.graphic.graphicData):
            frame.graphic.graphicData.remove(child)
        frame.graphic.graphicData.set("uri", dgm)
        etree.SubElement(frame.graphic.graphicData, f"{{{dgm}}}relIds").set(qn("r:dm"), related)
        footer = made.placeholders[1]._element
        copied = copy.deepcopy(footer)
        copied.find(".//" + qn("p:ph")).attrib.update({"type": "ftr", "idx": "11"})
        made.shapes._spTree.append(copied)
        first, second, _ = (slide.slide_id for slide in deck.slides)
        deck._element.append(
            etree.fromstring(
                f'<s:sectionLst xmlns:s="{p14}"><s:section name="Before"><s:sldIdLst>'
                f'<s:sldId id="{first}"/></s:sldIdLst></s:section>'
                '<s:section name="After"><s:sldIdLst>'
                f'<s:sldId id="{second}"/></s:sldIdLst></s:section></s:sectionLst>'
            )
        )

    document = load(make_formats.slides(build), "talk.pptx")
    assert document.pages[0].text == "Causes\n\nRain\n\n• It rained\n• It rose"
    assert outline(document) == [
        ("Before", 1, 1),
        ("Causes", 1, 2),
        ("After", 2, 1),
        ("Costs", 2, 2),
    ]


def test_summaries_cite_slides_by_number_and_keep_points_separate(load, bundled) -> None:
    def build(deck) -> None:
        make_formats.slide(
            deck,
            "Why we started",
            [
                "Last trains leave at 23:40 on all days of the week",
                "6,200 people work shifts that end after midnight",
                "Most of them drive, and a third share a car",
            ],
        )
        make_formats.slide(
            deck,
            "Ridership",
            ["412,000 trips in twelve months", "Line N3 carries half of all passengers"],
        )
        make_formats.slide(
            deck,
            "Recommendation",
            ["Option C for three years", "Night trains on Fridays and Saturdays from May on"],
        )

    document = load(make_formats.slides(build), "talk.pptx")
    sentences = [
        s for section in bundled.summarize(document, Options()).sections for s in section.sentences
    ]
    texts = [page.text for page in document.pages]
    assert len(sentences) > 1
    for sentence in sentences:
        (page,) = sentence.pages
        assert sentence.text.rstrip(".") in texts[page - 1] and not sentence.flags
        assert sentence.labels == (f"slide {page}",)


def test_slides_without_words_and_locked_slides_are_refused(load) -> None:
    bare = load(make_formats.slides(lambda deck: None), "bare.pptx")
    with pytest.raises(errors.EmptyFile):
        require_text(bare)
    with pytest.raises(errors.NotReadable, match="without one in PowerPoint"):
        load(b"\xd0\xcf\x11\xe0" + b"\0" * 600, "locked.pptx")
    only = make_formats.slides(
        lambda deck: deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_picture(
            make_formats.picture(), 0, 0
        )
    )
    with pytest.raises(errors.NoTextLayer, match="save it as PDF"):
        require_text(load(only, "pictures.pptx"))


# Books


def test_chapters_and_navigation_of_a_book(load) -> None:
    book = make_formats.epub(
        more={"OEBPS/nav.xhtml": make_formats.NAV},
        manifest='<item id="n" href="nav.xhtml" properties="nav" '
        'media-type="application/xhtml+xml"/>',
        spine='<itemref idref="n"/>',
    )
    document = load(book, "mill.epub")
    assert document.unit == "chapter"
    assert [page.status for page in document.pages] == ["ok", "ok", "skipped"]
    assert document.pages[0].text == (
        "The flood\n\nThe river rose in the night.\n\nNobody expected it."
    )
    assert outline(document) == [("One: the flood", 1, 1), ("By night", 1, 2), ("Two", 2, 1)]
    assert tuple(map(str, document.warnings)) == (
        "The table of contents or index (chapter 3) is left out.",
    )


def test_outline_of_a_book_by_ncx_or_headings(load) -> None:
    item = '<item id="x" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    book = make_formats.epub(more={"OEBPS/toc.ncx": make_formats.NCX}, manifest=item)
    assert outline(load(book, "old.epub")) == [("First", 1, 1), ("Inner", 1, 2)]
    assert outline(load(make_formats.epub(), "bare.epub")) == [
        ("The flood", 1, 1),
        ("The mill", 2, 1),
    ]


def test_a_missing_chapter_does_not_end_the_book(load) -> None:
    book = make_formats.epub(
        manifest='<item id="m" href="gone.xhtml" media-type="application/xhtml+xml"/>',
        spine='<itemref idref="m"/>',
    )
    document = load(book, "mill.epub")
    assert [page.status for page in document.pages] == ["ok", "ok", "failed"]
    assert tuple(map(str, document.warnings)) == ("Chapter 3 is left out (could not be read).",)


def test_self_closed_xhtml_elements_hide_no_text(load) -> None:
    body = '<title/><script src="x"/><p>Seen&#160;all, caf&eacute;.</p><a id="a"/><p>And this.</p>'
    (page,) = load(make_formats.epub([body]), "book.epub").pages
    assert page.text == "Seen all, café.\n\nAnd this."


def test_locked_books_and_books_without_chapters_are_refused(load) -> None:
    lock = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>'
        '<enc:CipherReference URI="{}"/></enc:CipherData></enc:EncryptedData></encryption>'
    )
    locked = make_formats.epub(more={"META-INF/encryption.xml": lock.format("OEBPS/c1.xhtml")})
    with pytest.raises(errors.NotReadable, match="locked"):
        load(locked, "sold.epub")
    fonts = make_formats.epub(more={"META-INF/encryption.xml": lock.format("OEBPS/font.otf")})
    assert len(load(fonts, "free.epub").pages) == 2
    with pytest.raises(errors.NotReadable, match="no chapters"):
        load(make_formats.epub([]), "none.epub")


# Web pages

PAGE = """<!DOCTYPE html><html><head><title>T</title><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav><h1>The <em>flood</em></h1>
<p>The river&nbsp;rose<br>in the night.</p><script>alert("no")</script>
<div>Loose <b>words</b> <span hidden>unseen</span></div>
<ul><li>one</li><li><p>two</p></li></ul>
<table><tr><th>Sacks</th><th>Saved</th></tr><tr><td>40</td><td></td></tr></table>
<pre>kept
  lines</pre><p style="display: none">unseen</p><footer>Imprint</footer></body></html>"""


def test_headings_lists_and_tables_of_a_web_page(load) -> None:
    document = load(PAGE, "page.html")
    assert document.unit == "part" and outline(document) == [("The flood", 1, 1)]
    assert document.pages[0].text == (
        "The flood\n\nThe river rose\nin the night.\n\nLoose words\n\n• one\n• two\n"
        "Sacks | Saved\n40\n\nkept\nlines"
    )
    assert document.warnings == (web.PAGE_BOILERPLATE_LEFT_OUT,)


MARKDOWN = """---
title: The flood
tags: [river]
---

# The *flood*

The **river** [rose](http://127.0.0.1:1/) in
the `night`, ![as seen](mill.png) and <b>fell</b>.<br>Twice.

<!-- unseen -->

- one
- two
  1. three

| Sacks | Saved |
|:---|---|
| 40 | |

> Quoted.

```sh
# count the sacks
sacks --count
```

    # indented
    sacks

Use
---
<p align="center">Framed <img src="mill.png"></p>
<table><tr><td>a<td>b<tr><td>c<td>d</table>
"""


def test_headings_lists_and_tables_of_markdown(load) -> None:
    document = load(MARKDOWN, "flood.md")
    assert document.unit == "part"
    assert tuple(map(str, document.warnings)) == ("2 blocks of code are left out.",)
    assert outline(document) == [("The flood", 1, 1), ("Use", 1, 2)]
    assert document.pages[0].text == (
        "The flood\n\nThe river rose in the night, as seen and fell.\nTwice.\n\n"
        "• one\n• two\n• three\nSacks | Saved\n40\n\nQuoted.\n\n"
        "Use\n\nFramed\n\na | b\nc | d"
    )
    assert load(MARKDOWN, "flood.txt").outline == document.outline, "it is pasted as often"


def test_prose_in_code_blocks_is_read_and_code_only_where_nothing_else_is(load) -> None:
    document = load(f"# Answer\n\n```\n{PROSE}\n```\n\n```\nx = 1\n```\n", "answer.md")
    assert PROSE.split(".")[0] in document.pages[0].text and "x = 1" not in document.pages[0].text
    assert tuple(map(str, document.warnings)) == ("1 block of code is left out.",)
    assert load("```\nx = 1\n```\n", "code.md").pages[0].text == "x = 1"


def test_comments_in_code_are_not_taken_for_headings(load) -> None:
    code = "\n".join(f"# step {n}\nrun {n}" for n in range(9))
    guide = f"# Guide\n\n{PROSE}\n\n```sh\n{code}\n```\n\n## Install\n\nNow.\n\n## Use\n\nLater."
    titles = [section.title for section in sections_of(load(guide, "guide.md"))]
    assert titles == ["Guide", "Install", "Use"]
    assert sections_of(load(f"```sh\n{code}\n```\n\n{PROSE}", "guide.md")) == ()
    assert sections_of(load(f"<html><pre>{code}</pre><p>{PROSE}", "guide.html")) == ()


def test_markdown_has_the_same_parts_as_its_pasted_text(load) -> None:
    """A file and the same text pasted must cite the same numbers."""
    path = ROOT / "assets" / "examples" / "lending-library.md"
    pasted = document_from_text(path.read_text(encoding="utf-8"))
    read = load_document(path)
    assert [p.text[:20] for p in read.pages[1:]] == [p.text[:20] for p in pasted.pages[1:]]
    assert len(read.outline) == 6


@pytest.mark.parametrize(
    ("top", "is_kept"),
    [
        ("---\nNot a field\n---\n", True),
        ("---\nkey: value\n\nThe rest goes on.\n---\n", True),
        ("---\nkey: value\n", True),  # never closed
        ("---\nkey: value\nlist:\n- one\n  two: 2\n# so\n...\n", False),
        ("+++\nkey = 'value'\n+++\n", False),
        ("\n---\nkey: value\n---\n", True),  # not on top
    ],
)
def test_front_matter_of_markdown_is_removed(top, is_kept) -> None:
    kept = f"{top}Words." if is_kept else "Words."
    assert markdown.strip_front_matter(f"{top}Words.") == kept


@pytest.mark.parametrize("markup", ["<title>", "<select>", "<svg>", "<!-- x -->", "<p hidden>"])
def test_stray_tags_in_markdown_hide_nothing(markup) -> None:
    blocks, _ = markdown.markdown_blocks(f"Before {markup} it.\n\n{markup}\n\n## After\n\nThe end.")
    assert [block.text for block in blocks] == ["Before it.", "After", "The end."]


@pytest.mark.parametrize("nest", ["> " * 200, "".join(f"{'  ' * n}- a\n" for n in range(99))])
def test_markdown_nested_too_deep_is_read_as_plain_text(nest) -> None:
    assert markdown.markdown_blocks(f"{nest}words")[0][-1].text.endswith("words")


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="#*_`-+>|[]()!<>&;:=~1. ab\n\t", max_size=300))
def test_any_markdown_ends_in_blocks(content) -> None:
    blocks, _ = markdown.markdown_blocks(content)
    assert all(block.text.strip() for block in blocks)
    if content.replace("b", "").strip() == "a":
        assert blocks


def test_only_the_main_element_of_a_page_is_read(load) -> None:
    main = f"<main><h2>Mill</h2><p>{PROSE}</p></main>"
    document = load(f"<html><body><div>Log in</div>{main}</body></html>", "page.htm")
    assert document.pages[0].text.startswith("Mill") and "Log in" not in document.pages[0].text
    assert document.warnings
    small = "<html><body><main>Short.</main><p>" + PROSE + "</p></body></html>"
    assert "river" in load(small, "page.htm").pages[0].text
    only = "<html><body><nav>Nothing but a menu</nav></body></html>"
    assert load(only, "page.htm").pages[0].text == "Nothing but a menu"


def test_note_marks_and_unnumbered_captions_are_removed(load) -> None:
    page = (
        f"<body><h1>Mill<span class=mw-editsection>[edit]</span></h1><p>{PROSE}</p>"
        "<p>It rose.<sup class=reference><a>[1]</a></sup><sup>[<i>citation needed</i>]</sup> It"
        " fell 3 m<sup>2</sup>.</p><figure><img><figcaption>The mill at dusk</figcaption></figure>"
        "<figure><img><figcaption>Figure 1: Levels</figcaption></figure>"
    )
    text = load(page, "page.html").pages[0].text
    assert text.split("\n\n")[2:] == ["It rose. It fell 3 m².", "Figure 1: Levels"]
    assert text.startswith("Mill\n\n")


@pytest.mark.parametrize(
    "beside",
    [
        'class="hatnote"',
        'class="no-print"',
        'class="page-toolbar"',
        'class="a cookie-consent"',
        'id="comments"',
        'class="foot"',
        'class="share-buttons"',
        'class="site_footer"',
        'role="navigation"',
        'class="newsletter"',
    ],
)
@pytest.mark.parametrize("main", ["div", "article"])
def test_elements_named_as_boilerplate_are_left_out(load, beside: str, main: str) -> None:
    page = f"<body><{main}><h1>Mill</h1><div {beside}><p>Sign up.</p></div><p>{PROSE}</p></{main}>"
    document = load(page, "page.html")
    assert document.pages[0].text.startswith("Mill\n\n") and document.warnings
    assert "Sign up" not in document.pages[0].text
    large = page.replace("Sign up.", f"Sign up. {PROSE * 9}")
    assert "Sign up" in load(large, "page.html").pages[0].text
    posts = "".join(f'<div class="comment"><p>{n} {PROSE}</p></div>' for n in range(20))
    assert "19 " in load(f"<body><h1>Mill</h1>{posts}", "forum.html").pages[-1].text
    for name in ("share-price", "cookie-recipe", "has-sidebar-left"):
        named = f'<body><h1>Mill</h1><div class="{name}">Sign up.</div><p>{PROSE}</p>'
        assert "Sign up" in load(named, "page.html").pages[0].text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251", "shift_jis"])
def test_the_encoding_of_a_page_is_declared_or_marked(load, encoding) -> None:
    shown = "川は夜に増水した。" if encoding == "shift_jis" else "Река поднялась ночью."
    head = "" if encoding.startswith("utf") else f'<meta charset="{encoding}">'
    document = load(f"<html><head>{head}</head><body>{shown}".encode(encoding), "page.html")
    assert document.pages[0].text == shown and document.warnings == ()


def test_a_wrong_declaration_of_the_encoding_is_ignored(load) -> None:
    data = '<html><meta charset="utf-8"><body>un café brûlé</body></html>'.encode("cp1252")
    document = load(data, "page.html")
    assert (
        document.pages[0].text == "un café brûlé" and "Windows-1252" in document.warnings[0].message
    )


def test_a_page_of_scripts_only_is_refused(load) -> None:
    with pytest.raises(errors.NotReadable, match="print the page as PDF"):
        load("<html><body><script>draw()</script></body></html>", "app.html")


# Names that say something else


def test_content_decides_the_kind_and_a_wrong_name_is_warned_about(load) -> None:
    data = make_formats.word(make_formats.report)
    assert "Word document, not a PDF" in load(data, "a.pdf").warnings[0].message
    assert (
        "EPUB book, not a Word document" in load(make_formats.epub(), "a.docx").warnings[0].message
    )
    assert "a PDF, not an EPUB book" in load(text_pdf(), "a.epub").warnings[0].message
    assert "a web page, not a Word document" in load(PAGE, "a.docx").warnings[0].message
    assert load(data, "no-suffix").warnings == ()
    for name in ("a.docx", "a.odt", "a.pptx", "a.epub", "a.html"):
        with pytest.raises(errors.NotReadable, match="it looks like a GIF picture"):
            load(b"GIF89a" + b"\0" * 60, name)


def test_readable_suffixes_are_those_of_the_kinds() -> None:
    assert set(READABLE_SUFFIXES) == {end for ends in kinds.SUFFIXES.values() for end in ends}


# Legacy text

SENTENCES = {
    "cp1251": "Река поднялась ночью, и к утру вода стояла в кухне мельницы.",
    "koi8-r": "Река поднялась ночью, и к утру вода стояла в кухне мельницы. " * 9,
    "cp1250": "Řeka v noci stoupla a ráno stála v kuchyni mlýna. Nikdo ji tak brzy nečekal.",
    "cp1253": "Το ποτάμι φούσκωσε τη νύχτα και το πρωί στεκόταν στην κουζίνα του μύλου.",
    "cp1255": "הנהר עלה בלילה ובבוקר עמד במטבח של הטחנה. איש לא ציפה לכך כל כך מוקדם.",
    "cp1256": "ارتفع النهر في الليل وفي الصباح وقف في مطبخ الطاحونة. لم يتوقعه أحد مبكرا.",
    "cp1252": "La rivière monta pendant la nuit et, au matin, elle était dans la cuisine.",
    "shift_jis": "川は夜に増水し、朝には水車小屋の台所まで水が来ていた。誰もこんなに早いとは。",
    "gb18030": "河水在夜里上涨，到早晨已经漫进了磨坊的厨房。没有人料到今年会这么早。",
    "big5": "河水在夜裡上漲，到早晨已經漫進了磨坊的廚房。沒有人料到今年會這麼早。",
    "euc_kr": "강물은 밤에 불어나 아침에는 방앗간 부엌까지 차올랐다. 아무도 이렇게 이를 줄 몰랐다.",
}


@pytest.mark.parametrize("encoding", SENTENCES)
def test_a_legacy_encoding_is_guessed_with_a_warning(encoding) -> None:
    found, warning = decode_text(SENTENCES[encoding].encode(encoding))
    assert found == SENTENCES[encoding]
    assert warning is not None and "read as" in warning.message


def test_the_warning_about_a_guessed_encoding_names_it(load) -> None:
    document = load(SENTENCES["cp1251"].encode("cp1251"), "note.txt")
    assert "Windows-1251" in document.warnings[0].message and "Река" in document.pages[0].text


# Parts

words_of = st.text(alphabet="ab .\n。", max_size=9000)
levels = st.integers(1, 3)
some_blocks = st.lists(
    st.builds(Block, words_of, st.sampled_from([k for k in BlockKind if k != BlockKind.HEADING]))
    | st.builds(Block, words_of, st.just(BlockKind.HEADING), levels),
    max_size=8,
)


def heading(title: str, level: int) -> Block:
    return Block(title, BlockKind.HEADING, level)


@settings(max_examples=100, deadline=None)
@given(some_blocks)
def test_parts_keep_every_word_in_order(blocks) -> None:
    packed = pack_blocks(blocks)
    shown = " ".join(join_blocks(part) for part in packed)
    assert "".join(shown.split()) == "".join("".join(b.text for b in blocks).split())
    assert all(part for part in packed)
    for item in outline_of_parts(packed):
        assert item.level and 1 <= item.page <= len(packed) and len(item.title) <= MAX_OUTLINE_TITLE


def test_parts_end_at_lines_then_sentences_then_words() -> None:
    room = limits.PART_CHARACTERS * 5 // 4
    for unit in ("a line of it\n", "A sentence of it. ", "पानी आ गया। ", "هل عاد؟ ", "word "):
        packed = [join_blocks(part) for part in pack_blocks([Block(unit * 2000)])]
        assert len(packed) > 2 and max(map(len, packed)) <= room
        assert all(piece.endswith(unit.strip()) for piece in packed)
    assert len(pack_blocks([Block("x" * 50_000)])) == 1  # one endless word is not cut


def test_headings_stay_with_the_text_below_them() -> None:
    filler = [Block("word " * 500) for _ in range(3)]
    packed = pack_blocks([*filler[:1], heading("Heading", 1), heading("Lower", 2), *filler[1:]])
    assert all(not part[-1].level for part in packed)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>/ abp\"'=&;!-\n", max_size=300))
def test_any_markup_ends_in_blocks(markup) -> None:
    blocks, _ = web.page_blocks(markup)
    assert all(block.text.strip() for block in blocks)
    assert all(block.text.strip() for block in web.chapter_blocks(markup))


LIBRARIES = {  # of each kind of file; webencodings where it declares an encoding
    "pdf": {"pypdfium2"},  # pypdf reads only what is doubtful
    "docx": {"lxml"},
    "odt": {"lxml"},
    "odp": {"lxml"},
    "pptx": {"pptx", "lxml"},
    "sheet": {"python_calamine", "lxml"},
    "rtf": set(),
    "epub": {"lxml", "selectolax", "webencodings"},
    "html": {"selectolax"},
    "mhtml": {"selectolax", "webencodings"},
    "mail": {"selectolax", "webencodings"},
    "notebook": {"markdown_it", "selectolax"},
    "tex": set(),
    "picture": set(),  # those of OCR, which are optional
    "markdown": {"markdown_it", "selectolax"},
    "text": set(),
}
HEAVY = {"torch", "gradio", "numpy", "trafilatura", "rapidocr", "webencodings", "pysubs2", "docx"}


def test_each_kind_of_file_has_a_reader() -> None:
    assert set(READERS) == set(kinds.SUFFIXES) == set(LIBRARIES)


@pytest.mark.parametrize("kind", [kind for kind in READERS if kind != "picture"])
def test_the_worker_imports_only_the_libraries_of_its_kind(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(
        {
            "pdf": text_pdf(),
            "docx": make_formats.word(make_formats.report),
            "odt": make_formats.odt(make_formats.ODT_BODY),
            "pptx": make_formats.slides(make_formats.deck),
            "epub": make_formats.epub(),
            "html": PAGE.encode(),
            "mhtml": new_formats.saved_page(PAGE),
            "mail": new_formats.mail("The river rose."),
            "notebook": new_formats.notebook("The river rose."),
            "tex": b"\\section{The flood} The river rose.",
            "rtf": rb"{\rtf1 The river rose.}",
            "odp": new_formats.odp_slides("The flood", ["The river rose."]),
            "sheet": new_formats.sheet([["River", "rose"]]),
        }.get(kind, PROSE.encode())
    )
    program = (
        "import sys; from app.documents import worker; from app.documents.model import ReadRequest;"
        f"worker.extract_document(ReadRequest({str(path)!r}, 'a', {kind!r}), lambda *n: None);"
        "print({name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    loaded = eval(done.stdout) & set.union(HEAVY, *LIBRARIES.values())
    assert loaded == LIBRARIES[kind]
