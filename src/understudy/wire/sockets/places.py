"""Where the sockets of a system are, and what it takes to speak through them: its directory says both.

By ipc a socket is a path in that directory, and who can open the directory comes in. Where there is no ipc, a file of
that name holds the address that the socket has on the loopback, and another one the keys: see `loopback`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, Protocol

KEYS = "keys"
"""The file that says that a system is on the loopback."""
FOUNDED = ("commands", "reports", "status", "control")
"""The sockets that the parent binds, as long as the system lives."""
IPC, TCP = TRANSPORTS = ("ipc", "tcp")


class Places(Protocol):
    """The sockets of one system, by their names."""

    descriptors: int
    """How many each socket holds in the parent beside its own."""
    are_paths: bool
    """Whether who is connected stays so when the file of a socket's name is moved, and nobody else finds it then."""

    def reserve(self, name: str) -> None:
        """A place for a socket that a child will bind: others look for it there from now on, if there is one to be had.

        For the parent's router only, as `release` and `close` are.
        """
        ...

    def has(self, name: str) -> bool:
        """Whether it could be reserved."""
        ...

    def release(self, name: str) -> None:
        """Nobody is there any more."""
        ...

    def bind(self, socket: Any, name: str) -> None:
        """Bind it there; who is to come in is said by `guard`, before."""
        ...

    def approach(self, socket: Any, name: str) -> str:
        """The address to connect it to, there or not, which must follow: the socket is made ready for that one."""
        ...

    def guard(self, context: Any) -> Callable[[], None]:
        """Let the members of the system in, and nobody else, to what that context binds; gives what ends it."""
        ...

    def close(self) -> None:
        """Hold no place any more."""
        ...


class Paths:
    """Places in a directory."""

    descriptors = 0
    are_paths = True

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def reserve(self, name: str) -> None:
        """As `Places.reserve`: nothing is to be done, for a name is free until somebody binds there."""

    def has(self, name: str) -> bool:
        """As `Places.has`."""
        return bool(name)

    def release(self, name: str) -> None:
        """As `Places.release`: who was killed has left the name there."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._directory, name))

    def bind(self, socket: Any, name: str) -> None:
        """As `Places.bind`."""
        socket.bind(self._address(name))

    def approach(self, socket: Any, name: str) -> str:
        """As `Places.approach`."""
        return self._address(name)

    def guard(self, context: Any) -> Callable[[], None]:
        """As `Places.guard`: the mode of the directory does it."""
        return _done

    def close(self) -> None:
        """As `Places.close`."""

    def _address(self, name: str) -> str:
        return f"ipc://{self._directory}/{name}"


def _done() -> None:
    """There was nothing to end."""
