"""The sockets of a system on the loopback, for platforms without ipc: TCP with keys.

A machine's loopback is open to all of its users. So every socket is a CURVE server that admits one key, the system's,
which lies in the system's directory, as the address of each socket does. A mailbox has a pair of its own, made of the
system's and its name, for its port may be another's by the time that somebody looks for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket as network
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import zmq
from zmq.utils import z85

from understudy.wire.sockets.curve import BACKLOG, HANDSHAKE_SECONDS, Pair, Zap, new_pair, prove, require
from understudy.wire.sockets.places import FOUNDED, KEYS

_HOST = "127.0.0.1"
_NOWHERE = f"tcp://{_HOST}:1"
"""Where nobody is who would have the key."""
_MEMBER = "member"
_log = logging.getLogger("understudy")


class Ports:
    """Places on the loopback.

    A port is reserved by a socket that is bound and listens to nobody; who is to be there binds it too, which processes
    of one user may, and listens. So it is known before anybody is there, and nobody else is given it.
    """

    descriptors = 1
    are_paths = False

    def __init__(self, directory: str, pair: Pair) -> None:
        self._directory, self._pair = directory, pair
        self._domain = os.path.basename(directory)
        self._held: dict[str, network.socket] = {}

    @classmethod
    def found(cls, directory: str) -> Ports:
        """With a fresh pair, and places for the sockets of the parent; raises OSError where they are not to be had."""
        ports = cls(directory, new_pair())
        try:
            for name in FOUNDED:
                ports._reserve(name)
            ports._write(KEYS, f"{ports._pair.public}\n{ports._pair.secret}\n")
        except OSError:
            ports.close()
            raise
        return ports

    @classmethod
    def at(cls, directory: str, keys: str) -> Ports:
        """Of a system that is there; ``keys`` is what its file says."""
        public, secret, *_ = keys.split("\n")
        return cls(directory, Pair(public, secret))

    def reserve(self, name: str) -> None:
        """As `Places.reserve`."""
        with contextlib.suppress(OSError):  # no port, or no descriptor; `has` says so
            self._reserve(name)

    def has(self, name: str) -> bool:
        """As `Places.has`."""
        return name in self._held

    def release(self, name: str) -> None:
        """As `Places.release`."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(name))
        held = self._held.pop(name, None)
        if held is not None:
            held.close()

    def bind(self, socket: Any, name: str) -> None:
        """As `Places.bind`; raises OSError where the system is gone."""
        require(socket, self._pair_of(name), self._domain)
        socket.set(zmq.HANDSHAKE_IVL, int(HANDSHAKE_SECONDS * 1000))
        address = self._address(name)
        with _bound(int(address.rpartition(":")[2])) as listener:
            listener.settimeout(0)  # libzmq's own thread accepts, and must not wait for who has gone
            listener.listen(BACKLOG)
            socket.set(zmq.USE_FD, listener.detach())
        socket.bind(address)
        socket.set(zmq.USE_FD, -1)

    def approach(self, socket: Any, name: str) -> str:
        """As `Places.approach`."""
        prove(socket, self._pair, self._pair_of(name).public)
        try:
            return self._address(name)
        except FileNotFoundError:  # it is over; who looks for it will be told
            return _NOWHERE

    def guard(self, context: Any) -> Callable[[], None]:
        """As `Places.guard`."""
        return Zap(context, f"understudy-keys-{self._domain}", self._admit, _tell).close

    def close(self) -> None:
        """As `Places.close`."""
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _admit(self, domain: str, public: str, _: str) -> str | None:
        return _MEMBER if (domain, public) == (self._domain, self._pair.public) else None

    def _reserve(self, name: str) -> None:
        if name in self._held:
            return
        held = _bound(0)
        try:
            self._write(name, f"tcp://{_HOST}:{held.getsockname()[1]}\n")
        except OSError:
            held.close()
            raise
        self._held[name] = held

    def _pair_of(self, name: str) -> Pair:
        if name in FOUNDED:
            return self._pair
        key = z85.decode(self._pair.secret.encode())
        secret = z85.encode(blake2b(name.encode(), digest_size=32, key=key, person=b"mailbox").digest())
        return Pair(zmq.curve_public(secret).decode(), secret.decode())

    def _address(self, name: str) -> str:
        with open(self._path(name), encoding="ascii") as file:
            return file.read().rstrip("\n")

    def _write(self, name: str, text: str) -> None:
        fd = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="ascii") as file:
            file.write(text)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


def _bound(port: int) -> network.socket:
    """A socket that is bound to that port of the loopback, 0: to a free one."""
    made = network.socket(network.AF_INET, network.SOCK_STREAM)
    try:
        made.setsockopt(network.SOL_SOCKET, network.SO_REUSEPORT, 1)
        made.bind((_HOST, port))
    except OSError:
        made.close()
        raise
    return made


def _tell(error: BaseException) -> None:
    _log.error("who comes to the sockets of a system could not be told from a stranger", exc_info=error)
