"""Small files of every kind but PDF, made here, with what must and must not be read in them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lxml import etree
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from app.documents.encoding import decode_text
from app.documents.file_kinds import file_kind
from app.documents.model import Extracted, LossKind, ReadRequest
from app.documents.references import find_references
from app.documents.worker import extract_document
from longt5.text.source import SourceText
from tests.documents import make_formats, new_formats

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
_STRICT = b"http://purl.oclc.org/ooxml/"
NOTICE = (
    "This message may hold confidential information and is meant only for the addressee. If you got"
    " it by mistake, please inform the sender and destroy all copies. Passing it on is prohibited."
)


@dataclass(frozen=True)
class KindCase:
    """A file, the passages to be read in order, others that must be absent, the losses, whether
    nothing may be warned of, whether each passage begins a line, and words of sentences that may
    and that may not be quoted."""

    name: str
    data: bytes
    reads: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    losses: tuple[LossKind, ...] = ()
    is_quiet: bool = False
    is_apart: bool = False
    quoted: tuple[str, ...] = ()
    unquoted: tuple[str, ...] = ()


def run(text: str, properties: str = "") -> str:
    """Return a run of Word."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def word_of(body: str) -> bytes:
    """Return a Word document whose body is some XML."""
    return make_formats.edited(
        make_formats.word(lambda document: None),
        {
            "word/document.xml": lambda xml: xml.replace(
                b"<w:body>", f"<w:body>{body}".replace("<w:p>", f"<w:p {_W} {_M}>").encode()
            )
        },
    )


def with_comment(workbook: bytes) -> bytes:
    """Return a workbook with a comment on a cell."""
    buffer = io.BytesIO(workbook)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(
            "xl/comments1.xml",
            '<comments><commentList><comment ref="A1"><text><t>Check this.</t></text></comment>'
            "</commentList></comments>",
        )
    return buffer.getvalue()


def strict(data: bytes) -> bytes:
    """Return an Office file in the namespaces of Strict OOXML."""

    def change(xml: bytes) -> bytes:
        for part in (b"officeDocument", b"wordprocessingml", b"drawingml"):
            old = b"http://schemas.openxmlformats.org/" + part + b"/2006/"
            xml = xml.replace(old, _STRICT + part + b"/")
        return xml

    names = [n for n in make_formats.members(data) if n.endswith((".xml", ".rels"))]
    return make_formats.edited(data, dict.fromkeys(names, change))


def _word_cases() -> list[KindCase]:
    up, down = '<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>'
    raised = word_of(
        f"<w:p>{run('The tank holds 10')}{run('9', up)}{run(' bits of CO')}{run('2', down)}"
        f"{run(' on 7 km')}{run('2', up)}{run(' since 1987')}</w:p><w:p>"
        f"{run('Seen', '<w:vanish w:val=' + chr(34) + '0' + chr(34) + '/>')}"
        f"{run(' unseen', '<w:vanish/>')}{run(' words.')}</w:p>"
    )
    fraction = (
        "<m:oMath><m:f><m:num><m:r><m:t>2</m:t></m:r></m:num><m:den><m:r><m:t>7</m:t></m:r></m:den>"
        "</m:f></m:oMath>"
    )
    symbol = '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>'
    equation = word_of(
        f"<w:p>{run('A share of ')}{fraction}{run(' grew, and ')}{symbol}{run(' fell.')}</w:p>"
    )
    row = word_of(f"<w:p>{run('So ')}{fraction}{fraction}{run(' hold.')}</w:p>")
    dangling = make_formats.edited(
        make_formats.word(make_formats.report),
        {
            "word/_rels/document.xml.rels": lambda xml: xml.replace(
                b"</Relationships>",
                b'<Relationship Id="rX" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
                b'relationships/image" Target="NULL"/></Relationships>',
            )
        },
    )
    river = "The river rose in the night and stood in the kitchen."
    return [
        KindCase(
            "raised.docx", raised,
            ("10^9 bits of CO", "7 km² since 1987", "Seen words."), ("unseen", "109"),
            (LossKind.HIDDEN_TEXT,),
        ),
        KindCase("equations.docx", row, ("So 2/7, 2/7 hold.",)),
        KindCase("equation.docx", equation, ("A share of 2/7 grew, and α fell.",)),
        KindCase("dangling.docx", dangling, (river,)),
        KindCase("strict.docx", strict(make_formats.word(make_formats.report)), (river,)),
    ]  # fmt: skip


