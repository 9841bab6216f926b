"""Raw page text becomes prose: characters, hyphens, running lines, paragraphs, contents."""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlab.platypus import Table

from app.documents.dehyphenation import Dehyphenator
from app.documents.interrupted_sentences import rejoin_cut_sentences
from app.documents.line_layout import BodyStyle, LineLayout
from app.documents.load import load_document
from app.documents.model import Block, join_blocks
from app.documents.paragraph_breaks import (
    BREAKS_ALWAYS,
    BREAKS_BY_LAYOUT,
    BREAKS_BY_LENGTH,
    NEW_PARAGRAPH,
    SAME_PARAGRAPH,
    BreakRule,
    LinePair,
    rule_for,
)
from app.documents.paragraphs import join_laid_out, join_lines, keep_hyphen
from app.documents.readers.pdf.page_model import placed_lines
from app.documents.readers.pdf.page_reader import PageReader
from app.documents.references import find_references
from app.documents.running_lines import drop_running_lines
from app.documents.table_of_contents import contents_lines, without_leaders
from tests.documents.helpers import clean_texts
from tests.documents.make_pdfs import PROSE, canvas_pdf, lines_at

pytestmark = pytest.mark.usefixtures("no_child")

EXAMPLE = Path(__file__).parents[2] / "assets" / "examples" / "merrow-report.pdf"


def drop_contents_of(pages: list[str]) -> tuple[list[str], list[int]]:
    """Return the texts without their contents, and the indexes of pages that had any."""
    split = [page.split("\n") for page in pages]
    drops = contents_lines(split)
    kept = [
        "\n".join(without_leaders(x) for i, x in enumerate(page) if i not in drop)
        for page, drop in zip(split, drops, strict=True)
    ]
    return kept, [index for index, drop in enumerate(drops) if drop]


def rejoined(pages: list[str]) -> list[str]:
    """Return page texts with their cut sentences rejoined."""
    found = rejoin_cut_sentences([[*map(Block, page.split("\n\n"))] for page in pages])
    return [join_blocks(page) for page in found]


def clean(*texts: str) -> list[str]:
    return clean_texts(texts)


# Characters and hyphens


def test_ligatures_spaces_and_control_characters() -> None:
    assert clean("The e\ufb03cient\u00a0o\ufb03ce,  a\tsta\ufb00\x00 \ufb02oor.\u200b") == [
        "The efficient office, a staff floor."
    ]


@pytest.mark.parametrize("mark", ["\u00ad", "\u00ad\n", "\uffff\n", "\ufffe", "\ufffe\n"])
def test_soft_hyphens_join(mark) -> None:
    assert clean(f"an over{mark}heard thing") == ["an overheard thing"]
    assert clean(f"the moun{mark}tain") == ["the mountain"]


def test_line_end_hyphens_of_pdfium_may_be_real() -> None:
    assert clean("a Debian\ufffebased one, based on Debian") == [
        "a Debian-based one, based on Debian"
    ]
    assert clean("an up\ufffeto-date and up-to thing, upto")[0].startswith("an upto-date")
    assert clean("on pages 3\ufffe4 and") == ["on pages 3-4 and"]
    assert clean("ends with a cut wo\ufffe") == ["ends with a cut wo-"]


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("a long exam-\nple, one example", "a long example, one example"),
        ("an Exam-\nple, one example", "an Example, one example"),
        ("a well-\nknown thing", "a well-known thing"),
        ("some dys-\nmorphic forms", "some dys-morphic forms"),  # known to nobody here
        ("the realign-\nment; realignments", "the realignment; realignments"),
        ("co-\nop and co-op", "co-op and co-op"),
        ("pages 3-\n4", "pages 3-4"),
        ("a vitamin C-\nrich diet", "a vitamin C-rich diet"),
    ],
)
def test_hyphens_join_only_known_words(text, joined) -> None:
    (page,) = clean(text)
    assert page == joined


def test_compounds_keep_their_hyphen() -> None:
    hyphens = Dehyphenator.of(["wellness and wellington; a well-\nspring"])
    assert hyphens.join("well", "-", "known") == "well-known"
    assert "well" not in hyphens.words and "spring" not in hyphens.words


