"""RTF documents are extracted: paragraphs, headings by style, tables; no hidden text, no notes."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..listings import join_listings
from ..model import Block, BlockKind, Extracted, LossKind, OnProgress, ReadRequest
from ..raised_type import lowered, raised
from .blocks import extracted_parts, heading_or_paragraph, lines_of, list_item, table_row

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)",
    re.S,
)
_LEFT_OUT_GROUPS = {  # destinations whose loss is named
    "footnote": LossKind.FOOTNOTE, "annotation": LossKind.COMMENT,
    "object": LossKind.EMBEDDED_FILE, "pict": LossKind.PICTURE,
}  # fmt: skip
_UNREAD_GROUPS = frozenset(
    "fonttbl colortbl stylesheet info header headerl headerr headerf footer footerl footerr"
    " footerf listtable listoverridetable revtbl rsidtbl generator xmlnstbl themedata datastore"
    " latentstyles colorschememapping fldinst pntext pntxta pntxtb bkmkstart bkmkend atnid"
    " atnauthor atnref atndate nonshppict nonesttables filetbl listtext objdata objclass"
    " wgrffmtfilter".split()
)
_RTF_SIGNS = {
    "line": "\n", "tab": " ", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ",
    "page": "\n",
}  # fmt: skip
_ESCAPED = {b"~": " ", b"_": "-", b"-": "", b"\\": "\\", b"{": "{", b"}": "}"}
_FONT_CODE_PAGES = {  # by \fcharset
    128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250",
}  # fmt: skip
_MAX_GROUPS = 2_000  # of groups; bounds the memory of a hostile file


@dataclass(frozen=True)
class _State:
    """The state that a group inherits: what is read, and how type stands."""

    is_unread: bool = False
    is_hidden: bool = False
    shift: int = 0  # 1 raised, -1 lowered
    code_page: str = "cp1252"
    fallback: int = 1  # characters after \u that stand for old readers
    destination: str = ""
    font: int | None = None  # None is the usual one of the document


def read_rtf(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract an RTF document, in parts."""
    blocks, left_out = rtf_blocks(Path(request.path).read_bytes())
    return extracted_parts(blocks, bool(left_out.pop(LossKind.PICTURE, 0)), False, left_out)


def rtf_blocks(data: bytes) -> tuple[list[Block], Counter[LossKind]]:
    """Return the blocks of an RTF document, and how much of what was left out."""
    reader = _Reader()
    return list(join_listings(reader.blocks(data))), reader.left_out


