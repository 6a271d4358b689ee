"""Where a network is to reach something: ``tcp://HOST:PORT``, read."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from understudy.errors import ConfigError
from understudy.settings import shown

_TCP = "tcp://"
_LAST_PORT = 65_535
_LONGEST = 255
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


class Place(NamedTuple):
    """``host`` is a name, an address (of IPv6 in brackets) or ``*``, which is all of this machine's; port 0 is any."""

    host: str
    port: int

    def at(self, port: int) -> str:
        """The endpoint of another port there."""
        return f"{_TCP}{self.host}:{port or '*'}"


def to_listen_at(endpoint: object) -> Place:
    """Where to listen; its port may be 0 or ``*``. Raises ConfigError."""
    host, colon, port = endpoint.removeprefix(_TCP).rpartition(":") if isinstance(endpoint, str) else ("", "", "")
    if not (isinstance(endpoint, str) and endpoint.startswith(_TCP) and colon and _is_host(host)):
        raise ConfigError(
            f"{shown(endpoint)} is no place to listen at: give tcp://HOST:PORT, with a name, an address, one of IPv6 "
            "in brackets, or * for all of this machine's"
        )
    if port == "*":
        return Place(host, 0)
    if not (port.isascii() and port.isdigit() and int(port[:9]) <= _LAST_PORT and len(port) < len("1000000")):
        raise ConfigError(f"{shown(endpoint)} has no port: it is a number up to {_LAST_PORT}, or 0 or * for a free one")
    return Place(host, int(port))


def _is_host(host: str) -> bool:
    if host == "*":
        return True
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return 0 < len(host) <= _LONGEST and _LETTERS.issuperset(host)
