"""Files become documents, or are refused with a sentence for the person."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path

import msgspec
import pypdf
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont

from app import errors
from app.documents import child, limits
from app.documents import load as documents
from app.documents.front_matter import find_front_matter
from app.documents.load import load_document, require_text
from app.documents.model import Document, ReadRequest
from app.documents.protocol import Failure, ReadProgress, decode_message, encode_message
from app.documents.readers.pdf import quality
from app.documents.readers.pdf import reader as pdf
from app.documents.readers.pdf.page_image import find_passage
from app.documents.readers.pdf.page_reader import PageReader
from app.documents.selection import select_pages
from app.evidence.coverage import coverage_of
from tests.documents import make_pdfs
from tests.documents.helpers import refusal, words
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at, text_pdf
from tests.tools import make_examples

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "pdfs"


# What is read


def test_a_plain_pdf(load) -> None:
    document = load(text_pdf())
    assert document.pages[0].text == PROSE.replace("\n", " ")
    assert document.pages[0].status == "ok" and document.unit == "page"
    assert document.warnings == () and len(document.sha256) == 64
    shown = document.to_dict()
    assert set(shown) == {"name", "unit", "pages", "warnings", "losses", "coverage"}
    assert set(shown["pages"][0]) == {"number", "label", "text", "status"}
    json.dumps(shown)


def test_progress_counts_pages(load) -> None:
    seen = []
    load(text_pdf([PROSE] * 5), on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(6)]


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_encrypted_files_need_their_password(load, algorithm) -> None:
    assert "flour" in words(load(make_pdfs.encrypted("", algorithm)))
    locked = make_pdfs.encrypted("sésame", algorithm)
    assert "password" in refusal(load, errors.PasswordNeeded, locked)
    assert "password" in refusal(load, errors.WrongPassword, locked, password="guess")
    assert "flour" in words(load(locked, password="sésame"))


def test_a_password_is_asked_for_when_only_pdfium_can_open_the_file(
    load, monkeypatch, tmp_path
) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(make_pdfs.encrypted("secret"))
    monkeypatch.setattr(pdf, "_open_pypdf", lambda *_: None)
    with pytest.raises(errors.PasswordNeeded):
        pdf.read_pdf(ReadRequest(str(path), "locked.pdf", "pdf"), lambda *_: None)
    with pytest.raises(errors.WrongPassword):
        pdf.read_pdf(ReadRequest(str(path), "locked.pdf", "pdf", "guess"), lambda *_: None)
    found = pdf.read_pdf(ReadRequest(str(path), "locked.pdf", "pdf", "secret"), lambda *_: None)
    assert "flour" in found.pages[0].text


def test_the_password_is_on_no_command_line(load, monkeypatch) -> None:
    commands = []
    real = subprocess.Popen

    def spy(command, **options):
        commands.append((command, options))
        return real(command, **options)

    monkeypatch.setattr(subprocess, "Popen", spy)
    load(make_pdfs.encrypted("open-sesame"), password="open-sesame")
    assert len(commands) == 1 and "open-sesame" not in repr(commands)


def test_outline_and_labels(load) -> None:
    document = load_document(ROOT / "assets" / "examples" / "merrow-report.pdf")
    labels = [page.label for page in document.pages]
    assert labels[:7] == ["i", "ii", "iii", "iv", "v", "1", "2"]
    titles = {item.title: item for item in document.outline}
    assert titles["8 What went wrong"].level == 1 and titles["8.1 Coldharbour"].level == 2
    page = document.pages[titles["8.1 Coldharbour"].page - 1]
    assert "8.1 Coldharbour" in page.text and len(document.pages) >= 20
    assert document.warnings == () or "contents" in document.warnings[0].message


def test_titles_labels_and_names_hold_no_control_characters(load, tmp_path) -> None:
    """Terminal codes and lone surrogates are removed."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text_pdf([PROSE] * 3)))
    writer.set_page_label(0, 1, style="/D", prefix="\x9b32mp\n")
    writer.add_outline_item(title="One \x9b31mred\x07 \x9b1mbold\x80", page_number=0)
    writer.add_outline_item(title="\x1b[31m\x00", page_number=1)
    writer.write(tmp_path / "made.pdf")
    document = load_document(tmp_path / "made.pdf", name="a\x1b[31m\nb.pdf")
    assert [(item.title, item.page) for item in document.outline] == [("One red bold", 1)]
    assert [page.label for page in document.pages][:2] == ["p 1", "p 2"]
    assert document.name == "a b.pdf"
    assert load_document(tmp_path / "made.pdf", name="b\udce9d.pdf").name == "b\ufffdd.pdf"
    with pytest.raises(errors.NotReadable, match="“bd.pdf”"):
        load(b"%PDF-1.4 nothing", name="b\x1b[31md.pdf")


