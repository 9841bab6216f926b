"""Amounts that LaTeX sources write with the package siunitx: `\\SI{5}{\\kilo\\metre}` is 5 km."""

from __future__ import annotations

import re

_AMOUNT = re.compile(
    r"\\(?:SI|qty)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}\s*\{([^{}]*)\}"
    r"|\\(?:si|unit)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}|\\(?:num|ang)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}"
)
_AMOUNT_RANGE = re.compile(r"\\(?:SIrange|qtyrange)\s*\{([^{}]*)\}\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_UNIT_COMMAND = re.compile(r"\\([a-zA-Z]+)")
_UNIT_SIGNS = {
    "pico": "p", "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "hecto": "h",
    "kilo": "k", "mega": "M", "giga": "G", "tera": "T",
    "metre": "m", "meter": "m", "gram": "g", "kilogram": "kg", "tonne": "t", "second": "s",
    "minute": "min", "hour": "h", "day": "d", "litre": "l", "liter": "l", "kelvin": "K",
    "celsius": "°C", "degreeCelsius": "°C", "degree": "°", "ampere": "A", "volt": "V", "watt": "W",
    "joule": "J", "newton": "N", "pascal": "Pa", "bar": "bar", "hertz": "Hz", "mole": "mol",
    "ohm": "Ω", "percent": "%", "byte": "B", "bit": "bit", "electronvolt": "eV", "hectare": "ha",
    "per": "/", "squared": "²", "cubed": "³", "square": "", "cubic": "",
}  # fmt: skip


def with_amounts(text: str) -> str:
    """Return a source with its amounts and units written out."""
    text = _AMOUNT_RANGE.sub(lambda m: f"{_number(m[1])}–{_number(m[2])} {_unit(m[3])}", text)
    return _AMOUNT.sub(_amount, text)


def _amount(found: re.Match[str]) -> str:
    if found[2] is not None:
        unit = _unit(found[2])
        return f"{_number(found[1])}{'' if unit == '°' else ' '}{unit}"
    return _unit(found[3]) if found[3] is not None else _number(found[4])


def _number(text: str) -> str:
    """Return a number; a power of ten is written with a caret."""
    return re.sub(r"(?<=[\d.])[eE](-?\d+)", r" × 10^\1", text.replace("\\pm", "±").strip())


def _unit(text: str) -> str:
    shown = _UNIT_COMMAND.sub(lambda m: _UNIT_SIGNS.get(m[1], m[1]), text)
    for command, sign in (("square", "²"), ("cubic", "³")):
        if f"\\{command}\\" in text:  # stands before its unit
            shown += sign
    return "".join(shown.split()).replace("~", "").replace(".", " ").replace("%", "\\%")
