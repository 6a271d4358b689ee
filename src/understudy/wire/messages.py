"""Everything that parent and child say to each other, in the order of the dialogue.

Each message bears who speaks, or is spoken to: system, uid, incarnation and a sequence number of the speaker.
`frames` are opaque here: a pickle and its buffers, guarded by a tag (see `keys`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, get_args

from understudy.wire.page import SECTIONS, STOPS

Section = Annotated[str, SECTIONS]
Word = Annotated[str, ("original", "raise", "fallback", "failed")]
Stop = Annotated[str, STOPS]
Verdict = Annotated[str, ("", "again", "rites", "end")]
Way = Annotated[str, ("tell", "ask")]
Standing = Annotated[str, ("waiting", "ready", "leaving", "stopping", "ended", "unknown")]
Takes = Annotated[str, ("always", "perhaps", "never", "program")]
Steering = Annotated[str, ("stop", "kill", "restart", "children", "watch", "unwatch", "info", "wait", "ready")]
OnFull = Annotated[str, ("block", "raise", "drop_oldest")]
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
class Meet:
    """I speak to that actor: tell me how it stands, now and at each change, for as long as I live."""

    KIND: ClassVar[str] = "meet"
    uid: int


@dataclass(frozen=True, slots=True)
class Seek:
    """Tell me which living actors bear that name, or one that the glob means."""

    KIND: ClassVar[str] = "seek"
    request: int
    pattern: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """My main thread has waited for an answer of that actor for a while, and waits on."""

    KIND: ClassVar[str] = "blocked"
    ask: int
    uid: int


@dataclass(frozen=True, slots=True)
class Unblocked:
    """It waits for that answer no more."""

    KIND: ClassVar[str] = "unblocked"
    ask: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to the actor ``uid`` that nobody will handle, and why.

    ``text`` shows it to people. ``frames`` hold a pickle under its ``tag``, one frame of msgpack without one, or
    nothing where the message is not kept. A ``count`` of more than 1 says that so many had the same fate. ``deaths``:
    it was in hand at so many, and the report of the last is told with it.
    """

    KIND: ClassVar[str] = "letter"
    uid: int
    reason: str
    way: Way
    text: str
    count: int
    sender: int
    sender_name: str
    deaths: int = 0
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start an actor that is a child of mine, under the name ``given``, or several alike.

    The frame is its spec, see `spawners.specs`. Said again under the same number it is done once.
    """

    KIND: ClassVar[str] = "spawn"
    request: int
    given: str | None
    replicas: int | None
    linked: bool
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The object as it is, for the lives that follow; the process waits until orders bear that ``number``."""

    KIND: ClassVar[str] = "checkpoint"
    number: int
    tag: bytes | None = None
    frames: tuple[Any, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Steer:
    """Stop, kill or restart these, by uid, name or glob; ``children``: tell whom these have spawned.

    ``watch`` and ``unwatch``: I want, or do not want any more, to be told when they have ended. Of one uid, ``info``:
    tell its row; ``wait`` and ``ready``: answer at once, and again when it has ended, or was READY once.
    """

    KIND: ClassVar[str] = "steer"
    request: int
    verb: Steering
    who: list[int | str]
    grace: float | None
    drain: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """I have handled that end of one that I watched, see `Terminated`."""

    KIND: ClassVar[str] = "noted"
    uid: int
    number: int


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


Mail = Meet | Seek | Blocked | Unblocked | Letter
"""What is said about messages to other actors; these themselves go another way."""
Family = Spawn | Steer | Noted
"""What an actor wants of the parent, and what came of it."""
Report = (
    Ready
    | Beat
    | Heard
    | Progress
    | Log
    | Mail
    | Family
    | Checkpoint
    | Finishing
    | KillMe
    | Error
    | Result
    | Rites
    | Bye
)
REPORTS: tuple[type[Any], ...] = get_args(Report)


# --- parent to child (XPUB -> SUB)


@dataclass(frozen=True, slots=True)
class Orders:
    """All wishes that stand, every time: whoever hears the last knows all.

    ``number`` rises with each change. ``stop`` asks for the end after the section; ``drain``, after the messages that
    have arrived; ``restart``, with another life to follow. ``verdict`` answers an error with
    ``again``, ``rites`` or ``end`` ("" while there is none); ``acknowledged`` says that the result, or what the rites
    came to, is safe; ``stacks`` is the number of the last dump of stacks that was asked for (0: none was). ``paused``:
    it is to stand still at its next check, until it hears otherwise or is to end. ``settings`` are all that were
    configured since the spawn, by their dotted paths. ``checkpoint`` is the number of the last one that is
    safe (0: none).
    """

    KIND: ClassVar[str] = "orders"
    number: int
    stop: Stop
    verdict: Verdict
    acknowledged: bool
    stacks: int = 0
    paused: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    checkpoint: int = 0


@dataclass(frozen=True, slots=True)
class Fate:
    """How an actor stands that you spoke to; said again whenever it changes.

    ``deaths`` is its latest life that is known to have ended, 0 for none; ``size`` and ``on_full`` are its mailbox's.
    ``takes``: whether it has handlers, or may wait for a message all the same, or cannot. ``begun``, once it has ended:
    what it has begun of each sender of the process that is told, see `ledger`.
    """

    KIND: ClassVar[str] = "fate"
    uid: int
    name: str
    incarnation: int
    deaths: int
    state: Standing
    size: int
    on_full: OnFull
    takes: Takes
    begun: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sought:
    """The actors that were asked for, a pair of uid and name each.

    ``more``: others follow in a further one. ``hint``, for one name that nobody bears: which do, in words.
    """

    KIND: ClassVar[str] = "sought"
    request: int
    found: list[list[int | str]]
    more: bool
    hint: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a `Spawn` or a `Steer`: a value, or the class of an error and its text.

    ``more``: another part of the value follows in a further one.
    """

    KIND: ClassVar[str] = "answered"
    request: int
    value: dict[str, Any]
    more: bool
    error: str
    text: str


@dataclass(frozen=True, slots=True)
class Terminated:
    """One that you watch has ended for good; said to each life again until one says `Noted` with the number.

    ``info`` is its row as it stands then, see `ActorInfo.to_dict`.
    """

    KIND: ClassVar[str] = "terminated"
    uid: int
    number: int
    info: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Still:
    """If that ask still waits, say `Blocked` again."""

    KIND: ClassVar[str] = "still"
    ask: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """That ask waits for itself: each of these waits for the next, and the last for the first, who asked it."""

    KIND: ClassVar[str] = "cycle"
    ask: int
    names: list[str]


Order = Orders | Fate | Sought | Answered | Terminated | Still | Cycle
ORDERS: tuple[type[Any], ...] = get_args(Order)
