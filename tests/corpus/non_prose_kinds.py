"""Small files with passages that are read and never quoted, and with terms and definitions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

from docx.shared import Pt
from reportlab.pdfgen.canvas import Canvas

from tests.corpus.kinds import KindCase
from tests.corpus.pdf_kinds import BARN, FERRY, MILL, flat, pdf
from tests.documents import make_formats
from tests.documents.make_pdfs import lines_at

CODE = (
    ">>> from mill import shaft, stone, wheel\n>>> turn(wheel, shaft, stone, days=3)\n"
    "The old miller sleeps in the loft.\n>>> wheel.turns, wheel.is_dry\n(40, True)"
)
SCRIPT = (  # mostly comments
    "# We start the wheel before the sun rises.\n# The miller sleeps in the loft all day.\n"
    "mill --watch -L ."
)
COMMAND = "mill --start wheel"
REST = "starts the wheel and waits until the miller has come down from the loft."
ADDRESS = "https://mill.example/wheel"
POEM = "The wheel is old, the wheel is slow.\nIt turned a hundred years ago."
TERMS = (
    ("hub", "The middle of a wheel, on which all the spokes rest. Oak is too soft for it."),
    ("felloe", "A curved piece of the rim, sawn from ash and held by two spokes."),
    ("tyre", "The iron ring around the rim, which is put on while it is red with heat."),
)
SHOWN_CODE = " ".join(CODE.split())


def monospaced(canvas: Canvas, text: str, x: float, y: float) -> float:
    """Draw lines in Courier and return the y of the next line."""
    return lines_at(canvas, text, x=x, y=y, size=9.5, font="Courier")


def _code_pdfs() -> list[KindCase]:
    def listing(canvas: Canvas) -> None:
        y = lines_at(canvas, MILL)
        y = monospaced(canvas, CODE, 90, y - 6)
        lines_at(canvas, BARN, y=y - 6)

    def command(canvas: Canvas) -> None:
        """Draw a command between two lines of one sentence, without white space."""
        y = lines_at(canvas, f"{MILL}\nOn all the days on which there is water in the river, it is")
        y = monospaced(canvas, COMMAND, 90, y)
        lines_at(canvas, f"{REST}\n{BARN}", y=y)

    def address(canvas: Canvas) -> None:
        """Draw a paragraph of which one line is an address in Courier."""
        y = lines_at(canvas, f"{MILL}\nAll that is known about the wheel has been written down at")
        y = monospaced(canvas, ADDRESS, 72, y)
        lines_at(canvas, f"by the daughter of the miller.\n{BARN}", y=y)

    def typed(canvas: Canvas) -> None:
        monospaced(canvas, f"{MILL}\n{FERRY}\nname: wheel\nage: 90\n{BARN}", 72, 760)

    whole = f"written down at {ADDRESS} by the daughter of the miller."
    return [
        pdf(
            "listing", listing, (flat(MILL), "turn(wheel, shaft", flat(BARN)),
            unquoted=("The old miller sleeps in the loft.",),
        ),
        pdf("command", command, (flat(MILL), COMMAND, REST), unquoted=(COMMAND,)),
        pdf("address-in-code", address, (flat(MILL), whole)),
        pdf(
            "typewritten", typed, (flat(MILL), flat(FERRY), "name: wheel"),
            quoted=("The old mill stands by the river.",),
        ),
    ]  # fmt: skip


def _code_pages() -> list[KindCase]:
    page = f"<p>{flat(MILL)}</p><pre>{CODE}</pre><p>{flat(BARN)}</p><pre>{POEM}</pre>"
    script = f"<p>{flat(MILL)}</p><pre><code>{SCRIPT}</code></pre><p>{flat(BARN)}</p>"
    reads = (flat(MILL), SHOWN_CODE, flat(BARN), flat(POEM))
    quoted = ("It turned a hundred years ago.",)
    unquoted = ("The old miller sleeps in the loft.",)

    def document(made: Any) -> None:
        made.add_paragraph(flat(MILL))
        for line in CODE.split("\n"):
            made.add_paragraph().add_run(line).font.name = "Courier New"
        last = made.add_paragraph(flat(BARN) + " ")
        last.add_run("wheel").font.name = "Courier New"

    fonts = (
        b'<w:font w:name="Courier New"><w:family w:val="modern"/><w:pitch w:val="fixed"/></w:font>'
    )
    table = {"word/fontTable.xml": lambda xml: xml.replace(b"</w:fonts>", fonts + b"</w:fonts>")}
    return [
        KindCase("code.html", page.encode(), reads, quoted=quoted, unquoted=unquoted),
        KindCase(
            "script.html", script.encode(), (flat(MILL), "mill --watch", flat(BARN)),
            unquoted=("We start the wheel before the sun rises.",),
        ),
        KindCase(
            "code.epub", make_formats.epub([f"<h1>One</h1>{page}"]), reads, quoted=quoted,
            unquoted=unquoted,
        ),
        KindCase(
            "code.docx", make_formats.edited(make_formats.word(document), table), reads[:3],
            unquoted=unquoted,
        ),
    ]  # fmt: skip


def _code_texts() -> list[KindCase]:
    """Listings in OpenDocument, RTF and plain text, and what only looks like some."""
    lines = CODE.split("\n")
    fonts = (
        '<style:font-face style:name="M" style:font-pitch="fixed"/><style:style style:name="Code" '
        'style:family="paragraph"><style:text-properties style:font-name="M"/></style:style>'
        '<style:style style:name="P7" style:family="paragraph" style:parent-style-name="Code"/>'
        '<style:style style:name="T1" style:family="text"><style:text-properties style:font-name='
        '"M"/></style:style>'
    )
    odt_code = "".join(
        f'<text:p text:style-name="P7">{escape(line)}</text:p>'
        if n % 2
        else f'<text:p><text:span text:style-name="T1">{escape(line)}</text:span></text:p>'
        for n, line in enumerate(lines)
    )
    word = '<text:span text:style-name="T1">wheel</text:span>'
    odt_body = f"<text:p>{flat(MILL)}</text:p>{odt_code}<text:p>{flat(BARN)} See {word}.</text:p>"
    rtf_code = "".join(rf"\pard\plain\f1 {line}\par" for line in lines)
    table = r"{\fonttbl{\f0\froman Times;}{\f1\fmodern\fprq1 Courier New;}}"
    rtf = rf"{{\rtf1\ansi\deff0{table}\pard\plain {flat(MILL)}\par{rtf_code}\pard\plain "
    letter = r"{\rtf1\ansi{\fonttbl\f0\fmodern Courier;}\f0 "
    indented = "\n".join(f"    {line}" for line in lines)
    shell = "    $ mill --start wheel\n    $ mill --watch=yes -L .\n"
    verse = "\n".join(f"      {line}" for line in POEM.split("\n"))
    author = "<mill@example.org>"
    plain = f"      {author}\n\n{MILL}\n\n{indented}\n\n{BARN}\n\n{shell}\n{FERRY}\n\n{verse}\n"
    manual = "".join(f"       {line}\n" for line in f"{MILL}\n\n{BARN}".split("\n"))
    example = (
        f"NAME\n{manual}\n       Call it so:\n\n           wheel = mill(stone)\n           sleep\n"
    )
    quoted, unquoted = ("It leans a little to the west.",), ("The old miller sleeps",)
    reads = (flat(MILL), SHOWN_CODE, flat(BARN))
    return [
        KindCase(
            "code.odt", make_formats.odt(odt_body, fonts), reads, quoted=quoted, unquoted=unquoted
        ),
        KindCase(
            "code.rtf", f"{rtf}{flat(BARN)} See \\f1 wheel\\f0 .\\par}}".encode(), reads,
            quoted=quoted, unquoted=unquoted,
        ),
        KindCase("letter.rtf", f"{letter}{flat(MILL)}\\par {flat(BARN)}\\par}}".encode(),
            (flat(MILL), flat(BARN)), quoted=quoted),
        KindCase(
            "code.txt", plain.encode(),
            (author, *reads, "$ mill --start wheel $ mill", flat(FERRY)),
            quoted=(*quoted, "It turned a hundred years ago."), unquoted=unquoted,
        ),
        KindCase(
            "manual.txt", example.encode(),
            (flat(MILL), "Call it so:", "wheel = mill(stone) sleep"), quoted=quoted,
            unquoted=("sleep",),
        ),
    ]  # fmt: skip


def _indented_points() -> list[KindCase]:
    """Sentences of a list that is indented like a listing."""
    sentence = "The ferry carries sheep only after nine."
    points = (
        f"    - {sentence}\n    - mill --start turns the wheel.\n    - The oven is lit by nine."
    )
    text = f"{MILL}\n\n{points}\n\n{BARN}\n"
    return [KindCase("points.txt", text.encode(), (flat(MILL), flat(BARN)), quoted=(sentence,))]


def _definitions() -> list[KindCase]:
    def drawn(canvas: Canvas, font: str, shift: float) -> None:
        y = lines_at(canvas, MILL) - 8
        for term, definition in TERMS:
            y = lines_at(canvas, term, y=y, font=font)
            cut = definition.index(" ", len(definition) // 2)
            shown = f"{definition[:cut]}\n{definition[cut + 1 :]}"
            y = lines_at(canvas, shown, x=72 + shift, y=y) - 4
        lines_at(canvas, f"{BARN}\n{FERRY}", y=y - 8)

    def document(made: Any) -> None:
        made.add_paragraph(flat(MILL))
        for term, definition in TERMS:
            made.add_paragraph().add_run(term).bold = True
            made.add_paragraph(definition).paragraph_format.left_indent = Pt(24)
        made.add_paragraph(flat(BARN))

    reads = (flat(MILL), *(f"{term}: {definition}" for term, definition in TERMS), flat(BARN))
    items = "".join(f"<dt>{term}</dt><dd><p>{text}</p></dd>" for term, text in TERMS)
    more = (
        f"<p>{flat(MILL)}</p><dl><dt>hub<a href='#hub'>¶</a></dt><dt>nave</dt><dd>{TERMS[0][1]}"
        f"<pre>{CODE}</pre></dd><dt>Who turns it?</dt><dd>Nobody does.</dd><dt>list</dt><dd><ul>"
        "<li>one</li></ul></dd></dl>"
    )
    joined = (
        f"hub, nave: {TERMS[0][1]}",
        ">>> from mill",
        "Who turns it? Nobody does.",
        "list",
        "• one",
    )
    page = f"<p>{flat(MILL)}</p><dl>{items}</dl><p>{flat(BARN)}</p>"
    return [
        KindCase("terms.html", page.encode(), reads, is_apart=True),
        KindCase("terms-of-all-kinds.html", more.encode(), joined, lacks=("¶",), is_apart=True),
        KindCase("terms.epub", make_formats.epub([f"<h1>One</h1>{page}"]), reads, is_apart=True),
        KindCase("terms.docx", make_formats.word(document), reads, is_apart=True),
        *(
            pdf(f"terms-{font.lower()}", partial(drawn, font=font, shift=shift), reads)
            for font, shift in (("Times-Roman", 24), ("Times-Bold", 36), ("Courier-Bold", 24))
        ),
    ]


def _texinfo_notes() -> list[KindCase]:
    """Footnotes of manuals as two versions of makeinfo write them."""
    said = "The miller had bought his first stone from a widow in the year of the flood."
    quoted = ("Its wheel has not turned for years.", "It leans a little to the west.")
    texinfo = (
        "<a class=footnote id=DOCF1 href='#FOOT1'><sup>1</sup></a>",
        "<div class=footnotes-segment><hr><h4 class=footnotes-heading>Footnotes</h4><h5 "
        "class=footnote-body-heading><a id=FOOT1 href='#DOCF1'>(1)</a></h5>",
    )
    old = (
        "<a name=DOCF1 href='#FOOT1'><sup>1</sup></a>",
        "<div class=footnote><hr><h4>Footnotes</h4><h3><a name=FOOT1 href='#DOCF1'>(1)</a></h3>",
    )
    return [
        KindCase(
            f"texinfo-{n}.html",
            f"<h2>One</h2><p>{flat(MILL)}{mark} {flat(FERRY)}</p>{head}<p>{said}</p></div>"
            f"<h2>Two</h2><p>{flat(BARN)}</p>".encode(),
            (f"{flat(MILL)} {flat(FERRY)}", said, flat(BARN)),
            ("(1)",),
            quoted=(*quoted, flat(BARN).split(". ")[0]),
            unquoted=(said,),
        )
        for n, (mark, head) in enumerate((texinfo, old))
    ]


def _notes() -> list[KindCase]:
    """Notes at the end of a chapter, and lists of sources."""
    said = "The miller had bought his first stone from a widow in the year of the flood."
    marked = f"{flat(MILL)}<sup><a id='r1' href='#n1'>1</a></sup> {flat(FERRY)}"
    listed = f"<ol><li id='n1'><p>{said} <a href='#r1'>↩</a></p></li></ol><p>{flat(BARN)}</p>"
    marked_note = f"<p><sup><a id='n1' href='#r1'>1</a></sup> {said}</p><p>{flat(BARN)}</p>"
    reads = (flat(MILL), flat(FERRY), said, flat(BARN))
    quoted = ("Its wheel has not turned for years.", "It leans a little to the west.")
    sources = "".join(
        f"<li>Miller, A. ({1990 + n}). The wheels of the north were built of oak, pp. 4–{n}.</li>"
        for n in range(7)
    )
    page = f"<h1>Wheels</h1><p>{flat(MILL)} {flat(FERRY)} {flat(BARN)}</p>" * 3
    return [
        KindCase(
            f"notes-{n}.epub", make_formats.epub([f"<h1>One</h1><p>{marked}</p>{notes}"]), reads,
            quoted=quoted, unquoted=(said,),
        )
        for n, notes in enumerate((listed, marked_note))
    ] + [
        KindCase(
            "notes.md",
            f"# One\n\n{flat(MILL)}[^a] {flat(FERRY)} It saw 10^6^ tons of CO~2~.\n\n"
            f"[^a]: {said}\n\n{flat(BARN)}\n\nhub\n: {TERMS[0][1]}\n".encode(),
            (f"{flat(MILL)} {flat(FERRY)} It saw 10^6 tons of CO₂.", f"hub: {TERMS[0][1]}", said),
            lacks=("[^", "↩"), quoted=quoted, unquoted=(said,),
        ),
        KindCase(
            "notes-of-their-own.epub",
            make_formats.epub(
                [
                    f"<h1>One</h1><p>{flat(MILL)}<a href='c2.xhtml#n1'>1</a> {flat(FERRY)}</p>",
                    f"<h1>Remarks</h1><p id='n1'><a href='c1.xhtml#r1'>1</a> {said}</p>",
                ]
            ),
            (f"{flat(MILL)} {flat(FERRY)}", said), quoted=("The fare is low.",), unquoted=(said,),
        ),
        KindCase(
            "sources.html", f"{page}<h2>Citations</h2><ul>{sources}</ul>".encode(),
            (flat(MILL), "(1990)", "(1996)"), quoted=quoted, unquoted=("built of oak",),
        )
    ]  # fmt: skip


def non_prose_cases() -> Sequence[KindCase]:
    """Return all cases."""
    return [
        *_code_pdfs(),
        *_code_pages(),
        *_code_texts(),
        *_indented_points(),
        *_definitions(),
        *_texinfo_notes(),
        *_notes(),
    ]
