"""What becomes of the tasks of one `map`: lighter than futures, of which each has a lock and a dozen objects more.

One thread asks for them, in order; so one condition serves all, and it is told only of the one that is waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from time import monotonic
from typing import Any

_WAITS, _RUNS, _CANCELLED, _DONE, _FAILED = range(5)


class Asker:
    """Who asks for the slots of one map, and for which of them now."""

    __slots__ = ("condition", "wanted")

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.wanted: Slot | None = None


class Slot:
    """What a future is, for the pool; ``rows`` as of `TaskFuture`."""

    __slots__ = ("_asker", "_content", "_state", "is_unwanted", "rows")

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._state = _WAITS
        self._content: Any = None
        self.is_unwanted = False
        self.rows: Sequence[Any] | None = None

    def set_running_or_notify_cancel(self) -> bool:
        """Whether it is still wanted."""
        if self._state == _WAITS:
            self._state = _RUNS
        return self._state == _RUNS

    def cancel(self) -> bool:
        """Whether it is not begun any more."""
        if self._state == _WAITS:
            self._state = _CANCELLED
            self._tell()
        self.is_unwanted = True
        return self._state == _CANCELLED

    def cancelled(self) -> bool:
        """Whether it was."""
        return self._state == _CANCELLED

    def done(self) -> bool:
        """Whether it has an outcome."""
        return self._state > _RUNS

    def set_result(self, value: Any) -> None:
        """Its outcome is that."""
        self._content = value
        self._state = _DONE
        self._tell()

    def set_exception(self, error: BaseException) -> None:
        """Its outcome is an error."""
        self._content = error
        self._state = _FAILED
        self._tell()

    def take(self, until: float | None) -> Iterator[Any]:
        """What its calls returned, which is held no more then; raises TimeoutError, and what one of them raised."""
        if self._state <= _RUNS:
            self._wait(until)
        content, self._content = self._content, None
        if self._state == _CANCELLED:
            raise CancelledError
        if self._state == _FAILED:
            yield from letting_go([*(self.rows or ())])
            try:
                raise content
            finally:
                content = None
        if self.rows is None:
            yield content
        else:
            yield from letting_go(content)

    def _wait(self, until: float | None) -> None:
        asker = self._asker
        with asker.condition:
            asker.wanted = self
            try:
                while self._state <= _RUNS:
                    left = None if until is None else until - monotonic()
                    if left is not None and left <= 0:
                        raise TimeoutError
                    asker.condition.wait(left)
            finally:
                asker.wanted = None

    def _tell(self) -> None:
        if self._asker.wanted is self:
            with self._asker.condition:
                self._asker.condition.notify_all()


def letting_go(rows: list[Any]) -> Iterator[Any]:
    """Each, which is held here no more when it is given."""
    rows.reverse()
    while rows:
        yield rows.pop()
