"""Throughput of a model on this machine: measured once, updated by every run, used for the ETA."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_json, write_atomic

# The weight of the latest run against all earlier ones, chosen by hand: high enough to follow a
# machine that became slower within two runs, low enough to forgive one disturbed run.
LATEST_RUN_WEIGHT = 0.7
# Tokens read and written by a run that counts with the full weight. Fixed costs dominate shorter
# runs (a text of one word took 0.1 s for four tokens), so they count in proportion.
FULL_WEIGHT_TOKENS = (1_000, 50)
# Seconds of work after which the run's own speed counts as much as the stored one; with fewer, the
# ETA of the first steps jumps.
TRUSTED_S = 3.0
# Tokens read and written to measure an unknown machine, chosen by hand for a barely visible wait.
CALIBRATION_TOKENS = (256, 9)
# Tokens read on a GPU instead: with fewer, the time is that of launching kernels.
GPU_CALIBRATION_TOKENS = 2_048
WARM_UP_TOKENS = (64, 2)
CALIBRATION_ROUNDS = 3  # the fastest counts: a browser that opens the page is busy for a moment


@dataclass(frozen=True)
class Speed:
    """Seconds per token read, and per token written."""

    read_s: float
    write_s: float

    def seconds(self, tokens_in: float, tokens_out: float) -> float:
        """Return the seconds that reading and writing so many tokens take."""
        return self.read_s * tokens_in + self.write_s * tokens_out


# What an unknown machine is assumed to do; only the ratio counts (a written token costs about as
# much as thirty read ones).
ASSUMED_SPEED = Speed(0.001, 0.03)


class SpeedStore:
    """The measured speeds by key (model, device, number format, beams), saved in a small file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._speeds: dict[str, Speed] = {}
        # A missing or damaged file only means that speeds are measured again.
        known = read_json(path, dict[str, tuple[float, float]]) if path else None
        for key, seconds in (known or {}).items():
            if all(0 < s < math.inf for s in seconds):
                self._speeds[key] = Speed(*seconds)

    def get(self, key: str) -> Speed | None:
        """Return the speed measured for a key, or None."""
        return self._speeds.get(key)

    def record(self, key: str, read: tuple[float, float], written: tuple[float, float]) -> None:
        """Update a key with a run's (tokens, seconds) read and written.

        A run that read or wrote nothing updates only the other half; a key stays unknown until
        both halves are measured.
        """
        with self._lock:
            old = self._speeds.get(key)
            read_s = _average(old.read_s if old else None, *read, FULL_WEIGHT_TOKENS[0])
            write_s = _average(old.write_s if old else None, *written, FULL_WEIGHT_TOKENS[1])
            if read_s is None or write_s is None:
                return
            self._speeds[key] = Speed(read_s, write_s)
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        known = {key: [speed.read_s, speed.write_s] for key, speed in self._speeds.items()}
        with contextlib.suppress(OSError):  # speeds are measured again next time
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self._path, json.dumps(known).encode())


def _average(old: float | None, tokens: float, seconds: float, enough: float) -> float | None:
    """Return the moving average of seconds per token after a run of `tokens` in `seconds`."""
    if tokens <= 0 or seconds <= 0:
        return old
    new = seconds / tokens
    return new if old is None else old + LATEST_RUN_WEIGHT * min(1.0, tokens / enough) * (new - old)


class Forecast:
    """The ETA of a run over sections, each given as (tokens in, tokens out)."""

    def __init__(self, sections: Sequence[tuple[float, float]], speed: Speed | None) -> None:
        self._is_guess = speed is None
        speed = speed or ASSUMED_SPEED
        self._parts = [(speed.read_s * i, speed.write_s * o) for i, o in sections]
        self.seconds = sum(map(sum, self._parts))

    def remaining(
        self, section: int, read: float, written: float, elapsed_s: float
    ) -> float | None:
        """Return the seconds left, None while the speed is unknown.

        `section` counts from 1; `read` and `written` are the shares of it that are done;
        `elapsed_s` is the time since the run began.
        """
        before = sum(map(sum, self._parts[: section - 1]))
        now = self._parts[section - 1]
        done = before + read * now[0] + written * now[1]
        prior = 0.0 if self._is_guess else TRUSTED_S
        # With an assumed speed, a tenth of the work must be done before an ETA means anything.
        if self._is_guess and done < 0.1 * self.seconds:
            return None
        slowness = (elapsed_s + prior) / (done + prior) if done + prior else 1.0
        return max(0.0, self.seconds - done) * slowness


def format_duration(seconds: float) -> str:
    """Return `40 s` or `3 min`, rounded up."""
    if seconds < 10:
        return f"{max(math.ceil(seconds), 1)} s"
    if seconds < 55:
        return f"{-(-int(seconds) // 5) * 5} s"
    return f"{math.ceil(seconds / 60)} min"


def calibrate(
    batcher: Any, num_beams: int, clock: Callable[[], float] = time.monotonic
) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return (tokens, seconds) read and (tokens, seconds) written in a short measurement.

    `clock` returns seconds. A first, smaller round compiles kernels and allocates buffers; it does
    not count. Of the others the fastest does, since other programs may disturb one.
    """
    is_gpu = batcher.model.device.type != "cpu"
    measured = (GPU_CALIBRATION_TOKENS, CALIBRATION_TOKENS[1]) if is_gpu else CALIBRATION_TOKENS
    reading, writing = [], []
    for tokens, steps in (WARM_UP_TOKENS, *[measured] * CALIBRATION_ROUNDS):
        # The app never imports torch: the model makes the tensor of ids [1, S].
        ids = next(iter(batcher.model.parameters())).new_full((1, tokens), 5).long()
        began = clock()
        encoded = batcher.encode(ids)
        read = clock()
        drafts = batcher.submit(
            encoded=encoded,
            num_beams=num_beams,
            min_new_tokens=steps,
            max_new_tokens=steps,
            stop_strings=(),
        )
        next(drafts)  # the first step includes work that is done once per section
        first = clock()
        for _ in drafts:
            pass
        ended = clock()
        reading.append(read - began)
        writing.append(ended - first)
    return (measured[0], min(reading[1:])), (measured[1] - 1, min(writing[1:]))
