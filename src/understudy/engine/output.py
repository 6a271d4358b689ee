"""The actor's own files for what it writes to stdout and stderr, it and whatever it starts.

Descriptors 1 and 2 are theirs. Each line, up to a mebibyte, goes out in one write behind what stands there, so files
are appended over lives, and several may write. A file that was renamed or removed is opened anew by the link's thread,
between two lines; one that is too long is renamed between two lines by who writes, so that no flood outruns it. What
finds no room, as on a full disk, is dropped and told once: output is no reason to fail.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from understudy.config import Limits
from understudy.wire import regular, turning
from understudy.wire.page import Page

NAMES = ("stdout", "stderr")
LONGEST = 1 << 20
"""Bytes of a line beyond which it goes out in pieces."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EROFS})
_FEED = 10
_USUAL = Limits()
"""What counts until the state is open."""
Tell = Callable[[str], None]
Identity = tuple[int, int]


class Lines(io.FileIO):
    """One of the two descriptors, as Python's streams write to it."""

    def __init__(self, number: int, turn: Callable[[], None]) -> None:
        super().__init__(number, "wb", closefd=False)
        self._turn = turn
        self.lock = threading.RLock()  # reentrant: a signal's handler may print amid a write of its own thread
        self.lost = 0
        self.why = ""
        self.between = True
        """Whether the next line begins with the next write."""
        self._torn = False
        """Whether the last line was cut off, by a lack of room or the end of a life: the next is no part of it."""
        self.most = _USUAL.output
        self.size = 0
        """Bytes in the file, as far as it is known here: others may write, too."""
        self._amid = False
        """Whether this is a handler of a signal, which came amid a write of its own thread."""
        os.register_at_fork(after_in_child=self._renew)

    def write(self, data: Any) -> int:
        """All of it, or as much as there is room for; never an error for the lack of room."""
        view = memoryview(data).cast("B")
        if not view:
            return 0
        with self.lock:
            if self._amid:
                self._put(view)
                return len(view)
            self._amid = True
            try:
                # What is never between two lines at the end of a write may be so within one.
                cut = 0 if self.between or not self._is_full() else bytes(view).find(b"\n") + 1
                for part in (view[:cut], view[cut:]):
                    if self.between and self._is_full():
                        self._turn()
                    self._put(part)
            finally:
                self._amid = False
        return len(view)

    def _is_full(self) -> bool:
        return self.most is not None and self.size >= self.most

    def _put(self, view: memoryview) -> None:
        if not view:
            return
        left = memoryview(b"\n" + view) if self._torn else view
        last = _FEED if self.between and not self._torn else 0
        try:
            while left:
                written = os.write(self.fileno(), left)
                self.size += written
                last, left = left[written - 1], left[written:]
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self.lost += len(left)
            self.why = os.strerror(error.errno or 0)
        self._torn = bool(left) and last != _FEED
        self.between = last == _FEED or self._torn

    def append_to(self, last: int, size: int) -> None:
        """What is written from now on stands behind that byte, the last of so many."""
        self._torn, self.between, self.size = last != _FEED, True, size

    def _renew(self) -> None:
        """In a copy that the user's code forked: another thread may have held it, and the files are not the copy's."""
        self.lock, self.most, self._amid = threading.RLock(), None, False


class Whole(io.BufferedWriter):
    """Keeps a line that is longer than what is usually kept, until its end is there."""

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines, LONGEST)
        self._kept = 0

    def write(self, data: Any) -> int:
        """Keep it; with more than usual, and the end of a line in it, let it go."""
        written = super().write(data)
        self._kept += written
        if self._kept >= io.DEFAULT_BUFFER_SIZE and b"\n" in bytes(data):
            self.flush()
        return written

    def flush(self) -> None:
        """Let it go."""
        super().flush()
        self._kept = 0


