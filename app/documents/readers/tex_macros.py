"""Macros that a LaTeX source defines are expanded: authors name what they write about by them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MACRO_DEFINITION = re.compile(
    r"\\(?:(?:re|provide)?newcommand|DeclareRobustCommand|DeclareMathOperator)\*?\s*"
    r"(?:\{\s*\\([a-zA-Z]+)\s*\}|\\([a-zA-Z]+))\s*(?:\[(\d)\])?\s*(\[[^\]]*\])?\s*(?=\{)"
    r"|\\def\s*\\([a-zA-Z]+)\s*(?=\{)"
)
# Commands that the reader knows, also where an author defines them: what they print is left out.
_OWN_MEANING = frozenset(
    "todo footnote thanks marginpar title author date cite ref item begin end href section "
    "subsection subsubsection chapter part paragraph".split()
)
_PARAMETER = re.compile(r"#(\d)")
_MAX_MACROS = 500  # of a source
_MAX_MACRO_DEPTH = 4  # of macros in macros
_MAX_GROWTH = 2  # times the size of the source: a bomb of macros grows further


@dataclass(frozen=True)
class _Macro:
    arguments: int
    has_default: bool
    text: str


def argument(text: str, begin: int) -> tuple[str, int]:
    """Return the argument whose brace opens at a place, and where it ends."""
    depth = 0
    for index in range(begin, len(text)):
        if text[index] == "\\":
            continue
        is_escaped = index > 0 and text[index - 1] == "\\"
        if text[index] in "{}" and not is_escaped:
            depth += 1 if text[index] == "{" else -1
            if not depth:
                return text[begin + 1 : index], index + 1
    return text[begin + 1 :], len(text)


def with_macros(content: str) -> str:
    """Return a source with its own macros expanded, and without their definitions."""
    macros, pieces, at = dict[str, _Macro](), list[str](), 0
    while (found := _MACRO_DEFINITION.search(content, at)) and len(macros) < _MAX_MACROS:
        text, end = argument(content, found.end())
        name = found[1] or found[2] or found[5]
        if name not in _OWN_MEANING:
            shown = text.replace("\\xspace", "")
            macros[name] = _Macro(int(found[3] or 0), bool(found[4]), shown)
        pieces.append(content[at : found.start()])
        at = end
    expanded = "".join([*pieces, content[at:]])
    if not macros:
        return content
    names = "|".join(sorted(map(re.escape, macros), key=len, reverse=True))
    use = re.compile(rf"\\({names})(?![a-zA-Z])(?:\{{\}})?")
    most = _MAX_GROWTH * len(content) + 1_000
    for _ in range(_MAX_MACRO_DEPTH):
        further = _expanded_once(expanded, use, macros, most)
        if further == expanded or len(further) > most:
            break
        expanded = further
    return expanded


def _expanded_once(text: str, use: re.Pattern[str], macros: dict[str, _Macro], most: int) -> str:
    pieces, at, size = [], 0, 0
    while (found := use.search(text, at)) and size <= most:
        macro, end, given = macros[found[1]], found.end(), list[str]()
        if macro.has_default:
            option = re.compile(r"\s*\[([^\]]*)\]").match(text, end)
            given.append(option[1] if option else "")
            end = option.end() if option else end
        while len(given) < macro.arguments and text[end : end + 1] == "{":
            value, end = argument(text, end)
            given.append(value)
        pieces += [text[at : found.start()], _filled(macro.text, given)]
        size += len(pieces[-1]) + len(pieces[-2])
        at = end
    return "".join([*pieces, text[at:]])


def _filled(text: str, values: list[str]) -> str:
    """Return the text of a macro with the values of its parameters."""

    def value(found: re.Match[str]) -> str:
        number = int(found[1])
        return values[number - 1] if 0 < number <= len(values) else ""

    return _PARAMETER.sub(value, text)
