"""One actor as a value: everything that decides what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from understudy.lifecycle.budget import Budget
from understudy.lifecycle.ladder import Rung
from understudy.lifecycle.spec import Spec
from understudy.status import Crash, Status


class Wish(Enum):
    """What was asked of the actor and stands until it has ended."""

    NOTHING = "nothing"
    STOP = "stop"
    RESTART = "restart"
    REJOIN = "rejoin"
    """An end, and another life when its group calls for it."""
    KILL = "kill"


class Body(Enum):
    """Whether the incarnation has a process."""

    NONE = "none"
    ASKED = "asked"
    LIVE = "live"


class Verdict(Enum):
    """The router's answer to a process that told its error: leave for another, run the last rites, or just leave."""

    AGAIN = "again"
    RITES = "rites"
    END = "end"


class Hold(StrEnum):
    """Why a restart does not begin: see `governor`; of a member of a group, that this has not called for it."""

    QUEUED = "queued"
    QUARANTINE = "quarantine"
    GROUP = "group"


class Ending(Enum):
    """Why we sent SIGKILL."""

    ASKED = "kill"
    LADDER = "ladder"
    OVERRUN = "overrun"
    STARTUP = "startup"
    LOST = "lost"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an actor ended; payloads are opaque. Exactly one a spawn."""

    status: Status
    result: Any = field(default=None, repr=False)
    crash: Crash | None = None
    rites: Any = field(default=None, repr=False)


class Tie(Enum):
    """What the end of a child means to its parent."""

    LOOSE = "loose"
    LINKED = "linked"


@dataclass(frozen=True, slots=True)
class Kin:
    """Of an actor that another one spawned: by whom, in which of that one's lives, and how deep it stands."""

    parent: int
    incarnation: int
    depth: int
    tie: Tie = Tie.LOOSE


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a group: whose number, and where in its order."""

    group: int
    rank: int


@dataclass(frozen=True, slots=True)
class Actor:
    """One row of the registry."""

    uid: int
    name: str
    spec: Spec
    status: Status = Status.STARTING
    incarnation: int = 1
    body: Body = Body.NONE
    pid: int | None = None
    wish: Wish = Wish.NOTHING
    drain: bool = False
    """Whether the stop that is wished comes after the messages that have arrived; as the first who wished it said."""
    paused: bool = False
    """Whether it is to stand still, in this life and in those that follow; a stop goes before it."""
    checkpoint: bytes | None = field(default=None, repr=False)
    """The last state that one of its lives has told, opaque, for the next ones where ``restart.revive`` says so."""
    kept: int = 0
    """Its number among those of this incarnation; 0: it has told none."""
    ending: Ending | None = None
    ready_at: float | None = None
    first_ready_at: float | None = None
    misses: int = 0
    result: Any = field(default=None, repr=False)
    """The payload of an acknowledged result of this incarnation."""
    told: Crash | None = None
    """The error that this incarnation told."""
    overrun: Crash | None = None
    """The overrun for which we ended it."""
    verdict: Verdict | None = None
    rites_for: Crash | None = None
    """The error that the last rites are held for."""
    rites: Any = field(default=None, repr=False)
    crash: Crash | None = None
    """The last crash."""
    budget: Budget = field(default_factory=Budget)
    rungs: tuple[Rung, ...] = ()
    next_restart: float | None = None
    """When its pause is over."""
    held: Hold | None = None
    """What it waits for: its turn, when its pause is over; or its group, which lets it begin."""
    outcome: Outcome | None = None
    successor: Spec | None = None
    """Another target, to be taken by the restart that is under way."""
    kin: Kin | None = None
    """Who spawned it; None: the system itself."""
    seat: Seat | None = None
    """Its place in the group that it belongs to, or did."""

    @property
    def depth(self) -> int:
        """1 for the system's own actors, one more for each that stands between."""
        return 1 if self.kin is None else self.kin.depth
