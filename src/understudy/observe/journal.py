"""The recent past of the status stream, kept for who missed some of it: so many events, so many bytes, no more.

What changes an actor for good is kept in one ring, log records in another, dead letters in a third, so that a flood of
these pushes nothing else out. Of what a later event of the same actor stands for (laps, progress, figures) the latest
is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter

STANDING = frozenset({"laps", "progress", "figures"})
"""Kinds of which the latest event of an actor stands for those before it."""
FLOODS = ("log", "dead_letter")
"""Kinds that are kept each for itself, for there may be any number of them."""
EVENTS, EVENT_BYTES = 10_000, 8 << 20
LOG_EVENTS, LOG_BYTES = 2_000, 4 << 20
PAGE, PAGE_BYTES = 1_000, 512 << 10
"""The most events, and about the most bytes, of one replay."""

_seq = attrgetter("seq")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, as it went over the wire."""

    seq: int
    kind: str
    uid: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Replay:
    """Events in their order; whether there are ``more``; and up to which seq those of a kind may be ``missing``."""

    bodies: list[bytes]
    more: bool
    missing: dict[str, int]


class Journal:
    """Takes events in the order of their seq; gives those after a seq again."""

    def __init__(
        self,
        *,
        events: int = EVENTS,
        event_bytes: int = EVENT_BYTES,
        logs: int = LOG_EVENTS,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self._lasting = _Ring(events, event_bytes)
        self._floods = {kind: _Ring(logs, log_bytes) for kind in FLOODS}
        self._latest = _Latest(events, event_bytes)
        self._gone: dict[str, int] = {}

    def add(self, seq: int, kind: str, uid: int, body: bytes) -> None:
        """Keep one event; what is too much goes, the oldest first."""
        entry = Entry(seq, kind, uid, body)
        keep = self._latest if kind in STANDING else self._floods.get(kind, self._lasting)
        self._note(keep.add(entry))

    def forget(self, uid: int) -> None:
        """The actor is listed no more: its last laps, progress and figures go."""
        self._note(self._latest.forget(uid))

    def since(self, seq: int, limit: int = PAGE, size: int = PAGE_BYTES) -> Replay:
        """The events after ``seq``: at most ``limit`` of about ``size`` bytes, but one at the least."""
        bodies: list[bytes] = []
        room, more = size, False
        kept = [self._lasting.after(seq), self._latest.after(seq), *(ring.after(seq) for ring in self._floods.values())]
        for entry in merge(*kept, key=_seq):
            room -= len(entry.body)
            if bodies and (len(bodies) >= limit or room < 0):
                more = True
                break
            bodies.append(entry.body)
        return Replay(bodies, more, {kind: gone for kind, gone in self._gone.items() if gone > seq})

    def _note(self, gone: list[Entry]) -> None:
        for entry in gone:
            self._gone[entry.kind] = max(entry.seq, self._gone.get(entry.kind, 0))


class _Ring:
    """The newest of some events."""

    def __init__(self, most: int, size: int) -> None:
        self._most, self._room = most, size
        self._entries: deque[Entry] = deque()

    def add(self, entry: Entry) -> list[Entry]:
        """Take one; gives those that went for it."""
        self._entries.append(entry)
        self._room -= len(entry.body)
        gone = []
        while len(self._entries) > self._most or self._room < 0:
            gone.append(self._entries.popleft())
            self._room += len(gone[-1].body)
        return gone

    def after(self, seq: int) -> Iterator[Entry]:
        """Those with a greater seq."""
        return islice(self._entries, bisect_right(self._entries, seq, key=_seq), None)


class _Latest:
    """The newest event of each actor and kind, of the actors that were told of last."""

    def __init__(self, most: int, size: int) -> None:
        self._most, self._room = most, size
        self._entries: dict[tuple[int, str], Entry] = {}
        """In the order of their seq: what takes another's place goes to the end."""

    def add(self, entry: Entry) -> list[Entry]:
        """Take one; gives those that went for it, but not the one that it stands for."""
        self._take((entry.uid, entry.kind))
        self._entries[entry.uid, entry.kind] = entry
        self._room -= len(entry.body)
        gone: list[Entry] = []
        while len(self._entries) > self._most or self._room < 0:
            gone += self._take(next(iter(self._entries)))
        return gone

    def forget(self, uid: int) -> list[Entry]:
        """Drop those of an actor; gives them."""
        return [entry for kind in sorted(STANDING) for entry in self._take((uid, kind))]

    def after(self, seq: int) -> Iterator[Entry]:
        """Those with a greater seq."""
        return iter([entry for entry in self._entries.values() if entry.seq > seq])

    def _take(self, key: tuple[int, str]) -> list[Entry]:
        entry = self._entries.pop(key, None)
        if entry is None:
            return []
        self._room += len(entry.body)
        return [entry]
