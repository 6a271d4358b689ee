"""Tasks under keys of the user's own, functions and Process classes alike, and what became of each."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Hashable, Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from understudy import runtime
from understudy.callables import name_of
from understudy.config import ProcessConfig
from understudy.errors import ActorError, ConfigError, NameTaken, PoolTaskError, WrongProcess
from understudy.pool.callbacks import Callbacks
from understudy.pool.core import Core
from understudy.pool.task import Place, Task, TaskFuture
from understudy.process import Process
from understudy.ref import ActorRef
from understudy.settings import check_timeout, shown


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What became of the task of a key.

    ``kind`` is the name of its class or function, ``order`` its number in the pool, from 0. ``worker`` and ``pid`` are
    of who did it, None before that; ``result`` is None of one that is not done, or failed, with its ``error``.
    """

    key: Any
    kind: str
    order: int
    is_done: bool
    worker: str | None = None
    pid: int | None = None
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class Performer:
    """An actor that is one task."""

    ref: ActorRef[Any]

    @property
    def place(self) -> Place:
        """Who it is."""
        lives = self.ref.history()
        return Place(self.ref.name, lives[-1].pid if lives else None)


class Performances:
    """The tasks that are actors of their own: so many at once as the pool has workers."""

    def __init__(self, system: Any, core: Core) -> None:
        self._system, self._core = system, core
        self._waiting: deque[tuple[Task, Process, dict[str, Any]]] = deque()
        self._under_way: dict[int, ActorRef[Any]] = {}
        self._thread = Callbacks(f"{core.name}-processes")
        core.breaking = self._kill

    def begin(self, task: Task, process: Process, options: dict[str, Any]) -> None:
        """Spawn it when its turn has come."""
        self._core.check_open()
        self._core.accounts.enter(task)
        self._waiting.append((task, process, options))
        self._thread.call(self._go_on)

    def cancel(self) -> None:
        """What waits is not begun any more."""
        with contextlib.suppress(IndexError):  # this thread and ours take them in turn
            while True:
                task, _, _ = self._waiting.popleft()
                task.cancel()
                self._over(task)

    def finish(self) -> None:
        """End the thread: no further one is begun."""
        self._thread.finish()

    def wait(self) -> None:
        """Until it has ended."""
        self._thread.wait()

    def _kill(self) -> None:
        self.cancel()
        for ref in [*self._under_way.values()]:
            ref.kill()

    def _go_on(self) -> None:
        """In our thread, as all below."""
        while len(self._under_way) < self._core.size:
            try:
                task, process, options = self._waiting.popleft()
            except IndexError:
                return
            if not task.begin():
                self._over(task)
                continue
            try:
                ref = self._spawned(process, options)
            except Exception as error:  # noqa: BLE001 - what a spawn raises is the outcome of the task
                self._core.accounts.counts["failed"] += 1
                task.fail(error)
                self._over(task)
                continue
            self._under_way[task.number] = ref
            task.hand = Performer(ref)
            settled = runtime.find(ref.system_id, ref.name).settled(ref.uid)
            settled.add_done_callback(partial(self._has_ended, task, ref))

    def _spawned(self, process: Process, options: dict[str, Any]) -> ActorRef[Any]:
        try:
            ref: ActorRef[Any] = self._system.spawn(process, **options)
        except NameTaken:  # another key reads alike, or somebody else has the name
            ref = self._system.spawn(process, **{**options, "name": None})
        return ref

    def _has_ended(self, task: Task, ref: ActorRef[Any], _: object) -> None:
        self._thread.call(partial(self._finish, task, ref))

    def _finish(self, task: Task, ref: ActorRef[Any]) -> None:
        self._under_way.pop(task.number, None)
        counts = self._core.accounts.counts
        try:
            task.finish(ref.result(0))
            counts["done"] += 1
        except ActorError as error:
            place = Performer(ref).place
            failed = PoolTaskError(
                f"task {task.key!r}: {error}",
                key=task.key,
                order=task.number,
                worker=place.worker,
                pid=place.pid,
                may_have_run=True,
            )
            failed.report, failed.__cause__ = error.report, error
            counts["failed"] += 1
            task.fail(failed)
        except BaseException as error:  # noqa: BLE001 - a result that does not open here may raise anything
            counts["failed"] += 1
            task.fail(error)
        self._over(task)
        self._go_on()

    def _over(self, task: Task) -> None:
        self._core.accounts.close(task)
        self._core.ask(lambda: None)


