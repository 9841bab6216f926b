"""Check the address that the page listens on, and who may open the page there."""

from __future__ import annotations

import ipaddress
import socket

from ..errors import BadOption
from ..settings import LOOPBACK_HOSTS, Settings


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


class HostNames:
    """The names under which browsers may open the page.

    A page that answers to any name can be read by every website whose name an attacker lets point
    to this computer (DNS rebinding). An address is no name, so it is safe wherever it is reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._answers_to_all = settings.on_space  # there, Hugging Face chooses the names
        self._is_local = serves_only_this_computer(settings)
        own = {"localhost", settings.host, *settings.allowed_hosts}
        if not self._is_local:
            name = socket.gethostname()
            own |= {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}
        self._names = {without_port(name.lower()).rstrip(".") for name in own}

    def includes(self, host: str) -> bool:
        """Return True when a Host header, with or without a port, names this page."""
        if self._answers_to_all:
            return True
        name = without_port(host.lower()).rstrip(".")
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            parents = name.split(".")
            wildcards = {"." + ".".join(parents[i:]) for i in range(1, len(parents))}
            return name in self._names or not wildcards.isdisjoint(self._names)
        return address.is_loopback or not self._is_local or name in self._names


def without_port(host: str) -> str:
    """Return the name or address of a Host header, without its port and brackets.

    >>> without_port("[::1]:7860"), without_port("here.example:80"), without_port("::1")
    ('::1', 'here.example', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and ":" not in name and (port.isdecimal() or not port) else host
