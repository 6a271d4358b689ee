"""The leash: a child dies with its parent, whatever it is doing.

The parent holds the only write end of a FIFO. Each child opens the read end for itself and asks the kernel to send
it SIGKILL when that end hangs up: no thread of the child, no Python and no zygote is needed for that.
"""

from __future__ import annotations

import fcntl
import os
import signal

FIFO = "leash"


class Leash:
    """The parent's end."""

    def __init__(self, directory: str) -> None:
        path = os.path.join(directory, FIFO)
        os.mkfifo(path, 0o600)
        # Read-write, for a FIFO cannot be opened for writing alone before it has a reader.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        # By this lock other processes know that this one lives; the kernel takes it back with the last breath.
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go: every child on this leash dies. Also for a forked copy of the parent, which must not hold it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:  # once: its number may be another's by the second time
            os.close(fd)


def arm(directory: str) -> int | None:
    """Put this process on the leash; None means that there is nobody at the other end.

    Where the kernel cannot send signals for a FIFO, the link looks at it with every heartbeat.
    """
    try:
        fd = os.open(os.path.join(directory, FIFO), os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    return fd if holds(fd) else None


def widen(fd: int) -> None:
    """Put all of this process's group on its leash: its own, which it has to lead."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpid())


def holds(fd: int) -> bool:
    """Whether somebody still holds the other end."""
    try:
        return os.read(fd, 1) != b""
    except OSError:
        return True  # nothing to read: somebody holds it; or the user's code closed our end, which tells nothing
