"""mpire: a pool whose workers are kept alive, from a forkserver that is preloaded."""

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from mpire import WorkerPool

from benchmarks.tasks import MODULE, PATIENCE, WORKERS

multiprocessing.set_forkserver_preload([MODULE])


class Tasks:
    """A worker that dies ends it."""

    def __init__(self) -> None:
        self._pool = WorkerPool(WORKERS, start_method="forkserver", keep_alive=True)

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Applied."""
        begin = self._pool.apply_async
        return [result.get(PATIENCE) for result in [begin(function, (argument,)) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """Its own map; arrays are not what it is given."""
        return [*self._pool.map(function, arguments, chunk_size=chunk or None)]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Applied."""
        self._pool.apply_async(function, (argument,))

    def recover(self) -> None:
        """Not here: the next task may be another worker's."""
        raise NotImplementedError

    def close(self) -> None:
        """Terminated."""
        self._pool.terminate()
