"""Ligatures whose code in the file is another letter's."""

from __future__ import annotations

import pytest

from app.documents.readers.pdf.wrong_letters import find_wrong_letters, letters_warning, mend

TEXT = (
    "The organization published information about the operations and the education of the nation. "
    "After the election the platform satisfied most officials, and a different notification was "
    "fixed to the station. Mathematics was left out of the official attention."
)


@pytest.mark.parametrize(
    ("letters", "char"),
    [("ti", "Ɵ"), ("ti", "O"), ("ti", "&"), ("tt", "Ʃ"), ("ft", "Ō"), ("ffi", "[")],
)
def test_a_letter_that_stands_for_a_ligature_is_replaced(letters: str, char: str) -> None:
    text = TEXT.replace("station", "office of the station and the attic")
    text += " He lifted it often, and drafted a shifted craft. An efficient office sufficed."
    broken = text.replace(letters, char)
    assert broken != text
    found = find_wrong_letters([broken])
    assert found == {char: letters}
    assert mend(broken, found) == text
    (warning,) = letters_warning(found)
    assert char in warning.message and letters in warning.message


def test_one_word_is_enough_for_a_capital_that_no_language_has_there() -> None:
    assert find_wrong_letters(["It came aŌer the storm."]) == {"Ō": "ft"}


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "McCoy and MacArthur met DeMille, LaRue and VanDyke at the iPhone stand of OpenOffice.",
        "Łódź, Ōsaka, ĪSTANBUL and Élan; the größte Übung. AÉROPORT. x=y and a<b; f(x)g",
        "call readFile, writeFile, closeFile, openFile and myOtherFileName",
        "",
    ],
)
def test_other_capitals_and_signs_stay(text: str) -> None:
    assert find_wrong_letters([text]) == {}


def test_a_letter_that_fits_nowhere_is_named() -> None:
    found = find_wrong_letters(["The brŊkwq of the zzŊqx."])
    assert found == {"Ŋ": ""}
    (warning,) = letters_warning(found)
    assert "may stand for others" in warning.message
