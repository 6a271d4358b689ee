"""ray: calls of an actor's method; one whose answer nobody fetches is a tell."""

from typing import Any

import ray

from benchmarks.correspondence import PATIENCE, Handling, Shape, at_once, timed
from benchmarks.others.ray import Ray


class Receiver(Handling):
    """Handles what its method is called with."""

    def __init__(self, board: str) -> None:
        self.board = board

    def meet(self, following: Any) -> None:
        """Pass on to that one."""
        self.pass_on = following.handle.remote


RECEIVER: Any = ray.remote(num_cpus=0)(Receiver)


class Post:
    """A cluster of its own."""

    def __init__(self) -> None:
        self._cluster = Ray()
        self._actors: list[Any] = []
        self._heads: list[Any] = []

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Actors, each knows the next."""
        self._actors = [RECEIVER.remote(board) for _ in range(count)]
        ray.get([actor.handle.remote({}) for actor in self._actors], timeout=PATIENCE)
        if shape != "star":
            for number, actor in enumerate(self._actors):
                following = (number + 1) % count
                if shape == "ring" or following:
                    ray.get(actor.meet.remote(self._actors[following]), timeout=PATIENCE)
        self._heads = self._actors[:1] if shape == "chain" else self._actors

    def tell(self, message: Any, times: int) -> None:
        """Called."""
        tells = [actor.handle.remote for actor in self._heads]
        for _ in range(times):
            for tell in tells:
                tell(message)

    def ask(self, message: Any, times: int) -> list[float]:
        """Called, and fetched."""
        return timed(self._call, message, times)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Of many threads."""
        return at_once(lambda: self._call, message, askers, times)

    def close(self) -> None:
        """Shut the cluster down."""
        self._cluster.close()

    def _call(self, message: Any) -> Any:
        return ray.get(self._actors[0].handle.remote(message), timeout=PATIENCE)
