"""python -m tests.tools.attack: replay known attacks against a page that is started for it.

Only on loopback. Each attack is a function that raises AssertionError where it succeeds. It gets a
client of the page and the page's data folder; some start a page of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.settings import MAX_FILES, MAX_PER_VISITOR
from app.ui.login_delay import FREE_ATTEMPTS
from tests.conftest import EXAMPLE_PDF
from tests.documents.make_pdfs import PROSE, text_pdf
from tests.server import address_of, free_port, running_page, started

PATIENCE_S = 60.0
MANY = 40
FOREIGN = {"Origin": "http://evil.example"}
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # marks of direction
JOB = "a-job-of-an-attack-1"


def upload(client: httpx.Client, *contents: bytes, suffix: str = "txt") -> list[str]:
    """Send files and return their paths on the server."""
    files = [("files", (f"{number}.{suffix}", data)) for number, data in enumerate(contents)]
    answer = client.post("/gradio_api/upload", files=files)
    answer.raise_for_status()
    return list(answer.json())


def call(client: httpx.Client, name: str, **values: Any) -> str:
    """Ask an endpoint by its parameters' names and return the id of the call."""
    answer = client.post(f"/gradio_api/call/v2/{name}", json=values)
    answer.raise_for_status()
    return str(answer.json()["event_id"])


def answered(client: httpx.Client, name: str, **values: Any) -> str:
    """Return the events of a call as text."""
    return client.get(f"/gradio_api/call/{name}/{call(client, name, **values)}").text


