"""Pool: functions done by worker processes, side by side, as the standard's executors do them."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from understudy import runtime
from understudy.errors import ConfigError, SystemClosed
from understudy.handle import SystemHandle
from understudy.lifecycle.names import check_name
from understudy.pool.core import Core, living
from understudy.pool.keyed import Config, Keyed, Many, Performances, TaskRecord, process_of
from understudy.pool.progress import Bar
from understudy.pool.schedule import Mode
from understudy.pool.staff import Staff
from understudy.pool.submitting import Submitter, Way, check_count, checked
from understudy.pool.task import Task, TaskFuture
from understudy.process import Process
from understudy.settings import shown
from understudy.system import ActorSystem

T = TypeVar("T")

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment.

    ``workers`` of at most ``size`` are there, ``busy`` of them have tasks. ``waiting`` tasks are with no worker,
    ``held`` with one. Since the pool began ``done`` ones returned, ``failed`` ones did not, ``retried`` ones were begun
    anew, and ``lost`` workers died amid tasks.
    """

    size: int
    workers: int
    busy: int
    waiting: int
    held: int
    done: int
    failed: int
    retried: int
    lost: int


class Pool(Submitter):
    """A `concurrent.futures.Executor` whose workers are actors of a system: named, watched, and replaced when they die.

    At most ``max_workers`` (default: the processors of this process) work at once; they are started as they are
    needed, named ``<name>/1`` and so on. With ``mode="parallel"`` tasks begin in batches, one for each worker, the
    next batch when all of one are done. ``initializer`` is called with ``initargs`` in each worker first. A worker
    ends after ``max_tasks_per_worker`` tasks, and another takes its place. ``timeout`` in seconds, and ``retries``, are
    for each task, as `options` says. With ``progress`` a bar on the terminal shows how far it is. ``system`` is where
    the workers live; None: the default system.

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
        progress: bool = False,
        system: ActorSystem | SystemHandle | None = None,
    ) -> None:
        size = _processors() if max_workers is None else check_count("max_workers", max_workers)
        if initializer is not None and not callable(initializer):
            raise ConfigError(f"initializer={shown(initializer)}: it is a function, or None")
        most = None if max_tasks_per_worker is None else check_count("max_tasks_per_worker", max_tasks_per_worker)
        self._way = checked(Way(timeout, retries))
        home: Any = ActorSystem.default() if system is None else system
        if runtime.inside is None and not home.is_open:
            raise SystemClosed(f"the system {home.name} was shut down; make another")
        self.name = name if name is not None else f"pool-{next(_numbers)}"
        check_name(f"{self.name}/1")
        args = tuple(initargs)
        self._core = Core(
            lambda ended: Staff(home, self.name, initializer, args, most, ended), size, _check_mode(mode), self.name
        )
        self._keyed, self._performances = Keyed(), Performances(home, self._core)
        self._bar = Bar(self.name)
        if progress:
            self._core.accounts.told = _telling(self._core, self._bar)
        self._core.start()
        self._let_go = weakref.finalize(self, self._core.shut, cancel=False)
        self._let_go.atexit = False

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
        return _Options(self, checked(
            Way(
                way.timeout if timeout is None else timeout, way.retries if retries is None else retries, priority, key
            )
        ))  # fmt: skip

    # --- tasks under keys

    def submit_function(self, key: Hashable, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> TaskFuture:
        """As `submit`, under a key by which `result` and `record` find it. Raises ConfigError for one that is taken."""
        self._keyed.check(key)
        task, future = self.options(key=key)._start(fn, args, kwargs)  # noqa: SLF001 - ours
        return self._keyed.add(task, future, fn)

    def submit_process(
        self, key: Hashable, target: type[Process] | Process, /, *args: Any, config: Config = None, **kwargs: Any
    ) -> TaskFuture:
        """Run a Process as a task: an actor of its own, ``<name>/<key>`` if the key can be part of a name.

        As many as the pool has workers are up at once. Its lives and timeouts are those of its ``config``. The future
        has what ``__result__`` returns; PoolTaskError for an actor that failed has its error as the cause. Raises
        ConfigError for what is no Process, what its constructor raises, and WrongProcess inside an actor.
        """
        self._keyed.check(key)
        process = process_of(target, args, kwargs)
        future = TaskFuture(self._core.accounts.callbacks)
        task = Task(next(self._core.accounts.numbers), future, None, None, None, None, key=key)
        self._performances.begin(task, process, {"name": _name_for(self.name, key), "config": config})
        return self._keyed.add(task, future, process)

    def submit_many(self, tasks: Many) -> list[TaskFuture]:
        """Submit rows of a key, a function or Process class, and its arguments."""
        return [
            (self.submit_process if _is_process(target) else self.submit_function)(key, target, *args)
            for key, target, *args in tasks
        ]

    def result(self, key: Hashable, timeout: float | None = None) -> Any:
        """What the task of that key came to, waiting ``timeout`` seconds; raises its error, TimeoutError, KeyError."""
        return self._keyed.result(key, timeout)

    def record(self, key: Hashable) -> TaskRecord:
        """What is known of the task of that key; raises KeyError."""
        return self._keyed.record(key)

    def results(self, timeout: float | None = None) -> dict[Any, Any]:
        """The results of all tasks with keys, by these, when all are done.

        Raises PoolTaskError for the first that failed, with those of the others in ``others``, and TimeoutError.
        """
        return self._keyed.results(timeout)

    def forget(self, key: Hashable) -> None:
        """Keep the task of that key no more; it may be used anew. Raises KeyError."""
        self._keyed.forget(key)

    def stats(self) -> PoolStats:
        """The pool at this moment, counted."""
        core = self._core
        desks = [*core.schedule.desks.values()]
        held = sum(len(desk.given) for desk in desks)
        return PoolStats(
            size=core.size,
            workers=len(core.staff.hands),
            busy=sum(bool(desk.given) for desk in desks),
            waiting=core.waiting,
            held=held,
            **core.accounts.counts,
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard's
        """Take no further task, and let the workers go when all that was submitted is done.

        With ``cancel_futures`` what no worker has is cancelled. With ``wait`` it returns when the workers have ended.
        """
        if cancel_futures:
            self._performances.cancel()
        close(self._core, wait=wait, cancel=cancel_futures)
        self._performances.finish()
        if wait:
            self._performances.wait()
            self._bar.close()

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
        core.accounts.callbacks.wait()


def _telling(core: Core, bar: Bar) -> Callable[[], None]:
    def tell() -> None:
        done = core.accounts.counts["done"] + core.accounts.counts["failed"]
        bar.show(done, done + len(core.accounts.unfinished))

    return tell


def _name_for(pool: str, key: Hashable) -> str | None:
    """The name of the actor of that key; None where that makes none."""
    name = f"{pool}/{key}"
    if str(key).isdecimal():  # so workers are named
        return None
    try:
        return check_name(name)
    except ConfigError:
        return None


def _is_process(target: Any) -> bool:
    return isinstance(target, Process) or (isinstance(target, type) and issubclass(target, Process))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_mode(mode: object) -> Mode:
    if mode == "async":
        return "async"
    if mode == "parallel":
        return "parallel"
    raise ConfigError(f"mode={shown(mode)}: it is 'async' or 'parallel'")


def _finish_all() -> None:
    """At exit what was submitted is done first, as by the standard's executors."""
    for core in living():
        close(core, wait=True, cancel=False)


# Before the systems are closed, and those before other threads are waited for: the last that came is asked first.
threading._register_atexit(_finish_all)  # type: ignore[attr-defined]  # noqa: SLF001 - the public one comes too late
