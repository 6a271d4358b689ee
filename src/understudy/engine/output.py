"""The actor's own files for what it writes to stdout and stderr, it and whatever it starts.

Descriptors 1 and 2 are theirs. Each line, up to a mebibyte, goes out in one write behind what stands there, so files
are appended over lives, and several may write. A file that was renamed or removed is opened anew by the link's thread,
between two lines. What finds no room, as on a full disk, is dropped and told once: output is no reason to fail.
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

from understudy.wire import regular
from understudy.wire.page import Page

NAMES = ("stdout", "stderr")
LONGEST = 1 << 20
"""Bytes of a line beyond which it goes out in pieces."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EROFS})
_FEED = 10
Tell = Callable[[str], None]
Identity = tuple[int, int]


class Lines(io.FileIO):
    """One of the two descriptors, as Python's streams write to it."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.lock = threading.RLock()  # reentrant: a signal's handler may print amid a write of its own thread
        self.lost = 0
        self.why = ""
        self.between = True
        """Whether the next line begins with the next write."""
        self._torn = False
        """Whether the last line was cut off, by a lack of room or the end of a life: the next is no part of it."""
        os.register_at_fork(after_in_child=self._renew)

    def write(self, data: Any) -> int:
        """All of it, or as much as there is room for; never an error for the lack of room."""
        view = memoryview(data).cast("B")
        if not view:
            return 0
        with self.lock:
            left = memoryview(b"\n" + view) if self._torn else view
            last = _FEED if self.between and not self._torn else 0
            try:
                while left:
                    written = os.write(self.fileno(), left)
                    last, left = left[written - 1], left[written:]
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self.lost += len(left)
                self.why = os.strerror(error.errno or 0)
            self._torn = bool(left) and last != _FEED
            self.between = last == _FEED or self._torn
        return len(view)

    def append_to(self, last: int) -> None:
        """What is written from now on stands behind that byte."""
        self._torn, self.between = last != _FEED, True

    def _renew(self) -> None:
        """In a copy that the user's code forked: another thread may have held it."""
        self.lock = threading.RLock()


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

    def __init__(self, number: int, path: str) -> None:
        self.lines, self.path = Lines(number), path
        self._number = number
        self._identity: Identity | None = None
        """The file that we put there; None: it is not ours any more."""
        self._astray = ""
        """Why it could not be opened anew."""
        self._told = 0
        self._losing = False

    def open(self) -> int:
        """Lead the descriptor to the file of that path, made if missing; its size. Raises OSError."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        fd = regular.opened(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.dup2(fd, self._number)
            found = os.fstat(fd)
        finally:
            os.close(fd)
        self._identity = found.st_dev, found.st_ino
        self.lines.append_to(_last_byte(self.path, found.st_size))
        return found.st_size

    def look(self, tell: Tell) -> bool:
        """Open it anew if it is no longer there under its name; tell what is lost. True if it was opened."""
        opened = self._is_astray() and self._reopen(tell)
        lost = self.lines.lost
        if lost != self._told and not self._losing:
            tell(f"what is written to {self.path} is lost: {self.lines.why}")
        elif lost == self._told and self._losing:
            tell(f"nothing more is lost of what is written to {self.path}; {lost} bytes were")
        self._losing, self._told = lost != self._told, lost
        return opened

    def _is_astray(self) -> bool:
        if self._identity is None:
            return False
        try:
            here = os.fstat(self._number)
        except OSError:
            here = None
        if here is None or (here.st_dev, here.st_ino) != self._identity:
            self._identity = None  # the user's code has closed it, or led it elsewhere
            return False
        try:
            there = os.stat(self.path)
        except OSError:
            return True
        return (there.st_dev, there.st_ino) != self._identity

    def _reopen(self, tell: Tell) -> bool:
        if not self.lines.lock.acquire(blocking=False):
            return False  # it writes: at the next look
        try:
            if not self.lines.between:
                return False
            self.open()
        except OSError as error:
            if str(error) != self._astray:
                tell(f"{self.path} is gone, and cannot be opened anew: {error}")
            self._astray = str(error)
            return False
        finally:
            self.lines.lock.release()
        self._astray = ""
        return True


class Output:
    """Both of them."""

    def __init__(self, directory: str, page: Page) -> None:
        self._page = page
        self._files = [File(number, os.path.join(directory, name)) for number, name in enumerate(NAMES, 1)]
        self._untold: list[str] = []
        for file, stream in zip(self._files, NAMES, strict=True):
            try:
                size = file.open()
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
            if stream == "stderr":
                page.stderr_from = size

    def look(self, tell: Tell) -> None:
        """At each beat: whether the files are where they should be."""
        while self._untold:
            tell(self._untold.pop())
        for file in self._files:
            if file.look(tell) and file.path.endswith("stderr"):
                self._page.stderr_from = 0


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
