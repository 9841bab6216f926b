"""Parts of a web page that its scripts show on a click or in a component: folded panels, tabs,
the inside of elements with a shadow tree."""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser

_MIN_QUESTION_WORDS = 4  # on a button that opens an answer; "Show more" is none
_TEMPLATE_TAG = re.compile(r"<template\b([^>]*)>|</template\s*>", re.I)
_SHADOW_ROOT = re.compile(r"\bshadowroot(?:mode)?\s*=", re.I)
_HAS_PANELS = re.compile(r"aria-controls|tabpanel|<button", re.I)
_HEADING_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6", "summary")


def with_shadow_trees(markup: str) -> str:
    """Return the markup with the shadow trees that it declares as usual elements: browsers show
    them, while other templates stay unseen."""
    if not _SHADOW_ROOT.search(markup):
        return markup
    is_shadow: list[bool] = []

    def opened(found: re.Match[str]) -> str:
        if found[1] is not None:
            is_shadow.append(_SHADOW_ROOT.search(found[1]) is not None)
            return "<div>" if is_shadow[-1] else found[0]
        return "</div>" if is_shadow and is_shadow.pop() else found[0]

    return _TEMPLATE_TAG.sub(opened, markup)


def with_panels_shown(markup: str) -> str:
    """Return the markup with the content that a tab or a question opens shown, and the text of
    those buttons outside of them: extractors of articles skip buttons and what is hidden."""
    if not _HAS_PANELS.search(markup):
        return markup
    tree = LexborHTMLParser(markup)
    names = {
        name
        for opener in tree.css("[aria-controls]")
        if _opens_content(opener)
        for name in (opener.attributes.get("aria-controls") or "").split()
    }
    for panel in tree.css("[role=tabpanel], [id]"):
        given = panel.attributes
        if given.get("role") == "tabpanel" or given.get("id") in names:
            for hiding in ("hidden", "style", "aria-hidden"):
                if hiding in given:
                    del panel.attrs[hiding]
    for button in tree.css("button"):
        if is_read_button(button):
            button.unwrap()
    return tree.html or markup


def is_read_button(button: Any) -> bool:
    """Return whether a button holds text of the page: a heading, or what opens an answer."""
    if button.css_first("h1, h2, h3, h4, h5, h6") is not None or _is_in_heading(button):
        return True
    given = button.attributes
    opens = "aria-expanded" in given or "aria-controls" in given
    return opens and len(button.text().split()) >= _MIN_QUESTION_WORDS


def _opens_content(opener: Any) -> bool:
    """Return whether an element opens content: a tab, a heading, or a question on a button; a
    menu has neither."""
    is_titled = opener.attributes.get("role") == "tab" or opener.tag in _HEADING_TAGS
    return is_titled or is_read_button(opener)


def _is_in_heading(node: Any) -> bool:
    parent = node.parent
    return parent is not None and parent.tag in _HEADING_TAGS
