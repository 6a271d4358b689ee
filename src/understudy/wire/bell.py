"""A descriptor by which any thread, and a signal's handler, wakes one that polls."""

from __future__ import annotations

import contextlib
import os


class Bell:
    """A pipe that closes when the last who holds it lets go: who rings late does not write to a stranger's file."""

    _ends: tuple[int, ...] = ()

    def __init__(self) -> None:
        self._ends = self.read, self._write = os.pipe()
        os.set_blocking(self.read, False)
        os.set_blocking(self._write, False)

    def ring(self) -> None:
        """Make ``read`` readable; it stays so until it is hushed."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"c")

    def hush(self) -> None:
        """Take what was rung so far for heard."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.read, 65536)

    def __del__(self) -> None:
        for end in self._ends:
            os.close(end)