def test_the_example_is_typeset_from_its_text(tmp_path) -> None:
    make_examples.build(tmp_path / "once.pdf")
    make_examples.build(tmp_path / "again.pdf")
    once = (tmp_path / "once.pdf").read_bytes()
    assert once == (tmp_path / "again.pdf").read_bytes()
    kept = load_document(ROOT / "assets" / "examples" / "merrow-report.pdf")
    assert load_document(tmp_path / "once.pdf").pages == kept.pages


def test_a_rotated_page_is_read_in_order(load) -> None:
    def draw(canvas) -> None:
        canvas.setPageRotation(90)
        lines_at(canvas, PROSE)

    assert words(load(canvas_pdf([draw]))) == PROSE.replace("\n", " ")


def test_two_columns_are_read_one_after_the_other(load) -> None:
    left = [f"left {n} flows down the page" for n in range(30)]
    right = [f"right {n} flows down the page" for n in range(30)]

    def draw(canvas) -> None:
        lines_at(canvas, "\n".join(left), x=60)
        lines_at(canvas, "\n".join(right), x=320)

    read = words(load(canvas_pdf([draw])))
    assert read.index("left 29") < read.index("right 0")


def test_right_to_left_text_is_read_in_order(load) -> None:
    hebrew = "שלום עולם זה טקסט בעברית"
    drawn = hebrew[::-1]  # glyphs stand on the page from left to right
    assert hebrew in words(load(make_pdfs.unicode_pdf([drawn])))


def test_chinese_and_japanese_lines_join_without_spaces(load) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))

    def draw(canvas) -> None:
        canvas.setFont("STSong-Light", 12)
        canvas.drawString(72, 700, "这是一个中文文档，")
        canvas.drawString(72, 680, "用于测试。")

    assert "这是一个中文文档，用于测试。" in words(load(canvas_pdf([draw])))
    assert "日本語の文書です。" in words(load(make_pdfs.unicode_pdf(["日本語の", "文書です。"])))


def test_words_separated_by_position_alone_get_spaces(load) -> None:
    data = make_pdfs.unicode_pdf(PROSE.split("\n"), has_spaces=False)
    assert load(data).pages[0].text.split() == PROSE.split()


def test_soft_hyphens_and_ligatures(load) -> None:
    lines = ["The e\ufb03cient o\ufb03ce \ufb01rst found a con\u00ad", "\ufb02ict in a \ufb02oor."]
    read = words(load(make_pdfs.unicode_pdf(lines)))
    assert read == "The efficient office first found a conflict in a floor."


IMPRINT = """The Mill and its River

© River Press 2020

All rights reserved. No part of this book may be reproduced without the permission of
the publisher. Requests for a licence to reprint are answered by the publisher.

Printed in Leeds. ISBN 978-92-4-005273-4"""
# First pages of papers.
TRANSLATED = "The translation of idioms is hard for every model that has been published. " * 9
LICENSED = "Few publishers read the licence that they choose for what they print. " * 9
THANKS = [
    "Acknowledgements\n\nThe River Press thanks Anna Wood (University of Leeds, England) and "
    "Peter Lindqvist (Mill Museum, Sweden) for help.",
    "Ruth Hale (Leeds), Jonas Okafor "
    "(Town Council), Maria Santos (River Authority, Portugal) and Tom Price (Leeds).",
]


def test_a_glyph_for_two_letters_does_not_tear_its_word(load) -> None:
    """Found in 10 of 16 documents: PDFium gives the second letter of "fi" a box of its own."""
    line = "The of\ue000ce for \ue000nancial af\ue000rmation opened \ue000rst."
    data = make_pdfs.unicode_pdf([line] * 3).replace(b"<e000> <e000>", b"<e000> <00660069>")
    data = data.replace(b"DW 500", b"DW 700")  # as wide as its letters are together
    read = words(load(data))
    assert line.replace("\ue000", "fi") in read and "|" not in read


