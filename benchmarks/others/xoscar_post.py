"""xoscar: an actor pool with a process for each actor, driven from one event loop, as it is meant to be."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import xoscar as xo

from benchmarks.correspondence import Handling, Shape

T = TypeVar("T")


class Receiver(xo.Actor):
    """Handles what its method is called with."""

    def __init__(self, board: str) -> None:
        super().__init__()
        self.handling = Handling()
        self.handling.board = board
        self.following: Any = None
        self.passed: list[Any] = []

    async def meet(self, following: Any) -> None:
        """Pass on to that one."""
        self.following = following
        self.handling.pass_on = self.passed.append

    async def handle(self, message: Any) -> Any:
        """One of the benchmarks."""
        value = self.handling.handle(message)
        while self.passed:
            await self.following.handle.tell(self.passed.pop())
        return value


class Post:
    """A pool of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)  # what is told leaves while nobody waits for it
        self._thread.start()
        self._pool: Any = None
        self._actors: list[Any] = []
        self._heads: list[Any] = []

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Actors, each knows the next."""
        self._run(self._begin(count, shape, board))

    def tell(self, message: Any, times: int) -> None:
        """Told."""
        self._run(self._tell(message, times))

    def ask(self, message: Any, times: int) -> list[float]:
        """Called."""
        return self._run(self._ask(message, times))

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Of many tasks."""
        return self._run(self._ask_at_once(message, askers, times))

    def close(self) -> None:
        """Stop the pool."""
        if self._pool is not None:
            self._run(self._pool.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _begin(self, count: int, shape: Shape, board: str) -> None:
        self._pool = await xo.create_actor_pool("127.0.0.1:0", n_process=count)
        for number in range(count):
            strategy = xo.allocate_strategy.ProcessIndex(number + 1)
            actor = await xo.create_actor(
                Receiver, board, uid=f"r{number}", address=self._pool.external_address, allocate_strategy=strategy
            )
            self._actors.append(actor)
        if shape != "star":
            for number, actor in enumerate(self._actors):
                following = (number + 1) % count
                if shape == "ring" or following:
                    await actor.meet(self._actors[following])
        self._heads = self._actors[:1] if shape == "chain" else self._actors

    async def _tell(self, message: Any, times: int) -> None:
        tells = [head.handle.tell for head in self._heads]
        for _ in range(times):
            for tell in tells:
                await tell(message)

    async def _ask(self, message: Any, times: int) -> list[float]:
        ask, taken = self._actors[0].handle, []
        for _ in range(times):
            began = time.perf_counter()
            await ask(message)
            taken.append(time.perf_counter() - began)
        return taken

    async def _ask_at_once(self, message: Any, askers: int, times: int) -> float:
        began = time.perf_counter()
        await asyncio.gather(*(self._ask(message, times) for _ in range(askers)))
        return time.perf_counter() - began
