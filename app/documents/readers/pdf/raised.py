"""Raised and lowered type: note marks go, exponents and indices stay as Unicode."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

RAISED, LOWERED = "raised", "lowered"
# In sizes of the line's type.
_SMALLER = 0.9  # raised and lowered type is smaller than that
_RISE, _FALL = 0.12, 0.06  # of its baseline
_SUPERSCRIPTS = str.maketrans("0123456789+-−–=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿ")
_SUBSCRIPTS = str.maketrans("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎")
_CLOSING_SIGNS = frozenset(",.;)]")
_AMOUNTS = re.compile(r"[\d+\-−–=()n.,]+")
_RAISED_MARK = re.compile(r"[\d*†‡§¶,;\s–-]{1,12}|[a-z](?:\s?,\s?[a-z])*|\[\d[\d,\s–-]*\]")
# Before an exponent stand a digit, or a short symbol of a unit or a variable.
_BEFORE_EXPONENT = re.compile(r"(?:(?<![^\W\d_])[^\W\d_]{1,2}|\d)\s?$")


@dataclass(slots=True)
class TypePiece:
    """Letters of a line in one size on one baseline; the gap before them is seen by `left`."""

    size: float
    y: float
    bold: bool
    chars: list[str]
    left: float
    right: float
    is_monospaced: bool = False

    def kind(self, size: float, baseline: float) -> str:
        """Return RAISED, LOWERED or "" beside the type of the line."""
        if self.size > _SMALLER * size:
            return ""
        rise = (self.y - baseline) / size
        return RAISED if rise > _RISE else LOWERED if rise < -_FALL else ""


def text_of_pieces(pieces: Sequence[TypePiece], size: float, baseline: float) -> tuple[str, int]:
    """Return the text of a line and how many note marks are left out of it."""
    if len(pieces) == 1:
        return "".join(pieces[0].chars).strip(), 0
    text, before, marks = "", "", 0
    written = ["".join(piece.chars) for piece in pieces]
    for index, piece in enumerate(pieces):
        shown = written[index]
        kind = piece.kind(size, baseline)
        if kind == RAISED and index:
            following = written[index + 1].lstrip() if index + 1 < len(written) else ""
            is_bracketed = text.rstrip().endswith("(") and following.startswith(")")
            if is_bracketed and text.strip() == "(":  # of the note itself: "(4) See page 2."
                text, shown, written[index + 1] = "(", shown.strip(), following
            else:
                shown, is_mark = raised_text(text, shown)
                marks += is_mark
                if is_mark and is_bracketed:
                    text, shown, written[index + 1] = text.rstrip(" ("), "", following[1:]
        elif kind == RAISED and not shown.endswith(" "):
            shown += " "  # the number of a note before its words
        elif kind == LOWERED and _AMOUNTS.fullmatch(shown.strip()):
            text = text.rstrip() if len(shown.strip()) < 3 else text
            shown = shown.translate(_SUBSCRIPTS)
        if not kind and before and shown[:1] in _CLOSING_SIGNS:
            text = text.rstrip()  # PDFium sees a space where only the type changes
        text += shown
        before = kind
    return re.sub(r" {2,}", " ", text).strip(), marks


def raised_text(before: str, raised: str) -> tuple[str, bool]:
    """Return raised letters after some text as they are to be read, and whether they are the mark
    of a note, of which only the space after it stays.

    >>> raised_text("10", "6")
    ('⁶', False)
    >>> raised_text("the harbour", "6 ")
    (' ', True)
    """
    core, space = raised.strip(), " " * raised.endswith(" ")
    is_signed = core[:1] in "+-−–" and len(core) > 1
    is_exponent = _BEFORE_EXPONENT.search(before) is not None or is_signed
    if _AMOUNTS.fullmatch(core) and is_exponent and not ("," in core or "." in core):
        return core.translate(_SUPERSCRIPTS) + space, False
    if _RAISED_MARK.fullmatch(core) and not (core.isalpha() and before[-1:].isdigit()):
        return space, True
    return raised, False
