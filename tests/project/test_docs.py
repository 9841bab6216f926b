"""The README is true: its commands, help texts, tree, settings of a Space and library example."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import gradio
import pytest
import yaml
from PIL import Image

from app import cli
from app.settings import LENGTH_WORDS, Settings
from app.ui import launch
from tests.conftest import ROOT
from tests.tools import make_readme, make_speed_picture

README = (ROOT / "README.md").read_text(encoding="utf-8")
DEVELOPING = (ROOT / "DEVELOPING.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def fixed_environment(monkeypatch):
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 10), (3, 11), (3, 12)), reason="argparse writes help anew"
)
def test_generated_parts_are_up_to_date() -> None:
    assert make_readme.render(README) == README, "run: python -m tests.tools.make_readme"


def test_every_module_is_in_the_tree() -> None:
    for folder in ("app", "longt5"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "__init__.py":
                assert path.relative_to(ROOT).as_posix() in README


def test_space_settings() -> None:
    front = yaml.safe_load(README.split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert str(front["sdk_version"]) == gradio.__version__
    assert (ROOT / front["app_file"]).is_file()
    assert front["license"] == "apache-2.0" and len(front["short_description"]) <= 60
    assert front["suggested_hardware"] and re.fullmatch(r"3\.\d+", front["python_version"])


def test_the_two_commands_are_there() -> None:
    start = "python3 -m venv .venv && . .venv/bin/activate && pip install -r "
    assert f"{start}requirements.txt && python app.py" in README
    assert f"{start}requirements-dev.txt && python -m tests" in README
    assert "python -m tests" in (ROOT / ".ci" / "run").read_text()


def test_the_picture_of_speeds_shows_the_table() -> None:
    rows = make_speed_picture.rows_of(README)
    assert {row[0] for row in rows} >= {1_024, 4_096, 8_192, 16_384} and len(rows) >= 8
    with Image.open(make_speed_picture.PICTURE) as picture:
        drawn = json.loads(picture.text["Figures"])
    assert drawn == [list(row) for row in rows], "run: python -m tests.tools.make_speed_picture"


def test_links_and_pictures_lead_somewhere() -> None:
    for text in (README, DEVELOPING):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (ROOT / target).exists(), target
        headings = {
            re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-")
            for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("line", re.findall(r"^python -m app summarize.*$", README, re.MULTILINE))
def test_commands_parse(line: str) -> None:
    chosen = cli.build_parser().parse_args(line.split()[3:])
    assert chosen.command == "summarize" and chosen.length in LENGTH_WORDS


def test_options_of_the_page_parse() -> None:
    chosen = launch.build_serve_parser(Settings()).parse_args(["--desktop", "--port", "7000"])
    assert chosen.desktop and chosen.port == 7000 and chosen.host == "127.0.0.1"


def run_example(marker: str, unlike: str = "\0") -> list[str]:
    """The printed lines of the README's one Python example with the marker."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (code,) = [c for c in examples if marker in c and unlike not in c]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_the_jax_example_runs() -> None:
    pytest.importorskip("jax")
    (line,) = run_example("longt5.flax")
    assert line.startswith("['")


def test_the_library_example_runs() -> None:
    streamed, generated = run_example("longt5", unlike="longt5.flax")
    assert streamed and generated.startswith("['") and streamed[:40] in generated
