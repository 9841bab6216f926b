"""Measure the memory of this process five seconds after a run was stopped.

python -m tests.tools.memory_after_stop
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from app.documents.load import load_document
from app.events import Progress
from app.runs.request import Request
from app.runs.service import Service
from app.settings import Settings
from app.summary.options import Options
from longt5 import LongT5Config, LongT5ForConditionalGeneration
from tests.conftest import EXAMPLE_PDF, ROOT

SECONDS = 5.0


def resident() -> float:
    """Return the resident memory of this process in MB."""
    return psutil.Process().memory_info().rss / 1e6


def wide_checkpoint(folder: Path) -> str:
    """Save a random model of the base checkpoint's width, so that a run takes measurable memory."""
    bundled = ROOT / "assets" / "model"
    config = LongT5Config.from_pretrained(bundled)
    wide = {"d_model": 768, "num_heads": 12, "d_ff": 2048, "num_layers": 2, "num_decoder_layers": 2}
    torch.manual_seed(0)
    LongT5ForConditionalGeneration(replace(config, **wide)).save_pretrained(folder)
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(bundled / name, folder)
    return str(folder)


def run(service: Service, model: str, options: Options, stop: bool) -> float:
    """Summarize the example report, or stop it at its first words; return the peak memory in MB."""
    request = Request((load_document(EXAMPLE_PDF),), options, model)
    job = service.submit(request, keep=False)
    highest = 0.0
    for event in job.events():
        highest = max(highest, resident())
        if stop and isinstance(event, Progress) and event.stage == "decoding":
            job.stop()
    return highest


def measure() -> dict[str, float]:
    """Return MB: idle after a first run, at the peak of the stopped one, and soon after it."""
    service = Service(Settings(device="cpu", dtype="float32"))
    with tempfile.TemporaryDirectory() as folder:
        model = wide_checkpoint(Path(folder))
        run(service, model, Options(max_input_tokens=64, max_new_tokens=4, pages="5"), stop=False)
        time.sleep(1)
        idle = resident()
        highest = run(service, model, Options(length="long", num_beams=16), stop=True)
    end, after = time.monotonic() + SECONDS, float("inf")
    while time.monotonic() < end:
        after = min(after, resident())
        time.sleep(0.1)
    return {"idle": idle, "highest": highest, "after": after}


if __name__ == "__main__":
    print(json.dumps(measure()))
