"""A cache of encoder states: another length or beam width needs no second encoder pass."""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

# Hashes of evicted keys, remembered for the notice about them. A run has a few hundred passes at
# most, and the set of hashes stays under a megabyte.
MAX_EVICTED_KEYS = 10_000
InputIds = tuple[int, ...]


class EncoderCache:
    """An LRU cache of encoder states by input ids, at most `limit_bytes` in size.

    Storing a pass evicts states of other runs, never of the current one. A run goes through its
    document in order: were its own oldest states evicted, a second run over the same document
    would find none of them.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._states: OrderedDict[InputIds, Any] = OrderedDict()
        self._used_at: dict[InputIds, float] = {}
        self._evicted: set[int] = set()
        self._lock = threading.RLock()  # the cache may be cleared while a run stores its states

    def __contains__(self, key: InputIds) -> bool:
        return key in self._states

    def was_evicted(self, key: InputIds) -> bool:
        """Return True if the states of these ids were once computed and found no room."""
        return hash(key) in self._evicted and key not in self._states

    def size_bytes(self, keys: Iterable[InputIds]) -> int:
        """Return the size of the cached states among these keys."""
        return sum(_size(self._states[key]) for key in set(keys) & self._states.keys())

    def get(self, key: InputIds) -> Any | None:
        """Return the states of these ids, or None."""
        with self._lock:
            if key in self._states:
                self._states.move_to_end(key)
                self._used_at[key] = time.monotonic()
            return self._states.get(key)

    def put(self, key: InputIds, states: Any, current_run: Collection[InputIds] = ()) -> None:
        """Store states if they fit, evicting none of the keys of the current run."""
        room = self.limit_bytes - _size(states)
        with self._lock:
            for other in [k for k in self._states if k not in current_run]:
                if self.size_bytes(self._states) <= room:
                    break
                self._evict(other)
            if self.size_bytes(self._states) <= room:
                self._states[key] = states
                self._used_at[key] = time.monotonic()
            else:
                self._remember_evicted(key)

    def expire(self, age_s: float) -> bool:
        """Remove states that nobody used for `age_s`; return True when there were any."""
        with self._lock:
            since = time.monotonic() - age_s
            old = [key for key, used_at in self._used_at.items() if used_at < since]
            for key in old:
                del self._states[key], self._used_at[key]
            return bool(old)

    def remove(self, keys: Iterable[InputIds]) -> None:
        """Remove the states of these ids, and the memory of their eviction."""
        with self._lock:
            for key in keys:
                self._states.pop(key, None)
                self._used_at.pop(key, None)
                self._evicted.discard(hash(key))

    def clear(self) -> None:
        """Remove all states, and the memory of evicted ones.

        After that a second pass is not due to the limit, so no notice may blame it.
        """
        with self._lock:
            self._states.clear()
            self._used_at.clear()
            self._evicted.clear()

    def _evict(self, key: InputIds) -> None:
        del self._states[key], self._used_at[key]
        self._remember_evicted(key)

    def _remember_evicted(self, key: InputIds) -> None:
        if len(self._evicted) > MAX_EVICTED_KEYS:
            self._evicted.clear()
        self._evicted.add(hash(key))


def _size(states: Any) -> int:
    return int(states.last_hidden_state.nbytes)


class _EitherEvent(threading.Event):
    """An event that is set when it or another event is set."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        return super().is_set() or (self.other is not None and self.other.is_set())


def encode_with_progress(
    batcher: Any, input_ids: InputIds, stop_event: threading.Event | None
) -> Iterator[Any]:
    """Yield (layers done, layers) as tuples, then the encoder states; nothing more when stopped.

    The layers are computed between the steps of the batcher's searches.
    """
    stop = _EitherEvent(stop_event)
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # A progress callback cannot yield, so the encoder runs in a thread that sends messages.
    thread = threading.Thread(
        target=_encode_in_thread,
        args=(batcher, input_ids, stop, messages),
        name="encode",
        daemon=True,
    )
    thread.start()
    try:
        while True:
            kind, value = messages.get()
            if kind != "layer":
                break
            yield value
    finally:
        stop.set()
        thread.join()
    if kind == "error":
        raise value
    if kind == "done":
        yield value


def _encode_in_thread(
    batcher: Any, input_ids: InputIds, stop: threading.Event, messages: queue.SimpleQueue[Any]
) -> None:
    from longt5 import Stopped

    try:
        # The app never imports torch: the model makes the tensor of ids [1, S].
        ids = next(iter(batcher.model.parameters())).new_empty(0).long().new_tensor([input_ids])
        states = batcher.encode(
            ids,
            stop_event=stop,
            on_encode_progress=lambda done, total: messages.put(("layer", (done, total))),
        )
        messages.put(("done", states))
    except Stopped:
        messages.put(("stopped", None))
    except BaseException as error:
        messages.put(("error", error))
