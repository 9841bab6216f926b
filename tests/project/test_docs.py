"""The documentation is true: commands, help texts, examples, figures, links, the container."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path

import gradio
import pytest
import yaml
from PIL import Image

from app import cli
from app.documents.load import load_document
from app.settings import Settings
from app.summary.options import Options
from app.summary.summarizer import Summarizer
from app.ui import launch
from longt5 import benchmark
from longt5.evaluation.__main__ import evaluation_parser
from longt5.training.__main__ import training_parser
from tests.conftest import ROOT
from tests.tools import make_docs, make_speed_picture

PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "DEVELOPING.md",
        "CHANGELOG.md",
        "app/README.md",
        "longt5/README.md",
        "longt5/BENCHMARKS.md",
        "longt5/training/README.md",
        "longt5/evaluation/README.md",
        "tests/README.md",
        "tests/corpus/README.md",
        "assets/model/README.md",
        "assets/examples/README.md",
    )
}
README = PAGES["README.md"]
TORCH = '"torch>=2.10,<2.14"'


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (page, code) of every code block in a language."""
    return [
        (name, code)
        for name, text in PAGES.items()
        for code in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


def command_lines() -> list[str]:
    """Return every `python ...` command in a shell block or between backticks."""
    lines = [line for _, code in blocks("sh") for line in code.splitlines()]
    lines = [part for line in lines for part in line.split("  #")[0].split("&&")]
    lines += [line for text in PAGES.values() for line in re.findall(r"`(python [^`]+)`", text)]
    return sorted({line.strip() for line in lines if line.strip().startswith("python ")})


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}


@pytest.fixture(autouse=True)
def fixed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)


# Generated parts and settings


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 10), (3, 11), (3, 12)), reason="argparse words help anew"
)
@pytest.mark.parametrize("name", make_docs.GENERATED)
def test_generated_parts_are_up_to_date(name: str) -> None:
    assert make_docs.render(PAGES[name]) == PAGES[name], "run: python -m tests.tools.make_docs"


