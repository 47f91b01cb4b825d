"""Under which names a worker is asked: a page of somebody else's must not be one of them.

A browser on this machine may be led here under another's name (DNS rebinding): that page would
then read what this worker tells whoever is on its machine. Such a request names the other's host.
An address cannot be rebound, so addresses are always right.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_own(header: str, names: Iterable[str]) -> bool:
    """Whether a request's header `Host` names this worker.

    Args:
        header: As it came: a name or an address, with a port or without.
        names: The names by which it is found, beside `localhost`.
    """
    host = host_of(header)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in {host_of(name) for name in names}
    return True


def host_of(header: str) -> str:
    """The name or address in front of a port: in lower case, without brackets or a dot behind."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        text = host
    return text.removesuffix(".")
