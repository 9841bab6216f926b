"""The words of a PDF page as PDFium sees them, with boxes, baselines and styles."""

from __future__ import annotations

import ctypes
import re
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice, repeat
from operator import gt, ne
from typing import Any

import pypdfium2.raw as pdfium

from .accents import REMOVED, join_accents
from .letter_widths import GlyphBox, LetterWidths
from .pdfium_calls import C_ADDRESS, C_NUMBER, address_of, as_function
from .right_to_left import has_leftward_letters, order_leftward_words
from .tex_codes import LOST_RETURN
from .text_style import StyleReader, TextStyle
from .wide_letters import has_wide_letters, join_wide_letters

MAX_PAGE_GLYPHS = 150_000  # more would take seconds; no page that a person reads has them
HYPHENS = "\x02\xad\ufffe"  # at a line's end, where PDFium takes it for a soft one
_GLYPH_WORD = re.compile(f"[^\\x00\\t\\n\\r \\xa0{REMOVED}{HYPHENS}]+|[{HYPHENS}]")
_LONE_RETURN = re.compile(r"\r(?=[a-z])")
_BACK = 0.05  # points by which the last letter of a word may begin before the first
_AXIS = {0: (0, 1), 1: (3, 1), 2: (0, -1), 3: (3, -1)}  # of each turn: an edge, and its direction

# Letters of one text object without a space between: these; the address of the object, None for a
# hyphen that PDFium added; what stands before: 1 a space or line end, 2 the end of a line inside a
# word of Korean, 0 nothing; the boxes of the first and the last letter.
Word = tuple[str, int | None, int, GlyphBox, GlyphBox]
INSIDE_WORD = 2
# Korean is cut at any letter: only a space behind the last one of a line ends a word.
_HANGUL = "\uac00-\ud7a3"
_SPACED_END = re.compile(f"[{_HANGUL}] \r\n")
_BARE_END = re.compile(f"(?<=[{_HANGUL}])\r\n(?=[{_HANGUL}])")
_MIN_SPACED_ENDS, _MIN_SPACED_SHARE = 3, 0.2  # of a page whose lines keep their last spaces


@dataclass(frozen=True)
class Glyphs:
    """The words of a page in PDFium's order. By text object: its style, how many letters it has,
    and its origin: x and y of the baseline, and the box of a letter that stands there; all its
    letters stand as high in their boxes."""

    words: list[Word]
    styles: dict[int, TextStyle]
    uses: Counter[int]
    origins: dict[int, tuple[float, float, GlyphBox]]


