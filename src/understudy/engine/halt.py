"""The wish to stop. Set from hooks, the link's thread or a signal handler; seen by whoever runs, sleeps or waits."""

from __future__ import annotations

import os
import threading

from understudy.wire.bell import Bell

NO, AFTER_LAP, AFTER_SECTION = 0, 1, 2


class Halt:
    """How soon the laps are to end, and why."""

    __slots__ = ("_bell", "_first", "_lock", "cause", "event", "level", "order", "waiter")

    def __init__(self, bell: int) -> None:
        self.level = NO
        self.cause = ""
        self.order = ""
        """Which stop the parent has ordered, if it has: one of `STOPS`."""
        self.event = threading.Event()
        self._bell = bell
        self.waiter: Bell | None = None
        """Rung too, by whoever may wait for messages."""
        # A lock, for its release is one step: a signal handler may interrupt its own thread's sleep and wake it.
        self._lock = threading.Lock()
        self._lock.acquire()
        # One step too: a handler, the link's thread and the main thread may all stop at the same moment.
        self._first = threading.Lock()

    def stop(self, level: int, cause: str) -> None:
        """Wish for the end after this lap or section; a wish only grows stronger."""
        first = self._first.acquire(blocking=False)
        self.level = max(self.level, level)
        if first:
            self.cause = cause
            self._lock.release()
            # The event's own lock may be held by the thread that a signal interrupted: the link sets it.
            os.write(self._bell, b"s")
            if self.waiter is not None:
                self.waiter.ring()

    def sleep(self, seconds: float) -> bool:
        """True after so many seconds, False as soon as a stop stands."""
        if self._lock.acquire(timeout=min(max(0.0, seconds), threading.TIMEOUT_MAX)):
            self._lock.release()
            return False
        return True
