"""A thread that begins when it is needed for the first time."""

from __future__ import annotations

import threading
from collections.abc import Callable


class LateThread:
    """A daemon: whoever closes the system waits for it, the end of the program does not."""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._lock = threading.RLock()  # reentrant: a signal's handler may need the same thread
        self.started = False
        """Whether it has begun."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def begin(self) -> bool:
        """Let it run if it does not; False where no thread is to be had."""
        if not self.started:
            with self._lock:
                if not self.started:
                    try:
                        self._thread.start()
                    except RuntimeError:  # no thread is left, or this process is about to end
                        return False
                    self.started = True
        return True

    def join(self, seconds: float) -> None:
        """Wait so long for its end, no longer; of one that has not begun nothing."""
        if self.started:
            self._thread.join(max(0.0, seconds))
