"""Text that a style sheet in the page hides."""

from __future__ import annotations

import re
from itertools import islice

from selectolax.lexbor import LexborHTMLParser

_SHEET_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_SHEET_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_MEDIA_RULES = re.compile(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")  # rules for some media only
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_SELECTED_NAME = re.compile(r"[.#]([A-Za-z_][\w-]{0,99})")
_SIMPLE_SELECTOR = re.compile(r"[A-Za-z0-9]{0,20}[.#][A-Za-z_][\w-]{0,99}")
_MAX_SHEET_CHARACTERS = 500_000
_MAX_HIDDEN_SELECTORS = 200


def parse_page(markup: str) -> LexborHTMLParser:
    """Return the tree of a page; elements that its style sheets hide are marked as hidden.

    A name that a script or another rule speaks of too is shown on some event, and is read.
    """
    tree = LexborHTMLParser(markup)
    sheet = "\n".join(node.text() for node in tree.css("style"))[:_MAX_SHEET_CHARACTERS]
    if not _HIDING.search(sheet):
        return tree
    rules = [*_SHEET_RULE.findall(_MEDIA_RULES.sub("", _SHEET_COMMENT.sub("", sheet)))]
    hidden = {
        part.strip() for names, style in rules if _HIDING.search(style) for part in names.split(",")
    }
    scripts = "\n".join(node.text() for node in tree.css("script"))
    shown = {
        name
        for names, style in rules
        for part in names.split(",")
        if part.strip() not in hidden and not _HIDING.search(style)
        for name in _SELECTED_NAME.findall(part)
        if re.search(r"display|visibility", style)
    }
    for selector in islice(
        sorted(filter(_SIMPLE_SELECTOR.fullmatch, hidden)), _MAX_HIDDEN_SELECTORS
    ):
        name = re.split("[.#]", selector)[1]
        if name not in shown and name not in scripts:
            for node in tree.css(selector):
                node.attrs["hidden"] = ""
    return tree
