"""ray: tasks of a cluster of this machine, as many at once as it has processors."""

from collections.abc import Callable, Sequence
from typing import Any

import ray

from benchmarks.others.ray import Ray
from benchmarks.tasks import PATIENCE


class Tasks:
    """A cluster. A task whose worker died fails; the next one gets another worker."""

    def __init__(self) -> None:
        self._cluster = Ray()
        self._remote: dict[Any, Any] = {}

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """A call each."""
        call = self._of(function)
        return list(ray.get([call(argument) for argument in arguments], timeout=PATIENCE))

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """A call a chunk: it has no map of its own; 250 is what is chosen for the others."""
        if chunk == 1:
            return self.each(function, arguments)
        size = chunk or 250
        call = self._of(function, by_chunks=True)
        chunks = [[*arguments[at : at + size]] for at in range(0, len(arguments), size)]
        return [value for values in ray.get([call(one) for one in chunks], timeout=PATIENCE) for value in values]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """A call, whose answer nobody fetches."""
        self._of(function)(argument)

    def recover(self) -> None:
        """Nothing: it does it by itself."""

    def close(self) -> None:
        """Shut down."""
        self._cluster.close()

    def _of(self, function: Callable[[Any], Any], *, by_chunks: bool = False) -> Any:
        known = self._remote.get((function, by_chunks))
        if known is None:
            body = (lambda chunk: [function(one) for one in chunk]) if by_chunks else function
            made = ray.remote(max_retries=0)(body)
            known = self._remote[function, by_chunks] = made.remote
        return known
