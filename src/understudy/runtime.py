"""The slot through which `process` and `ref` reach a runtime without importing one.

In the parent `system` fills it, in a child `engine` does.
"""

from __future__ import annotations

import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from understudy.errors import NotStarted, WrongProcess

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Mapping, Sequence

    from understudy.engine.timers import Reminder
    from understudy.receiving.deferred import Deferred
    from understudy.ref import ActorRef
    from understudy.stats import Stats
    from understudy.status import ActorInfo, Life, Status
    from understudy.timing import Timers


T_co = TypeVar("T_co", covariant=True)


class Awaited(Protocol[T_co]):
    """What is waited for: as a `Future`, but setting it needs no lock that who waits may hold."""

    def done(self) -> bool: ...
    def result(self, timeout: float | None = None) -> T_co: ...
    def add_done_callback(self, tell: Callable[[Any], object]) -> None: ...
    def remove_done_callback(self, tell: Callable[[Any], object]) -> None: ...


class Outside(Protocol):
    """What a reference asks of the system that its actor lives in; actors are named by uid."""

    def started(self, uid: int) -> Awaited[None]: ...
    def settled(self, uid: int) -> Awaited[Status]: ...
    def outcome(self, uid: int) -> tuple[Any, BaseException | None]: ...
    def stop_uid(self, uid: int, *, grace: float | None = None, drain: bool = False) -> str: ...
    def kill_uid(self, uid: int) -> str: ...
    def restart_uid(self, uid: int, *, grace: float | None = None) -> str: ...
    def children_uid(self, uid: int) -> list[ActorRef[Any]]: ...
    def pause_uid(self, uid: int) -> str: ...
    def resume_uid(self, uid: int) -> str: ...
    def configure_uid(self, uid: int, options: Mapping[str, Any]) -> str: ...
    def info_uid(self, uid: int) -> ActorInfo: ...
    def healthy_uid(self, uid: int) -> bool: ...
    def history_uid(self, uid: int) -> list[Life]: ...
    def stacks_uid(self, uid: int) -> str: ...
    def timers_uid(self, uid: int) -> Timers | None: ...

    @property
    def post(self) -> Post: ...


class Courier(Protocol):
    """The same for asyncio."""

    async def tell(
        self, uid: int, name: str, message: Any, *, urgent: bool = False, reliable: bool = False
    ) -> None: ...
    async def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any: ...
    async def ask_all(self, members: Sequence[tuple[int, str]], message: Any, timeout: float | None) -> list[Any]: ...
    async def meet(self, members: Sequence[tuple[int, str]]) -> None: ...
    def loads(self, members: Sequence[tuple[int, str]]) -> list[int | None]: ...


class Post(Protocol):
    """What takes messages to actors, named by uid; the name is for texts."""

    @property
    def courier(self) -> Courier: ...

    def tell(self, uid: int, name: str, message: Any, urgent: bool = False) -> None: ...  # noqa: FBT001, FBT002
    def tell_reliably(self, uid: int, name: str, message: Any, *, urgent: bool) -> None: ...
    def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any: ...
    def lives(self, uid: int, name: str) -> bool: ...
    def stays(self, uid: int, name: str) -> bool: ...
    def turn(self, group: int) -> int: ...
    def loads(self, members: Sequence[tuple[int, str]]) -> list[int | None]: ...
    def ask_all(self, members: Sequence[tuple[int, str]], message: Any, timeout: float | None) -> list[Any]: ...


class Stage(Protocol):
    """What a free-standing Process asks of the default system."""

    def spawn(self, target: Any, /, *args: Any, name: str | None = None, **options: Any) -> Any: ...


class Answer(Protocol):
    """Where the answer to one message goes; of one that was told, nowhere. Called once, in any thread of the actor."""

    def reply(self, value: Any) -> None: ...
    def fail(self, error: BaseException) -> None: ...

    def drop(self) -> None:
        """One of those who could have will do neither. Called by a finalizer, so amid anything."""
        ...


class Inside(Protocol):
    """What a Process asks of the engine that runs it."""

    name: str
    system_id: str
    system_name: str
    endpoint: str
    stop_event: threading.Event

    @property
    def post(self) -> Post: ...

    @property
    def ref(self) -> ActorRef[Any]: ...
    @property
    def lap(self) -> int: ...
    @property
    def completed_laps(self) -> int: ...
    @property
    def last_lap_time(self) -> float | None: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def lives_left(self) -> int: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def stats(self) -> Stats: ...
    def stop(self, after: str) -> None: ...
    def kill(self) -> None: ...
    def sleep(self, seconds: float) -> bool: ...
    def checkpoint(self, process: Any) -> None: ...
    def progress(self, percent: float | None, note: str | None) -> None: ...
    @property
    def redelivered(self) -> bool: ...
    @property
    def sender(self) -> ActorRef[Any] | None: ...
    def defer(self) -> Deferred: ...
    def receive(self, timeout: float | None) -> Any: ...
    def after(self, seconds: float, message: Any) -> Reminder: ...
    def every(self, seconds: float, message: Any) -> Reminder: ...
    def ref_of(self, name: str) -> Any: ...
    def refs_of(self, pattern: str) -> list[ActorRef[Any]]: ...
    def spawn(self, target: Any, /, *args: Any, **options: Any) -> Any: ...
    def steer(self, verb: str, who: Any, **options: Any) -> dict[str, Any]: ...


class Interruption(BaseException):
    """What is raised into a user's code to end it: passes through `except Exception`, and through whatever runs it."""


NOTHING = object()
"""Stands for no value where None is a value."""

systems: weakref.WeakValueDictionary[str, Outside] = weakref.WeakValueDictionary()
"""The systems of this process by id, for as long as they, or refs of theirs, are held."""

inside: Inside | None = None
"""The engine, if this process is an actor."""

packing = threading.local()
"""``outermost``, in the thread that pickles something for another process: what was asked to be pickled."""

default: Callable[[], Stage] | None = None
"""Makes, or gives, the default system of this process."""


def find(system_id: str, name: str) -> Outside:
    """The system of that id; raises WrongProcess where this process does not run it."""
    found = systems.get(system_id)
    if found is not None:
        return found
    if inside is not None:
        raise WrongProcess(f"{name} cannot be reached from inside the actor {inside.name}: the parent holds its router")
    raise WrongProcess(f"the system of {name} does not run in this process, or was shut down and forgotten")


def default_system() -> Stage:
    """The default system; inside an actor its own, of which it is a part."""
    if inside is not None:
        return inside
    if default is None:
        raise NotStarted("no runtime is loaded in this process; import understudy.system first")
    return default()


def importing() -> list[str]:
    """The modules whose import is under way in this thread, innermost first; `__main__` is none of them."""
    names: list[str] = []
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if frame.f_code.co_name == "<module>" and name != "__main__":
            names.append(str(name))
        frame = frame.f_back
    return names


def whereabouts() -> str:
    """The actor that this process is, and the module that it is importing, for an error's text."""
    actor = "the parent" if inside is None else f"the actor {inside.name}"
    return next((f"{actor} while it imports {module}" for module in importing()), actor)
