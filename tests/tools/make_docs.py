"""Write the generated parts of the documentation: help texts and the map of the code.

python -m tests.tools.make_docs
"""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

from app import cli
from app.settings import Settings
from app.ui import launch

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("app/README.md", "DEVELOPING.md")
# Files and folders that are no modules of Python.
PHRASES = {
    "app.py": "Start the page",
    "assets/model/": "The bundled checkpoint and its card",
    "assets/examples/": "A report and an article, written for this project",
    "assets/launchers/": "Starters for a double click: Windows, macOS, the menus of Linux",
    "assets/style.css, page.js, favicon.svg": "The look of the page; copying and keys",
    "Dockerfile": "The page in a container",
    ".ci/run": "Every check, in a fresh environment",
}


def phrase(path: Path) -> str:
    """Return the first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.(?:\s|$)", text.split("\n\n")[0].replace("\n", " "))[0].rstrip(".")


def modules_of(package: str) -> list[tuple[str, str]]:
    """Return (path, phrase) of a package, its sub-packages and all their modules."""
    modules = sorted((ROOT / package).rglob("*.py"), key=lambda p: (p.parent, p.name))
    rows = []
    for path in modules:
        place = path.parent if path.name == "__init__.py" else path
        name = place.relative_to(ROOT).as_posix()
        rows.append((name + "/" if place.is_dir() else name, phrase(path)))
    return rows


def tree() -> str:
    """Return every module with one phrase, as a code block."""
    rows = [("app.py", PHRASES["app.py"]), *modules_of("app"), *modules_of("longt5")]
    rows += [(name, text) for name, text in PHRASES.items() if name != "app.py"]
    tests = [path.parent for path in sorted((ROOT / "tests").glob("*/__init__.py"))]
    rows.append(("tests/", phrase(ROOT / "tests" / "__init__.py")))
    rows += [(f"tests/{folder.name}/", phrase(folder / "__init__.py")) for folder in tests]
    width = max(len(name) for name, _ in rows)
    return "```text\n" + "\n".join(f"{a.ljust(width)}  {b}".rstrip() for a, b in rows) + "\n```"


def help_of(command: str) -> str:
    """Return the help text of a command, as a code block of a fixed width."""
    if command == "serve":
        parser: argparse.ArgumentParser = launch.build_serve_parser(Settings())
    else:
        subparsers = cli.build_parser()._subparsers
        assert subparsers is not None
        parser = subparsers._group_actions[0].choices[command]  # type: ignore[index]
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=96)
    return f"```text\n{parser.format_help().rstrip()}\n```"


def render(text: str) -> str:
    """Return a document with its generated parts brought up to date."""
    text = re.sub(
        r"(<!-- help:(\w+) -->\n).*?(<!-- /help -->)",
        lambda found: f"{found[1]}{help_of(found[2])}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )
    return re.sub(
        r"(<!-- tree -->\n).*?(<!-- /tree -->)",
        lambda found: f"{found[1]}{tree()}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    for name in GENERATED:
        document = ROOT / name
        document.write_text(render(document.read_text(encoding="utf-8")), encoding="utf-8")
