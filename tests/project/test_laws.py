"""The laws of the tree: who may import whom, what a name may mean, how long things may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.project import source_tree
from tests.project.source_tree import ROOT, external_imports, place, source_files, syntax_tree
from tests.tools import draw_imports

SOURCES = [ROOT / "app.py", *source_files("app", "longt5")]
TESTS = source_files("tests")
# The only places that may import a library. A file must lie in one of them.
ALLOWED = {
    "torch": ("longt5/",),
    "gradio": ("app/ui/",),
    "spaces": ("app/ui/zerogpu.py",),
    "pypdf": ("app/documents/",),
    "pypdfium2": ("app/documents/",),
    "rapidocr": ("app/documents/",),
    "webview": ("app/desktop.py",),
    "ray": ("app/scale/", "longt5/evaluation/"),
    "transformers": ("longt5/benchmark_engines.py",),
    "sentencepiece": ("longt5/vocabularies.py", "longt5/training/vocabulary.py"),
    "tokenizers": ("longt5/vocabularies.py",),
    "jax": ("longt5/flax/",),
    "msgpack": ("longt5/flax/weights.py",),
}
NEVER_IMPORTED = {"fitz", "pymupdf", "ebooklib"}  # AGPL
POSIX_ONLY = {"resource", "fcntl", "pwd", "grp", "termios"}
# The benchmark does not read the environment: it hands it on to its children with additions. So
# does a session of Ray, whose processes read their settings there.
READS_ENVIRONMENT = ("app/settings.py", "longt5/benchmark.py", "longt5/evaluation/ray_session.py")
TOP_LEVEL = {
    "app", "longt5", "assets", "tests", "app.py", "requirements.txt", "requirements-dev.txt",
    "README.md", "DEVELOPING.md", "CHANGELOG.md", "LICENSE", "NOTICE", "pyproject.toml",
    "Dockerfile",
}  # fmt: skip
README_WORDS, README_LINES = 1_500, 200
FUNCTION_LINES = 60
SHARED_CONSTANTS = {"__all__", "log", "_MODULE_OF"}  # the last: packages whose names load late
# Names that several modules define because they are one interface, with the reason.
SHARED_NAMES = {
    "attend": "one way to compute attention per module of longt5/kernels, chosen by select.py",
    "fits": "whether such a module can compute given shapes",
    "rms_norm": "the compiled kernel and its twin in plain torch",
    "self_attention": "the compiled kernel and its twin in plain torch",
    "thin_product": "the compiled kernel and its twin in plain torch",
    "main": "each program",
    "stream": "the streaming call of each package: app's yields events, longt5's drafts",
    "begin": "one search per module of longt5/flax",
    "step": "one search per module of longt5/flax",
}
MESSAGE_NAMES = re.compile(r"(?:.*_)?(?:warning|message|notice|note|sentence_shown|error_text)s?")
TEXT_METHODS = {"startswith", "endswith", "find", "index"}
# There the prose that is compared is no message of ours, but a document's text, or the errors of
# torch and sentencepiece, which have no other sign.
READS_PROSE = (
    "app/documents/readers/", "longt5/text/", "longt5/memory.py", "longt5/training/vocabulary.py",
)  # fmt: skip


def assert_none(law: str, found: Iterable[tuple[str, str]]) -> None:
    """Raise AssertionError that names each (name, where) that breaks a law."""
    places = defaultdict(list)
    for name, where in found:
        places[name].append(where)
    lines = [f"{name}: {', '.join(where)}" for name, where in sorted(places.items())]
    assert not lines, f"these break the law of {law}:\n" + "\n".join(lines)


def in_python(code: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# Imports


def test_libraries_are_imported_only_where_allowed() -> None:
    wrong = []
    for path in SOURCES:
        names = external_imports(path)
        forbidden = {name for name, homes in ALLOWED.items() if not place(path).startswith(homes)}
        forbidden |= NEVER_IMPORTED | {"tests"}
        if place(path).startswith("longt5/"):
            forbidden.add("app")
        if place(path).startswith(("longt5/flax/", "longt5/text/")):
            forbidden.add("torch")
        wrong += [f"{place(path)} imports {name}" for name in sorted(names & forbidden)]
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = source_tree.import_graph()
    found = source_tree.circles(graph)
    chains = [(name, source_tree.chain(way, graph)) for way in found for name in way[:-1]]
    assert_none("no import circles", chains)


def test_a_circle_is_found_and_shown_as_a_chain() -> None:
    graph = {"a": {"b": 3}, "b": {"c": 7}, "c": {"b": 2, "d": 4}, "d": {}}
    (circle,) = source_tree.circles(graph)
    assert source_tree.chain(circle, graph) == "b -> (line 7) c -> (line 2) b"


def test_the_graph_of_folders_can_be_drawn(capsys) -> None:
    draw_imports.main(["--dot"])
    drawn = capsys.readouterr().out
    assert drawn.startswith("digraph") and '"app/ui" -> "app"' in drawn
    draw_imports.main([])
    assert "app/ui" in capsys.readouterr().out


def test_text_reaches_no_torch() -> None:
    graph, files = source_tree.import_graph(), source_tree.modules()
    loads_torch = {name for name, path in files.items() if "torch" in external_imports(path)}
    for name in sorted(files):
        if name.startswith("longt5.text"):
            assert not source_tree.reachable(graph, name) & loads_torch, name


def test_importing_all_of_text_loads_no_torch() -> None:
    names = ", ".join(name for name in source_tree.modules() if name.startswith("longt5.text"))
    assert in_python(f"import sys, {names}; print('torch' in sys.modules)") == "False"


def test_app_imports_itself_relatively() -> None:
    wrong = [place(path) for path in source_files("app") if "app" in external_imports(path)]
    assert not wrong, f"write `from .errors import AppError`, not `from app.errors ...`: {wrong}"


def test_importing_does_nothing_heavy() -> None:
    code = (
        "import sys, app, app.cli, app.runs.jobs, app.events; "
        "names = 'torch', 'gradio', 'pypdf', 'transformers', 'ray'; "
        "print([n for n in names if n in sys.modules])"
    )
    assert in_python(code) == "[]"


def test_the_engine_stands_alone() -> None:
    code = (
        "import sys, longt5; print([n for n in sys.modules if n.split('.')[0] in "
        "('app', 'gradio', 'jax', 'transformers')])"
    )
    assert in_python(code) == "[]"


def test_public_names_of_the_engine_load_late() -> None:
    code = (
        "import sys, longt5; early = 'torch' in sys.modules; "
        "print(early, [n for n in longt5.__all__ if not hasattr(longt5, n)])"
    )
    assert in_python(code) == "False []"


# What a module may do


def test_only_settings_read_the_environment() -> None:
    reads = re.compile(r"os\.(environ|getenv|putenv)|from os import")
    wrong = [
        place(path)
        for path in SOURCES
        if place(path) not in READS_ENVIRONMENT and reads.search(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, f"read it in app/settings.py: {wrong}"


def test_posix_only_modules_are_guarded() -> None:
    for path in SOURCES:
        for node in syntax_tree(path).body:  # an import inside a function or a try is guarded
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & POSIX_ONLY, place(path)
        assert "os.fork" not in path.read_text(encoding="utf-8"), place(path)


def compared_messages(path: Path, prose: set[str]) -> Iterator[str]:
    """Yield where a file compares the words of a message, or the name of a class."""
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            has_text = any(isinstance(getattr(side, "value", None), str) for side in sides)
            reads = any(is_description(side) or (has_text and is_message(side)) for side in sides)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in TEXT_METHODS:
                continue
            sides = [node.func.value, *node.args]
            reads = is_description(sides[0]) or is_message(sides[0])
        else:
            continue
        if reads or any(is_prose(side, prose) for side in sides):
            yield ast.unparse(node)


def is_message(node: ast.expr) -> bool:
    """Return whether an expression is named as messages are."""
    name = getattr(node, "attr", getattr(node, "id", ""))
    return bool(MESSAGE_NAMES.fullmatch(name))


def is_description(node: ast.expr) -> bool:
    """Return whether an expression is the text of an error or the name of a class."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return ast.unparse(node.args[0]) in ("error", "exc") if node.args else False
    return isinstance(node, ast.Attribute) and node.attr == "__name__"


