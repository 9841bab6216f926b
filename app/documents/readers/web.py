"""HTML becomes blocks: paragraphs, headings, rows; no script, style, menu or hidden part."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from longt5.text.prose import is_caption

from ...errors import NotReadable
from ...warning import AppWarning, WarningKind
from ..cleaning import characters
from . import encoding as text
from .parts import Block, join_blocks, outline_of, pack
from .pdf.paragraphs import lead_apart, line_key

_SKIPPED = frozenset(
    "script style noscript template svg head title object iframe canvas audio video select button "
    "textarea input rt rp dialog".split()
)
_FURNITURE = frozenset("nav aside footer header".split())  # of a page, beside its content
_ROLES = frozenset("navigation complementary contentinfo search dialog alertdialog".split())
_BESIDE = re.compile(  # what pages call the same where they do not use those
    r"(?:.*[-_])?(?:cookies?|gdpr|consent|privacy|newsletter)"
    r"[-_](?:banner|bar|box|consent|notice|note|message|modal|overlay|popup|prompt|signup|form|wrapper)"
    r"|(?:.*[-_])?(?:breadcrumbs?|navbar|navbox|sidebar|toolbar|footer|skip-?links?|editsection"
    r"|advert(?:isement)?s?)|hatnote|catlinks|mw-jump-link|siteSub|no-?print|sr-only"
    r"|visually-hidden|screen-reader-text"
    r"|(?:share|social|sharing)(?:[-_](?:bar|box|buttons?|icons?|links?|media|tools?))?"
    r"|cookies?|consent|gdpr|newsletter|related|menu|topbar|foot|ads?|copyright"
    r"|(?:related|recommended|popular)[-_](?:articles?|box|content|links?|posts?|stories)"
    r"|comments?(?:[-_](?:area|body|content|list|section|thread))?|disqus_thread",
    re.I,
)
LEAST_SHARE = 0.1  # of the letters that must stay for names to count
ENOUGH = 200  # characters that tell how many letters a heading begins with, or that it is none
LARGEST, MOST_NODES = 1500, 500  # characters and nodes of what may be left out for its name
_BLOCKS = frozenset(
    "p div section article main body ul ol dl dd dt blockquote pre table tbody thead tfoot form "
    "figure figcaption header footer aside nav address details summary fieldset hr center "
    "caption".split()
)
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_CELLS = frozenset(("td", "th"))
_BOLD = frozenset(("b", "strong"))
_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([\w.:-]+)", re.I
)
_SELF_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_COMMENT = re.compile(r"^[ \t]*#+[ \t]+", re.M)  # in code; its sign would make it a heading
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_NOTE_MARK = re.compile(r"\s*\[[^\[\]]{1,30}\]\s*")  # raised: "[3]", "[citation needed]"
LEFT_OUT = "Menus, side columns, captions, notices, comments and footers of the page are left out."
MAIN_SHARE = 0.5  # of the page's letters inside <main> or the only <article>: that is the page


def read_html(path: Path, name: str) -> dict[str, Any]:
    """{"unit", "pages", "outline", "warnings"} of a saved web page."""
    markup, note = decode(path.read_bytes())
    blocks, left_out = page_blocks(markup)
    parts = pack(blocks)
    if not parts:
        raise NotReadable(f"“{name}” shows no text without its scripts: print the page as PDF.")
    pages = [[str(n), join_blocks(part), "ok"] for n, part in enumerate(parts, 1)]
    warnings = [note] if note else []
    if left_out:
        warnings.append(AppWarning(WarningKind.BOILERPLATE_LEFT_OUT, LEFT_OUT))
    return {"unit": "part", "pages": pages, "outline": outline_of(parts), "warnings": warnings}


def decode(data: bytes) -> tuple[str, AppWarning | None]:
    """Markup of the bytes by mark, declaration or guess; a warning when it was a guess."""
    declared = _CHARSET.search(data[:2048])
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            label = declared[1].decode("ascii")
            # Browsers read Latin-1 as Windows-1252, and so do the writers of pages.
            is_latin = label.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii")
            return text.scrub(data.decode("cp1252" if is_latin else label)), None
        except (LookupError, ValueError):  # unknown, or not true
            pass
    return text.decode(data)


def page_blocks(markup: str) -> tuple[list[Block], bool]:
    """The blocks of a page's content, and whether menus and the like were left out."""
    tree = LexborHTMLParser(markup)
    if tree.body is None:
        return [], False
    plain, walk = _Walk(is_page=True), _Walk(is_page=True, by_name=True)
    everything, blocks = plain.blocks_of(tree.body), walk.blocks_of(tree.body)
    # The comments of a forum are its content.
    if _letters(blocks) < LEAST_SHARE * _letters(everything):
        walk, blocks = plain, everything
    for selector in ("main", "article"):
        found = tree.css(selector)
        if len(found) == 1:
            own = _Walk(is_page=False, by_name=walk.by_name).blocks_of(found[0])
            if _letters(own) >= MAIN_SHARE * _letters(blocks):
                return own, _letters(own) < _letters(blocks) or walk.left_out
    if _letters(blocks) or not walk.left_out:
        return blocks, walk.left_out
    return _Walk(is_page=False).blocks_of(tree.body), False


def chapter_blocks(markup: str) -> list[Block]:
    """The blocks of a chapter of a book; XHTML's own way to close an element is understood."""
    tree = LexborHTMLParser(_SELF_CLOSED.sub(_closed, markup))
    return [] if tree.body is None else _Walk(is_page=False).blocks_of(tree.body)


def _closed(match: re.Match[str]) -> str:
    if match[1].lower() in _VOID:
        return match[0]
    return f"<{match[1]}{match[2] or ''}></{match[1]}>"


