"""The options of one run, and their validation."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadOption
from ..settings import (
    DEFAULT_BEAMS,
    DEFAULT_LENGTH,
    LENGTH_WORDS,
    MAX_BEAMS,
    MAX_NEW_TOKENS,
    SUMMARY_WORDS_RANGE,
    WINDOW_RANGE,
)


@dataclass(frozen=True)
class Options:
    """The options of one run.

    `words` replaces the number of words that `length` stands for; `by_section` adds a summary of
    each section. `max_new_tokens` limits each part. `pages` is a list as in "1-5,9"; `sections`
    are named by number, as in "1,3-4", or by title.
    """

    length: str = DEFAULT_LENGTH
    num_beams: int = DEFAULT_BEAMS
    max_new_tokens: int | None = None
    pages: str = ""
    max_input_tokens: int | None = None
    include_references: bool = False
    sections: str = ""
    words: int | None = None
    by_section: bool = False

    @property
    def target_words(self) -> int:
        """The words of the summary: `words`, else those of `length`."""
        return LENGTH_WORDS[self.length] if self.words is None else self.words

    def check(self) -> None:
        """Raise BadOption for the first value out of range."""
        if self.length not in LENGTH_WORDS:
            raise BadOption(
                f"There is no length called {self.length}: choose {', '.join(LENGTH_WORDS)}."
            )
        if (
            self.words is not None
            and not SUMMARY_WORDS_RANGE[0] <= self.words <= SUMMARY_WORDS_RANGE[1]
        ):
            least, most = SUMMARY_WORDS_RANGE
            raise BadOption(f"A summary can have {least} to {most:,} words, not {self.words:,}.")
        if not 1 <= self.num_beams <= MAX_BEAMS:
            raise BadOption(f"The number of beams must be 1 to {MAX_BEAMS}, not {self.num_beams}.")
        if self.max_new_tokens is not None and not 1 <= self.max_new_tokens <= MAX_NEW_TOKENS:
            raise BadOption(
                f"Max new tokens must be 1 to {MAX_NEW_TOKENS:,}, not {self.max_new_tokens}."
            )
        if self.max_input_tokens is not None and self.max_input_tokens < WINDOW_RANGE[0]:
            raise BadOption(
                f"The largest input must be at least {WINDOW_RANGE[0]} tokens, not "
                f"{self.max_input_tokens}."
            )
