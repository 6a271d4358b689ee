"""loky: an executor with a worker for each, and the reusable one, which is made anew when it has lost a worker.

Its start method is the forkserver, preloaded: loky's own starts a fresh interpreter for each worker.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from loky import BrokenProcessPool, ProcessPoolExecutor, get_reusable_executor

from benchmarks.stamps import stamp
from benchmarks.tasks import WORKERS

PATIENCE = 60.0  # seconds
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["benchmarks.others.loky"])


def idle(board: str) -> None:
    """Stamps the board and sleeps: a task cannot be asked to stop, its worker can be killed."""
    stamp(board)
    time.sleep(PATIENCE * 10)


class Loky:
    """An executor for each order. Its stop is the killing of its workers."""

    def __init__(self) -> None:
        self._executors: list[Any] = []
        self._futures: list[Future[None]] = []

    def spawn_brief(self, board: str) -> None:
        """A task for the first worker of a new executor."""
        executor = ProcessPoolExecutor(max_workers=1, context=CONTEXT)
        self._executors.append(executor)
        self._futures.append(executor.submit(stamp, board))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """As many tasks as there are workers."""
        executor = ProcessPoolExecutor(max_workers=count, context=CONTEXT)
        self._executors.append(executor)
        for _ in range(count):
            executor.submit(idle, board)

    def settle(self) -> None:
        """Nothing: killing reaches them at any time."""

    def replace(self, board: str) -> None:
        """Not here, but with the reusable executor."""
        raise NotImplementedError

    def wait(self) -> None:
        """The results; they raise what went wrong. Then the workers' ends."""
        for future in self._futures:
            future.result(PATIENCE)
        self._futures.clear()
        self._shut()

    def stop(self) -> None:
        """Each executor with its workers, waiting for their ends."""
        self._shut(kill_workers=True)

    def close(self) -> None:
        """Kill who is left."""
        self._shut(kill_workers=True)

    def _shut(self, **options: bool) -> None:
        for executor in self._executors:
            executor.shutdown(wait=True, **options)
        self._executors.clear()


class Reusable(Loky):
    """The reusable executor, of one worker."""

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """A task for it."""
        if count > 1:
            raise ValueError("there is but one worker")
        executor = get_reusable_executor(max_workers=1, context=CONTEXT, timeout=PATIENCE)
        self._executors = [executor]
        self._futures = [executor.submit(idle, board)]

    def replace(self, board: str) -> None:
        """The same task, when the first has failed by its worker's death, for the executor that comes next."""
        error = self._futures.pop().exception(PATIENCE)
        if not isinstance(error, BrokenProcessPool):
            raise RuntimeError(f"no death was told, but {error!r}")  # noqa: TRY004 - the peer fails, no argument is wrong
        self.spawn_idle(board)


class Tasks:
    """The executor: a worker that dies breaks it, and another one takes its place."""

    def __init__(self) -> None:
        self._pool = self._new()
        self._last: tuple[Future[Any], Callable[[Any], Any], Any] | None = None

    @staticmethod
    def _new() -> Any:
        return ProcessPoolExecutor(max_workers=WORKERS, context=CONTEXT)

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
        broken, self._pool = self._pool, self._new()
        self.begin(function, argument)
        broken.shutdown(wait=False, kill_workers=True)

    def close(self) -> None:
        """With its workers."""
        self._pool.shutdown(kill_workers=True)
