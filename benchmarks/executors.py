"""Pools of the standard library: a `ProcessPoolExecutor`, and a `multiprocessing.Pool`; from a preloaded forkserver."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from benchmarks.tasks import MODULE, PATIENCE, WORKERS

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([MODULE])


class Executor:
    """A worker that dies breaks it, and all that was submitted: another one takes its place."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=CONTEXT)
        self._last: tuple[Future[Any], Callable[[Any], Any], Any] | None = None

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Submitted."""
        submit = self._pool.submit
        return [future.result(PATIENCE) for future in [submit(function, argument) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """It chooses chunks of 1; 250 is what its users choose for many."""
        return [*self._pool.map(function, arguments, chunksize=chunk or 250)]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Submitted."""
        self._last = self._pool.submit(function, argument), function, argument

    def recover(self) -> None:
        """When the news is there, a new one."""
        assert self._last is not None
        future, function, argument = self._last
        error = future.exception(PATIENCE)
        if not isinstance(error, BrokenProcessPool):
            raise RuntimeError(f"no death was told, but {error!r}")  # noqa: TRY004 - the peer fails, no argument is wrong
        broken, self._pool = self._pool, ProcessPoolExecutor(WORKERS, mp_context=CONTEXT)
        self.begin(function, argument)
        broken.shutdown(wait=False)

    def close(self) -> None:
        """Its workers have nothing to do by now, or were killed."""
        self._pool.shutdown()


class Pool:
    """It replaces a worker that dies; the task in its hands comes to nothing."""

    def __init__(self) -> None:
        self._pool = CONTEXT.Pool(WORKERS)

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Applied."""
        begin = self._pool.apply_async
        return [result.get(PATIENCE) for result in [begin(function, (argument,)) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """Its own map."""
        return self._pool.map(function, arguments, chunk or None)

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Applied."""
        self._pool.apply_async(function, (argument,))

    def recover(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Terminated."""
        self._pool.terminate()
        self._pool.join()