def test_every_module_is_in_the_map() -> None:
    for package in ("app", "longt5"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "__init__.py":
                assert path.relative_to(ROOT).as_posix() in PAGES["DEVELOPING.md"]


def test_space_settings() -> None:
    front = yaml.safe_load(README.split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert str(front["sdk_version"]) == gradio.__version__
    assert (ROOT / front["app_file"]).is_file()
    assert front["license"] == "apache-2.0" and len(front["short_description"]) <= 60
    assert front["suggested_hardware"] and re.fullmatch(r"3\.\d+", front["python_version"])


# Commands


def test_the_two_commands_are_there() -> None:
    start = "python3 -m venv .venv && . .venv/bin/activate && pip install -r "
    assert f"{start}requirements.txt && python app.py" in README
    assert f"{start}requirements-dev.txt && python -m tests" in README
    assert "python -m tests" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_pytorch_is_installed_as_the_requirements_say() -> None:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert TORCH.strip('"') in requirements
    for text in (README, (ROOT / "Dockerfile").read_text(encoding="utf-8")):
        assert set(re.findall(r'"torch[^"]*"', text)) == {TORCH}


def parser_of(program: str) -> ArgumentParser | None:
    """Return the parser of a program of ours, or None where only the module is checked."""
    return {
        "app": cli.build_parser(),
        "longt5.benchmark": benchmark.benchmark_parser(),
        "longt5.evaluation": evaluation_parser(),
        "longt5.training": training_parser(),
    }.get(program)


@pytest.mark.parametrize("line", command_lines())
def test_commands_parse(line: str) -> None:
    words = [word for word in shlex.split(line) if word != "..."]
    if words[1] == "app.py" or words[1:4] in (["-m", "app", "serve"], ["-m", "app", "open"]):
        options = words[2:] if words[1] == "app.py" else words[4:]
        assert launch.build_serve_parser(Settings()).parse_args(options).host == "127.0.0.1"
        return
    assert words[1] == "-m"
    program, options = words[2], words[3:]
    assert program in ("build", "pytest", "longt5_summarizer") or find_spec(program) is not None
    parser = parser_of(program)
    if parser is not None and options and "--help" not in options and "[pytest" not in line:
        parser.parse_args(options)


# Examples


def is_client_of_a_server(code: str) -> bool:
    """Return True for an example that needs a running page."""
    return "gradio_client" in code


@pytest.mark.parametrize(("name", "code"), blocks("python"))
def test_python_examples_run(name: str, code: str) -> None:
    ast.parse(code)
    if is_client_of_a_server(code):
        assert all(n in code for n in ('api_name="/summarize"', "length=", "file="))
        return
    if "longt5.flax" in code:
        pytest.importorskip("jax")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.strip().splitlines()
    assert printed and all(printed)
    if "StreamingDecoder" in code:
        streamed, generated = printed
        assert streamed[:40] in generated


def test_the_sample_summary_is_the_bundled_model_s(bundled: Summarizer) -> None:
    (sample,) = re.findall(r"<!-- sample -->\n> (.*?)\n<!-- /sample -->", README)
    path = ROOT / "assets" / "examples" / "lending-library.md"
    summary = bundled.summarize(load_document(path), Options(length="short"))
    assert re.sub(r" \(part \d\)", "", sample) == summary.summary


# Figures and links


def test_the_picture_of_speeds_shows_the_table() -> None:
    rows = make_speed_picture.rows_of(PAGES["longt5/BENCHMARKS.md"])
    assert {row[0] for row in rows} == {1_024, 4_096, 8_192, 16_384} and len(rows) == 8
    with Image.open(make_speed_picture.PICTURE) as picture:
        drawn = json.loads(picture.text["Figures"])
    assert drawn == [list(row) for row in rows], "run: python -m tests.tools.make_speed_picture"


def test_the_readme_quotes_the_benchmarks() -> None:
    measured = make_speed_picture.rows_of(PAGES["longt5/BENCHMARKS.md"])
    costs = {(tokens, dtype): [*encode, *step] for tokens, dtype, encode, step in measured}
    quoted = re.findall(r"^\| ([\d,]+), (float32|bfloat16) \| (.+?) \| (.+?) \|", README, re.M)
    assert len(quoted) == 3
    for tokens, dtype, read, write in quoted:
        figures = [
            float(cell.replace(",", "")) for cell in f"{read} against {write}".split(" against ")
        ]
        key = int(tokens.replace(",", "")), {"float32": "fp32", "bfloat16": "bf16"}[dtype]
        assert figures == costs[key]


@pytest.mark.parametrize("name", PAGES)
def test_links_and_pictures_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", PAGES[name]):
        place = (folder / target).resolve() if target else ROOT / name
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place.read_text(encoding="utf-8")), f"{target}#{anchor}"


# The container


def instructions() -> list[tuple[str, str]]:
    """Return (name, arguments) of each instruction of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line]


def values_of(instruction: str) -> list[str]:
    return [arguments for name, arguments in instructions() if name == instruction]


def test_the_image_gets_all_that_the_page_needs() -> None:
    copied = [source for line in values_of("COPY") for source in line.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in copied:
        assert (ROOT / source).exists() and f"!{source}" in ignored
    assert {"app.py", "app/", "longt5/", "assets/", "requirements.txt"} <= set(copied)


def test_the_image_runs_without_privileges_and_keeps_its_data() -> None:
    assert values_of("USER") == ["summarizer"] and values_of("VOLUME") == ["/data"]
    assert "SUMMARIZER_DATA_DIR=/data" in " ".join(values_of("ENV"))
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert max(i for i, name in enumerate(names) if name in ("COPY", "RUN")) < names.index("USER")


def test_the_image_starts_the_page_and_asks_how_it_is() -> None:
    (entry,), (health,) = values_of("ENTRYPOINT"), values_of("HEALTHCHECK")
    command = json.loads(entry)
    assert command[:2] == ["python", "app.py"]
    chosen = launch.build_serve_parser(Settings()).parse_args([*command[2:], "--no-auth"])
    assert chosen.host == "0.0.0.0" and values_of("EXPOSE") == [str(chosen.port)]
    python, flag, code = json.loads(health.split("CMD ")[1])
    assert (python, flag) == ("python", "-c") and f"127.0.0.1:{chosen.port}" in code
    ast.parse(code)


def test_compose_describes_the_image() -> None:
    ((_, text),) = blocks("yaml")
    composed = yaml.safe_load(text)
    service = composed["services"]["summarizer"]
    (volume,) = service["volumes"]
    name, folder = volume.split(":")
    assert service["build"] == "." and [folder] == values_of("VOLUME")
    assert name in composed["volumes"]
    assert service["ports"] == [f"127.0.0.1:{values_of('EXPOSE')[0]}:7860"]


def test_commit_hooks_run_what_ci_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = hooks["repos"]
    assert repository["repo"] == "local"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"  # no network
        assert hook["entry"].removesuffix(" --force-exclude") in ci


def test_the_pages_are_utf8_with_one_title() -> None:
    for name, text in PAGES.items():
        body = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        assert len(re.findall(r"^# ", body, re.MULTILINE)) == 1, name
        assert Path(name).suffix == ".md"
