"""Plain text: encodings, chats, mail, subtitles, page breaks, wrapped lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import errors
from app.documents import limits
from app.documents import load as documents
from app.documents.characters import (
    display_name,
    normalize_characters,
    strip_controls,
    without_controls,
)
from app.documents.encoding import decode_text
from app.documents.readers.plain import is_markdown
from tests.documents import make_pdfs
from tests.documents.helpers import clean_texts, refusal, words
from tests.documents.make_pdfs import PROSE

TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
pytestmark = pytest.mark.usefixtures("no_child")


def test_plain_text_keeps_its_words_in_parts(load) -> None:
    document = load(b"# Title\n\nOne *two* three.\n", "notes.txt")
    assert document.unit == "part" and document.pages[0].text == "# Title\n\nOne *two* three."
    long = "\n\n".join(f"Paragraph {n}. " + "word " * 90 for n in range(60))
    document = load(long.encode(), "long.txt")
    assert len(document.pages) > 5
    assert words(document).split() == long.split()
    assert max(len(p.text) for p in document.pages) < 2 * limits.PART_CHARACTERS


SAMPLE = "Naïve café, “quoted” — 10 € for Zoë’s crème brûlée.\nSecond line."


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_unicode_encodings_and_windows_1252_are_decoded(encoding) -> None:
    data = SAMPLE.encode(encoding)
    found, warning = decode_text(data)
    assert found == SAMPLE
    assert bool(warning) == (encoding in ("cp1252", "utf-16-le", "utf-16-be"))


def test_bytes_outside_windows_1252_are_still_text() -> None:
    found, warning = decode_text(b"caf\xe9 \x81 end")
    assert found.startswith("café") and "Latin-1" in str(warning)


def test_control_characters_are_removed() -> None:
    raw = "\x1b[31mred\x1b[0m and\x00 \x1b]0;title\x07plain\r\nnext\rlast\x0c."
    assert strip_controls(raw) == "red and plain\nnext\nlast\n\n."
    escaped = "\x9b31mred\x9d0;title\x9c and\x85plain\x80\u200b\u2060."
    assert strip_controls(escaped) == "red and\nplain."


@given(st.text(f"a\u05d0\u200f\x1b\r{TURNING}", max_size=30))
def test_nothing_turns_the_text_around_it(text) -> None:
    """Marks of one character stay: they turn nothing else."""
    for shown in (strip_controls(text), display_name(text), without_controls(text)):
        assert set(TURNING).isdisjoint(shown)
    assert without_controls(text[:9]) + without_controls(text[9:]) == without_controls(text)
    assert strip_controls("\u05d0\u200f!") == "\u05d0\u200f!"


def test_halves_of_surrogate_pairs_are_removed(load) -> None:
    """No file, hash or terminal takes them."""
    document = documents.document_from_text("A stray \ud800half of a pair.")
    assert document.pages[0].text == "A stray half of a pair."
    assert clean_texts(["A stray \udfffhalf of a pair."]) == ["A stray half of a pair."]
    data = make_pdfs.unicode_pdf(PROSE.replace("mill", "\ud800mill").split("\n"))
    assert "kitchen of the" in words(load(data)) and words(load(data)).encode()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_without_controls(data) -> None:
    found, _ = decode_text(data)
    assert "\x00" not in found and "\x1b[" not in found


def letters(shown: str) -> list[str]:
    return [c for c in normalize_characters(shown) if c.isalnum()]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=500) | st.text("ab1 \t\n.>-:A|", max_size=200))
@example("0\x9d0\f\x9c")  # a title that a terminal shows ends with its page
def test_pasted_text_keeps_its_letters(content) -> None:
    clean = strip_controls(content).strip()
    if clean:
        document = documents.document_from_text(content)
        assert letters(words(document)) == letters(clean) or "--" in clean
    else:
        with pytest.raises(errors.EmptyFile):
            documents.document_from_text(content)


def text_of(content: str) -> str:
    return documents.document_from_text(content).pages[0].text


@pytest.mark.parametrize(
    "stamp", ["[12/03/2025, 18:02:11]", "12.03.25, 18:02 -", "3/12/25, 6:02 PM -"]
)
def test_a_chat_is_read_without_its_times(stamp: str) -> None:
    said = ["Lena: We meet at nine.\nBring boots.", "Ben: <Media omitted>", "Ben: Fine", "Yu: ok"]
    chat = "\n".join(f"{stamp} {line}" for line in ["Messages are end-to-end encrypted.", *said])
    document = documents.document_from_text(chat)
    assert document.pages[0].text == ("Lena: We meet at nine. Bring boots.\n\nBen: Fine\n\nYu: ok")
    assert document.warnings
    log = "\n".join(f"[2025-03-12 18:02:1{n}] worker: took job {n} off the queue" for n in range(5))
    assert documents.document_from_text(log).pages[0].text.count("18:02") == 5


def test_a_mail_is_read_without_quotation_marks_and_signature() -> None:
    mail = (
        "Hi all,\n\nwe move the\nlaunch.\n\n-- \nSofia\nTel. +49 30\n\nOn Thu Daniel wrote:\n"
        "> Hi,\n>\n> I ran the script last\n> night.\n>> Can we?"
    )
    shown = text_of(mail)
    assert "we move the launch." in shown and "Sofia" not in shown and ">" not in shown
    assert "I ran the script last night." in shown
    assert tuple(map(str, documents.document_from_text(mail).warnings)) == (
        "Left out: 1 signature.",
    )
    assert text_of("--\nSofia") == "--\nSofia"


SAID = """1
00:00:01,000 --> 00:00:03,500
Welcome to the town hall, and thank you
for coming on such a wet evening.

