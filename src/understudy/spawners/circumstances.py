"""The parent's circumstances at the time of spawn, for every life of the actor.

Its place: directory, environment, umask, `sys.path`, `sys.argv`. Its levels: those of its loggers, and which of these
have handlers.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import Any

from understudy.spawners.family import MARKER
from understudy.wire.codec import pack, unpack

_LIMIT = 64 << 20
_COMM = 15
"""Bytes of a name that the kernel keeps."""


_place = b""
"""Where this process stands already, if it has taken a place on: a child that is born to the same one need not."""


def place() -> bytes:
    """Directory, environment, umask, `sys.path` and `sys.argv` of this process, now."""
    arguments = [str(argument) for argument in getattr(sys, "argv", None) or [""]]
    # Sorted, for two processes with the same variables may hold them in different orders.
    variables = {key: value for key, value in sorted(environment().items()) if key != MARKER.encode()}
    return pack([directory(), _identity(), variables, _umask(), [str(entry) for entry in sys.path], arguments])


def directory() -> str | None:
    """Where this process works; None where that is gone."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def environment() -> dict[bytes, bytes]:
    """The variables of this process, of one instant: other threads of the user may change them meanwhile."""
    return dict(os.environb._data)  # type: ignore[attr-defined]  # noqa: SLF001 - the mapping itself is read key by key


def open_standard_descriptors() -> None:
    """Point those of 0, 1 and 2 that a program has closed to nowhere.

    Else what is opened next gets their numbers, and is what actors print into.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            lowest = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(lowest, True)  # noqa: FBT003 - it takes no keyword


def levels() -> bytes:
    """How the loggers of this process are set."""
    return pack(_loggers())


def take(packed: bytes) -> None:
    """Take a place on, for this process and those that it forks."""
    global _place  # noqa: PLW0603 - of the process, as the environment is
    if packed == _place:
        return
    where, _, variables, umask, paths, arguments = unpack(packed, _LIMIT)
    _become(variables)
    os.umask(umask)
    if where is not None:
        # A directory that is gone since leaves the child where the zygote stands, as it would leave the parent.
        with contextlib.suppress(OSError):
            os.chdir(where)
    sys.path[:] = paths
    sys.argv[:] = arguments
    _place = packed


def forget() -> None:
    """Something has moved this process since: whoever is forked from here takes on all of its place."""
    global _place  # noqa: PLW0603 - of the process, as the environment is
    _place = b""


def stands(packed: bytes) -> bool:
    """Whether this process still is in that place."""
    return place() == packed


def wear(mark: str) -> None:
    """Name the incarnation in the environment of all that this process starts."""
    os.environ[MARKER] = mark


def bear(name: str) -> None:
    """Be seen under that name by `ps`, `top` and the like, as far as the kernel has room for it."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as file:
        file.write(name.encode()[:_COMM])


def apply_to_loggers(packed: bytes) -> None:
    """Let records pass as in the parent, and leave them to its handlers where it has some.

    To be done again when the state is open: modules set up their loggers as they are imported.
    """
    levels, disabled, handled = unpack(packed, _LIMIT)
    logging.disable(disabled)
    for name, level in levels.items():
        logging.getLogger(name or None).setLevel(level)
    for name in handled:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for known in logging.getLogger().manager.loggerDict.values():
        if isinstance(known, logging.Logger):
            known.disabled = False  # the parent's own decides


def _identity() -> list[int]:
    """Which directory that is: by the time of a fork another one may bear the name."""
    with contextlib.suppress(OSError):
        found = os.stat(".")
        return [found.st_dev, found.st_ino]
    return []


def _become(environment: dict[bytes, bytes]) -> None:
    current = os.environb
    for key in [key for key in current if key not in environment and key != MARKER.encode()]:
        del current[key]
    for key, value in environment.items():
        if current.get(key) != value:
            current[key] = value


def _umask() -> int:
    # Reading it by setting it would change it for other threads for a moment.
    with contextlib.suppress(OSError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _loggers() -> tuple[dict[str, int], int, list[str]]:
    root = logging.getLogger()
    levels: dict[str, Any] = {"": root.level}
    handled = []
    for name, logger in list(root.manager.loggerDict.items()):
        if not isinstance(logger, logging.Logger):
            continue
        if logger.level != logging.NOTSET:
            levels[name] = logger.level
        if logger.handlers or not logger.propagate:
            handled.append(name)
    return levels, root.manager.disable, handled
