"""The program with all connections forbidden that leave the machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from gradio_client import Client, handle_file

from tests.conftest import EXAMPLE_PDF, EXAMPLE_TEXT, ROOT
from tests.server import running_page

# Python imports this before anything else, in every process that inherits the path to it.
GUARD = """
import os, sys

OWN = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0")


def guard(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        place = args[1]
        host = place[0] if isinstance(place, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = args[0] or ""
    elif event == "socket.gethostbyname":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in OWN:
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{event} {host} {sys.argv[:3]}\\n")
        raise PermissionError("the network is forbidden here")


sys.addaudithook(guard)
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Return the environment of a guarded process, and the file that logs refused connections."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(GUARD)
    log = folder / "log"
    log.touch()
    return {
        "PYTHONPATH": str(folder),
        "NETWORK_LOG": str(log),
        "SUMMARIZER_DATA_DIR": str(folder / "data"),
    }, log


def test_guard_detects_connections(guarded) -> None:
    environment, log = guarded
    program = "import urllib.request as u; u.urlopen('http://192.0.2.1/')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert "forbidden here" in done.stderr and "192.0.2.1" in log.read_text()
    log.write_text("")


def test_page_and_endpoints_need_no_network(guarded) -> None:
    environment, log = guarded
    with running_page("--dtype", "float32", **environment) as url:
        client = Client(url, verbose=False)
        result = client.predict(
            file=handle_file(str(EXAMPLE_PDF)),
            length="short",
            pages="6-8",
            num_beams=1,
            api_name="/summarize",
        )["result"]
        assert result["summary"]
        assert client.predict(text="Just this.", api_name="/extract")["pages"]
    assert log.read_text() == ""


@pytest.mark.parametrize(
    "command",
    [
        ["models"],
        ["extract", str(EXAMPLE_PDF)],
        ["summarize", str(EXAMPLE_TEXT), "--length", "short", "--num-beams", "1"],
    ],
    ids=["models", "extract", "summarize"],
)
def test_commands_need_no_network(guarded, command) -> None:
    environment, log = guarded
    done = subprocess.run(
        [sys.executable, "-m", "app", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0 and done.stdout, done.stderr
    assert log.read_text() == ""
