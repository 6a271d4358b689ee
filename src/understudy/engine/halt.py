"""The wish to stop. Set from hooks, the link's thread or a signal handler; seen by whoever runs, sleeps or waits."""

from __future__ import annotations

import os
import threading
from time import monotonic

from understudy.wire.bell import Bell

NO, AFTER_LAP, AFTER_SECTION = 0, 1, 2
GLANCE = 1.0
"""Seconds after which a wait of the main thread returns to Python for a moment: a signal that comes between the last
look at signals and the wait itself interrupts nothing, and would be heeded only when the wait is over."""


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
        until = monotonic() + seconds
        while True:
            left = max(0.0, until - monotonic())
            if self._lock.acquire(timeout=min(left, GLANCE)):
                self._lock.release()
                return False
            if left <= GLANCE:
                return True
