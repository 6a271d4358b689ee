"""Who descends from whom, and the sweep of what an actor leaves behind.

Orphans of an actor land at the zygote, a child subreaper. Whose they were is told by the marker in the environment of
what was exec'd, by the mark that a plain fork still has mapped, and by a limit that outlives exec, a session of one's
own and an environment that was emptied or written over. The session that each actor leads says where to look closely.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import resource
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from understudy.spawners import signals
from understudy.wire.page import anonymous_file

MARKER = "UNDERSTUDY_ACTOR"
_worn: list[mmap.mmap] = []
_SIGNED = 1 << 60
_UIDS, _INCARNATIONS = 1 << 20, 1 << 12


@dataclass(frozen=True, slots=True)
class Row:
    """One process of the process table."""

    pid: int
    state: str
    parent: int
    session: int
    started: int


def row(pid: int) -> Row | None:
    """A process by its number, or None if there is none; raises OSError where no descriptor is left to look with."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError as error:
        if error.errno in signals.SCARCE:
            raise
        return None
    # The command may hold blanks and brackets: what counts follows its last bracket.
    values = text[text.rindex(b")") + 2 :].split()
    return Row(pid, values[0].decode(), int(values[1]), int(values[3]), int(values[19]))


def table() -> dict[int, Row]:
    """All processes."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return {}
    rows = (row(int(name)) for name in names if name.isdigit())
    return {found.pid: found for found in rows if found is not None}


def called(pid: int) -> str:
    """A process by name and number, for people."""
    return f"{_read(f'/proc/{pid}/comm').decode(errors='replace').strip() or 'a process'} (pid {pid})"


def own_children() -> set[int] | None:
    """The children of this single-threaded process; None where the kernel does not list them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return {int(pid) for pid in file.read().split()}
    except OSError:
        return None


def descendants(rows: dict[int, Row], roots: Iterable[int]) -> list[Row]:
    """All that descend from the roots, without these."""
    children: dict[int, list[Row]] = {}
    for one in rows.values():
        children.setdefault(one.parent, []).append(one)
    found: list[Row] = []
    queue = list(roots)
    while queue:
        below = children.get(queue.pop(), [])
        found.extend(below)
        queue.extend(one.pid for one in below)
    return found


def marker(system: str, uid: int, incarnation: int) -> str:
    """The value of the marker in the environment of one incarnation."""
    return f"{system}/{uid}/{incarnation}"


def mark_name(system: str, uid: int, incarnation: int) -> str:
    """The name under which the mark of an incarnation shows in the maps of what it forked."""
    return f"understudy-mark:{system}:{uid}:{incarnation}:"


def wear_mark(system: str, uid: int, incarnation: int) -> None:
    """Map the mark into this process and so into all that it forks; not the page, for the parent maps that too."""
    fd = anonymous_file(mark_name(system, uid, incarnation))
    os.ftruncate(fd, mmap.PAGESIZE)
    _worn.append(mmap.mmap(fd, mmap.PAGESIZE, prot=mmap.PROT_READ))
    os.close(fd)
    # Microseconds of real-time processing without a pause, some ten thousand years of them: nobody comes near.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        now, most = resource.getrlimit(resource.RLIMIT_RTTIME)
        if now == resource.RLIM_INFINITY or now >= _SIGNED:
            resource.setrlimit(resource.RLIMIT_RTTIME, (signature(system, uid, incarnation), most))


def signature(system: str, uid: int, incarnation: int) -> int:
    """The limit by which what an incarnation started is told."""
    return _SIGNED | zlib.crc32(system.encode()) % (1 << 28) << 32 | uid % _UIDS << 12 | incarnation % _INCARNATIONS