class GlyphReader:
    """Reads the words of pages."""

    def __init__(self) -> None:
        self._unicode = as_function(pdfium.FPDFText_GetUnicode, ctypes.c_uint, C_ADDRESS, C_NUMBER)
        self._box = as_function(
            pdfium.FPDFText_GetLooseCharBox, C_NUMBER, C_ADDRESS, C_NUMBER, C_ADDRESS
        )
        self._is_added = as_function(pdfium.FPDFText_IsGenerated, C_NUMBER, C_ADDRESS, C_NUMBER)
        self._owner = as_function(pdfium.FPDFText_GetTextObject, C_ADDRESS, C_ADDRESS, C_NUMBER)
        self._style = StyleReader()

    def read(self, textpage: Any) -> Glyphs | None:
        """Return the words of a pypdfium2 text page; None where it has too many letters."""
        count = textpage.count_chars()
        if count > MAX_PAGE_GLYPHS:
            return None
        handle = address_of(textpage.raw)
        text, glued = join_accents(
            self._text(textpage.raw, handle, count),
            partial(self._boxes, handle),
            partial(self._is_added, handle),
        )
        spans, owners = self._spans(handle, text)
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        # Lists of what each word has, for calls that take whole lists: one for each word is slow.
        texts = [text[start:end] for start, end in spans]
        before = _breaks_before(starts, ends, _starts_inside_words(text), glued)
        firsts = list(self._boxes(handle, starts))
        lasts = list(self._boxes(handle, [end - 1 for end in ends]))
        found = Glyphs([], {}, Counter(), {})
        self._style.begin_page()
        widths = LetterWidths()
        fonts: dict[int, int] = {}
        torn: list[int] = []
        at = 0
        for owner, group in groupby(owners):
            begin, at = at, at + sum(1 for _ in group)
            if owner is None:
                continue
            if owner not in fonts:
                style, fonts[owner], x, y = self._style.read(handle, starts[begin], owner)
                found.styles[owner], found.origins[owner] = style, (x, y, firsts[begin])
            style = found.styles[owner]
            found.uses[owner] += sum(map(len, texts[begin:at]))
            widths.add_words(fonts[owner], style, texts, firsts, lasts, range(begin, at))
            if style.turns is not None:
                edge, direction = _AXIS[style.turns]
                torn += [
                    index
                    for index in range(begin, at)
                    if direction * (lasts[index][edge] - firsts[index][edge]) < -_BACK
                ]
        found.words.extend(zip(texts, owners, before, firsts, lasts, strict=True))
        for index in reversed(torn):
            found.words[index : index + 1] = self._letters(
                handle, found.words[index], starts[index]
            )
        if has_wide_letters(text):
            found.words[:] = join_wide_letters(found.words)
        monospaced = widths.monospaced()
        for owner, font in fonts.items() if monospaced else ():
            if font in monospaced:
                found.styles[owner] = replace(found.styles[owner], is_monospaced=True)
        if has_leftward_letters(text):
            found.words[:] = order_leftward_words(found.words)
        return found

    def _letters(self, handle: int, word: Word, start: int) -> list[Word]:
        """Return the letters of a word that do not follow each other as words of their own."""
        text, owner, before, *_ = word
        boxes = self._boxes(handle, range(start, start + len(text)))
        return [
            (letter, owner, before if not index else 0, box, box)
            for index, (letter, box) in enumerate(zip(text, boxes, strict=True))
        ]

    def _spans(
        self, handle: int, text: str
    ) -> tuple[Sequence[tuple[int, int]], Sequence[int | None]]:
        """Return where words begin and end, cut where another text object begins, and the address
        of the object of each."""
        whole = [match.span() for match in _GLYPH_WORD.finditer(text)]
        owners = list(self._owners(handle, [start for start, _ in whole]))
        # The letters of an object follow each other: only the last word of each may go on in
        # another, but for text that PDFium has turned around.
        last_words: Sequence[int] = range(len(whole))
        if not has_leftward_letters(text):
            last_words = [i for i, two in enumerate(map(ne, owners, owners[1:])) if two]
            last_words += [len(whole) - 1] if whole else []
        lasts = self._owners(handle, [whole[i][1] - 1 for i in last_words])
        mixed = {i for i, last in zip(last_words, lasts, strict=True) if last != owners[i]}
        if not mixed:
            return whole, owners
        letters = [n for i in sorted(mixed) for n in range(*whole[i])]
        each = self._owners(handle, letters)
        spans, found = [], []
        for i, (start, end) in enumerate(whole):
            if i not in mixed:
                spans.append((start, end))
                found.append(owners[i])
                continue
            at = start
            for owner, group in groupby(islice(each, end - start)):
                begin, at = at, at + len(list(group))
                spans.append((begin, at))
                found.append(owner)
        return spans, found

    def _owners(self, handle: int, indexes: Sequence[int]) -> Iterator[int | None]:
        """Yield the addresses of the text objects of characters."""
        return map(self._owner, repeat(handle), indexes)

    def _boxes(self, handle: int, indexes: Sequence[int]) -> Iterator[GlyphBox]:
        """Yield the boxes of characters."""
        boxes = (ctypes.c_float * (4 * len(indexes)))()
        at = ctypes.addressof(boxes)
        # The loop runs inside map: a Python call for each box would take most of the time.
        places = range(at, at + 16 * len(indexes), 16)
        deque(map(self._box, repeat(handle), indexes, places), maxlen=0)
        edges = iter(boxes)
        return zip(edges, edges, edges, edges, strict=True)

    def _text(self, raw: Any, handle: int, count: int) -> str:
        """Return the characters, in one call where each has one unit of UTF-16."""
        found = self._raw_text(raw, handle, count)
        # PDFium ends lines with two characters: a lone one is a letter of a font without names.
        return _LONE_RETURN.sub(LOST_RETURN, found) if "\x0c" in found else found

    def _raw_text(self, raw: Any, handle: int, count: int) -> str:
        buffer = (ctypes.c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(raw, 0, count, buffer) == count + 1:
            text = bytes(buffer)[:-2].decode("utf-16-le", "surrogatepass")
            if len(text) == count:
                return text
        return "".join(map(chr, map(self._unicode, repeat(handle), range(count))))


def _breaks_before(
    starts: Sequence[int], ends: Sequence[int], inside: Collection[int], glued: Collection[int]
) -> list[int]:
    """Return for each word what stands before it, as in Word."""
    found: list[int] = [1, *map(gt, starts[1:], ends)] if starts else []
    if inside or glued:
        for index, start in enumerate(starts):
            if start in inside:
                found[index] = INSIDE_WORD
            elif start in glued:
                found[index] = 0
    return found


def _starts_inside_words(text: str) -> frozenset[int]:
    """Return where lines begin inside a word, as spaces at the ends of other lines tell."""
    if text.isascii() or (bare := [m.end() for m in _BARE_END.finditer(text)]) == []:
        return frozenset()
    spaced = len(_SPACED_END.findall(text))
    is_kept = spaced >= max(_MIN_SPACED_ENDS, _MIN_SPACED_SHARE * (spaced + len(bare)))
    return frozenset(bare) if is_kept else frozenset()
