"""Which sentences a summary may quote: every kind by its example, and the fallbacks."""

from __future__ import annotations

import pytest

from longt5.text.prose import (
    FRAGMENTS,
    KINDS,
    LISTINGS,
    Kind,
    candidate_spans,
    is_listing,
    kind_of,
    may_be_quoted,
)

STORY = (
    "The library lends tools to every household of the town. It opened in the spring of 1998. "
    "Members of the library borrow tools such as drills and ladders for a week. "
    "The weather that year was cold and the lake froze over in the winter."
)


def quoted(text: str) -> list[str]:
    return [text[start:end] for start, end in candidate_spans(text)]


@pytest.mark.parametrize("kind", [*KINDS, *FRAGMENTS], ids=lambda kind: kind.name)
def test_the_example_of_a_kind_is_not_quoted(kind: Kind) -> None:
    assert kind.applies(kind.example) and not may_be_quoted(kind.example)
    first = kind_of(kind.example, KINDS if kind in KINDS else FRAGMENTS)
    assert first is kind, f"{first and first.name} hides this kind"


@pytest.mark.parametrize(
    "sentence",
    [
        "† Without the parboiled kinds.",
        "All rights reserved by Gull Press Ltd.",
        "If you are not the intended recipient, delete it.",
        "2School of Biology in Leeds.",
        "-rm -f $(BIN)/hello.1",
        "1.2 “Deposit” means the sum of 900 euros.",
        "Sign up for our morning newsletter.",
        "whereℵΓ denotes the latest term in the context.",
        "1历史上还存在过 deb-make 命令，它在 dh_make 之前曾经流行过。",
        "i10 The appliance does not fill with water.",
        "• to show that schools can do it.",
        "3.2 The methods that we used.",
        "1.2 What is a mill made of?",
    ],
)
def test_other_sentences_that_are_not_quoted(sentence: str) -> None:
    assert not may_be_quoted(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Each team @ work meets in a room of its own.",
        "5.4 million people live there today.",
        "2.4 GHz is what they use.",
        "3.2 The Tenant shall pay the rent.",
        "3.5 Millionen Menschen zogen um.",
        "$ 40 million was raised by the fund.",
        "“Sustainability” means different things to different people.",
        "dpkg-repack creates a package out of files.",
        "3月5日，河水漫过了磨坊的石头地面。",
        "10年来，河水没有这么高过。",
        "debmake 所假设的打包情景是相对简单的。",
        "Like the others on Facebook, he sold it.",
        "Published in 1859, the book made its author known to all, and feared by most.",
        "5.2 The Supplier shall tell the Customer of any breach of data at once.",
    ],
)
def test_sentences_that_only_resemble_a_kind_are_quoted(sentence: str) -> None:
    assert may_be_quoted(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "He came; he saw; he won.",
        "THE SUPPLIER SHALL NOT BE LIABLE FOR LOSS OF PROFIT.",
        "Dr. Hume of St. Ives met Mrs. Aldous.",
        "The doors open at 9:30 and close at 17:00, on Fridays at 15:00.",
        "The 3 new sites have 380 ha: Abbey Marsh (150) and 2 more by 2034.",
        "The first of four parts of this is long; so is the second; a third; then a last.",
    ],
)
def test_sentences_with_figures_or_names_are_no_listings(sentence: str) -> None:
    assert not is_listing(sentence)
    assert all(is_listing(kind.example) for kind in LISTINGS)


def test_the_paragraph_of_a_copyright_line_is_not_quoted() -> None:
    imprint = "First published in Britain by Gull Press, St. Ives. ISBN 978-0. Typeset by Word."
    text = f"{STORY}\n\n{imprint}\n\nThe museum shows maps of the river."
    assert quoted(text)[-1].startswith("The museum")
    assert not any("Gull" in sentence for sentence in quoted(text))


def test_fragments_are_quoted_where_full_sentences_are_few() -> None:
    fragments = ["Costs and benefits of the new wall", "Three sites, two of them tidal"]
    others = ["Costs", "$ head -n1 Makefile prefix = /usr", "Table 3 lists it."]
    assert quoted("\n\n".join([*fragments, *others, "We start."])) == [*fragments, "We start."]


def test_speech_without_stops_is_quoted_by_its_pieces() -> None:
    pieces = ["so good morning and welcome to the meeting", "we have to decide about the boats"]
    assert quoted("\n\n".join([*pieces, "and so on"])) == pieces


def test_nothing_is_quoted_of_a_text_without_sentences() -> None:
    assert quoted("$ cd tides\n\n$ make -j") == []


def test_items_are_quoted_where_a_text_is_mostly_lists() -> None:
    items = [f"• Led the team that repaired {n} bridges in the valley" for n in range(20)]
    full = [f"She has led {n} of them." for n in range(9)]
    assert quoted("\n\n".join([*full, "Experience", "\n".join(items), "• None"])) == [*full, *items]
    assert quoted("\n\n".join([*full, *full, "\n".join(items[:4])])) == [*full, *full]


def test_few_sentences_that_are_most_of_a_text_are_enough() -> None:
    assert quoted("A Short Note\n\nThe river rose in the night. It took the bridge with it.") == [
        "The river rose in the night.",
        "It took the bridge with it.",
    ]


def test_a_sentence_may_begin_with_a_name_in_small_letters() -> None:
    named = ["quilt is a tool for patches.", "make reads the file of rules."]
    remainders = [
        "effect is very hard to tell.",
        "care is given at every level.",
        "and make runs the rules again.",
        "rules are there for all of it.",
    ]
    others = [
        f"This is sentence {n} on the effect, the care, quilt, make and its rules."
        for n in range(9)
    ]
    assert quoted("\n\n".join([*named, *remainders, *others])) == [*named, *others]


def test_captions_within_a_paragraph_are_not_quoted() -> None:
    text = STORY + " Table 3 summarizes the loans of a year. Tables are lent to members as well."
    assert quoted(text) == [*quoted(STORY), "Tables are lent to members as well."]
