"""The memory that one process lends to another, whichever of its threads lend it: bounded, and let go of when idle."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from operator import attrgetter

from understudy.wire.arena import Arena, room
from understudy.wire.locks import if_free

LIMIT = 256 << 20
"""Bytes lent between two processes at a time, each way."""
_FIRST = 64 << 20
_PATIENCE = 1.0
"""Seconds to wait for another thread that looks for a place, which takes moments."""
_has_abandoned = attrgetter("has_abandoned")


class Stock:
    """What this process has lent to one receiver: at most `limit` bytes, with what it keeps for further loans.

    Any thread may use it, a finalizer and a signal handler too. A set of numbers stands for each of those that lend.
    """

    # One to each whom a process speaks to, and most are never lent anything.
    __slots__ = (
        "__weakref__", "_amid", "_arenas", "_clock", "_lenders", "_limit", "_lock", "_pid", "_steps", "is_closed",
    )  # fmt: skip

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
        self._steps: list[Callable[[], object]] = []

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
        if not self.is_copy:
            self._do(lambda: self._abandon(out))

    def place(self, number: int, nbytes: int) -> Arena | None:
        """Keep a place for a loan; None where there is none, also amid another step of this very thread.

        And where another thread is at it for long: it was struck, perhaps by what waits for this one.
        """
        try:
            for _ in if_free(self._lock, _PATIENCE):
                try:
                    # Amid: a finalizer or a signal handler of this very thread sends, too.
                    if self.is_closed or self._amid:
                        break
                    self._amid = True
                    try:
                        return self._placed(number, room(nbytes))
                    finally:
                        self._amid = False
                finally:
                    self._lock.release()
            return None
        finally:
            self._catch_up()

    def free(self, numbers: Iterable[int]) -> None:
        """Nobody reads those loans any more. A number that is not out is ignored."""
        gone = [*numbers]
        self._do(lambda: self._free(gone))

    def let_go(self, idle: float) -> bool:
        """Let go of memory of which nothing is lent, nor was in the last `idle` seconds; whether any is left."""
        long_ago = self._clock() - idle
        self._do(lambda: self._drop_idle(long_ago))
        return bool(self._arenas)

    def close(self) -> None:
        """Nothing more is lent, by nobody; all memory is let go of, and who has begun to read goes on."""
        self.is_closed = True
        self._do(self._let_go_of_all)

    def _do(self, step: Callable[[], object]) -> None:
        """At once; or else by who has the lock, another thread or what this one is amid, when he lets go of it.

        Nobody waits for the lock here: who has it may be struck by a handler or a finalizer that waits for this thread.
        A step that was interrupted is done again.
        """
        self._steps.append(step)
        self._catch_up()

    def _catch_up(self) -> None:
        while self._steps and not self._amid:
            for _ in if_free(self._lock):
                try:
                    self._take_steps()
                finally:
                    self._lock.release()
                break
            else:
                return

    def _take_steps(self) -> None:
        if self._amid:
            return
        self._amid = True  # whoever strikes here and lends would else find a place in what is about to go
        try:
            while self._steps:
                self._steps[0]()
                del self._steps[0]
            for arena in self._arenas.copy():
                if arena.is_abandoned:
                    self._arenas.remove(arena)
            if not self._lenders:
                self._drop_idle(math.inf)
        finally:
            self._amid = False

    def _free(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            for arena in self._arenas:
                arena.free(number)

    def _abandon(self, out: set[int]) -> None:
        self._lenders.pop(id(out), None)
        for number in out.copy():
            for arena in self._arenas:
                arena.abandon(number)

    def _drop_idle(self, long_ago: float) -> None:
        self._drop([arena for arena in self._arenas if arena.used <= long_ago and not arena.loans])

    def _let_go_of_all(self) -> None:
        self._drop_idle(math.inf)
        self._arenas.clear()

    def _placed(self, number: int, size: int) -> Arena | None:
        # Where some is abandoned, last: that goes when the rest of it is back.
        found = (one for one in sorted(self._arenas, key=_has_abandoned) if one.take(number, size))
        arena = next(found, None) or self._made(number, size)
        if arena is not None:
            arena.used = self._clock()
        return arena

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

    def _drop(self, idle: list[Arena]) -> None:
        for arena in idle:
            self._arenas.remove(arena)
            arena.empty()