def _mail_cases() -> list[KindCase]:
    said = "The new roof of the school costs €31,500 and must be paid before June."
    quoted = "Could you tell me what the new roof of the school will cost us this year?"
    reply = (
        f"Dear Mona,\n\n{said}\n\nKind regards\nPaul Stein\nBuilding office\n\n{NOTICE}\n\n"
        f"On 3 March 2024 at 10:12, Mona Fels wrote:\n> {quoted}\n"
    )
    html = f"<p>{said}</p><blockquote type='cite'><p>{quoted}</p></blockquote>"
    box = b"".join(
        b"From someone Mon Mar  4 09:12:00 2024\n" + new_formats.mail(text, subject) + b"\n\n"
        for text, subject in ((said, "Roof"), ("We meet on Friday in the hall.", "Meeting"))
    )
    links = "Do not click links or open attachments unless you know the sender."
    banner = f"CAUTION: This email comes from outside of the organization. {links}"
    framed = (
        f"{banner}\n\nDear Mona,\n\n{said}\n\nPlease consider the environment before printing this "
        f"e-mail.\n\n{NOTICE}\n"
    )
    answered = f"Dear Mona,\n\n{said}\n\nKind regards\nPaul Stein\n\n"
    author = "Am 03.03.2024 um 10:12 schrieb Mona Fels <mona@example.org>:"
    foreign = (
        "Dit e-mailbericht is uitsluitend bestemd voor de geadresseerde. Indien u het onterecht "
        "ontvangt, wordt u verzocht het te vernietigen."
    )
    losses = (LossKind.QUOTED_MAIL, LossKind.SIGNATURE, LossKind.MAIL_NOTICE)
    letter = "The agreement keeps the plans confidential. The recipient shall not copy them."
    return [
        KindCase("reply.eml", new_formats.mail(reply), (said,), (quoted, "destroy"), losses),
        KindCase(
            "framed.eml", new_formats.mail(framed), (said,), ("CAUTION", "printing", "destroy"),
            losses[2:],
        ),
        KindCase("html.eml", new_formats.mail("", html=html), (said,), (quoted,), losses[:1]),
        KindCase(
            "thread.txt", f"{answered}{author}\n> {quoted}\n".encode(), (said, quoted),
            ("schrieb", "Stein"), (LossKind.MAIL_HEADER, LossKind.SIGNATURE),
        ),
        KindCase(
            "unmarked.eml", new_formats.mail(f"{answered}{author}\n\n{quoted}\n"), (said,),
            ("schrieb", quoted), losses[:2],
        ),
        KindCase(
            "begun.txt",
            f"Begin forwarded message:\n\nFrom: Mona\nDate: 3 March\nTo: Paul\n\n{said}".encode(),
            (said,), ("Begin", "March"), (LossKind.MAIL_HEADER,),
        ),
        KindCase(
            "foreign.eml", new_formats.mail(f"{answered}{foreign}\n\n[EXTERNAL EMAIL] {links}"),
            (said,), ("bestemd", "links"), losses[1:],
        ),
        KindCase("two.mbox", box, ("Roof", said, "Meeting", "in the hall.")),
        KindCase("letter.txt", letter.encode(), (letter,)),
        KindCase(
            "page.mhtml", new_formats.saved_page(f"<html><h1>Roof</h1><p>{said}</p></html>"),
            ("Roof", said), ("PNG",),
        ),
    ]  # fmt: skip


def _chat_cases() -> list[KindCase]:
    messages = (
        ("Pia", "The boat leaves at nine."), ("Olav", "I bring the ropes."), ("Pia", "Fine."),
    )  # fmt: skip
    forms = (
        "3.4.2025 klo 9.05 - {}: {}", "[03/04/2025 09:05:11] {}: {}", "2025/4/3 下午9:05 - {}: {}",
        "2025-04-03 09:05:11 {}: {}", "2025년 4월 3일 오전 9:05, {} : {}",
        "3.04.2025 г., 9:05 ч. - {}: {}", "2025/4/3،\u200f 9:05 - {}: {}", "[9:05 AM] {}: {}",
        "[9:05] <{}> {}", "9:05 < {}> {}", "[03/04/2025 09:05] {}\n{}\n",
        "{} — 03/04/2025 09:05\n{}", "{} — Today at 9:05 AM\n{}", "2025/04/03(Thu)\n9:05\t{}\t{}",
        "09:05:11 From {} to Everyone:\n\t{}", "09:05:11\t From {} : {}",
    )  # fmt: skip
    return [
        KindCase(
            f"chat-{n}.txt",
            "\n".join(form.format(*message) for message in messages).encode(),
            tuple(f"{name}: {words}" for name, words in messages),
            ("2025", "9:05", "9.05", "—"),
        )
        for n, form in enumerate(forms)
    ]


