"""Large buffers, lent in place of being sent: written into memory of the sender once, and read there.

    stock = Stock()                          one for each receiver
    lender = Lender(stock)                   one for each that sends there
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
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from understudy.errors import ProtocolError
from understudy.wire.arena import TABLE, entry, is_there, mapped
from understudy.wire.mapping import Mapping
from understudy.wire.stock import LIMIT, Stock

BULK = 1 << 20
"""Bytes from which a buffer is lent."""

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
    """What one of those that lend of a stock has lent: each of them hears by a way of its own what is back.

    Any thread may use it, a finalizer and a signal handler too.
    """

    def __init__(self, stock: Stock | None = None) -> None:
        """Without a stock it has one of its own. One that is collected is closed."""
        self.stock = stock or Stock()
        self._out: set[int] = set()
        self._writing: set[int] = set()
        self._closed = False
        self.stock.join(self._out)
        self._leave = weakref.finalize(self, self.stock.leave, self._out)
        self._leave.atexit = False

    def lend(self, buffer: Any) -> Loan | None:
        """Copy a buffer (of bytes, or contiguous in C's order) to where its borrower finds it.

        None where it is empty or beyond the limit of the stock, where memory or descriptors are short, in a forked
        copy, and after `close`: then it has to be sent.
        """
        data = memoryview(buffer).cast("B")
        if not data.nbytes or self._closed or self.stock.is_copy:
            return None
        number = next(_numbers)
        try:
            self._writing.add(number)
            self._out.add(number)
            loan = self._written(number, data)
            if loan is None or self._closed:  # meanwhile: there may have been no place yet to abandon
                self._undo(number)
                return None
        except BaseException:
            self._undo(number)
            raise
        else:
            return loan
        finally:
            self._writing.discard(number)

    def returned(self, number: int) -> None:
        """Nobody reads that loan any more. A number that is not out here is ignored."""
        if number in self._out:
            self._undo(number)

    def forfeit(self) -> None:
        """The borrower is gone, and nobody will open what was sent to it: all loans are back."""
        self._come_back(self._out.copy())

    @property
    def numbers(self) -> list[int]:
        """The loans that are not back yet, and may come back."""
        return [] if self._closed or self.stock.is_closed else [*self._out.copy()]

    @property
    def out(self) -> int:
        """How many they are."""
        return len(self.numbers)

    def close(self, sent: Iterable[int] | None = None) -> None:
        """Lend no more; who has begun to read what is lent goes on.

        What was ``sent`` (None: all) is left to who has it. Other loans are back.
        """
        self._closed = True
        if sent is not None:
            self._come_back(self._out.difference(sent))
        self._leave()

    def _come_back(self, numbers: set[int]) -> None:
        numbers.difference_update(self._writing)  # that is for the next one
        self.stock.free(numbers)
        self._out.difference_update(numbers)

    def _written(self, number: int, data: memoryview) -> Loan | None:
        try:
            arena = self.stock.place(number, data.nbytes)
            if arena is None:
                return None
            return Loan(number, os.getpid(), arena.fd, arena.inode, arena.write(number, data), data.nbytes)
        except OSError:
            return None

    def _undo(self, number: int) -> None:
        self.stock.free((number,))
        self._out.discard(number)


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
