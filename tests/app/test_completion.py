"""Completion of the command line in a real bash; scripts of other shells are parsed by these."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app import cli
from app.completion import SHELLS
from app.settings import APP_NAME, LENGTH_WORDS

# Presses Tab as bash does: it calls the function that is registered for the command.
PRESS_TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_options_values_and_files(tmp_path: Path, capsys) -> None:
    path = tmp_path / "completion.bash"
    path.write_text(script("bash", capsys), encoding="utf-8")
    for name in ("report.pdf", "reply.docx", "other.txt"):
        (tmp_path / name).touch()

    def completed(*words: str) -> set[str]:
        command = ["bash", "-c", PRESS_TAB, "bash", str(path), APP_NAME, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert {"summarize", "extract", "open", "serve"} <= completed("")
    assert completed("sum") == {"summarize"}
    assert completed("summarize", "--len") == {"--length", "--length-penalty"}
    assert completed("summarize", "--length", "") == set(LENGTH_WORDS)
    assert completed("serve", "--deskt") == {"--desktop"}
    assert completed("completion", "") == set(SHELLS)
    for words in (("summarize",), ("extract",), ("open",), ("summarize", "a.pdf", "-o")):
        assert completed(*words, "rep") == {"report.pdf", "reply.docx"}


@pytest.mark.parametrize("shell, check", [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_each_shell_can_read_its_script(shell: str, check: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / shell
    path.write_text(script(shell, capsys), encoding="utf-8")
    assert APP_NAME in path.read_text(encoding="utf-8")
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, check, str(path)], check=True)
