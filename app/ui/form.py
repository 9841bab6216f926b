"""What is filled in on the page, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..settings import DEFAULT_LENGTH, DEFAULT_MODEL, Settings
from ..summary.options import Options
from ..wording import ranges


@dataclass(frozen=True)
class Form:
    """The values of the fields, by their names; a number that is cleared is None."""

    source: str = "files"  # or text: which tab is open
    files: list[str] | None = None
    text: str = ""
    model: str | None = DEFAULT_MODEL
    length: str = DEFAULT_LENGTH
    num_beams: float | None = None
    pages: str = ""
    sections: Sequence[str] | None = None  # the numbers of those that are ticked
    max_new_tokens: float | None = None
    max_input_tokens: float | None = None
    include_references: bool = False
    password: str = ""
    ocr: bool = False

    def chosen_model(self, settings: Settings) -> str:
        """Its name; a field that is cleared asks for what it begins with."""
        return (self.model or "").strip() or settings.model

    def options(self, settings: Settings) -> Options:
        """What is asked for; a field that is cleared asks for what it begins with."""
        most_read = self.max_input_tokens
        if most_read is None:
            most_read = settings.max_input_tokens
        return Options(
            self.length or settings.length,
            beams_of(self.num_beams, settings),
            _whole(self.max_new_tokens),
            self.pages or "",
            _whole(most_read),
            bool(self.include_references),
            spec_of(self.sections),
        )


def spec_of(chosen: Sequence[str] | None) -> str:
    """Ticked numbers as `--sections` takes them."""
    return ranges(sorted(int(number) for number in chosen or ())).replace(" ", "")


def beams_of(value: float | None, settings: Settings) -> int:
    """How many beams a field asks for that may be cleared."""
    return settings.num_beams if value is None else int(value)


def _whole(value: float | None) -> int | None:
    return int(value) if value else None
