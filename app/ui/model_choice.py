"""Which models a visitor may choose: the operator says so when the page starts."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import ModelNotFound
from ..settings import DEFAULT_MODEL, Settings
from ..summary.models import CATALOGUE

# One sentence for every refusal: another one would tell which folders exist.
NOT_OFFERED = (
    "This page does not offer that model: choose one from the list, or start the page with "
    "--allow-model NAME."
)
HUB_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# What Windows takes for the name of another computer, which it would connect to, and what a shell
# takes for the home of another user.
REMOTE_PATH = re.compile(r"[/\\]{2}|~[^/\\]")


def choose_model(name: str | None, settings: Settings, by_program: bool = False) -> str:
    """Return the model that a visitor asks for; an empty name means the default.

    Everybody may choose the models that have names here and those that the operator has allowed.
    On a page that only this computer can open, its user may also name a model on the hub, and on
    the page itself a folder inside an allowed one. Raises ModelNotFound with one sentence.
    """
    chosen = (name or "").strip() or settings.model
    if chosen in model_names(settings) or chosen in settings.allowed_models:
        return chosen
    if not settings.is_shared:
        if HUB_MODEL_NAME.fullmatch(chosen) and not os.path.isdir(chosen):
            return chosen
        if not by_program and is_inside_allowed_folder(chosen, settings.allowed_models):
            return chosen
    raise ModelNotFound(NOT_OFFERED)


def model_names(settings: Settings) -> list[str]:
    """Return the models that the page lists: the default, those with names, those allowed."""
    allowed = [m for m in settings.allowed_models if not _is_folder_of_models(m)]
    names = [DEFAULT_MODEL, *(entry.name for entry in CATALOGUE), *allowed]
    return list(dict.fromkeys(names if settings.model in names else [settings.model, *names]))


def is_inside_allowed_folder(name: str, allowed: tuple[str, ...]) -> bool:
    """Return True for a folder inside an allowed one; only then is it looked at on the disk."""
    if REMOTE_PATH.match(name) or "\0" in name:
        return False
    path = Path(os.path.abspath(os.path.expanduser(name)))
    for folder in allowed:
        root = Path(os.path.abspath(os.path.expanduser(folder)))
        if path.is_relative_to(root):  # as written; then where its links lead
            return path.resolve().is_relative_to(root.resolve()) and path.is_dir()
    return False


def _is_folder_of_models(name: str) -> bool:
    folder = os.path.expanduser(name)
    return os.path.isdir(folder) and not os.path.isfile(os.path.join(folder, "config.json"))