def _transcript_cases() -> list[KindCase]:
    spoken = ("We begin with", "the old harbour.", "It has two cranes.", "They are red.")
    joined = "We begin with the old harbour. It has two cranes. They are red."
    timed = (
        ("lines.lrc", "[ar:Pia]\n", "[00:0{n}.00]{text}\n"),
        ("turns.txt", "", "Pia Holm (00:00:0{n}):\n{text}\n\n"),
        ("teams.txt", "", "0:0:{n}.0 --> 0:0:{n}.500\nPia Holm\n{text}\n\n"),
        ("named.vtt", "WEBVTT\n\n", "00:0{n}.000 --> 00:0{n}.900\nPia Holm: {text}\n\n"),
        ("frames.sub", "", "{{{n}00}}{{{n}50}}{text}\n"),
        (
            "web.ttml", '<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div>',
            '<p begin="00:00:0{n}.000" end="00:00:0{n}.900">{text}</p>',
        ),
    )  # fmt: skip
    return [
        KindCase(
            name,
            (
                head
                + "".join(form.format(n=n, text=text) for n, text in enumerate(spoken))
                + ("</div></body></tt>" if "<tt" in head else "")
            ).encode(),
            (joined,),
            ("0:0", "00", "<"),
        )
        for name, head, form in timed
    ]


def _mail_encoding_cases() -> list[KindCase]:
    head = b"From: a@example.org\nSubject: Roof\nContent-Type: text/plain; "
    soft = head + b"charset=utf-8; format=flowed; delsp=yes\n\nDas Dach wird ver \nkauft.\n"
    mislabelled = head + "charset=us-ascii\n\nDie Tür hält länger.\n".encode()
    said = "The roof costs €31,500."
    czech = "Od: Mona Fels\nOdesláno: pondělí 4. března 2024 9:12\nKomu: Paul\nPředmět: Střecha"
    below = f"{said}\n\n{'_' * 30}\n{czech}\n\nKolik stojí ta střecha?\n"
    broken = (
        f"{said}\n\nIl giorno lun 4 mar 2024 alle 09:12 Mona <m@a.org>\nha scritto:\n\n> Quanto?\n"
    )
    return [
        KindCase(
            "czech.eml", new_formats.mail(below), (said,), ("Kolik",), (LossKind.QUOTED_MAIL,)
        ),
        KindCase("broken.eml", new_formats.mail(broken), (said,), ("Il giorno", "Quanto")),
        KindCase("flowed.eml", soft, ("Das Dach wird verkauft.",)),
        KindCase("mislabelled.eml", mislabelled, ("Die Tür hält länger.",)),
    ]


def _speech_cases() -> list[KindCase]:
    copied = "0:00\nwe begin with the old\n0:04\nharbour of the town\n0:09\nand its two cranes"
    whisper = "\n".join(
        f"[00:0{n}.000 --> 00:0{n + 1}.500]  {text}"
        for n, text in enumerate(("We begin with", "the old harbour.", "It has two cranes."))
    )
    log = "\n".join(f"2025-04-03 09:05:1{n} worker: took job {n}" for n in range(4))
    two = (
        "1\r\n00:00:01,000 --> 00:00:03,000 X1:100\r\n<i>We go</i>\r\nat nine.\r\n\r\n2\r\n"
        "00:00:03,100 --> 00:00:05,000\r\n{\\an8}The boat is full.\r\n"
    )
    agenda = "9:00 Opening by the mayor\n9:30 The budget of the school\n10:15 Questions of all"
    return [
        KindCase("copied.txt", copied.encode(), ("the old harbour of the town and its",), ("0:0",)),
        KindCase("whisper.txt", whisper.encode(), ("We begin with the old harbour.",), ("00:",)),
        KindCase("log.txt", log.encode(), ("2025-04-03 09:05:11 worker: took job 1",)),
        KindCase("two.srt", two.encode(), ("We go at nine. The boat is full.",), ("an8", "00:")),
        KindCase("agenda.txt", agenda.encode(), ("9:00 Opening", "9:30 The budget", "10:15")),
    ]


