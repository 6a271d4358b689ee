"""The directory of a system, of mode 0700: its sockets, its leash, a directory for each actor; found by name."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path

from understudy.errors import AccessDenied, ConfigError, UnknownActor

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


def make(name: str) -> str:
    """A fresh directory for a system."""
    made = tempfile.mkdtemp(prefix=f"{name[:24]}.", dir=base())
    if len(os.fsencode(made)) + _LONGEST_SOCKET > _SOCKET_PATH_LIMIT:
        os.rmdir(made)
        raise ConfigError(f"{made} is too long for a socket's path; set XDG_RUNTIME_DIR to a shorter one")
    Path(made, "name").write_text(f"{name}\n{os.getpid()}\n", encoding="utf-8")
    os.mkdir(os.path.join(made, "actors"), 0o700)
    return made


def resolve(endpoint: str) -> str:
    """The directory of a local system, by its endpoint or its name; raises UnknownActor where there is none."""
    if endpoint.startswith("ipc://"):
        directory = endpoint.removeprefix("ipc://")
        if not os.path.isdir(directory):  # a socket would wait for it until the timeout, without a word
            raise UnknownActor(f"no system runs at {endpoint!r}")
        return directory
    found = [str(entry.parent) for entry in base().glob("*/name") if _bearer(entry) == endpoint]
    if not found:
        raise UnknownActor(f"no system named {endpoint!r} runs here")
    return found[-1]


def is_served(directory: str) -> bool:
    """Whether the process whose system that is still lives, be it paused."""
    return _bearer(Path(directory, "name")) is not None


def _bearer(entry: Path) -> str | None:
    """The name of the living system whose file that is; the file may be half written, or gone by now."""
    try:
        name, pid, *_ = entry.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return None
    return name if pid.isdecimal() and _lives(int(pid)) else None


def _lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}") or not os.path.exists("/proc/self")
