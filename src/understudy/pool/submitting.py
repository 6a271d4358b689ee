"""What tasks are made of what is submitted, and in which ways they are given to a pool."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from understudy.errors import ConfigError, WrongProcess
from understudy.pool.core import Core
from understudy.pool.frames import COLUMNS, ONE, ROWS, kept
from understudy.pool.slots import Asker, Slot
from understudy.pool.streaming import as_they_come, awaited, done_of, in_order, look_ahead, slice_of
from understudy.pool.task import Promise, Task, TaskFuture
from understudy.settings import check_timeout, shown
from understudy.wire.sealing import INLINE, seal

T = TypeVar("T")

_AHEAD = 32
"""Tasks for each worker that are under way where nobody says how many."""


@dataclass(frozen=True, slots=True)
class Way:
    """How tasks are to be done."""

    timeout: float | None = None
    retries: int = 0
    priority: int = 0
    key: Any = None


class Submitter(Executor):
    """What takes tasks for a pool, to be done in one way."""

    _core: Core
    _way: Way

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> TaskFuture:
        """Have a worker call that; the future has what it returns, or raises.

        Function and arguments are serialized now, so that what changes later makes no difference. Raises
        SerializationError for what cannot travel, NotAnActor for what is no function or a generator function,
        PoolClosed after `shutdown`, PoolBroken where no worker can be had, WrongProcess in a forked copy.
        """
        return self._start(fn, args, kwargs)[1]

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
    ) -> Iterator[T]:
        """The results of calls with one argument of each iterable, in order.

        All are read, and begun, at once; `imap` looks ahead only so far. ``chunksize`` calls are one task, None: as
        many as make a few for each worker. The iterator raises TimeoutError ``timeout`` seconds from now, and what a
        call raised, after the results before it. Raises what `submit` raises.
        """
        seconds, rows = check_timeout(timeout), [*zip(*iterables, strict=False)]
        return self._mapped(fn, rows, seconds, chunksize)

    def imap(
        self, fn: Callable[..., T], *iterables: Iterable[Any], chunksize: int = 1, ahead: int | None = None
    ) -> Iterator[T]:
        """As `map`, of iterables without an end, too: at most ``ahead`` tasks are under way (None: 32 a worker)."""
        rows = zip(*iterables, strict=False)
        return look_ahead(self._starter(fn), rows, check_count("chunksize", chunksize), self._ahead(ahead))

    def imap_unordered(
        self, fn: Callable[..., T], *iterables: Iterable[Any], chunksize: int = 1, ahead: int | None = None
    ) -> Iterator[T]:
        """As `imap`, in the order in which they are done."""
        rows = zip(*iterables, strict=False)
        return as_they_come(self._starter(fn), rows, check_count("chunksize", chunksize), self._ahead(ahead))

    def starmap(
        self, fn: Callable[..., T], rows: Iterable[Iterable[Any]], *, timeout: float | None = None,
        chunksize: int | None = None,
    ) -> Iterator[T]:  # fmt: skip
        """As `map`, of calls whose arguments stand in rows."""
        seconds, taken = check_timeout(timeout), [tuple(row) for row in rows]
        return self._mapped(fn, taken, seconds, chunksize)

    def amap(
        self, fn: Callable[..., T], iterable: Any, *, chunksize: int = 1, ahead: int | None = None
    ) -> AsyncIterator[T]:
        """As `imap` of one iterable, which may be asynchronous, for ``async for``."""
        size, most = check_count("chunksize", chunksize), self._ahead(ahead)
        return awaited(self._starter(fn), _singles(iterable), size, most)

    async def run(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """What `submit` would give, awaited; to cancel who awaits it cancels the task, or ends its worker amid it."""
        import asyncio

        task, future = self._start(fn, args, kwargs)
        try:
            await done_of(future)
        except asyncio.CancelledError:
            self._core.abandon(task)
            raise
        found: T = future.result()
        return found

    # --- pieces

    def _mapped(
        self, fn: Callable[..., T], rows: list[tuple[Any, ...]], timeout: float | None, chunksize: int | None
    ) -> Iterator[T]:
        size = slice_of(len(rows), self._core.size) if chunksize is None else check_count("chunksize", chunksize)
        asker, slots = Asker(), list[Slot]()
        try:
            for at in range(0, len(rows), size):
                slot = Slot(asker)
                self._begin_rows(fn, rows[at : at + size], slot)
                slots.append(slot)
        except BaseException:
            for slot in slots:
                slot.cancel()
            raise
        return in_order(slots, timeout)

    def _start(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Task, TaskFuture]:
        future = TaskFuture(self._core.accounts.callbacks)
        return self._begin(fn, [[*args], kwargs], future), future

    def _starter(self, fn: Callable[..., Any]) -> Callable[[list[tuple[Any, ...]]], TaskFuture]:
        def start(rows: list[tuple[Any, ...]]) -> TaskFuture:
            future = TaskFuture(self._core.accounts.callbacks)
            self._begin_rows(fn, rows, future)
            return future

        return start

    def _begin_rows(self, fn: Callable[..., Any], rows: list[tuple[Any, ...]], promise: Promise) -> None:
        if len(rows) == 1:
            self._begin(fn, [[*rows[0]], {}], promise)
            return
        promise.rows = ()
        width = len(rows[0])
        if width and all(len(row) == width for row in rows):
            self._begin(fn, [[*column] for column in zip(*rows, strict=True)], promise, COLUMNS, len(rows))
        else:
            self._begin(fn, [[*row] for row in rows], promise, ROWS, len(rows))

    def _begin(
        self, fn: Callable[..., Any], arguments: list[Any], promise: Promise, shape: int = ONE, calls: int = 1
    ) -> Task:
        core, way = self._core, self._way
        if os.getpid() != core.pid:
            raise WrongProcess(f"this is a forked copy: the pool {core.name} takes tasks in the process that made it")
        core.check_open()
        function = core.functions.find(fn)
        whole = kept(seal(fn, "the function", core.key)) if function is None else None
        sealed = seal(arguments, "the arguments", core.key)
        task = Task(
            next(core.accounts.numbers),
            promise,
            function,
            whole,
            sealed.frames[0] if sealed.form == INLINE else kept(sealed),
            function if function is not None and calls == 1 else (getattr(fn, "__code__", None) or type(fn), calls),
            way.timeout,
            way.retries,
            way.priority,
            way.key,
            shape,
        )
        core.submit(task)
        return task

    def _ahead(self, ahead: int | None) -> int:
        return self._core.size * _AHEAD if ahead is None else check_count("ahead", ahead)


def check_count(name: str, value: object) -> int:
    """The value, if it is a whole number from 1; raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={shown(value)}: it is a whole number from 1")
    return value


def checked(way: Way) -> Way:
    """The same, checked; raises ConfigError."""
    for name in ("retries", "priority"):
        value = getattr(way, name)
        if isinstance(value, bool) or not isinstance(value, int) or (name == "retries" and value < 0):
            raise ConfigError(f"{name}={shown(value)}: it is a whole number" + (" from 0" if name == "retries" else ""))
    seconds = check_timeout(way.timeout)
    if seconds is not None and seconds <= 0:
        raise ConfigError(f"timeout={shown(way.timeout)}: it is a number of seconds above 0, or None")
    return replace(way, timeout=seconds)


def _singles(rows: Any) -> Any:
    if hasattr(rows, "__aiter__"):
        return _asingles(rows)
    return ((row,) for row in rows)


async def _asingles(rows: Any) -> AsyncIterator[tuple[Any, ...]]:
    async for row in rows:
        yield (row,)
