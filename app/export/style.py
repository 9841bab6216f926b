"""Choices about the form of an export: paragraphs or a list, links, footnotes, front matter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class LinkStyle(str, Enum):
    """How citations of a PDF lead to its pages."""

    NONE = "none"
    PAGES = "pages"  # report.pdf#page=11, for viewers and browsers
    OBSIDIAN = "obsidian"  # [[report.pdf#page=11]]


@dataclass(frozen=True)
class ExportStyle:
    """The form of an export.

    `bullets`: each sentence is an item of a list. `links`: of citations, in Markdown and HTML; the
    document is expected beside the export. `footnotes` quote the cited passages where these say
    more than the sentence. `front_matter`: Markdown begins with a YAML block.
    """

    bullets: bool = False
    links: LinkStyle = LinkStyle.PAGES
    footnotes: bool = True
    front_matter: bool = False


FILE_STYLE = ExportStyle()
# On a terminal, links and footnotes would stand in the way of reading.
TERMINAL_STYLE = ExportStyle(links=LinkStyle.NONE, footnotes=False)