# Running headers and page numbers


def body(number: int) -> str:
    """Lines of a page, unlike those of any other page."""
    letter = "abcdefghijklmnopqrstuvwxyz"[number]
    words = "one two six ten".split()
    return "\n".join(f"{letter * 3} line {letter}{word} goes on" for word in words)


def test_running_headers_are_removed_but_the_title_on_page_one_stays() -> None:
    pages = [f"The Annual Report\n{body(n)}\nPage {n} of 9" for n in range(1, 10)]
    cleaned = drop_running_lines(pages)
    assert cleaned[0].startswith("The Annual Report\nbbb line")
    assert all("Annual" not in page for page in cleaned[1:])
    assert cleaned[4] == body(5)


def test_alternating_headers_of_left_and_right_pages_are_removed() -> None:
    heads = ["The Society", "Salt and silt"]
    pages = [f"{heads[n % 2]}\n{body(n)}\n{n}" for n in range(1, 13)]
    assert drop_running_lines(pages)[5] == body(6)


def test_headers_that_differ_in_roman_or_fractional_numbers_are_removed() -> None:
    numbers = ["i", "ii", "iii", "iv", "1 / 20", "2 / 20", "3 / 20", "4 / 20"]
    pages = [f"A short history {n}\n{body(i)}" for i, n in enumerate(numbers)]
    assert drop_running_lines(pages)[1:] == [body(i) for i in range(1, 8)]


def test_footers_with_page_numbers_are_removed_when_chapters_change() -> None:
    pages = [f"{body(n)}\n{n + 4} Chapter {n // 3}. Title {'abc'[n % 3]}{n}" for n in range(12)]
    assert drop_running_lines(pages)[7] == body(7)


def test_running_chapter_titles_are_removed() -> None:
    pages = [f"CHAPTER 3. CHOOSING 3.{n}. {'xyz'[n % 3] * 9}\n{body(n)}" for n in range(9)]
    assert drop_running_lines(pages)[4] == body(4)


def test_page_of_pages_is_removed_from_the_first_page_on() -> None:
    head = "Gull Press | Page {} of 2"
    first, second = clean(*(f"{head.format(n)}\n\nThe mill\n\nIt rose." for n in (1, 2)))
    assert first == "The mill\n\nIt rose." and "Gull" not in second
    assert clean("See page 3 of 9 for the mill.") == ["See page 3 of 9 for the mill."]


def test_footers_of_an_annex_are_removed() -> None:
    foot = "MILL QUESTIONNAIRE Version 3 {}/6"
    letters = "abcdefghijklmnopqrstuvwxyz"
    pages = [body(n % 26) + f"\n{letters[n % 26] * 2} ends {letters[n // 3]}" for n in range(40)]
    annex = [f"{body(n)}\n{foot.format(n + 1)}" for n in range(6)]
    cleaned = drop_running_lines([*pages, *annex])
    assert cleaned[40:] == [body(n) for n in range(6)]
    few = [*pages, *annex[:3]]
    assert drop_running_lines(few)[40:] == annex[:3]


def test_numbered_headings_stay() -> None:
    pages = [f"{n * n + 1} Results of part {'abcdefgh'[n]}\n{body(n)}" for n in range(8)]
    assert drop_running_lines(pages) == pages


def test_repeated_lines_inside_pages_and_in_short_documents_stay() -> None:
    filler = "\n".join(f"words {c} of a line" for c in "abcd")
    pages = [f"{filler}\nNote the same line\n{filler}{n}" for n in range(9)]
    assert all("Note the same line" in page for page in drop_running_lines(pages))
    two = ["Head\nsome text", "Head\nmore text"]
    assert drop_running_lines(two) == two


BREAKS = [*BREAKS_ALWAYS, *BREAKS_BY_LAYOUT, *BREAKS_BY_LENGTH]


@pytest.mark.parametrize("rule", BREAKS, ids=lambda rule: rule.name)
def test_each_break_rule_decides_its_example(rule: BreakRule) -> None:
    assert rule_for(rule.example).name == rule.name


