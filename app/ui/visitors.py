"""Who asks: the page or program that sent a request, and the visitor whose share it takes."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ..settings import Settings


@dataclass(frozen=True)
class Asker:
    """`session` is an open page or a program, named by itself; `visitor` a person's address.

    Where only this computer can ask, `visitor` is "": nobody has to share.
    """

    session: str = ""
    visitor: str = ""


def asker_of(request: gr.Request | None, settings: Settings) -> Asker:
    """Return who sent a request: on a Space the user who has logged in, else an address."""
    session = str(getattr(request, "session_hash", "") or "")
    if not settings.is_shared:
        return Asker(session)
    user = getattr(request, "username", "") if settings.on_space else ""
    address = getattr(getattr(request, "client", None), "host", "")
    return Asker(session, str(user or address or session))