def file_data(path: str) -> dict[str, Any]:
    """Return a file as programs name it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def pressed(client: httpx.Client, name: str, *values: Any) -> httpx.Response:
    """Send what the page sends when a button without a queue is pressed."""
    events = client.get("/config").json()["dependencies"]
    number = next(event["id"] for event in events if event["api_name"] == name)
    body = {"fn_index": number, "data": list(values), "session_hash": "attack"}
    return client.post("/gradio_api/run/predict", json=body)


def until(is_reached: Callable[[], bool]) -> bool:
    """Wait until something is reached; return False when that takes too long."""
    ends = time.monotonic() + PATIENCE_S
    while not is_reached() and time.monotonic() < ends:
        time.sleep(0.1)
    return is_reached()


def other_names(client: httpx.Client, data: Path) -> None:
    """A website whose name was made to point to this computer."""
    for host in ("evil.example", "evil.example:7860", "127.0.0.1.evil.example"):
        for path in ("/", "/config", "/gradio_api/info"):
            assert client.get(path, headers={"Host": host}).status_code == 421, host


def other_origins(client: httpx.Client, data: Path) -> None:
    """A website that sends requests to the page of its visitor."""
    files = {"files": b"fills the disk"}
    for headers in (FOREIGN, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post("/gradio_api/upload", files=files, headers=headers)
        assert answer.status_code == 403, headers
    read = client.get("/gradio_api/info", headers=FOREIGN)
    assert read.status_code == 403
    assert read.headers.get("access-control-allow-origin") != "http://evil.example"


def forged_proxy(client: httpx.Client, data: Path) -> None:
    """Headers by which a visitor plays the proxy."""
    forged = {"X-Forwarded-Host": "evil.example", "X-Gradio-Server": "http://evil.example"}
    assert "evil.example" not in client.get("/", headers=forged).text


def large_bodies(client: httpx.Client, data: Path) -> None:
    """JSON larger than any text, with its length and without."""

    def endless() -> Any:
        for _ in range(400):
            yield b"x" * 100_000

    header = {"Content-Type": "application/json"}
    for body in (b"x" * 30_000_000, endless()):
        try:
            answer = client.post("/gradio_api/queue/join", content=body, headers=header)
        except (httpx.WriteError, httpx.ReadError):  # it was not read to its end
            continue
        assert answer.status_code == 413


def many_files(client: httpx.Client, data: Path) -> None:
    """More files than a run can have, in one request."""
    many = [("files", (f"{n}.txt", b"x")) for n in range(MAX_FILES + 1)]
    assert client.post("/gradio_api/upload", files=many).status_code == 413


def addresses(client: httpx.Client, data: Path) -> None:
    """Addresses in place of files, which a server would fetch."""
    for address in (
        "https://dns.google/a.pdf",
        "http://127.0.0.1:1/a",
        "//host/a.pdf",
        "file:///a",
    ):
        for name in ("extract", "summarize"):
            said = answered(client, name, file=file_data(address))
            assert "fetches no addresses" in said, (address, said)


def files_of_the_server(client: httpx.Client, data: Path) -> None:
    """Files that nobody uploaded."""
    for path in ("/etc/passwd", "app.py", "../README.md", "/proc/self/environ"):
        assert client.get(f"/gradio_api/file={path}").status_code in (400, 403, 404), path
        said = answered(client, "extract", file=file_data(path))
        assert "root:" not in said and "event: error" in said


def models_of_the_server(client: httpx.Client, data: Path) -> None:
    """Names of models that would tell which folders exist."""
    names = ("/etc", "/etc/nonexist", "~root", "..", "assets/model", "\\\\host\\share")
    said = {answered(client, "summarize", text="Some words.", model=name) for name in names}
    assert len(said) == 1 and "does not offer that model" in said.pop()


def headers_of_answers(client: httpx.Client, data: Path) -> None:
    """A page that frames this one, or a file that is taken for a script."""
    headers = client.get("/").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def endless_streams(client: httpx.Client, data: Path) -> None:
    """Streams for developers that never end."""
    assert client.get("/gradio_api/dev/reload").status_code == 404


def unused_routes(client: httpx.Client, data: Path) -> None:
    """Addresses of Gradio that the page does not use, which convert, store and fetch."""
    for path in ("process_recording", "component_server", "undo-vibe-edit", "stream/x"):
        assert client.post(f"/gradio_api/{path}", content=b"{}").status_code == 404, path
    for path in ("deep_link?session_hash=x", "proxy=http://127.0.0.1:1/", "runs", "queue/status"):
        assert client.get(f"/gradio_api/{path}").status_code == 404, path


def many_values(client: httpx.Client, data: Path) -> None:
    """JSON of millions of lists, which takes memory and time before anybody looks at it."""
    header = {"Content-Type": "application/json"}
    for encoding in ("utf-8", "utf-16-le"):
        body = ("[" + ",".join(["[]"] * 4_000_000) + "]").encode(encoding)
        try:
            answer = client.post("/gradio_api/queue/join", content=body, headers=header)
        except (httpx.WriteError, httpx.ReadError):
            continue
        assert answer.status_code in (400, 413), answer.status_code


def large_fields(client: httpx.Client, data: Path) -> None:
    """Fields in place of files, and bodies elsewhere that pretend to be uploads: held in memory."""
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    field = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\n' + b"x" * 30_000_000
    for path, status in (("upload", 400), ("queue/join", 413), ("run/predict", 413)):
        try:
            answer = client.post(f"/gradio_api/{path}", content=field, headers=form)
        except (httpx.WriteError, httpx.ReadError):
            continue
        assert answer.status_code == status, path
    for path in ("upload_progress", "upload"):
        name = "x" * 10_000
        answer = client.get(f"/gradio_api/{path}", params={"upload_id": name})
        assert answer.status_code == 400, path


def silent_connections(client: httpx.Client, data: Path) -> None:
    """Connections on which no whole request ever arrives."""
    host, port = client.base_url.host, client.base_url.port or 80
    with contextlib.ExitStack() as opened:
        silent = [opened.enter_context(socket.create_connection((host, port))) for _ in range(MANY)]
        for number, connection in enumerate(silent):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: " if number % 2 else b"")
            connection.settimeout(PATIENCE_S)
        assert client.get("/").status_code == 200
        assert all(connection.recv(1) == b"" for connection in silent)


def cut_off_uploads(client: httpx.Client, data: Path) -> None:
    """Uploads whose sender goes away; the server goes on and logs no traceback."""

    def cut_off() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        yield b"x" * 1_000_000
        raise ConnectionAbortedError

    header = {"Content-Type": "multipart/form-data; boundary=x"}
    for _ in range(3):
        try:
            client.post("/gradio_api/upload", content=cut_off(), headers=header)
        except ConnectionAbortedError:
            continue
    assert client.get("/").status_code == 200
    assert until(lambda: not list((data / "uploads").glob("tmp*"))), "remnants stay on the disk"


def nameless_files(client: httpx.Client, data: Path) -> None:
    """Files without a name, or with one that leads elsewhere."""
    header = {"Content-Type": "multipart/form-data; boundary=x"}
    for name in ("", "..", "/", "../../a.txt", "a\0.txt", "a" * 300 + ".txt"):
        head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + b"One.\r\n--x--\r\n"
        answer = client.post("/gradio_api/upload", content=body, headers=header)
        assert answer.status_code in (200, 400), (name, answer.status_code)
        if answer.status_code == 200:
            (path,) = answer.json()
            assert Path(path).resolve().is_relative_to((data / "uploads").resolve()), path
    assert until(lambda: not list((data / "uploads").glob("tmp*"))), "a refused file stays"


def turned_text(client: httpx.Client, data: Path) -> None:
    """Marks that turn the text around them, in a name and in a document."""
    text = f"The ferry{TURNING} left at nine. " * 9
    sent = {"files": (f"{TURNING}fdp.txt", text.encode())}
    (path,) = client.post("/gradio_api/upload", files=sent).raise_for_status().json()
    said = answered(client, "extract", file=file_data(path))
    assert "ferry left" in said
    shown = json.loads(said.partition("data: ")[2].splitlines()[0])
    assert set(TURNING).isdisjoint(json.dumps(shown, ensure_ascii=False))


def damaged_runs(client: httpx.Client, data: Path) -> None:
    """Stored runs of any shape; Forget deletes them, and an unknown one harms nobody."""
    for content in ("{}", "[" * 100_000, "\xff", '{"version": 99}'):
        folder = data / "jobs" / JOB
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(content, encoding="latin-1")
        assert pressed(client, "forget", None, JOB).status_code == 200
        assert not folder.exists(), content[:20]
    for name in ("../uploads", "no-such-job-of-ours", "", "a/b"):
        assert pressed(client, "forget", None, name).status_code == 200
    assert (data / "uploads").is_dir()


def many_readings(client: httpx.Client, data: Path) -> None:
    """More files to be read than the server has threads; everything else is answered."""
    content, paths = EXAMPLE_PDF.read_bytes(), []
    for start in range(0, MANY, MAX_FILES):
        copies = (content + b"\n%" + str(start + n).encode() for n in range(MAX_FILES))
        paths += upload(client, *copies, suffix="pdf")
    threads = [
        threading.Thread(target=answered, args=(client, "extract"), kwargs={"file": file})
        for file in map(file_data, paths)
    ]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        assert client.get("/").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    print(f"  the page took at most {slowest:.2f} s while {MANY} files were read")


def flood(client: httpx.Client, data: Path) -> None:
    """Runs under made-up names whose events nobody reads; they end by themselves."""
    text = "The river rose in the night, and the mill stood still. " * 500
    refused = 0
    for number in range(20):
        values = {"data": [None, f"{number} {text}"], "session_hash": f"made-up-{number}"}
        refused += client.post("/gradio_api/call/summarize", json=values).status_code >= 400
    said = ""
    ends = time.monotonic() + 10 * PATIENCE_S
    while '"done"' not in said:
        assert time.monotonic() < ends, "an honest visitor never got a turn"
        said = answered(client, "summarize", text="The ferry left at nine.", num_beams=1)
    print(f"  {refused} runs were refused at once; an honest visitor was served")


def one_visitor(client: httpx.Client, data: Path) -> None:
    """One visitor under made-up names behind a proxy; another one is served meanwhile."""
    text = "The river rose in the night, and the mill stood still. " * 2_000
    with running_page("--behind-proxy", SUMMARIZER_DATA_DIR=str(data / "proxied")) as url:
        greedy, honest = (
            httpx.Client(
                base_url=url, timeout=PATIENCE_S * 10, headers={"X-Forwarded-For": address}
            )
            for address in ("203.0.113.1", "203.0.113.2")
        )
        refused = []

        def ask(number: int) -> None:
            with contextlib.suppress(httpx.HTTPError):  # those at work end with the page
                said = answered(greedy, "summarize", text=f"{number} {text}", words=2_000)
                refused.append("one visitor's share" in said)

        asking = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(10)]
        for thread in asking:
            thread.start()
        assert until(lambda: sum(refused) == len(asking) - MAX_PER_VISITOR), sum(refused)
        began = time.monotonic()
        said = answered(honest, "summarize", text="The ferry left at nine.", num_beams=1)
        assert '"done"' in said
        waited = time.monotonic() - began
        print(f"  another visitor had a summary after {waited:.1f} s, {len(refused)} runs refused")


def guessed_passwords(client: httpx.Client, data: Path) -> None:
    """Passwords tried one after another, and what a stranger sees of a page with a login."""
    with (
        running_page(SUMMARIZER_AUTH="me:secret", SUMMARIZER_DATA_DIR=str(data / "login")) as url,
        httpx.Client(base_url=url, timeout=PATIENCE_S) as stranger,
    ):
        tried = [
            stranger.post("/login", data={"username": "me", "password": str(n)}).status_code
            for n in range(3 * FREE_ATTEMPTS)
        ]
        assert tried.count(429) == 2 * FREE_ATTEMPTS, tried
        for path in ("/config", "/gradio_api/info", "/openapi.json", "/gradio_api/openapi.json"):
            assert stranger.get(path).status_code in (401, 404), path
    command = [sys.executable, "app.py", "--mcp", "--port", str(free_port())]
    with started(command, SUMMARIZER_AUTH="me:secret") as process:
        assert process.wait(PATIENCE_S) == 1  # MCP would be open to all


def killed_server(client: httpx.Client, data: Path) -> None:
    """A server that is killed while it reads; nothing of it goes on."""
    command = [sys.executable, "app.py", "--port", str(free_port())]
    pages = [f"{PROSE}\n{n} times it was seen." for n in range(600)]
    with (
        started(command, SUMMARIZER_DATA_DIR=str(data / "killed")) as process,
        httpx.Client(base_url=address_of(process), timeout=PATIENCE_S) as sender,
    ):
        (path,) = upload(sender, text_pdf(pages), suffix="pdf")
        call(sender, "extract", file=file_data(path))
        server = psutil.Process(process.pid)
        assert until(lambda: bool(server.children()))
        children = server.children(recursive=True)
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert not left, left


QUICK: tuple[Callable[[httpx.Client, Path], None], ...] = (
    other_names, other_origins, forged_proxy, large_bodies, many_files, addresses,
    files_of_the_server, models_of_the_server, headers_of_answers, endless_streams, cut_off_uploads,
    nameless_files, turned_text, damaged_runs, unused_routes, many_values, large_fields,
)  # fmt: skip
SLOW: tuple[Callable[[httpx.Client, Path], None], ...] = (
    silent_connections, many_readings, flood, one_visitor, guessed_passwords, killed_server,
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Replay the attacks; return 1 when one succeeds or the log has a traceback."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out those that take minutes")
    chosen = parser.parse_args(argv)
    failed, log = 0, []
    with (
        tempfile.TemporaryDirectory() as data,
        running_page(log=log, SUMMARIZER_DATA_DIR=data) as url,
        httpx.Client(base_url=url, timeout=10 * PATIENCE_S) as client,
    ):
        for attack in (*QUICK, *(() if chosen.quick else SLOW)):
            about = " ".join((attack.__doc__ or "").split())
            try:
                attack(client, Path(data))
            except (AssertionError, httpx.HTTPError, json.JSONDecodeError) as error:
                failed += 1
                print(f"SUCCEEDED  {about}  {type(error).__name__}: {str(error)[:200]}")
            else:
                print(f"held       {about}")
    if any("Traceback" in line for line in log):
        failed += 1
        print("FAILED     the log has a traceback")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
