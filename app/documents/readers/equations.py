"""Equations of Word and PowerPoint (OMML) and of web pages (MathML) as one line of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..raised_type import lowered

OMML = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_SIMPLE = re.compile(r"[+−-]?[\w.,]+|\([^()]*\)|\|[^|]*\|")
_EQUALITY = re.compile(r"\s*([=<>≤≥≈≠≡∝∼≅→⇒⇔∈∉⊂⊆])\s*")
_OPERATION = re.compile(r"(?<=[\w)\]])\s*([+−±×÷·⋅])\s*(?=[\w(\[√∑∫])")
_ACCENTS = {"̂": "̂", "^": "̂", "¯": "̄", "̅": "̄", "~": "̃", "̃": "̃", "→": "⃗", "⃗": "⃗", "̇": "̇", "̈": "̈"}
_INVISIBLE = re.compile("[\u2061-\u2064\u200b]")  # function application, invisible times
_UNREAD_TAGS = ("annotation", "annotation-xml", "maction", "mphantom", "none", "mprescripts")


def omml_text(element: Any) -> str:
    """Return an equation of Office on one line: `3/4`, `V = 480`, `x^2`."""
    return _spaced(_omml(element))


def after_equation(before: Any) -> str:
    """Return what stands between an equation and the element before it: a comma after another
    equation, which Word sets on a line of its own."""
    return ", " if before.tag in (f"{OMML}oMath", f"{OMML}oMathPara") else ""


def mathml_text(root: Any) -> str:
    """Return a `math` element of a web page on one line, as :func:`omml_text`."""
    return _spaced(_mathml(root))


def _spaced(text: str) -> str:
    text = _EQUALITY.sub(r" \1 ", _INVISIBLE.sub("", text))
    return " ".join(_OPERATION.sub(r" \1 ", text).split())


def _fraction(top: str, bottom: str) -> str:
    return f"{_grouped(top)}/{_grouped(bottom)}"


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _SIMPLE.fullmatch(text) or not text else f"({text})"


def _scripted(base: str, below: str, above: str) -> str:
    """Return a base with an index and an exponent; a base of several signs in brackets."""
    shown = base if _SIMPLE.fullmatch(base.strip()) or len(base.strip()) < 2 else f"({base})"
    if below := below.strip():
        shown += lowered(below, shown) if shown.strip() else f"_{_grouped(below)}"
    # Not in raised signs of Unicode: tokenizers fold "x²" to "x2".
    return shown + (f"^{_grouped(above)}" if above.strip() else "")


def _limited(sign: str, below: str, above: str, body: str) -> str:
    """Return a sum, an integral or the like with its limits."""
    under = f"_({below.strip()})" if below.strip() else ""
    over = f"^{_grouped(above)}" if above.strip() else ""
    return f"{sign}{under}{over} {body}"


def _root(radicand: str, degree: str) -> str:
    sign = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree.strip(), f"{degree.strip()}√")
    return f"{sign}{_grouped(radicand)}"


def _accented(base: str, accent: str) -> str:
    """Return a letter with its accent; an accent over more is left out."""
    mark = _ACCENTS.get(accent.strip(), "")
    return base + mark if len(base.strip()) == 1 else base


def _matrix(rows: Iterable[Sequence[str]]) -> str:
    return "[" + "; ".join(", ".join(filter(None, row)) for row in rows) + "]"


# Office


def _omml(element: Any) -> str:
    """Return the text of an element of OMML and of all inside it."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    if tag == OMML + "t":
        return element.text or ""
    name = tag[len(OMML) :] if tag.startswith(OMML) else ""
    if name.endswith("Pr"):
        return ""
    writer = _OMML_WRITERS.get(name)
    return writer(element) if writer else "".join(map(_omml, element))


def _part(element: Any, name: str) -> str:
    found = element.find(OMML + name)
    return "" if found is None else _omml(found)


def _sign(element: Any, properties: str, name: str, default: str) -> str:
    found = element.find(f"{OMML}{properties}/{OMML}{name}")
    return default if found is None else found.get(OMML + "val") or ""


