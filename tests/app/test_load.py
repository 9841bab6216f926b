"""The server under load, and what it serves to whom."""

from __future__ import annotations

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client

from app import cli
from app.documents.load import document_from_text
from app.errors import BadOption
from app.settings import Settings
from app.ui import hosts, launch
from tests.conftest import EXAMPLE_PDF
from tests.server import free_port, running_page
from tests.tools.load import Figures, fair_times

CLIENTS = 20
PLACES = ("harbour", "library", "orchard", "station", "quarry", "theatre", "lighthouse", "museum")


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    data = str(tmp_path_factory.mktemp("data"))
    with running_page("--dtype", "float32", SUMMARIZER_DATA_DIR=data) as address:
        yield address.rstrip("/")


def text_of(client: int) -> str:
    """Return a short text that is about one client only."""
    chance = random.Random(client)
    name = f"Marker{client}"
    lines = [
        f"The {chance.choice(PLACES)} of {name} received {chance.randint(100, 999)} visitors and "
        f"spent {chance.randint(10, 99)} thousand on repairs in {1900 + chance.randint(0, 99)}."
        for _ in range(8)
    ]
    return " ".join(lines)


def ask(url: str, client: int) -> tuple[dict, int]:
    """Return the result for one client, which retries when the queue is full."""
    refusals = 0
    made = Client(url, verbose=False)
    while True:
        try:
            job = made.submit(
                text=text_of(client), length="short", num_beams=1, api_name="/summarize"
            )
            job.result()  # raises what the server said
            return job.outputs()[-1]["result"], refusals
        except Exception as error:
            assert "queue is full" in str(error), error
            refusals += 1
            time.sleep(0.5)


def test_twenty_concurrent_clients_get_their_own_summaries(url) -> None:
    answers, over = [], threading.Event()

    def look() -> None:
        while not over.is_set():
            began = time.monotonic()
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert answer.status == 200 and b"<html" in answer.read()
            answers.append(time.monotonic() - began)
            time.sleep(0.1)

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        looking = pool.submit(look)
        results = list(pool.map(lambda client: ask(url, client), range(CLIENTS)))
        over.set()
        looking.result()
    for client, (result, _) in enumerate(results):
        assert result["provenance"]["sha256"] == document_from_text(text_of(client)).sha256
        for other in range(CLIENTS):
            assert (f"Marker{other} " in result["summary"]) == (other == client)
    refusals = sum(count for _, count in results)
    slowest = max(answers)
    print(f"{refusals} refusals; {len(answers)} page loads meanwhile, slowest {slowest:.2f} s")
    assert answers


def test_waits_are_compared_with_those_of_equal_parts() -> None:
    # Three come together and one after the first second; each takes two seconds alone.
    came = {1: 0.0, 2: 0.0, 3: 0.0, 4: 1.0}
    fair = fair_times(came, 2.0)
    assert [round(fair[run], 6) for run in came] == [
        pytest.approx(x) for x in (7 + 2 / 3,) * 3 + (7,)
    ]
    waits = [(1, fair[1], 1), (2, 3 * fair[2], 2), (2, fair[4], 4)]
    shares = Figures(waits=waits, came=came, busy_s=8.0).shares()
    assert shares[1] == pytest.approx(1) and 1.5 < shares[2] < 3


def endpoints(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/gradio_api/info", timeout=60) as answer:
        return json.load(answer)


def test_only_two_endpoints_are_public(url) -> None:
    found = endpoints(url)
    assert sorted(found["named_endpoints"]) == ["/extract", "/summarize"]
    assert found["unnamed_endpoints"] == {}
    with urllib.request.urlopen(f"{url}/config", timeout=60) as answer:
        config = json.load(answer)
    public = [d["api_name"] for d in config["dependencies"] if d["api_visibility"] == "public"]
    assert sorted(public) == ["extract", "summarize"]


def test_page_events_are_not_callable_by_api_clients(url) -> None:
    client = Client(url, verbose=False)
    for name in ("/run", "/forget", "/stop", "/reattach", "/show_source", "/read", "/updates"):
        with pytest.raises(ValueError, match="Cannot find"):
            client.predict(api_name=name)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_server_files_are_not_served(url) -> None:
    for path in ("app.py", "/etc/passwd", "../app/settings.py", "app/settings.py"):
        assert status_of(f"{url}/gradio_api/file={path}") in (403, 404)


def test_too_long_text_is_refused_with_a_message(url) -> None:
    client = Client(url, verbose=False)
    with pytest.raises(Exception, match="over 20,000,000 characters"):
        client.predict(text="word " * 4_000_001, api_name="/extract")


def test_uploads_are_not_served(url) -> None:
    content = b"The ferry of my own left at nine. " * 9
    path = httpx.post(f"{url}/gradio_api/upload", files={"files": ("m.txt", content)}).json()[0]
    address = f"{url}/gradio_api/file={path}"
    assert status_of(address) == 200
    data = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "", "", False]
    for _ in range(2):  # the same upload can be read again
        call = f"{url}/gradio_api/call/extract"
        event = httpx.post(call, json={"data": data}).json()["event_id"]
        assert "ferry" in httpx.get(f"{call}/{event}", timeout=60).text
        assert status_of(address) in (403, 404)


