"""A built wheel, away from the checkout: it finds its model and summarizes the example."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[2]
CAN_COMPILE = (
    sys.platform.startswith("linux")
    and platform.machine() == "x86_64"
    and "avx2" in Path("/proc/cpuinfo").read_text("utf-8")
    and bool(shutil.which("g++") or shutil.which("clang++"))
)


def test_every_package_is_in_the_wheel() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(declared["tool"]["setuptools"]["packages"])
    folders = {p.parent for name in ("app", "longt5") for p in (ROOT / name).rglob("__init__.py")}
    names = {folder.relative_to(ROOT).as_posix().replace("/", ".") for folder in folders}
    renamed = {re.sub(r"^app\b", "longt5_summarizer", name) for name in names}
    assert packages == renamed | {"longt5_summarizer.assets"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment that has the wheel and borrows the libraries."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    skipped = shutil.ignore_patterns(".git", ".venv", "venv", "__pycache__", ".*_cache", "build")
    shutil.copytree(ROOT, source, ignore=skipped)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    options = []
    if CAN_COMPILE:
        prebuilt = [sys.executable, "-m", "longt5.kernels.prebuilt", "--levels", "avx2"]
        subprocess.run(prebuilt, cwd=source, check=True)
        options = ["--config-settings=--build-option=--plat-name=linux_x86_64"]
    subprocess.run(
        [*command, *options, "--no-build-isolation", "--wheel-dir", str(folder), str(source)],
        check=True,
    )
    shutil.rmtree(source)
    venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / "env" / scripts / ("python.exe" if os.name == "nt" else "python")
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (Path(where) / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return python


def run(program: Path, folder: Path, *argv: str) -> str:
    """Return what a program prints when it runs away from the checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [program, *argv],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def example(python: Path, folder: Path) -> str:
    """Return the path of the report that the wheel brings along."""
    code = "from longt5_summarizer.settings import assets_dir as a; print(a() / 'examples')"
    examples = Path(run(python, folder, "-c", code).strip())
    assert ROOT not in examples.parents and "longt5_summarizer" in examples.parts
    return str(examples / "merrow-report.pdf")


def test_nothing_called_app_is_installed(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.util import find_spec as f; print([f(n) for n in ('app', 'assets')])"
    assert run(installed, tmp_path, "-c", code).strip() == "[None, None]"
    code = """
import importlib.metadata, longt5, longt5_summarizer
from pathlib import Path
from longt5_summarizer.settings import APP_VERSION
assert importlib.metadata.version("longt5-summarizer") == APP_VERSION
print([(Path(p.__file__).parent / "py.typed").is_file() for p in (longt5, longt5_summarizer)])
"""
    assert run(installed, tmp_path, "-c", code).strip() == "[True, True]"


@pytest.mark.skipif(not CAN_COMPILE, reason="kernels are compiled on Linux with AVX2")
def test_the_kernel_of_the_wheel_needs_no_compiler(installed: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    code = """
import shutil
from pathlib import Path
from longt5.kernels import native
assert not shutil.which("g++") and not shutil.which("clang++")
print(native.library()._name)
print((Path.home() / ".cache" / "longt5").exists())
"""
    loaded, cached = run(installed, tmp_path, "-c", code).split()
    assert Path(loaded).parent.name == "prebuilt" and Path(loaded).name.startswith("native-avx2-")
    assert cached == "False"  # nothing was compiled
    code = """
import importlib.metadata
print(importlib.metadata.distribution("longt5-summarizer").read_text("WHEEL"))
"""
    assert "Tag: py3-none-linux_x86_64" in run(installed, tmp_path, "-c", code)


def test_the_module_summarizes_the_example(installed: Path, tmp_path: Path) -> None:
    options = ["--pages", "6-9", "--length", "short", "--format", "json"]
    document = example(installed, tmp_path)
    out = run(installed, tmp_path, "-m", "longt5_summarizer", "summarize", document, *options)
    summary = json.loads(out)
    assert summary["pages"] == 29 and summary["model"] == "bundled" and summary["summary"]
    assert "longt5-summarizer summarize" in summary["provenance"]["command"]


def test_the_console_script_reads_a_document(installed: Path, tmp_path: Path) -> None:
    script = installed.with_name("longt5-summarizer" + (".exe" if os.name == "nt" else ""))
    out = run(script, tmp_path, "extract", example(installed, tmp_path), "--format", "json")
    assert len(json.loads(out)["pages"]) == 29
    assert "bundled" in run(script, tmp_path, "models")


def test_the_python_interface_summarizes(installed: Path, tmp_path: Path) -> None:
    code = """
import sys
from longt5_summarizer import stream, summarize
print(len(summarize(sys.argv[1], length="short", pages="6-7", num_beams=1).summary) > 40)
print(type(list(stream("Ladders are lent for a week.", num_beams=1))[-1]).__name__)
"""
    out = run(installed, tmp_path, "-c", code, example(installed, tmp_path))
    assert out.split() == ["True", "Finished"]


def test_processes_of_its_own_start(installed: Path, tmp_path: Path) -> None:
    """A page is drawn, and a run computed, by processes that find the installed package."""
    script = tmp_path / "processes.py"
    script.write_text(
        """
import sys

from longt5_summarizer.documents.load import document_from_text
from longt5_summarizer.documents.readers.pdf.page_image import page_image
from longt5_summarizer.runs.request import Request
from longt5_summarizer.runs.stop import StopSignal
from longt5_summarizer.runs.subprocess_run import summarize_in_subprocess
from longt5_summarizer.settings import Settings
from longt5_summarizer.summary.options import Options

if __name__ == "__main__":
    print(len(page_image(sys.argv[1], 5)) > 1_000)
    document = document_from_text("Ladders are lent for a week, drills for a day.")
    request = Request((document,), Options(num_beams=1, max_new_tokens=8), "bundled")
    *_, last = summarize_in_subprocess(request, Settings(device="cpu"), StopSignal(), None)
    print(type(last).__name__)
""",
        encoding="utf-8",
    )
    out = run(installed, tmp_path, str(script), example(installed, tmp_path))
    assert out.split() == ["True", "Finished"]


def test_the_wheel_carries_the_page(installed: Path, tmp_path: Path) -> None:
    code = (
        "from longt5_summarizer.settings import assets_dir as a; "
        "print(sorted(p.name for p in a().iterdir()))"
    )
    out = run(installed, tmp_path, "-c", code)
    for name in ("style.css", "page.js", "favicon.svg", "model", "examples"):
        assert name in out
