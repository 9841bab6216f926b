"""The one loaded model of a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..settings import Settings
from ..summary.memory_estimate import require_memory_for_weights
from ..summary.models import resolve_model
from ..summary.summarizer import Summarizer


class ModelCache:
    """Holds one model; loading another name, dtype or device evicts it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = ""
        self._chosen = (settings.dtype, settings.device)
        self._summarizer: Summarizer | None = None
        self.has_lost_device = False

    def get(
        self,
        name: str,
        on_progress: Callable[[int, int], None] | None = None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> Summarizer:
        """Return the model, loading it unless it is cached. Raises ModelNotFound, BadOption."""
        cached = self.peek(name, dtype, device)
        if cached is None:
            self._summarizer = None  # free the old one before the new one needs its memory
            settings = self._settings
            chosen = dtype or settings.dtype, device or settings.device
            where = resolve_model(name)
            if os.path.isdir(where):
                require_memory_for_weights(Path(where))
            cached = Summarizer.load(
                name,
                revision=settings.revision if name == settings.model else None,
                dtype=chosen[0],
                device=chosen[1],
                on_progress=on_progress,
            )
            self._name, self._chosen, self._summarizer = name, chosen, cached
        return cached

    def peek(
        self, name: str, dtype: str | None = None, device: str | None = None
    ) -> Summarizer | None:
        """Return the model if it is cached; load nothing."""
        cached = self._summarizer  # read once: another thread may load another model
        if cached is None or self._name != name:
            return None
        actual = cached.dtype, cached.model.device.type
        wanted = dtype or self._settings.dtype, device or self._settings.device
        pairs = zip(wanted, self._chosen, actual, strict=True)
        return cached if all(want in known for want, *known in pairs) else None

    def forget_documents(self) -> None:
        """Drop the encoder states cached for another length: they hold a document's tokens."""
        summarizer = self._summarizer
        if summarizer is not None:
            summarizer.clear_cache()

    def lose_device(self) -> None:
        """Drop the model after its device has failed."""
        self._summarizer = None
        self.has_lost_device = True