def signed(pid: int) -> int:
    """The signature that a process bears, or whatever else its limit is; 0 where it may not be asked."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except (OSError, AttributeError):
        return 0


@dataclass(frozen=True, slots=True)
class Departed:
    """An incarnation that has ended."""

    pid: int
    system: str
    uid: int
    incarnation: int

    def traces(self) -> Traces:
        """What all bear that it started: a session is but a number, and may be reused."""
        whose = (self.system, self.uid, self.incarnation)
        return Traces(signature(*whose), f"{MARKER}={marker(*whose)}\0".encode(), mark_name(*whose).encode())


class Traces(NamedTuple):
    """The limit, the variable and the mapped name of one incarnation."""

    limit: int
    variable: bytes
    page: bytes


def sweep(departed: Iterable[Departed], *, reaper: int | None) -> list[int]:
    """Kill what the departed left behind, with its descendants; says which.

    With a ``reaper`` only what has landed there, and what bears a session of theirs, is looked at closely.
    """
    gone = [(dead.pid, dead.traces()) for dead in departed]
    numbers = {pid for pid, _ in gone}

    def left(one: Row) -> bool:
        near = reaper is None or one.parent == reaper
        suspects = [traces for pid, traces in gone if near or one.session == pid]
        return bool(suspects) and one.pid not in numbers and _bears(one.pid, suspects)

    return _hunt(left)


def clear(system: str, since: int = 0) -> None:
    """Kill every actor of the system, and whatever any of them has started; nothing that is older than that tick."""
    prefix, mark, page = (
        signature(system, 0, 0) >> 32,
        f"{MARKER}={system}/".encode(),
        f"understudy-mark:{system}:".encode(),
    )

    def belongs(one: Row) -> bool:
        return one.started >= since and (
            signed(one.pid) >> 32 == prefix
            or mark in _read(f"/proc/{one.pid}/environ")
            or page in _read(f"/proc/{one.pid}/maps")
        )

    _hunt(belongs)


def _hunt(quarry: Callable[[Row], bool]) -> list[int]:
    killed: list[int] = []
    for _ in range(10):  # what forks while it is hunted is found in the next round
        rows = table()
        mine = os.getpid()
        heirs = [one for one in rows.values() if one.pid != mine and one.state != "Z" and quarry(one)]
        doomed = {one.pid: one for one in (*heirs, *descendants(rows, [one.pid for one in heirs])) if one.state != "Z"}
        fresh = [one.pid for one in doomed.values() if signals.kill_verified(one.pid, one.started, started)]
        if not fresh:
            break
        killed.extend(fresh)
    return sorted(set(killed))


def kill(roots: dict[int, int | None]) -> None:
    """SIGKILL processes (by number, with their pidfd where known) and all that descends from them."""
    rows: dict[int, Row] = {}
    with contextlib.suppress(OSError):  # no descriptor is left to look with: the sweep has others, or comes later
        rows = table()
    # Who still takes a signal had its number when the table was read: what descends from that number is its own.
    there = [pid for pid, pidfd in roots.items() if signals.send(pid, pidfd, 9)]
    with contextlib.suppress(OSError):
        for one in descendants(rows, there):
            signals.kill_verified(one.pid, one.started, started)


def is_stopped(pid: int) -> bool:
    """Whether the process is held by SIGSTOP or a tracer, as far as can be seen."""
    with contextlib.suppress(OSError):
        found = row(pid)
        return found is not None and found.state in {"T", "t"}
    return False


def started(pid: int) -> int | None:
    """The tick at which that process started; raises OSError where no descriptor is left to look with."""
    found = row(pid)
    return None if found is None else found.started


def _bears(pid: int, suspects: list[Traces]) -> bool:
    """Whether a process bears the traces of any of them; it is read once, however many they are."""
    limit = signed(pid)
    if any(limit == one.limit for one in suspects):
        return True
    environment = _read(f"/proc/{pid}/environ")
    if any(one.variable in environment for one in suspects):
        return True
    maps = _read(f"/proc/{pid}/maps")
    return any(one.page in maps for one in suspects)


def _read(path: str) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""