2
00:00:03,600 --> 00:00:07,000
<i>We have two things to decide tonight,</i>

3
00:00:07,000 --> 00:00:09,000 align:start
and the first is the bridge over the mill race.

4
00:00:09,500 --> 00:00:11,000
[applause]

5
00:00:11,500 --> 00:00:13,000
- What will the bridge cost the town?
- About two million, spread over four years.

6
00:01:25,000 --> 00:01:29,000
MAYOR: The council has asked three builders.
"""
SPOKEN = [
    "Welcome to the town hall, and thank you for coming on such a wet evening. We have two things "
    "to decide tonight, and the first is the bridge over the mill race.",
    "What will the bridge cost the town?", "About two million, spread over four years.",
    "MAYOR: The council has asked three builders.",
]  # fmt: skip


@pytest.mark.parametrize("name", ["talk.srt", "talk.vtt", "talk.txt"])
def test_subtitles_become_paragraphs_of_speech(load, name) -> None:
    content = SAID
    if name == "talk.vtt":
        content = "WEBVTT\n\nNOTE made by hand\n\n" + SAID.replace(",000", ".000")
        content = content.replace(",500", ".500").replace(",600", ".600")
        content = content.replace("MAYOR: ", "<v MAYOR>")
    document = load(content.replace("\n", "\r\n").encode(), name)
    assert document.pages[0].text.split("\n\n") == SPOKEN
    assert tuple(map(str, document.warnings)) == (
        "The numbers and times of the subtitles are left out.",
    )


def test_cues_may_begin_with_a_sign_a_label_or_a_number() -> None:
    cues = ["#MeToo is law.", "Remember the rule\nNumber one: never stop.", "1990\nwas long."]
    content = "\n".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{lines}" for n, lines in enumerate(cues, 1)
    )
    said = "#MeToo is law. Remember the rule Number one: never stop. 1990 was long."
    assert documents.document_from_text(content).pages[0].text == said


def test_a_webvtt_file_may_hold_one_cue() -> None:
    content = "WEBVTT\n\n00:00.000 --> 00:09.000\nWelcome to the town hall."
    assert documents.document_from_text(content).pages[0].text == "Welcome to the town hall."


SILENT = "1\n00:00:01,000 --> 00:00:03,500\n\n2\n00:00:04,000 --> 00:00:06,000\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("talk.vtt", "WEBVTT"),
        ("talk.vtt", "WEBVTT - A talk\nKind: captions\n\nNOTE\nBy hand.\n"),
        ("talk.vtt", "WEBVTT\n\nintro\n00:01.000 --> 00:03.500\n[music]\n"),
        ("talk.srt", SILENT),
        ("talk.srt", SILENT.replace("\n\n", "\n")),
    ],
)
def test_subtitles_without_words_are_refused(load, name, content) -> None:
    said = f"“{name}” has no text, only subtitles without words: choose another file."
    assert refusal(load, errors.EmptyFile, content.encode(), name) == said


@pytest.mark.parametrize(
    "content",
    [
        "WEBVTT is a format for subtitles.",
        "WEBVTT\n\nThe format of subtitles is plain text.",
        "00:00:01,000 --> 00:00:03,500\n\nThat is how a cue begins.",
    ],
)
def test_a_text_that_shows_a_cue_is_not_taken_for_subtitles(content) -> None:
    assert documents.document_from_text(content).pages[0].text.endswith(content[-9:])


def test_roll_up_captions_are_deduplicated() -> None:
    cues = ["one two", "one two\nthree four", "three four\nfive six."]
    content = "WEBVTT\n\n" + "\n\n".join(
        f"00:0{n}.000 --> 00:0{n + 1}.000\n{lines}" for n, lines in enumerate(cues)
    )
    assert documents.document_from_text(content).pages[0].text == "one two three four five six."


def test_a_text_with_one_cue_inside_is_not_taken_for_subtitles() -> None:
    content = f"{PROSE}\n\n00:00:01,000 --> 00:00:03,500\n\nThat is how a cue begins."
    assert "00:00:01,000" in documents.document_from_text(content).pages[0].text


PAGED = [
    f"{PROSE}\n\n{PROSE}\n\n{PROSE}\nAt night the water came up to the old stone floor of",
    f"the kitchen where nobody slept.\n\n{PROSE}\n\n{PROSE}\nThe men of the village carried to",
    f"the church what they could.\n\n{PROSE}\n\n{PROSE}",
]
AROUND = {  # what stands above and below a page
    "form feeds": ("\fReport of the mill {}                    May 2020\n\n", "\n\n{}\n"),
    "numbers": ("", "\n\n- {} -\n\n"),
    "footers": ("", "\n\nMiller, et al.          Standards Track          [Page {}]\n\n"),
}


@pytest.mark.parametrize("kind", AROUND)
def test_sentences_are_rejoined_across_pages_of_plain_text(kind) -> None:
    above, below = AROUND[kind]
    content = "".join(
        f"{above.format(n)}{page}{below.format(n)}" for n, page in enumerate(PAGED, 7)
    )
    pages = documents.document_from_text(content).pages
    read = "\n\n".join(page.text for page in pages)
    assert "came up to the old stone floor of the kitchen where nobody slept." in read
    assert "carried to the church what they could." in read
    assert "Track" not in read and not re.search(r"^\W*\d+\W*$", read, re.M)
    assert read.count("Report of the mill") <= 1  # on top of the first page it is a title


def test_sentences_are_rejoined_below_the_header_of_a_two_page_text() -> None:
    begun = "When no answer arrives within five seconds, the sensor of the plant sends it again,"
    content = f"{PROSE}\n{begun}\n\nTester      [Page 1]\n\f\nRFC 1      Plants      June\n\n"
    assert f"{begun} at most three times." in text_of(content + "at most three times.")


def test_short_lines_above_a_page_break_are_titles() -> None:
    content = "THE MILL\n\fTold by the Miller\n\fChapter One\n\nThe river rose in the night."
    paragraphs = ["THE MILL", "Told by the Miller", "Chapter One", "The river rose in the night."]
    assert text_of(content).split("\n\n") == paragraphs
    assert "\n\n" not in text_of(f"{PROSE} So\nthey met in\n\fLeeds.")


def test_long_wrapped_lines_are_joined() -> None:
    line = " ".join(f"{PROSE} And so they went to the village to ask for the help of".split())
    assert f"{line} all." in text_of(f"{line}\nall.\n{line} others.")
    assert text_of(f"{line} some.\n{line} others.").count("\n\n") == 1


def test_chapter_numbers_are_not_taken_for_page_numbers() -> None:
    content = "\n\n".join(f"{n}\n\n" + "\n\n".join([PROSE] * 3) for n in range(1, 9))
    read = "\n\n".join(page.text for page in documents.document_from_text(content).pages)
    assert re.findall(r"^\d$", read, re.M) == list("12345678")


def test_only_the_book_of_a_project_gutenberg_file_is_read(load) -> None:
    frame = "*** {} OF THE PROJECT GUTENBERG EBOOK THE MILL ***\n\n"
    book = f"You may copy it.\n\n{frame.format('START')}{PROSE}\n\n{frame.format('END')}Licence."
    document = load(book.encode(), "mill.txt")
    assert words(document).split() == PROSE.split()
    assert tuple(map(str, document.warnings)) == (
        "The licence of Project Gutenberg around the book is left out.",
    )


def test_wrapped_lines_are_joined_but_items_rows_and_log_entries_are_not() -> None:
    long = "The parish council will discuss the results of it on the eighteenth of March, when it "
    content = (
        f"# Agenda\nAGENDA\nHeld in the hall\n{long}\nmeets in the hall be-\nside the church.\n"
        "- Water is off.\n"
        "- Bonfires\n2.\tMr. Wood spoke about them for half an hour in all and was then thanked.\n"
        "Signed by A    Signed by B\n2025-02-11T08:00:00Z INFO A connection from 10.0.4.1 is here\n"
        "2025-02-11T08:00:01Z INFO A connection from 10.0.4.2 is there\nANNA WOOD: It is a time."
    )
    assert text_of(content).split("\n\n") == [
        "# Agenda",
        "AGENDA",
        "Held in the hall",
        f"{long}meets in the hall be-side the church.",
        "- Water is off.",
        "- Bonfires",
        "2. Mr. Wood spoke about them for half an hour in all and was then thanked.",
        "Signed by A | Signed by B",
        "2025-02-11T08:00:00Z INFO A connection from 10.0.4.1 is here",
        "2025-02-11T08:00:01Z INFO A connection from 10.0.4.2 is there",
        "ANNA WOOD: It is a time.",
    ]


@pytest.mark.parametrize(
    ("text", "is_marked_up"),
    [
        ("# Mills\n\nThe [council](https://example.org/c) sold the mill in May.", True),
        ("The [mill](#mill) and the [dam](dam.md) were sold in May.", True),
        ("# Mills\n\nThe mill was sold in May.\n\n```\nsell mill\n```", True),
        ("# Mills\n\nThe mill was sold in May.", False),
        ("C# [1](2) was named after a note.", False),
        ("The mill [see the map] (north of the town) was sold in May.", False),
    ],
)
def test_pasted_markdown_is_read_as_such(text: str, is_marked_up: bool) -> None:
    assert is_markdown(text) == is_marked_up
    read = documents.document_from_text(text).pages[0].text
    if is_marked_up:
        assert "](" not in read and "sell mill" not in read and "sold" in read
    else:
        assert read == text


@pytest.mark.parametrize("text", ["https://example.org/report.pdf", "  http://example.org/a?b \n"])
def test_a_lone_address_is_refused_because_nothing_is_fetched(text: str) -> None:
    with pytest.raises(errors.NotReadable, match="nothing is fetched: save the page"):
        documents.document_from_text(text)
    assert documents.document_from_text(f"The report is at {text}").pages