def test_break_rules_have_different_names() -> None:
    assert len({rule.name for rule in BREAKS}) == len(BREAKS)


# Paragraphs with layouts: how the lines stand on the page


def test_lines_without_layout_become_paragraphs() -> None:
    text = (
        "1 Introduction\n"
        "The tide came in over the flats and the water stood at the wall until the\n"
        "evening, when it went out again.\n"
        "A second paragraph begins after a short line and it also goes on for long\n"
        "enough to reach the margin twice before it comes to an end at this place.\n"
        "• one thing to remember\n"
        "• another one\n\n"
        "RESULTS\n"
        "The last of it."
    )
    (page,) = clean(text)
    paragraphs = page.split("\n\n")
    assert paragraphs[0] == "1 Introduction"
    assert paragraphs[1].endswith("it went out again.")
    assert paragraphs[2].startswith("A second") and paragraphs[2].endswith("this place.")
    assert paragraphs[3:] == [
        "• one thing to remember",
        "• another one",
        "RESULTS",
        "The last of it.",
    ]


def test_chinese_lines_join_without_a_space() -> None:
    assert clean("这是一个中文文档，用于\n测试质量。") == ["这是一个中文文档，用于测试质量。"]


@pytest.mark.parametrize("stop", ".।؟۔。")
def test_a_full_stop_of_any_script_ends_a_paragraph(stop) -> None:
    line = "नदी रात में बढ़ गई और सुबह तक पानी आ गया"
    (page,) = clean(f"{line}\n{line}\nसब गए{stop}\n{line}\n{line}")
    assert page == f"{line} {line} सब गए{stop}\n\n{line} {line}"


LINES = st.lists(
    st.text(alphabet="abcdE .,!?1234()•日本", min_size=1, max_size=40), min_size=1, max_size=30
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.data())
def test_joining_lines_keeps_every_letter(lines, data) -> None:
    def layout(place: int) -> LineLayout:
        return LineLayout(
            data.draw(st.sampled_from([10.0, 14.0])),
            data.draw(st.booleans()),
            data.draw(st.sampled_from([7.0, 8.0])),
            data.draw(st.sampled_from([None, 0.0, 9.0, float("inf")])),
            data.draw(st.sampled_from([0.0, 1.2, 2.0])),
            data.draw(st.booleans()),
            place,
            data.draw(st.integers(0, 9)),
            data.draw(st.booleans()),
        )

    shown = [" ".join(line.split()) for line in lines]
    laid_out = [(x, layout(n) if data.draw(st.booleans()) else None) for n, x in enumerate(shown)]
    blocks = join_laid_out(laid_out, BodyStyle(10.0, 1.2), keep_hyphen)
    text, joined = "\n".join(shown), "\n\n".join(block.text for block in blocks)
    assert sorted({n for block in blocks for n in block.lines}) == [
        n for n, line in enumerate(shown) if line
    ]
    # The heading that a line begins with loses its full stop.
    ours, theirs = ("".join(some.split()).replace(".", "") for some in (joined, text))
    assert ours == theirs
    assert "\n\n\n" not in joined


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=200), min_size=1, max_size=2))
def test_cleaning_any_text_never_fails(texts) -> None:
    assert len(clean(*texts)) == len(texts)


def test_a_very_long_paragraph_is_joined_in_linear_time() -> None:
    """Found by chance: each line once searched all that had been joined before it."""
    line = "word after word of it and a line that goes on-\nward with more words to the\n"
    (page,) = clean(line * 20_000)
    assert page.count("\n") == 0 and page.count("on-ward") == 20_000


# Paragraphs with layout: how the lines stand on the page


def layout_of(draw) -> dict[str, LineLayout]:
    document = pypdfium2.PdfDocument(io.BytesIO(canvas_pdf([draw])))
    page = PageReader(lambda: None, document).read(0)
    assert page.lines is not None
    return {" | ".join(line.cells): line.layout for line in placed_lines(page.lines)}


