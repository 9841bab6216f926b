"""Raw page texts are cleaned: characters, running lines, contents, paragraphs, cut sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .characters import normalize_characters
from .dehyphenation import Dehyphenator
from .interrupted_sentences import rejoin_cut_sentences
from .line_layout import PageLayout, body_style
from .paragraphs import join_lines
from .running_lines import drop_running_lines
from .table_of_contents import drop_contents


@dataclass(frozen=True)
class Cleaned:
    """Cleaned page texts, and the indexes of pages that lost a table of contents."""

    pages: list[str]
    contents: list[int]


def clean_pages(texts: Sequence[str], layouts: Sequence[PageLayout] | None = None) -> Cleaned:
    """Return raw page texts as prose: a blank line between paragraphs, headings alone. `layouts`
    tell how the lines of each page stand on it."""
    pages = drop_running_lines([normalize_characters(text) for text in texts])
    pages, contents = drop_contents(pages)
    body, dehyphenator = body_style(layouts or ()), Dehyphenator.of(pages)
    each = layouts or [{}] * len(pages)
    joined = [
        join_lines(page, own, body, dehyphenator.join)
        for page, own in zip(pages, each, strict=True)
    ]
    return Cleaned(rejoin_cut_sentences([page.replace("\ufffe", "-") for page in joined]), contents)
