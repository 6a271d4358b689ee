"""The log records of actors that reached the parent lately, as lines, for whoever asks afterwards; a bounded ring."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

MOST, MOST_BYTES = 10_000, 8 << 20
_LONGEST = 1 << 16
_OVERHEAD = 200
_WITHIN = range(0x80, 0xC0)
"""Bytes of UTF-8 that begin no character."""


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
    size: int
    """Bytes of the text as UTF-8."""


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
        text, size = _cut(text)
        entry = Entry(
            number=self.head,
            uid=uid,
            name=name,
            incarnation=incarnation,
            level=level if type(level) is int else 0,
            time=float(created) if isinstance(created, int | float) else time.time(),
            text=text,
            size=size,
        )
        self._entries.append(entry)
        self._bytes += size + _OVERHEAD
        while len(self._entries) > MOST or self._bytes > MOST_BYTES:
            self._bytes -= self._entries.popleft().size + _OVERHEAD

    def entries(self) -> list[Entry]:
        """All that are kept, in their order, for another thread to look through."""
        return list(self._entries)


def _cut(text: str) -> tuple[str, int]:
    """As much of the text as is kept, and its bytes."""
    encoded = text[: _LONGEST + 1].encode(errors="surrogatepass")
    if len(encoded) <= _LONGEST:
        return text, len(encoded)
    end = _LONGEST
    while encoded[end] in _WITHIN:
        end -= 1
    return encoded[:end].decode(errors="surrogatepass"), end