class File:
    """Where one of the two descriptors leads."""

    def __init__(self, number: int, path: str, begun: Callable[[int], None]) -> None:
        self.lines, self.path = Lines(number, self._turn), path
        self.files = _USUAL.output_files
        self._number, self._begun = number, begun
        self._identity: Identity | None = None
        """The file that we put there; None: it is not ours any more."""
        self._next: Identity | None = None
        """The one that we are about to put there: an interruption may come between any two steps."""
        self._astray = ""
        """Why it could not be opened anew."""
        self._stuck = self._stuck_told = ""
        """Why it could not be turned, though it is too long."""
        self._told = 0
        self._losing = False

    def open(self) -> None:
        """Lead the descriptor to the file of that path, made if missing. Raises OSError."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        fd = regular.opened(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            self._lead(fd)
        finally:
            os.close(fd)

    def look(self, tell: Tell) -> None:
        """Open it anew if it is no longer there under its name, turn it if it is too long; tell what is lost."""
        if self.lines.lock.acquire(blocking=False):  # else it writes: at the next look
            try:
                self._look_at_file(tell)
            finally:
                self.lines.lock.release()
        if self._stuck != self._stuck_told:
            self._stuck_told = self._stuck
            if self._stuck:
                tell(f"{self.path} is too long, and cannot be begun anew: {self._stuck}")
        lost = self.lines.lost
        if lost != self._told and not self._losing:
            tell(f"what is written to {self.path} is lost: {self.lines.why}")
        elif lost == self._told and self._losing:
            tell(f"nothing more is lost of what is written to {self.path}; {lost} bytes were")
        self._losing, self._told = lost != self._told, lost

    def _look_at_file(self, tell: Tell) -> None:
        if self._is_astray():
            self._reopen(tell)
        elif self._identity is not None and self.lines.most is not None:
            # Also what programs wrote that the actor started, and code in C.
            self.lines.size = os.fstat(self._number).st_size
            if self.lines.between and self.lines.size >= self.lines.most:
                self._turn()

    def _lead(self, fd: int) -> None:
        found = os.fstat(fd)
        self._next = found.st_dev, found.st_ino
        os.dup2(fd, self._number)
        self._identity = self._next
        self.lines.append_to(_last_byte(self.path, found.st_size), found.st_size)
        self._begun(found.st_size)

    def _is_astray(self) -> bool:
        if self._identity is None:
            return False
        here = None
        with contextlib.suppress(OSError):
            found = os.fstat(self._number)
            here = found.st_dev, found.st_ino
        if here is None or here not in {self._identity, self._next}:
            self._identity = None  # the user's code has closed it, or led it elsewhere
            return False
        try:
            there = os.stat(self.path)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != here

    def _reopen(self, tell: Tell) -> None:
        if not self.lines.between:
            return
        try:
            self.open()
        except OSError as error:
            if str(error) != self._astray:
                tell(f"{self.path} is gone, and cannot be opened anew: {error}")
            self._astray = str(error)
        else:
            self._astray = ""

    def _turn(self) -> None:
        """Begin the file anew, between two lines; what can't be done is tried again after as much, or at a look."""
        self.lines.size = 0
        if self._is_astray() or self._identity is None:
            return  # it is the link's thread's
        try:
            # Made first: without room for it, all stays as it is.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
            fd = regular.opened(turning.spare(self.path), flags)
            try:
                turning.put_behind(self.path, self.files, self.path)
                os.rename(turning.spare(self.path), self.path)
                self._lead(fd)
            finally:
                os.close(fd)
        except OSError as error:
            turning.forget_spare(self.path)
            self._stuck = str(error)
        else:
            self._stuck = ""


class Output:
    """Both of them."""

    def __init__(self, directory: str, page: Page) -> None:
        self._page = page
        begun = {"stdout": lambda _: None, "stderr": self._stderr_begun}
        self._files = [File(n, os.path.join(directory, name), begun[name]) for n, name in enumerate(NAMES, 1)]
        self._untold: list[str] = []
        for file, stream in zip(self._files, NAMES, strict=True):
            try:
                file.open()
            except OSError as error:
                self._untold.append(f"{file.path} cannot be opened, and {stream} stays the parent's: {error}")
                continue
            before = getattr(sys, stream, None)
            if isinstance(before, io.TextIOWrapper):
                # Modules that the zygote has imported may hold it.
                with contextlib.suppress(OSError, ValueError):
                    before.reconfigure(line_buffering=True)
            made = _stream(file.lines, before, stream)
            setattr(sys, stream, made)
            setattr(sys, f"__{stream}__", made)

    def take_on(self, limits: Limits) -> None:
        """Keep so much as the actor's settings say."""
        for file in self._files:
            file.lines.most, file.files = limits.output, limits.output_files

    def look(self, tell: Tell) -> None:
        """At each beat: whether the files are where they should be."""
        while self._untold:
            tell(self._untold.pop())
        for file in self._files:
            file.look(tell)

    def _stderr_begun(self, at: int) -> None:
        self._page.stderr_from = at


def _last_byte(path: str, size: int) -> int:
    """That of the file, as far as it can be read; of an empty one a line feed."""
    with contextlib.suppress(OSError), os.fdopen(regular.opened(path, os.O_RDONLY), "rb", buffering=0) as file:
        if size and (last := os.pread(file.fileno(), 1, size - 1)):
            return last[0]
    return _FEED


def _stream(lines: Lines, before: Any, name: str) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    errors = getattr(before, "errors", None) or ("backslashreplace" if name == "stderr" else "strict")
    return io.TextIOWrapper(Whole(lines), encoding=encoding, errors=errors, line_buffering=True)
