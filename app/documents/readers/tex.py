"""LaTeX sources are extracted: what they print, without commands, remarks, floats and notes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

from ...errors import EmptyFile
from .. import limits
from ..encoding import decode_text
from ..model import Block, Extracted, LossKind, OnProgress, ReadRequest
from ..raised_type import lowered, raised
from .blocks import extracted_parts, heading_or_paragraph, list_item, table_row
from .tex_macros import argument, with_macros
from .tex_units import with_amounts

_REMARK = re.compile(r"(?m)(?<!\\)((?:\\\\)*)%.*$\n?")
_BODY = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.S)
_TEX_TITLE = re.compile(r"\\title\s*(?:\[[^\]]*\])?\s*(?=\{)")
_LEFT_OUT = (  # environments, and what their loss is called
    (r"equation|align|gather|multline|eqnarray|displaymath|flalign", LossKind.EQUATION),
    (r"verbatim|lstlisting|minted|Verbatim|alltt|algorithm|algorithmic", LossKind.CODE),
    (r"figure|wrapfigure|tikzpicture|picture", LossKind.FIGURE),
    (r"thebibliography", None),
    (r"comment", None),
)
_ENVIRONMENTS = tuple(
    (re.compile(rf"\\begin\s*\{{((?:{names})\*?)\}}.*?\\end\s*\{{\1\}}", re.S), what)
    for names, what in _LEFT_OUT
)
_TABLE = re.compile(r"\\begin\s*\{(tabular[*xy]?|longtable|array)\}(.*?)\\end\s*\{\1\}", re.S)
_TABLE_OPTIONS = re.compile(r"\s*(?:\[[^\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\}){0,3}")
_DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", re.S)
_INLINE = re.compile(r"(?<!\\)\$([^$]{1,400}?)(?<!\\)\$|\\\((.{1,400}?)\\\)", re.S)
_HEADINGS = {
    "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5,
    "title": 1, "frametitle": 2, "framesubtitle": 3, "blocktitle": 3,
}  # fmt: skip
_HEADING = re.compile(rf"\\({'|'.join(_HEADINGS)})\*?\s*(?:\[[^\]]*\])?\s*(?=\{{)")
_DROPPED = re.compile(  # commands that print nothing, or a number that only the page knows
    r"\s*~?\\(?:[cC]ite[a-zA-Z]*|citep|citet|parencite|footcite)\*?\s*(?:\[[^\]]*\]\s*){0,2}\{[^{}]*\}"
    r"|~?\\(?:ref|eqref|pageref|autoref|cref|Cref|label|index|vspace|hspace|bibliography"
    r"|bibliographystyle|input|include|usepackage|documentclass|pagestyle|thispagestyle|setlength"
    r"|setcounter|includegraphics|author|date|affil|email|thanks|keywords|newcommand|renewcommand"
    r"|def)\*?\s*(?:\[[^\]]*\]\s*)*\{[^{}]*\}(?:\s*\{[^{}]*\})?"
    r"|\\(?:input|include)\s+[\w./-]+"
    r"|\\(?:looseness|parindent|parskip|baselineskip|tolerance|(?:\w+)?penalty|tabcolsep|fboxsep"
    r"|hfuzz|emergencystretch|itemsep|topsep|[a-zA-Z]+\s*(?==))\b\s*=?\s*-?[\d.]+\s*"
    r"(?:pt|em|ex|cm|mm|in|sp)?\b ?"
)
_TEX_NOTE = re.compile(
    r"\s*\\(footnote|footnotetext|marginpar|todo|thanks|note)\s*(?:\[[^\]]*\])?\s*(?=\{)"
)
_SWITCHED_OFF = re.compile(r"\\iffalse\b.*?\\fi\b", re.S)
_OVERLAY = re.compile(r"(\\[a-zA-Z]+\*?(?:\{[a-zA-Z]+\})?)<[\d,.|@+:a-z -]{0,40}>")  # of slides
_FRAME = re.compile(r"\\begin\s*\{frame\}\s*(?:\[[^\]]*\])?\s*(?=\{)")
_TITLED_BLOCK = re.compile(r"\\begin\s*\{(?:alert|example)?block\}\s*(?=\{)")
_ENVIRONMENT_EDGE = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}(?:\[[^\]]*\])?")
_LONE_SHIFT = re.compile(r"\s*([\^_])\s*\{?\s*([^{}^_]{1,12}?)\s*\}?\s*")  # H$_2$O, km$^2$
_TEX_LINK = re.compile(r"\\href\s*\{[^{}]*\}\s*(?=\{)")
_ACCENT = re.compile(
    r"\\(?:([`'^\"~=.])\s*(?:\{(\\?[a-zA-Z])\}|(\\?[a-zA-Z]))"
    r"|([uvHcdbrk])(?:\s*\{(\\?[a-zA-Z])\}|\s+([a-zA-Z])))"
)
_ACCENT_MARKS = dict(
    zip(
        "`'^\"~=.uvHcdbrk",
        "\u0300\u0301\u0302\u0308\u0303\u0304\u0307\u0306\u030c\u030b\u0327\u0323\u0331\u030a\u0328",
        strict=True,
    )
)
_TEX_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł",
    "aa": "å", "AA": "Å", "i": "i", "j": "j", "ldots": "…", "dots": "…", "S": "§", "P": "¶",
    "pounds": "£", "euro": "€", "EUR": "€", "copyright": "©", "textdegree": "°", "degree": "°",
    "times": "×", "cdot": "·", "pm": "±", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠",
    "approx": "≈", "sim": "∼", "infty": "∞", "rightarrow": "→", "to": "→", "sum": "∑", "prod": "∏",
    "int": "∫", "partial": "∂", "nabla": "∇", "in": "∈", "subset": "⊂", "cup": "∪", "cap": "∩",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ",
    "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "textbackslash": "\\", "LaTeX": "LaTeX",
    "TeX": "TeX", "newline": "\n", "quad": " ", "qquad": " ", "textquotedblleft": "“",
    "textquotedblright": "”", "textendash": "–", "textemdash": "—", "percent": "%",
}  # fmt: skip
_TEX_COMMAND = re.compile(r"\\([a-zA-Z]+)\*?\s?(?:\[[^\[\]]{0,80}\])?")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_MATH_STYLES = re.compile(
    r"\\(?:left|right|big|Big|mathrm|mathbf|mathit|mathcal|text|operatorname)\b"
)
_SIGN = re.compile(r"\\([%&$#_{} ,;:!/@-])")
_DOLLAR = "\x03"  # one that is printed, until those around mathematics are gone
_PRINTED = {"%": "%", "&": "&", "$": _DOLLAR, "#": "#", "_": "_", "{": "", "}": ""}
_MARK = "\x02"  # around a heading, an item or a row, whose kind stands first


def read_tex(request: ReadRequest, on_progress: OnProgress) -> Extracted:
    """Extract a LaTeX source, in parts. Raises EmptyFile, TooLong."""
    content, _ = decode_text(Path(request.path).read_bytes())
    if len(content) > limits.MAX_DOCUMENT_CHARACTERS:
        raise limits.too_many_characters(request.name)
    blocks, left_out = tex_blocks(content)
    if not blocks:
        raise EmptyFile(f"“{request.name}” prints no text of its own: choose the PDF made of it.")
    return extracted_parts(blocks, has_picture=False, had_contents=False, counts=left_out)


def tex_blocks(content: str) -> tuple[list[Block], Counter[LossKind]]:
    """Return the blocks that a LaTeX source prints, and how much of what was left out."""
    left_out: Counter[LossKind] = Counter()
    content = content.replace(_MARK, "").replace(_DOLLAR, "")
    content = _REMARK.sub(lambda found: found[1], content)
    content = _SWITCHED_OFF.sub("", content)
    content = with_macros(content)
    title = _TEX_TITLE.search(content)
    heading = f"\\title{{{argument(content, title.end())[0]}}}\n\n" if title else ""
    body = _BODY.search(content)
    text = body[1] if body else content
    if title and body:
        text = _without_commands(text, _TEX_TITLE, None, left_out)
    for pattern, what in _ENVIRONMENTS:
        text, count = pattern.subn("", text)
        if what:
            left_out[what] += count
    left_out[LossKind.INCLUDED_FILE] += len(re.findall(r"\\(?:input|include)\s*\{", text))
    text = _FRAME.sub(r"\\frametitle", _OVERLAY.sub(r"\1", text))
    text = with_amounts(_TITLED_BLOCK.sub(r"\\blocktitle", text))
    text = _TABLE.sub(_rows, heading + text)
    text = _without_commands(text, _TEX_NOTE, LossKind.FOOTNOTE, left_out)
    text, count = _DISPLAY.subn("", _TEX_LINK.sub(r"\\relax ", text))
    left_out[LossKind.EQUATION] += count
    text = _INLINE.sub(_inline_math, text)
    text = _marked_headings(_DROPPED.sub("", text))
    text = re.sub(r"\\item\s*(?:\[([^\]]*)\])?", lambda m: f"\n\n{_MARK}-{m[1] or ''} ", text)
    text = _ENVIRONMENT_EDGE.sub("\n\n", text)
    blocks = [block for piece in re.split(r"\n\s*\n", text) if (block := _block(piece))]
    return blocks, +left_out


def _without_commands(
    text: str, pattern: re.Pattern[str], what: LossKind | None, left_out: Counter[LossKind]
) -> str:
    """Return the text without some commands and their arguments, which are counted."""
    pieces, begin = [], 0
    while found := pattern.search(text, begin):
        pieces.append(text[begin : found.start()])
        begin = argument(text, found.end())[1]
        if what:
            left_out[what] += 1
    return "".join([*pieces, text[begin:]])


def _marked_headings(text: str) -> str:
    """Return the text with each heading in a paragraph of its own, marked with its level."""
    pieces, begin = [], 0
    while found := _HEADING.search(text, begin):
        title, end = argument(text, found.end())
        shown = " ".join(title.split())
        pieces += [text[begin : found.start()], f"\n\n{_MARK}{_HEADINGS[found[1]]}{shown}\n\n"]
        begin = end
    return "".join([*pieces, text[begin:]])


def _rows(found: re.Match[str]) -> str:
    """Return the rows of a table as marked paragraphs."""
    inside = _TABLE_OPTIONS.sub("", found[2], count=1)
    inside = re.sub(r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^{}]*\})", "", inside)
    rows = (row.strip() for row in re.split(r"\\\\(?:\[[^\]]*\])?", inside))
    return "".join(f"\n\n{_MARK}|{row}\n\n" for row in rows if row)


def _block(piece: str) -> Block | None:
    """Return a paragraph as a block; None where it prints nothing."""
    piece = piece.strip()
    kind, text = (piece[1:2], piece[2:]) if piece.startswith(_MARK) else ("", piece)
    if kind == "|":
        cells = [_plain(cell) for cell in re.split(r"(?<!\\)&", text)]
        row = table_row(cells)
        return row[0] if row else Block(" ".join(filter(None, cells))) if any(cells) else None
    shown = _plain(text)
    if not re.search(r"\w", shown):
        return None
    if kind.isdigit():
        return heading_or_paragraph(shown, int(kind))
    return list_item(shown) if kind == "-" else Block(shown)


def _inline_math(found: re.Match[str]) -> str:
    """Return mathematics inside a line; raised or lowered type alone belongs to the text before."""
    inside = found[1] or found[2]
    shift = _LONE_SHIFT.fullmatch(_MATH_STYLES.sub("", inside))
    if shift is None:
        return _math(inside)
    if shift[2] == "\\circ":
        return "°"
    before = found.string[max(0, found.start() - 8) : found.start()]
    return raised(shift[2], before) if shift[1] == "^" else lowered(shift[2], before)


def _math(text: str) -> str:
    """Return inline mathematics as text: `3/4`, `10^6`."""
    text = text.replace("{,}", ",")
    for _ in range(4):
        text = _FRACTION.sub(r"(\1)/(\2)", _ROOT.sub(r"√(\1)", text))
    text = re.sub(r"\((\w{1,4})\)(?=/)|(?<=/)\((\w{1,4})\)", lambda m: m[1] or m[2], text)
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?", "°", _MATH_STYLES.sub("", text))
    text = re.sub(r"([\^_])\{([^{}]{2,})\}", r"\1(\2)", text)
    return text


def _plain(text: str) -> str:
    """Return text without commands: their arguments stay."""
    text = _ACCENT.sub(_accented, text.replace("---", "—").replace("--", "–").replace("~", " "))
    text = text.replace("``", "“").replace("''", "”").replace("`", "‘")
    text = _ENVIRONMENT_EDGE.sub(" ", text)
    text = _SIGN.sub(lambda m: _PRINTED.get(m[1], " "), text)
    text = re.sub(r"\\\\(?:\[[^\]]*\])?", "\n", text)
    text = _TEX_COMMAND.sub(lambda m: _TEX_LETTERS.get(m[1], ""), text)
    text = re.sub(r"[{}$\\]", "", text).replace(_DOLLAR, "$")
    return re.sub(r"\s+([,.;:!?)])", r"\1", " ".join(text.split()))


def _accented(found: re.Match[str]) -> str:
    sign, *letters = (group for group in found.groups() if group)
    return unicodedata.normalize("NFC", letters[0].lstrip("\\") + _ACCENT_MARKS[sign])