def _contents_cases() -> list[KindCase]:
    """Tables of contents that somebody typed, with pages, without, and a list that is none."""
    river = "The river rose in the night and stood in the kitchen."
    titles = ("The flood", "The bridge", "The ferry", "What it cost", "Who paid")
    text = "".join(f"{n}. {title}\n\n{river}\n\n" for n, title in enumerate(titles, 1))
    numbered = "".join(f"{n}. {title} {3 * n}\n\n" for n, title in enumerate(titles, 1))
    bare = "".join(f"{title}\n\n" for title in titles)
    box = "Contents\n\none kettle\n\ntwo cups\n\na loaf\n\na blanket\n\na torch\n\n"

    def document(made: Any, contents: str) -> None:
        for line in f"Flood report\n\nTable of Contents\n\n{contents}Flood report\n\n{text}".split(
            "\n\n"
        ):
            made.add_paragraph(line)

    reads = ("Flood report", "The flood", river, "Who paid", river)
    return [
        KindCase(
            f"contents-{n}.docx", make_formats.word(partial(document, contents=contents)), reads,
            ("Table of", "Who paid 15", "Who paid\n\nFlood"),
        )
        for n, contents in enumerate((numbered, bare))
    ] + [
        KindCase("contents.txt", f"Contents\n\n{bare}{text}".encode(), reads[1:], ("Contents",)),
        KindCase("box.txt", f"{box}{river}".encode(), ("Contents", "one kettle", "a torch")),
    ]  # fmt: skip


def flat_package(data: bytes, program: str) -> bytes:
    """Return an Office archive as one XML file, without its pictures."""
    types = etree.fromstring(make_formats.members(data)["[Content_Types].xml"])
    kinds = {part.get("PartName"): part.get("ContentType") for part in types}
    parts = "".join(
        f'<pkg:part pkg:name="/{name}" pkg:contentType="{kinds.get("/" + name, "")}"><pkg:xmlData>'
        f"{etree.tostring(etree.fromstring(xml)).decode()}</pkg:xmlData></pkg:part>"
        for name, xml in make_formats.members(data).items()
        if name.endswith((".xml", ".rels")) and name != "[Content_Types].xml"
    )
    return (
        f'<?xml version="1.0"?><?mso-application progid="{program}"?><pkg:package xmlns:pkg='
        f'"http://schemas.microsoft.com/office/2006/xmlPackage">{parts}</pkg:package>'
    ).encode()


def _flat_cases() -> list[KindCase]:
    """Office documents in one XML file."""
    mimetype = b'<office:document office:mimetype="application/vnd.oasis.opendocument.'
    text = make_formats.odt(make_formats.ODT_BODY, make_formats.ODT_STYLES)
    show = new_formats.odp_slides("The roof", ["It is new."])

    def flat(data: bytes, kind: bytes) -> bytes:
        xml = make_formats.members(data)["content.xml"]
        return xml.replace(b"<office:document-content", mimetype + kind + b'"').replace(
            b"</office:document-content", b"</office:document"
        )

    return [
        KindCase(
            "flood.xml", flat_package(make_formats.word(make_formats.report), "Word.Document"),
            ("The flood of the mill", "What happened", "The river rose", "• Forty", "40 | 9"),
        ),
        KindCase(
            "deck.xml",
            flat_package(make_formats.slides(make_formats.deck), "PowerPoint.Show"),
            ("The flood",), ("pkg:",),
        ),
        KindCase(
            "flood.fodt", flat(text, b"text"), ("The flood", "Before", "The river", "Sacks | Saved")
        ),
        KindCase("roof.fodp", flat(show, b"presentation"), ("The roof", "It is new.")),
    ]  # fmt: skip


