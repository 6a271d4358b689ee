"""understudy as a contestant, by its public names only."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.actors import Brief, Idle, Laps, Receiver
from benchmarks.correspondence import Shape, at_once, timed
from benchmarks.tasks import MODULE, WORKERS
from understudy import ActorRef, ActorSystem, Pool

PATIENCE = 60.0  # seconds
PRELOAD = ["benchmarks.actors"]


def laps(laps: int) -> float:
    """Laps a second, measured in the actor from its first section to `__onfinish__`."""
    with ActorSystem(preload=PRELOAD) as system:
        return float(system.spawn(Laps, laps).result(timeout=PATIENCE))


class Understudy:
    """A system whose zygote knows the actors' module."""

    def __init__(self) -> None:
        self.system = ActorSystem(preload=PRELOAD)
        self.refs: list[ActorRef[Any]] = []

    def spawn_brief(self, board: str) -> None:
        """Its only lap is the stamp."""
        self.refs.append(self.system.spawn(Brief, board))

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """They sleep in their first lap."""
        for _ in range(count):
            self.refs.append(self.system.spawn(Idle, board))

    def settle(self) -> None:
        """Nothing: a stop is never lost."""

    def replace(self, board: str) -> None:
        """Nothing: the system does it by itself."""

    def wait(self) -> None:
        """All are settled, and well."""
        for ref in self.refs:
            status = ref.wait(timeout=PATIENCE)
            if status.name != "FINISHED":
                raise RuntimeError(f"{ref.name} ended {status.name}: {ref.exception()}")
        self.refs.clear()

    def status_command(self) -> list[str]:
        """What a person types."""
        return [sys.executable, "-m", "understudy", "ps", "--system", self.system.name]

    def stop(self) -> None:
        """One verb for all, then the end of each."""
        self.system.stop("*")
        self.wait()

    def close(self) -> None:
        """Shut the system down."""
        self.system.shutdown()


class Strangers(Understudy):
    """A system that was told nothing of the module of the actors it is given."""

    def __init__(self) -> None:
        self.system = ActorSystem()
        self.refs = []

    def spawn_brief(self, board: str) -> None:
        """Its module is imported only now: what the parent has loaded when the zygote starts may be known to it."""
        from benchmarks.strangers import Stranger

        self.refs.append(self.system.spawn(Stranger, board))


class Post:
    """Messages to actors."""

    def __init__(self) -> None:
        self.system = ActorSystem(preload=PRELOAD)
        self.refs: list[ActorRef[Any]] = []
        self.heads: list[ActorRef[Any]] = []

    def begin(self, count: int, shape: Shape, board: str) -> None:
        """Spawned, each knows the next."""
        self.refs = [self.system.spawn(Receiver, board) for _ in range(count)]
        for ref in self.refs:
            ref.wait_ready(PATIENCE)
        if shape != "star":
            for ref, following in zip(self.refs, self.refs[1:] + self.refs[:1], strict=True):
                if shape == "ring" or following is not self.refs[0]:
                    ref.ask((following,))
        self.heads = self.refs[:1] if shape == "chain" else self.refs

    def tell(self, message: Any, times: int) -> None:
        """Told."""
        tells = [ref.tell for ref in self.heads]
        for _ in range(times):
            for tell in tells:
                tell(message)

    def ask(self, message: Any, times: int) -> list[float]:
        """Asked."""
        return timed(self.refs[0].ask, message, times)

    def ask_at_once(self, message: Any, askers: int, times: int) -> float:
        """Of many threads."""
        return at_once(lambda: self.refs[0].ask, message, askers, times)

    def close(self) -> None:
        """Shut the system down."""
        self.system.shutdown()


class Reliably(Post):
    """The same, each kept until it is done."""

    def tell(self, message: Any, times: int) -> None:
        """Told reliably."""
        tells = [ref.tell for ref in self.heads]
        for _ in range(times):
            for tell in tells:
                tell(message, reliable=True)


class OverTcp(Post):
    """The same over TCP, on the loopback and with keys."""

    def __init__(self) -> None:
        os.environ["UNDERSTUDY_TRANSPORT"] = "tcp"
        super().__init__()


@functools.cache
def _home() -> ActorSystem:
    """Where all pools of this program live, as by default; its zygote knows the tasks' module."""
    return ActorSystem(preload=[MODULE])


class Tasks:
    """A pool."""

    def __init__(self) -> None:
        self._pool = Pool(WORKERS, system=_home())

    def each(self, function: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
        """Submitted."""
        submit = self._pool.submit
        return [future.result(PATIENCE) for future in [submit(function, argument) for argument in arguments]]

    def mapped(self, function: Callable[[Any], Any], arguments: Sequence[Any], chunk: int) -> list[Any]:
        """Its own map."""
        return [*self._pool.map(function, arguments, chunksize=chunk or None)]

    def begin(self, function: Callable[[Any], Any], argument: Any) -> None:
        """Submitted."""
        self._pool.submit(function, argument)

    def recover(self) -> None:
        """Nothing: the pool does it by itself."""

    def close(self) -> None:
        """Shut down."""
        self._pool.shutdown()