def test_layouts_hold_size_weight_and_space_on_the_right() -> None:
    def draw(canvas) -> None:
        lines_at(canvas, "A large title", y=780, size=20)
        canvas.setFont("Times-Bold", 11)
        canvas.drawString(72, 740, "A bold heading")
        lines_at(canvas, PROSE + "\nand that is all.", y=720)

    layout = layout_of(draw)
    title, heading = layout["A large title"], layout["A bold heading"]
    last, full = layout["and that is all."], layout[PROSE.split("\n")[0]]
    assert title.size == pytest.approx(heading.size * 20 / 11, rel=0.1)
    assert heading.is_bold and not title.is_bold and not full.is_bold
    assert (
        last.space_right is not None
        and full.space_right is not None
        and last.space_right > full.space_right + 10
    )
    assert last.space_above == pytest.approx(11 * 1.3 / last.size, rel=0.05)


@pytest.mark.parametrize(
    ("before", "raised", "after", "line"),
    [
        (
            "Born in the mill",
            "12",
            "and raised by the sea.",
            "Born in the mill and raised by the sea.",
        ),
        ("It holds 10", "6", "litres of water.", "It holds 10⁶ litres of water."),
        ("It covers 40 km", "2", "of land.", "It covers 40 km² of land."),
        ("It was in 1998", "3", "that it closed.", "It was in 1998³ that it closed."),
        ("It begins on the 21", "st", "of May.", "It begins on the 21st of May."),
        ("The rule (", "4", ") was kept.", "The rule was kept."),
        ("(", "4", ") See the rule of the year before.", "(4) See the rule of the year before."),
    ],
)
def test_raised_type_is_a_mark_or_an_exponent(before, raised, after, line) -> None:
    gap = "" if after.startswith(")") else " "

    def draw(canvas) -> None:
        x = 72.0
        for text, size, rise in ((before, 11, 0), (raised, 7, 4), (gap + after, 11, 0)):
            canvas.setFont("Times-Roman", size)
            canvas.drawString(x, 700 + rise, text)
            x += canvas.stringWidth(text, "Times-Roman", size)

    assert line in layout_of(draw)


def read(draw, tmp_path) -> list[str]:
    path = tmp_path / "page.pdf"
    path.write_bytes(canvas_pdf([draw]))
    return load_document(path).pages[0].text.split("\n\n")


def test_cells_of_several_lines_stay_separate(tmp_path) -> None:
    what = "All mills are visited\ntwice in a year by us\nand by others.", "Three\ntake\nhalf."
    rows = ("Price of\ngrain", what[0], "Up\nagain"), ("Large\nbuyers", what[1], "Down\nagain")

    def draw(canvas) -> None:
        for row, y in zip(rows, (700, 640), strict=True):
            for x, cell in zip((72, 160, 380), row, strict=True):
                lines_at(canvas, cell, x=x, y=y - 10 * (2 - cell.count("\n")))  # in the middle

    found = " ".join("\n".join(read(draw, tmp_path)).split())
    assert "All mills are visited twice in a year by us and by others." in found


@pytest.mark.parametrize("above", [PROSE, "A figure"])
def test_sentences_continue_in_the_next_column(above: str, tmp_path) -> None:
    halves = (
        "It rose in the night and\nnobody saw it before it\nstood in the kitchen of",
        "Gull Mill by the morning.\nThe flour was on the floor\nand nobody swept it up.",
    )

    def draw(canvas) -> None:
        lines_at(canvas, above, y=760)
        for x, half in zip((72, 230), halves, strict=True):
            lines_at(canvas, half, x=x, y=680)

    assert "kitchen of Gull Mill" in " ".join(read(draw, tmp_path))


def test_headings_and_table_rows_keep_lines_of_their_own(tmp_path) -> None:
    rows = [["Site", "Area", "Cost"], ["Gannet Fields", "118", "4.8"], ["Long Reach", "247", "9"]]

    def draw(canvas) -> None:
        canvas.setFont("Times-Bold", 11)
        canvas.drawString(72, 780, "What the river did")
        y = lines_at(canvas, PROSE, y=764)
        table = Table(rows, colWidths=[120, 80, 80])
        table.wrapOn(canvas, 400, 200)
        table.drawOn(canvas, 72, y - 80)
        lines_at(canvas, PROSE.replace("miller", "smith"), y=y - 100)

    found = read(draw, tmp_path)
    assert found[0] == "What the river did"
    assert found[1] == PROSE.replace("\n", " ")
    assert found[2].split("\n") == [
        "Site | Area | Cost",
        "Gannet Fields | 118 | 4.8",
        "Long Reach | 247 | 9",
    ]
    assert found[3].startswith("The river rose")