def test_imprint_and_acknowledgements_are_left_out_with_a_warning(load) -> None:
    book = [PROSE.replace("e ", f"e {letter * 3} ") for letter in "bcdfghjklmnpqrstvwxz"]
    document = load(text_pdf([book[0], IMPRINT, *THANKS, *book[1:]]))
    assert document.imprint == (2, 3, 4)
    assert [page.text for page in document.pages[1:4]] == ["", "", ""]
    assert [page.status for page in document.pages[:5]] == ["ok", *["skipped"] * 3, "ok"]
    said = "Left out: imprint, licence or acknowledgements (pages 2-4)."
    assert said in map(str, document.warnings)
    assert coverage_of(document, (), None)[:3] == ((1, "read"), (2, "imprint"), (3, "imprint"))
    assert msgspec.convert(json.loads(json.dumps(asdict(document))), Document) == document
    with pytest.raises(errors.EmptyFile, match="only text that is left out .* an imprint"):
        require_text(select_pages(document, "3-4"))
    chosen = coverage_of(select_pages(document, "2,5"), (), None)[:5]
    assert [status for _, status in chosen] == ["skipped", "imprint", "skipped", "skipped", "read"]


@pytest.mark.parametrize(
    "pages",
    [
        [PROSE, IMPRINT, PROSE],  # too few to tell
        [IMPRINT] * 10,  # that is what it is about
        [PROSE * 4] * 5 + [IMPRINT] + [PROSE * 4] * 5,  # neither in front nor at the end
        [PROSE * 4] * 2 + THANKS[1:] + [PROSE * 4] * 9,  # a list of people, of whatever kind
        [PROSE * 4] * 2 + [f"{IMPRINT}\n\n{PROSE}"] + [PROSE * 4] * 9,
        [f"Better Idioms\n\n{TRANSLATED}\n\n© 2020 The Authors"] + [PROSE * 4] * 9,
        [f"Key messages\n\n{LICENSED}\n\n{IMPRINT}"] + [PROSE * 4] * 9,
        [f"Whose Text\n\nAbstract\n\n{LICENSED}\n\n{IMPRINT}"] + [PROSE * 4] * 9,
    ],
)
def test_other_pages_are_not_taken_for_front_matter(pages) -> None:
    assert find_front_matter(pages) == []


# Page by page, the better engine


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        (PROSE, PROSE, "first"),  # ties go to pypdf
        (PROSE, PROSE + " More.", "first"),  # and so do small differences
        (PROSE.replace(" ", ""), PROSE, "second"),
        (PROSE.replace("stood in the kitchen", "stoodinthekitchen of it"), PROSE, "first"),
        (PROSE.replace("in the kitchen of", "inthekitchenofthe"), PROSE, "first"),
        (PROSE.replace("it stood in the kitchen", "itstoodinthekitchen"), PROSE, "second"),
        (PROSE, PROSE.replace("it stood in the kitchen", "itstoodinthekitchen"), "first"),
        (PROSE, PROSE.replace(" ", ""), "first"),
        ("/g18/g152/g2 " * 30, PROSE, "second"),
        (" ".join(PROSE), PROSE, "second"),
        ("", PROSE, "second"),
        (None, PROSE, "second"),
        (PROSE, None, "first"),
        (PROSE[:60], PROSE, "second"),  # a reader that lost most of the page
        ("\ufffd\ue000" * 50 + PROSE, PROSE, "second"),
    ],
)
def test_the_better_reading_wins(first, second, wins) -> None:
    assert quality.better_text(first, second) == {"first": first, "second": second}[wins]


def test_pypdf_is_asked_where_pdfium_reads_nothing_of_use(monkeypatch, tmp_path) -> None:
    path = tmp_path / "mixed.pdf"
    pages = [PROSE, PROSE.replace("miller", "baker"), PROSE.replace("miller", "smith")]
    path.write_bytes(text_pdf(pages))
    real = PageReader._by_pdfium
    monkeypatch.setattr(PageReader, "_by_pdfium", lambda self, n: None if n == 1 else real(self, n))
    asked = []
    extract = pypdf.PageObject.extract_text
    monkeypatch.setattr(
        pypdf.PageObject, "extract_text", lambda *a, **k: (asked.append(1), extract(*a, **k))[1]
    )
    found = pdf.read_pdf(ReadRequest(str(path), "mixed.pdf", "pdf"), lambda *_: None).pages
    assert [page.status for page in found] == ["ok"] * 3 and len(asked) == 1
    assert "The miller counted" in found[0].text and "The baker counted" in found[1].text


