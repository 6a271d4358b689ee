"""An ActorSystem where it does not run: inside an actor, or in any process that it was sent to."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from understudy import runtime
from understudy.errors import WrongProcess

if TYPE_CHECKING:
    from understudy.ref import ActorRef

here: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
"""The systems of this process, by id."""

VERBS = frozenset({
    "cleanup", "close_by", "close_default", "configure", "control_at", "dead_letters", "default", "disown", "gates",
    "group", "healthy", "info", "observe_at", "pause", "ps", "reap", "resume", "serve_metrics", "shutdown",
    "stacks", "story", "summary", "wait_all",
})  # fmt: skip
"""What only the process that opened it can do."""


class SystemHandle:
    """A system of another process: its ``name`` and ``endpoint``, which Observer and Remote take.

    Inside one of its actors `ref` and `refs` find the others, `stop`, `kill` and `restart` end them, and `spawn` starts
    a child. What else an ActorSystem can do raises WrongProcess.
    """

    is_open = False

    def __init__(self, system_id: str, name: str, endpoint: str) -> None:
        self.system_id, self.name, self.endpoint = system_id, name, endpoint

    def ref(self, name: str) -> Any:
        """The ref of the living actor of that name, else of the last that bore it; raises UnknownActor.

        Of replicas that were spawned under that name, the GroupRef.
        """
        return self._inside("ref").ref_of(name)

    def refs(self, pattern: str) -> list[ActorRef[Any]]:
        """The refs of the living actors that a glob matches, or that bear the name; none is no error."""
        return self._inside("refs").refs_of(pattern)

    def spawn(self, target: Any, /, *args: Any, **options: Any) -> Any:
        """As `Process.spawn`."""
        return self._inside("spawn").spawn(target, *args, **options)

    def stop(self, who: Any, *, grace: float | None = None, drain: bool = False) -> dict[str, str]:
        """As `ActorSystem.stop`."""
        return self._inside("stop").steer("stop", who, grace=grace, drain=drain)

    def kill(self, who: Any) -> dict[str, str]:
        """As `ActorSystem.kill`."""
        return self._inside("kill").steer("kill", who)

    def restart(self, who: Any, *, grace: float | None = None) -> dict[str, str]:
        """As `ActorSystem.restart`, of the original."""
        return self._inside("restart").steer("restart", who, grace=grace)

    def __getattr__(self, name: str) -> NoReturn:
        if name in VERBS:
            self._refuse(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __enter__(self) -> NoReturn:
        self._refuse("open")

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> NoReturn:
        self._refuse("open")

    async def __aexit__(self, *_: object) -> None: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SystemHandle) and self.system_id == other.system_id

    def __hash__(self) -> int:
        return hash(self.system_id)

    def __repr__(self) -> str:
        return f"<the ActorSystem {self.name}, of another process>"

    def __reduce__(self) -> tuple[Any, tuple[str, str, str]]:
        return arrived, (self.system_id, self.name, self.endpoint)

    def _inside(self, verb: str) -> runtime.Inside:
        inside = runtime.inside
        if inside is None or inside.system_id != self.system_id:
            self._refuse(verb)
        return inside

    def _refuse(self, verb: str) -> NoReturn:
        place = "in a process that does not run it" if runtime.inside is None else f"inside {runtime.whereabouts()}"
        raise WrongProcess(f"{verb}: the system {self.name} belongs to its parent process; it takes no calls {place}")


def arrived(system_id: str, name: str, endpoint: str) -> Any:
    """The system itself where it runs, else a handle of it."""
    found = here.get(system_id)
    return SystemHandle(system_id, name, endpoint) if found is None else found
