"""Turn the values of the page's fields, and of API calls, into options of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BadOption
from ..settings import DEFAULT_MODEL, Settings
from ..summary.options import DECODING_OPTIONS, Options
from ..wording import ranges
from .model_choice import choose_model

# The fields of the page that a run depends on, by the names of their components.
FORM_FIELDS = (
    "source", "files", "text", "password", "ocr", "model", "length", "num_beams", "pages",
    "sections", "max_new_tokens", "max_input_tokens", "include_references", "words", "by_section",
    *(option.name for option in DECODING_OPTIONS),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """The filled-in form: documents, model and options."""

    source: str = "files"  # the open tab: "files" or "text"
    files: list[str] | None = None
    text: str = ""
    model: str = DEFAULT_MODEL
    options: Options = Options()
    password: str = ""
    ocr: bool = False


def form_from_fields(values: Mapping[str, Any], settings: Settings) -> Form:
    """Return the form of the page's field values; a cleared field means the default.

    Raises BadOption, and ModelNotFound for a model that the page does not offer.
    """
    return Form(
        filled_tab(values["source"], values["files"], values["text"]),
        values["files"],
        values["text"],
        choose_model(values["model"], settings),
        options_from_fields(
            settings,
            **{name: values[name] for name in ("length", "num_beams", "pages")},
            **{name: values[name] for name in ("max_new_tokens", "max_input_tokens")},
            include_references=values["include_references"],
            sections=section_spec(values["sections"]),
            words=number_in(values["words"], "The number of words"),
            by_section=values["by_section"],
            decoding={
                option.name: number_in(values[option.name], option.label)
                for option in DECODING_OPTIONS
            },
        ),
        values["password"],
        values["ocr"],
    )


def filled_tab(opened: str, files: Sequence[str] | None, text: str | None) -> str:
    """Return the tab that holds what is to be summarized: the open one, unless only the other does.

    Where the server is busy, a click on Summarize may overtake the news that a tab was opened.
    """
    has = {"files": bool(files), "text": bool((text or "").strip())}
    return next((tab for tab in (opened, *has) if has[tab]), opened)


def number_in(text: str | None, label: str) -> float | None:
    """Return the number in a text field, None for an empty one. Raises BadOption."""
    if not (text or "").strip():
        return None
    try:
        value = float(str(text).replace(",", ""))
    except ValueError:
        raise BadOption(f"{label} must be a number, not “{text}”.") from None
    return int(value) if value.is_integer() else value


def options_from_fields(
    settings: Settings,
    *,
    length: str | None,
    num_beams: float | None,
    pages: str | None,
    sections: str | None,
    include_references: bool | None,
    max_new_tokens: float | None = None,
    max_input_tokens: float | None = None,
    words: float | None = None,
    by_section: bool | None = False,
    decoding: Mapping[str, Any] | None = None,
) -> Options:
    """Return the options of a run; None and "" mean the default, 0 tokens mean no limit.

    `decoding` are values of the DECODING_OPTIONS by name.
    """
    window = settings.max_input_tokens if max_input_tokens is None else max_input_tokens
    return Options(
        length=length or settings.length,
        num_beams=settings.num_beams if num_beams is None else int(num_beams),
        max_new_tokens=int(max_new_tokens) if max_new_tokens else None,
        pages=pages or "",
        max_input_tokens=int(window) if window else None,
        include_references=bool(include_references),
        sections=sections or "",
        words=None if words is None else int(words),
        by_section=bool(by_section),
        **(decoding or {}),
    )


def section_spec(chosen: Sequence[str] | None) -> str:
    """Return ticked section numbers in the syntax of `--sections`, such as "1,3-4"."""
    return ranges(sorted(int(number) for number in chosen or ())).replace(" ", "")
