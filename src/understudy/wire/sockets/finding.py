"""Which places a system has: a new one those that it is given, another those that its directory tells of."""

from __future__ import annotations

import os

from understudy.wire.sockets.places import IPC, KEYS, Paths, Places


def found(directory: str, transport: str) -> Places:
    """For a new system; raises OSError where it can't have its places."""
    if transport == IPC:
        return Paths(directory)
    from understudy.wire.sockets.loopback import Ports  # and with it what only keys need

    return Ports.found(directory)


def at(directory: str) -> Places:
    """Those of the system of that directory; raises OSError where it has keys that can't be read."""
    try:
        with open(os.path.join(directory, KEYS), encoding="ascii") as file:
            keys = file.read()
    except FileNotFoundError:
        return Paths(directory)
    from understudy.wire.sockets.loopback import Ports

    return Ports.at(directory, keys)