@pytest.mark.parametrize("language", ["english", "german", "chinese", "code", "title", "numbers"])
def test_sound_text_is_not_garbled(language) -> None:
    sample = {
        "english": PROSE,
        "german": "Die Donaudampfschifffahrtsgesellschaft fährt im Sommer täglich von Passau nach "
        "Wien und nimmt am Abend in Linz noch einmal Fahrgäste auf, wie der Fahrplan sagt.",
        "chinese": "这是一个中文文档，用于测试质量评分，因此没有空格。" * 3,
        "code": "StaticType BoxableTypeConstant CollectionTypeConstant IntensionalTypeTable it is",
        "title": "96 Chapter 8. Internationalization and Translations",
        "numbers": "1 2 3\n4.5 6.7\n8 9 10",
    }[language]
    assert not quality.is_garbled(sample)


@pytest.mark.parametrize(
    "sample",
    [
        "नदी रात में बढ़ गई और सुबह तक पानी चक्की की रसोई में आ गया। "
        "किसी ने इतनी जल्दी इसकी उम्मीद नहीं की थी।",
        "রাতে নদীর জল বেড়ে গেল এবং সকালে তা কলের রান্নাঘরে এসে দাঁড়াল। এত তাড়াতাড়ি কেউ এটা আশা করেনি।",
        "இரவில் ஆற்றின் நீர் உயர்ந்தது, காலையில் அது ஆலையின் சமையலறையில் நின்றது. யாரும் இதை எதிர்பார்க்கவில்லை.",
        "בַּלַּיְלָה עָלָה הַנָּהָר וּבַבֹּקֶר עָמְדוּ הַמַּיִם בְּמִטְבַּח הַטַּחֲנָה. אִישׁ לֹא צִפָּה לְכָךְ.",
    ],
    ids=["hindi", "bengali", "tamil", "hebrew"],
)
def test_scripts_with_marks_are_not_garbled(sample) -> None:
    assert not quality.is_garbled(sample) and quality.readability(sample) > 0.9
    assert quality.is_garbled(" ".join(sample.replace(" ", "")))
    glued = sample.replace(" ", "") * 3
    assert quality.is_garbled(glued) and quality.better_text(glued, sample * 3) == sample * 3


# What is damaged, and what is left out


def test_a_page_that_fails_does_not_end_the_document(load) -> None:
    document = load(make_pdfs.with_missing_page())
    assert [page.status for page in document.pages] == ["ok", "failed", "ok"]
    assert "first page" in document.pages[0].text and "third page" in document.pages[2].text
    assert any("Page 2 is left out" in str(warning) for warning in document.warnings)


def test_damaged_files_are_repaired_where_possible(load) -> None:
    assert "flour" in words(load(make_pdfs.with_broken_xref(text_pdf())))
    assert "begins well" in words(load(make_pdfs.with_broken_stream()))


def test_files_beyond_repair_are_refused(load) -> None:
    for data in (text_pdf()[:400], b"%PDF-1.7\nnothing", make_pdfs.many_pages(0)):
        assert "damaged or cut off" in refusal(load, errors.NotReadable, data)
    assert "download it again" in refusal(load, errors.NotReadable, make_pdfs.page_loop())


def test_scanned_pages_are_warned_about(load) -> None:
    assert "OCR" in refusal(load, errors.NoTextLayer, canvas_pdf([make_pdfs.scanned]))
    pages = [make_pdfs.scanned, partial(lines_at, text=PROSE), make_pdfs.scanned]
    document = load(canvas_pdf(pages))
    assert [page.status for page in document.pages] == ["scanned", "ok", "scanned"]
    assert any("Pages 1, 3 are left out" in str(warning) for warning in document.warnings)
    require_text(document)


