"""Write the README's generated parts: help texts and the tree of the house.

python -m tests.tools.make_readme
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from app import cli
from app.settings import Settings
from app.ui import launch

ROOT = Path(__file__).resolve().parents[2]
PHRASES = {
    "app.py": "start the web app",
    "assets/model/": "the bundled checkpoint and its card",
    "assets/examples/": "a report and an article, our own text",
    "assets/style.css, page.js, favicon.svg": "how the page looks; copy and keys",
    "tests/": "one file per module, parity with transformers, a real browser",
    ".ci/run": "everything that must hold, in a fresh environment",
}


def phrase(path: Path) -> str:
    """The first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.(?:\s|$)", text.split("\n\n")[0].replace("\n", " "))[0].rstrip(".")


def lines_of(folder: str) -> list[tuple[str, str]]:
    """(path, phrase) of a package and all its modules."""
    modules = sorted((ROOT / folder).rglob("*.py"), key=lambda p: (p.parent, p.name))
    return [
        (path.relative_to(ROOT).as_posix(), phrase(path))
        for path in modules
        if path.name != "__init__.py" or path.parent != ROOT / folder
    ]


def tree() -> str:
    """Every file of the house with one phrase."""
    rows = [("app.py", PHRASES["app.py"])]
    for folder in ("longt5", "app"):
        rows.append((f"{folder}/", phrase(ROOT / folder / "__init__.py")))
        rows += lines_of(folder)
    rows += [(name, said) for name, said in PHRASES.items() if name != "app.py"]
    width = max(len(name) for name, _ in rows)
    return "```text\n" + "\n".join(f"{a.ljust(width)}  {b}" for a, b in rows) + "\n```"


def help_of(name: str) -> str:
    """The help text of a command, as a code block of a fixed width."""
    if name == "serve":
        parser = launch.build_serve_parser(Settings())
    else:
        subparsers = cli.build_parser()._subparsers
        assert subparsers is not None
        parser = subparsers._group_actions[0].choices[name]  # type: ignore[index]
    parser.formatter_class = lambda prog: cli.argparse.HelpFormatter(prog, width=96)
    return f"```text\n{parser.format_help().rstrip()}\n```"


def render(text: str) -> str:
    """The README with its generated parts as they must be."""
    text = re.sub(
        r"(<!-- help:(\w+) -->\n).*?(<!-- /help -->)",
        lambda m: f"{m[1]}{help_of(m[2])}\n{m[3]}",
        text,
        flags=re.DOTALL,
    )
    return re.sub(
        r"(<!-- tree -->\n).*?(<!-- /tree -->)",
        lambda m: f"{m[1]}{tree()}\n{m[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(render(readme.read_text(encoding="utf-8")), encoding="utf-8")
