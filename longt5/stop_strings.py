"""Stop strings: a sequence ends with the token that completes one, as in transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tokenizer import Tokenizer


class StopStrings:
    """Tells whether the last token of a sequence completes a stop string.

    The text is that of the tokens one by one: a space before each word, names of special tokens.
    """

    def __init__(self, strings: Iterable[str], tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ends = [text.encode() for text in strings]
        if not all(self._ends):
            raise ValueError("stop_strings must not be empty.")
        self._texts: dict[int, bytes] = {}

    def __call__(self, tokens: Sequence[int]) -> bool:
        """Return True if a stop string ends inside the last token's text."""
        last = self._text(tokens[-1])
        needed = max(map(len, self._ends)) - 1
        before = b""
        for token in reversed(tokens[:-1]):
            if len(before) >= needed:
                break
            before = self._text(token) + before
        text = before + last
        # An occurrence that ends before the last token's text stopped the search earlier.
        return any(text.find(end, max(0, len(before) - len(end) + 1)) >= 0 for end in self._ends)

    def _text(self, token: int) -> bytes:
        if token not in self._texts:
            self._texts[token] = self._tokenizer.token_text(token)
        return self._texts[token]
