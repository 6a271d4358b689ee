"""The wishes to stop and to pause, of hooks, the link's thread or a signal handler; seen by who runs, sleeps, waits."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from time import monotonic

from understudy.wire.bell import Bell
from understudy.wire.page import DEADLINE, NEVER, Page

NO, AFTER_LAP, AFTER_SECTION = 0, 1, 2
GLANCE = 1.0
"""Seconds after which a wait of the main thread returns to Python for a moment: a signal that comes between the last
look at signals and the wait itself interrupts nothing, and would be heeded only when the wait is over."""


class Halt:
    """How soon the laps are to end, and why; and whether they are to stand still meanwhile."""

    __slots__ = (
        "_bell", "_first", "_main", "_waits", "amid", "cause", "event", "heed", "level", "order", "page", "paused",
        "renewed", "waiter",
    )  # fmt: skip

    def __init__(self, bell: int) -> None:
        self.level = NO
        self.paused = False
        self.heed = False
        """Whether there is something to look at between two sections, by `hold`: the one word that a lap reads."""
        self.renewed = False
        """Whether settings have changed since the laps began to go by them."""
        self.cause = ""
        self.order = ""
        """Which stop the parent has ordered, if it has: one of `STOPS`."""
        self.event = threading.Event()
        self._bell = bell
        self.waiter: Bell | None = None
        """Rung too, by whoever may wait for messages."""
        self.page: Page | None = None
        """Whose deadline stands still in a pause."""
        self.amid: Callable[[], object] = _nothing
        """What the main thread has in hand beside others, whose deadlines would not stand still with it, if any."""
        self._waits: list[threading.Lock] = []
        """A lock for each thread that waits here: its release is one step, for a signal handler may interrupt its own
        thread's sleep and wake it."""
        # One step too: a handler, the link's thread and the main thread may all stop at the same moment.
        self._first = threading.Lock()
        self._main = threading.main_thread().ident

    def stop(self, level: int, cause: str) -> None:
        """Wish for the end after this lap or section; a wish only grows stronger."""
        first = self._first.acquire(blocking=False)
        self.level = max(self.level, level)
        self.heed = True
        if first:
            self.cause = cause
            # The event's own lock may be held by the thread that a signal interrupted: the link sets it.
            os.write(self._bell, b"s")
            self.wake()

    def pause(self) -> None:
        """Let the main thread stand still where it next looks."""
        self.paused = self.heed = True
        self.wake()

    def resume(self) -> None:
        """Let it go on."""
        self.paused = False
        self.wake()

    def renew(self) -> None:
        """Settings have changed: what goes by them is to look at them anew."""
        self.renewed = self.heed = True

    def hold(self) -> int:
        """In the main thread: stand still while a pause stands and no stop does; gives how soon the laps are to end.

        The deadline of the section that is open stands still with it.
        """
        # Cleared first: whoever wishes for something meanwhile sets it after what it is about.
        self.heed = False
        if self.paused and self.level == NO and self.amid() is None:
            self._stand_still()
        if self.paused or self.renewed or self.level != NO:
            self.heed = True
        return self.level

    def check(self) -> None:
        """Amid a section, in any thread: as `hold`, where that is meant."""
        if self.paused and threading.get_ident() == self._main:
            self.hold()

    def sleep(self, seconds: float) -> bool:
        """True after so many seconds, False as soon as a stop stands; a pause that is longer is waited for, too."""
        until = monotonic() + min(max(0.0, seconds), threading.TIMEOUT_MAX / 2)
        holds = threading.get_ident() == self._main and self.amid() is None
        while self.level == NO:
            if holds and self.paused:
                self.hold()
            elif (left := until - monotonic()) > 0:
                self.wait(lambda: self.level != NO or (holds and self.paused), left)
            else:
                return True
        return False

    def wait_readable(self, fileno: int) -> bool:
        """Until that descriptor can be read: True; False as soon as a stop stands. A pause is waited for, too."""
        bell = self.waiter = self.waiter or Bell()
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        poll.register(bell.read, select.POLLIN)
        while self.level == NO:
            self.check()
            found = dict(poll.poll(GLANCE * 1000))
            if bell.read in found:
                bell.hush()
            elif found:
                return True
        return False

    def _stand_still(self) -> None:
        reals = None if self.page is None else self.page.reals
        left = NEVER if reals is None else reals[DEADLINE] - monotonic()
        try:
            if reals is not None:
                reals[DEADLINE] = NEVER
            while self.paused and self.level == NO:
                self.wait(lambda: not self.paused or self.level != NO, threading.TIMEOUT_MAX)
        finally:
            if reals is not None:
                reals[DEADLINE] = monotonic() + left
                os.write(self._bell, b"p")  # it may be due before the link's thread would look again

    def wait(self, is_over: Callable[[], bool], seconds: float) -> None:
        """At most so long, until something changes; for any thread."""
        lock = threading.Lock()
        lock.acquire()
        self._waits.append(lock)
        try:
            if not is_over():  # asked after it can be woken
                lock.acquire(timeout=min(seconds, GLANCE))
        finally:
            self._waits.remove(lock)

    def wake(self) -> None:
        """Have who waits look anew."""
        for lock in self._waits[:]:
            with contextlib.suppress(RuntimeError):  # it is awake
                lock.release()
        if self.waiter is not None:
            self.waiter.ring()


def _nothing() -> None:
    """What one thread alone has in hand beside others."""
