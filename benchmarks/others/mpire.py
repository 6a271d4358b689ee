"""mpire: a pool whose workers are kept alive, from a forkserver that is preloaded."""

import contextlib
import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

from mpire import WorkerPool

from benchmarks.tasks import MODULE, PATIENCE, WORKERS

multiprocessing.set_forkserver_preload([MODULE])


class Tasks:
    """A worker that dies ends it: another one takes its place."""

    def __init__(self) -> None:
        self._pool = self._new()
        self._last: tuple[Any, Callable[[Any], Any], Any] | None = None

    @staticmethod
    def _new() -> Any:
        return WorkerPool(WORKERS, start_method="forkserver", keep_alive=True)

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Applied."""
        begin = self._pool.apply_async
        return [result.get(PATIENCE) for result in [begin(function, (argument,)) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """Its own map; arrays are not what it is given."""
        return [*self._pool.map(function, arguments, chunk_size=chunk or None)]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Applied."""
        self._last = self._pool.apply_async(function, (argument,)), function, argument

    def recover(self) -> None:
        """When it has told of the death, a new one."""
        assert self._last is not None
        result, function, argument = self._last
        try:
            result.get(PATIENCE)
        except RuntimeError:
            broken, self._pool = self._pool, self._new()
            self.begin(function, argument)
            with contextlib.suppress(RuntimeError):  # which tells of the death once more
                broken.terminate()
        else:
            raise RuntimeError("no death was told")

    def close(self) -> None:
        """Terminated."""
        self._pool.terminate()