def test_documents_of_blank_pages_are_refused(load) -> None:
    def blank(canvas) -> None:
        canvas.setAuthor("nobody")  # draws nothing

    assert "no text on any page" in refusal(load, errors.EmptyFile, canvas_pdf([blank, blank]))
    chosen = select_pages(load(canvas_pdf([partial(lines_at, text=PROSE), blank])), "2")
    with pytest.raises(errors.EmptyFile, match="on the chosen pages"):
        require_text(chosen)


def under_a_header(canvas, picture: bool) -> None:
    lines_at(canvas, "Report on the floods of the lower valley", y=800)
    if picture:
        make_pdfs.scanned(canvas)


def test_pictures_under_a_running_header_are_scanned_pages(load) -> None:
    def prose(canvas, word: str) -> None:
        under_a_header(canvas, False)
        lines_at(canvas, PROSE.replace("river", word).replace("miller", f"{word} man"))

    texts = [partial(prose, word=word) for word in ("brook", "stream", "canal", "lake")]
    pages = [
        *texts[:2],
        partial(under_a_header, picture=True),
        *texts[2:],
        partial(under_a_header, picture=False),
    ]
    document = load(canvas_pdf(pages))
    assert [p.status for p in document.pages] == ["ok", "ok", "scanned", "ok", "ok", "empty"]
    assert any("Page 3 is left out" in str(warning) for warning in document.warnings)


def test_garbled_pages_are_left_out(load) -> None:
    private = [
        "".join(chr(0xE000 + ord(c)) if c != " " else c for c in line) for line in PROSE.split("\n")
    ]
    document = load(make_pdfs.unicode_pdf(private))
    assert document.pages[0].status == "garbled" and document.pages[0].text == ""
    assert "OCR" in refusal(load, errors.NoTextLayer, make_pdfs.unicode_pdf(private))
    assert document.warnings


def test_glyph_names_lose_against_the_other_reader(load) -> None:
    data = make_pdfs.glyph_names()
    assert "/g" in pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text()
    assert "/g" not in words(load(data))


def test_a_blank_page_is_empty(load) -> None:
    blank = canvas_pdf([lambda canvas: None])
    assert load(blank).pages[0].status == "empty"
    refusal(load, errors.EmptyFile, blank)


@pytest.mark.parametrize("data", [b"", b" \n\t\n", b"\x00" * 99, b"\xef\xbb\xbf", b"\xff\xfe"])
@pytest.mark.parametrize("name", ["river.pdf", "river.txt"])
def test_empty_files_are_refused(load, data, name) -> None:
    assert "empty" in refusal(load, errors.EmptyFile, data, name)


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "a web page"),
        (b"\n  <HTML><head>", "a web page"),
        (b"MZ\x90\x00" + b"\0" * 60, "a Windows program"),
        ("Just some words – no more.".encode(), "plain text"),
    ],
)
def test_other_files_named_pdf_are_refused(load, data, looks) -> None:
    assert looks in refusal(load, errors.NotReadable, data)


@pytest.mark.parametrize("name", ["notes", "notes.log", "notes.rst", "notes.tex"])
def test_plain_text_by_any_name(load, name) -> None:
    assert words(load("Naïve words.\n".encode(), name)) == "Naïve words."
    assert words(load("Naïve words.\n".encode("utf-16"), name)) == "Naïve words."


def test_a_pdf_signature_in_a_text_and_junk_before_a_pdf(load) -> None:
    assert words(load(b"A file begins with %PDF-1.7 here.", "notes.md")).endswith("1.7 here.")
    assert "flour" in words(load(b"junk\n" + text_pdf()))


def test_unknown_and_missing_files_are_refused(load, tmp_path) -> None:
    refusal(load, errors.NotReadable, b"\x01\x02\x03\x04 nothing known", "thing.bin")
    with pytest.raises(errors.NotReadable, match="no such file"):
        load_document(tmp_path / "missing.pdf")
    with pytest.raises(errors.NotReadable):
        load_document(tmp_path)


def test_a_name_other_than_the_path_is_shown(load) -> None:
    with pytest.raises(errors.EmptyFile, match="“what they called it.pdf”"):
        load(b"", "tmp123.pdf", name="what they called it.pdf")


# Limits, refused before the work