def test_wide_space_and_indents_separate_paragraphs(tmp_path) -> None:
    texts = [PROSE.replace("river", name).replace("the ", f"the {name} ") for name in "XYZ"]

    def draw(canvas) -> None:
        y = lines_at(canvas, texts[0], y=780)
        y = lines_at(canvas, texts[1], y=y - 12)
        for n, line in enumerate(texts[2].split("\n")):
            lines_at(canvas, line, x=72 + 15 * (n == 0), y=y - 14.3 * n)

    assert read(draw, tmp_path) == [text.replace("\n", " ") for text in texts]


BOLD_LEADS = [  # in bold, and what the line goes on with; the heading that is found, if one
    ("Study area.", 1, "The valley is wet and the", "Study area."),
    ("Policies on care at home.", 1, "The county pays for", "Policies on care at home"),
    ("All children are tested.", 1, "The county pays for", "All children are tested."),
    ("The river rose at night.", 1, "The county pays for", "The river rose at night."),
    ("Nobody counted the dead.", 1, "The county pays for", "Nobody counted the dead."),
    ("Study area", 2.5, "The valley is wet and the", "Study area"),
    ("Study area", 1, "The valley is wet and the", None),
    ("The Tenant", 1, "shall pay the rent to the", None),
    ("Table 3. Rents.", 1, "The values of the year", None),
    ("Market size:", 1, "The county is small and", None),
    ("U.S.", 1, "Senators from the valley say that the", None),
    ("Mill Trust Inc.", 1, "Chair Anna Wood says that the", None),
    ("Appendix A.", 1, "The valley is wet and the", "Appendix A."),
]


@pytest.mark.parametrize("lead, spaces, rest, heading", BOLD_LEADS)
def test_bold_run_in_headings_are_separated(lead, spaces, rest, heading, tmp_path) -> None:
    def draw(canvas) -> None:
        y = lines_at(canvas, PROSE, y=780)
        canvas.setFont("Times-Bold", 11)
        canvas.drawString(72, y, lead)
        at = 72 + canvas.stringWidth(lead, "Times-Bold", 11) + spaces * 2.75
        canvas.setFont("Times-Roman", 11)
        canvas.drawString(at, y, rest)
        lines_at(canvas, "land is low.\n" + PROSE, y=y - 14.3)

    found = read(draw, tmp_path)
    assert heading is None or heading in found
    assert any(text.startswith(rest) if heading else f"{lead} {rest}" in text for text in found)


def test_a_run_in_heading_may_hold_a_word_in_another_font(tmp_path) -> None:
    pieces = [
        ("How", "Times-Bold", 3),
        ("Mills", "Courier", 3),
        ("work", "Times-Bold", 8),
        ("The water turns a wheel that", "Times-Roman", 0),
    ]

    def draw(canvas) -> None:
        y, x = lines_at(canvas, PROSE, y=780), 72.0
        for text, font, space in pieces:
            canvas.setFont(font, 11)
            canvas.drawString(x, y, text)
            x += canvas.stringWidth(text, font, 11) + space
        lines_at(canvas, "turns a stone.\n" + PROSE, y=y - 14.3)

    assert "How Mills work" in read(draw, tmp_path)


@pytest.mark.parametrize("line", ["3.5 million people moved", "10 people of the village moved"])
def test_a_line_that_begins_with_an_amount_is_no_heading(line) -> None:
    above = "The river rose in the night and the mill stood in water until the morning.\n" * 3
    assert join_lines(f"{above}{line}\naway.").endswith(f"morning. {line} away.")


