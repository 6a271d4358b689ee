"""What the operating system holds for this process at one moment, read from /proc and the directories in use."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINE = 4096  # bytes, more than any /proc/PID/stat has
_STATE, _PARENT, _FLAGS, _STARTED = (
    0,
    1,
    6,
    19,
)  # fields of /proc/PID/stat, counted after the command, which may hold anything

_KERNEL = 0x00200000
"""The flag of a process that is a thread of the kernel."""

_kernel_threads: dict[tuple[str, int], SeenProcess] = {}
"""Those of the last look: nothing of theirs changes, and they are most of what a quiet machine runs."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - looked at, never written to


class Identity(NamedTuple):
    """A number and when it was given out, in clock ticks since boot: numbers are used again, pairs are not."""

    number: int
    started: int


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """One process as /proc showed it."""

    identity: Identity
    parent: int
    zombie: bool
    command: str
    kernel: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Processes of the whole machine; descriptors and threads of this process; entries of shared directories."""

    processes: Mapping[int, SeenProcess]
    descriptors: Mapping[int, str]
    threads: Mapping[Identity, str]
    entries: frozenset[str]


def require_proc() -> None:
    """Raise NotImplementedError where there is nothing to look at."""
    if not Path("/proc/self/stat").exists():
        raise NotImplementedError("leaks are found through /proc, which this platform does not have")


def take() -> Snapshot:
    """Look once."""
    return Snapshot(_processes(), _descriptors(), _threads(), frozenset(_entries()))


def family(seen: Snapshot) -> set[int]:
    """This process and its descendants, by who is whose parent."""
    children: dict[int, list[int]] = {}
    for pid, process in seen.processes.items():
        children.setdefault(process.parent, []).append(pid)
    found: set[int] = set()
    wanted = [os.getpid()]
    while wanted:
        pid = wanted.pop()
        if pid not in found:
            found.add(pid)
            wanted.extend(children.get(pid, ()))
    return found


def new_descriptors(before: Snapshot, after: Snapshot) -> dict[int, str]:
    """Descriptors that `after` has over `before`; a target that only moved to another number is not new."""
    gone = Counter(target for fd, target in before.descriptors.items() if after.descriptors.get(fd) != target)
    new: dict[int, str] = {}
    for fd, target in sorted(after.descriptors.items()):
        if before.descriptors.get(fd) == target:
            continue
        if gone[target]:
            gone[target] -= 1
        else:
            new[fd] = target
    return new


def command_line(pid: int) -> str:
    """The command of a process; empty when it has none (a zombie, a kernel thread) or is gone."""
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def environment(pid: int) -> dict[bytes, bytes]:
    """The environment a process was started with; empty when it is gone or not ours to read."""
    pairs = (entry.partition(b"=") for entry in _read(f"/proc/{pid}/environ").split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def maps(pid: int, name: str) -> bool:
    """Whether a process has a file of that name mapped; False when it is gone or not ours to read."""
    return name.encode() in _read(f"/proc/{pid}/maps")


def has_memory(pid: int) -> bool:
    """Whether a process has anything mapped: kernel threads and zombies have not; False as for `maps`."""
    return bool(_read(f"/proc/{pid}/maps"))


def holds(pid: int, path: str) -> bool:
    """Whether a process has this very file mapped, under whatever name it did so; False as for `maps`.

    A semaphore of `multiprocessing` gets its name only after its maker has mapped it.
    """
    try:
        file = os.stat(path)
    except FileNotFoundError:
        return False
    device, inode = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}".encode(), str(file.st_ino).encode()
    return any(line.split(maxsplit=5)[3:5] == [device, inode] for line in _read(f"/proc/{pid}/maps").splitlines())


def _processes() -> dict[int, SeenProcess]:
    found: dict[int, SeenProcess] = {}
    threads: dict[tuple[str, int], SeenProcess] = {}
    with os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdecimal():
                continue
            key = entry.name, entry.inode()  # who gets a number that was used before has another inode
            seen = _kernel_threads.get(key) or _process(int(entry.name))
            if seen is None:
                continue
            found[seen.identity.number] = seen
            if seen.kernel:
                threads[key] = seen
    _kernel_threads.clear()
    _kernel_threads.update(threads)
    return found


def _process(pid: int) -> SeenProcess | None:
    stat = _brief(f"/proc/{pid}/stat")
    if not stat:
        return None
    name, fields = _split(stat)
    identity, kernel = Identity(pid, int(fields[_STARTED])), bool(int(fields[_FLAGS]) & _KERNEL)
    return SeenProcess(identity, int(fields[_PARENT]), fields[_STATE] in b"ZX", name, kernel)


def _threads() -> dict[Identity, str]:
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[Identity, str] = {}
    for entry in os.listdir("/proc/self/task"):
        stat = _brief(f"/proc/self/task/{entry}/stat")
        if stat:
            name, fields = _split(stat)
            found[Identity(int(entry), int(fields[_STARTED]))] = names.get(int(entry), f"{name}, not Python's")
    return found


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that the listing itself was read through
            found[int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
    return found


def _entries() -> Iterator[str]:
    temporary = tempfile.gettempdir()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [f"{temporary}/understudy-{os.geteuid()}"] + ([f"{runtime}/understudy"] if runtime else [])
    yield from _listed(SHARED_MEMORY)
    yield from (path for path in _listed(temporary, "understudy") if path not in bases)
    for base in bases:  # a base may stay; what each system made in it may not
        yield from _listed(base)


def _listed(directory: str, prefix: str = "") -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        yield from (f"{directory}/{name}" for name in os.listdir(directory) if name.startswith(prefix))


def _split(stat: bytes) -> tuple[str, list[bytes]]:
    head, _, tail = stat.rpartition(b")")
    return head.partition(b"(")[2].decode(errors="replace"), tail.split(maxsplit=_STARTED + 1)


def _brief(path: str) -> bytes:
    """As `_read`, of a file that is one line: every look reads one of these for each process of the machine."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        return os.read(fd, _LINE)
    except ProcessLookupError:
        return b""
    finally:
        os.close(fd)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""  # gone meanwhile, or somebody else's
