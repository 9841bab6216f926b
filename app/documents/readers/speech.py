"""Speech with times becomes paragraphs: cut where the speaker changes, at pauses, and by length
where nobody wrote stops."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from longt5.text.sentences import ends_sentence, sentence_spans

from ..model import Block

_OTHER_SPEAKER = re.compile(r"(?:>>+|[-–—])\s*(?=\S)")
_SPEAKER_NAME = re.compile(r"(?![a-zß-ÿ])[^\W\d_][\w.'’ -]{0,30}:\s")
# Chosen by hand on talks and films.
_PAUSE_S = 2.0  # begins a new paragraph after a sentence
_LONG_PAUSE_S = 5.0  # begins one anywhere
_MAX_PARAGRAPH_CHARACTERS = 600  # after which the end of the sentence ends the paragraph
_BREATH_S = 0.7  # ends a piece of speech without stops
# A speaker ends a sentence about every 20 words; three times as many without a stop are no chance.
_MIN_UNPUNCTUATED_WORDS = 60
_LEAST_PIECE_WORDS, _MOST_PIECE_WORDS = 8, 28  # of a piece: one sentence as people speak
# Words before which a clause begins: nearly always, often, and sometimes; and words after which
# none does. English, German, French, Spanish, Italian, Dutch.
_OPENERS = tuple(
    frozenset(words.split())
    for words in (
        "so but then because however although though while if when now also well"
        " aber dann weil denn also wenn jetzt obwohl mais donc alors parce puis quand pero"
        " entonces porque cuando pues ahora ma quindi perché poi maar dus omdat toen want",
        "and there that's it's i'm we're i we they it he she you und wir ich sie es et"
        " nous je on il y nosotros e noi io en wij we ik",
        "the this these those a my our der die das ein eine le la les el los il de het een",
    )
)
_BINDERS = frozenset(
    "and or but so because if when that which who than as the a an of to in on at by for from with"
    " is are was were be has have had will would can could may must not no very its their our my"
    " until about over into what where how i we they he she you it there"
    " und oder aber weil wenn dass der die das ein eine von zu in im am auf mit für ist sind"
    " war hat et ou mais que qui le la les un une de du des à en dans sur pour avec est sont"
    " a ont ne y o pero que el la los las un una de del en con por para es son se no"
    " e ma che il lo gli di da con per è en of maar dat het een van te op met is zijn".split()
)
_RANK_WORDS = 5  # that a better place to cut may lie farther from the middle


@dataclass
class Cue:
    """Times in seconds, and the lines spoken between them."""

    start: float
    end: float
    lines: list[str]


def speech_blocks(cues: Iterable[Cue]) -> list[Block]:
    """Return the speech in paragraphs; each ends where the speaker changes, or at a pause."""
    heard = list(cues)
    if is_unpunctuated(" ".join(line for cue in heard for line in cue.lines)):
        return [Block(piece) for text in _breaths(heard) for piece in cut_speech(text)]
    paragraphs: list[str] = []
    for line, pause, is_turn in _lines(heard):
        last = paragraphs[-1] if paragraphs else ""
        has_ended = ends_sentence(last)
        is_long = len(last) > _MAX_PARAGRAPH_CHARACTERS
        ends_here = has_ended and (pause >= _PAUSE_S or is_long)
        # "Rule number / One: never stop" names nobody.
        name = _SPEAKER_NAME.match(line)
        is_named = name is not None and (has_ended or name[0].isupper())
        if not last or is_turn or is_named or ends_here or pause >= _LONG_PAUSE_S:
            paragraphs.append(line)
        else:
            paragraphs[-1] = f"{last} {line}"
    return [Block(text) for text in paragraphs]


def is_unpunctuated(text: str) -> bool:
    """Return whether a text is long and has hardly a stop, as speech that a machine wrote down."""
    words = len(text.split())
    if words < _MIN_UNPUNCTUATED_WORDS:
        return False
    return sum(1 for _ in sentence_spans(text)) < words / _MIN_UNPUNCTUATED_WORDS + 1


def cut_speech(text: str) -> list[str]:
    """Return pieces of speech without stops, each of about a sentence: cut before a word that
    opens a clause, else after the most words."""
    words = text.split()
    pieces, begin = [], 0
    while len(words) - begin > _MOST_PIECE_WORDS:
        cut = _place_to_cut(words, begin)
        pieces.append(" ".join(words[begin:cut]))
        begin = cut
    if begin < len(words):
        pieces.append(" ".join(words[begin:]))
    return pieces


def _place_to_cut(words: Sequence[str], begin: int) -> int:
    """Return where the next piece begins: where a clause opens near the middle of what a piece
    may hold."""
    first, last = begin + _LEAST_PIECE_WORDS, begin + _MOST_PIECE_WORDS
    last = min(last, len(words) - _LEAST_PIECE_WORDS // 2)
    middle = (first + last) // 2

    def cost(place: int) -> int:
        word, before = words[place].lower(), words[place - 1].lower()
        rank = next((n for n, openers in enumerate(_OPENERS) if word in openers), len(_OPENERS))
        return abs(place - middle) + _RANK_WORDS * (rank + 3 * (before in _BINDERS))

    return min(range(first, last + 1), key=cost)


def _breaths(cues: Sequence[Cue]) -> Iterator[str]:
    """Yield what is said between two pauses or changes of the speaker."""
    said: list[str] = []
    for line, pause, is_turn in _lines(cues):
        if said and (is_turn or pause >= _BREATH_S or _SPEAKER_NAME.match(line)):
            yield " ".join(said)
            said = []
        said.append(line)
    if said:
        yield " ".join(said)


def _lines(cues: Sequence[Cue]) -> Iterator[tuple[str, float, bool]]:
    """Yield (line, the pause before it, whether another speaker begins). A speaker who goes on is
    not named again."""
    end, before, speaker = 0.0, "", ""
    speakers = _speakers_of(cues)
    for cue in cues:
        pause, end = cue.start - end, cue.end
        for line in cue.lines:
            if line == before:  # captions that roll up repeat each line
                continue
            before = line
            turn = _OTHER_SPEAKER.match(line)
            name = _SPEAKER_NAME.match(line)
            is_turn = turn is not None
            if name and name[0] in speakers:
                is_turn, turn = name[0] != speaker, None if name[0] != speaker else name
                speaker = name[0]
            yield (line[turn.end() :] if turn else line), pause, is_turn
            pause = 0.0


def _speakers_of(cues: Sequence[Cue]) -> set[str]:
    """Return the names, each with its colon, that begin several cues."""
    names = [_SPEAKER_NAME.match(cue.lines[0]) for cue in cues if cue.lines]
    counts = Counter(name[0] for name in names if name)
    return {name for name, count in counts.items() if count > 1}
