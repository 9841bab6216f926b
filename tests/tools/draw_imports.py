"""Draw which folder imports which, as text or for Graphviz.

    python -m tests.tools.draw_imports [--dot] [--modules]

`--modules` draws every module instead of every folder; `--dot` prints Graphviz input, as in
`python -m tests.tools.draw_imports --dot | dot -Tsvg > imports.svg`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from tests.project.source_tree import circles, folder_graph, import_graph


def as_text(graph: Mapping[str, Mapping[str, int]]) -> str:
    """Return one line for each place: what it imports, with the number of imports."""
    width = max(map(len, graph), default=0)
    lines = []
    for name, targets in sorted(graph.items()):
        shown = ", ".join(f"{target} ({count})" for target, count in sorted(targets.items()))
        lines.append(f"{name.ljust(width)} -> {shown or '-'}")
    return "\n".join(lines)


def as_dot(graph: Mapping[str, Mapping[str, int]]) -> str:
    """Return the graph as Graphviz reads it."""
    arrows = [f'  "{a}" -> "{b}";' for a, targets in sorted(graph.items()) for b in sorted(targets)]
    return "\n".join(["digraph imports {", "  rankdir=LR; node [shape=box];", *arrows, "}"])


def main(argv: list[str]) -> int:
    """Print the graph; 1 when modules import each other in a circle, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.draw_imports")
    parser.add_argument("--dot", action="store_true", help="print Graphviz input")
    parser.add_argument("--modules", action="store_true", help="draw modules, not folders")
    chosen = parser.parse_args(argv)
    modules = import_graph()
    if chosen.modules:
        graph = {name: dict.fromkeys(targets, 1) for name, targets in modules.items()}
    else:
        graph = folder_graph(modules)
    print(as_dot(graph) if chosen.dot else as_text(graph))
    return 1 if circles(modules) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
