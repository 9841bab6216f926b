"""Web pages are extracted: paragraphs, headings and rows, without scripts, menus, hidden parts."""

from __future__ import annotations

import re
from collections.abc import Container, Generator, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from longt5.text.prose import is_caption

from ...errors import NotReadable
from ...warning import AppWarning, WarningKind
from ..characters import normalize_characters, strip_controls
from ..definitions import may_be_term, with_term
from ..encoding import codec_of_label, decode_text
from ..line_layout import line_key
from ..listings import is_code
from ..model import Block, BlockKind, Extracted, OnProgress, ReadRequest
from ..raised_type import is_note_mark, lowered, raised
from ..run_in_headings import split_run_in_heading
from .article import article_blocks, article_text
from .blocks import outline_of_parts, pack_blocks, pages_of_parts
from .equations import mathml_text
from .gutenberg import GUTENBERG_LEFT_OUT, book_of_chapters
from .page_panels import is_read_button, with_panels_shown, with_shadow_trees
from .style_sheets import parse_page
from .wrapped_lines import prose_blocks

_SKIPPED_TAGS = frozenset(
    "script style noscript template svg head title object iframe canvas audio video select "
    "textarea input rt rp dialog".split()
)
_BOILERPLATE_TAGS = frozenset("nav aside footer header".split())
_BOILERPLATE_ROLES = frozenset(
    "navigation complementary contentinfo search dialog alertdialog".split()
)
_BOILERPLATE_NAME = re.compile(  # classes and ids of pages that do not use those tags
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
# Chosen by hand on saved pages. Where less than this share of the text stays without boilerplate
# names, the page is a forum, whose comments are its content.
_MIN_SHARE_WITHOUT_NAMES = 0.1
_MAX_BOILERPLATE_CHARACTERS = 1500  # of an element that its name alone makes boilerplate
_MAX_BOILERPLATE_NODES = 500
_MIN_MAIN_SHARE = 0.5  # of the page's letters inside <main> or the only <article>
_MAX_LEAD_CHARACTERS = 200  # of a text node that are counted for a heading in bold
_MAX_ROW_PIECES = 200  # after which a row is a layout table, whose blocks are paragraphs
_BLOCK_TAGS = frozenset(
    "p div section article main body ul ol dl dd dt blockquote pre table tbody thead tfoot form "
    "figure figcaption header footer aside nav address details summary fieldset hr center "
    "caption".split()
)
_HEADING_LEVELS = {f"h{n}": n for n in range(1, 7)}
_CELL_TAGS = frozenset(("td", "th"))
_LINE_TAGS = {"li": BlockKind.LIST_ITEM, "tr": BlockKind.TABLE_ROW}
_BOLD_TAGS = frozenset(("b", "strong"))
_CHARSET = re.compile(
    rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([\w.:-]+)", re.I
)
_QUOTES = "blockquote[type=cite], .gmail_quote, .yahoo_quoted, .moz-cite-prefix, #divRplyFwdMsg"
# What KaTeX, MathJax and MediaWiki name the two forms of an equation.
_MATH_COPIES = ("katex-html", "MathJax_Preview", "mwe-math-fallback-image-inline")
_MATH_SOURCES = (
    "katex-mathml",
    "MJX_Assistive_MathML",
    "mwe-math-mathml-inline",
    "mwe-math-mathml-display",
    "mwe-math-mathml-a11y",
)
_SELF_CLOSED_TAG = re.compile(r"<([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_VOID_TAGS = frozenset(
    "area base br col embed hr img input link meta source track wbr".split(),
)
# The best of five shares on every fourth page of WCXB's development half: F1 of words 0.846 of all
# pages and 0.929 of articles; our walk alone 0.800 and 0.912.
MIN_ARTICLE_SHARE = 0.6
_MIN_ARTICLE_CHARACTERS = 500  # of a page; a smaller one has no boilerplate worth a second look
_MAX_STRAY_SHARE = 0.001  # of characters that the declared encoding does not have
_CODE_COMMENT = re.compile(r"^[ \t]*#+[ \t]+", re.M)  # whose sign would make it a heading
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}(?:px|em|rem|pt)",
    re.I,
)
_WORD_CHARACTER = re.compile(r"\w")
_BLANK_LINE = re.compile(r"\n\s*\n")
_BARE_MARK = re.compile(r"\d{1,3}|[*†‡§]{1,3}")
_BEFORE_MARK = frozenset(".,;:!?)]”’»\"'")
_NOTE_NAME = re.compile(r"(?:foot|end)?note-?ref|noteref|fn-?ref|(?:^|\s)footnote(?:\s|$)", re.I)
PAGE_BOILERPLATE_LEFT_OUT = AppWarning(
    WarningKind.BOILERPLATE_LEFT_OUT,
    "Menus, side columns, captions, notices, comments and footers of the page are left out.",
)