def test_too_large_files_are_refused_before_reading(tmp_path, monkeypatch) -> None:
    path = tmp_path / "big.pdf"
    path.write_bytes(b"%PDF-" + b"0" * 2000)
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read before it was refused"))
    with pytest.raises(errors.TooLong, match="split it first"):
        load_document(path)


def test_too_many_pages_are_refused(load) -> None:
    data = make_pdfs.many_pages(limits.MAX_DOCUMENT_PAGES + 1)
    seen = []
    with pytest.raises(errors.TooLong, match="5,001 pages"):
        load(data, on_progress=lambda *numbers: seen.append(numbers))
    assert seen == []


def test_too_many_characters_are_refused(monkeypatch, tmp_path) -> None:
    path = tmp_path / "long.pdf"
    path.write_bytes(text_pdf([PROSE] * 9))
    monkeypatch.setattr(limits, "MAX_DOCUMENT_CHARACTERS", 500)
    seen = []
    with pytest.raises(errors.TooLong):
        request = ReadRequest(str(path), "long.pdf", "pdf")
        pdf.read_pdf(request, lambda *numbers: seen.append(numbers))
    assert len(seen) < 5
    with pytest.raises(errors.TooLong):
        documents.document_from_text("word " * 200)


def test_a_bomb_ends_in_a_sentence_or_an_empty_page(load) -> None:
    document = load(make_pdfs.bomb(200_000_000))
    assert document.pages[0].status in ("empty", "failed")


# The child process


SLEEPER = "import time, sys; sys.stdin.readline(); time.sleep(60)"


def watch(monkeypatch, program: str) -> list[subprocess.Popen]:
    """Every worker started from now on runs `program`; they are listed."""
    started: list[subprocess.Popen] = []
    real = subprocess.Popen

    def spy(command, **options):
        started.append(real(command, **options))
        return started[-1]

    monkeypatch.setattr(child, "worker_command", lambda: [sys.executable, "-c", program])
    monkeypatch.setattr(subprocess, "Popen", spy)
    return started


def test_stop_kills_the_child(load, monkeypatch) -> None:
    started = watch(monkeypatch, SLEEPER)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(errors.Cancelled):
        load(text_pdf(), stop_event=stop)
    assert started[0].returncode is not None


def test_reading_time_is_limited(load, monkeypatch) -> None:
    started = watch(monkeypatch, SLEEPER)
    monkeypatch.setattr(limits, "BASE_SECONDS", 0.3)
    with pytest.raises(errors.NotReadable, match="too complex|too busy"):
        load(text_pdf())
    assert started[0].returncode is not None
    assert limits.reading_seconds(100) == pytest.approx(0.3 + 10)


def test_a_child_that_waits_for_a_busy_machine_has_more_time(load, monkeypatch) -> None:
    """A machine that is busy with other work makes no file too complex; one that computes is."""
    pytest.importorskip("psutil")
    monkeypatch.setattr(limits, "BASE_SECONDS", 2.0)
    monkeypatch.setattr(limits, "WAITING_FACTOR", 60)
    program = "import sys, time; from app.documents import worker; "
    watch(monkeypatch, program + "time.sleep(3.5); sys.exit(worker.main())")
    assert load(text_pdf()).pages[0].status == "ok"
    watch(monkeypatch, "import sys; sys.stdin.readline()\nwhile True: pass")
    with pytest.raises(errors.NotReadable, match="too complex"):
        load(text_pdf())


def test_a_child_that_dies_is_reported(load, monkeypatch) -> None:
    watch(monkeypatch, "import os; os._exit(9)")
    with pytest.raises(errors.NotReadable, match="too complex"):
        load(text_pdf())


def test_an_exception_in_the_parent_kills_the_child(load, monkeypatch) -> None:
    line = encode_message(ReadProgress(0, 9))
    program = f"import time, sys; sys.stdin.readline(); print({line!r}, flush=True); time.sleep(60)"
    started = watch(monkeypatch, program)

    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(text_pdf(), on_progress=fail)
    assert started[0].returncode is not None


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
def test_memory_is_limited() -> None:
    program = (
        "from app.documents import limits; limits.MEMORY_BYTES = 10**8;"
        "limits.limit_memory(); bytearray(2 * 10**9)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert b"MemoryError" in done.stderr


def test_the_worker_imports_only_what_it_needs() -> None:
    """Starting it stays fast: no model, no page, no tests' libraries, no other kind's."""
    modules = "sys, app.documents.worker, app.documents.readers.pdf.reader"
    program = f"import {modules}; print(list(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    heavy = {
        "torch",
        "gradio",
        "transformers",
        "numpy",
        "sentencepiece",
        "reportlab",
        "docx",
        "pptx",
        "lxml",
        "selectolax",
        "charset_normalizer",
        "rapidocr",
    }
    names = eval(done.stdout)
    assert not heavy & {name.split(".")[0] for name in names}
    engine = {name for name in names if name.startswith("longt5")}
    assert {name for name in engine if not name.startswith("longt5.text")} == {"longt5"}


