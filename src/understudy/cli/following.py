"""Following the stream until something has come about."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum, auto
from time import monotonic
from typing import ClassVar

from understudy.cli import presses
from understudy.cli.names import latest
from understudy.cli.voice import check_reader
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote
from understudy.status import ActorInfo, Event, Status

_LOOK = 0.5  # seconds between two looks whether standard output is read


class Halt(Enum):
    """Why the following came to its end."""

    DONE = auto()
    LATE = auto()
    CLOSED = auto()


def follow(observer: Observer, is_done: Callable[[], bool], deadline: float, note: Callable[[Event], None]) -> Halt:
    """Note each event until it is done, the time is over, or the system has closed.

    Raises BrokenPipeError when nobody reads standard output any more.
    """
    while not is_done():
        check_reader()
        presses.check()
        until = min(deadline, monotonic() + _LOOK)
        event = observer.next(max(0.0, until - monotonic()))
        if event is not None:
            note(event)
        elif monotonic() < until:
            return Halt.CLOSED
        elif until == deadline:
            return Halt.LATE
    return Halt.DONE


def deadline_of(timeout: float | None) -> float:
    """When so many seconds from now are over."""
    return math.inf if timeout is None else monotonic() + timeout


class Goal(ABC):
    """What is to become of actors, each by its name; to be made before they are asked.

    For when the last one has ended, the program may end, too: then only what was known before, and the stream, tell.
    """

    DEED: ClassVar[str]

    def __init__(self, observer: Observer, far: Remote) -> None:
        observer.snapshot()  # what follows it in the stream is told
        self._far = far
        self._known = latest(far.ps(all=True))
        self._names: list[str] = []
        self.finals: dict[str, Status | None] = {}
        """What they came to by name; None of one that the system has forgotten."""

    @abstractmethod
    def expect(self, words: Mapping[str, str]) -> None:
        """These were asked, and that was the answer."""

    @abstractmethod
    def see(self, name: str, life: tuple[int, int], status: Status) -> None:
        """The actor of that name is, in the life of that uid and incarnation, in that status."""

    def note(self, event: Event) -> None:
        """One event of the stream."""
        if event.kind == "snapshot":
            self._look()
        elif event.kind == "state":
            self.see(event.name, (event.uid, event.incarnation), Status(str(event.after)))

    def is_reached(self) -> bool:
        """Whether all have come to their end."""
        return not self.missing()

    def missing(self) -> list[str]:
        """Those that have not, as far as is known."""
        return [name for name in self._names if name not in self.finals]

    def is_forgotten(self, name: str, infos: Collection[ActorInfo]) -> bool:
        """Whether the actor is not among all that are known."""
        return all(info.name != name for info in infos)

    def _look(self) -> None:
        """What was missed in the stream stands in the list of all."""
        infos = self._far.ps(all=True)
        for info in infos:
            self.see(info.name, (info.uid, info.incarnation), info.status)
        self.finals |= {name: None for name in self.missing() if self.is_forgotten(name, infos)}


class Ends(Goal):
    """They end."""

    DEED = "end"

    def __init__(self, observer: Observer, far: Remote) -> None:
        super().__init__(observer, far)
        self._uids: dict[str, int] = {}

    def expect(self, words: Mapping[str, str]) -> None:
        """These were asked, and that was the answer."""
        if any(self._is_newer(name, word) for name, word in words.items()):
            self._known = latest(self._far.ps(all=True))
        self._names = list(words)
        for name in words:
            info = self._known.get(name)
            if info is None:  # it has ended, and so many others have since that it is forgotten
                self.finals[name] = None
            else:
                self._uids[name] = info.uid
                self.see(name, (info.uid, info.incarnation), info.status)

    def see(self, name: str, life: tuple[int, int], status: Status) -> None:
        """One that has ended."""
        if status.ended and self._uids.get(name) == life[0]:
            self.finals[name] = status

    def is_forgotten(self, name: str, infos: Collection[ActorInfo]) -> bool:
        """Also where another one bears its name by now."""
        return all(info.uid != self._uids[name] for info in infos)

    def _is_newer(self, name: str, word: str) -> bool:
        """Whether it came to be since the first look."""
        info = self._known.get(name)
        return info is None or (info.status.ended and word != "ended")


class Begins(Goal):
    """Another life of each runs, or none follows."""

    DEED = "run again"

    def __init__(self, observer: Observer, far: Remote) -> None:
        super().__init__(observer, far)
        self._words: Mapping[str, str] = {}

    def expect(self, words: Mapping[str, str]) -> None:
        """These were asked, and that was the answer."""
        self._words, self._names = words, list(words)
        self._look()

    def see(self, name: str, life: tuple[int, int], status: Status) -> None:
        """One that runs again, or has ended meanwhile."""
        if name in self._words and name not in self.finals and self._is_due(name, life, status):
            self.finals[name] = status

    def _is_due(self, name: str, life: tuple[int, int], status: Status) -> bool:
        known = self._known.get(name)
        uid, incarnation = (0, 0) if known is None else (known.uid, known.incarnation)
        if self._words[name] == "ended":  # it was spawned anew
            return life[0] > uid and (status.ended or status is Status.RUNNING)
        return life >= (uid, incarnation) and (status.ended or (status is Status.RUNNING and life[1] > incarnation))


class Reach:
    """Whether actors have come to one of some statuses, or ended in another, for good. Pure."""

    def __init__(self, wanted: Collection[Status]) -> None:
        self._wanted = frozenset(wanted)
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self.missed: dict[str, Status] = {}
        """Those that ended in a status that was not wanted."""

    def begin(self, infos: Iterable[ActorInfo]) -> None:
        """How they stand."""
        for info in infos:
            self._note(info.name, info.uid, info.status)

    def note(self, event: Event) -> None:
        """One event of the stream."""
        if event.kind == "state" and event.after is not None:
            self._note(event.name, event.uid, Status(event.after))

    def is_done(self) -> bool:
        """Whether there were any, and none is left to wait for."""
        return bool(self._seen) and not self._open

    def _note(self, name: str, uid: int, status: Status) -> None:
        if uid in self._seen and uid not in self._open:
            return
        self._seen.add(uid)
        self._open.add(uid)
        if status in self._wanted:
            self._open.discard(uid)
        elif status.ended:
            self._open.discard(uid)
            self.missed[name] = status
