"""What a wait is: a value that begins probes, each of which is asked again and again, and never sleeps by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from understudy.errors import UnderstudyError


@dataclass(frozen=True, slots=True)
class Holds:
    """What was waited for is there; ``seen`` says by what that was told."""

    seen: str = ""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It is not there yet.

    ``seen`` is what a timeout will say was seen last, ``cause`` the exception by which it was seen, if there is one.
    To ask again is worth while once a descriptor of ``readable`` or ``writable`` is so, or ``within`` so many seconds
    have passed. Where none of these is given it is asked again after 5 ms, then twice as long, up to 250 ms.
    """

    seen: str
    readable: tuple[int, ...] = ()
    writable: tuple[int, ...] = ()
    within: float | None = None
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """It will not be there any more: the wait ends at once, with this error."""

    error: UnderstudyError


Answer: TypeAlias = Holds | NotYet | Never


class Log(NamedTuple):
    """A file that a stream of the subject goes to; ``start``: the byte at which what it wrote itself begins."""

    path: str
    start: int = 0


class Subject(Protocol):
    """Whose port, file or log it is that is waited for."""

    @property
    def name(self) -> str:
        """What errors call it; empty for nobody."""
        ...

    def wakes(self) -> Sequence[int]:
        """Descriptors, one of which is readable once ``ended`` or ``called_off`` says so."""
        ...

    def ended(self) -> BaseException | None:
        """How it ended, as an error; None while it lives."""
        ...

    def called_off(self) -> bool:
        """Whether nobody wants to know any longer."""
        ...

    def pids(self) -> Collection[int] | None:
        """The processes that it is made of at this moment; None where it is of none, so that nobody is a stranger."""
        ...

    def log(self, stream: str) -> Log | None:
        """Where what it writes to ``"stdout"`` or ``"stderr"`` can be read; None where it can't."""
        ...


class Probe(Protocol):
    """One wait under way. Both methods are called by one thread at a time."""

    def look(self, now: float) -> Answer:
        """How things stand. It returns at once; ``now`` is in seconds, by a clock that only goes on."""
        ...

    def close(self) -> None:
        """Let go of all that it holds: called once, however the wait ended."""
        ...


@runtime_checkable
class Wait(Protocol):
    """Something that can be waited for: a value, of which any number of waits may be under way.

    ``timeout`` bounds each of them, in seconds; None leaves that to who waits. ``start`` begins one; what it raises is
    raised by who waits.

        class Unlocked:
            def __init__(self, path):
                self.path, self.timeout = path, 10.0
            def start(self, subject):
                return self
            def look(self, now):
                return NotYet("still locked") if os.path.exists(self.path) else Holds()
            def close(self):
                pass
    """

    @property
    def timeout(self) -> float | None:
        """The seconds after which it is given up; None for no bound of its own."""
        ...

    def start(self, subject: Subject) -> Probe:
        """Begin to look for it, on behalf of that subject."""
        ...


class _Nobody:
    """What belongs to none of our own: it never ends, and no process is a stranger to it."""

    name = ""

    def wakes(self) -> Sequence[int]:
        return ()

    def ended(self) -> BaseException | None:
        return None

    def called_off(self) -> bool:
        return False

    def pids(self) -> Collection[int] | None:
        return None

    def log(self, stream: str) -> Log | None:
        return None

    def __repr__(self) -> str:
        return "NOBODY"


NOBODY: Subject = _Nobody()
"""The subject of a wait for what is no program of ours, as a database that is there already."""