def test_a_numbered_run_in_heading_is_separated_from_a_full_line() -> None:
    lines = [
        "We began in May and went on until the year was over, as the law wants it.",
        "3.2 Methods We asked two hundred farmers in four valleys and three towns of",
        "the county how they had done.",
    ]
    full = [LineLayout(10, space_right=room, index=n) for n, room in enumerate((0.5, 0.5, 9))]
    full[1] = LineLayout(10, space_right=0.5, index=1, bold_letters=9)
    laid_out = list(zip(lines, full, strict=True))
    blocks = join_laid_out(laid_out, BodyStyle(10), keep_hyphen)
    assert [block.text for block in blocks] == [
        lines[0],
        "3.2 Methods",
        lines[1].removeprefix("3.2 Methods ") + " " + lines[2],
    ]


@pytest.mark.parametrize(("verb", "stop"), [("rose", "."), ("high", "")])
def test_a_bold_heading_on_two_lines_keeps_the_stop_of_a_sentence(verb, stop) -> None:
    lines = [
        f"The river that runs by the old mill and the church {verb} in the valley",
        "of Merrow. The council had asked two hundred farmers in three towns of",
        "the county how they had done.",
    ]
    own = (
        LineLayout(10, True, space_right=0.5),
        LineLayout(10, space_right=0.5, index=1, bold_letters=8),
        LineLayout(10, space_right=9, index=2),
    )
    laid_out = list(zip(lines, own, strict=True))
    heading, rest = (b.text for b in join_laid_out(laid_out, BodyStyle(10), keep_hyphen))
    assert heading == f"{lines[0]} of Merrow{stop}" and rest.startswith("The council")


# Tables of contents


TITLES = ["A drowned valley", "How the marsh was lost", "The night of the surge", "Five partners",
          "Choosing the sites", "What was not chosen", "How a wall is opened", "The harbour",
          "Birds", "Fish and oysters"]  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    [
        "{n} {t} . . . . . . . . {p}",
        "{n} {t}........{p}",
        "{n} {t} …………… {p}",
        ". . . . . . . . . {p}\n{n} {t}",
        "{n} {t}\n. . . . . . . . . {p}",
        "{n} {t} {p}",
    ],
)
def test_tables_of_contents_are_removed(entry) -> None:
    lines = [entry.format(n=f"1.{i}", t=t, p=2 * i + 3) for i, t in enumerate(TITLES)]
    page = "Ten Years\nContents\n" + "\n".join(lines) + "\nA sentence that follows stays here."
    pages, found = drop_contents_of([page, body(1)])
    assert found == [0]
    assert pages == ["Ten Years\nA sentence that follows stays here.", body(1)]


def test_titles_without_page_numbers_are_removed_where_contents_continue() -> None:
    first, second = (
        "\n".join(f"{n}.{i} {t} {n * 20 + i}" for i, t in enumerate(TITLES)) for n in (1, 2)
    )
    second = f"What the people of the valley who\n{second}\nWeb annexes\nA. What was asked"
    text = "The report was written\nin one winter."
    pages, found = drop_contents_of([f"Ten Years\n{first}", second, f"{second}\n{text}", second])
    assert found == [0, 1, 2, 3]
    assert pages[0] == "Ten Years" and not pages[1].strip() and pages[2].endswith(text)


def test_forms_tables_and_sentences_are_not_taken_for_contents() -> None:
    form = "\n".join(f"{title} ........................" for title in TITLES)
    table = "\n".join(
        f"{title} {n}" for title, n in zip(TITLES, [9, 2, 7, 1, 8, 3, 9, 1, 6, 2], strict=True)
    )
    prose = "And then . . . nothing happened in 1953\n" * 9
    for page in (form, table, prose):
        pages, found = drop_contents_of([page])
        assert found == [] and "....." not in pages[0]
        assert pages[0].count("\n") == page.count("\n")


def test_contents_of_the_example_are_left_out_with_a_warning() -> None:
    document = load_document(EXAMPLE)
    assert tuple(map(str, document.warnings)) == (
        "The table of contents (pages iii-iv) is left out.",
    )
    assert all(". . ." not in page.text for page in document.pages)
    assert document.pages[2].text == "" and document.pages[2].status == "skipped"
    assert document.pages[0].text.startswith("Ten Years of the Merrow")
    assert all("The Merrow Partnership" not in page.text[:30] for page in document.pages[5:])


