"""Read the modules of `app` and `longt5`: their imports, names, functions and docstrings."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "longt5")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Imports = dict[str, dict[str, int]]  # module -> module that it imports -> line


def source_files(*folders: str) -> list[Path]:
    """Return the Python files of some folders of the project, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def place(path: Path) -> str:
    """Return a file's path inside the project."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax_tree(path: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """Return the dotted name by which a file is imported."""
    return place(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def modules() -> dict[str, Path]:
    """Return every module of both packages with its file."""
    return {module_name(path): path for path in source_files(*PACKAGES)}


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what only a type checker sees."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        yield node
        pending += ast.iter_child_nodes(node)


def imports_of(name: str, path: Path, known: Mapping[str, Path]) -> dict[str, int]:
    """Return the modules that one imports, in functions too, with the line of the import."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: dict[str, int] = {}
    for node in runtime_nodes(syntax_tree(path)):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
            targets = [target if target in known else base for target in targets]
        elif isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            continue
        for target in targets:
            if target in known and target != name:
                found.setdefault(target, node.lineno)
    return found


def import_graph() -> Imports:
    """Return who imports whom, in both packages."""
    known = modules()
    return {name: imports_of(name, path, known) for name, path in known.items()}


def folder_graph(graph: Imports) -> dict[str, dict[str, int]]:
    """Return how many imports lead from each folder to each other one."""
    files = modules()
    arrows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name, targets in graph.items():
        folder = place(files[name].parent)
        for target in targets:
            if place(files[target].parent) != folder:
                arrows[folder][place(files[target].parent)] += 1
    return {folder: dict(targets) for folder, targets in sorted(arrows.items())}


def circles(graph: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return the shortest circle through each module that is in one; each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for name in sorted(graph):
        way = _way_back(graph, name)
        if way:
            found.setdefault(frozenset(way), way)
    return list(found.values())


def _way_back(graph: Mapping[str, Mapping[str, int]], start: str) -> list[str]:
    """Return the shortest way from a module to itself, empty where there is none."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        for target in sorted(graph[way[-1]]):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def chain(circle: Sequence[str], graph: Imports) -> str:
    """Return a circle as a line of text, with the line number of each import."""
    steps = zip(circle, circle[1:], strict=False)
    return circle[0] + "".join(f" -> (line {graph[a][b]}) {b}" for a, b in steps)


def reachable(graph: Imports, start: str) -> set[str]:
    """Return all modules that a module imports, directly or through others."""
    found, pending = set(), [start]
    while pending:
        for target in graph[pending.pop()]:
            if target not in found:
                found.add(target)
                pending.append(target)
    return found


@cache
def external_imports(path: Path) -> set[str]:
    """Return the top-level names of all absolute imports of a file, in functions too."""
    found = set()
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


def constants_of(path: Path) -> dict[str, ast.expr | None]:
    """Return the names that a module assigns at its top level, with their values."""
    found: dict[str, ast.expr | None] = {}
    for node in syntax_tree(path).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            pairs = _named(target, value)
            found.update(pairs)
    return found


def _named(target: ast.expr, value: ast.expr | None) -> list[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if not isinstance(target, ast.Tuple):
        return []
    is_tuple = isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts)
    values = value.elts if is_tuple else [None] * len(target.elts)  # type: ignore[union-attr]
    pairs = zip(target.elts, values, strict=True)
    return [(name.id, part) for name, part in pairs if isinstance(name, ast.Name)]


def definitions(path: Path) -> list[Function | ast.ClassDef]:
    """Return the functions and classes at a module's top level."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in syntax_tree(path).body if isinstance(node, kinds)]


def functions(path: Path) -> list[Function]:
    """Return all functions and methods of a module, inner ones too."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(syntax_tree(path)) if isinstance(node, kinds)]
