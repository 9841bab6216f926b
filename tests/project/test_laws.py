"""The import law: dependencies point one way, and nothing happens at import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [ROOT / "app.py", *(ROOT / "app").rglob("*.py"), *(ROOT / "longt5").rglob("*.py")]
ALLOWED = {
    "torch": ("longt5/",),
    "gradio": ("app/ui/",),
    "spaces": ("app/ui/zerogpu.py",),
    "pypdf": ("app/documents/",),
    "pypdfium2": ("app/documents/",),
    "webview": ("app/desktop.py",),
    "transformers": ("longt5/benchmark.py",),
    "sentencepiece": ("longt5/tokenizer.py", "longt5/training/vocabulary.py"),
    "tokenizers": ("longt5/tokenizer.py",),
    "jax": ("longt5/flax/",),
    "msgpack": ("longt5/flax/weights.py",),
}
TOP = {
    "app", "longt5", "assets", "tests", "app.py", "requirements.txt", "README.md",
    "DEVELOPING.md", "CHANGELOG.md", "LICENSE", "NOTICE", "pyproject.toml", "requirements-dev.txt",
}  # fmt: skip


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Top-level names of all that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_imports_are_allowed(path: Path) -> None:
    names = imports(path)
    for name, homes in ALLOWED.items():
        if name in names:
            assert place(path).startswith(homes), f"{place(path)} imports {name}"
    if place(path).startswith("longt5/"):
        assert "app" not in names and "tests" not in names
    if place(path).startswith("longt5/flax/"):
        assert "torch" not in names
    assert "tests" not in names


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_only_settings_reads_the_environment(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    # The benchmark does not read it, but hands it on to its children with something added.
    if place(path) not in ("app/settings.py", "longt5/benchmark.py"):
        assert not re.search(r"os\.(environ|getenv|putenv)|from os import", source), place(path)


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_posix_only_modules_are_guarded(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:  # an import inside a function or a try is guarded
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {a.name for a in node.names} | {getattr(node, "module", None)}
            assert not names & {"resource", "fcntl", "pwd", "grp", "termios"}, place(path)
    assert "os.fork" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_public_things_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{place(path)} has no docstring"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{place(path)}: {node.name} has no docstring"


def test_importing_does_nothing_heavy() -> None:
    code = (
        "import sys, app.cli, app.runs.jobs, app.events; "
        "print([n for n in ('torch', 'gradio', 'pypdf', 'transformers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_engine_stands_alone(tmp_path) -> None:
    code = (
        "import sys, longt5; print([n for n in sys.modules if n.split('.')[0] in "
        "('app', 'gradio', 'jax', 'transformers')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_is_there_and_loads_late() -> None:
    code = (
        "import sys, longt5; early = 'torch' in sys.modules; "
        "print(early, [n for n in longt5.__all__ if not hasattr(longt5, n)])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False []", done.stderr


def test_nothing_else_lies_at_the_top() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    tops = {line.split("/")[0] for line in listed.splitlines()}
    assert {t for t in tops if not t.startswith(".")} <= TOP
