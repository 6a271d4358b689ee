"""Part: what the runtime keeps in a user's object."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from understudy import runtime
from understudy.config import ProcessConfig
from understudy.errors import NotAnActor, NotStarted, WrongProcess
from understudy.settings import usual
from understudy.timing import Timers

if TYPE_CHECKING:
    from understudy.ref import ActorRef


class Part:
    """The runtime's one private attribute of a Process: nothing else of it lives in the user's object."""

    __slots__ = ("config", "inside", "ref", "starting", "timers")

    def __init__(self, timed: tuple[str, ...]) -> None:
        self.config = usual(ProcessConfig)
        self.timers: Timers | None = Timers().used(timed) if timed else None
        self.ref: ActorRef[Any] | None = None
        self.inside: runtime.Inside | None = None
        self.starting = threading.RLock()

    def __getstate__(self) -> tuple[ProcessConfig, tuple[str, ...] | None, ActorRef[Any] | None]:
        # What is spawned, or copied, is the role and not the actor: it is not started, and has measured nothing. What
        # only goes along in the state of another stays a handle of the actor that it was started as.
        outermost = getattr(runtime.packing, "outermost", None)
        handle = outermost is not None and getattr(outermost, "__dict__", {}).get("_understudy") is not self
        if self.timers is None:
            return self.config, None, self.ref if handle else None
        used = tuple(name for name in ("preloop", "loop", "postloop", "onfinish") if getattr(self.timers, name))
        return self.config, used, self.ref if handle else None

    def __setstate__(self, state: tuple[ProcessConfig, tuple[str, ...] | None, ActorRef[Any] | None]) -> None:
        self.config, timed, self.ref = state
        self.timers = None if timed is None else Timers().used(timed)
        self.inside = None
        self.starting = threading.RLock()


def part_of(process: object) -> Part:
    """The runtime's part of a Process; raises NotAnActor for an object that was made around ``__new__``."""
    part = process.__dict__.get("_understudy")
    if not isinstance(part, Part):
        raise NotAnActor(f"this {type(process).__name__} was never set up: its __new__ does not call Process.__new__")
    return part


def started(process: object, what: str) -> ActorRef[Any]:
    """The actor that it was started as; raises NotStarted, WrongProcess."""
    part = part_of(process)
    if part.inside is not None:
        raise WrongProcess(f"{part.inside.name} cannot {what} itself: it runs in this very process")
    if part.ref is None:
        raise NotStarted(
            f"cannot {what} this {type(process).__name__}: it is not started; in __init__ none is, elsewhere call "
            "start() first"
        )
    return part.ref


def inside_of(process: object, what: str) -> runtime.Inside:
    """What the engine does for it; raises WrongProcess where it does not run."""
    inside = part_of(process).inside
    if inside is None:
        raise WrongProcess(f"{what}() is for hooks: this {type(process).__name__} does not run in this process")
    return inside
