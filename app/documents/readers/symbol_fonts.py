"""Characters of the fonts Symbol and Wingdings, which Word stores by their places in the font."""

from __future__ import annotations

_SYMBOL = dict(
    zip(
        (
            *range(0x41, 0x5B), *range(0x61, 0x7B),
            0x22, 0x24, 0x27, 0x2A, 0x2D, 0x40, 0x5C, 0x5E, 0x7E,
            *range(0xA1, 0xBA), *range(0xBA, 0xBD), *range(0xC0, 0xDB), *range(0xDB, 0xE1), 0xE5,
            0xF2,
        ),
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ" "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
        "∀∃∋∗−≅∴⊥∼"
        "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠" "≡≈…" "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨" "⇔⇐⇑⇒⇓◊" "∑"
        "∫",
        strict=True,
    )
)  # fmt: skip
_WINGDINGS = {
    0xFC: "✓", 0xFB: "✗", 0xFD: "☒", 0xFE: "☑", 0xA8: "☐", 0x6F: "☐", 0x71: "☐", 0x78: "☒",
    0xE0: "→", 0xDF: "←", 0xE1: "↑", 0xE2: "↓", 0xE8: "→", 0xF0: "⇨", 0x9F: "•", 0xA7: "•",
    0x6C: "•", 0x6E: "•", 0x76: "•", 0xD8: "•", 0x4A: "☺", 0x4C: "☹",
}  # fmt: skip
_PRIVATE_USE = 0xF000  # where Word keeps the places of a symbol font


def character_of(font: str, code: int) -> str:
    """Return the character at a place of a font; "" where it is an ornament."""
    place = code - _PRIVATE_USE if code >= _PRIVATE_USE else code
    name = font.lower()
    if name == "symbol":
        return _SYMBOL.get(place, chr(place) if 0x20 <= place < 0x7F else "")
    if name.startswith(("wingdings", "webdings", "zapf")):
        return _WINGDINGS.get(place, "")
    return "" if code >= _PRIVATE_USE or not 0x20 <= code < 0xD800 else chr(code)


def in_font(text: str, font: str) -> str:
    """Return text of a symbol font; text of any other font stays as it is."""
    if font.lower() != "symbol" and not font.lower().startswith("wingdings"):
        return text
    return "".join(character_of(font, ord(c)) if c > " " else c for c in text)
