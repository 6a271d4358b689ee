"""Everything that parent and child say to each other, in the order of the dialogue.

Each message bears who speaks, or is spoken to: system, uid, incarnation and a sequence number of the speaker.
`frames` are opaque here: a pickle and its buffers, guarded by a tag (see `keys`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from understudy.wire.page import SECTIONS

Section = Annotated[str, SECTIONS]
Word = Annotated[str, ("original", "raise", "fallback", "failed")]
Verdict = Annotated[str, ("", "again", "rites", "end")]
"""Texts of which the codec lets through these only."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose message it is."""

    system: str
    uid: int
    incarnation: int
    seq: int = 0


# --- child to parent (PUSH -> PULL)


@dataclass(frozen=True, slots=True)
class Ready:
    """The state is open.

    ``mailbox`` is the address at which the actor takes messages, if it does; ``imported`` names the modules that had to
    be imported for the opening, in the order in which their imports began.
    """

    KIND: ClassVar[str] = "ready"
    pid: int
    mailbox: str | None = None
    imported: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Beat:
    """I live."""

    KIND: ClassVar[str] = "beat"


@dataclass(frozen=True, slots=True)
class Heard:
    """The orders of that number are known."""

    KIND: ClassVar[str] = "heard"
    order: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is, in percent, with a note."""

    KIND: ClassVar[str] = "progress"
    percent: float | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Log:
    """One log record as plain values, for the handlers of the parent."""

    KIND: ClassVar[str] = "log"
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finishing:
    """The laps are over; ``stop``: because somebody in the process wished so."""

    KIND: ClassVar[str] = "finishing"
    cause: str
    stop: bool


@dataclass(frozen=True, slots=True)
class KillMe:
    """`self.kill()` was called; the process waits for the end."""

    KIND: ClassVar[str] = "killme"


@dataclass(frozen=True, slots=True)
class Error:
    """A hook, or the opening of the state (``section`` empty), failed; the process waits for a verdict."""

    KIND: ClassVar[str] = "error"
    section: Section
    lap: int
    phase: str
    timeout: float | None
    type_name: str
    text: str
    traceback: str
    measures: dict[str, Any]
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What `__result__` returned."""

    KIND: ClassVar[str] = "result"
    measures: dict[str, Any]
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Rites:
    """What `__error__` came to.

    ``word`` is ``original``, ``raise`` (frames hold the exception), ``fallback`` (frames hold the value) or ``failed``
    (it raised itself; frames hold what).
    """

    KIND: ClassVar[str] = "rites"
    word: Word
    type_name: str
    text: str
    traceback: str
    measures: dict[str, Any]
    timeout: float | None = None
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Bye:
    """The last word before the process exits; ``lingering`` names threads that the user left running."""

    KIND: ClassVar[str] = "bye"
    lingering: list[str]


Report = Ready | Beat | Heard | Progress | Log | Finishing | KillMe | Error | Result | Rites | Bye
REPORTS: tuple[type[Any], ...] = (Ready, Beat, Heard, Progress, Log, Finishing, KillMe, Error, Result, Rites, Bye)


# --- parent to child (XPUB -> SUB)


@dataclass(frozen=True, slots=True)
class Orders:
    """All wishes that stand, every time: whoever hears the last knows all.

    ``number`` rises with each change. ``stop`` asks for the end after the section; ``verdict`` answers an error with
    ``again``, ``rites`` or ``end`` ("" while there is none); ``acknowledged`` says that the result, or what the rites
    came to, is safe; ``stacks`` is the number of the last dump of stacks that was asked for (0: none was).
    """

    KIND: ClassVar[str] = "orders"
    number: int
    stop: bool
    verdict: Verdict
    acknowledged: bool
    stacks: int = 0


ORDERS: tuple[type[Any], ...] = (Orders,)
