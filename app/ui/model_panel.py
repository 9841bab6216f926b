"""Below the menu of models: download the chosen one, watch and cancel that, remove it again."""

from __future__ import annotations

from enum import Enum
from typing import Any

import gradio as gr

from ..errors import AppError
from ..runs.hub_download import has_part, remove_checkpoint, stored_bytes
from ..runs.model_downloads import Download, error_of
from ..runs.service import Service
from ..summary.memory_estimate import format_bytes
from ..summary.models import describe_model, download_size, is_of_hub, is_on_disk
from . import render
from .model_choice import choose_model, model_names

REFRESH_PANEL_S = 1.0  # until the chosen model is on this computer
PANEL_BUTTONS = ("fetch_model", "cancel_model", "remove_model")  # in the order of the updates
ABSENT_LABEL, PART_LABEL = "Download", "Continue the download"


class ModelPlace(str, Enum):
    """Where a model is."""

    BUILT_IN = "built in"  # or a folder, or a page that others use: nothing to do
    ABSENT = "absent"
    PART = "part"  # an earlier download was not finished
    GOING = "going"
    HERE = "here"


class ModelPanel:
    """The panel of a page that one person uses; on a shared page it is empty."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.settings = service.settings

    def show(self, name: str | None, shown: str = "") -> list[Any]:
        """Return updates of the panel, its buttons, the timer, the menu, and what is shown.

        `shown` is what was returned last: while it is the same, only the progress is updated, so
        that no button loses the focus.
        """
        return self._updates(self._name_of(name), shown)

    def fetch(self, name: str | None) -> list[Any]:
        """Begin the download of a model, or join the one that is going on."""
        known = self._name_of(name)
        if known and self._place(known) in (ModelPlace.ABSENT, ModelPlace.PART):
            self.service.models.downloads.join(known, self._revision(known))
        return self._updates(known)

    def cancel(self, name: str | None) -> list[Any]:
        """End the download of a model, for a run that waits for it too. What arrived is kept."""
        known = self._name_of(name)
        if known:
            self.service.models.downloads.forget(known)
        return self._updates(known)

    def remove(self, name: str | None) -> list[Any]:
        """Delete a model from this computer; "" changes nothing."""
        known = self._name_of(name)
        problem = ""
        if known and self._place(known) in (ModelPlace.HERE, ModelPlace.PART):
            self.service.models.evict(known)
            try:
                remove_checkpoint(known)
            except AppError as error:
                problem = render.error(str(error))
        return self._updates(known, problem=problem)

    def _name_of(self, name: str | None) -> str:
        """Return the name of a model of the hub that this person may choose, else ""."""
        if self.settings.is_shared or self.settings.zero_gpu:
            return ""
        try:
            chosen = choose_model(name, self.settings)
        except AppError:
            return ""
        return chosen if is_of_hub(chosen) else ""

    def _revision(self, name: str) -> str | None:
        return self.settings.revision if name == self.settings.model else None

    def _place(self, name: str) -> ModelPlace:
        if not name:
            return ModelPlace.BUILT_IN
        download = self.service.models.downloads.find(name)
        if download is not None and not download.ended.is_set():
            return ModelPlace.GOING
        if is_on_disk(name, self._revision(name)):
            return ModelPlace.HERE
        return ModelPlace.PART if has_part(name) else ModelPlace.ABSENT

    def _updates(self, name: str, shown: str = "", problem: str = "") -> list[Any]:
        place = self._place(name)
        html = problem or self._html(name, place)
        now = f"{place.value} {name}"
        if now == shown:
            return [html, *[gr.skip()] * (len(PANEL_BUTTONS) + 3)]
        first = PART_LABEL if place is ModelPlace.PART else ABSENT_LABEL
        buttons = [
            gr.update(visible=place in (ModelPlace.ABSENT, ModelPlace.PART), value=first),
            gr.update(visible=place is ModelPlace.GOING),
            gr.update(visible=place in (ModelPlace.HERE, ModelPlace.PART)),
        ]
        choices = gr.update(choices=model_choices(self.settings))
        # A run, or another tab, may begin a download that is not there yet.
        watched = place in (ModelPlace.ABSENT, ModelPlace.PART, ModelPlace.GOING)
        return [html, *buttons, gr.Timer(active=watched), choices, now]

    def _html(self, name: str, place: ModelPlace) -> str:
        """Return what is to say of a model: its size, how far its download is, why it failed."""
        if place is ModelPlace.BUILT_IN:
            return ""
        download = self.service.models.downloads.find(name)
        if place is ModelPlace.GOING and download is not None:
            return download_bar(download)
        failure = error_of(download) if download is not None else None
        if failure is not None and place is not ModelPlace.HERE:
            return render.error(str(failure))
        stored = format_bytes(stored_bytes(name))
        if place is ModelPlace.HERE:
            return render.hint(f"{name} is on this computer and takes {stored}.")
        size = download_size(name)
        if place is ModelPlace.PART:
            whole = f" of the {size}" if size else ""
            return render.hint(
                f"{stored}{whole} of {name} are here: the download goes on from there."
            )
        what = f"{size} are" if size else "It is"
        return render.hint(
            f"{name} is not on this computer. {what} downloaded when you press Download or "
            "Summarize, and not before."
        )


def model_choices(settings: Any) -> list[tuple[str, str]]:
    """Return the menu of models: what each does, its size, and whether it is here."""
    return [(describe_model(name), name) for name in model_names(settings)]


def download_bar(download: Download) -> str:
    """Return how far a download is, how fast, and how long it takes."""
    left = download.remaining_s()
    return render.download_progress(download.done, download.total, left)
