"""The log records of actors that reached the parent lately, as lines, for whoever asks afterwards; a bounded ring."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

MOST, MOST_BYTES = 10_000, 8 << 20
_LONGEST = 1 << 16
_OVERHEAD = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One record; numbered from 1, over all actors."""

    number: int
    uid: int
    name: str
    incarnation: int
    level: int
    time: float
    text: str


class Shelf:
    """Keeps the last of them; only the router's thread calls."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self.head = 0
        """The number of the last one."""

    def add(self, uid: int, name: str, incarnation: int, record: dict[str, Any]) -> None:
        """Keep a record, whatever it holds under which name."""
        self.head += 1
        level, created = record.get("levelno"), record.get("created")
        text = f"{record.get('levelname')} {record.get('name')}: {record.get('msg')}"
        if trace := record.get("exc_text"):
            text = f"{text}\n{trace}"
        entry = Entry(
            number=self.head,
            uid=uid,
            name=name,
            incarnation=incarnation,
            level=level if type(level) is int else 0,
            time=float(created) if isinstance(created, int | float) else time.time(),
            text=text[:_LONGEST],
        )
        self._entries.append(entry)
        self._bytes += len(entry.text) + _OVERHEAD
        while len(self._entries) > MOST or self._bytes > MOST_BYTES:
            self._bytes -= len(self._entries.popleft().text) + _OVERHEAD

    def last(self, wanted: Callable[[Entry], bool], each: int, most: int, most_bytes: int) -> list[Entry]:
        """The last ones, so many of each actor, and so many and so much in all; in their order."""
        counted: Counter[int] = Counter()
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if len(found) >= most or most_bytes <= 0:
                break
            if wanted(entry) and counted[entry.uid] < each:
                counted[entry.uid] += 1
                most_bytes -= len(entry.text)
                found.append(entry)
        return found[::-1]

    def since(
        self, number: int, wanted: Callable[[Entry], bool], most: int, most_bytes: int
    ) -> tuple[list[Entry], int]:
        """Those after that number, so many and so much; and the number of the last that was looked at."""
        found: list[Entry] = []
        first = self._entries[0].number if self._entries else 0
        for entry in islice(self._entries, max(0, number + 1 - first), None):
            if len(found) >= most or most_bytes <= 0:
                break
            number = entry.number
            if wanted(entry):
                most_bytes -= len(entry.text)
                found.append(entry)
        return found, number