def _hidden_cases() -> list[KindCase]:
    """Pages whose style sheets hide text, for good or until something happens."""
    sheet = (
        "<style>/* .kept {display:none} */ .print-only, p.trap { display: none } #secret{"
        "visibility:hidden} .answer{display:none} .answer.open{display:block} .later{display:none}"
        "@media (max-width: 400px) { .wide { display: none } }</style>"
    )
    body = (
        "<p>The ferry is red.</p><p class='note trap'>Buy our boats.</p><div class=print-only><p>"
        "Printed on Monday.</p></div><p id=secret>Secret line.</p><p class=answer>It leaves at "
        "nine.</p><p class=wide>It carries sheep.</p><p class=later>It was painted twice.</p>"
        "<p class=kept>It is fast.</p><script>show('later')</script>"
    )
    unseen = ("Buy", "Printed", "Secret")
    reads = ("The ferry is red.", "leaves at nine", "carries sheep", "painted twice", "It is fast.")
    page = f"<html><head>{sheet}</head><body>{body}</body></html>"
    return [
        KindCase("hidden.html", page.encode(), reads, unseen),
        KindCase("hidden.mhtml", new_formats.saved_page(page), reads, unseen),
        KindCase("hidden.eml", new_formats.mail("", html=page), reads, unseen),
    ]


def _archive_cases() -> list[KindCase]:
    """Mails and memos in one <pre>, as archives of mailing lists and of standards show them."""
    asked = "We have looked at the wheel. It has not turned for\nnine years, and its shaft is old."
    begin = "We would like to begin in May, when the river\nis low and the mill is dry."
    mail = f"Dear all,\n\n{asked}\n\n    mill --start wheel=new\n    mill --stop\n\n{begin}\n\nPia"
    memo = f"   1. The wheel\n\n   {asked}\n\n\n   2. The river\n\n   {begin}\n".replace(
        "\n", "\n   "
    )
    whole = (" ".join(asked.split()), " ".join(begin.split()))
    return [
        KindCase(
            "list.html", f"<h1>The wheel</h1><i>4 March</i><hr><pre>{mail}</pre><hr>".encode(),
            ("The wheel", "Dear all,", whole[0], "mill --start", whole[1], "Pia"), is_apart=True,
            unquoted=("mill --stop",),
        ),
        KindCase(
            "memo.html", f"<pre>{memo}</pre>".encode(),
            ("1. The wheel", whole[0], "2. The river", whole[1]), is_apart=True,
        ),
    ]  # fmt: skip


def _other_cases() -> list[KindCase]:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\header Page head\par}\pard "
        rb"\outlinelevel0 "
        rb"The roof\par\pard It holds 10{\super 6} tiles{\footnote Net.} of {\v secret }"
        rb"caf\'e9.\par}"
    )
    page = (
        "<?php echo 1 ?><p>Seen in 1998<sup><a href='#n1'>3</a></sup> by all.</p><?pagebreak 3?>"
        "<h2><button>When does the ferry leave?</button></h2><p hidden=until-found>At nine.</p>"
        "<p>So <span class=katex><span class=katex-mathml><math><semantics><mrow><mi>a</mi><mo>="
        "</mo><mn>5</mn></mrow><annotation>a=5</annotation></semantics></math></span><span "
        "class=katex-html aria-hidden=true>a=5</span></span> holds.</p>"
    )
    ass = (
        "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
        "MarginR, MarginV, Effect, Text\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,The boat"
        "\\Nleaves {\\i1}at nine.\n"
    )
    hidden = (
        '<draw:page draw:style-name="H"><draw:frame><draw:text-box><text:p>Hidden words</text:p>'
        "</draw:text-box></draw:frame></draw:page>"
    )
    style = (
        '<style:style style:name="H" style:family="drawing-page"><style:drawing-page-properties '
        'presentation:visibility="hidden"/></style:style>'
    )
    return [
        KindCase(
            "roof.rtf", rtf, ("The roof", "It holds 10^6 tiles of café."), ("secret", "Page head"),
            (LossKind.FOOTNOTE, LossKind.HIDDEN_TEXT),
        ),
        KindCase(
            "page.html", page.encode(),
            ("Seen in 1998 by all.", "When does the ferry leave?", "At nine.", "So a = 5 holds."),
            ("php", "19983"),
        ),
        KindCase(
            "roof.ipynb", new_formats.notebook("# The roof\nIt costs 31,500 euros."),
            ("The roof", "It costs 31,500 euros."), ("import", "iVBOR"), (LossKind.CODE,),
        ),
        KindCase("talk.ass", ass.encode(), ("The boat leaves at nine.",), ("Dialogue", "i1")),
        KindCase(
            "talk.odp", new_formats.odp_slides("The roof", ["It is new."], hidden, style),
            ("The roof", "It is new."), ("Hidden words",), (LossKind.HIDDEN_SLIDE,),
        ),
        KindCase(
            "comments.xlsx", with_comment(new_formats.sheet([["Roof", "31500"]])), ("Roof",),
            losses=(LossKind.COMMENT,),
        ),
        KindCase(
            "roof.xlsx", new_formats.sheet([["Roof", "31500"], ["Door", "900"]], [["Secret", "1"]]),
            ("Levels", "Roof | 31500", "Door | 900"), ("Secret",), (LossKind.HIDDEN_SHEET,),
        ),
    ]  # fmt: skip