# References


def test_notes_are_references_where_their_lines_are_sources() -> None:
    prose = "The mill was built of stone by the river, and nobody mends its wheel.\n\n" * 20
    sources = "".join(f"• ^ Miller, A. ({1990 + n}). Mills and weirs.\n" for n in range(6))
    page = f"{prose}Notes\n\nCitations\n\n{sources}"
    assert find_references([page]) == [(0, page.index("Notes"), len(page))]
    assert find_references([f"{prose}Notes\n\n{prose}"]) == []
    rows = "".join(f"Sales | 1,204 | {1990 + n}.\n" for n in range(9))
    assert find_references([f"{prose}Notes\n\n{rows}"]) == []


def test_references_end_before_the_appendix() -> None:
    pages = [page.text for page in load_document(EXAMPLE).pages]
    spans = find_references(pages)
    text = "".join(pages[index][start:end] for index, start, end in spans)
    assert text.startswith("References") and "Tarrant, J. (2019)" in text
    assert "How things were measured" not in text and "eighth sentence" not in text


@pytest.mark.parametrize(
    "heading",
    [
        "References",
        "REFERENCES",
        "7 References",
        "VII. Bibliography",
        "Works Cited",
        "Literature",
        "## References",
        "Literaturverzeichnis",
    ],
)
def test_headings_of_references(heading) -> None:
    pages = ["Prose " * 80, f"More prose here.\n\n{heading}\n\n[1] A. Author. A title.", "[2] B."]
    start = pages[1].index(heading)
    assert find_references(pages) == [(1, start, len(pages[1])), (2, 0, 6)]


def test_references_end_at_a_title_that_never_belongs_to_them() -> None:
    tail = "[3] C.\n\nAppendix A: More\n\nWords."
    pages = ["Prose " * 50, "References\n\n[1] A.\n\n[2] B.", tail, "The end."]
    assert find_references(pages) == [(1, 0, len(pages[1])), (2, 0, tail.index("Appendix"))]
    for title in (
        "Methods",
        "Online Methods",
        "8 Conclusion",
        "Chapter 12 The end",
        "Part II",
        "Author contributions",
        "Data availability",
    ):
        pages[2] = f"[3] C.\n\n{title}\n\nWords."
        assert find_references(pages)[1:] == [(2, 0, pages[2].index(title))]
    pages[2] = "[3] C.\n\nMethods of proof. In D (ed.), Logic.\n\nChapter 3, Nine Publishers."
    assert find_references(pages)[1:] == [(2, 0, len(pages[2])), (3, 0, len(pages[3]))]
    pages[2] = "Appendix\n\nWords."
    assert find_references(pages) == [(1, 0, len(pages[1]))]


@pytest.mark.parametrize(
    "pages",
    [
        ["Prose that mentions references and goes on. " * 9],
        ["References\n\nA glossary of terms opens this book.", "Prose " * 200],
        ["Prose " * 50, "References . . . . . . 12\nIndex . . . . . . 14"],
        [],
        [""],
    ],
)
def test_texts_without_a_list_of_references(pages) -> None:
    assert find_references(pages) == []


@pytest.mark.parametrize(
    ("heading", "following", "resumes"),
    [
        ("3 References", "4 Recommendations", True),
        ("3. References", "4. Costs, benefits and risks", True),
        ("## 3 References", "## 4 Outlook for 2030", True),
        ("7.3 References", "7.4 Next steps", True),
        ("7.3 References", "8 Recommendations", True),
        ("Chapter 5 References", "6 What follows", True),
        ("3 References", "5 Costs", False),
        ("3 References", "4 Smith, J. (2019). On rivers", False),
        ("3 References", "4 costs of a mill", False),
        ("References", "4 Recommendations", False),
    ],
)
def test_references_end_at_the_chapter_with_the_next_number(heading, following, resumes) -> None:
    tail = f"Brown, B. (2020). On mills.\n\n{following}\n\nWe recommend a bridge."
    pages = ["Prose " * 80, f"More.\n\n{heading}\n\nAmes, A. (2018). On tides.", tail, "The end."]
    begin = (1, pages[1].index(heading), len(pages[1]))
    rest = [(2, 0, tail.index(following))] if resumes else [(2, 0, len(tail)), (3, 0, 8)]
    assert find_references(pages) == [begin, *rest]


