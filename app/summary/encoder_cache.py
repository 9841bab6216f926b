"""Encoder states: made beside the caller, kept within limits for another length or beam width."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

MOST_DROPPED = 10_000  # remembered to have been dropped
Key = tuple[int, ...]  # the ids that were read


class KeptStates:
    """The states of the latest passes by the ids that were read, at most `limit_bytes` of them.

    A pass of the run at hand pushes out those of other runs, never of its own: going through a
    document again from its beginning would else find none of them.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, Any] = OrderedDict()
        self._dropped: set[int] = set()
        self._lock = threading.RLock()  # a run keeps while somebody forgets

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def was_dropped(self, key: Key) -> bool:
        """Whether these ids were read before and their states had to go."""
        return hash(key) in self._dropped and key not in self._kept

    def size_bytes(self, keys: Iterable[Key]) -> int:
        """Of those that are kept among these."""
        return sum(_size(self._kept[key]) for key in set(keys) & self._kept.keys())

    def get(self, key: Key) -> Any | None:
        """The states of these ids, or None."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Key, states: Any, run: Collection[Key] = ()) -> None:
        """Keep the states of these ids if there is room; `run` are the ids of the run at hand."""
        room = self.limit_bytes - _size(states)
        with self._lock:
            for other in [k for k in self._kept if k not in run]:
                if self.size_bytes(self._kept) <= room:
                    break
                self._drop(other)
            if self.size_bytes(self._kept) <= room:
                self._kept[key] = states
            else:
                self._dropped.add(hash(key))

    def clear(self) -> None:
        """Let go of all, also of what was dropped: not the limit is why it must be read again."""
        with self._lock:
            self._kept.clear()
            self._dropped.clear()

    def _drop(self, key: Key) -> None:
        del self._kept[key]
        if len(self._dropped) > MOST_DROPPED:
            self._dropped.clear()
        self._dropped.add(hash(key))


def _size(states: Any) -> int:
    return int(states.last_hidden_state.nbytes)


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
