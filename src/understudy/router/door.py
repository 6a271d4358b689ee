"""The door of the sockets that clients use: shut while so many are connected that descriptors could run out.

By ipc libzmq ends the whole process where it has no descriptor to accept a connection with, and knows no limit of
connections; by TCP it goes on, and there is no door. So a thread of its own hears of each that comes, and takes the
sockets' files out of reach when there are too many: clients look for them again and again, as ZeroMQ does, and find
them when others have left. While it is kept from hearing, as by code that holds the interpreter, libzmq accepts a
thousand at each socket and then waits for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import threading
from collections.abc import Callable

from understudy.router.capacity import opened_descriptors
from understudy.wire.sockets.hub import Doorbell, Hub

SHARE = 4
"""Clients' connections may have one descriptor in so many of those that the process may open."""
RESERVE = 32
"""Descriptors that are left for whatever else."""
_ROOM = 8
"""The door opens again where so many more could come in."""
_LOOK = 0.5
"""Seconds between two looks while it is shut."""
_SOCKETS = ("status", "control")
_SHUT = ".shut"
_log = logging.getLogger("understudy")


class Door:
    """Open, or shut; ``tell`` is told of each change, in the door's own thread."""

    def __init__(self, name: str, directory: str, hub: Hub, bell: Doorbell, tell: Callable[[str], None]) -> None:
        self._directory, self._hub, self._bell, self._tell = directory, hub, bell, tell
        self._inside: set[int] = set()
        self._is_shut = False
        self._thread = threading.Thread(target=self._run, name=f"understudy-door-{name}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """In the router's thread, before the sockets close."""
        self._hub.unhook()
        self._thread.join()

    def _run(self) -> None:
        while (moves := self._bell.wait(_LOOK if self._is_shut else None)) is not None:
            for came, descriptor in moves:
                (self._inside.add if came else self._inside.discard)(descriptor)
            try:
                self._look()
            except Exception:  # noqa: BLE001 - told in full; who no longer hears the bell would hold up libzmq's thread
                _log.exception("the door of the clients' sockets met an error of its own; please report it")

    def _look(self) -> None:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        opened, clients, most = opened_descriptors(), len(self._inside), limit // SHARE
        room = min(most - clients, limit - RESERVE - (clients if opened is None else opened))
        if not self._is_shut and room <= 0:
            self._move("", _SHUT)
            self._is_shut = True
            self._tell(
                f"{clients} connections of clients are open, of {most} at the most; {opened} descriptors of {limit}: "
                "no more are let in until some leave"
            )
        elif self._is_shut and room >= _ROOM:
            self._move(_SHUT, "")
            self._is_shut = False
            self._tell(f"{clients} connections of clients are open: others are let in again")

    def _move(self, before: str, after: str) -> None:
        for name in _SOCKETS:
            path = os.path.join(self._directory, name)
            with contextlib.suppress(FileNotFoundError):  # the directory may be gone, with whoever removed it
                os.rename(path + before, path + after)
