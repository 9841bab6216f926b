"""What to type for an optional package, in every kind of installation."""

from __future__ import annotations

import importlib.util
from importlib import metadata

import pytest

from app import optional_packages
from app.optional_packages import install_command

REQUIREMENTS = [
    "torch>=2.10",
    'rapidocr<4,>=3.4; extra == "ocr"',
    'onnxruntime<2,>=1.20; extra == "ocr"',
    'pywebview[pyside6]>=5; sys_platform == "linux" and extra == "desktop"',
    'pywebview>=5; sys_platform != "linux" and extra == "desktop"',
]
PACKAGES = '"rapidocr<4,>=3.4" "onnxruntime<2,>=1.20"'


@pytest.fixture
def installed(monkeypatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIREMENTS)


def test_a_checkout_names_its_extra() -> None:
    assert install_command("ocr", is_checkout=True) == 'pip install ".[ocr]"'


@pytest.mark.parametrize(
    ("owner", "command"),
    [
        ("pipx_metadata.json", "pipx inject longt5-summarizer "),
        ("uv-receipt.toml", 'uv pip install --python "$(uv tool dir)/longt5-summarizer" '),
        ("pyvenv.cfg", "pip install "),
    ],
)
def test_an_installation_is_changed_by_the_tool_that_owns_it(
    installed, tmp_path, owner, command
) -> None:
    (tmp_path / owner).touch()
    said = install_command("ocr", is_checkout=False, prefix=str(tmp_path))
    assert said == command + PACKAGES


def test_uvx_is_started_again_with_the_packages(installed, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = install_command("ocr", is_checkout=False, prefix=str(tmp_path))
    assert said == ('uvx --with "rapidocr<4,>=3.4" --with "onnxruntime<2,>=1.20" longt5-summarizer')


def test_only_packages_of_this_system_are_named(installed, tmp_path, monkeypatch) -> None:
    for system, package in (("linux", "pywebview[pyside6]>=5"), ("win32", "pywebview>=5")):
        monkeypatch.setattr(optional_packages.sys, "platform", system)
        said = install_command("desktop", is_checkout=False, prefix=str(tmp_path))
        assert said == f'pip install "{package}"'
