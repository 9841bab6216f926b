"""Check the address that the page listens on, and who may open the page there."""

from __future__ import annotations

import socket

from ..errors import BadOption
from ..settings import Settings

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def serves_only_this_computer(settings: Settings) -> bool:
    """Return True when only programs on this computer can reach the page."""
    return settings.host in LOOPBACK_HOSTS and not settings.on_space


def require_access_choice(settings: Settings) -> None:
    """Raise BadOption when others can reach the page and neither --auth nor --no-auth is given."""
    if (
        serves_only_this_computer(settings)
        or settings.on_space
        or settings.auth
        or settings.no_auth
    ):
        return
    raise BadOption(
        f"On host {settings.host} everyone on the network could open this page and read its "
        "summaries: add --auth USER:PASSWORD, or --no-auth to allow that."
    )


def require_host(host: str) -> None:
    """Raise BadOption when no program can listen on a host.

    Gradio would try one port after another and then blame the ports.
    """
    try:
        name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        family, kind, protocol, _, address = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or "unknown name").lower()
        raise BadOption(
            f"The page cannot listen on host {host} ({reason}): choose a name or address of this "
            "computer with --host."
        ) from error
