"""Monospaced fonts are known by their letters: an i as wide as an m."""

from __future__ import annotations

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

    def add(self, font: int, style: TextStyle, word: str, first: GlyphBox, last: GlyphBox) -> None:
        """Add the first and the last letter of a word in the font at an address."""
        for letter, box in ((word[0], first), (word[-1], last)):
            if letter > "~" or not style.size or style.turns is None:
                continue
            side = box[2] - box[0] if style.turns % 2 == 0 else box[1] - box[3]
            width = abs(side) / style.size
            usual, has_narrow, has_wide = self._known.get(font, (width, False, False))
            if not width or max(usual, width) > _SAME_LETTER_WIDTH * min(usual, width):
                self.proportional.add(font)
                return
            is_narrow = letter in _NARROW_LETTERS
            self._known[font] = usual, has_narrow or is_narrow, has_wide or not is_narrow

    def monospaced(self) -> set[int]:
        """Return the fonts whose narrow and other letters are equally wide."""
        return {
            font
            for font, (_, has_narrow, has_wide) in self._known.items()
            if has_narrow and has_wide and font not in self.proportional
        }
