"""Where other workers find this one, if the settings do not say."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def advertised_url(scheme: str, host: str, port: int, brokers: Sequence[str]) -> str:
    """The address and port that HTTP binds, as others reach them.

    May look names up, so it is not for the event loop.

    Args:
        scheme: `http` or `https`.
        host: What is bound. Where that is every address of this machine, it is the one from which
            the first broker is reached.
        port: The port.
        brokers: `host:port` of each.
    """
    if _is_every(host):
        host = next(filter(None, map(_address_toward, brokers)), None) or socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}"


def _is_every(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _address_toward(broker: str) -> str | None:
    """The address of this machine from which a broker is reached; None if that cannot be told."""
    host, _, port = broker.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as asking:
                asking.connect(address)  # chooses a way there; nothing is sent
                return str(asking.getsockname()[0])
    except OSError:
        pass
    return None
