"""Numbers in digits as values: points and commas as the language has them."""

from __future__ import annotations

import re
from decimal import Decimal

from ...tokenizer import UNSPACED_SCRIPTS

# A digit that touches a word belongs to it, but for words of scripts without spaces, and for the
# letters of a currency.
NUMBER = re.compile(
    rf"(?:(?<![\w.,/])|(?<={UNSPACED_SCRIPTS.pattern})|(?<=\b[A-Z]{{3}})|(?<=\bRs)|(?<=\D\.))"
    r"[-−–+]?(?:\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,'’]\d+)*)(?!\d)"
)
_GROUPED = re.compile(r"\d{1,3}(?:([.,'’])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
# Numbers that can be read in one way only: with both signs, or with several groups.
_SURE_COMMA = re.compile(
    r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d+(?![\d.,])|(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.,])"
)
_SURE_POINT = re.compile(
    r"(?<![\d.,])\d{1,3}(?:,\d{3})+\.\d+(?![\d.,])|(?<![\d.,])\d{1,3}(?:,\d{3}){2,}(?![\d.,])"
)


def uses_decimal_comma(text: str, default: bool) -> bool:
    """Return whether 1,5 is one and a half in a text: numbers that leave no doubt decide."""
    comma, point = len(_SURE_COMMA.findall(text)), len(_SURE_POINT.findall(text))
    return default if comma == point else comma > point


def number_value(digits: str, has_comma: bool) -> Decimal | None:
    """Return the value of digits with points, commas, spaces; None for a version or a list."""
    sign = -1 if digits[0] in "-−–" else 1
    bare = re.sub(r"[\u00a0\u202f\u2009 '’]", "", digits.lstrip("-−–+"))
    points, commas = bare.count("."), bare.count(",")
    if points and commas:
        decimal = max(bare, key=lambda c: bare.rfind(c) if c in ".," else -1)
        group = "," if decimal == "." else "."
        whole, _, rest = bare.rpartition(decimal)
        if decimal in whole or not re.fullmatch(rf"\d{{1,3}}(?:\{group}\d{{2,3}})*", whole):
            return None
        bare = f"{whole.replace(group, '')}.{rest}"
    elif points + commas > 1:
        if not (_GROUPED.fullmatch(bare) or _INDIAN.fullmatch(bare)):
            return None
        bare = bare.replace(".", "").replace(",", "")
    elif points + commas:
        mark = "." if points else ","
        whole, _, rest = bare.partition(mark)
        has_groups = len(rest) == 3 and len(whole) < 4 and whole.strip("0") != ""
        is_group = has_groups and has_comma == (mark == ".")
        bare = whole + rest if is_group else f"{whole}.{rest}"
    return sign * Decimal(bare)
