"""A program's terminal, on which its actors' debuggers take turns with whatever else writes there.

The lock is on the terminal itself: whoever can open it can take part, and the kernel frees what a dead process held.
"""

from __future__ import annotations

import fcntl
import os


def of_input() -> str | None:
    """The path of the terminal that is this process's standard input; None if it is none."""
    try:
        return os.ttyname(0)
    except OSError:
        return None


class Terminal:
    """A terminal, opened by its path. Raises OSError where it is gone, or somebody else's."""

    def __init__(self, path: str) -> None:
        # Not to become the terminal of this session: Ctrl-C belongs to the program in the foreground.
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    def hold(self) -> None:
        """Wait until nobody else holds it."""
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def try_hold(self) -> bool:
        """Hold it, unless somebody else does."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def let_go(self) -> None:
        """The next one may."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def is_held_elsewhere(self) -> bool:
        """Whether somebody else holds it now."""
        if self.try_hold():
            self.let_go()
            return False
        return True

    def close(self) -> None:
        """Let go, and forget it."""
        os.close(self.fd)
