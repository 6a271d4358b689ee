"""Memory that one process writes and others read in place: sealed, anonymous, reached by a descriptor of its maker.

The first page is a table: for each MiB of the rest the number of the loan that begins there. A loan that was taken back
is told from the one that stands in its place now.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
import sys
import weakref
from collections.abc import Iterable
from contextlib import suppress

from understudy.wire.mapping import READ, WRITE, Mapping

TABLE = 4096
LEAST = 1 << 20
"""Bytes that a loan takes up at least: so no two begin in the same MiB."""
_PAGE = 4096
_STEP = 4 << 20
"""Bytes copied at once: the other threads of a process wait for no more than that."""
# Linux's own numbers: a Python that was built for an old libc has no names for them, and no memory files either.
_ADD_SEALS, _GET_SEALS = 1033, 1034
_NO_MORE_SEALS, _SHRINK, _GROW = 1, 2, 4
_SEALS = _SHRINK | _GROW
_REMOVE = 9
_RESERVE = 64
"""Descriptors that a process keeps for other things: libzmq ends it where there is none left."""


def room(size: int) -> int:
    """The bytes that so many take up in an arena."""
    return max(LEAST, (size + _PAGE - 1) // _PAGE * _PAGE)


def first_gap(taken: Iterable[tuple[int, int]], capacity: int, size: int) -> int | None:
    """Where so many bytes have room first, beside parts that begin and end there; None: nowhere."""
    at = 0
    for begin, end in sorted(taken):
        if begin - at >= size:
            return at
        at = end
    return at if capacity - at >= size else None


class Arena:
    """One such memory, in the process that writes it; closed when the last reference to it goes.

    Raises OSError where there is no memory, or no descriptor to spare.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0.0
        self._loans: dict[int, tuple[int, int]] = {}
        self._abandoned: set[int] = set()
        self._filled = 0
        self._maker = os.getpid()
        self.fd = os.memfd_create("understudy-bulk", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        weakref.finalize(self, os.close, self.fd).atexit = False
        if self.fd >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVE:
            raise OSError(errno.EMFILE, "the descriptors left are kept for other things")
        os.ftruncate(self.fd, TABLE + capacity)
        fcntl.fcntl(self.fd, _ADD_SEALS, _SEALS | _NO_MORE_SEALS)
        self.inode = os.fstat(self.fd).st_ino
        self._memory = Mapping(self.fd, TABLE + capacity, WRITE)
        self._bytes = memoryview(self._memory.part(0, self._memory.size)).cast("B")
        self._table = self._bytes[:TABLE].cast("Q")

    @property
    def loans(self) -> list[int]:
        """The numbers of what is lent of it."""
        return list(self._loans)

    def take(self, number: int, size: int) -> bool:
        """Keep a place for a loan, if there is one."""
        at = first_gap(self._loans.values(), self.capacity, size)
        if at is not None:
            self._loans[number] = at, at + size
        return at is not None

    def write(self, number: int, data: memoryview) -> int:
        """Fill the place of a loan: the offset of its bytes in the file. Raises OSError where memory runs out."""
        begin, end = self._loans[number]
        if end > self._filled:  # else a lack of memory would be a SIGBUS, amid the copy
            os.posix_fallocate(self.fd, TABLE + self._filled, end - self._filled)
            self._filled = max(self._filled, end)
        self._table[begin // LEAST] = number
        at = TABLE + begin
        for done in range(0, data.nbytes, _STEP):
            part = data[done : done + _STEP]
            self._bytes[at + done : at + done + part.nbytes] = part
        return at

    def free(self, number: int) -> None:
        """A loan is over: nobody finds it any more, and then its place is free. Unknown numbers are ignored."""
        if (place := self._loans.get(number)) and not self._is_copy():
            self._abandoned.discard(number)
            self._table[place[0] // LEAST] = 0
            del self._loans[number]

    def abandon(self, number: int) -> None:
        """Nobody will say when a loan is over: it stays as it is, and keeps its place. Unknown numbers are ignored."""
        if number in self._loans:
            self._abandoned.add(number)

    @property
    def has_abandoned(self) -> bool:
        """Whether any such loan is left."""
        return bool(self._abandoned)

    @property
    def is_abandoned(self) -> bool:
        """Whether no other loan is left."""
        return bool(self._abandoned) and self._abandoned.issuperset(self._loans)

    def empty(self) -> None:
        """Give its memory back, whoever still maps it; only where nothing is lent of it."""
        if not self._is_copy():
            with suppress(OSError):  # where the program locked its pages in: then it goes with the last who maps it
                self._memory.advise(_REMOVE)

    def _is_copy(self) -> bool:
        """Whether this is another process, forked off the maker: it shares the memory, but none of it is its own."""
        return os.getpid() != self._maker


def entry(memory: Mapping, offset: int) -> int:
    """The number of the loan that begins there, by the table."""
    return int.from_bytes(memory.part((offset - TABLE) // LEAST * 8, 8), sys.byteorder)


def mapped(pid: int, fd: int, inode: int) -> Mapping:
    """The whole memory behind a descriptor of another process, only to read.

    Raises OSError or ValueError where there is none, or another file, or one that could be cut under the reader's eyes.
    """
    looked = os.open(f"/proc/{pid}/fd/{fd}", os.O_PATH | os.O_CLOEXEC)  # opens nothing that minds being opened
    try:
        seen = os.fstat(looked)
        if not stat.S_ISREG(seen.st_mode) or seen.st_ino != inode:
            raise ValueError("the descriptor is of another file")
        read = os.open(f"/proc/self/fd/{looked}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if fcntl.fcntl(read, _GET_SEALS) & _SEALS != _SEALS:
                raise ValueError("the file can be cut")
            return Mapping(read, seen.st_size, READ)
        finally:
            os.close(read)
    finally:
        os.close(looked)


def is_there(pid: int, fd: int, inode: int) -> bool:
    """Whether that descriptor is still of that file."""
    try:
        return os.stat(f"/proc/{pid}/fd/{fd}").st_ino == inode
    except OSError:
        return False
