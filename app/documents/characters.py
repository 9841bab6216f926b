"""Characters of text: control characters, ligatures, white space and line ends."""

from __future__ import annotations

import re

_TERMINAL_CODES = re.compile(  # colours, window titles and the like, in both of their spellings
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\f\x1b\x9c\x9d]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[@-_]"
)
_BINARY_RANGE = r"\x00-\x08\x0b\x0e-\x1f\x7f"
_BINARY = re.compile(f"[{_BINARY_RANGE}]")
# Marks that turn the direction of all text until they are closed: a sentence cut out of its
# paragraph would turn what stands after it, and a name could show another suffix than it has.
_DIRECTIONS = r"\u202a-\u202e\u2066-\u2069"
_CONTROLS = rf"{_BINARY_RANGE}\x80-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\ud800-\udfff{_DIRECTIONS}"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_ANY_LINE_END = re.compile(r"\r\n?|\x85")
_UNDECODABLE_BYTE = re.compile(r"[\ud800-\udfff]")  # as Python holds it in a file's name
_JOINED = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_LIGATURES = str.maketrans({**_JOINED, "\u00a0": " "})
_SPACES = re.compile("[ \t\u2000-\u200a\u202f\u205f]+")
# Whatever any of these patterns and steps would change.
_NOT_NORMAL = re.compile(
    rf"[{_CONTROLS}\n\r\f\t\x85\xa0\xad\uffff{''.join(_JOINED)}\u2000-\u200a\u202f\u205f]|  "
)
_SOFT_HYPHEN = re.compile("[\u00ad\uffff][ \t]*\n[ \t]*|\u00ad|\uffff")


def strip_controls(text: str) -> str:
    """Return the text without terminal codes, controls (of direction too), zero-width characters
    and lone surrogates, which no file can hold. Every line ends in \\n; a form feed becomes a
    blank line."""
    text = _CONTROL.sub("", _TERMINAL_CODES.sub("", text))
    return _ANY_LINE_END.sub("\n", text).replace("\f", "\n\n")


def without_controls(text: str) -> str:
    """Return the text of a model without control characters; more text only appends to it."""
    return _CONTROL.sub("", text).replace("\r", " ")


def has_binary(text: str) -> bool:
    """Return whether the text holds control characters that are no terminal codes."""
    return _BINARY.search(_TERMINAL_CODES.sub("", text)) is not None


def normalize_characters(text: str) -> str:
    """Return the text with plain letters, single spaces and \\n line ends."""
    # PDFium puts U+FFFE for a hyphen at a line's end, of any kind, and drops the line end.
    text = "\ufffe".join(map(strip_controls, text.split("\ufffe")))
    text = _SOFT_HYPHEN.sub("", text.translate(_LIGATURES))
    text = re.sub("\ufffe[ \t]*\n?", "\ufffe\n", text)
    return "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n"))


def is_normalized(text: str) -> bool:
    """Return whether `normalize_characters` would only strip a text."""
    if text.isascii() and text.isprintable():
        return "  " not in text
    return _NOT_NORMAL.search(text) is None


def one_line(text: str) -> str:
    """Return a title or a label without control characters, on one line."""
    return " ".join(strip_controls(text).split())


def display_name(name: str) -> str:
    """Return a file's name as it can be shown, with U+FFFD for bytes that are not UTF-8."""
    return one_line(_UNDECODABLE_BYTE.sub("\ufffd", name)) or "unnamed"