@pytest.mark.browser
def test_run_resumes_after_the_server_was_killed(tmp_path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--dtype", "float32", "--max-input-tokens", "700", "--port", str(free_port())]
    environment = {"SUMMARIZER_DATA_DIR": str(tmp_path)}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
        )
        tab = browser.new_page()
        tab.set_default_timeout(120_000)
        with running_page(*options, **environment) as url:  # its end is sudden: SIGTERM
            tab.goto(url)
            tab.set_input_files("#files input[type=file]", str(EXAMPLE_PDF))
            tab.wait_for_selector(".facts")
            tab.click("label:has-text('Long')")
            tab.click("#by-section input")
            tab.click("#run")
            tab.wait_for_selector("#summary .text >> nth=2")  # two parts are finished
            finished = tab.inner_text("#summary .text >> nth=0")
            assert str(tmp_path) in tab.inner_text("#kept")
        with running_page(*options, **environment) as url:
            tab.goto(url)
            tab.wait_for_selector("#summary .text >> nth=2")
            assert tab.inner_text("#summary .text >> nth=0") == finished
            tab.wait_for_selector("#summary[aria-busy=false]")
            assert tab.inner_text("#status").startswith("Done")
            tab.click("#summary .text .sentence:not(.same) .cite >> nth=0")
            tab.wait_for_selector("#source img")  # drawn from the private copy
            tab.keyboard.press("Escape")
            tab.click("#forget")
            tab.wait_for_selector("#summary-box .invitation")
            tab.wait_for_selector("#forget", state="hidden", timeout=10_000)
            assert not list((tmp_path / "jobs").iterdir())
            left = [p.name for p in tmp_path.rglob("*") if p.suffix in (".md", ".docx", ".json")]
            assert not [name for name in left if "merrow" in name]
            tab.reload()
            tab.wait_for_selector("#summary-box .invitation")
        browser.close()


@pytest.mark.browser
def test_abandoned_run_ends_on_a_space(tmp_path) -> None:
    """A client that comes back finds the finished sections, and the run resumes."""
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--dtype", "float32", "--max-input-tokens", "256"]
    environment = {
        "SUMMARIZER_DATA_DIR": str(tmp_path),
        "SPACE_ID": "a/b",
        "SUMMARIZER_LINGER_S": "1",
    }

    def sections() -> int:
        return len(list((tmp_path / "jobs").glob("*/section-*")))

    with playwright.sync_playwright() as driver, running_page(*options, **environment) as url:
        browser = driver.chromium.launch(
            executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
        )
        context = browser.new_context()
        tab = context.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(url)
        tab.set_input_files("#files input[type=file]", str(EXAMPLE_PDF))
        tab.wait_for_selector(".facts")
        tab.fill("#words input, #words textarea", "3000")  # or it would be done before it is left
        tab.click("#by-section input")
        tab.click("#run")
        tab.wait_for_selector("#summary .text >> nth=1")
        assert "deleted from the server" in tab.inner_text("#kept")
        tab.close()
        before = -1
        while before != sections():  # none is finished for longer than any takes
            before = sections()
            time.sleep(4)
        assert not list((tmp_path / "jobs").glob("*/done.json")) and before >= 1
        tab = context.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(url)
        tab.wait_for_selector(f"#summary .text >> nth={before}")  # one more than were finished
        tab.click("#stop")
        tab.wait_for_selector("#summary[aria-busy=false]")
        assert tab.inner_text("#status").startswith("Stopped")
        browser.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::"])
def test_other_hosts_need_a_password(host, capsys) -> None:
    assert cli.main(["serve", "--host", host, "--port", "1"]) == 1
    assert "--auth USER:PASSWORD" in capsys.readouterr().err
    hosts.require_access_choice(Settings(host=host, auth=("me", "secret")))
    hosts.require_access_choice(Settings(host=host, no_auth=True))
    hosts.require_access_choice(Settings(host=host, on_space=True))
    with pytest.raises(BadOption):
        hosts.require_access_choice(Settings(host=host))


def test_auth_is_a_user_and_a_password(capsys) -> None:
    assert launch.parse_auth("me:a:b") == ("me", "a:b")
    for wrong in ("me", "me:", ":secret", ""):
        with pytest.raises(BadOption, match="USER:PASSWORD"):
            launch.main(["--auth", wrong])
    assert Settings.from_env({"SUMMARIZER_AUTH": "me:secret"}).auth == ("me", "secret")
    assert Settings.from_env({"SUMMARIZER_AUTH": ""}).auth is None
    for wrong in ("me", ":", "me:", ":secret"):
        with pytest.raises(BadOption, match="USER:PASSWORD"):
            Settings.from_env({"SUMMARIZER_AUTH": wrong})