def _is_beside(node: Any, given: Any) -> bool:
    """Whether a node is small and its role or one of its names says that it is not the content."""
    names = [*(given.get("class") or "").split(), *(given.get("id") or "").split()]
    if given.get("role") not in _ROLES and not any(map(_BESIDE.fullmatch, names)):
        return False
    size = 0
    for count, (inner, begins) in enumerate(nodes(node)):
        size += len(inner.text_content or "") if begins and inner.tag == "-text" else 0
        if inner.tag in ("h1", "main", "article") or size > LARGEST or count > 2 * MOST_NODES:
            return False
    return True


def _is_note_mark(node: Any) -> bool:
    """Whether what is raised leads to a note or a reference."""
    names = (node.attributes.get("class") or "").split()
    return "reference" in names or _NOTE_MARK.fullmatch(node.text()) is not None


def _is_bare_caption(node: Any) -> bool:
    """Whether it is the caption of a picture that is not even numbered: it says what is seen."""
    return node.tag == "figcaption" and not is_caption(node.text().strip())


def _letters(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def nodes(root: Any) -> Generator[tuple[Any, bool], bool | None, None]:
    """(node, does it begin?) in document order, without recursion: trees may be very deep. Send
    True to pass over what is inside a node that begins."""
    node: Any = root
    while node is not None:
        is_passed = yield node, True
        child = None if is_passed else node.first_child
        if child is not None:
            node = child
            continue
        while node is not None:
            yield node, False
            if node.mem_id == root.mem_id:
                return
            if node.next is not None:
                node = node.next
                break
            node = node.parent


@dataclass
class _Walk:
    """Collects the text of one tree; `is_page` leaves out what frames a page's content, `by_name`
    what is called like that."""

    is_page: bool
    by_name: bool = False
    left_out: bool = False
    found: list[Block] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    level: int = 0
    is_row: bool = False
    exact: int = 0  # depth of <pre>, where line ends count
    bold: int = 0  # depth of what is bold
    lead: int = 0  # letters and digits that a block begins with in bold
    is_led: bool = False  # has it gone on in usual weight?

    def blocks_of(self, root: Any) -> list[Block]:
        """All blocks of the tree."""
        walk = nodes(root)
        step = next(walk, None)
        while step is not None:
            node, begins = step
            try:
                step = walk.send(self._begin(node)) if begins else self._end(node, walk)
            except StopIteration:
                step = None
        self._flush()
        return self.found

    def _begin(self, node: Any) -> bool:
        """Takes in a node; True when its inside is to be passed over."""
        tag = node.tag
        if tag == "-text":
            content = node.text_content or ""
            content = _COMMENT.sub("", content) if self.exact else re.sub(r"\s+", " ", content)
            self.pieces.append(content)
            if not self.is_led and (letters := len(line_key(content[:ENOUGH]))):
                self.is_led = not self.bold
                self.lead += letters if self.bold else 0
        elif tag == "br":
            self.pieces.append("\n")
        elif tag.startswith("-") or tag in _SKIPPED or self._is_unseen(tag, node):
            return True
        elif tag in _BOLD:
            self.bold += 1
        elif tag in _HEADINGS:
            self._flush()
            self.level = _HEADINGS[tag]
        elif tag in ("li", "tr"):
            self._flush()
            self.is_row = True
            self.pieces.append("• " if tag == "li" else "")
        elif tag in _BLOCKS and not self._in_row(tag):
            self._flush()
            self.exact += tag == "pre"
        elif tag in _CELLS and "".join(self.pieces).strip():
            self.pieces.append(" | ")
        return False

    def _end(self, node: Any, walk: Any) -> Any:
        tag = node.tag
        if tag in _HEADINGS or tag in ("li", "tr") or (tag in _BLOCKS and not self._in_row(tag)):
            self._flush()
            self.exact = max(0, self.exact - (tag == "pre"))
        elif self.is_row and tag in _BLOCKS:
            self.pieces.append(" ")
        elif tag in _BOLD:
            self.bold = max(0, self.bold - 1)
        return next(walk)

    def _in_row(self, tag: str) -> bool:
        """Whether a block only fills a cell or an entry that has begun."""
        return self.is_row and tag in ("p", "div", "section") and len(self.pieces) < 200

    def _is_unseen(self, tag: str, node: Any) -> bool:
        if self.is_page and tag in _FURNITURE:
            if tag == "header" and node.css_first("h1") is not None:
                return False
            self.left_out = True
            return True
        if tag == "sup" and _is_note_mark(node):
            return True
        given = node.attributes
        if self.by_name and (_is_beside(node, given) or _is_bare_caption(node)):
            self.left_out = True
            return True
        kind = f"{given.get('epub:type') or ''} {given.get('role') or ''}"
        return (
            "hidden" in given
            or given.get("aria-hidden") == "true"
            or bool(_HIDDEN_STYLE.search(given.get("style") or ""))
            or "noteref" in kind
            or "pagebreak" in kind
        )

    def _flush(self) -> None:
        lines = characters("".join(self.pieces)).split("\n")
        if not self.exact:
            lines = [line for line in lines if line]
        content = "\n".join(lines).strip(" |\n")
        if content and content != "•":
            level = self.level if re.search(r"\w", content) else 0
            shown = " ".join(content.split()) if level else content
            has_lead = self.is_led and not (level or self.is_row or self.exact)
            for part in lead_apart(shown, self.lead if has_lead else 0):
                self.found.append(Block(part, level, self.is_row and not level))
        self.pieces, self.level, self.is_row = [], 0, False
        self.lead, self.is_led = 0, False
