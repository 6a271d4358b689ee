"""The parent's circumstances at the time of spawn, for every life of the actor.

Directory, environment, umask, `sys.path`, `sys.argv`, and the levels of its loggers; which of these have handlers.
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


_remembered = b""


def remember() -> None:
    """In a zygote: what its children inherit they need not take on."""
    global _remembered  # noqa: PLW0603 - of the process, as the environment is
    _remembered = _environment()


def capture() -> bytes:
    """The circumstances of this process, now."""
    try:
        directory: str | None = os.getcwd()
    except FileNotFoundError:
        directory = None
    arguments = [str(argument) for argument in getattr(sys, "argv", [""])]
    paths = [str(entry) for entry in sys.path]
    return pack([directory, _environment(), _umask(), paths, arguments, _loggers()])


def apply(packed: bytes, mark: str) -> None:
    """Take them on; ``mark`` names the incarnation in the environment of all that it starts."""
    directory, environment, umask, paths, arguments, _ = unpack(packed, _LIMIT)
    if environment != _remembered:
        _become(unpack(environment, _LIMIT))
    os.environ[MARKER] = mark
    os.umask(umask)
    if directory is not None:
        # A directory that is gone since leaves the child where the zygote stands, as it would leave the parent.
        with contextlib.suppress(OSError):
            os.chdir(directory)
    sys.path[:] = paths
    sys.argv[:] = arguments
    apply_to_loggers(packed)


def apply_to_loggers(packed: bytes) -> None:
    """Let records pass as in the parent, and leave them to its handlers where it has some.

    To be done again when the state is open: modules set up their loggers as they are imported.
    """
    levels, disabled, handled = unpack(packed, _LIMIT)[-1]
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


def _environment() -> bytes:
    return pack({key: value for key, value in os.environb.items() if key != MARKER.encode()})


def _become(environment: dict[bytes, bytes]) -> None:
    current = os.environb
    for key in [key for key in current if key not in environment]:
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