class Keyed:
    """The tasks of one pool by their keys."""

    def __init__(self) -> None:
        self._tasks: dict[Any, tuple[Task, TaskFuture, str]] = {}

    def check(self, key: Hashable) -> None:
        """Raise ConfigError for a key that is taken, or can be none."""
        try:
            taken = key in self._tasks
        except TypeError:
            raise ConfigError(f"key={shown(key)}: it must be hashable") from None
        if taken:
            raise ConfigError(f"key={shown(key)}: the pool has a task of that key; a result is taken out by forget()")

    def add(self, task: Task, future: TaskFuture, target: Any) -> TaskFuture:
        """One more."""
        kind = type(target).__qualname__ if isinstance(target, Process) else name_of(target)
        if self._tasks.setdefault(task.key, (task, future, kind))[0] is not task:
            future.cancel()
            self.check(task.key)
        return future

    def forget(self, key: Hashable) -> None:
        """That key may be used anew; raises KeyError."""
        self._find(key)
        del self._tasks[key]

    def result(self, key: Hashable, timeout: float | None) -> Any:
        """What it came to, waiting for it."""
        return self._find(key)[1].result(check_timeout(timeout))

    def record(self, key: Hashable) -> TaskRecord:
        """What is known of it now."""
        task, future, kind = self._find(key)
        place = None if task.hand is None else task.hand.place
        if not future.done():
            return TaskRecord(key, kind, task.number, is_done=False)
        worker, pid = (None, None) if place is None else (place.worker, place.pid)
        if future.cancelled():
            return TaskRecord(key, kind, task.number, is_done=True, worker=worker, pid=pid)
        error = future.exception()
        value = None if error is not None else future.result()
        return TaskRecord(key, kind, task.number, is_done=True, worker=worker, pid=pid, result=value, error=error)

    def results(self, timeout: float | None) -> dict[Any, Any]:
        """Those of all, when all are done; raises PoolTaskError for the first that failed, with all others."""
        seconds = check_timeout(timeout)
        until = None if seconds is None else monotonic() + seconds
        found: dict[Any, Any] = {}
        failed: list[PoolTaskError] = []
        for key, (task, future, kind) in [*self._tasks.items()]:
            try:
                error = future.exception(None if until is None else max(0.0, until - monotonic()))
            except CancelledError as cancelled:
                error = cancelled
            if error is None:
                found[key] = future.result()
            else:
                failed.append(_of_task(task, kind, error))
        if failed:
            first, *others = failed
            first.others = tuple(others)
            raise first
        return found

    def _find(self, key: Hashable) -> tuple[Task, TaskFuture, str]:
        try:
            return self._tasks[key]
        except (KeyError, TypeError):
            known = ", ".join(map(shown, [*self._tasks][:5])) or "none"
            raise KeyError(f"the pool has no task of the key {shown(key)}; it has {known}") from None


def _of_task(task: Task, kind: str, error: BaseException) -> PoolTaskError:
    if isinstance(error, PoolTaskError):
        return error
    place = Place("", None) if task.hand is None else task.hand.place
    made = PoolTaskError(
        f"task {task.key!r} ({kind}): {type(error).__name__}: {error}",
        key=task.key,
        order=task.number,
        worker=place.worker,
        pid=place.pid,
        may_have_run=True,
    )
    made.__cause__ = error
    return made


def process_of(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Process:
    """The Process that a task is, made here; raises ConfigError for what is none, WrongProcess inside an actor."""
    if runtime.inside is not None:
        raise WrongProcess(f"submit_process: inside {runtime.whereabouts()} spawn the process, and watch it")
    if isinstance(target, Process):
        return target
    if isinstance(target, type) and issubclass(target, Process):
        return target(*args, **kwargs)
    raise ConfigError(f"{shown(target)} is no Process class; submit_function takes functions")


Many = Iterable[tuple[Any, ...]]
"""Tasks, each its key, its function or Process class, and the arguments."""
Config = dict[str, Any] | ProcessConfig | None