def read_html(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a saved web page, in parts. Raises NotReadable."""
    markup, warning = decode_markup(Path(request.path).read_bytes())
    return extract_page(markup, request.name, (warning,) if warning else ())


def extract_page(markup: str, name: str, notes: tuple[AppWarning, ...]) -> Extracted:
    """Extract the markup of a web page, in parts. Raises NotReadable."""
    found, has_left_out = page_blocks(markup)
    (blocks,), is_framed = book_of_chapters([found])
    parts = pack_blocks(blocks)
    if not parts:
        raise NotReadable(f"“{name}” shows no text without its scripts: print the page as PDF.")
    notes += (PAGE_BOILERPLATE_LEFT_OUT,) if has_left_out else ()
    notes += (GUTENBERG_LEFT_OUT,) if is_framed else ()
    pages = pages_of_parts(parts)
    return Extracted("part", pages, outline_of_parts(parts), notes=notes)


def decode_markup(data: bytes) -> tuple[str, AppWarning | None]:
    """Return the markup in the bytes by byte order mark, declaration or guess, and a warning when
    it was a guess."""
    declared = _CHARSET.search(data[:2048])
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        codec = codec_of_label(declared[1].decode("ascii", "replace"))
        try:
            if codec:
                return strip_controls(data.decode(codec)), None
        except UnicodeDecodeError:  # not true, or a few stray bytes
            text = data.decode(codec or "ascii", "replace")
            if not _is_utf8(data) and text.count("\ufffd") <= _MAX_STRAY_SHARE * len(text):
                return strip_controls(text), None
    return decode_text(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def page_blocks(markup: str) -> tuple[list[Block], bool]:
    """Return the blocks of a page's content, and whether boilerplate was left out: those of its
    article, where this is enough of what our own walk keeps, else what that keeps."""
    markup = with_panels_shown(with_shadow_trees(markup))
    tree = parse_page(markup)
    if tree.body is None:
        return [], False
    kept, has_left_out = walked_blocks(tree)
    size = _count_characters(kept)
    if size < _MIN_ARTICLE_CHARACTERS:
        return kept, has_left_out
    everything = _TreeWalk(is_page=True).blocks_of(tree.body)
    article = article_blocks(everything, article_text(markup))
    if _count_characters(article) >= MIN_ARTICLE_SHARE * size:
        return article, True
    return kept, has_left_out


def walked_blocks(tree: LexborHTMLParser) -> tuple[list[Block], bool]:
    """Return the blocks that tags, roles and names do not mark as boilerplate, and whether others
    were left out."""
    assert tree.body is not None
    by_tag, walk = _TreeWalk(is_page=True), _TreeWalk(is_page=True, by_name=True)
    everything, blocks = by_tag.blocks_of(tree.body), walk.blocks_of(tree.body)
    if _count_characters(blocks) < _MIN_SHARE_WITHOUT_NAMES * _count_characters(everything):
        walk, blocks = by_tag, everything
    for selector in ("main", "article"):
        found = tree.css(selector)
        if len(found) == 1:
            main = _TreeWalk(is_page=False, by_name=walk.by_name).blocks_of(found[0])
            size, whole = _count_characters(main), _count_characters(blocks)
            if size >= _MIN_MAIN_SHARE * whole:
                return main, size < whole or walk.left_out
    if _count_characters(blocks) or not walk.left_out:
        return blocks, walk.left_out
    return _TreeWalk(is_page=False).blocks_of(tree.body), False


def chapter_blocks(markup: str) -> list[Block]:
    """Return the blocks of a chapter of a book. Elements closed in the way of XHTML, as <a/>, are
    understood."""
    return chapter_with_notes(markup, ())[0]


def chapter_with_notes(markup: str, noted: Iterable[str]) -> tuple[list[Block], set[str]]:
    """Return the blocks of a chapter, and the links of its marks of notes that lead to other
    files; `noted` are the ids in this chapter that marks of others lead to."""
    tree = parse_page(_SELF_CLOSED_TAG.sub(_with_end_tag, markup))
    walk = _TreeWalk(is_page=False, noted=set(noted))
    return ([] if tree.body is None else walk.blocks_of(tree.body)), walk.far_notes


def mail_blocks(markup: str) -> list[tuple[Block, bool]]:
    """Return the blocks of a mail in HTML, each with whether it is quoted from another mail."""
    tree = parse_page(markup)
    if tree.body is None:
        return []
    named = {node.mem_id: node for node in tree.css(_QUOTES)}
    quotes = [node for node in named.values() if not _is_inside(node, named)]
    found = [(node, _TreeWalk(is_page=False).blocks_of(node)) for node in quotes]
    for node, _ in found:
        node.decompose()
    own = [(block, False) for block in _TreeWalk(is_page=False).blocks_of(tree.body)]
    return own + [(block, True) for _, blocks in found for block in blocks]


def _is_inside(node: Any, others: Container[int]) -> bool:
    """Return whether a node stands inside another one of some, given by their ids."""
    parent = node.parent
    while parent is not None and parent.mem_id not in others:
        parent = parent.parent
    return parent is not None


def _with_end_tag(match: re.Match[str]) -> str:
    if match[1].lower() in _VOID_TAGS:
        return match[0]
    return f"<{match[1]}{match[2] or ''}></{match[1]}>"


def _is_boilerplate(node: Any) -> bool:
    """Return whether a node is small and its role or one of its names is that of boilerplate."""
    given = node.attributes
    names = [*(given.get("class") or "").split(), *(given.get("id") or "").split()]
    has_name = any(map(_BOILERPLATE_NAME.fullmatch, names))
    if given.get("role") not in _BOILERPLATE_ROLES and not has_name:
        return False
    size = 0
    for count, (inner, begins) in enumerate(walk_nodes(node)):
        size += len(inner.text_content or "") if begins and inner.tag == "-text" else 0
        is_content = inner.tag in ("h1", "main", "article")
        is_large = size > _MAX_BOILERPLATE_CHARACTERS or count > 2 * _MAX_BOILERPLATE_NODES
        if is_content or is_large:
            return False
    return True


def _is_note_mark(tag: str, node: Any) -> bool:
    """Return whether an element is the mark of a note: a raised link, or one that is named so."""
    given = node.attributes
    names = f"{given.get('class') or ''} {given.get('role') or ''} {given.get('epub:type') or ''}"
    if tag == "sup" and "reference" in names.split():
        return True
    if not is_note_mark(node.text()):
        return False
    if _NOTE_NAME.search(names):
        return True
    link = node.css_first("a") if tag == "sup" else node
    has_link = link is not None and "href" in link.attributes
    return has_link and (tag == "sup" or node.css_first("sup") is not None)


def _name_of(node: Any) -> str | None:
    """Return what links to an element name: its id, or the name of an old anchor."""
    given = node.attributes
    return given.get("id") or (given.get("name") if node.tag == "a" else None)


def _is_display(node: Any) -> bool:
    return node.attributes.get("display") == "block"


def _hidden_math(node: Any) -> str:
    """Return "source" for an element that hides an equation shown as a picture, which is read;
    "copy" for one that draws an equation whose source is read; "" for any other."""
    names = (node.attributes.get("class") or "").split()
    if any(name in _MATH_COPIES for name in names):
        return "copy"
    return "source" if any(name in _MATH_SOURCES for name in names) else ""


def _is_bare_caption(node: Any) -> bool:
    """Return whether a node is the caption of a picture without a number."""
    return node.tag == "figcaption" and not is_caption(node.text().strip())


def _count_characters(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def walk_nodes(root: Any) -> Generator[tuple[Any, bool], bool | None, None]:
    """Yield (node, does it begin?) in document order, without recursion: trees may be very deep.
    Send True to skip the inside of a node that begins."""
    node: Any = root
    while node is not None:
        is_skipped = yield node, True
        child = None if is_skipped else node.first_child
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
class _TreeWalk:
    """Collects the blocks of one tree. `is_page` leaves out the tags of boilerplate, `by_name`
    its roles and names too."""

    is_page: bool
    by_name: bool = False
    left_out: bool = False
    found: list[Block] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # of the block that has begun
    level: int = 0  # of the heading that has begun
    line_kind: BlockKind | None = None  # of the row or item that has begun
    pre_depth: int = 0  # of <pre>, where line ends count
    is_listing: bool = False  # of <pre>: marked as code, whatever it says
    is_term: bool = False  # inside <dt>
    terms: list[str] = field(default_factory=list)  # that wait for their definition
    noted: set[str] = field(default_factory=set)  # ids that marks of notes lead to
    far_notes: set[str] = field(default_factory=set)  # links of such marks to other files
    note: int | None = None  # the element that is a note, once it has begun
    is_note: bool = False  # of the block that has begun
    in_headed_note: bool = False  # below a heading that is only the mark of a note
    bold_depth: int = 0
    bold_letters: int = 0  # letters and digits that the block begins with in bold
    has_usual_weight: bool = False  # has the block gone on in usual weight?

    def blocks_of(self, root: Any) -> list[Block]:
        """Return all blocks of the tree."""
        walk = walk_nodes(root)
        step = next(walk, None)
        while step is not None:
            node, begins = step
            try:
                step = walk.send(self._begin(node)) if begins else self._end(node, walk)
            except StopIteration:
                step = None
        self._flush()
        self._add_lone_terms()
        return self.found

    def _begin(self, node: Any) -> bool:
        """Begin a node; return True when its inside is to be skipped."""
        tag = node.tag or "-"  # of a processing instruction it is None
        is_skipped = self._begin_tag(tag, node)
        if not is_skipped and self.noted and node.attributes.get("id") in self.noted:
            self.is_note = True
            if self.note is None and (tag in _BLOCK_TAGS or tag in _LINE_TAGS):
                self.note = node.mem_id
        return is_skipped

    def _begin_tag(self, tag: str, node: Any) -> bool:
        if tag == "-text":
            self._add_text(node.text_content or "")
        elif tag == "math":
            self.pieces.append(f" {mathml_text(node)} " if _is_display(node) else mathml_text(node))
            return True
        elif tag in ("sup", "sub") and not self._is_left_out(tag, node):
            self._add_shifted(tag, node)
            return True
        elif tag == "br":
            self.pieces.append("\n")
        elif tag.startswith("-") or tag in _SKIPPED_TAGS or self._is_left_out(tag, node):
            return True
        elif tag == "button":
            return not (self.level or is_read_button(node))
        elif tag in _BOLD_TAGS:
            self.bold_depth += 1
        elif tag in _HEADING_LEVELS:
            self._flush()
            self.level, self.in_headed_note = _HEADING_LEVELS[tag], False
        elif tag in _LINE_TAGS:
            self._flush()
            self.line_kind = _LINE_TAGS[tag]
            self.pieces.append("• " if tag == "li" else "")
        elif tag in _BLOCK_TAGS and not self._is_in_line(tag):
            self._flush()
            if tag == "pre":
                self.pre_depth += 1
                self.is_listing = node.css_first("code, samp") is not None
            self.is_term = self.is_term or tag == "dt"
        elif tag in _CELL_TAGS and "".join(self.pieces).strip():
            self.pieces.append(" | ")
        return False

    def _add_shifted(self, tag: str, node: Any) -> None:
        """Add raised or lowered text."""
        before = "".join(self.pieces[-3:])[-8:]
        text = re.sub(r"\s+", " ", node.text())
        self._add_text(raised(text, before) if tag == "sup" else lowered(text, before))

    def _add_text(self, content: str) -> None:
        is_code = self.pre_depth > 0
        content = _CODE_COMMENT.sub("", content) if is_code else re.sub(r"\s+", " ", content)
        self.pieces.append(content)
        if self.has_usual_weight:
            return
        if letters := len(line_key(content[:_MAX_LEAD_CHARACTERS])):
            self.has_usual_weight = not self.bold_depth
            self.bold_letters += letters if self.bold_depth else 0

    def _end(self, node: Any, walk: Any) -> Any:
        """End a node; return the next step of the walk."""
        tag = node.tag or "-"
        is_block = tag in _BLOCK_TAGS and not self._is_in_line(tag)
        ends_note = self.note is not None and node.mem_id == self.note
        if tag in _HEADING_LEVELS or tag in _LINE_TAGS or is_block:
            self._flush()
            self.pre_depth = max(0, self.pre_depth - (tag == "pre"))
            self.is_term = self.is_term and tag != "dt"
            if tag == "dl":
                self._add_lone_terms()
        elif self.line_kind and tag in _BLOCK_TAGS:
            self.pieces.append(" ")
        elif tag in _BOLD_TAGS:
            self.bold_depth = max(0, self.bold_depth - 1)
        self.note = None if ends_note else self.note
        return next(walk)

    def _is_in_line(self, tag: str) -> bool:
        """Return whether a block only fills a cell or an item that has begun."""
        is_line = self.line_kind is not None and len(self.pieces) < _MAX_ROW_PIECES
        return is_line and tag in ("p", "div", "section")

    def _is_left_out(self, tag: str, node: Any) -> bool:
        if self.is_page and tag in _BOILERPLATE_TAGS:
            if tag == "header" and node.css_first("h1") is not None:
                return False
            self.left_out = True
            return True
        is_mark = tag in ("sup", "a", "span") and _is_note_mark(tag, node)
        if is_mark or (tag == "a" and (self._is_glued_mark(node) or self._leads_back(node))):
            self._follow_mark(node)
            return True
        leads_inside = tag == "a" and (node.attributes.get("href") or "").startswith("#")
        if leads_inside and not _WORD_CHARACTER.search(node.text()):
            return node.css_first("img, svg, math") is None  # ¶, and ↩ below a note
        if self.by_name and (_is_boilerplate(node) or _is_bare_caption(node)):
            self.left_out = True
            return True
        given = node.attributes
        role = f"{given.get('epub:type') or ''} {given.get('role') or ''}"
        if kind := _hidden_math(node):
            return kind == "copy"
        return (
            ("hidden" in given and (given.get("hidden") or "").lower() != "until-found")
            or given.get("aria-hidden") == "true"
            or bool(_HIDDEN_STYLE.search(given.get("style") or ""))
            or "noteref" in role
            or "pagebreak" in role
        )

    def _is_glued_mark(self, node: Any) -> bool:
        """Return whether a link is a number or sign right behind a word, which is no word."""
        before = "".join(self.pieces[-2:])[-1:]
        is_after_word = before.isalnum() or before in _BEFORE_MARK
        is_link = re.search("#.", node.attributes.get("href") or "") is not None
        return (
            bool(before)
            and is_after_word
            and is_link
            and _BARE_MARK.fullmatch(node.text()) is not None
        )

    def _leads_back(self, node: Any) -> bool:
        """Return whether a link is the mark in front of a note: "(1)" in its heading."""
        return _name_of(node) in self.noted and is_note_mark(node.text())

    def _follow_mark(self, node: Any) -> None:
        """Remember where the mark of a note leads to. The mark in front of the note itself, which
        leads back, says that the note begins."""
        inner = [node, *node.css("[id], [name], [href]")]
        self.is_note = self.is_note or any(_name_of(x) in self.noted for x in inner)
        self.in_headed_note = self.is_note and self.level > 0
        if not self.is_note:
            targets = [(x.attributes.get("href") or "").partition("#") for x in inner]
            self.noted |= {name for path, _, name in targets if name and not path}
            self.far_notes |= {f"{path}#{name}" for path, _, name in targets if name and path}

    def _flush(self) -> None:
        """End the block that has begun."""
        typed = "".join(self.pieces)
        lines = normalize_characters(typed).split("\n")
        if not self.pre_depth:
            lines = [line for line in lines if line]
        content = "\n".join(lines).strip(" |\n")
        if self.is_term and content and may_be_term(content):
            self.terms.append(content)
        elif content and content != "•":
            blocks = self._blocks_of_text(content, typed)
            if self.terms and blocks[0].kind is BlockKind.PARAGRAPH:
                text = with_term(", ".join(self.terms), blocks[0].text)
                blocks[0] = replace(blocks[0], text=text)
                self.terms = []
            self._add_lone_terms()
            self.found += blocks
        self.pieces, self.level, self.line_kind = [], 0, None
        self.bold_letters, self.has_usual_weight = 0, False
        self.is_note = False

    def _add_lone_terms(self) -> None:
        """Add terms whose definition begins with no paragraph, or that have none."""
        self.found += [Block(term) for term in self.terms]
        self.terms = []

    def _blocks_of_text(self, content: str, typed: str) -> list[Block]:
        if self.level and re.search(r"\w", content):
            return [Block(" ".join(content.split()), BlockKind.HEADING, self.level)]
        if self.is_note or self.in_headed_note or self.note is not None:
            return [Block(content.removeprefix("• "), BlockKind.NOTE)]
        if self.line_kind:
            return [Block(content, self.line_kind)]
        if self.pre_depth and (self.is_listing or is_code(content)):
            return [Block(content, BlockKind.CODE)]
        if self.pre_depth and _BLANK_LINE.search(content):  # a mail, as archives of lists show it
            return prose_blocks(typed.split("\n"))
        has_lead = self.has_usual_weight and not self.pre_depth
        return [
            Block(part)
            for part in split_run_in_heading(content, self.bold_letters if has_lead else 0)
        ]
