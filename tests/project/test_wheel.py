"""A built wheel, away from the checkout: it finds its model and summarizes the example."""

from __future__ import annotations

import json
import os
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


def test_every_package_is_in_the_wheel() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(declared["tool"]["setuptools"]["packages"])
    folders = {p.parent for name in ("app", "longt5") for p in (ROOT / name).rglob("__init__.py")}
    names = {folder.relative_to(ROOT).as_posix().replace("/", ".") for folder in folders}
    assert packages == names | {"app.assets"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The interpreter of an environment that has the wheel; the libraries are borrowed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    skipped = shutil.ignore_patterns(".git", ".venv", "venv", "__pycache__", ".*_cache", "build")
    shutil.copytree(ROOT, source, ignore=skipped)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(folder), str(source)], check=True
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
    shutil.unpack_archive(wheel, where, "zip")
    return python


def run(python: Path, folder: Path, *argv: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, *argv],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_summarizes_the_example(installed, tmp_path) -> None:
    where = run(installed, tmp_path, "-c", "import app; print(app.__file__)").strip()
    assert ROOT not in Path(where).parents
    example = Path(where).parent / "assets" / "examples" / "merrow-report.pdf"
    out = run(
        installed,
        tmp_path,
        "-m",
        "app",
        "summarize",
        str(example),
        "--pages",
        "6-9",
        "--length",
        "short",
        "--format",
        "json",
    )
    summary = json.loads(out)
    assert summary["pages"] == 29 and summary["model"] == "bundled" and summary["summary"]


def test_the_wheel_carries_the_page(installed, tmp_path) -> None:
    out = run(
        installed,
        tmp_path,
        "-c",
        "from app.settings import assets_dir as a; print(sorted(p.name for p in a().iterdir()))",
    )
    for name in ("style.css", "page.js", "favicon.svg", "model", "examples"):
        assert name in out
