"""What wakes a loop that waits for a terminal: news from other threads, a signal, another size."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Bell:
    """For the main thread. It is there until the process ends: a thread may ring late."""

    def __init__(self) -> None:
        self.number = 0
        """The signal that asks for the end, if one did."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` does
                signal.signal(number, self._heed)
        signal.signal(signal.SIGWINCH, self._heed)

    @property
    def fd(self) -> int:
        """Readable when it has rung."""
        return self._read

    def ring(self) -> None:
        """Wake the loop, from any thread."""
        with contextlib.suppress(BlockingIOError):  # it has rung so often that it is heard
            os.write(self._write, b"!")

    def hear(self) -> None:
        """Let it be silent again."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def _heed(self, number: int, _: FrameType | None) -> None:
        if number != signal.SIGWINCH:
            self.number = number
        self.ring()
