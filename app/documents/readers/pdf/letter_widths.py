"""Monospaced fonts are known by their letters: an i as wide as an m."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .text_style import TextStyle

GlyphBox = tuple[float, float, float, float]  # left, top, right, bottom
_NARROW_LETTERS = frozenset(
    "ijltfrI.,;:'|!()[]"
)  # less than two thirds of the others in type for prose
_SAME_LETTER_WIDTH = 1.1  # times the smaller width; measured widths vary by a hundredth


class LetterWidths:
    """The widths of ASCII characters in the fonts of one page, in type sizes."""

    def __init__(self) -> None:
        self.proportional: set[int] = set()
        self._known: dict[int, tuple[float, bool, bool]] = {}

    def add_words(
        self,
        font: int,
        style: TextStyle,
        texts: Sequence[str],
        firsts: Sequence[GlyphBox],
        lasts: Sequence[GlyphBox],
        chosen: Iterable[int],
    ) -> None:
        """Add the first and the last letters of the chosen words, all in the font at an address,
        as long as they may be monospaced."""
        if font in self.proportional or not style.size or style.turns is None:
            return
        for index in chosen:
            for letter, box in ((texts[index][0], firsts[index]), (texts[index][-1], lasts[index])):
                if letter <= "~" and not self._is_equal(font, style, letter, box):
                    self.proportional.add(font)
                    return

    def _is_equal(self, font: int, style: TextStyle, letter: str, box: GlyphBox) -> bool:
        """Return whether a letter is as wide as the others of its font; note its width."""
        side = box[2] - box[0] if style.turns in (0, 2) else box[1] - box[3]
        width = abs(side) / style.size
        usual, has_narrow, has_wide = self._known.get(font, (width, False, False))
        if not width or max(usual, width) > _SAME_LETTER_WIDTH * min(usual, width):
            return False
        is_narrow = letter in _NARROW_LETTERS
        self._known[font] = usual, has_narrow or is_narrow, has_wide or not is_narrow
        return True

    def monospaced(self) -> set[int]:
        """Return the fonts whose narrow and other letters are equally wide."""
        return {
            font
            for font, (_, has_narrow, has_wide) in self._known.items()
            if has_narrow and has_wide and font not in self.proportional
        }
