"""Encoder states: made beside the caller, and kept for another length or beam width."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

KEPT_TOKENS = 32_768

Key = tuple[int, ...]  # the ids that were read


class KeptStates:
    """The states of the latest passes, by the ids that were read."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Any] = OrderedDict()

    def get(self, key: Key) -> Any | None:
        """The states of these ids, or None; what was asked for last is dropped last."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def keep(self, key: Key, states: Any) -> None:
        """Keep the states of these ids, and drop the oldest where there are too many."""
        self._kept[key] = states
        while len(self._kept) > 1 and sum(map(len, self._kept)) > KEPT_TOKENS:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()


class _Either(threading.Event):
    """Set when either the caller's event or its own is."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        return super().is_set() or (self.other is not None and self.other.is_set())


def encode(model: Any, key: Key, stop_event: threading.Event | None) -> Iterator[Any]:
    """Yields (layers done, layers) as tuples, then the states; nothing more when stopped."""
    stop = _Either(stop_event)
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # A callback cannot yield, so the encoder runs beside us and reports its layers here.
    worker = threading.Thread(
        target=_encode_beside, args=(model, key, stop, news), name="encode", daemon=True
    )
    worker.start()
    try:
        while True:
            kind, value = news.get()
            if kind != "layer":
                break
            yield value
    finally:
        stop.set()
        worker.join()
    if kind == "error":
        raise value
    if kind == "done":
        yield value


def _encode_beside(
    model: Any, key: Key, stop: threading.Event, news: queue.SimpleQueue[Any]
) -> None:
    from longt5 import Stopped

    try:
        # The app never imports torch: the model makes the tensor of ids [1, S].
        ids = next(iter(model.parameters())).new_empty(0).long().new_tensor([key])
        states = model.encode(
            ids,
            on_progress=lambda done, total: news.put(("layer", (done, total))),
            stop_event=stop,
        )
        news.put(("done", states))
    except Stopped:
        news.put(("stopped", None))
    except BaseException as error:
        news.put(("error", error))
