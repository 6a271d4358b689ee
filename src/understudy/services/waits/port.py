"""A TCP port, by a connection to it."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import select
import socket
from dataclasses import dataclass, replace
from typing import Any

from understudy.services.waits import owners, values
from understudy.services.waits.aside import Aside
from understudy.waiting import Answer, NotYet, Pace, Probe, Subject

RENEW = 3.0
"""Seconds after which a connection under way is begun anew: the kernel tries again ever more rarely by itself."""

_Address = tuple[int, tuple[Any, ...]]
"""A family, and an address of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Port(values.Value):
    """Holds once a TCP connection to that port comes about; it is closed again at once.

    ``host`` is an address of either family, or a name, all of whose addresses are tried; ``"localhost"`` is 127.0.0.1
    and ::1. On this machine it must be the subject's own processes that listen: HeldByStranger names who does instead,
    at once. Where that can't be told, as on other machines, the wait holds, and says so. ``timeout`` is in seconds,
    None for no bound. Raises ConfigError for what is no port from 1 to 65535, or no host.
    """

    number: int
    host: str = "localhost"
    timeout: float | None = values.USUAL

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", values.whole("Port.number", self.number, 1, 65535))
        values.text("Port.host", self.host, "a name or an address, as 'localhost' or '::1'")
        object.__setattr__(self, "timeout", values.seconds("Port.timeout", self.timeout))

    def start(self, subject: Subject) -> Probe:
        """Connect when it is first looked at."""
        return _Knocking(self.number, self.host, subject)


class _Knocking:
    def __init__(self, number: int, host: str, subject: Subject) -> None:
        self._number = number
        self._host = host
        self._subject = subject
        self._judge = owners.Judge(subject.name)
        self._pace = Pace()
        self._lookup: Aside[list[_Address]] | None = None
        self._known = _numeric(host, number)
        self._open: dict[_Address, tuple[socket.socket, float]] = {}
        self._failed: dict[_Address, str] = {}
        self._last = NotYet("not tried yet")
        self._suspect: tuple[str, int] | None = None

    def look(self, now: float) -> Answer:
        if self._pace.is_due(now):
            suspect, self._suspect = self._suspect, None
            if suspect is not None:  # without one more connection, for which a stranger may have no room
                finding = owners.of_port(suspect, self._subject)
                if finding.whose is owners.Whose.STRANGERS:
                    return self._judged(finding, suspect, now)
            addresses = self._known or self._looked_up(now)
            if isinstance(addresses, NotYet):
                return addresses
            self._knock(addresses, now)
        connected = self._settle()
        return self._reached(connected, now) if connected else self._not_reached(now)

    def _looked_up(self, now: float) -> list[_Address] | NotYet:
        """The addresses of a name, which may take the resolver a while."""
        if self._lookup is None:
            host, number = self._host, self._number
            self._lookup = Aside("lookup", lambda: _resolved(host, number), now)
        outcome = self._lookup.outcome()
        if outcome is None:
            return NotYet(f"{self._host} is looked up", readable=(self._lookup.fd,))
        self._lookup = None
        found, error = outcome
        if found:
            return found
        self._last = NotYet(f"{self._host}: {_why(error)}", within=self._pace.next(now), cause=error)
        return self._last

    def _knock(self, addresses: list[_Address], now: float) -> None:
        self._failed.clear()
        for gone in [one for one, (_, since) in self._open.items() if one not in addresses or now - since >= RENEW]:
            self._open.pop(gone)[0].close()
        for address in addresses:
            if address not in self._open:
                self._begin(address, now)

    def _begin(self, address: _Address, now: float) -> None:
        family, where = address
        try:
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        except OSError as error:
            self._failed[address] = _why(error)
            return
        self._open[address] = sock, now
        try:
            code = sock.connect_ex(where)
        except (OSError, OverflowError) as error:
            self._fail(address, _why(error))
            return
        if code not in {0, errno.EINPROGRESS}:
            self._fail(address, os.strerror(code))

    def _settle(self) -> list[socket.socket]:
        """Find out what became of those under way: those that are connected."""
        connected = []
        for address, (sock, _) in list(self._open.items()):
            if _is_writable(sock):
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code or has_met_itself(sock):
                    self._fail(address, os.strerror(code or errno.ECONNREFUSED))
                else:
                    connected.append(sock)
        return connected

    def _fail(self, address: _Address, why: str) -> None:
        self._failed[address] = why
        self._open.pop(address)[0].close()

    def _reached(self, connected: list[socket.socket], now: float) -> Answer:
        found: list[tuple[owners.Finding, tuple[str, int]]] = []
        for sock in connected:
            with contextlib.suppress(OSError):  # it was closed at the other end
                peer = sock.getpeername()[:2]
                found.append((owners.of_port(peer, self._subject), peer))
        self.close()
        if not found:
            self._last = NotYet("a connection was closed at once", within=self._pace.next(now))
            return self._last
        # Of the two families one may be a stranger's.
        return self._judged(*next((one for one in found if one[0] is owners.OWN), found[0]), now)

    def _judged(self, finding: owners.Finding, peer: tuple[str, int], now: float) -> Answer:
        at = shown(peer)
        answer = self._judge.weigh(finding, f"the port {at}", f"connected to {at}")
        if isinstance(answer, NotYet):
            self._last = answer
            self._suspect = peer
            self._failed.clear()
            self._pace.put_off(now, owners.CONFIRM)
        return answer

    def _not_reached(self, now: float) -> Answer:
        by_reason: dict[str, list[str]] = {}
        for (_, where), why in self._failed.items():
            by_reason.setdefault(why, []).append(shown(where))
        for _, where in self._open:
            by_reason.setdefault("no answer yet", []).append(shown(where))
        if by_reason:
            told = "; ".join(f"{why} at {' and '.join(at)}" for why, at in by_reason.items())
            self._last = NotYet(told[:1].lower() + told[1:])
            self._judge.forget()
        writable = tuple(sock.fileno() for sock, _ in self._open.values())
        if not self._pace.is_due(now):
            within = self._pace.left(now)
        elif self._failed or not self._open:
            within = self._pace.next(now)
        else:
            within = min(since for _, since in self._open.values()) + RENEW - now
            self._pace.put_off(now, within)
        return replace(self._last, writable=writable, within=within)

    def close(self) -> None:
        self._lookup = None  # its thread holds what it needs
        for sock, _ in self._open.values():
            sock.close()
        self._open.clear()


def _numeric(host: str, number: int) -> list[_Address]:
    """The addresses, where no name has to be looked up."""
    if host == "localhost":
        return [(socket.AF_INET, ("127.0.0.1", number)), (socket.AF_INET6, ("::1", number))]
    try:
        at = ipaddress.ip_address(host)
    except ValueError:
        return []
    if getattr(at, "scope_id", None):
        return []  # the name of an interface becomes a number
    return [(socket.AF_INET if at.version == 4 else socket.AF_INET6, (host, number))]  # noqa: PLR2004 - the protocol


def _resolved(host: str, number: int) -> list[_Address]:
    found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((int(family), where) for family, _, _, _, where in found))


def shown(where: tuple[Any, ...]) -> str:
    """An address and its port, as a human writes them."""
    host, number = where[0], where[1]
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


def has_met_itself(sock: socket.socket) -> bool:
    """Whether the kernel chose the very port as its own end: it has then connected to itself, and nobody listens."""
    try:
        return bool(sock.getsockname()[:2] == sock.getpeername()[:2])
    except OSError:
        return False


def _is_writable(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    return bool(poller.poll(0))


def _why(error: BaseException | None) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
