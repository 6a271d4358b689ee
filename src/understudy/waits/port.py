"""Wait for a TCP port, of any address family, and see that it is the program's own."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from understudy.errors import ConfigError
from understudy.settings import shown
from understudy.waits.base import Started

_MOST = 65535
_PATIENCE = 1.0
"""Seconds for one connection."""
_LISTENS = "0A"
_STATE, _LOCAL, _INODE = 3, 1, 9


@dataclass(frozen=True, slots=True)
class Port:
    """That a port takes connections: ``Port(6390)``, ``Port(6390, host="::1")``.

    ``host`` is a name or an address; of several addresses one is enough. Where the port is one of this machine it has
    to be held by the program or something that it has started: one that somebody else holds is told apart, and waited
    for. Raises ConfigError for what is no port or host.
    """

    number: int
    host: str = "localhost"

    def __post_init__(self) -> None:
        _check(self.number, self.host)

    def __str__(self) -> str:
        return f"port {self.number} of {self.host}"

    def missing(self, program: Started) -> str | None:
        """None when it takes connections; else why not."""
        try:
            places = socket.getaddrinfo(self.host, self.number, type=socket.SOCK_STREAM)
        except OSError as error:
            return f"{self.host} cannot be looked up: {error.strerror}"
        why = f"nobody listens at {self}"
        for family, kind, protocol, _, address in places:
            try:
                with socket.socket(family, kind, protocol) as caller:
                    caller.settimeout(_PATIENCE)
                    caller.connect(address)
            except ConnectionRefusedError:
                continue
            except OSError as error:
                why = f"{self} cannot be reached: {error.strerror or type(error).__name__}"
            else:
                return self._held_by_others(program)
        return why

    def _held_by_others(self, program: Started) -> str | None:
        """Who else holds it; None if the program does, or nobody on this machine, or it cannot be seen who does."""
        listening = set(_listeners(self.number))
        if not listening:
            return None
        try:
            if listening & set(_sockets(program.family())):
                return None
        except PermissionError:
            return None  # what it runs is none of our business
        return f"{self} is held by {_holder(listening)}, no process of {program.name}"


def _check(number: object, host: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _MOST:
        raise ConfigError(f"Port(number={shown(number)}): it is a number from 1 to {_MOST}")
    if not isinstance(host, str) or not host:
        raise ConfigError(f"Port(host={shown(host)}): it is the name or the address of a host")


def _listeners(port: int) -> Iterator[int]:
    """The inodes of sockets that listen at that port, on whatever address of this machine."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table) as file:
            next(file, None)
            for line in file:
                values = line.split()
                if values[_STATE] == _LISTENS and int(values[_LOCAL].rpartition(":")[2], 16) == port:
                    yield int(values[_INODE])


def _sockets(pids: Iterable[int]) -> Iterator[int]:
    """The inodes of the sockets that these processes hold; raises PermissionError where that may not be seen."""
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    kind, _, inode = os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")
                    if kind == "socket":
                        yield int(inode.strip("[]"))


def _holder(inodes: set[int]) -> str:
    """A process that holds one of them, by name and number."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if inodes & set(_sockets([int(name)])):
                with open(f"/proc/{name}/comm", errors="replace") as file:
                    return f"{file.read().strip()} (pid {name})"
    return "somebody else"
