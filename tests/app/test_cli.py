"""The command line, used by a person and by a script."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import cli
from app.cli_files import expand_wildcards
from app.errors import AppError, BadOption
from app.events import DraftText, Finished, Progress, SectionDone, SectionStarted
from app.export.formats import export_text
from app.settings import (
    APP_VERSION,
    moves_cursor,
    supports_dim_text,
)
from app.summary.summarizer import Summarizer
from app.terminal import ProgressLine, SummaryWriter, wrap_text
from tests.app.test_export import summary_of
from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, ROOT
from tests.documents import make_pdfs


@pytest.fixture
def loaded(bundled, monkeypatch):
    """Use the bundled model of the session instead of loading one."""
    monkeypatch.setattr(Summarizer, "load", lambda *a, **k: bundled)


@pytest.fixture
def short_file(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("The tide came in at six. Nobody was on the bridge. " * 6, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def usual_log_level() -> Iterator[None]:
    """Take back what --verbose sets for the whole process."""
    yield
    for name in ("app", "longt5"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def run(capsys, *argv) -> tuple[int, str, str]:
    code = cli.main([str(a) for a in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_summary_goes_to_stdout_and_progress_to_stderr(loaded, short_file, capsys) -> None:
    code, out, err = run(capsys, "summarize", short_file, "--length", "short")
    assert code == 0
    assert out.startswith("# Summary of short.txt\n\n") and "Made by a machine" in out
    loading, planned, *stages = err.splitlines()
    assert loading == "Loading the model"
    assert re.match(r"1 part, 66 words, 91 tokens in 1 step; about \d0 words in \d+ s", planned)
    assert stages == ["Analyzing", "Writing"]


def test_json_is_one_object_per_file(loaded, short_file, capsys) -> None:
    code, out, _ = run(
        capsys, "summarize", short_file, short_file, "--format", "json", "--max-new-tokens", 8
    )
    assert code == 0
    first, second = [json.loads(line) for line in out.splitlines()]
    assert first["name"] == "short.txt" and first["options"]["max_new_tokens"] == 8
    assert first["summary"] == second["summary"]
    assert first["timings"]["total_s"] >= first["timings"]["decode_s"]


def test_output_file_is_written_atomically(loaded, short_file, tmp_path, capsys) -> None:
    target = tmp_path / "out.txt"
    code, out, _ = run(capsys, "summarize", short_file, "--format", "txt", "-o", target)
    assert code == 0 and out == ""
    assert target.read_text(encoding="utf-8").startswith("short.txt\n\n")
    assert not list(tmp_path.glob("*.part"))
    code, _, err = run(capsys, "summarize", short_file, "-o", tmp_path / "no" / "such.md")
    assert code == 1 and "cannot be written" in err


def test_an_error_leaves_the_earlier_output(
    loaded, short_file, tmp_path, capsys, monkeypatch
) -> None:
    target = tmp_path / "out.md"
    target.write_text("An earlier summary.", encoding="utf-8")

    def failing(events, fmt, name, out, progress, style):
        out.write("Half a sen")
        raise AppError("Memory ran out.")

    monkeypatch.setattr("app.summarize_command.print_run", failing)
    assert run(capsys, "summarize", short_file, "-o", target)[0] == 1
    assert target.read_text(encoding="utf-8") == "An earlier summary."
    target.unlink()
    assert run(capsys, "summarize", short_file, "-o", target)[0] == 1
    assert target.read_text(encoding="utf-8") == "Half a sen"
    assert not list(tmp_path.glob("*.part"))


def test_documents_are_not_overwritten(loaded, short_file, tmp_path, capsys) -> None:
    before, link = short_file.read_text("utf-8"), tmp_path / "link.txt"
    (tmp_path / "other.md").write_text(before, encoding="utf-8")
    link.symlink_to(short_file)
    for target in (short_file, link, tmp_path / "x" / ".." / "short.txt"):
        (tmp_path / "x").mkdir(exist_ok=True)
        code, _, err = run(capsys, "summarize", tmp_path / "other.md", short_file, "-o", target)
        assert code == 1 and "is the document itself" in err
    assert short_file.read_text("utf-8") == before


def test_longest_output_name_is_accepted_and_empty_refused(
    loaded, short_file, tmp_path, capsys
) -> None:
    few = ("--max-new-tokens", 8, "--num-beams", 1)
    longest = tmp_path / f"{'n' * 252}.md"
    assert run(capsys, "summarize", short_file, "-o", longest, *few)[0] == 0
    assert longest.is_file() and len(list(tmp_path.iterdir())) == 2
    code, out, err = run(capsys, "summarize", short_file, "-o", "", *few)
    assert (code, out) == (1, "") and "cannot be written" in err


@pytest.mark.skipif(os.name != "posix", reason="links, modes and pipes of POSIX")
def test_output_keeps_links_modes_and_pipes(loaded, short_file, tmp_path, capsys) -> None:
    few = ("--max-new-tokens", 8, "--num-beams", 1, "--format", "txt")
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("An earlier summary.", encoding="utf-8")
    real.chmod(0o600)
    link.symlink_to("real.txt")
    assert run(capsys, "summarize", short_file, "-o", link, *few)[0] == 0
    assert link.is_symlink() and real.read_text("utf-8").startswith("short.txt\n\n")
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    real.unlink()
    assert run(capsys, "summarize", short_file, "-o", link, *few)[0] == 0
    assert link.is_symlink() and real.is_file()

    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    assert run(capsys, "summarize", short_file, "-o", pipe, *few)[0] == 0
    reader.join(9)
    assert read[0].startswith("short.txt\n\n") and stat.S_ISFIFO(pipe.stat().st_mode)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="Linux alone has it")
def test_dev_stdout_is_stdout(short_file, tmp_path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("Before.\n", encoding="utf-8")
    command = [sys.executable, "-m", "app", "summarize", short_file, "--max-new-tokens", "8"]
    with log.open("ab") as out:
        subprocess.run([*command, "-o", "/proc/self/fd/1"], cwd=ROOT, stdout=out, check=True)
    assert log.read_text("utf-8").startswith("Before.\n# Summary of short.txt")


def test_output_name_sets_format_and_folder(loaded, short_file, tmp_path, capsys) -> None:
    few = ("--max-new-tokens", 8, "--num-beams", 1)
    assert run(capsys, "summarize", short_file, "-o", tmp_path / "out.json", *few)[0] == 0
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["name"] == "short.txt"
    assert run(capsys, "summarize", short_file, "-o", f"{tmp_path}/v.json/", *few)[0] == 0
    assert [p.name for p in (tmp_path / "v.json").iterdir()] == ["short-summary.md"]


def test_a_web_page_holds_one_summary(short_file, tmp_path, capsys) -> None:
    for output in ([], ["-o", tmp_path / "two.html"]):
        code, out, err = run(
            capsys, "summarize", short_file, short_file, "--format", "html", *output
        )
        assert (code, out) == (1, "") and "-o OUT/" in err
    assert not (tmp_path / "two.html").exists()


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="pipes have no names here")
def test_input_pipe_is_refused(capsys) -> None:
    here, there = os.pipe()
    os.write(there, b"# Notes\n\nThe ferry left at nine.\n")
    os.close(there)
    code, _, err = run(capsys, "extract", f"/dev/fd/{here}")
    os.close(here)
    assert code == 1 and f"“{here}” is a pipe or a device" in err


def test_one_bad_file_does_not_stop_the_others(loaded, short_file, tmp_path, capsys) -> None:
    code, out, err = run(
        capsys,
        "summarize",
        tmp_path / "missing.pdf",
        short_file,
        "--format",
        "json",
        "--max-new-tokens",
        8,
    )
    assert code == 1 and len(out.splitlines()) == 1
    assert "missing.pdf" in err


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["summarize", "nothing.pdf"], "nothing.pdf"),
        (["summarize", str(EXAMPLE_TEXT), "--model", "no such"], "no such"),
        (["summarize", str(EXAMPLE_TEXT), "--model", "n" * 5_000], "no model called"),
        (["summarize", str(EXAMPLE_TEXT), "--model", "~nobody-here/x"], "no model called"),
        (["summarize", str(EXAMPLE_TEXT), "--num-beams", "99"], "beams"),
        (["summarize", str(EXAMPLE_TEXT), "--revision", "v9"], "has no revisions"),
        (["serve", "--revision", "v9"], "has no revisions"),
        (["summarize", str(EXAMPLE_TEXT), "--list-sections", "-o", "a.md"], "leave -o out"),
        (["summarize", str(EXAMPLE_TEXT), "--num-beams", "x"], "num-beams"),
        (["summarize", str(EXAMPLE_TEXT), "--length", "epic"], "epic"),
        (["summarize", str(EXAMPLE_TEXT), "--pages", "x"], "1-5,9"),
        (["summarize"], "FILE"),
        (["summarize", "https://example.org/a.pdf"], "download the file"),
        (["summarize", str(EXAMPLE_TEXT), "-o", "summary.doc"], "as .doc"),
        ([str(EXAMPLE_TEXT)], "summarize "),
        (["extract", str(ROOT / "assets")], "is a folder"),
        (["compare", "nothing.json", "nothing.json"], "nothing.json is not there"),
        (["dance"], "dance"),
        (["serve", "--num-beams", "99"], "num-beams"),
        (["serve", "--nope"], "--nope"),
        (["extract", "nothing.pdf", "--format", "json"], "nothing.pdf"),
    ],
)
def test_errors_are_one_sentence_and_exit_code_1(argv, word, capsys) -> None:
    code, out, err = run(capsys, *argv)
    said = [line for line in err.splitlines() if not line.startswith(("Reading", "Loading"))]
    assert code == 1 and out == "" and len(said) == 1 and word in said[0]
    assert "Traceback" not in err


def test_extract_prints_the_pinned_object(capsys) -> None:
    code, out, _ = run(capsys, "extract", EXAMPLE_PDF, "--format", "json")
    values = json.loads(out)
    assert code == 0 and set(values) == {
        "name",
        "unit",
        "pages",
        "warnings",
        "losses",
        "coverage",
        "sections",
    }
    assert values["unit"] == "page" and len(values["pages"]) >= 20
    assert set(values["pages"][0]) == {"number", "label", "text", "status"}


def test_extract_of_a_file_without_text_is_an_error(tmp_path, capsys) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(tmp_path / "blank.pdf")
    code, out, err = run(capsys, "extract", tmp_path / "blank.pdf", "--format", "json")
    assert code == 1 and json.loads(out)["pages"][0]["status"] == "empty"
    assert "blank.pdf" in err


def test_models_are_listed_without_network(capsys) -> None:
    code, out, _ = run(capsys, "models")
    assert code == 0
    assert re.search(r"^bundled\s.*\s4,096\s.*yes", out, re.MULTILINE)
    assert "pszemraj/long-t5-tglobal-base-16384-book-summary" in out


def test_no_password_prompt_without_a_terminal(tmp_path, capsys) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret")
    writer.write(tmp_path / "locked.pdf")
    code, _, err = run(capsys, "extract", tmp_path / "locked.pdf")
    assert code == 1 and "password" in err
    code, _, err = run(capsys, "extract", tmp_path / "locked.pdf", "--password", "wrong")
    assert code == 1 and "password" in err and "wrong" not in err


def test_end_of_input_ends_the_password_prompt(tmp_path, capsys, monkeypatch) -> None:
    from pypdf import PdfWriter

    def ended(prompt: str) -> str:
        raise EOFError

    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret")
    writer.write(tmp_path / "locked.pdf")
    monkeypatch.setattr("getpass.getpass", ended)
    monkeypatch.setattr("sys.stdin", Screen())
    code, _, err = run(capsys, "extract", tmp_path / "locked.pdf")
    assert code == 1 and "is protected" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--words", "abc"], "--words must be a whole number, not 'abc'"),
        (["--length-penalty", "x"], "--length-penalty must be a number, not 'x'"),
        (["--lenght", "short"], "did you mean --length?"),
        (["--no-such-thing"], "Unrecognized arguments: --no-such-thing (see"),
    ],
)
def test_a_mistyped_option_is_named_with_what_to_type(short_file, capsys, words, said) -> None:
    code, _, err = run(capsys, "summarize", short_file, *words)
    assert code == 1 and said in err


def test_a_protected_file_names_the_option_for_its_password(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    (tmp_path / "locked.pdf").write_bytes(make_pdfs.encrypted("secret"))
    for words in ([], ["--password", "wrong"]):
        code, _, err = run(capsys, "extract", tmp_path / "locked.pdf", *words)
        assert code == 1 and "--password" in err


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
def test_closed_standard_streams_are_replaced(short_file, tmp_path) -> None:
    def shell(line: str) -> subprocess.CompletedProcess:
        line = f"{sys.executable} -m app {line}"
        return subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)

    few = f"summarize {short_file} --max-new-tokens 8 --num-beams 1"
    done = shell(f"{few} -o {tmp_path}/out.md >&- 2>&- <&-")
    assert done.returncode == 0
    assert (tmp_path / "out.md").read_text("utf-8").startswith("# Summary of short.txt")
    done = shell(f"extract {short_file} 2>&- <&-")
    assert done.returncode == 0 and "The tide came in" in done.stdout
    for line in (few, "models"):
        done = shell(f"{line} >&-")
        assert done.returncode == 1 and done.stderr.startswith("Stdout is closed")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals and signals of POSIX")
def test_ctrl_c_ends_the_password_prompt(tmp_path) -> None:
    import pty

    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("secret")
    writer.write(tmp_path / "locked.pdf")
    here, there = pty.openpty()
    command = [sys.executable, "-m", "app", "extract", str(tmp_path / "locked.pdf")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=there, stdout=there, stderr=there, start_new_session=True
    ) as process:
        said = b""
        while b"Password" not in said:
            said += os.read(here, 999)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 1
        finally:
            process.kill()
    assert b"Stopped." in os.read(here, 999)
    os.close(here), os.close(there)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is always full")
@pytest.mark.parametrize("argv", [["models"], ["extract", EXAMPLE_TEXT], ["summarize"]])
def test_full_disk_is_reported_in_one_sentence(argv, short_file) -> None:
    if argv == ["summarize"]:
        argv = ["summarize", short_file, "--max-new-tokens", "8"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "app", *argv],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("The output cannot be written (no space left")


def test_unexpected_error_is_reported_without_its_message(capsys, monkeypatch) -> None:
    def failing(chosen):
        raise KeyError("The text of the document.")

    monkeypatch.setattr(cli, "run_models", failing)
    code, out, err = run(capsys, "models")
    assert (code, out) == (1, "") and "(KeyError)" in err and "The text" not in err


@pytest.mark.parametrize("port", ["99999", "-4", "0"])
def test_invalid_port_is_an_error(port, capsys) -> None:
    code, _, err = run(capsys, "serve", f"--port={port}")
    assert code == 1 and err == f"There is no port {port}: choose one from 1 to 65535.\n"


EVENTS = [
    SectionStarted(1, 2, (1, 3)),
    Progress("encoding", 1, 6, 1, 2),
    DraftText(1, "", "Tides are"),
    DraftText(1, "Tides *are* high.", " Walls may"),
    SectionDone(1, summary_of("Tides *are* high. Walls hold.").sections[0]),
    SectionStarted(2, 2, (4, 6)),
    DraftText(2, "", "A guess that is never kept " * 9),
    SectionDone(2, summary_of("", "Nobody left.").sections[1]),
    Finished(summary_of("Tides *are* high. Walls hold.", "Nobody left.")),
]


class Screen(io.StringIO):
    """A terminal that knows the control sequences in use: rows of characters and a cursor."""

    def __init__(self, columns: int = 80) -> None:
        super().__init__()
        self.rows, self.row, self.column, self.saved = [[]], 0, 0, (0, 0)
        self.columns, self.was_dim = columns, False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for match in re.finditer(r"\x1b(?:\[(\d*)([A-Za-z])|([78D]))|(.)", text, re.DOTALL):
            number, letter, single, char = match.groups()
            if char is not None:
                self.put(char)
            elif letter == "A":
                self.row -= int(number)
            elif letter == "J":
                self.rows = self.rows[: self.row + 1]
                self.rows[self.row] = self.rows[self.row][: self.column]
            elif letter == "m":
                self.was_dim |= number == "2"
            elif single == "7":
                self.saved = (self.row, self.column)
            elif single == "8":
                self.row, self.column = self.saved
            elif single == "D":
                self.down()
        return len(text)

    def down(self) -> None:
        self.row += 1
        while len(self.rows) <= self.row:
            self.rows.append([])

    def put(self, char: str) -> None:
        if char == "\n":
            self.down()
            self.column = 0
        elif char == "\r":
            self.column = 0
        else:
            line = self.rows[self.row]
            line += " " * (self.column - len(line))
            line[self.column : self.column + 1] = [char]
            self.column += 1

    def shown(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.rows).rstrip()


@pytest.mark.parametrize("fmt", ["md", "txt"])
def test_streamed_text_equals_the_export(fmt) -> None:
    out = io.StringIO()
    writer = SummaryWriter(out, fmt, "report.pdf", color=True)
    for event in EVENTS:
        writer.handle(event)
    assert out.getvalue() == export_text(EVENTS[-1].summary, fmt)


def test_provisional_text_is_dimmed_and_erased() -> None:
    screen = Screen()
    writer = SummaryWriter(screen, "txt", "report.pdf", color=True)
    for event in EVENTS[:4]:
        writer.handle(event)
    assert screen.was_dim and "Walls may" in screen.shown()
    for event in EVENTS[4:]:
        writer.handle(event)
    assert screen.shown() == export_text(EVENTS[-1].summary, "txt").rstrip()


WIDE = "渡船在九点离开。" * 40


def columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def test_wide_characters_do_not_wrap_lines() -> None:
    for text in (WIDE, "A " + WIDE, "渡船 " * 99, "words and words " * 20, "a" * 300):
        lines = wrap_text(text, 79)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert all(0 < columns(line) <= 79 and line == line.strip() for line in lines)
    assert wrap_text("one two\nthree", 7) == ["one two", "three"]
    screen = Screen()
    line = ProgressLine(screen)
    line.start_file(1, 2, f"{WIDE}.pdf")
    line.show(Progress("reading", 1, 3))
    assert columns(screen.shown().split("\x1b[K")[-1]) < 80
    writer = SummaryWriter(screen := Screen(), "txt", "report.pdf", color=True)
    writer.handle(SectionStarted(1, 1, (1, 3)))
    writer.handle(DraftText(1, "", WIDE))
    assert all(columns(line) < 80 for line in screen.shown().splitlines())


def test_old_console_gets_no_control_sequences(monkeypatch) -> None:
    assert not moves_cursor({"TERM": "dumb"}) and moves_cursor({"TERM": "xterm"})
    assert moves_cursor({"TERM": "xterm", "NO_COLOR": "1"})
    assert not supports_dim_text({"TERM": "xterm", "NO_COLOR": "1"})
    assert supports_dim_text({"TERM": "xterm"})
    monkeypatch.setattr("sys.platform", "win32")
    assert not moves_cursor({}) and moves_cursor({"WT_SESSION": "1"})
    monkeypatch.undo()
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr", Screen())
    assert cli.main(["extract", str(EXAMPLE_PDF)]) == 0
    assert sys.stderr.shown().splitlines()[0] == "Reading"


def test_progress_is_one_line_on_a_terminal_and_a_line_per_stage_elsewhere() -> None:
    plain, screen = io.StringIO(), io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    for out in (plain, screen):
        line = ProgressLine(out)
        for done in (1, 2, 3):
            line.show(Progress("reading", done, 3))
        line.show(Progress("encoding", 1, 6))
        line.clear()
    assert plain.getvalue() == "Reading\nAnalyzing\n"
    assert "\n" not in screen.getvalue() and screen.getvalue().endswith("\r\x1b[K")


@given(st.integers(1, 60), st.integers(0, 9), st.sampled_from(["encoding", "decoding"]))
def test_bar_shows_the_progress_of_the_document(sections, done, stage) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    line, before = ProgressLine(screen), 0
    line.start_file(2, 9, "a-name-" * 30 + ".pdf")
    for section in range(1, sections + 1):
        line.show(Progress(stage, done, 9, section, sections, 40.0))
        shown = screen.getvalue().split("\r\x1b[K")[-1]
        assert len(shown) < 80 and shown.index("]") == 21  # a longer line would wrap
        assert before <= shown.count("#") <= 20
        assert "about 40 s left" in shown
        assert (f"step {section} of {sections}" in shown) == (sections > 1)
        before = shown.count("#")
    if (stage, done) == ("decoding", 9):
        assert before == 20 and "100 %" in shown


def test_without_a_terminal_sections_and_files_have_a_line_each() -> None:
    out = io.StringIO()
    line = ProgressLine(out)
    for section in (1, 2):
        for stage in ("encoding", "decoding"):
            line.show(Progress(stage, 1, 2, section, 2))
    assert out.getvalue() == "Step 1 of 2\nStep 2 of 2\n"
    line.start_file(1, 3, "a.pdf")
    line.show(Progress("decoding", 1, 2, 1, 9))
    assert out.getvalue().endswith("Step 2 of 2\nFile 1 of 3, a.pdf\n")


def test_help_names_every_option() -> None:
    text = cli.build_parser().format_help()
    for command in ("summarize", "extract", "models", "serve"):
        assert command in text
    with pytest.raises(BadOption):
        cli.build_parser().parse_args(["summarize", "x", "--nope"])


@pytest.mark.parametrize("argv", [["--version"], ["serve", "--version"]])
def test_the_version_is_printed(argv, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"longt5-summarizer {APP_VERSION}\n"


@pytest.mark.parametrize("argv", [["-v", "models"], ["models", "--verbose"]])
def test_verbose_logs_tracebacks(argv, capsys, caplog, monkeypatch) -> None:
    def failing(chosen):
        raise KeyError("Details.")

    monkeypatch.setattr(cli, "run_models", failing)
    assert run(capsys, "models")[0] == 1 and "Details." not in caplog.text
    assert run(capsys, *argv)[0] == 1 and "Details." in caplog.text


def test_help_names_the_program_as_it_is_started() -> None:  # installed: see test_wheel
    assert "python -m app extract report.pdf" in cli.build_parser().format_help()


def test_sections_are_listed(capsys) -> None:
    assert cli.main(["summarize", str(EXAMPLE_PDF), "--list-sections"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "merrow-report.pdf:" and "4 Water and mud" in lines[6]
    assert lines[6].split()[:3] == ["6", "pages", "8-9"]


def test_wildcards_stand_for_files_where_the_shell_leaves_them(tmp_path) -> None:
    names = ["a.txt", "b.txt", "c[1].txt", "d.md"]
    for name in names:
        (tmp_path / name).write_text("Text.")
    found = expand_wildcards([str(tmp_path / "*.txt"), str(tmp_path / "d.md")])
    assert [Path(path).name for path in found] == names
    own = str(tmp_path / "c[1].txt")  # a file's own name is no pattern
    assert expand_wildcards([own]) == [own] and expand_wildcards(["none.txt"]) == ["none.txt"]
    with pytest.raises(BadOption, match="No file matches"):
        expand_wildcards([str(tmp_path / "*.pdf")])


def test_a_folder_may_be_called_as_a_command(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert run(capsys, "models")[0] == 0
    code, _, err = run(capsys)
    assert code == 1 and "summarize report.pdf" in err  # without a command: the help


def test_verbose_before_serve_and_open_is_theirs(capsys) -> None:
    for command in ("serve", "open"):
        code, _, err = run(capsys, "-v", command, "nothing.pdf")
        assert code == 1 and "nothing.pdf is not there" in err


def test_stdin_is_a_document_of_any_kind() -> None:
    text = "The river rose in the night. The mill lost forty sacks of flour."
    for data, words in ((text.encode(), "forty sacks"), (EXAMPLE_PDF.read_bytes(), "Merrow")):
        done = subprocess.run(
            [sys.executable, "-m", "app", "extract", "-", "--format", "json"],
            cwd=ROOT,
            input=data,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["name"] == "stdin" and words in json.dumps(found["pages"])


def test_stdin_is_summarized_and_named_in_the_command(loaded, capsys, monkeypatch) -> None:
    text = "The river rose in the night. The mill lost forty sacks of flour."
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert cli.main(["summarize", "-", "--format", "json", "--num-beams", "1"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["name"] == "stdin" and " summarize - " in summary["provenance"]["command"]


@pytest.mark.parametrize(
    "data, word", [(b"", "is empty"), (b"MZ\x90" * 9, "a Windows program"), (None, "is closed")]
)
def test_what_stdin_lacks_is_said(data, word, capsys, monkeypatch) -> None:
    stdin = None if data is None else io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr("sys.stdin", stdin)
    assert cli.main(["extract", "-"]) == 1
    assert word in capsys.readouterr().err


def test_endless_stdin_is_refused(capsys, monkeypatch) -> None:
    monkeypatch.setattr("app.cli_files.MAX_FILE_BYTES", 1_000)
    monkeypatch.setattr("app.documents.limits.MAX_FILE_BYTES", 1_000)

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            buffer[:] = b"y" * len(buffer)
            return len(buffer)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert cli.main(["summarize", "-"]) == 1
    assert "split it first" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of POSIX")
def test_a_typed_text_ends_with_one_ctrl_d() -> None:
    master, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "app", "extract", "-"],
        cwd=ROOT,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr and "Ctrl-D" in process.stderr.readline()
        os.write(master, b"The river rose in the night.\n\x04")
        out, _ = process.communicate(timeout=120)
    os.close(master)
    os.close(terminal)
    assert process.returncode == 0 and "The river rose" in out
