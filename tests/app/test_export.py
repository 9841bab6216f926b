"""Exports: content, escaping, file names."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
import zipfile
from dataclasses import replace
from html import escape
from io import BytesIO

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pypdf import PdfReader, PdfWriter

from app.cli import build_parser
from app.documents.load import document_from_text
from app.documents.model import Document
from app.errors import BadOption, NotReadable
from app.events import PartKind, SectionSummary, Sentence, Summary
from app.evidence.provenance import ModelIdentity, provenance_of, provenance_rows, rerun_command
from app.export.filenames import safe_filename
from app.export.formats import EXPORT_FORMATS, export_bytes, export_collection, export_text
from app.export.html import PAGE_STYLE
from app.export.json_object import to_json
from app.export.markdown import MarkdownWriter, escape_markdown
from app.export.pdf import to_pdf
from app.export.style import TERMINAL_STYLE, ExportStyle, LinkStyle
from app.export.text import TextWriter
from app.summary.summarizer import Options
from app.warning import AppWarning, WarningKind
from longt5.text.sentences import settled_sentences
from tests.conftest import EXAMPLE_PDF

HOSTILE = "<img src=x onerror=alert(1)> [a](http://x.example) **b** `c` | # no\n# heading\n1. item"


def test_no_page_read_leaves_no_row_of_pages() -> None:
    whole = {"file": "a", "sha256": "b", "model": "m", "dtype": "d", "time": "t", "command": ""}
    whole |= {"weights_sha256": "", "revision": "", "app_version": "1"}
    for pages, count in (("", 0), ("1-2", 1)):
        labels = [label for label, _ in provenance_rows({**whole, "pages_used": pages})]
        assert labels.count("Pages by number") == count


def summary_of(*texts: str, **changes) -> Summary:
    sections = tuple(
        SectionSummary((i * 3 - 2, i * 3), text, 100, 20) for i, text in enumerate(texts, 1)
    )
    values = {
        "name": "report.pdf",
        "pages": 9,
        "model": "bundled",
        "options": {"length": "short"},
        "summary": "\n\n".join(texts),
        "sections": sections,
        "warnings": (AppWarning(WarningKind.PAGES_SCANNED, "Page 3 is a picture."),),
        "timings": {"read_s": 1.0, "encode_s": 2.0, "decode_s": 3.0, "total_s": 6.0},
    }
    return Summary(**{**values, **changes})


def test_the_name_of_a_model_is_no_markup() -> None:
    text = MarkdownWriter().whole(summary_of("One thing.", model=HOSTILE.replace("\n", " ")))
    assert "<img" not in text and "[a](" not in text and "**b**" not in text


def test_markdown_has_title_sections_warnings_and_provenance() -> None:
    text = MarkdownWriter().whole(summary_of("One thing.", "Another."))
    assert text.startswith("# Summary of report.pdf\n\nOne thing.\n\nAnother.\n\n**Note**")
    assert "- Page 3 is a picture." in text
    assert text.rstrip().endswith(
        "9 pages; model bundled; length short. Made by a machine: check what matters."
    )


def section_of(text: str, title: str = "", **changes) -> SectionSummary:
    sentences = tuple(Sentence(f"{s}.", (4,), ("4",)) for s in text.rstrip(".").split(". "))
    values = {"sentences": sentences, "title": title, **changes}
    return SectionSummary((4, 6), text, 9, 9, **values)


def test_paragraphs_of_the_answer_are_labelled_where_they_come_from_a_part() -> None:
    parts = (
        section_of("All rose.", from_summary=True),
        section_of("Tides rose.", "2 Tides"),
        section_of("It rained."),
    )
    summary = summary_of("x", sections=parts)
    assert (
        MarkdownWriter()
        .whole(summary)
        .startswith(
            "# Summary of report.pdf\n\n**From the document’s own summary, pages 4-6**\n\n"
            "All rose. (p. 4)\n\n**2 Tides, pages 4-6**\n\nTides rose. (p. 4)\n\n"
            "It rained. (p. 4)\n\n"
        )
    )
    assert "\n[2 Tides, pages 4-6]\nTides rose. (p. 4)\n\nIt " in TextWriter().whole(summary)


def in_sections() -> Summary:
    """A summary whose answer, sections and warnings can be told apart."""
    answer = section_of("Alpha rose. Beta fell.")
    sections = (
        section_of("Gamma stayed. Delta left.", "1 Tides", kind=PartKind.SECTION),
        section_of("Epsilon came.", kind=PartKind.SECTION),
    )
    return summary_of("Alpha rose. Beta fell.", sections=(answer,), by_section=sections)


def paragraphs_of(summary: Summary, fmt: str, bullets: bool = False) -> list[str]:
    """Return the paragraphs of an export, list items with a dash before them."""
    data = export_bytes(summary, fmt, replace(TERMINAL_STYLE, bullets=bullets))
    if fmt != "docx":
        text = data.decode("utf-8")
        if fmt == "html":
            text = re.sub("<li>", "\n- ", text[text.index("<main>") :])
            text = re.sub("<[^>]+>", "\n", re.sub("</?span[^>]*>", "", text))
        return [line for line in text.splitlines() if line.strip()]
    paragraphs = docx.Document(BytesIO(data)).paragraphs
    dash = {"List Bullet": "- "}
    return [dash.get(p.style.name, "") + p.text.strip() for p in paragraphs if p.text.strip()]


def test_notes_in_word_are_no_sentences_of_the_last_section() -> None:
    data = export_bytes(in_sections(), "docx", replace(TERMINAL_STYLE, bullets=True))
    paragraphs = [p for p in docx.Document(BytesIO(data)).paragraphs if p.text.strip()]
    at = next(n for n, p in enumerate(paragraphs) if "Page 3 is a picture." in p.text)
    assert paragraphs[at].style.name == "List Bullet"
    assert paragraphs[at - 1].style.name == "Heading 3" and paragraphs[at - 1].text == "Note"


@pytest.mark.parametrize("fmt", EXPORT_FORMATS)
@pytest.mark.parametrize("bullets", [False, True])
def test_the_answer_stands_first_in_every_export(fmt: str, bullets: bool) -> None:
    text = "\n".join(paragraphs_of(in_sections(), fmt, bullets))
    words = ["Alpha rose.", "Beta fell.", "Gamma stayed.", "Delta left.", "Epsilon came."]
    places = [text.rindex(word) for word in [*words, "Page 3 is a picture."]]
    assert places == sorted(places)
    if fmt == "json":
        assert list(json.loads(text))[-7:-5] == ["sections", "by_section"]
    else:
        assert text.count("By section") == 1
        heading = text.index("By section")
        assert places[1] < heading < text.index("1 Tides, pages 4-6") < places[2]
        assert places[3] < text.index("Pages 4-6") < places[4]
        assert "By section" not in str(paragraphs_of(summary_of("One thing."), fmt, bullets))


@pytest.mark.parametrize("fmt", ["md", "txt", "html", "docx"])
def test_bullets_are_one_item_for_each_sentence(fmt: str) -> None:
    said = ["Alpha rose.", "Beta fell.", "Gamma stayed.", "Delta left.", "Epsilon came."]
    lines = paragraphs_of(in_sections(), fmt, bullets=True)
    space = "&nbsp;" if fmt == "html" else " "  # no line of a page begins with a citation
    assert [line for line in lines if line.endswith("(p. 4)")] == [
        f"- {s}{space}(p. 4)" for s in said
    ]
    plain = paragraphs_of(in_sections(), fmt)
    assert not [line for line in plain if line.startswith("- ") and "(p. 4)" in line]


@given(st.lists(st.text(alphabet="ab 1.#-_*<>~&;:/", min_size=1, max_size=20), min_size=1))
def test_bullets_render_as_one_list_of_the_sentences(texts: list[str]) -> None:
    texts = [" ".join(f"{text} end.".split()) for text in texts]
    sentences = tuple(Sentence(text, (1,)) for text in texts)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(
        MarkdownWriter(replace(TERMINAL_STYLE, bullets=True)).cited(sentences)
    )
    assert [t.type for t in tokens if t.level == 0] == ["bullet_list_open", "bullet_list_close"]
    items = [t for t in tokens if t.type == "inline"]
    assert ["".join(c.content for c in t.children) for t in items] == texts


def test_text_has_no_markup_and_json_is_the_object() -> None:
    summary = summary_of("A * B.", "Café 中文.")
    assert "A * B." in TextWriter().whole(summary) and "#" not in TextWriter().whole(summary)
    assert json.loads(to_json(summary)) == summary.to_dict()
    assert "中文" in to_json(summary)


def test_markup_in_a_document_stays_text() -> None:
    text = escape_markdown(HOSTILE)
    assert "<img" not in text and "\\[a\\](" in text
    assert "\n\\# heading" in text and "1\\. item" in text
    assert escape_markdown("snake_case and 3 * 4: www.") == "snake_case and 3 \\* 4: www\\."


@pytest.mark.parametrize(
    "address",
    [
        "https://bridge.example/a_b?c=1",
        "HTTP://bridge.example",
        "ftp://bridge.example",
        "www.bridge.example",
        "WWW.bridge.example/x",
        "xmpp://bridge.example",
    ],
)
def test_bare_addresses_become_no_links(address: str) -> None:
    text = escape_markdown(f"See {address} now.")
    assert not re.search(r"(?i)[a-z]://|www\.", text)  # by which GitHub knows an address
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert shown == f"<p>See {escape(address)} now.</p>\n"


@given(st.text(alphabet="ab 1.#-_*<>\n!~&;=+:/w", max_size=40))
def test_escaped_text_renders_unchanged(text: str) -> None:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    text = "\n".join(filter(None, lines))
    shown = MarkdownIt("gfm-like", {"linkify": False}).parse(escape_markdown(text))
    assert [t.type for t in shown] == ["paragraph_open", "inline", "paragraph_close"][: len(shown)]
    inline = shown[1].children if shown else []
    assert {t.type for t in inline} <= {"text", "softbreak"}
    assert "".join(t.content or "\n" for t in inline) == text


@pytest.mark.parametrize(
    "text",
    [
        "__init__ and a__b",
        "~~gone~~",
        "&copy; &#65;",
        "a\n---\nb",
        "a\n=",
        "# a",
        "1. a",
        "`x` <b> [a](b) ![a](b) | * +",
    ],
)
def test_escaped_text_renders_unchanged_in_known_cases(text: str) -> None:
    test_escaped_text_renders_unchanged.hypothesis.inner_test(text)


@given(st.text(alphabet="ab 1.#-_*<>\n!~&;=+:/w", max_size=40))
def test_escaping_a_prefix_gives_a_prefix(text: str) -> None:
    whole = escape_markdown(text)
    for end in range(len(text)):
        assert whole.startswith(escape_markdown(settled_sentences(text[:end])))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "con.pdf",
        "a" * 300 + ".pdf",
        "\u202efdp.exe",
        "中文" * 90,
        "",
        "a/b\\c:d*?.md",
        "nul.tar.gz",
        "--help.pdf",
        "-",
        "^`.pdf",
        "\u200d.pdf",
        "👩\u200d" * 40,
    ],
)
def test_file_names_are_safe_everywhere(name: str) -> None:
    made = safe_filename(name, "md")
    assert made.endswith("-summary.md") and len(made.encode()) <= 120
    assert not set(made) & set('/\\:*?"<>|\u202e') and not made.startswith(".")
    assert made.split("-")[0].split(".")[0].lower() not in ("con", "nul", "")


@pytest.mark.parametrize(
    "name",
    [
        "Bücher",
        "Bu\u0308cher",
        "हिन्दी",
        "தமிழ்",
        "שָׁלוֹם",
        "中文",
        "می\u200cخواهم",
        "📄🚀",
        "👩\u200d👩\u200d👧 🇫🇷",
        "👍🏽",
        "❤\ufe0f 2024",
        "©®",
    ],
)
def test_file_names_keep_the_letters_of_every_script_and_emoji(name: str) -> None:
    made = safe_filename(f"{name}.pdf", "md").removesuffix("-summary.md")
    assert made == unicodedata.normalize("NFC", name)


def full_summary() -> Summary:
    sentences = (
        Sentence(
            "It rose to 4.3 million.",
            (12, 13),
            ("xi", "1"),
            ({"span": [11, 22], "kind": "number", "reason": "It stands nowhere."},),
        ),
        Sentence("Nobody knows <b>why</b>."),
    )
    section = SectionSummary((12, 13), " ".join(s.text for s in sentences), 9, 9, "eos", sentences)
    made = provenance_of(
        Document("a b.pdf", "ab" * 32, "page", (), ()),
        Options(length="short", pages="12-13", num_beams=2),
        ModelIdentity("owner/name", "main", "cd" * 32, {"no_repeat_ngram_size": 3}),
        "float32",
        ((12, "read"), (13, "read"), (14, "scanned")),
    )
    return summary_of(
        "x",
        sections=(section,),
        provenance=made,
        coverage=((12, "read"), (13, "read"), (14, "scanned")),
    )


@pytest.mark.parametrize("fmt", ["md", "txt", "html", "docx"])
def test_every_export_has_citations_doubts_coverage_and_provenance(fmt: str) -> None:
    data = export_bytes(full_summary(), fmt)
    if fmt == "docx":
        paragraphs = docx.Document(BytesIO(data)).paragraphs
        text = "\n".join(p.text for p in paragraphs)
    else:
        text = data.decode("utf-8")
    read = "2 of 3 pages read"  # a warning names the third
    facts = ("ab" * 32, "cdcdcdcdcdcdcdcd", "12-13", "float32", "Made by a machine")
    for expected in ("pp. xi, 1", "4.3 million", "no passage supports this", read, *facts):
        assert expected in text, expected
    assert ("<b>why" in text) == (fmt in ("txt", "docx"))


def test_provenance_command_repeats_the_run() -> None:
    made = full_summary().provenance
    words = shlex.split(made["command"])
    chosen = build_parser().parse_args(words[3:])
    assert chosen.files == ["a b.pdf"] and chosen.model == "owner/name"
    assert (chosen.length, chosen.num_beams, chosen.pages) == ("short", 2, "12-13")
    assert made["decoding"]["no_repeat_ngram_size"] == 3 and made["time"].endswith("+00:00")


@pytest.mark.parametrize("name", ["-draft.md", "--help", "a -b.md"])
def test_file_names_are_never_parsed_as_options(name: str) -> None:
    words = shlex.split(rerun_command(name, Options(), ModelIdentity("bundled", dtype="int8")))
    chosen = build_parser().parse_args(words[3:])
    assert chosen.files[0].removeprefix("./") == name and chosen.dtype == "int8"


def test_pasted_text_has_no_command() -> None:
    document = document_from_text("Some words.")
    made = provenance_of(document, Options(), ModelIdentity("bundled"), "float32", ())
    assert made["command"] == ""
    assert "Again" not in MarkdownWriter().whole(
        summary_of("x", name=document.name, provenance=made)
    )


def test_html_export_is_readable_on_dark_screens_and_paper() -> None:
    """Every colour is a variable that a dark screen changes, and paper has the light ones."""
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", PAGE_STYLE.partition("body {")[2])) == set()
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+)", part))
        for part in PAGE_STYLE.split("@media screen and (prefers-color-scheme: dark)")
    )
    assert light.keys() == dark.keys() and len(light) == 8
    for shown in (light, dark):
        for ink in ("ink", "soft", "doubt"):
            assert contrast(shown[ink], shown["paper"]) >= 4.5, (ink, shown)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG between two colours such as #0f172a or #fff."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(c * part for c, part in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_html_export_fetches_nothing() -> None:
    html = export_text(full_summary(), "html")
    assert "http" not in html.replace("http-equiv", "") and "<script" not in html


def test_control_characters_are_dropped_from_word() -> None:
    data = export_bytes(summary_of("A \x00\x0b\ud800 b."), "docx")
    assert "A  b." in "\n".join(p.text for p in docx.Document(BytesIO(data)).paragraphs)


@pytest.mark.parametrize("fmt", EXPORT_FORMATS)
@pytest.mark.parametrize("count", [1, 2])
def test_unencodable_characters_break_no_export(fmt: str, count: int) -> None:
    summary = summary_of(
        "Half \ud800 a character.",
        coverage=((1, "read"), (2, "empty")),
        labels=("\x01", "b\x00"),
        model="m\x02",
    )
    assert export_collection([summary] * count, fmt)


def test_long_names_do_not_break_word() -> None:
    name = "a" * 251 + ".pdf"
    data = export_bytes(summary_of("A thing.", name=name), "docx")
    assert name in docx.Document(BytesIO(data)).paragraphs[0].text


def test_right_to_left_paragraphs_are_marked_in_word() -> None:
    hebrew = Sentence("הוועדה קבעה PDF 2.0.", (1,), ("1",))
    summary = summary_of(
        "x",
        "y",
        sections=(
            SectionSummary((1, 1), hebrew.text, 9, 9, "eos", (hebrew,), "מים"),
            SectionSummary((2, 2), "It rained.", 9, 9),
        ),
    )
    data = export_bytes(summary, "docx")
    turned = {
        p.text: (p._p.pPr is not None and "w:bidi" in p._p.pPr.xml, [r.font.rtl for r in p.runs])
        for p in docx.Document(BytesIO(data)).paragraphs
    }
    assert turned["מים, page 1"] == (True, [True])
    assert turned["הוועדה קבעה PDF 2.0. (p. 1) "] == (True, [True, None])
    assert turned["It rained."] == (False, [None])
    assert "unicode-bidi: plaintext" in export_text(summary, "html")


CITED = Sentence(
    "The dike held.", (11,), ("p",), (), ("In all that time the dike held, the report says.",)
)
QUOTED = Sentence("The dike held.", (12,), ("12",), (), ("The dike held.",))


def pdf_summary() -> Summary:
    part = SectionSummary(
        (11, 12), "The dike held. The dike held.", 1, 1, sentences=(CITED, QUOTED)
    )
    return replace(summary_of("One."), name="my report.pdf", sections=(part,), by_section=())


def test_citations_of_a_pdf_lead_to_its_pages() -> None:
    pages = export_text(pdf_summary(), "md")
    assert "([p. p](my%20report.pdf#page=11))" in pages
    obsidian = ExportStyle(links=LinkStyle.OBSIDIAN)
    assert "([[my report.pdf#page=12|p. 12]])" in export_text(pdf_summary(), "md", obsidian)
    unsafe = replace(pdf_summary(), name="a|b#c.pdf")
    assert "](a%7Cb%23c.pdf#page=11)" in export_text(unsafe, "md", obsidian)
    assert '<a href="my%20report.pdf#page=11">p. p</a>' in export_text(pdf_summary(), "html")
    assert "#page" not in export_text(replace(pdf_summary(), name="a.docx"), "md")
    assert "#page" not in export_text(pdf_summary(), "md", TERMINAL_STYLE)


def test_a_footnote_quotes_the_passage_that_says_more_than_its_sentence() -> None:
    text = export_text(pdf_summary(), "md")
    assert len(re.findall(r"\[\^p11-[0-9a-f]{6}\](?!:)", text)) == 1
    assert re.search(r"(?m)^\[\^p11-\w+\]: p\. p: “In all that time the dike held", text)
    page = export_text(pdf_summary(), "html")
    assert page.count("In all that time") == 1 and 'href="#note-1"' in page
    with zipfile.ZipFile(BytesIO(export_bytes(pdf_summary(), "docx"))) as archive:
        notes = archive.read("word/footnotes.xml").decode()
        body = archive.read("word/document.xml").decode()
    assert "In all that time" in notes and body.count("footnoteReference") == 1
    assert (
        "footnotes+xml"
        in zipfile.ZipFile(BytesIO(export_bytes(pdf_summary(), "docx")))
        .read("[Content_Types].xml")
        .decode()
    )
    assert "footnotes" not in str(
        zipfile.ZipFile(BytesIO(export_bytes(summary_of("One."), "docx"))).namelist()
    )


def test_front_matter_is_yaml_that_no_name_breaks_out_of() -> None:
    hostile = replace(pdf_summary(), name='a"\n---\nb: [.pdf')
    text = export_text(hostile, "md", ExportStyle(front_matter=True))
    head, _, rest = text.removeprefix("---\n").partition("\n---\n")
    assert rest.lstrip().startswith("# Summary of")
    values = dict(line.split(": ", 1) for line in head.splitlines())
    assert json.loads(values["source"]) == hostile.name and values["tags"] == '["summary"]'


def test_the_pdf_has_highlights_with_notes_and_keeps_its_page_numbers(tmp_path) -> None:
    sentence = Sentence("A wall was opened.", (10,), ("5",), (), ("dig a hole in the wall",))
    part = SectionSummary((10, 10), sentence.text, 1, 1, sentences=(sentence,), title="3 Breaches")
    summary = replace(pdf_summary(), sections=(part,))
    plain = PdfReader(BytesIO(to_pdf(summary, EXAMPLE_PDF)))
    notes = [a.get_object() for a in plain.pages[9]["/Annots"]]
    assert notes[0]["/Contents"] == sentence.text and notes[0]["/T"].startswith("3 Breaches")
    copy = PdfReader(BytesIO(to_pdf(summary, EXAMPLE_PDF, first_page=True)))
    assert len(copy.pages) == 30 and copy.page_labels[10] == "5"
    assert "A wall was opened." in copy.pages[0].extract_text()
    assert copy.pages[0]["/Annots"][0].get_object()["/Subtype"] == "/Link"
    writer = PdfWriter(clone_from=PdfReader(EXAMPLE_PDF))
    writer.encrypt("open sesame", algorithm="AES-256")
    writer.write(tmp_path / "locked.pdf")
    locked = PdfReader(BytesIO(to_pdf(summary, tmp_path / "locked.pdf", "open sesame")))
    assert locked.is_encrypted and locked.decrypt("open sesame")
    foreign = replace(summary, name="доклад.pdf")
    with pytest.raises(BadOption, match="Western"):
        to_pdf(foreign, EXAMPLE_PDF, first_page=True)
    with pytest.raises(BadOption, match="is not a PDF"):
        to_pdf(replace(summary, name="a.docx"), EXAMPLE_PDF)
    with pytest.raises(NotReadable, match="other downloads"):
        to_pdf(summary, tmp_path / "none.pdf")