def is_prose(node: ast.expr | None, constants: set[str]) -> bool:
    """Return whether an expression is a text of three words or more, or names such a constant."""
    if isinstance(node, ast.Tuple):
        return any(is_prose(part, constants) for part in node.elts)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return (node.id if isinstance(node, ast.Name) else node.attr) in constants
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and bool(re.search(r"[^\W\d_]+ [^\W\d_]+ [^\W\d_]+", node.value))  # type: ignore[union-attr]


def test_control_flow_never_reads_messages() -> None:
    values = [source_tree.constants_of(path) for path in SOURCES]
    constants = {
        name for found in values for name, value in found.items() if is_prose(value, set())
    }
    checked = [path for path in SOURCES if not place(path).startswith(READS_PROSE)]
    found = [(line, place(path)) for path in checked for line in compared_messages(path, constants)]
    assert_none("control flow", found)


@pytest.mark.parametrize(
    "line",
    [
        'x = w.startswith("This is left out")',
        "if warning == 'Nothing': pass",
        "if 'memory' in str(error): pass",
        "x = type(error).__name__ == 'AppError'",
        "x = text.startswith(LEFT_OUT)",
    ],
)
def test_a_compared_message_is_found(line: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(source_tree, "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(line, encoding="utf-8")
    assert list(compared_messages(path, {"LEFT_OUT"}))


# Names and sizes


def test_public_things_have_docstrings() -> None:
    for path in SOURCES:
        assert ast.get_docstring(syntax_tree(path)), f"{place(path)} has no docstring"
        for node in source_tree.definitions(path):
            if not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{place(path)}: {node.name} has no docstring"


def defined_twice(names: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, str]]:
    """Yield each name and the files that define it, where there are several. A module of
    longt5/flax may share names with the torch module whose twin it is."""
    places = defaultdict(list)
    for name, path in names:
        places[name, "/flax/" in place(path)].append(place(path))
    for (name, _), files in places.items():
        if len(files) > 1:
            yield name, " ".join(sorted(files))


def test_a_constant_has_one_meaning() -> None:
    named = [(name, path) for path in SOURCES for name in source_tree.constants_of(path)]
    found = defined_twice((n, p) for n, p in named if n not in SHARED_CONSTANTS)
    assert_none("one meaning for a constant", found)


def test_a_public_function_or_class_has_one_meaning() -> None:
    named = [(node.name, path) for path in SOURCES for node in source_tree.definitions(path)]
    public = [(n, p) for n, p in named if not n.startswith("_") and n not in SHARED_NAMES]
    assert_none("one meaning for a function", defined_twice(public))


def test_shared_names_are_still_shared() -> None:
    named = [(node.name, path) for path in SOURCES for node in source_tree.definitions(path)]
    shared = {name for name, _ in defined_twice(named)}
    assert not set(SHARED_NAMES) - shared, "defined once: take these out of SHARED_NAMES"


def test_functions_fit_a_screen() -> None:
    found = (
        (node.name, place(path))
        for path in [*SOURCES, *TESTS]
        for node in source_tree.functions(path)
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    )
    assert_none("short functions", found)


def test_docstrings_say_what_a_function_does() -> None:
    found = (
        (node.name, place(path))
        for path in [*SOURCES, *TESTS]
        for node in source_tree.functions(path)
        if re.match(r"(?:What|Whether)\b", ast.get_docstring(node) or "")
    )
    assert_none("docstrings in the imperative", found)


# The tree


def test_nothing_else_lies_at_the_top() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    tops = {line.split("/")[0] for line in listed.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


def test_the_readme_is_two_screens_of_reading() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    words = sum(any(map(str.isalnum, word)) for word in text.split())
    lines = len(text.splitlines())
    found = [("words", f"{words} of at most {README_WORDS}")] if words > README_WORDS else []
    found += [("lines", f"{lines} of at most {README_LINES}")] if lines > README_LINES else []
    assert_none("a short README", found)


def test_tools_and_tests_lie_apart() -> None:
    tools = ROOT / "tests" / "tools"
    for path in TESTS:
        names = {node.name for node in source_tree.functions(path)}
        has_tests = any(name.startswith("test_") for name in names)
        is_program = any(
            isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
            for node in syntax_tree(path).body
        )
        if path.is_relative_to(tools):
            assert not has_tests, f"{place(path)} is a tool: move its tests to another folder"
            assert is_program or path.name == "__init__.py", f"{place(path)} is no program"
        elif path != ROOT / "tests" / "__main__.py":
            assert not is_program, f"{place(path)} is a program: move it to tests/tools"
