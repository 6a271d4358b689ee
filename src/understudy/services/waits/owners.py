"""Who holds a port or a socket: one of the subject's processes, a stranger, or nobody that can be seen."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from understudy.errors import HeldByStranger
from understudy.services.waits.watched import command
from understudy.waiting import Answer, Holds, Never, NotYet, Subject

CONFIRM = 0.05
"""Seconds after which what was found is looked at again: who is just leaving is no stranger yet."""
_LISTENS = b"0A"
_FIELDS = 10
_CREDENTIALS = struct.Struct("3i")


class Whose(Enum):
    """To whom what was reached belongs."""

    OWN = "own"
    STRANGERS = "strangers"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of the holder."""

    whose: Whose
    told: str = ""
    pid: int | None = None
    process: str = ""


OWN = Finding(Whose.OWN)


class Judge:
    """What follows for a wait: a pure decision, over two looks where the holder isn't the subject's own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: Finding | None = None

    def weigh(self, finding: Finding, what: str, seen: str) -> Answer:
        """What was reached is the subject's own, or that is not certain yet, or it is certainly not."""
        last, self._last = self._last, finding
        if finding.whose is Whose.OWN:
            return Holds(seen)
        if finding != last:
            return NotYet(f"{seen}; {finding.told}", within=CONFIRM)
        if finding.whose is Whose.UNKNOWN:
            return Holds(f"{seen}; {finding.told}")
        told = f"{what} is {finding.told}, which is none of {self._name}'s"
        return Never(HeldByStranger(told, pid=finding.pid, process=finding.process))

    def forget(self) -> None:
        """Nothing is reached any more."""
        self._last = None


def of_port(peer: tuple[str, int], subject: Subject) -> Finding:
    """Who listens where this connection leads: the address of its other end, as a socket tells it."""
    if subject.pids() is None:
        return OWN
    return _found(listeners(peer[0], peer[1]), subject, None)


def of_socket(path: str, connected: socket.socket, subject: Subject) -> Finding:
    """Who listens at that path; the kernel keeps who did when it began to."""
    pids = subject.pids()
    if pids is None:
        return OWN
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(credentials)
    if pid in pids:
        return OWN
    return _found(bound(path), subject, (pid, uid) if pid > 0 else None)


def listeners(address: str, port: int) -> dict[int, int]:
    """The inodes of the sockets that take connections to that address, each with the user whose it is."""
    wanted = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(wanted, ipaddress.IPv6Address) and wanted.ipv4_mapped is not None:
        wanted = wanted.ipv4_mapped
    found = [(rank, inode, uid) for at, inode, uid in _listening(port) if (rank := _rank(at, wanted)) is not None]
    best = min((rank for rank, _, _ in found), default=None)
    return {inode: uid for rank, inode, uid in found if rank == best}


def _rank(
    at: ipaddress.IPv4Address | ipaddress.IPv6Address, wanted: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> int | None:
    """How near a listener's address is to the wanted one, as the kernel chooses; None where it is another."""
    if at == wanted:
        return 0
    if isinstance(at, ipaddress.IPv6Address) and at.ipv4_mapped == wanted:
        return 1
    if not at.is_unspecified:
        return None
    return 2 if at.version == wanted.version else 3 if at.version == 6 else None  # noqa: PLR2004 - of the protocol


def _listening(port: int) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int, int]]:
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}", "rb") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) >= _FIELDS and fields[3] == _LISTENS:
                at, _, number = fields[1].partition(b":")
                if int(number, 16) == port:
                    yield _address(at), int(fields[9]), int(fields[7])


def _address(digits: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address as the kernel prints it: words of four bytes, each as this machine orders them."""
    raw = bytes.fromhex(digits.decode())
    if sys.byteorder == "little":
        raw = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    return ipaddress.ip_address(raw)


def bound(path: str) -> dict[int, int]:
    """The inodes of the sockets that bear this path, each with no user that would be known."""
    shown = "@" + path[1:] if path.startswith("\0") else path
    last = os.path.basename(shown)
    found: dict[int, int] = {}
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return found
    for line in lines:
        fields = line.split(maxsplit=7)
        name = fields[7] if len(fields) > 7 else ""  # noqa: PLR2004 - the eighth column
        # It stands there as it was bound: relative to a directory, or through a link, that may be another one by now.
        if name == shown or (os.path.basename(name) == last and (name[:1] != "/" or _is_same(name, path))):
            found[int(fields[6])] = -1
    return found


def _is_same(name: str, path: str) -> bool:
    return os.path.realpath(name) == os.path.realpath(path)


def _found(inodes: Mapping[int, int], subject: Subject, credentials: tuple[int, int] | None) -> Finding:
    own = subject.pids() or ()
    wanted = {f"socket:[{inode}]" for inode in inodes}
    holds = {one: _holds(one, wanted) for one in own}
    if any(holds.values()):
        return OWN
    pid, uid = credentials or (0, next(iter(inodes.values()), None))
    name = command(pid)
    if not name:  # not known, or gone and what it listened with is others' now
        pid = _holder(wanted, own)
        name = command(pid)
    if pid in (subject.pids() or ()):
        return OWN  # it was started meanwhile
    if name:
        mine = ", this program itself" if pid == os.getpid() else ""
        return Finding(Whose.STRANGERS, f"held by process {pid} ({name}{mine})", pid, name)
    unknown = "who holds it cannot be known, for"
    for one, held in holds.items():
        if held is None:
            return Finding(Whose.UNKNOWN, f"{unknown} process {one} may not be looked into")
    if uid is None:
        return Finding(Whose.UNKNOWN, f"{unknown} this machine's tables have nobody there")
    owner = f"user {uid}" if uid >= 0 else "somebody else"
    return Finding(Whose.STRANGERS, f"held by a process of {owner} that may not be looked into", None, owner)


def _holder(wanted: Collection[str], known: Collection[int]) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in known and _holds(int(entry), wanted):
            return int(entry)
    return 0


def _holds(pid: int, wanted: Collection[str]) -> bool | None:
    """Whether a process has one of these descriptors; None where it may not be asked."""
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        return None
    except OSError:
        return False
    for number in numbers:
        try:
            if os.readlink(f"/proc/{pid}/fd/{number}") in wanted:
                return True
        except OSError:  # closed meanwhile
            continue
    return False
