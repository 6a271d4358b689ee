"""The memory that one process lends to another, whichever of its threads lend it: bounded, and let go of when idle."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from operator import attrgetter

from understudy.wire.arena import Arena, room

LIMIT = 256 << 20
"""Bytes lent between two processes at a time, each way."""
_FIRST = 64 << 20
_has_abandoned = attrgetter("has_abandoned")


class Stock:
    """What this process has lent to one receiver: at most `limit` bytes, with what it keeps for further loans.

    Any thread may use it, a finalizer and a signal handler too. A set of numbers stands for each of those that lend.
    """

    def __init__(self, *, limit: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a limit it is `LIMIT`."""
        self._limit = LIMIT if limit is None else limit
        self._clock = clock
        self._pid = os.getpid()
        self._arenas: list[Arena] = []
        self._lenders: dict[int, set[int]] = {}
        self.is_closed = not hasattr(os, "memfd_create")
        self._lock = threading.RLock()
        self._amid = False

    @property
    def is_copy(self) -> bool:
        """Whether this is a forked copy: it may hold a copy of the lock, taken for good."""
        return os.getpid() != self._pid

    def join(self, out: set[int]) -> None:
        """One more lends; the set holds the numbers of what it has lent."""
        self._lenders[id(out)] = out

    def leave(self, out: set[int]) -> None:
        """One lends no more, and nobody will say when these are over: their places are not used again.

        Memory in which nothing else is lent is let go of, and lives on with who reads it. With the last one that lends
        all memory goes.
        """
        if self.is_copy:
            return
        with self._lock:
            self._lenders.pop(id(out), None)
            for arena in self._arenas.copy():
                for number in out.copy():
                    arena.abandon(number)
            out.clear()
            self._sweep(lambda _: not self._lenders)

    def place(self, number: int, nbytes: int) -> Arena | None:
        """Keep a place for a loan; None where there is none, also amid another step of this very thread."""
        with self._lock:
            # Amid: a finalizer or a signal handler of this very thread sends, too.
            if self.is_closed or self._amid:
                return None
            self._amid = True
            try:
                size = room(nbytes)
                # Where some is abandoned, last: that goes when the rest of it is back.
                found = (one for one in sorted(self._arenas, key=_has_abandoned) if one.take(number, size))
                arena = next(found, None) or self._made(number, size)
                if arena is not None:
                    arena.used = self._clock()
                return arena
            finally:
                self._amid = False

    def free(self, numbers: Iterable[int]) -> None:
        """Nobody reads those loans any more. A number that is not out is ignored."""
        with self._lock:
            for number in numbers:
                for arena in self._arenas.copy():
                    arena.free(number)
            self._sweep(lambda _: False)

    def let_go(self, idle: float) -> bool:
        """Let go of memory of which nothing is lent, nor was in the last `idle` seconds; whether any is left."""
        with self._lock:
            long_ago = self._clock() - idle
            self._sweep(lambda arena: arena.used <= long_ago)
            return bool(self._arenas)

    def close(self) -> None:
        """Nothing more is lent, by nobody; all memory is let go of, and who has begun to read goes on."""
        with self._lock:
            self.is_closed = True
            self._sweep(lambda _: True)
            self._arenas.clear()

    def _made(self, number: int, size: int) -> Arena | None:
        """A further arena; those that are idle make way for it. It holds no memory before it is written to."""
        if size > self._limit - sum(arena.capacity for arena in self._arenas if arena.loans):
            return None
        while size > (left := self._limit - sum(arena.capacity for arena in self._arenas)):
            self._drop([min((arena for arena in self._arenas if not arena.loans), key=lambda arena: arena.used)])
        arena = Arena(max(size, min(left, _FIRST)))
        arena.take(number, size)
        self._arenas.append(arena)
        return arena

    def _sweep(self, may_go: Callable[[Arena], bool]) -> None:
        """Let go of arenas with nothing but abandoned loans, and of those without any that may go.

        Not amid another step of this thread: what is abandoned then goes with the next one.
        """
        if self._amid:
            return
        self._amid = True  # whoever strikes here and lends would else find a place in what is about to go
        try:
            for arena in self._arenas.copy():
                if arena.is_abandoned:
                    self._arenas.remove(arena)
            self._drop([arena for arena in self._arenas if not arena.loans and may_go(arena)])
        finally:
            self._amid = False

    def _drop(self, idle: list[Arena]) -> None:
        for arena in idle:
            self._arenas.remove(arena)
            arena.empty()
