"""pebble: a function in a process of its own, and a pool that replaces a worker that died. Forkserver, preloaded."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from typing import Any

from pebble import ProcessExpired, ProcessPool, concurrent

from benchmarks.others import parts
from benchmarks.others.endings import Endings
from benchmarks.stamps import stamp
from benchmarks.tasks import WORKERS

PATIENCE = 60.0  # seconds
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["benchmarks.others.pebble"])


@concurrent.process(mp_context=CONTEXT)
def brief(board: str) -> None:
    """Stamps the board and ends."""
    stamp(board)


@concurrent.process(mp_context=CONTEXT)
def idle(board: str) -> None:
    """Stamps the board and returns when its cancelling sends it SIGTERM."""
    parts.idle(board)


class Pebble:
    """A process a call. A stop is the cancelling of a call."""

    def __init__(self) -> None:
        self._futures: list[Any] = []
        self._endings = Endings()

    def spawn_brief(self, board: str) -> None:
        """A call."""
        self._futures.append(brief(board))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """Calls."""
        self._futures += [idle(board) for _ in range(count)]

    def settle(self) -> None:
        """Learn which processes there are: cancelling waits for none."""
        self._endings.watch(child.pid for child in multiprocessing.active_children() if child.pid)

    def replace(self, board: str) -> None:
        """Not by its own means: a call whose process died has failed, and only the pool has others."""
        raise NotImplementedError

    def wait(self) -> None:
        """The results; they raise what went wrong."""
        for future in self._futures:
            future.result(PATIENCE)
        self._futures.clear()

    def stop(self) -> None:
        """All cancelled, all gone."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
        self._endings.wait(PATIENCE)

    def close(self) -> None:
        """Cancel who is left."""
        for future in self._futures:
            future.cancel()
        self._endings.forget()


def sleep(board: str) -> None:
    """Stamps the board and sleeps: a worker ends itself on SIGTERM."""
    stamp(board)
    time.sleep(PATIENCE * 10)


class Pool:
    """A pool of one worker. A task whose worker died has failed and is given to it again."""

    def __init__(self) -> None:
        self._pool = ProcessPool(max_workers=1, context=CONTEXT)
        self._futures: list[Any] = []
        self._endings = Endings()

    def spawn_brief(self, board: str) -> None:
        """A task."""
        self._futures.append(self._pool.schedule(stamp, args=(board,)))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """One task: its worker is the only one."""
        if count > 1 or self._futures:
            raise ValueError("there is but one worker")
        self._futures.append(self._pool.schedule(sleep, args=(board,)))

    def settle(self) -> None:
        """Learn which worker it is."""
        self._endings.forget()
        self._endings.watch(child.pid for child in multiprocessing.active_children() if child.pid)

    def replace(self, board: str) -> None:
        """The same task again, when the pool tells that its worker has died."""
        error = self._futures.pop().exception(PATIENCE)
        if not isinstance(error, ProcessExpired):
            raise RuntimeError(f"no death was told, but {error!r}")  # noqa: TRY004 - the peer fails, no argument is wrong
        self.spawn_idle(board)

    def wait(self) -> None:
        """The results; they raise what went wrong."""
        for future in self._futures:
            future.result(PATIENCE)
        self._futures.clear()

    def stop(self) -> None:
        """The task is cancelled, which ends its worker; the pool starts another."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
        self._endings.wait(PATIENCE)

    def close(self) -> None:
        """Stop the pool and wait for its worker."""
        self._endings.forget()
        self._pool.stop()
        self._pool.join()


class Tasks:
    """A pool of several, which replaces who dies."""

    def __init__(self) -> None:
        self._pool = ProcessPool(max_workers=WORKERS, context=CONTEXT)

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Scheduled."""
        begin = self._pool.schedule
        return [future.result(PATIENCE) for future in [begin(function, args=(argument,)) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """It chooses chunks of 1; 250 is what its users choose for many."""
        return [*self._pool.map(function, arguments, chunksize=chunk or 250).result()]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Scheduled."""
        self._pool.schedule(function, args=(argument,))

    def recover(self) -> None:
        """Nothing: the pool does it by itself."""

    def close(self) -> None:
        """Stopped."""
        self._pool.stop()
        self._pool.join()
