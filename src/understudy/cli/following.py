"""Following the stream until something has come about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum, auto
from time import monotonic

from understudy.cli.names import latest
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote
from understudy.status import ActorInfo, Event, Status


class Halt(Enum):
    """Why the following came to its end."""

    DONE = auto()
    LATE = auto()
    CLOSED = auto()


def follow(
    observer: Observer, is_done: Callable[[], bool], seconds: float | None, note: Callable[[Event], None]
) -> Halt:
    """Note each event until it is done, the time is over, or the system has closed."""
    deadline = None if seconds is None else monotonic() + seconds
    while not is_done():
        event = observer.next(None if deadline is None else max(0.0, deadline - monotonic()))
        if event is not None:
            note(event)
        elif deadline is not None and monotonic() >= deadline:
            return Halt.LATE
        else:
            return Halt.CLOSED
    return Halt.DONE


class Ends:
    """How actors that are asked to stop do end; to be made before they are asked.

    For when the last one has ended, the program may end, too: then only what was known before, and the stream, tell.
    """

    def __init__(self, observer: Observer, far: Remote) -> None:
        observer.snapshot()  # what follows it in the stream is told
        self._far = far
        self._known = latest(far.ps(all=True))
        self._uids: dict[str, int] = {}
        self.finals: dict[str, Status | None] = {}
        """The final status by name; None of one that the system has forgotten."""

    def expect(self, words: Mapping[str, str]) -> None:
        """These were asked, and that was the answer."""
        if any(self._is_newer(name, word) for name, word in words.items()):
            self._known = latest(self._far.ps(all=True))
        for name in words:
            info = self._known.get(name)
            if info is None:  # it has ended, and so many others have since that it is forgotten
                self.finals[name] = None
                continue
            self._uids[name] = info.uid
            if info.status.ended:
                self.finals[name] = info.status

    def note(self, event: Event) -> None:
        """One event of the stream."""
        if event.kind == "snapshot":
            self._look()
        elif event.kind == "state" and self._uids.get(event.name) == event.uid:
            status = Status(str(event.after))
            if status.ended:
                self.finals[event.name] = status

    def are_told(self) -> bool:
        """Whether all have ended."""
        return not self.missing()

    def missing(self) -> list[str]:
        """Those that have not, as far as is known."""
        return [name for name in self._uids if name not in self.finals]

    def _is_newer(self, name: str, word: str) -> bool:
        """Whether it came to be since the first look."""
        info = self._known.get(name)
        return info is None or (info.status.ended and word != "ended")

    def _look(self) -> None:
        """What was missed in the stream stands in the list of all."""
        statuses = {info.uid: info.status for info in self._far.ps(all=True)}
        for name, uid in self._uids.items():
            status = statuses.get(uid)
            if status is None or status.ended:
                self.finals.setdefault(name, status)


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
