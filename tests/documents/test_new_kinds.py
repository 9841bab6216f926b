"""Mail, chats, transcripts, TeX, RTF, equations, raised type, order of boxes, encodings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from app import errors
from app.documents.encoding import codec_of_label
from app.documents.file_kinds import file_kind
from app.documents.model import Block, BlockKind
from app.documents.raised_type import raised
from app.documents.readers import article, equations, mail, rtf, speech, tex, transcripts
from app.documents.readers.chat import read_chat
from app.documents.readers.office_package import unwrap_alternatives
from app.documents.readers.reading_order import in_reading_order
from tests.corpus import kinds
from tests.documents import new_formats
from tests.documents.helpers import refusal


@pytest.mark.parametrize("case", kinds.kind_cases(), ids=lambda case: case.name)
def test_files_of_each_kind_are_read_whole_and_losses_named(case, tmp_path) -> None:
    assert kinds.case_faults(case, tmp_path) == []


# Refusals


@pytest.mark.parametrize(
    ("name", "cure"), [("a.doc", "DOCX or PDF"), ("a.ppt", "PPTX"), ("a.msg", "EML")]
)
def test_old_office_files_are_refused_with_the_cure(load, name, cure) -> None:
    data = b"\xd0\xcf\x11\xe0" + b"\0" * 600
    assert cure in refusal(load, errors.NotReadable, data, name)


@pytest.mark.parametrize("name", ["a.ipynb", "a.xlsx", "a.mhtml"])
def test_damaged_containers_are_refused(load, name) -> None:
    data = new_formats.sheet([["a", "b"]])[:300] if name == "a.xlsx" else b'{"cells": 1'
    refusal(load, errors.NotReadable, data, name)


def test_a_mail_is_known_by_its_headers_and_a_letter_is_not_one() -> None:
    assert file_kind(new_formats.mail("Hello."), "unnamed")[0] == "mail"
    assert file_kind(new_formats.notebook("Hello."), "unnamed")[0] == "notebook"
    assert file_kind(b"From: Anna\nSubject: Boats\n\nHello.", "letter.txt")[0] == "text"


# Type and equations


@pytest.mark.parametrize(
    ("before", "mark", "shown"),
    [("10", "6", "^6"), ("km", "2", "²"), ("the 21", "st", "st"), ("the boats", "8", ""),
     ("the boats.", "8", ""), ("10", "-6", "^-6"), ("boats", "[9]", ""), ("10", "n+1", "^(n+1)")],
)  # fmt: skip
def test_exponents_stay_and_marks_of_notes_go(before, mark, shown) -> None:
    assert raised(mark, before) == shown


@given(st.integers(0, 10**6), st.integers(1, 99))
def test_a_raised_number_never_joins_the_number_before(base, power) -> None:
    assert f"{base}{raised(str(power), str(base))}" != f"{base}{power}"


OMML = '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">{}</m:oMath>'
RUN = "<m:r><m:t>{}</m:t></m:r>"


@pytest.mark.parametrize(
    ("office", "page", "shown"),
    [
        (
            f"<m:f><m:num>{RUN.format('3')}</m:num><m:den>{RUN.format('4')}</m:den></m:f>",
            "<mfrac><mn>3</mn><mn>4</mn></mfrac>",
            "3/4",
        ),
        (
            f"<m:sSup><m:e>{RUN.format('x')}</m:e><m:sup>{RUN.format('2')}</m:sup></m:sSup>",
            "<msup><mi>x</mi><mn>2</mn></msup>",
            "x^2",
        ),
        (
            f"<m:rad><m:deg/><m:e>{RUN.format('a+b')}</m:e></m:rad>",
            "<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>",
            "√(a + b)",
        ),
        (RUN.format("V=480"), "<mi>V</mi><mo>=</mo><mn>480</mn>", "V = 480"),
    ],
)
def test_equations_of_office_and_of_pages_read_the_same(office, page, shown) -> None:
    node = LexborHTMLParser(f"<p><math>{page}</math></p>").css_first("math")
    assert equations.omml_text(etree.fromstring(OMML.format(office))) == shown
    assert equations.mathml_text(node) == shown


# Slides

boxes = st.lists(
    st.tuples(*[st.integers(0, 100)] * 2, *[st.integers(1, 60)] * 2).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
    max_size=12,
)


@given(boxes)
def test_boxes_in_reading_order_are_the_same_boxes(given_boxes) -> None:
    assert sorted(in_reading_order(given_boxes, lambda box: box)) == sorted(given_boxes)


def test_columns_of_boxes_are_read_one_after_the_other() -> None:
    left = [(0, 0, 40, 10), (0, 12, 40, 50)]
    right = [(60, 0, 100, 10), (60, 12, 100, 50)]
    mixed = [right[1], left[0], right[0], left[1]]
    assert in_reading_order(mixed, lambda box: box) == [*left, *right]


def test_a_choice_of_contents_is_read_once() -> None:
    space = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    root = etree.fromstring(
        f'<a xmlns:mc="{space}"><b/><mc:AlternateContent><mc:Choice><c/><d/></mc:Choice>'
        "<mc:Fallback><e/></mc:Fallback></mc:AlternateContent><f/></a>"
    )
    unwrap_alternatives(root)
    assert [child.tag for child in root] == ["b", "c", "d", "f"]


# Chats, mail, speech

names = st.sampled_from(["Anna", "Jon Lie", "田中", "+47 900 00 000", "Åse"])
stamps = st.sampled_from(
    ["{d}.{m}.2024 klo {h}.{n} - ", "[{m}/{d}/24, {h}:{n}:07 PM] ", "2024-{m}-{d} {h}:{n} - ",
     "{d}/{m}/2024 à {h}:{n} - ", "2024/{m}/{d} 上午{h}:{n} - ", "{h}:{n}, {d}/{m}/2024 - "]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(stamps, st.lists(names, min_size=3, max_size=6), st.integers(1, 12), st.integers(10, 59))
def test_chats_of_any_locale_are_read_without_stamps(stamp, senders, month, minute) -> None:
    when = stamp.format(d=3, m=month, h=9, n=minute)
    found = read_chat([f"{when}{sender}: we meet at the pier" for sender in senders])
    assert found is not None
    assert [line for line in found.lines if line] == [
        f"{sender}: we meet at the pier" for sender in senders
    ]


def test_a_log_and_an_agenda_are_no_chat_and_no_transcript() -> None:
    log = [f"2024-01-02 10:10:1{n} ERROR: disk {n} is full" for n in range(5)]
    assert read_chat(log) is None
    agenda = "9:00 Opening\n9:30 Budget\n10:15 Questions"
    assert read_chat(agenda.split("\n")) is None
    assert transcripts.transcript_cues(agenda) is None


def test_forwarded_mail_stays_and_a_quoted_reply_goes() -> None:
    old = "Can the taxi firm drive it?"
    header = "From: Jon Lie\nSent: Monday, March 6, 2024 8:15\nTo: Anna Berg\nSubject: Bus\n"
    content = f"See below.\n\n{header}\n{old}"
    assert old in "\n".join(mail.clean_reply(content, is_forward=True).lines)
    assert old not in "\n".join(mail.clean_reply(content, is_forward=False).lines)


@pytest.mark.parametrize(
    ("paragraph", "is_notice"),
    [
        (kinds.NOTICE, True),
        ("Diese Nachricht ist vertraulich. Bitte löschen Sie sie, falls Sie sie irrtümlich "
         "erhalten haben.", True),
        ("Each party keeps the other's plans confidential for five years.", False),
        ("He got the message in error and laughed.", False),
    ],
)  # fmt: skip
def test_legal_notices_speak_of_the_message_and_two_other_matters(paragraph, is_notice) -> None:
    assert mail.is_legal_notice(paragraph) == is_notice


@given(st.lists(st.sampled_from("so the boat is full and we pay for it now but".split())))
def test_speech_without_stops_keeps_its_words_in_pieces(words) -> None:
    pieces = speech.cut_speech(" ".join(words))
    assert " ".join(pieces).split() == words
    assert all(len(piece.split()) <= 28 for piece in pieces)


# Markup

markup = st.text(alphabet="\\{}ab$%&~'\"^_ \n0-u", max_size=200)


@settings(max_examples=150, deadline=None)
@given(markup)
def test_any_tex_and_rtf_end_in_blocks(content) -> None:
    blocks, _ = tex.tex_blocks(content)
    assert all(block.text.strip() for block in blocks)
    blocks, _ = rtf.rtf_blocks(("{\\rtf1" + content).encode())
    assert all(block.text.strip() for block in blocks)


def test_the_blocks_of_an_article_are_those_with_its_words() -> None:
    text = "The ferry was rebuilt in 1998 by two fitters. It carries twelve cars."
    shown = [
        kinds_block("The ferry was rebuilt in 1998³ by two fitters. It carries twelve cars."),
        kinds_block("Subscribe to our letter and never miss a story again."),
    ]
    assert article.blocks_inside(shown, text) == shown[:1]


def test_the_lines_of_an_article_stand_where_the_walk_has_few_of_them() -> None:
    heading = Block("The flood", BlockKind.HEADING, 2)
    said = "The river rose in the night and stood in the kitchen of the mill by the morning."
    text = f"The flood\n{said}\n- {said}"
    assert article.article_blocks([heading], text) == [
        heading,
        Block(said),
        Block(said, BlockKind.LIST_ITEM),
    ]
    own = [heading, Block(f"{said} {said}")]
    assert article.article_blocks(own, f"The flood\n{said} {said}") == own


def kinds_block(text: str) -> Block:
    """Return a paragraph."""
    return Block(text)


@pytest.mark.parametrize(
    ("label", "codec"),
    [("windows-874", "cp874"), ("dos-866", "cp866"), ("iso-8859-8-i", "iso8859-8"),
     ("x-sjis", "cp932"), ("ISO-8859-9", "cp1254"), ("latin1", "cp1252"), ("base64", None),
     ("gb2312", "gb18030"), ("nothing", None)],
)  # fmt: skip
def test_labels_of_encodings_mean_what_browsers_mean(label, codec) -> None:
    assert codec_of_label(label) == codec
