"""Raised and lowered type as plain text: exponents, indices, ordinals; marks of notes go."""

from __future__ import annotations

import re

_RAISED = dict(zip("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ", strict=True))
_LOWERED = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))
_NOTE_MARK = re.compile(
    r"[\[(]?\s*(?:\d{1,3}(?:\s*[,–-]\s*\d{1,3})*|[*†‡§¶]{1,3}|[a-z]|[ivx]{1,5})\s*[\])]?"
)
_BRACKETED = re.compile(r"\s*\[[^\[\]]{1,30}\]\s*")  # "[3]", "[citation needed]"
_SYMBOL_MARK = re.compile(r"[*†‡§¶]{1,3}")
_NUMBERS = re.compile(r"\d{1,3}(?:\s*[,–-]\s*\d{1,3})*")
_POWER = re.compile(r"[+−-]?[\w.,]{1,12}")
_SHORT_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{1,3}$")  # a unit or a variable: km, x
_ORDINAL_ENDING = re.compile(r"[^\W\d_]+\.?")


def is_note_mark(text: str) -> bool:
    """Return whether raised text that is a link, or is named so, is the mark of a note."""
    return _NOTE_MARK.fullmatch(text.strip()) is not None or _BRACKETED.fullmatch(text) is not None


def raised(text: str, before: str) -> str:
    """Return raised text as it stands in plain text after `before`; "" for the mark of a note.

    An exponent of a number is written with "^": tokenizers fold "10⁶" to "106".
    """
    shown = text.strip()
    if not shown or _BRACKETED.fullmatch(text):
        return ""
    base = before.rstrip()[-1:] if before[-1:].isspace() else before[-1:]
    if _SYMBOL_MARK.fullmatch(shown):  # of a note, but for stars after a variable
        return shown if _SHORT_WORD.search(before) else ""
    if _NUMBERS.fullmatch(shown) and _is_after_prose(before, base):
        return ""
    if base.isdigit():
        if _ORDINAL_ENDING.fullmatch(shown):  # an ordinal: 21st, 3e
            return text
        return f"^{_grouped(shown)}" if re.search(r"\w", shown) else text
    if all(c in _RAISED for c in shown) and (base.isalpha() or base in ")]"):
        return "".join(map(_RAISED.__getitem__, shown))
    if base.isalpha() and len(shown) > 1:  # letters after a letter: Mme, trademarks
        return text
    return f"^{_grouped(shown)}" if base and (base.isalnum() or base in ")]|") else text


def lowered(text: str, before: str) -> str:
    """Return lowered text as it stands in plain text after `before`."""
    shown = text.strip()
    if not shown or not before or not (before[-1].isalnum() or before[-1] in ")]"):
        return text
    if all(c in _LOWERED for c in shown):
        return "".join(map(_LOWERED.__getitem__, shown))
    return f"_{_grouped(shown)}" if re.search(r"\w", shown) else text


def _is_after_prose(before: str, base: str) -> bool:
    """Return whether a raised number stands after a word or a stop, where no exponent can."""
    if not base:
        return True
    if base.isalpha():
        return _SHORT_WORD.search(before.rstrip()) is None
    return base in ".,;:!?”“\"’'»…" or before[-1:].isspace()


def _grouped(text: str) -> str:
    return text if _POWER.fullmatch(text) else f"({text})"
