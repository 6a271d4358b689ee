"""One task of a pool, its future, and what it comes to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from dataclasses import dataclass
from typing import Any, Protocol

from understudy.errors import PoolTaskError, UnderstudyError
from understudy.outcome import RemoteTraceback
from understudy.pool.callbacks import Callbacks, call_back
from understudy.pool.frames import ONE, opened
from understudy.pool.functions import Function
from understudy.status import DeathReport
from understudy.wire.sealing import Sealed

DEADLY = 3
"""Workers that die with one task in hand before it is given to no other one."""


class PoolBroken(UnderstudyError, BrokenExecutor):
    """A pool has no worker and gets none: its initializer raised, or no process could be had; the cause says why."""


class TaskFuture(Future[Any]):
    """As the standard's; its callbacks have a thread of their own.

    ``rows`` are of several calls that are one task, and else None: what those before the one that failed came to.
    """

    rows: Sequence[Any] | None = None
    is_unwanted = False

    def __init__(self, callbacks: Callbacks) -> None:
        super().__init__()
        self._callbacks = callbacks

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """As the standard's: called at once, in this thread, if it is done."""
        if self.done():
            super().add_done_callback(fn)
        else:
            super().add_done_callback(lambda done: self._callbacks.call(lambda: call_back(fn, done)))


@dataclass(frozen=True, slots=True)
class Place:
    """Who did it: the worker's name and process."""

    worker: str
    pid: int | None


class Promise(Protocol):
    """Where an outcome goes: a future, or a slot."""

    rows: Sequence[Any] | None
    is_unwanted: bool
    """Whether nobody will ask for it any more, though it may have been given to a worker."""

    def set_running_or_notify_cancel(self) -> bool:
        """Whether it is still wanted."""
        ...

    def cancel(self) -> bool:
        """Whether it is not begun any more."""
        ...

    def cancelled(self) -> bool:
        """Whether it was."""
        ...

    def done(self) -> bool:
        """Whether it has an outcome."""
        ...

    def set_result(self, value: Any, /) -> None:
        """Its outcome is that."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Its outcome is an error."""
        ...


class Placed(Protocol):
    """A worker."""

    @property
    def place(self) -> Place:
        """Who it is."""
        ...


@dataclass(slots=True, eq=False)
class Task:
    """What is to be done, and for whom; a duty of the schedule."""

    number: int
    future: Promise
    function: Function | None
    whole: Sealed | None
    """The function, where it goes along."""
    arguments: Sealed | bytes | None
    """Bytes where they are plain and short: of what many wait with, the collector of garbage has less to look at."""
    pace: Hashable
    timeout: float | None = None
    retries: int = 0
    priority: int = 0
    key: Any = None
    shape: int = ONE
    """Of its arguments: `ONE`, `COLUMNS` or `ROWS`."""
    hand: Placed | None = None
    """Who has done it."""
    deaths: int = 0
    is_begun: bool = False
    is_told: bool = False
    """Whether its future was cancelled, and who waits for it has been told."""
    is_unwanted: bool = False

    def begin(self) -> bool:
        """It is given to a worker; whether it is still wanted."""
        if not self.is_begun:
            try:
                self.is_begun = not self.is_told and self.future.set_running_or_notify_cancel()
            except RuntimeError:  # somebody has set it himself
                self.is_begun = False
            self.is_told = not self.is_begun
        return self.is_begun and not (self.is_unwanted or self.future.is_unwanted)

    def finish(self, value: Any) -> None:
        """Its outcome is that."""
        self._let_go()
        with contextlib.suppress(InvalidStateError):  # somebody has set it himself
            self.future.set_result(value)

    def fail(self, error: BaseException) -> None:
        """Its outcome is an error."""
        self._let_go()
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def cancel(self) -> None:
        """It is not begun any more."""
        self._let_go()
        if not self.is_told:
            self.is_told = True
            if self.future.cancel():
                self.future.set_running_or_notify_cancel()

    @property
    def nbytes(self) -> int:
        """Of its arguments."""
        if isinstance(self.arguments, Sealed):
            return sum(memoryview(frame).nbytes for frame in self.arguments.frames)
        return len(self.arguments or b"")

    def may_try_again(self) -> bool:
        """Whether another worker is to begin it; that is counted."""
        if self.retries <= 0 or self.deaths >= DEADLY or self.is_unwanted:
            return False
        self.retries -= 1
        return True

    def _let_go(self) -> None:
        self.function = self.whole = self.arguments = None


def late(task: Task, place: Place) -> PoolTaskError:
    """It ran beyond its timeout and was interrupted."""
    seconds = task.timeout or 0.0
    error = told(task, place, f"ran {seconds:g} s, its timeout", may_have_run=True)
    error.__cause__ = TimeoutError(f"{seconds:g} s were over")
    return error


def lost(task: Task, place: Place, report: DeathReport | None, cause: BaseException | None) -> PoolTaskError:
    """Its worker died."""
    how = "ended" if cause is None else str(cause)
    what = f"its worker {place.worker} (pid {place.pid}) died: {how}"
    if task.deaths >= DEADLY:
        what += f"; {task.deaths} workers died with it in hand"
    error = told(task, place, what, may_have_run=True)
    error.report = report
    error.__cause__ = cause
    return error


def told(task: Task, place: Place, what: str, *, may_have_run: bool) -> PoolTaskError:
    """An error of a pool's about that task."""
    name = f"task {task.number}" if task.key is None else f"task {task.key!r}"
    return PoolTaskError(
        f"{name}: {what}",
        key=task.key,
        order=task.number,
        worker=place.worker,
        pid=place.pid,
        may_have_run=may_have_run,
    )


def raised(task: Task, place: Place, words: Sequence[Any], parts: Sequence[bytearray], key: bytes) -> BaseException:
    """What it raised, as it was; where that does not open, an error that tells of it."""
    name, text, story, body = words
    trouble = ""
    if body is not None:
        try:
            error = opened(body, parts, key)
        except BaseException as problem:  # noqa: BLE001 - a user's class may raise anything when it is opened
            trouble = f" (it does not open here: {type(problem).__name__}: {problem})"
        else:
            if isinstance(error, BaseException):
                _last_cause(error).__cause__ = RemoteTraceback(story)
                return error
    failed = told(task, place, f"{name}: {text}{trouble}", may_have_run=True)
    failed.__cause__ = RemoteTraceback(story)
    return failed


def opened_rows(body: Any, parts: Sequence[bytearray], key: bytes) -> list[Any]:
    """What the calls before one that failed came to; none where that does not open here."""
    if body is None:
        return []
    try:
        rows = opened(body, parts, key)
    except BaseException:  # noqa: BLE001 - a user's class may raise anything; the error of the task is what is told
        return []
    return rows if isinstance(rows, list) else []


def _last_cause(error: BaseException) -> BaseException:
    met = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in met:
        error = error.__cause__
        met.add(id(error))
    return error
