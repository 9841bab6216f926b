"""Words: the tokenizer, the counter and the stemmer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from longt5.text.words import content_words, count_words, stem, stems_of, words_of


def test_forms_of_a_word_have_one_stem() -> None:
    for forms in ("connect connected connecting connects", "study studies studied studying"):
        assert len({stem(word) for word in forms.split()}) == 1
    assert stem("universities") != stem("unit") and stem("does") == "does"


def test_the_language_of_the_stemmer_is_an_argument() -> None:
    assert stem("häuser", "german") == stem("haus", "german")
    with pytest.raises(KeyError):
        stem("words", "klingon")


def test_content_words_are_stems_without_stopwords() -> None:
    assert content_words("The doors of a mill were opened.") == ["door", "mill", "open"]


def test_threads_share_the_stemmer() -> None:
    words = [f"{a}{b}ations" for a in "abcdefghij" for b in "klmnopqrst"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(stem.__wrapped__, words * 5))
    assert found == [stem(word) for word in words] * 5


def test_words_are_runs_of_letters_and_digits() -> None:
    assert words_of("Don't stop: 3.5 km!") == ["don", "t", "stop", "3", "5", "km"]
    assert stems_of("It stopped.") == ["it", "stop"]
    assert count_words("Two words") == 2 and count_words("河水漫过") == 2
