"""How fast this machine is: measured once, corrected by every run, told as seconds to go."""

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

from ..files import write_whole

NEWER = 0.7  # how much the latest run counts against all before it
ENOUGH = (1_000, 50)  # tokens read and written by a run that counts so much; a shorter one, less
TRUSTED_S = 3.0  # of work done; by then the run itself tells as much as the promise did
CALIBRATION = (256, 9)  # tokens read and written to measure a machine that is not known
GPU_TOKENS = 2_048  # read there: fewer take as long as it takes to tell it what to do
WARM_UP = (64, 2)


@dataclass(frozen=True)
class Speed:
    """Seconds for each token read, and for each token written."""

    read_s: float
    write_s: float

    def seconds(self, tokens_in: float, tokens_out: float) -> float:
        """For so many tokens of either kind."""
        return self.read_s * tokens_in + self.write_s * tokens_out


class Pace:
    """The speeds that are known, by what was measured; a small file keeps them."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._speeds: dict[str, Speed] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            for key, (read_s, write_s) in json.loads(path.read_bytes()).items() if path else ():
                self._speeds[key] = Speed(float(read_s), float(write_s))

    def of(self, key: str) -> Speed | None:
        """The speed known by this name."""
        return self._speeds.get(key)

    def learn(self, key: str, read: tuple[float, float], written: tuple[float, float]) -> None:
        """Take in (tokens, seconds) of a run; nothing is learnt of what it did not do."""
        with self._lock:
            old = self._speeds.get(key)
            read_s = _mixed(old.read_s if old else None, *read, ENOUGH[0])
            write_s = _mixed(old.write_s if old else None, *written, ENOUGH[1])
            if read_s is None or write_s is None:
                return
            self._speeds[key] = Speed(read_s, write_s)
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        known = {key: [speed.read_s, speed.write_s] for key, speed in self._speeds.items()}
        with contextlib.suppress(OSError):  # then it is measured again next time
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, json.dumps(known).encode())


def _mixed(old: float | None, tokens: float, seconds: float, enough: float) -> float | None:
    if tokens <= 0 or seconds <= 0:
        return old
    new = seconds / tokens
    return new if old is None else old + NEWER * min(1.0, tokens / enough) * (new - old)


class Forecast:
    """Seconds to go in a run of sections, each (tokens in, tokens out)."""

    def __init__(self, sections: Sequence[tuple[float, float]], speed: Speed | None) -> None:
        # Without a known speed only shares of the work count: a token written costs about as
        # much as thirty read.
        self._is_guess = speed is None
        speed = speed or Speed(0.001, 0.03)
        self._parts = [(speed.read_s * i, speed.write_s * o) for i, o in sections]
        self.seconds = sum(map(sum, self._parts))

    def remaining(
        self, section: int, read: float, written: float, elapsed_s: float
    ) -> float | None:
        """With so much of a section (1-based) read and written, as shares, after so long; None
        while nothing is known of the speed."""
        before = sum(map(sum, self._parts[: section - 1]))
        now = self._parts[section - 1]
        done = before + read * now[0] + written * now[1]
        prior = 0.0 if self._is_guess else TRUSTED_S
        if self._is_guess and done < 0.1 * self.seconds:
            return None
        slowness = (elapsed_s + prior) / (done + prior) if done + prior else 1.0
        return max(0.0, self.seconds - done) * slowness


def duration(seconds: float) -> str:
    """`40 s` or `3 min`, never less than the truth."""
    if seconds < 10:
        return f"{max(math.ceil(seconds), 1)} s"
    if seconds < 55:
        return f"{-(-int(seconds) // 5) * 5} s"
    return f"{math.ceil(seconds / 60)} min"


def calibrate(
    model: Any, num_beams: int, clock: Callable[[], float] = time.monotonic
) -> tuple[tuple[int, float], tuple[int, float]]:
    """(tokens, seconds) read and written in a moment, in seconds of `clock`. Kernels are compiled
    and buffers made in a first, smaller round that does not count."""
    is_gpu = model.device.type != "cpu"
    for tokens, steps in (WARM_UP, (GPU_TOKENS, CALIBRATION[1]) if is_gpu else CALIBRATION):
        # The app never imports torch: the model makes the tensor of ids [1, S].
        ids = next(iter(model.parameters())).new_full((1, tokens), 5).long()
        began = clock()
        encoded = model.encode(ids)
        read = clock()
        drafts = model.stream(
            encoded=encoded, num_beams=num_beams, min_new_tokens=steps, max_new_tokens=steps
        )
        next(drafts)  # what comes before it is done once for a section
        first = clock()
        for _ in drafts:
            pass
        ended = clock()
    return (tokens, read - began), (steps - 1, ended - first)