def test_numbered_references_are_not_taken_for_chapters() -> None:
    entries = [f"{n} Ames A, Brown B, On tides and mills, Oslo {2000 + n}" for n in range(1, 8)]
    listed = "3 References\n\n" + "\n\n".join(entries)
    pages = ["Prose " * 80, listed, "4 Recommendations\n\nWe recommend a bridge."]
    assert find_references(pages) == [(1, 0, len(listed))]
    pages[2] = "8 Ames A, Letters"
    assert find_references(pages) == [(1, 0, len(listed)), (2, 0, len(pages[2]))]


def test_references_begin_at_the_last_heading_of_references() -> None:
    pages = ["Prose " * 50, "References\n\nto earlier work are few.", "Bibliography\n\n[1] A."]
    assert find_references(pages) == [(2, 0, len(pages[2]))]


# Sentences that notes, captions and tables cut


HEAD = "The owner of a workshop is its manager too; in small ones managers run the mill with the"
TAIL = "help of one attendant who takes care of the grain. Larger ones have two."
NOTES = ["7 Some call local rice by another name.", "Source: survey", "Table 9: Work done by size",
         "small | 4 | 7 | 8 | 1\nlarge | 5 | 1 | 9 | 2"]  # fmt: skip


@pytest.mark.parametrize("notes", [NOTES[:1], NOTES[1:2], NOTES[2:]])
def test_sentences_cut_by_notes_captions_and_tables_are_rejoined(notes) -> None:
    one, two = rejoined([f"Before.\n\n{HEAD}", "\n\n".join([*notes, TAIL, "After."])])
    assert one.endswith(HEAD) and two == "\n\n".join([TAIL, *notes, "After."])
    one, two = rejoined(["\n\n".join(["Before.", HEAD, *notes]), f"{TAIL}\n\nAfter."])
    assert one == "\n\n".join(["Before.", *notes, HEAD]) and two.startswith(TAIL)
    (page,) = rejoined(["\n\n".join(["Before.", HEAD, *notes, TAIL, "After."])])
    assert page == "\n\n".join(["Before.", *notes, f"{HEAD} {TAIL}", "After."])


@pytest.mark.parametrize(
    "blocks",
    [
        [HEAD, "4.1 Sales of rice", TAIL],
        [HEAD, "Town Hall", TAIL],
        [HEAD, "A paragraph of its own says what it has to say in one sentence.", TAIL],
        [HEAD + " miller.", *NOTES, TAIL],
        [HEAD, *NOTES, TAIL.capitalize()],
        [NOTES[0] + " " + HEAD, NOTES[1], TAIL],
    ],
)
def test_blocks_that_may_be_two_sentences_are_not_rejoined(blocks) -> None:
    pages = ["\n\n".join(blocks)]
    assert rejoined(pages) == pages


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from([HEAD, TAIL, "", "Scrap", *NOTES])), max_size=4))
def test_rejoining_sentences_keeps_every_letter(pages) -> None:
    texts = ["\n\n".join(filter(None, page)) for page in pages]
    found = rejoined(texts)
    assert [sorted("".join(t.split())) for t in found] == [
        sorted("".join(t.split())) for t in texts
    ]


@pytest.mark.parametrize(("size", "separator"), [(7.0, NEW_PARAGRAPH), (10.0, SAME_PARAGRAPH)])
def test_a_sentence_does_not_go_on_after_a_legend_in_small_type(size, separator) -> None:
    above, below = LineLayout(size, space_right=0.5), LineLayout(10, space_right=0.5)
    pair = LinePair("Goats and lambs", "and some people", above, below, BodyStyle(10))
    assert rule_for(pair).separator == separator
