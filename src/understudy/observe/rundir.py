"""The directory of a system, of mode 0700: its sockets, its leash, a directory for each actor; found by name.

Who holds the lock on the leash lives: a lock ends with its process, whatever ended that, and is no number that another
process could bear later, or in another container.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import AccessDenied, ConfigError, NameTaken, UnknownActor
from understudy.settings import shown

LEASH = "leash"
"""The file whose lock says that the system lives."""
_SOCKET_PATH_LIMIT = 107
_LONGEST_SOCKET = len("/commands")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def base() -> Path:
    """Where this user's systems have their directories; made if missing, refused if it is somebody else's."""
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR")
    own = f"understudy-{os.geteuid()}"
    place = Path(runtime_dir, "understudy") if runtime_dir else Path(tempfile.gettempdir(), own)
    if len(os.fsencode(place)) > _SOCKET_PATH_LIMIT - 80:
        # A socket's path has about 107 bytes; a deep temporary directory would not leave enough of them.
        place = Path("/tmp", own)  # noqa: S108 - owner and mode are checked below
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise AccessDenied(f"{place} must be a directory of mode 0700 that belongs to this user")
    return place


def check_system_name(name: object) -> str:
    """The name, if a system can have it; raises ConfigError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a system: up to 64 letters, digits, '.', '_' and '-', the first a letter or digit"
        )
    return name


def free_name() -> str:
    """Script and pid, with a number where a system of that name lives; to be asked in the `entrance`."""
    script = os.path.splitext(os.path.basename((getattr(sys, "argv", None) or [""])[0] or ""))[0]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", script).strip("-._") or "python"
    name, taken = f"{stem[:40]}-{os.getpid()}", names()
    return next(free for n in itertools.count(1) if (free := name if n == 1 else f"{name}-{n}") not in taken)


@contextlib.contextmanager
def entrance() -> Iterator[None]:
    """One system of this user at a time makes its directory and locks its leash; what the dead left is swept."""
    place = base()
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        for entry in place.glob("*.*/name"):
            if not is_served(str(entry.parent)):
                shutil.rmtree(entry.parent, ignore_errors=True)
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)  # a copy of this process that was forked meanwhile has it open too
        os.close(fd)


def make(name: str) -> str:
    """A fresh directory for a system, made in the `entrance`; raises NameTaken if one of that name lives."""
    if taken := _named(name):
        pid = (taken[0] / "name").read_text(encoding="utf-8").split("\n")[1]
        raise NameTaken(f"a system named {name!r} runs already (pid {pid}); choose another name, or stop it first")
    made = tempfile.mkdtemp(prefix=f"{name[:24]}.", dir=base())
    if len(os.fsencode(made)) + _LONGEST_SOCKET > _SOCKET_PATH_LIMIT:
        os.rmdir(made)
        raise ConfigError(f"{made} is too long for a socket's path; set XDG_RUNTIME_DIR to a shorter one")
    Path(made, "name").write_text(f"{name}\n{os.getpid()}\n", encoding="utf-8")
    os.mkdir(os.path.join(made, "actors"), 0o700)
    return made


def resolve(endpoint: str) -> str:
    """The directory of a local system, by its endpoint or its name; raises UnknownActor where there is none."""
    if not isinstance(endpoint, str):
        raise ConfigError(f"{shown(endpoint)} is no endpoint: give the name of a system, or what its .endpoint says")
    if endpoint.startswith("ipc://"):
        directory = endpoint.removeprefix("ipc://")
        if not os.path.isdir(directory):  # a socket would wait for it until the timeout, without a word
            raise UnknownActor(f"no system runs at {endpoint!r}")
        return directory
    found = _named(endpoint)
    if not found:
        running = ", ".join(names()) or "none does"
        raise UnknownActor(f"no system named {endpoint!r} runs here; of this user run: {running}")
    return str(found[0])


def names() -> list[str]:
    """The names of this user's living systems."""
    return [each.name for each in running()]


@dataclass(frozen=True, slots=True)
class Running:
    """A living system: its name, the process that runs it, and since when, in seconds since the epoch."""

    name: str
    pid: int
    directory: str
    since: float

    @property
    def endpoint(self) -> str:
        """What an `Observer` and a `Remote` take."""
        return f"ipc://{self.directory}"


def running() -> list[Running]:
    """This user's living systems, by name."""
    found = (running_at(str(entry.parent)) for entry in base().glob("*.*/name"))
    return sorted((each for each in found if each is not None), key=lambda each: each.name)


def running_at(directory: str) -> Running | None:
    """The living system of that directory; None where there is none, or one that has just begun or ended."""
    entry = Path(directory, "name")
    try:
        name, pid, *_ = entry.read_text(encoding="utf-8").split("\n")
        since = entry.stat().st_mtime
        return Running(name, int(pid), directory, since) if name and is_served(directory) else None
    except (OSError, ValueError):
        return None


def is_served(directory: str) -> bool:
    """Whether the process whose system that is still lives, be it paused."""
    try:
        fd = os.open(os.path.join(directory, LEASH), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _named(name: str) -> list[Path]:
    entries = base().glob("*.*/name")
    return [entry.parent for entry in entries if _name_in(entry) == name and is_served(str(entry.parent))]


def _name_in(entry: Path) -> str:
    """What stands in the file, which may be half written, or gone by now."""
    try:
        return entry.read_text(encoding="utf-8").split("\n")[0]
    except (OSError, ValueError):
        return ""
