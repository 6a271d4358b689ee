"""One value, waited for by many threads, with no lock between those that wait and the one that sets it.

A thread that a signal interrupted amid a wait, and that now waits in the handler for the router, must not hold what the
router needs in order to go on: a `Future` has such a lock.
"""

from __future__ import annotations

import _thread
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Latch(Generic[T]):
    """Set once, with a value or an error; what a `Future` answers to those who wait, this does."""

    __slots__ = ("_callbacks", "_gates", "_outcome")

    def __init__(self) -> None:
        self._outcome: tuple[T | None, BaseException | None] | None = None
        self._gates: deque[_thread.LockType] = deque()
        self._callbacks: deque[Callable[[Any], object]] = deque()

    def done(self) -> bool:
        """Whether it is set."""
        return self._outcome is not None

    def result(self, timeout: float | None = None) -> T:
        """The value, or its error raised; waits so many seconds and raises TimeoutError."""
        if self._outcome is None:
            self._wait(timeout)
        outcome = self._outcome
        if outcome is None:
            raise TimeoutError
        value, error = outcome
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # set with the value's type

    def add_done_callback(self, tell: Callable[[Any], object]) -> None:
        """Call it once this is set, in the thread that sets it, or now; it must not raise."""
        self._callbacks.append(tell)
        if self._outcome is not None:
            self._open()

    def remove_done_callback(self, tell: Callable[[Any], object]) -> None:
        """Do not call it any more; nothing happens if it was called."""
        with contextlib.suppress(ValueError):
            self._callbacks.remove(tell)

    def set_result(self, value: T) -> None:
        """Set the value; the first that is set stands."""
        self._set(value, None)

    def set_exception(self, error: BaseException) -> None:
        """Set an error in its place."""
        self._set(None, error)

    def _set(self, value: T | None, error: BaseException | None) -> None:
        if self._outcome is None:
            self._outcome = (value, error)
        self._open()

    def _wait(self, timeout: float | None) -> None:
        gate = _thread.allocate_lock()
        gate.acquire()
        self._gates.append(gate)
        if self._outcome is not None:  # set before the gate stood there
            return
        try:
            gate.acquire(timeout=-1 if timeout is None else max(0.0, timeout))
        finally:
            with contextlib.suppress(ValueError):
                self._gates.remove(gate)

    def _open(self) -> None:
        # Whoever else does the same at the same moment takes the others.
        with contextlib.suppress(IndexError):
            while True:
                self._gates.popleft().release()
        with contextlib.suppress(IndexError):
            while True:
                self._callbacks.popleft()(self)
