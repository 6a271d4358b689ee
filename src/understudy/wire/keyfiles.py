"""The files of a keyring: read where nobody else can have written them, written whole, looked at for changes."""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from understudy.errors import AccessDenied, ConfigError
from understudy.wire import regular

_LONGEST = 4_096
SECRET, WRITTEN = 0o077, 0o022
"""What nobody else may do: with a file that holds a secret or a directory of a keyring; with the file of a member."""


def look(folder: Path) -> tuple[object, list[int]]:
    """What changes when somebody adds to it, takes from it, or changes one of its files or their rights; and when."""
    try:
        whole = _looks(folder.stat())
        with os.scandir(folder) as entries:
            names = sorted(one.path for one in entries if one.name.endswith(".pub"))
    except OSError as error:
        return error.errno, []
    found: dict[str, object] = {}
    moments = [whole[-1]]
    for name in names:
        try:
            found[name] = one = _looks(os.stat(name))
            moments.append(one[-1])
        except OSError as error:
            found[name] = error.errno
    return (whole, found), moments


def _looks(found: os.stat_result) -> tuple[int, ...]:
    # Who writes to a file, or changes its rights, cannot set the time of that change.
    return found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def check_mode(folder: Path) -> None:
    """Raise AccessDenied where others can look into it or write to it, ConfigError where there is none."""
    try:
        found = folder.stat()
    except OSError as error:
        raise ConfigError(f"there is no keyring at {folder}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & SECRET:
        raise AccessDenied(
            f"{folder} must be a directory of mode 0700 that belongs to this user: others could add keys"
        )


def read(path: Path, *, forbidden: int) -> dict[str, Any]:
    """What stands in it; raises ConfigError where that cannot be read.

    Raises AccessDenied where it is not this user's, or others may do with it what is ``forbidden``.
    """
    try:
        with os.fdopen(regular.opened(str(path), os.O_RDONLY), "rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & forbidden:
        holds = "holds a secret" if forbidden == SECRET else "says who may come in"
        raise AccessDenied(f"{path} {holds} and must belong to this user with mode 0600 (chmod 600 {path})")
    if len(text) > _LONGEST:
        raise ConfigError(f"{path} is no key file: it has more than {_LONGEST} bytes")
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no key file: {error}") from None


def write(path: Path, text: str) -> None:
    """All of it at once, and only where there is nothing; else it raises FileExistsError."""
    fd, made = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # of mode 0600
    try:
        _fill(fd, text)
        os.link(made, path)
    finally:
        os.unlink(made)


def write_here(path: Path, text: str) -> None:
    """Only where there is nothing, else it raises FileExistsError; also where links cannot be made."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _fill(fd, text)
    except BaseException:
        os.unlink(path)
        raise


def _fill(fd: int, text: str) -> None:
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)


def text_of(comment: str, values: dict[str, Any]) -> str:
    """The text of such a file; of values these are names, keys and numbers."""
    lines = [f"# understudy: {comment}", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _toml(value: object) -> str:
    return repr(value) if isinstance(value, float) else f'"{value}"'  # names and Z85 hold neither quote nor backslash
