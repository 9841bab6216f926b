"""Processes end with their parent, within their own limits, and with a sentence."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from app.documents import child, limits
from app.documents.load import load_document
from app.errors import NotReadable
from tests.conftest import EXAMPLE_TEXT, ROOT
from tests.server import address_of, free_port, started

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are of POSIX")
# A child that announces itself and then computes for ever, as a hostile file makes a library do.
HANGING = """
from app.documents import limits
from app.documents.parent_watch import be_killed_with_parent, end_with_parent
import sys
{watch}()
{limit}
print("begun", flush=True)
while True:
    pass
"""


def hanging(watch: str, limit: str = "", **options) -> subprocess.Popen:
    code = HANGING.format(watch=watch, limit=limit)
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **options)


def test_a_child_ends_when_its_stdin_is_closed() -> None:
    process = hanging("end_with_parent", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "begun\n"
    process.stdin.close()
    assert process.wait(60) != 0
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_child_is_killed_with_its_parent_though_its_stdin_stays_open() -> None:
    program = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
        "print(p.pid, flush=True); p.wait()"
    )
    code = HANGING.format(watch="be_killed_with_parent", limit="")
    parent = subprocess.Popen(
        [sys.executable, "-c", program, code], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    lines = sorted((parent.stdout.readline(), parent.stdout.readline()))
    assert lines[1] == "begun\n"
    orphan = psutil.Process(int(lines[0]))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([orphan], timeout=60)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


@posix
def test_a_child_limits_its_own_computing(monkeypatch) -> None:
    limit = "limits.SPARE_SECONDS = 0; limits.limit_computing(1)"
    process = hanging("be_killed_with_parent", limit, stdout=subprocess.DEVNULL)
    assert process.wait(60) == -signal.SIGXCPU


def read_while(do, tmp_path: Path, monkeypatch) -> str:
    """Return the error of a reading whose child hangs while something is done to it."""
    script = tmp_path / "hang.py"
    script.write_text("import sys, time; sys.stdin.readline(); time.sleep(600)")
    monkeypatch.setattr(child, "worker_command", lambda: [sys.executable, str(script)])
    mine = {p.pid for p in psutil.Process().children()}

    def act() -> None:
        while not (new := [p for p in psutil.Process().children() if p.pid not in mine]):
            time.sleep(0.01)
        do(new[0])

    thread = threading.Thread(target=act)
    thread.start()
    with pytest.raises(NotReadable) as ended:
        load_document(EXAMPLE_TEXT)
    thread.join()
    return str(ended.value)


@posix
def test_a_child_that_the_system_kills_is_said_to_lack_memory(tmp_path, monkeypatch) -> None:
    said = read_while(lambda process: process.kill(), tmp_path, monkeypatch)
    assert "memory of this computer ran out" in said and "too complex" not in said


def test_a_busy_machine_is_no_complex_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(limits, "BASE_SECONDS", 0.5)
    monkeypatch.setattr(limits, "WAITING_FACTOR", 1)
    monkeypatch.setattr(child, "usage_of", lambda pid: lambda: (0, 0.0))
    said = read_while(lambda process: None, tmp_path, monkeypatch)
    assert "too busy" in said


@posix
def test_sigterm_ends_the_page_as_ctrl_c_does(tmp_path) -> None:
    """A run is cut off, its folder unlocked, and no process stays behind."""
    command = [sys.executable, "app.py", "--port", str(free_port())]
    with started(command, SUMMARIZER_DATA_DIR=str(tmp_path)) as process:
        address_of(process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(60) == 0
        print(f"ended after {time.monotonic() - began:.1f} s")
        assert process.stdout.read() == "Stopped.\n"
    psutil.wait_procs(children, timeout=30)
    assert not [p for p in children if p.is_running()]


@posix
def test_what_cannot_be_closed_does_not_keep_a_terminated_page() -> None:
    program = (
        "import os, signal, threading\n"
        "from app.ui import launch\n"
        "launch.LONGEST_CLOSING_S = 0.1\n"
        "with launch._interrupt_on_terminate():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        threading.Event().wait()\n"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_a_server_ends_with_the_test_that_started_it() -> None:
    """A test that is killed cannot end its server, so the system does."""
    server = "import time; time.sleep(600)"
    program = (
        "import sys, time\n"
        "from tests.server import started\n"
        "with started([sys.executable, '-c', sys.argv[1]]) as process:\n"
        "    print(process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    test = subprocess.Popen(
        [sys.executable, "-c", program, server], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    left = psutil.Process(int(test.stdout.readline()))
    test.kill()
    test.wait()
    test.stdout.close()
    psutil.wait_procs([left], timeout=60)
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