def _panel_cases() -> list[KindCase]:
    """Return pages whose content a click unfolds, or a component shows."""
    story = "".join(
        f"<p>{line}</p>"
        for line in (
            "The ferry of Ostby was built by two brothers, who had never been to sea before.",
            "It carried sheep for thirty years, and once a piano, which played by itself.",
            "When the bridge was opened, the brothers painted it red and rented it to artists.",
            "One of these stayed for nine winters and left behind a picture of the engine, which"
            " hangs in the town hall, and which nobody has yet hung the right way round.",
            "The engine was sold to a mill, and the mill was sold to the brothers, who laughed.",
        )
    )
    folded = (
        "<h3><button aria-expanded=false aria-controls=a1>Fares</button></h3><div id=a1 style="
        "'display:none'><p>A ticket costs four crowns.</p></div><div role=tablist><button role=tab "
        "aria-controls=p1>Winter</button></div><div id=p1 role=tabpanel hidden><p>In winter it "
        "leaves at nine.</p></div><button aria-controls=m>Menu</button><div id=m hidden><p>Unseen "
        "shop.</p></div><p style='position:absolute;left:-9999px'>Unseen line.</p>"
    )
    shadow = (
        f"<x-page><template shadowrootmode=open>{story}</template></x-page><template><p>Unseen row."
        "</p></template>"
    )
    short = (
        "<p>Built in 1998<a href='#n1'>†</a> for 40<a href='#n2'>2</a> boats.</p><p id=n1>† See the"
        " letter.</p>"
    )
    links = (
        "<p>Fares are in <a href='#fares'>the list below</a>.</p><h2>Fares<a href='#fares'>#</a>"
        "</h2><p id=fares>A ticket costs four crowns.</p>"
    )
    return [
        KindCase(
            "inner-links.html", links.encode(),
            ("Fares are in the list below.", "Fares", "A ticket costs four crowns."), ("#",),
        ),
        KindCase(
            "folded.html", f"<main><h1>The ferry</h1>{story}{folded}</main>".encode(),
            ("Fares", "A ticket costs four crowns.", "In winter it leaves at nine."), ("Unseen",),
        ),
        KindCase("component.html", shadow.encode(), ("The ferry of Ostby",), ("Unseen",)),
        KindCase("glued-marks.html", short.encode(), ("Built in 1998 for 40 boats.",)),
    ]  # fmt: skip


def _tex_cases() -> list[KindCase]:
    macros = (
        "\\newcommand{\\mill}{Ostby Mill\\xspace}\\def\\by#1{by}\\newcommand{\\of}[2]{#2 of #1}"
        "\\begin{document}\\looseness=-1 We restored \\mill with \\of{oak}{beams}. Figure~\\ref{a} "
        "shows \\mill's wheel.\\end{document}"
    )
    tex = (
        "\\documentclass{article}\\title{The roof}\\begin{document}\\maketitle\n% hidden remark\n"
        "\\section{Costs} The \\emph{new} roof \\cite{a} costs $31{,}500$ euros\\footnote{Net.} in "
        'K\\"oln.\n\\begin{equation}x=1\\end{equation}\\end{document}'
    )
    money = r"""\magnification=1200 \input{prices}
\href{https://a.example}{The mill} asks \$31,500 and gets 40\% of it. Its weir lies
\SI{5}{\kilo\metre} away at 20$^\circ$C, holds 10$^{6}$ litres of H$_2$O on 3~km$^2$ and
breathes \qty{2.5}{\gram\per\cubic\metre}, \SIrange{3}{4}{\metre} deep.\iffalse Not so.\fi
\begin{itemize}\item Fish.\end{itemize}\begin{table}\caption{Prices of fish}\end{table}"""
    return [
        KindCase(
            "prices.tex",
            money.encode(),
            (
                "The mill asks $31,500 and gets 40% of it.",
                "Its weir lies 5 km away at 20°C, holds 10^6 litres of H₂O on 3 km²",
                "and breathes 2.5 g/m³, 3–4 m deep.",
                "Fish.",
                "Prices of fish",
            ),
            ("1200", "Not so"),
        ),
        KindCase(
            "mill.tex",
            macros.encode(),
            ("We restored Ostby Mill with beams of oak. Figure shows Ostby Mill's wheel.",),
            ("-1",),
        ),
        KindCase(
            "roof.tex",
            tex.encode(),
            ("The roof", "Costs", "roof costs 31,500 euros in Köln."),
            ("remark", "cite", "x=1"),
            (LossKind.EQUATION, LossKind.FOOTNOTE),
        ),
    ]


