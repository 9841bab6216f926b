"""Ligatures whose code in the file is another letter's are read as the letters that one sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ....settings import assets_dir
from ....warning import AppWarning, WarningKind
from ....wording import counted

# Fonts draw these as one glyph; some programs write its number in place of its letters.
_JOINED_LETTERS = ("ti", "tt", "ft", "tf", "fi", "fl", "ff", "ffi", "ffl", "tti", "fft", "th", "fj")
_CAPITALS = "".join(c for c in map(chr, range(0xC0, 0x250)) if c.isupper())
# A capital or a sign inside a word. No language writes a capital with a mark there.
_ODD = re.compile(
    rf"(?<=[a-z])[A-Z&$%#*+<=>@\[\](){{}}\\^|~!?](?=[a-z])"
    rf"|(?<=[^\W\d_])[{_CAPITALS}](?=[a-z])|(?<=[a-z])[{_CAPITALS}]\b"
)
_ODD_WORD = re.compile(r"[^\W\d_]*[A-Za-z][^\s\d.,;:“”\"/-]*")
_MIN_ODD_WORDS = (
    4  # different ones with a sign or a capital: a name such as McCoy has one, not four
)
_MAX_ODD_WORDS = 50  # that are judged: a listing may have thousands, and as many say the same
_AFTER_WORD = ")]}!?+*"  # after a word
_MIN_MARGIN = 3.0  # of the log-probability of words over the next best reading; both rules are
# held by the cases of the corpus, where right readings come to 10 and more, other letters to 1
if TYPE_CHECKING:
    from longt5.vocabularies import SentencePieces

ScoreWord = Callable[[str], float]


def find_wrong_letters(texts: Iterable[str], score: ScoreWord | None = None) -> dict[str, str]:
    """Return the characters of a document that stand for ligatures, with the letters of each, ""
    for one whose letters are not known. `score` gives the log-probability of a word."""
    words: dict[str, dict[str, None]] = {}  # in the order of the document
    # No word holds a space, so each of the runs between spaces is looked at once.
    for run in dict.fromkeys(run for text in texts for run in text.split()):
        if not _ODD.search(run):
            continue
        for word in _ODD_WORD.findall(run):
            odd = set(_ODD.findall(word))
            if len(odd) == 1 and len(word) > 2:
                words.setdefault(odd.pop(), {})[word.rstrip(_AFTER_WORD)] = None
    found = {}
    for char, own in words.items():
        is_marked = char > "\x7f"
        if not is_marked and len(own) < _MIN_ODD_WORDS:
            continue
        score = score or _vocabulary().log_probability
        letters = _most_likely(char, list(own)[:_MAX_ODD_WORDS], score)
        if letters or is_marked:
            found[char] = letters
    return found


def _most_likely(char: str, words: Sequence[str], score: ScoreWord) -> str:
    """Return the letters that make the likeliest words; "" where no reading is much likelier."""
    sums = {
        letters: sum(score(word.replace(char, letters).lower()) for word in words)
        for letters in (char, *_JOINED_LETTERS)
    }
    best, second = sorted(sums, key=sums.__getitem__, reverse=True)[:2]
    is_clear = sums[best] - sums[second] >= _MIN_MARGIN * len(words)
    return best if is_clear and best in _JOINED_LETTERS else ""


def mend(text: str, letters: dict[str, str]) -> str:
    """Return a text with the letters in place of the characters inside its words."""

    def mended(match: re.Match[str]) -> str:
        return _ODD.sub(lambda odd: letters.get(odd[0]) or odd[0], match[0])

    return _ODD_WORD.sub(mended, text)


def letters_warning(letters: dict[str, str]) -> tuple[AppWarning, ...]:
    """Return one warning that names the characters; () where there are none."""
    if not letters:
        return ()
    read = [f"“{char}” is read as “{own}”" for char, own in letters.items() if own]
    unknown = [f"“{char}”" for char, own in letters.items() if not own]
    parts = [", ".join(read)] if read else []
    if unknown:
        signs = counted(len(unknown), "letter")
        parts.append(f"{signs} ({', '.join(unknown)}) may stand for others: compare with the page")
    return (
        AppWarning(
            WarningKind.LETTERS_WRONG,
            f"The file gives wrong codes for joined letters: {'; '.join(parts)}.",
        ),
    )


def _vocabulary() -> SentencePieces:
    from longt5.vocabularies import SentencePieces

    return SentencePieces(assets_dir() / "model" / "spiece.model", extra_ids=0)
