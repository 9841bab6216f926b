"""What stands beside the text of PDF pages: running heads of several lines."""

from __future__ import annotations

from functools import partial

from tests.documents.helpers import words
from tests.documents.make_pdfs import canvas_pdf, lines_at

SENTENCES = [
    "The council of {} bought the mill beside the river in the spring",
    "of that year, and the miller's family moved to the upper rooms",
    "while carpenters from the valley repaired the wheel and the sluice,",
    "which had been broken since the flood carried the footbridge away.",
]
TOWNS = "Orne Lill Sedge Harrow Calder Marsh Abbey Gannet".split()
HEAD = "MILLER V. COUNCIL OF THE TOWN\n2022-MC-17\nOpinion of the Court"


def body(town: str) -> str:
    return "\n".join(line.format(town) for line in SENTENCES * 5)


def page(canvas, town: str, head_size: float) -> None:
    """Draw a page of double-spaced text under a head of three lines."""
    lines_at(canvas, HEAD, x=230, y=794, size=head_size, pitch=24 / head_size)
    lines_at(canvas, body(town), y=703, size=12, pitch=2.4)


def test_a_head_in_small_type_over_double_spaced_text_is_left_out(load) -> None:
    read = words(load(canvas_pdf([partial(page, town=town, head_size=9) for town in TOWNS])))
    assert "2022-MC-17" not in read.split("Lill", 1)[1]
    assert "Opinion of the Court" not in read.split("Lill", 1)[1]
    assert all(f"The council of {town} bought" in read for town in TOWNS)


def test_a_question_in_the_size_of_the_text_stays_on_every_page(load) -> None:
    def ask(canvas, town: str) -> None:
        lines_at(canvas, f"How do you rate your visit?\n{body(town)}", y=724, size=12, pitch=2.4)

    read = words(load(canvas_pdf([partial(ask, town=town) for town in TOWNS])))
    assert read.count("How do you rate your visit?") == len(TOWNS)
