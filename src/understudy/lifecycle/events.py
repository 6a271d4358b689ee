"""What can happen to an actor; every State x Event pair is decided in `transitions`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from understudy.lifecycle.ladder import Rung
from understudy.lifecycle.spec import Spec
from understudy.status import Crash


class Alarm(Enum):
    """The clocks that run for an actor."""

    START = "start"
    RUNG = "rung"
    BACKOFF = "backoff"
    EXIT = "exit"
    JOIN = "join"
    UNKILLABLE = "unkillable"


class Stage(Enum):
    """How far the router goes against a section that overran."""

    INTERRUPT = "interrupt"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stood by its shared page: open section, lap, boot phase ("" once READY)."""

    section: str = ""
    lap: int = 0
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Forked:
    """The process exists."""

    pid: int


@dataclass(frozen=True, slots=True)
class ForkFailed:
    """No process came to be. ``lost``: the request was lost with its zygote, which is nobody's fault."""

    reason: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The state is open; the first hook is about to run."""


@dataclass(frozen=True, slots=True)
class Finishing:
    """The process goes to its end on its own; ``stop`` if by its own wish to be stopped."""

    cause: str
    stop: bool


@dataclass(frozen=True, slots=True)
class Resulted:
    """The result arrived."""

    payload: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The process tells its state as it is now; ``number`` counts those of this life."""

    number: int
    blob: bytes = field(repr=False)

    @property
    def cause(self) -> str:
        """In words."""
        return f"tells its checkpoint {self.number}, of {len(self.blob)} bytes"


@dataclass(frozen=True, slots=True)
class Errored:
    """The process tells its error and waits for a verdict."""

    crash: Crash


@dataclass(frozen=True, slots=True)
class Rited:
    """`__error__` ran; ``payload`` is what it came to."""

    payload: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Died:
    """The operating system's word. Both codes None: the wait status is unknown.

    ``starved``: the kernel counted an OOM kill where the process lived while it did. ``lost``: so many messages it had
    begun and not handled.
    """

    exit_code: int | None
    signal: str | None
    place: Place
    starved: bool = False
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody asked for a stop; ``rungs`` are deadlines (empty: the sections' own timeouts bound it).

    ``drain``: after the messages that have arrived.
    """

    rungs: tuple[Rung, ...] = ()
    cause: str = "stop"
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """Somebody asked for a kill."""

    cause: str = "kill"


@dataclass(frozen=True, slots=True)
class Restart:
    """Somebody asked for a restart, perhaps with another target."""

    rungs: tuple[Rung, ...] = ()
    spec: Spec | None = None


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Its group begins anew: it is to end, and to wait until it is called for."""

    rungs: tuple[Rung, ...] = ()
    cause: str = "its group begins anew"


@dataclass(frozen=True, slots=True)
class Cued:
    """Its group calls for it."""

    cause: str = "its group calls for it"


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody asked it to stand still."""

    cause: str = "a pause is asked"


@dataclass(frozen=True, slots=True)
class Resume:
    """Somebody asked it to go on."""

    cause: str = "a resume is asked"


@dataclass(frozen=True, slots=True)
class Configure:
    """Somebody set options of it, by their dotted paths."""

    options: Mapping[str, Any]

    @property
    def cause(self) -> str:
        """In words."""
        return "configured: " + ", ".join(f"{path}={value}" for path, value in self.options.items())


@dataclass(frozen=True, slots=True)
class Expired:
    """A clock ran out."""

    alarm: Alarm

    @property
    def cause(self) -> str:
        """In words."""
        return f"{self.alarm.value} over"


@dataclass(frozen=True, slots=True)
class Released:
    """Its pause had been over, and now it is its turn among all whose restarts are due."""

    cause: str = "its turn came"


@dataclass(frozen=True, slots=True)
class Overran:
    """The shared page shows a section past its deadline."""

    stage: Stage
    place: Place


@dataclass(frozen=True, slots=True)
class Silent:
    """Heartbeats are missing; ``held``: the process is stopped, or no section is open that could explain it."""

    misses: int
    lost: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A heartbeat after silence."""


Event = (
    Forked
    | ForkFailed
    | Ready
    | Finishing
    | Resulted
    | Checkpointed
    | Errored
    | Rited
    | Died
    | Stop
    | Kill
    | Restart
    | Rejoin
    | Cued
    | Pause
    | Resume
    | Configure
    | Expired
    | Released
    | Overran
    | Silent
    | Heard
)
"""The closed union; `transitions` has a row for each."""
