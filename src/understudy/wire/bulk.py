"""Large buffers, lent in place of being sent: written into memory of the sender once, and read there.

    lender = Lender()                        one for each receiver
    loan = lender.lend(buffer)               None: it has to be sent
    ...                                      the loan travels as six numbers
    view = borrower.borrow(loan, whose)      read-only, in place
    ...                                      the last view is gone, wherever that was
    whose, number = borrower.given_back.popleft()
    ...                                      the number travels back
    lender.returned(number)                  its memory is used again

Nothing has a name in any directory, so nothing outlives its last user, whatever ended the others.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from understudy.errors import ProtocolError
from understudy.wire.arena import TABLE, Arena, entry, is_there, mapped, room
from understudy.wire.mapping import Mapping

BULK = 1 << 20
"""Bytes from which a buffer is lent."""
LIMIT = 256 << 20
_FIRST = 64 << 20

_numbers = itertools.count(1)


class Loan(NamedTuple):
    """Where lent bytes are: behind a descriptor of a process, in the file of that inode. Numbers are used once."""

    number: int
    pid: int
    fd: int
    inode: int
    offset: int
    size: int


class Lender:
    """What this process has lent to one receiver: at most `limit` bytes, with what it keeps for further loans.

    Any thread may use it, a finalizer and a signal handler too.
    """

    def __init__(self, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._pid = os.getpid()
        self._arenas: list[Arena] = []
        self._writing: set[int] = set()
        self._closed = not hasattr(os, "memfd_create")
        self._lock = threading.RLock()
        self._amid = False

    def lend(self, buffer: Any) -> Loan | None:
        """Copy a buffer (of bytes, or contiguous in C's order) to where its borrower finds it.

        None where it is empty or beyond the limit, where memory or descriptors are short, in a forked copy, and after
        `close`: then it has to be sent.
        """
        data = memoryview(buffer).cast("B")
        if not data.nbytes or os.getpid() != self._pid:  # a copy may hold a copy of the lock, taken for good
            return None
        number = next(_numbers)
        self._writing.add(number)
        try:
            arena = self._placed(number, data.nbytes)
            if arena is None:
                return None
            return Loan(number, self._pid, arena.fd, arena.inode, arena.write(number, data), data.nbytes)
        except OSError:
            self.returned(number)
            return None
        except BaseException:
            self.returned(number)
            raise
        finally:
            self._writing.discard(number)

    def returned(self, number: int) -> None:
        """Nobody reads that loan any more. A number that is not out is ignored."""
        with self._lock:
            for arena in self._arenas:
                arena.free(number)

    def forfeit(self) -> None:
        """The borrower is gone, and nobody will open what was sent to it: all loans are back."""
        with self._lock:
            for arena in self._arenas:
                for number in arena.loans:
                    if number not in self._writing:  # that is for the next one
                        arena.free(number)

    @property
    def numbers(self) -> list[int]:
        """The loans that are not back yet."""
        if not self._arenas:
            return []
        with self._lock:
            return [number for arena in self._arenas for number in arena.loans]

    @property
    def out(self) -> int:
        """How many they are."""
        return len(self.numbers)

    def let_go(self, idle: float) -> bool:
        """Let go of memory of which nothing is lent, nor was in the last `idle` seconds; whether any is left."""
        with self._lock:
            if not self._amid:
                long_ago = self._clock() - idle
                self._drop([arena for arena in self._arenas if arena.used <= long_ago and not arena.loans])
            return bool(self._arenas)

    def close(self) -> None:
        """Lend no more, and let go of all memory; who has begun to read what is lent goes on."""
        with self._lock:
            self._closed = True
            self._drop([arena for arena in self._arenas if not arena.loans])
            self._arenas.clear()

    def _placed(self, number: int, nbytes: int) -> Arena | None:
        with self._lock:
            # Amid: a finalizer or a signal handler of this very thread sends, too.
            if self._closed or self._amid:
                return None
            self._amid = True
            try:
                size = room(nbytes)
                arena = next((one for one in self._arenas if one.take(number, size)), None) or self._made(number, size)
                if arena is not None:
                    arena.used = self._clock()
                return arena
            finally:
                self._amid = False

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


class Borrower:
    """What a process has borrowed, of whomever. Any thread may borrow.

    ``given_back`` fills with (whose, number) as the last views go, in whatever thread that happens. ``ring`` is called
    then, amid whatever that thread does: it may neither wait nor raise.
    """

    def __init__(self, ring: Callable[[], object] = lambda: None) -> None:
        self._ring = ring
        self._pid = os.getpid()
        self.given_back: deque[tuple[Any, int]] = deque()
        self._memories: dict[tuple[int, int, int], Mapping] = {}

    def borrow(self, loan: Loan, whose: Any = None) -> memoryview:
        """The lent bytes, where they are; read-only. Once for each loan. Raises ProtocolError where they are not there.

        The memory that they are part of stays mapped, for filled page tables are what makes the next loan quick.
        """
        if loan.number < 1 or loan.size < 1 or not TABLE <= loan.offset < TABLE + LIMIT:
            raise ProtocolError(f"there can be no such loan: {loan}")
        memory = self._memories.get(loan[1:4])
        if memory is None or not _stands_in(memory, loan):
            memory = self._mapped(loan)
            if not _stands_in(memory, loan):
                raise ProtocolError(f"loan {loan.number} of process {loan.pid} is not there, or not any more")
            self._memories[loan[1:4]] = memory
        part = memory.part(loan.offset, loan.size)
        weakref.finalize(part, self._come_back, whose, loan.number).atexit = False
        return memoryview(part).cast("B").toreadonly()

    def decline(self, loan: Loan, whose: Any = None) -> None:
        """Give back a loan that was not borrowed."""
        self._come_back(whose, loan.number)

    def tidy(self) -> bool:
        """Let go of memories that are their lenders' no more, for these let go or are gone; whether any is left."""
        for key in list(self._memories):
            if not is_there(*key):
                self._memories.pop(key, None)
        return bool(self._memories)

    def close(self) -> None:
        """Let go of all memories; views that are in use go on."""
        self._memories.clear()

    def _come_back(self, whose: Any, number: int) -> None:
        if os.getpid() == self._pid:  # a forked copy has the views, but not the say
            self.given_back.append((whose, number))
            self._ring()

    def _mapped(self, loan: Loan) -> Mapping:
        self.tidy()
        try:
            return mapped(loan.pid, loan.fd, loan.inode)
        except (OSError, ValueError) as error:
            raise ProtocolError(f"what process {loan.pid} lent cannot be had: {error}") from None


def _stands_in(memory: Mapping, loan: Loan) -> bool:
    return loan.offset + loan.size <= memory.size and entry(memory, loan.offset) == loan.number
