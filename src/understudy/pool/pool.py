"""Pool: functions done by worker processes, side by side, as the standard's executors do them."""

from __future__ import annotations

import atexit
import itertools
import os
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar

from understudy import runtime
from understudy.callables import generates, name_of
from understudy.errors import ConfigError, NotAnActor, SystemClosed, WrongProcess
from understudy.handle import SystemHandle
from understudy.pool.core import Core
from understudy.pool.schedule import Mode
from understudy.pool.staff import Staff
from understudy.pool.streaming import as_they_come, awaited, in_order, look_ahead, slice_of
from understudy.pool.task import Task, TaskFuture
from understudy.settings import check_timeout, shown
from understudy.system import ActorSystem
from understudy.wire.sealing import Sealed, seal

T = TypeVar("T")

_AHEAD = 32
"""Tasks for each worker that are under way where nobody says how many."""
_numbers = itertools.count(1)


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
        return self._start(fn, args, kwargs).future

    def map(
        self, fn: Callable[..., T], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int | None = None
    ) -> Iterator[T]:
        """The results of calls with one argument of each iterable, in order.

        All are read, and begun, at once; `imap` looks ahead only so far. ``chunksize`` calls are one task, None: as
        many as make a few for each worker. The iterator raises TimeoutError ``timeout`` seconds from now, and what a
        call raised, after the results before it. Raises what `submit` raises.
        """
        seconds, rows = check_timeout(timeout), [*zip(*iterables, strict=False)]
        size = slice_of(len(rows), self._core.size) if chunksize is None else _check_count("chunksize", chunksize)
        start = self._starter(fn)
        return in_order([start(rows[at : at + size]) for at in range(0, len(rows), size)], seconds)

    def imap(
        self, fn: Callable[..., T], *iterables: Iterable[Any], chunksize: int = 1, ahead: int | None = None
    ) -> Iterator[T]:
        """As `map`, of iterables without an end, too: no more than ``ahead`` tasks are under way (None: 32 a worker)."""
        rows = zip(*iterables, strict=False)
        return look_ahead(self._starter(fn), rows, _check_count("chunksize", chunksize), self._ahead(ahead))

    def imap_unordered(
        self, fn: Callable[..., T], *iterables: Iterable[Any], chunksize: int = 1, ahead: int | None = None
    ) -> Iterator[T]:
        """As `imap`, in the order in which they are done."""
        rows = zip(*iterables, strict=False)
        return as_they_come(self._starter(fn), rows, _check_count("chunksize", chunksize), self._ahead(ahead))

    def starmap(
        self, fn: Callable[..., T], rows: Iterable[Iterable[Any]], *, timeout: float | None = None,
        chunksize: int | None = None,
    ) -> Iterator[T]:  # fmt: skip
        """As `map`, of calls whose arguments stand in rows."""
        seconds, taken = check_timeout(timeout), [tuple(row) for row in rows]
        size = slice_of(len(taken), self._core.size) if chunksize is None else _check_count("chunksize", chunksize)
        start = self._starter(fn)
        return in_order([start(taken[at : at + size]) for at in range(0, len(taken), size)], seconds)

    def amap(self, fn: Callable[..., T], rows: Any, *, chunksize: int = 1, ahead: int | None = None) -> AsyncIterator[T]:
        """As `imap` of one iterable, which may be asynchronous, for ``async for``."""
        size, most = _check_count("chunksize", chunksize), self._ahead(ahead)
        return awaited(self._starter(fn), _singles(rows), size, most)

    async def run(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """What `submit` would give, awaited; to cancel who awaits it cancels the task, or ends its worker amid it."""
        import asyncio

        task = self._start(fn, args, kwargs)
        try:
            found: T = await asyncio.wrap_future(task.future)
        except asyncio.CancelledError:
            self._core.abandon(task)
            raise
        return found

    # --- pieces

    def _start(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        task = self._task(fn, [[*args], kwargs])
        self._core.submit(task)
        return task

    def _task(self, fn: Callable[..., Any], arguments: list[Any], *, by_rows: bool = False) -> Task:
        core, way = self._core, self._way
        if os.getpid() != core.pid:
            raise WrongProcess(f"this is a forked copy: the pool {core.name} takes tasks in the process that made it")
        core.check_open()
        function = core.functions.find(fn)
        whole: Sealed | None = None
        if function is None:
            _check_function(fn)
            whole = seal(fn, "the function", core.key)
        return Task(
            next(core.numbers),
            TaskFuture(core.callbacks),
            function,
            whole,
            seal(arguments, "the arguments", core.key),
            (fn.__code__ if hasattr(fn, "__code__") else type(fn), by_rows and len(arguments[0])),
            way.timeout,
            way.retries,
            way.priority,
            way.key,
            by_rows,
        )

    def _starter(self, fn: Callable[..., Any]) -> Callable[[list[tuple[Any, ...]]], TaskFuture]:
        def start(rows: list[tuple[Any, ...]]) -> TaskFuture:
            task = self._task(fn, [[*column] for column in zip(*rows, strict=True)], by_rows=True)
            self._core.submit(task)
            return task.future

        return start

    def _ahead(self, ahead: int | None) -> int:
        return self._core.size * _AHEAD if ahead is None else _check_count("ahead", ahead)


class Pool(Submitter):
    """A `concurrent.futures.Executor` whose workers are actors of a system: named, watched, and replaced when they die.

    At most ``max_workers`` (default: the processors of this process) work at once; they are started as they are
    needed, named ``<name>/1`` and so on. With ``mode="parallel"`` tasks begin in batches, one for each worker, the
    next batch when all of one are done. ``initializer`` is called with ``initargs`` in each worker first. A worker
    ends after ``max_tasks_per_worker`` tasks, and another takes its place. ``timeout`` in seconds, and ``retries``, are
    for each task, as `options` says. ``system`` is where the workers live; None: the default system.

    A worker that dies costs the task that it had in hand: that raises PoolTaskError, or is begun anew if it has
    retries. Raises ConfigError, which is a ValueError.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        mode: Mode = "async",
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        max_tasks_per_worker: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        name: str | None = None,
        system: ActorSystem | SystemHandle | None = None,
    ) -> None:
        size = _processors() if max_workers is None else _check_count("max_workers", max_workers)
        if initializer is not None and not callable(initializer):
            raise ConfigError(f"initializer={shown(initializer)}: it is a function, or None")
        most = None if max_tasks_per_worker is None else _check_count("max_tasks_per_worker", max_tasks_per_worker)
        self._way = _checked(Way(timeout, retries))
        home: Any = ActorSystem.default() if system is None else system
        if runtime.inside is None and not home.is_open:
            raise SystemClosed(f"the system {home.name} was shut down; make another")
        self.name = name if name is not None else f"pool-{next(_numbers)}"
        args = tuple(initargs)
        self._core = Core(
            lambda ended: Staff(home, self.name, initializer, args, most, ended), size, _check_mode(mode), self.name
        )
        self._let_go = weakref.finalize(self, self._core.shut, cancel=False)
        self._let_go.atexit = False
        _pools.add(self._core)

    @property
    def mode(self) -> Mode:
        """How tasks are handed out: "async" or "parallel"; what is set holds for those that are not begun."""
        return self._core.schedule.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._core.schedule.mode = _check_mode(mode)
        self._core.ask(lambda: None)

    def options(
        self, *, timeout: float | None = None, retries: int | None = None, priority: int = 0, key: Any = None
    ) -> Submitter:
        """The same pool, for tasks that are done in another way.

        A call that runs ``timeout`` seconds is interrupted, or its worker killed if that does not help. One whose
        worker dies, or that overran its timeout, is begun anew ``retries`` times; it may have run in part then. Tasks
        of a higher ``priority`` are begun before others that wait. ``key`` is what errors call it.
        """
        way = self._way
        return _Options(self, _checked(
            Way(
                way.timeout if timeout is None else timeout, way.retries if retries is None else retries, priority, key
            )
        ))  # fmt: skip

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard's
        """Take no further task, and let the workers go when all that was submitted is done.

        With ``cancel_futures`` what no worker has is cancelled. With ``wait`` it returns when the workers have ended.
        """
        close(self._core, wait=wait, cancel=cancel_futures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.shutdown)

    def __repr__(self) -> str:
        return f"<Pool {self.name}: {len(self._core.staff.hands)} of {self._core.size} workers>"

    def __reduce__(self) -> Any:
        raise TypeError("a Pool does not travel: another process makes its own")


class _Options(Submitter):
    """A pool's tasks in another way; it holds the pool."""

    def __init__(self, pool: Pool, way: Way) -> None:
        self._pool, self._core, self._way = pool, pool._core, way  # noqa: SLF001 - its other half

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """As `Pool.shutdown`."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def close(core: Core, *, wait: bool, cancel: bool) -> None:
    """End a pool; in a thread of its own it is not waited for."""
    if os.getpid() != core.pid:
        return
    core.shut(cancel=cancel)
    if wait and not core.is_within:
        core.thread.join()
        core.staff.wait()
        core.callbacks.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}={shown(value)}: it is a whole number from 1")
    return value


def _check_mode(mode: object) -> Mode:
    if mode == "async":
        return "async"
    if mode == "parallel":
        return "parallel"
    raise ConfigError(f"mode={shown(mode)}: it is 'async' or 'parallel'")


def _checked(way: Way) -> Way:
    for name in ("retries", "priority"):
        value = getattr(way, name)
        if isinstance(value, bool) or not isinstance(value, int) or (name == "retries" and value < 0):
            raise ConfigError(f"{name}={shown(value)}: it is a whole number" + (" from 0" if name == "retries" else ""))
    return replace(way, timeout=check_timeout(way.timeout))


def _check_function(fn: Any) -> None:
    if not callable(fn):
        raise NotAnActor(f"{shown(fn)} is no function: a pool calls what it is given")
    if generates(fn):
        raise NotAnActor(f"{name_of(fn)} is a generator function: calling it would run nothing of it")


def _singles(rows: Any) -> Any:
    if hasattr(rows, "__aiter__"):
        return _asingles(rows)
    return ((row,) for row in rows)


async def _asingles(rows: Any) -> AsyncIterator[tuple[Any, ...]]:
    async for row in rows:
        yield (row,)


_pools: weakref.WeakSet[Core] = weakref.WeakSet()


@atexit.register
def _finish_all() -> None:
    """At exit what was submitted is done first, as by the standard's executors."""
    for core in [*_pools]:
        close(core, wait=True, cancel=False)