def _beamer_cases() -> list[KindCase]:
    """Slides in LaTeX, whose titles and blocks are headings."""
    frames = r"""\begin{frame}{The weir}It is built of oak.\end{frame}
\begin{frame}[t]{The wheel}It has not turned for years.\end{frame}"""
    talk = r"""\documentclass{beamer}\begin{document}\begin{frame}<2->{The weir}
\begin{block}{Costs}It cost \only<2>{nine} crowns.\end{block}\note{Say hello.}
\end{frame}\end{document}"""
    return [
        KindCase(
            "talk.tex",
            talk.encode(),
            ("The weir", "Costs", "It cost nine crowns."),
            ("hello", "<2"),
            (LossKind.FOOTNOTE,),
            is_apart=True,
        ),
        KindCase(
            "frames.tex",
            frames.encode(),
            ("The weir", "It is built of oak.", "The wheel", "It has not turned for years."),
            is_apart=True,
        ),
    ]


def _framed_cases() -> list[KindCase]:
    frame = "*** {} OF THE PROJECT GUTENBERG EBOOK THE ROOF ***"
    book = (
        f"<p>You may copy it.</p><p>{frame.format('START')}</p><p>[Illustration: The roof]</p>"
        f"<p>The roof was new.</p><p>{frame.format('END')}</p><p>Donate to us.</p>"
    )

    def chart(deck: Any) -> None:
        made = make_formats.slide(deck, "Costs", ["The roof costs more."])
        data = CategoryChartData()
        data.categories = ["Roof", "Door"]
        data.add_series("Costs", (3, 4))
        made.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 900_000, 900_000, data)

    packed = make_formats.members(make_formats.slides(chart))
    slides = make_formats.zipped(packed, store=True)  # so that the sheet's names stand in it
    twice = "The café opened in 1985–86; the “roof” came later — nobody’s fault."
    return [
        KindCase("book.html", book.encode(), ("The roof was new.",), ("copy", "[Ill", "Donate")),
        KindCase(
            "book.epub",
            make_formats.epub([book.replace("<p>The", "<h1>One</h1><p>The")]),
            ("The roof was new.",),
            ("copy", "[Ill", "Donate"),
        ),
        KindCase("chart.pptx", slides, ("The roof costs more.",), losses=(LossKind.CHART,)),
        KindCase("twice.txt", twice.encode().decode("latin-1").encode(), (twice,)),
    ]


def kind_cases() -> list[KindCase]:
    """Return all cases."""
    return [
        *_word_cases(),
        *_mail_cases(),
        *_mail_encoding_cases(),
        *_chat_cases(),
        *_transcript_cases(),
        *_speech_cases(),
        *_contents_cases(),
        *_other_cases(),
        *_framed_cases(),
        *_flat_cases(),
        *_hidden_cases(),
        *_archive_cases(),
        *_tex_cases(),
        *_beamer_cases(),
        *_panel_cases(),
    ]


