"""A thread that waits so that an event loop need not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Coroutine
from functools import partial, update_wrapper
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    import asyncio

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")
_Job = Callable[[], None]


class Aside:
    """Makes calls one by one in a thread of its own, which begins with the first of them.

    A call whose task is cancelled is told so: `given_up` says it to the call, and ``wake`` gets it out of its wait.
    The task does not wait for that; the next call does. What is asked for after `close` has a thread for itself alone.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._jobs: SimpleQueue[_Job | None] | None = None
        self._lock = threading.RLock()
        self._closed = False
        self._mine = threading.local()

    def given_up(self) -> bool:
        """Whether nobody waits any more for the call that asks this."""
        future: asyncio.Future[Any] | None = getattr(self._mine, "future", None)
        return future is not None and future.done()

    async def run(self, call: Callable[[], T]) -> T:
        """Its value, or its error."""
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._give(partial(self._make, call, future, loop))
        try:
            return await future
        finally:
            if future.cancelled():
                self._wake()

    def close(self) -> None:
        """End the thread, when it is through with what it was given."""
        with self._lock:
            self._closed = True
            jobs, self._jobs = self._jobs, None
            if jobs is not None:
                jobs.put(None)

    def _give(self, job: _Job) -> None:
        with self._lock:
            if self._jobs is None:
                self._jobs = SimpleQueue()
                threading.Thread(target=_work, args=(self._jobs,), name="understudy-observer", daemon=True).start()
            self._jobs.put(job)
            if self._closed:
                self.close()

    def _make(self, call: Callable[[], T], future: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
        if future.done():  # given up before it began
            return
        self._mine.future = future
        try:
            tell = partial(_settle, future, future.set_result, call())
        except BaseException as error:  # noqa: BLE001 - it belongs to who asked
            tell = partial(_settle, future, future.set_exception, error)
        self._mine.future = None
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell)

    def __del__(self) -> None:
        self.close()


class Twins:
    """What the twins of an object's methods are members of."""

    def __init__(self, whose: Any) -> None:
        self._whose = whose


def twin(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[Twins, P], Coroutine[Any, Any, T]]:
    """The same method for asyncio, as a member of `Twins`."""

    async def made(self: Twins, /, *arguments: P.args, **options: P.kwargs) -> T:
        whose: Any = self._whose
        value: T = await whose._aside.run(partial(method, whose, *arguments, **options))  # noqa: SLF001 - its other half
        return value

    update_wrapper(made, method)
    return made


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # it holds who asked


def _settle(future: asyncio.Future[Any], settle: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():
        settle(outcome)