@pytest.mark.parametrize("kind", ["pdf", "docx", "odt", "pptx", "epub", "html", "markdown", "text"])
def test_the_worker_shows_no_traceback(tmp_path, kind) -> None:
    """The worker writes messages and nothing else, even for a folder in place of a file."""
    request = encode_message(ReadRequest(str(tmp_path), "a", kind))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        [sys.executable, "-m", "app.documents.worker"], cwd=ROOT, text=True, **pipes
    ) as worker:
        assert worker.stdin and worker.stdout and worker.stderr
        worker.stdin.write(request)
        worker.stdin.flush()  # open until the end: the worker takes its closing for its parent's
        lines, mistakes = worker.stdout.read().splitlines(), worker.stderr.read()
    assert worker.returncode == 0 and mistakes == ""
    *_, last = map(decode_message, lines)
    assert isinstance(last, Failure) and isinstance(last.exception(), errors.NotReadable)


# Choosing pages


@pytest.mark.parametrize(
    ("spec", "kept"),
    [
        ("", [1, 2, 3, 4]),
        ("2", [2]),
        ("1-2,4", [1, 2, 4]),
        ("3-", [3, 4]),
        (" 2 – 3 ", [2, 3]),
        ("4-99", [4]),
        ("1,1,1", [1]),
    ],
)
def test_select_pages(spec, kept) -> None:
    pages = tuple(documents.Page(n, str(n), "words", "ok") for n in range(1, 5))
    document = documents.Document("a.pdf", "0", "page", pages, ())
    chosen = select_pages(document, spec)
    assert [p.number for p in chosen.pages if p.status == "ok"] == kept
    assert all(p.text == "" for p in chosen.pages if p.status == "skipped")
    assert len(chosen.pages) == 4


@pytest.mark.parametrize("spec", ["0", "x", "3-2", "1;2", "9", "-2", "1,,2", "1-2-3", "9" * 30])
def test_invalid_page_ranges_are_refused(spec) -> None:
    pages = (documents.Page(1, "1", "words", "ok"),)
    with pytest.raises(errors.BadOption) as caught:
        select_pages(documents.Document("a.pdf", "0", "page", pages, ()), spec)
    assert str(caught.value).endswith(".")


# Real files


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real PDFs is not on this machine")
@pytest.mark.parametrize("name", ["paper_two_col_14p.pdf", "slides_26p.pdf"])
def test_real_pdfs_are_read_completely(name) -> None:
    document = load_document(REAL / name)
    assert sum(page.status == "ok" for page in document.pages) == len(document.pages)
    assert all("\ufffe" not in page.text and "\u00ad" not in page.text for page in document.pages)


def test_passages_after_a_capital_i_with_dot_are_found() -> None:
    text = "\u0130stanbul is far. The har-\nbour is open. \u0130zmir too."
    for passage, found in (
        ("The harbour is open.", "The har-\nbour is open."),
        ("\u0130zmir too.", "\u0130zmir too."),
    ):
        start, end = find_passage(text, passage)
        assert text[start:end] == found


def test_a_passage_interrupted_by_a_note_is_found() -> None:
    head = "The owner of a workshop is its manager as well, and sees to the grain, the mill and all"
    tail = "the people of the village who come to it with their own rice in the months of harvest."
    note = "7 Some call local rice by another name, in view of the stones that it may hold. " * 9
    page = f"Before. {head}\n{note}\n{tail} After."
    first, last = find_passage(page, f"{head} {tail}") or (0, 0)
    marked = page[first:last].strip()
    assert len(marked) > len(head) / 2 and marked in head + tail
