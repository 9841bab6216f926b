"""The options of one run, and their validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import BadOption
from ..settings import (
    DEFAULT_BEAMS,
    DEFAULT_LENGTH,
    LENGTH_PENALTY_RANGE,
    LENGTH_WORDS,
    MAX_BEAMS,
    MAX_NEW_TOKENS,
    NGRAM_RANGE,
    REPETITION_PENALTY_RANGE,
    SUMMARY_WORDS_RANGE,
    WINDOW_RANGE,
)


@dataclass(frozen=True)
class DecodingOption:
    """A decoding setting that replaces the checkpoint's own, under transformers' name.

    `label` and `about` are shown on the page and by --help.
    """

    name: str
    kind: Callable[[Any], float]  # int or float
    range: tuple[float, float]
    label: str
    about: str

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_whole(self) -> bool:
        """Return True if only whole numbers are allowed."""
        return self.kind is int

    def check(self, value: Any) -> None:
        """Raise BadOption for a value that is no number of this kind and range."""
        least, most = self.range
        is_number = isinstance(value, int if self.is_whole else (int, float))
        if isinstance(value, bool) or not is_number or not least <= value <= most:
            kind = "a whole number" if self.is_whole else "a number"
            raise BadOption(
                f"The {self.label.lower()} must be {kind} from {least:g} to {most:g}, not {value}."
            )


DECODING_OPTIONS = (
    DecodingOption(
        "no_repeat_ngram_size",
        int,
        NGRAM_RANGE,
        "No-repeat n-gram size",
        "this many tokens in a row are never written twice; 0 allows repetition",
    ),
    DecodingOption(
        "repetition_penalty",
        float,
        REPETITION_PENALTY_RANGE,
        "Repetition penalty",
        "above 1, tokens already written become less likely; 1 changes nothing",
    ),
    DecodingOption(
        "encoder_no_repeat_ngram_size",
        int,
        NGRAM_RANGE,
        "Source no-repeat n-gram size",
        "this many tokens in a row of the document are never copied; 0 allows copying",
    ),
    DecodingOption(
        "length_penalty",
        float,
        LENGTH_PENALTY_RANGE,
        "Length penalty",
        "above 0, beam search prefers longer texts; below 0, shorter ones",
    ),
)


@dataclass(frozen=True)
class Options:
    """The options of one run.

    `words` replaces the number of words that `length` stands for; `by_section` adds a summary of
    each section, `only_section` writes that of one section of the outline, by its place from 0, and
    no answer. `max_new_tokens` limits each part. `pages` is a list as in "1-5,9"; `sections`
    are named by number, as in "1,3-4", or by title. The DECODING_OPTIONS are for models that write
    in their own words; None means the checkpoint's own setting.
    """

    length: str = DEFAULT_LENGTH
    num_beams: int = DEFAULT_BEAMS
    max_new_tokens: int | None = None
    pages: str = ""
    max_input_tokens: int | None = None
    include_references: bool = False
    sections: str = ""
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    encoder_no_repeat_ngram_size: int | None = None
    length_penalty: float | None = None
    words: int | None = None
    by_section: bool = False
    only_section: int | None = None

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
        for option in DECODING_OPTIONS:
            value = getattr(self, option.name)
            if value is not None:
                option.check(value)

    def decoding(self) -> dict[str, float]:
        """Return the decoding settings that the person has chosen."""
        values = {option.name: getattr(self, option.name) for option in DECODING_OPTIONS}
        return {name: value for name, value in values.items() if value is not None}