@dataclass
class _Reader:
    """Reads control words and text in order."""

    left_out: Counter[LossKind] = field(default_factory=Counter)
    state: _State = field(default_factory=_State)
    stack: list[_State] = field(default_factory=list)
    fonts: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)  # of headings, by the number of a style
    pieces: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    level: int = 0
    is_item: bool = False
    in_table: bool = False
    skip: int = 0  # fallback characters that are still to come
    is_starred: bool = False
    pending: bytes = b""  # of a character of several bytes
    style_number: int = 0
    font_number: int = 0
    usual_font: int = 0
    monospaced: set[int] = field(default_factory=set)  # fonts
    has_other_type: bool = False  # does the paragraph have text that is not monospaced?

    def blocks(self, data: bytes) -> Iterator[Block]:
        """Yield the blocks of the document."""
        for token in _TOKEN.finditer(data):
            word, number, code, sign, brace, text = token.groups()
            if code is not None:
                self._add_bytes(bytes([int(code, 16)]))
                continue
            if text is None:
                self._flush_bytes()
            if brace:
                self._enter_or_leave(brace)
            elif word:
                yield from self._control(word.decode(), int(number) if number else None)
            elif sign:
                if sign == b"*":
                    self.is_starred = True
                elif sign in (b"\r", b"\n"):
                    yield from self._end_paragraph()
                else:
                    self._add(_ESCAPED.get(sign, ""))
            else:
                self._add_bytes(text)
        yield from self._end_paragraph()

    def _enter_or_leave(self, brace: bytes) -> None:
        if brace == b"{":
            if len(self.stack) < _MAX_GROUPS:
                self.stack.append(self.state)
        elif self.stack:
            self.state = self.stack.pop()
        self.is_starred = False
        self.skip = 0

    def _control(self, word: str, number: int | None) -> Iterator[Block]:
        """Obey a control word."""
        is_starred, self.is_starred = self.is_starred, False
        is_on = number != 0
        state = self.state
        if word in _LEFT_OUT_GROUPS or word in _UNREAD_GROUPS:
            if word in _LEFT_OUT_GROUPS and not state.is_unread:
                self.left_out[_LEFT_OUT_GROUPS[word]] += 1
            self.state = replace(state, is_unread=True, destination=word)
        elif is_starred and word not in ("shpinst", "shptxt"):
            self.state = replace(state, is_unread=True, destination=word)
        elif word in ("fonttbl", "stylesheet"):
            self.state = replace(state, destination=word, is_unread=True)
        elif state.is_unread:
            self._learn(word, number)
        elif word in ("par", "sect"):
            yield from self._end_paragraph()
        elif word in ("cell", "row"):
            yield from self._end_cell(word)
        elif word == "u" and number is not None:
            self._add(chr(number % 65536) if number else "")
            self.skip = state.fallback
        elif word in _RTF_SIGNS:
            self._add(_RTF_SIGNS[word])
        else:
            self._format(word, number, is_on)

    def _format(self, word: str, number: int | None, is_on: bool) -> None:
        state = self.state
        if word in ("v", "deleted"):
            self.state = replace(state, is_hidden=is_on)
        elif word in ("super", "sub", "nosupersub"):
            shift = {"super": 1, "sub": -1}.get(word, 0) if is_on else 0
            self.state = replace(state, shift=shift)
        elif word == "plain":
            self.state = replace(state, is_hidden=False, shift=0, font=None)
        elif word == "uc" and number is not None:
            self.state = replace(state, fallback=max(0, min(number, 4)))
        elif word == "ansicpg" and number:
            self.state = replace(state, code_page=_known_code_page(f"cp{number}"))
        elif word == "deff" and number is not None:
            self.usual_font = number
        elif word == "f" and number is not None:
            page = self.fonts.get(number, state.code_page)
            self.state = replace(state, code_page=page, font=number)
        elif word == "pard":
            self.level, self.is_item, self.in_table = 0, False, False
        elif word == "s" and number is not None:
            self.level = self.levels.get(number, 0)
        elif word == "outlinelevel" and number is not None and number < 9:
            self.level = number + 1
        elif word == "ls":
            self.is_item = True
        elif word == "intbl":
            self.in_table = True

    def _learn(self, word: str, number: int | None) -> None:
        """Remember the encodings of fonts and the levels of styles."""
        destination = self.state.destination
        if destination == "fonttbl" and word == "fmodern":
            self.monospaced.add(self.font_number)
        elif destination == "fonttbl" and number is not None:
            if word == "f":
                self.font_number = number
            elif word == "fcharset" and number in _FONT_CODE_PAGES:
                self.fonts[self.font_number] = _FONT_CODE_PAGES[number]
        elif destination == "stylesheet" and number is not None:
            if word == "s":
                self.style_number = number
            elif word == "outlinelevel" and number < 9:
                self.levels[self.style_number] = number + 1

    def _add_bytes(self, data: bytes) -> None:
        if self.skip and not self.state.is_unread:
            taken = min(self.skip, len(data))
            self.skip -= taken
            data = data[taken:]
        self.pending += data

    def _flush_bytes(self) -> None:
        if self.pending:
            data, self.pending = self.pending, b""
            self._add(data.decode(self.state.code_page, "replace"))

    def _add(self, text: str) -> None:
        if self.state.is_unread or not text:
            return
        if self.state.is_hidden:
            self.left_out[LossKind.HIDDEN_TEXT] += bool(text.strip())
            return
        before = "".join(self.pieces[-2:])[-8:]
        if self.state.shift > 0:
            text = raised(text, before)
        elif self.state.shift < 0:
            text = lowered(text, before)
        self.pieces.append(text)
        is_usual = self.state.font in (None, self.usual_font)
        if text.strip() and (is_usual or self.state.font not in self.monospaced):
            self.has_other_type = True

    def _end_cell(self, word: str) -> Iterator[Block]:
        if word == "cell":
            self._flush_bytes()
            self.cells.append(" ".join(lines_of("".join(self.pieces)).split()))
            self.pieces, self.has_other_type = [], False
            return
        cells, self.cells = self.cells, []
        row = table_row(cells)
        yield from [Block(cell) for cell in cells if cell] if row is None else row

    def _end_paragraph(self) -> Iterator[Block]:
        self._flush_bytes()
        if self.in_table:
            self.pieces.append(" ")
            return
        text = "".join(self.pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        content, self.pieces = lines_of(text), []
        is_code, self.has_other_type = not self.has_other_type, False
        if not content:
            return
        if self.level:
            yield heading_or_paragraph(content, self.level)
        else:
            kind = BlockKind.CODE if is_code else BlockKind.PARAGRAPH
            yield list_item(content) if self.is_item else Block(content, kind)


def _known_code_page(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"
