"""The loaded models of a process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from pathlib import Path

from ..errors import Cancelled
from ..events import Progress
from ..settings import MAX_LOADED_MODELS, Settings
from ..summary.memory_estimate import (
    available_bytes,
    require_memory_for_weights,
    require_plain_headers,
    weights_bytes,
)
from ..summary.models import resolve_model
from ..summary.summarizer import Summarizer
from .model_downloads import Download, ModelDownloads
from .stop import StopSignal

LOADING_POLL_S = 0.1  # between two looks at the stop signal
# Of the size of the weights: they are read, converted and packed, and a run needs room too.
LOADING_FACTOR = 3


class ModelCache:
    """Holds the models that were used last, as many as the memory allows."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # By name, dtype and device as they were asked for; the last one was used last.
        self._loaded: OrderedDict[tuple[str, str, str], Summarizer] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self.has_lost_device = False
        self.downloads = ModelDownloads()

    def get(
        self,
        name: str,
        on_progress: Callable[[Progress], None] | None = None,
        dtype: str | None = None,
        device: str | None = None,
        cancel: threading.Event | None = None,
    ) -> Summarizer:
        """Return the model, downloading and loading it unless it is cached.

        Raises AppError, Cancelled too.
        """
        settings, report = self._settings, on_progress or (lambda progress: None)
        revision = settings.revision if name == settings.model else None
        where = resolve_model(name)
        if self.peek(name, dtype, device) is None and not os.path.isdir(where):

            def on_download(going: Download) -> None:
                report(
                    Progress(
                        "downloading", going.done, going.total, remaining_s=going.remaining_s()
                    )
                )

            # Before the lock: others load their models meanwhile.
            self.downloads.fetch(where, revision, cancel or threading.Event(), on_download)
        with self._loading:
            cached = self.peek(name, dtype, device)
            if cached is None:
                chosen = dtype or settings.dtype, device or settings.device
                if os.path.isdir(where):
                    require_plain_headers(Path(where))
                self._make_room(where)
                cached = Summarizer.load(
                    name,
                    revision=revision,
                    dtype=chosen[0],
                    device=chosen[1],
                    on_progress=lambda done, total: report(Progress("loading", done, total)),
                )
                self.put(name, cached, *chosen)
        return cached

    def loading(
        self,
        name: str,
        stop: StopSignal | None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> Generator[Progress, None, Summarizer | None]:
        """Yield progress while the model is loaded, then return it; None when it is stopped.

        A stopped loading goes on in its thread until it can end. Raises as `get`.
        """
        cached = self.peek(name, dtype, device)
        if cached is not None:
            return cached
        progress = shown = Progress("loading", 0, 1)
        yield progress
        cancel, ended = threading.Event(), threading.Event()
        result: list[Summarizer | BaseException] = []

        def on_progress(latest: Progress) -> None:
            nonlocal progress
            progress = latest

        def load() -> None:
            try:
                result.append(self.get(name, on_progress, dtype, device, cancel))
            except BaseException as error:
                result.append(error)
            finally:
                ended.set()

        threading.Thread(target=load, name="loading", daemon=True).start()
        while not ended.wait(LOADING_POLL_S):
            if stop is not None and stop.is_set():
                cancel.set()
                return None
            if progress != shown:
                shown = progress
                yield shown
        if isinstance(result[0], Cancelled):
            return None
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    def evict(self, name: str) -> None:
        """Hold a model no longer, so that its files can be deleted."""
        with self._lock:
            for key in [key for key in self._loaded if key[0] == name]:
                del self._loaded[key]

    def peek(
        self, name: str, dtype: str | None = None, device: str | None = None
    ) -> Summarizer | None:
        """Return the model if it is cached; load nothing."""
        wanted = dtype or self._settings.dtype, device or self._settings.device
        with self._lock:
            for key, cached in reversed(self._loaded.items()):
                actual = cached.dtype, cached.model.device.type
                pairs = zip(wanted, key[1:], actual, strict=True)
                if key[0] == name and all(want in known for want, *known in pairs):
                    self._loaded.move_to_end(key)
                    return cached
        return None

    def put(self, name: str, summarizer: Summarizer, dtype: str = "", device: str = "") -> None:
        """Hold a model under the name, dtype and device by which it was asked for."""
        key = name, dtype or self._settings.dtype, device or self._settings.device
        with self._lock:
            self._loaded[key] = summarizer
            self._loaded.move_to_end(key)
            while len(self._loaded) > MAX_LOADED_MODELS:
                self._loaded.popitem(last=False)

    def forget_documents(self) -> None:
        """Drop the encoder states cached for another length: they hold documents' tokens."""
        for summarizer in list(self._loaded.values()):
            summarizer.clear_cache()

    def expire_documents(self, age_s: float) -> bool:
        """Drop cached encoder states that nobody used for `age_s`; return True for any."""
        return any([summarizer.expire_cache(age_s) for summarizer in list(self._loaded.values())])

    def lose_device(self) -> None:
        """Drop the models after their device has failed."""
        self.evict_all()
        self.has_lost_device = True

    def evict_all(self) -> None:
        """Hold no model any more."""
        with self._lock:
            self._loaded.clear()

    def _make_room(self, where: str) -> None:
        """Evict the models used longest ago until the next one fits, all of them on a GPU.

        Raises BadOption when it does not fit even then.
        """
        need = weights_bytes(Path(where)) * LOADING_FACTOR if os.path.isdir(where) else 0
        with self._lock:
            while self._loaded:
                oldest = next(iter(self._loaded.values()))
                free = available_bytes()
                is_on_gpu = oldest.model.device.type != "cpu"
                if need and not is_on_gpu and free is not None and free >= need:
                    break
                self._loaded.popitem(last=False)
                del oldest
        if os.path.isdir(where):
            require_memory_for_weights(Path(where))