def case_faults(case: KindCase, folder: Path) -> list[str]:
    """Return a line for each passage that is missing, wrong or not named."""
    path = folder / case.name
    path.write_bytes(case.data)
    kind, _ = file_kind(case.data, case.name)
    extracted = extract_document(ReadRequest(str(path), case.name, kind), lambda done, total: None)
    text = " ".join(" ".join(page.text for page in extracted.pages).split())
    lines = [line for page in extracted.pages for line in page.text.split("\n")]
    found, place = [], 0
    for passage in case.reads:
        at = text.find(passage, place)
        found += [] if at >= 0 else [f"{case.name}: not read, or not in order: {passage}"]
        place = max(place, at)
        if case.is_apart and not any(line.startswith(passage) for line in lines):
            found.append(f"{case.name}: begins no line: {passage}")
    found += [f"{case.name}: read: {words}" for words in case.lacks if words in text]
    if case.is_quiet:
        found += [f"{case.name}: warned: {note}" for note in extracted.notes]
    quotable = _quotable(extracted)
    found += [f"{case.name}: quoted: {words}" for words in case.unquoted if words in quotable]
    found += [f"{case.name}: not quoted: {words}" for words in case.quoted if words not in quotable]
    named = {loss.kind for loss in extracted.losses}
    found += [f"{case.name}: not named: {kind.value}" for kind in case.losses if kind not in named]
    return found


def _quotable(extracted: Extracted) -> str:
    """Return the sentences of all pages that a summary may quote, a line for each."""
    references: dict[int, list[tuple[int, int]]] = {}
    for index, start, end in find_references([page.text for page in extracted.pages]):
        references.setdefault(index, []).append((start, end))
    sources = [
        SourceText.of(page.text, non_prose=sorted([*page.non_prose, *references.get(index, [])]))
        for index, page in enumerate(extracted.pages)
    ]
    return "\n".join(
        " ".join(source.sentence(span).split()) for source in sources for span in source.candidates
    )


LEGACY = {  # texts of our own, in encodings from before Unicode
    "cp874": "สะพานไม้ของหมู่บ้านถูกสร้างขึ้นใหม่หลังน้ำท่วม",
    "cp866": "Новая крыша школы стоит дорого, и платить надо до июня.",
    "koi8-r": "Новая крыша школы стоит дорого, и платить надо до июня.",
    "cp852": "Nová střecha školy je drahá a zaplatit se musí do června, říká účetní.",
    "cp1250": "Nowy dach szkoły jest drogi, a zapłacić trzeba przed końcem czerwca.",
    "cp850": "Das neue Dach der Schule ist teuer und muß bis Juni bezahlt werden, hört man.",
    "cp1254": "Okulun yeni çatısı pahalı ve hazirandan önce ödenmesi gerekiyor, diyor şirket.",
    "cp1253": "Η νέα στέγη του σχολείου είναι ακριβή και πρέπει να πληρωθεί ως τον Ιούνιο.",
    "cp862": "הגג החדש של בית הספר יקר ויש לשלם עליו לפני יוני.",
    "iso8859_6": "سقف المدرسة الجديد غالي الثمن ويجب دفع ثمنه قبل حزيران.",
    "euc_jp": "学校の新しい屋根は高く、六月までに払わなければならない。",
    "iso2022_jp": "学校の新しい屋根は高く、六月までに払わなければならない。",
    "hz": "港口委员会决定关闭晚间航线，因为几乎没有乘客。",
    "iso2022_kr": "학교의 새 지붕은 비싸고 유월 전에 값을 내야 한다.",
    "gb18030": "港口委员会决定关闭晚间航线，因为几乎没有乘客。旧船卖给了博物馆，钱用来修理码头。",
    "big5": "學校的新屋頂很貴，六月以前必須付錢。",
    "cp949": "학교의 새 지붕은 비싸고 유월 전에 값을 내야 한다.",
    "cp1257": "Naujas mokyklos stogas brangus, ir už jį reikia sumokėti iki birželio, sako žmonės.",
    "cp775": "Skolas jaunais jumts ir dārgs, un par to jāsamaksā līdz jūnijam, saka grāmatvedis.",
    "cp861": "Nýja þakið á skólanum er dýrt og það þarf að greiða fyrir það áður en júní lýkur.",
    "ascii": "Write ~{name~} for what is replaced, and $) for what is not.",
}


def measure_kinds() -> tuple[dict[str, float], list[str]]:
    """Return the share of files read without a fault, the share of legacy texts decoded right, and
    a line for each mistake."""
    mistakes: list[str] = []
    cases = kind_cases()
    with TemporaryDirectory() as folder:
        whole = 0
        for case in cases:
            faults = case_faults(case, Path(folder))
            whole += not faults
            mistakes += faults
    wrong = [name for name, text in LEGACY.items() if decode_text(text.encode(name))[0] != text]
    mistakes += [f"decoded wrongly: {name}" for name in wrong]
    return {"files": whole / len(cases), "encodings": 1 - len(wrong) / len(LEGACY)}, mistakes
