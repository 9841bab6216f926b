"""Sentence boundaries, headings that run into sentences, and word counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longt5.text.headings import without_headings
from longt5.text.sentences import (
    after_stop,
    contains_stop,
    ends_clause,
    ends_sentence,
    finish_text,
    sentence_ends,
    sentence_starts,
    settled_sentences,
    split_sentences,
)
from longt5.text.source import SourceText
from longt5.text.words import count_words


def test_sentence_ends() -> None:
    text = "Dr. Ames, i.e. A. Ames, paid 3.5 million. See Fig. 2 for it! 好的。Why? Because"
    assert [text[:end][-8:] for end in sentence_ends(text)] == [
        "million.",
        " for it!",
        " it! 好的。",
        " 好的。Why?",
    ]
    text = "पानी बढ़ा। सब गए।। क्या हुआ? هل عاد؟ پانی آیا۔ Il dit «oui.» Fin"
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "पानी बढ़ा।",
        "सब गए।।",
        "क्या हुआ?",
        "هل عاد؟",
        "پانی آیا۔",
        "Il dit «oui.»",
        "Fin",
    ]
    assert sentence_ends("It affects births.1 “It does.” So") == [19, 30]
    text = "It affects births.1 While 40% live.5,6 It.2 See man/hello.1 Then page.3 on p. 2.12 X"
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "It affects births.1",
        "While 40% live.5,6",
        "It.2 See man/hello.1 Then page.3 on p. 2.12 X",
    ]
    assert settled_sentences("One is done. Two is not.") == "One is done."
    assert settled_sentences("He waited... and") == settled_sentences("He waited. \ufffd") == ""
    assert finish_text("One is done. Two is not", "length") == "One is done."
    assert finish_text("Nothing is done", "length") == "Nothing is done …"
    assert finish_text("One is done. Two is", "stopped") == "One is done. Two is …"
    assert finish_text("Nothing is", "eos") == "Nothing is …" and finish_text("", "eos") == ""
    assert finish_text("One is done. Two \ufffd", "stopped") == "One is done. Two …"
    assert finish_text("पानी बढ़ा। सब\ufffd\ufffd", "length") == "पानी बढ़ा।"
    assert finish_text("\ufffd", "eos") == ""


@pytest.mark.parametrize(
    "whole",
    [
        '"Where?" he asked... and left.',
        "It took approx. five days, from 1 June to 30 Sept. 2022.",
        "Der Kanal wurde am 22. Juli 1398 eröffnet, d. h. im 14. Jahrhundert, vgl. Abb. 3.",
        "Er lag z. B. in der Hauptstr. 1 von Mölln.",
        "El Sr. Paco y la Dra. Campra estaban allí.",
        "Es waren 1,02 Mio. Medien.",
        "Dr. h. c. Timm las vor, d. h. Kinder kamen.",
        "See fig. 2 and art. 5 of it.",
        "“河水上涨了。”",
        "真的？！",
        "« Le fleuve est trop pollué ! »",
        "Here p. 12 has x1, . . . , xn.",
        "Table 1. Distances by suburb.",
    ],
)
def test_abbreviations_and_quotations_do_not_end_a_sentence(whole: str) -> None:
    text = f"Before it. {whole} After it."
    found = [text[a:b] for a, b in split_sentences(text)]
    assert found == ["Before it.", whole, "After it."]


def test_ambiguous_sentence_ends() -> None:
    for text in ("See Table 1. The next.", "I am 22. He is not.", "yes. i think so.", "好。 so."):
        assert len(split_sentences(text)) == 2
    assert split_sentences("In mm: 5 9\n\nTable 1. Rain.")[1:] == [(12, 26)]
    items = "To do\n- Trees are slow\n• Dance\nwith me\n– he said"
    assert [items[a:b] for a, b in split_sentences(items)] == [
        "To do",
        "- Trees are slow",
        "• Dance\nwith me\n– he said",
    ]


def test_table_cells_are_separate_sentences() -> None:
    text = "Code | What is wrong\ni10 | It does not fill. | Open the tap. Wait.\n\nAfter it."
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "Code",
        "What is wrong",
        "i10",
        "It does not fill.",
        "Open the tap.",
        "Wait.",
        "After it.",
    ]


def test_headings_are_removed_from_the_sentence_after_them() -> None:
    text = "5.5 Carbon\n\nThe mud holds carbon. It stays.\n\n6 Costs\n\nWalls cost more."
    source = SourceText.of(text)
    assert {words for _, words in source.headings} == {"5.5 Carbon", "6 Costs"}
    copied = "5.5 Carbon The mud holds carbon. 6 Costs Walls cost more. 6 Costs rose."
    assert without_headings(copied, source) == (
        "The mud holds carbon. Walls cost more. 6 Costs rose."
    )


def test_a_heading_that_begins_a_sentence_of_the_source_stays() -> None:
    text = "Merrow\n\nMerrow Lighthouse was built in 1871. Its lamp burns oil."
    copied = "Merrow Lighthouse was built in 1871. Merrow Its lamp burns oil."
    assert without_headings(copied, SourceText.of(text)) == (
        "Merrow Lighthouse was built in 1871. Its lamp burns oil."
    )


@given(
    st.lists(
        st.sampled_from("6 Costs|Walls|cost.|Carbon|more!|a|p.|am|3.|»|,|rose.2,3".split("|")),
        max_size=14,
    )
)
def test_removing_headings_never_changes_a_committed_sentence(words: list[str]) -> None:
    text = " ".join(words)
    source = SourceText.of("6 Costs\n\nCarbon\n\nIt rose as Carbon Walls do, am Costs.")
    whole = without_headings(text, source)
    for end in range(len(text) + 1):
        assert whole.startswith(without_headings(settled_sentences(text[:end]), source))


def test_split_sentences_returns_spans() -> None:
    text = "A heading\n\nOne is done. Two\nis too!  Three"
    assert [text[a:b] for a, b in split_sentences(text)] == [
        "A heading",
        "One is done.",
        "Two\nis too!",
        "Three",
    ]


def test_two_characters_of_dense_scripts_count_as_a_word() -> None:
    assert count_words("two words") == 2
    assert count_words("中文字符 and one") == 4


@pytest.mark.parametrize("line", ["It ends.", "“Is it so?”", "(It is.)", "好的。"])
def test_a_line_may_end_a_sentence(line: str) -> None:
    assert ends_sentence(line) and ends_clause(line)


@pytest.mark.parametrize("line", ["as follows:", "one;", "It ends.12", "如下："])
def test_a_line_may_end_a_clause_only(line: str) -> None:
    assert ends_clause(line) and not ends_sentence(line)


def test_sentences_start_after_the_end_of_others() -> None:
    text = "See Fig. 2 for it. Then go on.\n\nNew words. 好的。再见"
    starts = sentence_starts(text)
    assert [text[start : start + 3] for start in starts] == ["The", "New", "好的。", "再见"]
    assert sentence_starts(text, 10, 26) == [19]


def test_stops_and_quotes_after_a_place_are_passed() -> None:
    assert after_stop('He said "no." Then', 11) == 13 and after_stop("no more", 2) == 2
    assert contains_stop("One. Two") and not contains_stop("3.5 km")