def _omml_delimiters(element: Any) -> str:
    begin = _sign(element, "dPr", "begChr", "(")
    middle, end = _sign(element, "dPr", "sepChr", "|"), _sign(element, "dPr", "endChr", ")")
    inside = middle.join(_omml(part) for part in element.iterchildren(OMML + "e"))
    is_wrapped = inside[:1] == "[" == begin and inside[-1:] == "]" == end  # a matrix
    return inside if is_wrapped else f"{begin}{inside}{end}"


_OMML_WRITERS: dict[str, Callable[[Any], str]] = {
    "f": lambda e: _fraction(_part(e, "num"), _part(e, "den")),
    "sSup": lambda e: _scripted(_part(e, "e"), "", _part(e, "sup")),
    "sSub": lambda e: _scripted(_part(e, "e"), _part(e, "sub"), ""),
    "sSubSup": lambda e: _scripted(_part(e, "e"), _part(e, "sub"), _part(e, "sup")),
    "sPre": lambda e: _scripted("", _part(e, "sub"), _part(e, "sup")) + _part(e, "e"),
    "rad": lambda e: _root(_part(e, "e"), _part(e, "deg")),
    "d": _omml_delimiters,
    "nary": lambda e: _limited(
        _sign(e, "naryPr", "chr", "∫"), _part(e, "sub"), _part(e, "sup"), _part(e, "e")
    ),
    "func": lambda e: f"{_part(e, 'fName')} {_part(e, 'e')}",
    "limLow": lambda e: _limited(_part(e, "e"), _part(e, "lim"), "", ""),
    "limUpp": lambda e: _limited(_part(e, "e"), "", _part(e, "lim"), ""),
    "acc": lambda e: _accented(_part(e, "e"), _sign(e, "accPr", "chr", "̂")),
    "bar": lambda e: _accented(_part(e, "e"), "¯"),
    "m": lambda e: _matrix(
        [_omml(cell) for cell in row.iterchildren(OMML + "e")]
        for row in e.iterchildren(OMML + "mr")
    ),
    "eqArr": lambda e: "; ".join(_omml(line) for line in e.iterchildren(OMML + "e")),
    "phant": lambda e: "",
}

# Web pages


def _mathml(node: Any) -> str:
    """Return the text of a node of MathML and of all inside it."""
    tag = node.tag
    if tag == "-text":
        return " ".join((node.text_content or "").split())
    if tag in _UNREAD_TAGS or tag.startswith(("-", "_")):
        return ""
    if tag == "mtext":
        return f" {node.text().strip()} "
    if tag == "mspace":
        return " "
    parts = [child for child in node.iter(include_text=True) if _is_part(child)]
    writer = _MATHML_WRITERS.get(tag)
    if writer is None:
        return "".join(map(_mathml, parts))
    shown = [*map(_mathml, parts), "", "", ""]
    return writer(shown, node)


def _is_part(node: Any) -> bool:
    return node.tag != "-text" or bool((node.text_content or "").strip())


def _fenced(parts: Sequence[str], node: Any) -> str:
    given = node.attributes
    inside = ", ".join(filter(None, parts))
    return f"{given.get('open') or '('}{inside}{given.get('close') or ')'}"


def _under_over(base: str, below: str, above: str) -> str:
    if not below.strip() and above.strip() in _ACCENTS:
        return _accented(base, above)
    return _limited(base, below, above, "")


_MATHML_WRITERS: dict[str, Callable[[Sequence[str], Any], str]] = {
    "mfrac": lambda p, _: _fraction(p[0], p[1]),
    "msup": lambda p, _: _scripted(p[0], "", p[1]),
    "msub": lambda p, _: _scripted(p[0], p[1], ""),
    "msubsup": lambda p, _: _scripted(p[0], p[1], p[2]),
    "msqrt": lambda p, _: _root("".join(p), ""),
    "mroot": lambda p, _: _root(p[0], p[1]),
    "mfenced": _fenced,
    "munder": lambda p, _: _under_over(p[0], p[1], ""),
    "mover": lambda p, _: _under_over(p[0], "", p[1]),
    "munderover": lambda p, _: _under_over(p[0], p[1], p[2]),
    "semantics": lambda p, _: p[0],
    "mtr": lambda p, _: ", ".join(filter(None, p)),
    "mtable": lambda p, _: "[" + "; ".join(filter(None, p)) + "]",
}
