"""The overview: short, from at least half of the sections, nothing new, doubts left aside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events import SectionSummary, Sentence
from app.summary import overview
from app.summary.overview import OVERVIEW_GROUPS, OVERVIEW_WORDS, overview_of
from longt5.text.words import count_words

FLAG = ({"span": [0, 3], "kind": "name", "reason": "It stands nowhere."},)


def section(number: int, *sentences: Sentence) -> SectionSummary:
    text = " ".join(s.text for s in sentences)
    return SectionSummary((number, number), text, 100, 50, "eos", sentences)


def said(number: int, words: int, extra: str = "", flags=()) -> Sentence:
    body = " ".join(f"word{(number + i) % 40}" for i in range(words - 1))
    return Sentence(f"Section{number} {extra}{body}.", (number,), (str(number),), flags)


@given(st.lists(st.lists(st.integers(3, 50), min_size=1, max_size=4), min_size=3, max_size=12))
def test_overview_is_short_and_represents_half_of_the_sections(shape: list[list[int]]) -> None:
    sections = [
        section(n, *(said(n, words) for words in lengths)) for n, lengths in enumerate(shape, 1)
    ]
    overview = overview_of(sections)
    everything = {s for one in sections for s in one.sentences}
    assert set(overview) <= everything
    assert sum(count_words(s.text) for s in overview) <= OVERVIEW_WORDS
    usable = [[w for w in lengths if 6 <= w <= 40] for lengths in shape]
    shortest = sorted(min(lengths) for lengths in usable if lengths)
    needed = max(-(-len(shortest) // 2), min(2, len(shortest)))
    long_enough = sum(map(sum, shape)) >= 1.5 * OVERVIEW_WORDS
    fits = needed and sum(shortest[-needed:]) <= OVERVIEW_WORDS
    if long_enough and fits:
        assert len({s.pages for s in overview}) >= needed
        assert [s.pages for s in overview] == sorted(s.pages for s in overview)
        assert all(s.labels for s in overview)
        assert " ".join(s.text for s in overview) != sections[0].text


def parts(chapters: int, each: int, words: int) -> list[SectionSummary]:
    """Chapters in parts, a sentence for each part."""
    return [
        SectionSummary(
            (n, n), s.text, 100, 50, "eos", (s,), f"{n // each} Title ({n % each + 1} of {each})"
        )
        for n in range(chapters * each)
        for s in [said(n, words)]
    ]


def test_overview_of_many_sections_represents_half_of_the_chapters() -> None:
    sections = parts(8, 4, 24)  # half of 32 sections would be 384 words
    overview = overview_of(sections)
    assert len({s.pages[0] // 4 for s in overview}) >= 4
    assert sum(count_words(s.text) for s in overview) <= OVERVIEW_WORDS


def test_overview_of_many_chapters_represents_groups_of_neighbours() -> None:
    for count in (30, 31, 47):
        overview = overview_of([section(n, said(n, 22)) for n in range(count)])
        tenths = {s.pages[0] * OVERVIEW_GROUPS // count for s in overview}
        assert len(tenths) == len(overview) == OVERVIEW_WORDS // 22


def test_flagged_sentences_come_last() -> None:
    sections = [
        section(n, said(n, 20, flags=FLAG), said(n, 20, "sound "), said(n, 30, flags=FLAG))
        for n in range(1, 5)
    ]
    assert all("sound" in s.text for s in overview_of(sections))


def test_the_first_section_fills_the_room_left() -> None:
    sections = [section(n, said(n, 12), said(n, 14), said(n, 16)) for n in range(1, 6)]
    chosen = overview_of(sections)
    assert sum(s.pages == (1,) for s in chosen) == 3 and len({s.pages for s in chosen}) >= 2
    assert [s.pages for s in chosen] == sorted(s.pages for s in chosen)
    assert OVERVIEW_WORDS - 12 < sum(count_words(s.text) for s in chosen) <= OVERVIEW_WORDS


def test_sentences_with_open_quotations_or_brackets_are_left_out() -> None:
    for begin in ('"', "“", "(", "["):
        sections = [
            section(n, said(n, 20, begin), said(n, 20, f'"So", {n} (here) and “there” '))
            for n in range(1, 6)
        ]
        chosen = overview_of(sections)
        assert chosen and all('"So"' in s.text for s in chosen)


def test_short_summaries_have_no_overview() -> None:
    assert overview_of([section(n, said(n, 20)) for n in range(1, 5)]) == ()
    assert overview_of([section(n, said(n, 40), said(n, 40), said(n, 40)) for n in (1, 2)]) == ()


def test_each_text_is_tokenized_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, real = [], overview.overlap_features
    monkeypatch.setattr(
        overview, "overlap_features", lambda text: looked.append(text) or real(text)
    )
    assert overview_of([section(n, said(n, 12), said(n, 14)) for n in range(1, 31)])
    assert len(looked) <= 3 * 30  # of each section and of each of its sentences
