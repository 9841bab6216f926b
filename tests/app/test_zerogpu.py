"""A Space with ZeroGPU: a fake `spaces` package forks and pickles as the real one does."""

from __future__ import annotations

import json
import os
import time

import pytest
from gradio_client import Client

from tests.conftest import EXAMPLE_TEXT
from tests.server import running_page

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

FAKE_SPACES = """
import inspect, json, multiprocessing, os, pickle, sys

FOUND = {"torch_first": "torch" in sys.modules, "gradio_first": "gradio" in sys.modules}


def note(**values):
    with open(os.environ["FAKE_SPACES_LOG"], "a") as log:
        log.write(json.dumps(values) + "\\n")


def GPU(function=None, duration=60):
    if function is None:
        return lambda f: GPU(f, duration)
    assert inspect.isgeneratorfunction(function) and function.__qualname__.count(".") == 0

    def call(*args):
        from gradio.context import LocalContext

        seconds = duration(*args) if callable(duration) else duration
        note(call=True, seconds=seconds, pid=os.getpid(), in_handler=LocalContext.blocks.get()
             is not None, **FOUND)
        args = pickle.loads(pickle.dumps(args))
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)

        def work():
            import torch

            torch.set_num_threads(1)  # a forked process has none of its parent's threads
            try:
                for value in function(*args):
                    sender.send_bytes(pickle.dumps(("value", value)))
                sender.send_bytes(pickle.dumps(("end", None)))
            except BaseException as error:
                sender.send_bytes(pickle.dumps(("error", error)))

        process = context.Process(target=work, daemon=True)
        process.start()
        kinds = []
        try:
            while True:
                kind, value = pickle.loads(receiver.recv_bytes())
                if kind == "end":
                    break
                if kind == "error":
                    raise value
                kinds.append(type(value).__name__)
                yield value
        finally:
            process.kill()
            process.join()
            note(kinds=kinds, worker=process.pid, parent=os.getpid())

    return call
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """Return a client of the page on a fake Space, and the log of the fake package."""
    folder = tmp_path_factory.mktemp("fake")
    (folder / "spaces").mkdir()
    (folder / "spaces" / "__init__.py").write_text(FAKE_SPACES)
    log = folder / "log"
    log.touch()
    environment = {
        "PYTHONPATH": str(folder),
        "SPACES_ZERO_GPU": "true",
        "SPACE_ID": "someone/summarizer",
        "FAKE_SPACES_LOG": str(log),
        "OMP_NUM_THREADS": "1",
    }
    with running_page("--dtype", "float32", **environment) as url:
        yield Client(url, verbose=False), log


def logged(log) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_runs_happen_in_the_gpu_process(space) -> None:
    client, log = space
    text = EXAMPLE_TEXT.read_text(encoding="utf-8")
    answers = list(client.submit(text=text, length="short", api_name="/summarize"))
    assert answers[-1]["status"] == "done" and answers[-1]["result"]["summary"]
    call, result = logged(log)[-2:]
    assert not call["torch_first"] and call["in_handler"] and 20 <= call["seconds"] <= 120
    assert result["worker"] != result["parent"]
    kinds = result["kinds"]
    assert kinds[0] == "DocumentStarted" and kinds[-1] == "Finished"
    encoder_layers = 6
    assert kinds.count("Progress") >= encoder_layers + kinds.count("DraftText") - 1
    shown = ""
    for answer in answers:
        assert answer["status"] != "loading"  # the model was there before the page
        assert answer["committed"].startswith(shown)
        shown = answer["committed"]


def test_errors_of_the_gpu_process_reach_the_client(space) -> None:
    client, _ = space
    with pytest.raises(Exception, match="does not offer that model"):
        client.predict(text="Some words. " * 9, model="no such model", api_name="/summarize")


def test_disconnecting_ends_the_gpu_process(space) -> None:
    client, log = space
    before = len(logged(log))
    text = EXAMPLE_TEXT.read_text(encoding="utf-8")
    job = client.submit(text=text, length="long", api_name="/summarize")
    for answer in job:
        if answer["provisional"]:
            break
    job.cancel()
    for _ in range(200):
        if len(logged(log)) >= before + 2:
            break
        time.sleep(0.1)
    assert "Finished" not in logged(log)[-1]["kinds"]
