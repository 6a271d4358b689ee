"""What is to be done; `router/perform` is the only doer."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.lifecycle.actor import Outcome, Wish
from understudy.lifecycle.events import Alarm
from understudy.lifecycle.ladder import Rung
from understudy.status import Crash


@dataclass(frozen=True, slots=True)
class Fork:
    """Ask for a process of the actor's incarnation."""


@dataclass(frozen=True, slots=True)
class Remind:
    """Send the orders that stand, until they are heard."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM to the process."""


@dataclass(frozen=True, slots=True)
class TerminateGroup:
    """SIGTERM to the process group of a program."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """SIGSTOP to the process group of a program."""


@dataclass(frozen=True, slots=True)
class Continue:
    """SIGCONT to the process group of a program."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The private signal that ends an overrun section."""


@dataclass(frozen=True, slots=True)
class KillFamily:
    """SIGKILL to the process and all that it started; ``stacks``: let it write its stacks first."""

    stacks: bool = False


@dataclass(frozen=True, slots=True)
class SetAlarm:
    """Start a clock, ``after`` seconds from now; a clock of that name that runs is set anew."""

    alarm: Alarm
    after: float


@dataclass(frozen=True, slots=True)
class ClearAlarm:
    """Stop a clock."""

    alarm: Alarm


@dataclass(frozen=True, slots=True)
class Bury:
    """One incarnation has ended: write its life, and its death report if it failed."""

    cause: str
    crash: Crash | None


@dataclass(frozen=True, slots=True)
class Settle:
    """The actor has ended for good."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Another life follows the one that ``ended``, ``pause`` seconds later; ``asked``: by request. Tell who watches."""

    ended: int
    pause: float
    cause: str
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell those who watch."""

    kind: str
    before: str | None
    after: str | None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class PassOn:
    """What befell this actor ends another one: ``uid`` is to be stopped, killed, or ended for its group.

    ``rungs`` None: by its own ladder.
    """

    uid: int
    wish: Wish
    cause: str
    rungs: tuple[Rung, ...] | None = None
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Cue:
    """What befell this actor lets another one, which waits for that, begin."""

    uid: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A group that nothing stands above has used up its restarts with this actor's death: the system is to end."""

    group: int
    name: str
    cause: str


Order = PassOn | Cue
"""What is asked of another actor."""

Effect = (
    Fork
    | Remind
    | Terminate
    | TerminateGroup
    | Suspend
    | Continue
    | Interrupt
    | KillFamily
    | SetAlarm
    | ClearAlarm
    | Bury
    | Settle
    | TakeOver
    | Publish
    | PassOn
    | Cue
    | GiveUp
)
