"""What others reach of a system over a network: a part of `ActorSystem`."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from understudy.errors import ConfigError
from understudy.router.calls import Calls
from understudy.router.gauges import Gauges
from understudy.router.loop import Router
from understudy.status import OpenGate, Role
from understudy.wire.endpoints import Place, to_listen_at

if TYPE_CHECKING:
    from understudy.wire.keyring import Keyring

T = TypeVar("T")
Keys = str | os.PathLike[str] | None
_GATES = "understudy.router.gates"


class Outward(ABC):
    """Metrics for those who scrape, gates for those who hold a key."""

    name: str
    _router: Router
    _calls: Calls
    _gauges: Gauges
    _keys: Keys

    @abstractmethod
    def _check(self) -> None:
        """Raise where the system is shut down, or another process's."""

    @abstractmethod
    def _look(self, act: Callable[[], T]) -> T:
        """Look at something in the router's thread."""

    def serve_metrics(self, port: int, addr: str = "127.0.0.1") -> str:
        """Serve Prometheus metrics over HTTP until the system closes; gives the URL.

        ``port`` 0 takes a free one. Whoever reaches the address can read names and figures. Raises ConfigError for what
        is no port or address, and where prometheus-client is not installed; OSError where the port is taken.
        """
        self._check()
        return self._gauges.serve(self.name, port, addr)

    def observe_at(self, endpoint: str, *, keys: Keys = None) -> str:
        """Open a gate for observers until the system closes; gives its endpoint, with its real port.

        ``endpoint`` is ``tcp://HOST:PORT``: a name or address of this machine (of IPv6 in brackets), or ``*`` for all
        of them; port 0 takes a free one. The stream has another port: the next one that is free. Who holds a key
        follows and looks from there, encrypted; nobody comes in without. ``keys`` is the directory of the keyring,
        by default that of the system, else ``~/.config/understudy/keys``. What it says holds at once: a key that is
        revoked is cut off within a second.

        Raises ConfigError for what is no such endpoint, and where the keyring has no key that may come in;
        AccessDenied where others could read or change it; OSError where the address cannot be had, as when another
        program has the port.
        """
        return self._gate(endpoint, Role.OBSERVER, keys)

    def control_at(self, endpoint: str, *, keys: Keys = None) -> str:
        """Open a gate at which controllers' keys also stop, kill and restart, and observers' keys observe.

        Everything else as of `observe_at`. Each command is told to the logger ``understudy.audit``.
        """
        return self._gate(endpoint, Role.CONTROLLER, keys)

    @property
    def gates(self) -> list[OpenGate]:
        """The gates that are open."""
        return self._look(lambda: self._router.gates.told if self._router.has_gates else [])

    @abstractmethod
    def shutdown(self, *, force: bool = False) -> None:
        """Close the system."""

    def _open_at_the_start(self, wanted: Mapping[Role, str]) -> None:
        try:
            for role, endpoint in wanted.items():
                self._gate(endpoint, role, None)
        except BaseException:
            self.shutdown(force=True)
            raise

    def _abandon_gates(self) -> None:
        """In a forked copy of the parent."""
        abandon(self._router.gates.ports if self._router.has_gates else ())

    def _gate(self, endpoint: str, role: Role, keys: Keys) -> str:
        self._check()
        place, keyring = checked(endpoint, role, keys if keys is not None else self._keys)
        numeric = Place(_address_of(place.host), place.port)
        import_module(_GATES)  # here, for the router would be held up by it
        told = self._calls.make(lambda: self._router.gates.open(numeric, role, keyring))
        return place.at(told.ports[0])


def checked_all(observe: str | None, control: str | None, keys: Keys) -> dict[Role, str]:
    """The endpoints that are wanted, each under its role; raises as `Outward.observe_at`, but OSError."""
    if keys is not None:
        from understudy.wire.keyring import Keyring  # late, as `Router.gates`

        Keyring(keys)
    wanted = {Role.OBSERVER: observe, Role.CONTROLLER: control}
    found = {role: endpoint for role, endpoint in wanted.items() if endpoint is not None}
    for role, endpoint in found.items():
        checked(endpoint, role, keys)
    return found


def abandon(ports: Collection[int]) -> None:
    """In a forked copy: let go of the sockets at these ports, which nobody serves here, and of those who came to them.

    The copy would keep them open for as long as it lives.
    """
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")] if ports else []
    except OSError:
        return  # nothing tells which they are
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # the listing's own is closed by now
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            held = socket.socket(fileno=descriptor)
            if held.family in {socket.AF_INET, socket.AF_INET6} and held.getsockname()[1] in ports:
                held.close()
            else:
                held.detach()


def checked(endpoint: object, role: Role, keys: Keys) -> tuple[Place, Keyring]:
    """Where to listen and who may come; raises as `Outward.observe_at`, but OSError."""
    from understudy.wire.keyring import Keyring  # late, as `Router.gates`

    place, keyring = to_listen_at(endpoint), Keyring(keys)
    try:
        keyring.server()
        found = keyring.members()
    except ConfigError as error:
        raise ConfigError(f"{endpoint} needs keys: {error}. {_advice(role, keys)}") from None
    if not found:
        unread = "".join(f"; {name}: {why}" for name, why in sorted(keyring.unread.items()))
        raise ConfigError(f"nobody has a key in {keyring.directory}{unread}. {_advice(role, keys)}")
    return place, keyring


def _advice(role: Role, keys: Keys) -> str:
    where = "" if keys is None else f" --keys {os.fspath(keys)}"
    return f"`understudy keys new NAME --role {role}{where}` makes one"


def _address_of(host: str) -> str:
    """In the thread that asks, for a name may take a while; raises OSError where nobody knows it."""
    if host == "*" or host.startswith("["):
        return host
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(
            errno.EADDRNOTAVAIL, f"no address of this machine is known by that name ({error})", host
        ) from None
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    address = str(found[0][4][0])
    return f"[{address}]" if found[0][0] == socket.AF_INET6 else address
