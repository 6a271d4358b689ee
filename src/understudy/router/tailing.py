"""Lines of files that others write to: the last ones, and what came since; also where a file was renamed or cut."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field

from understudy.wire import regular

LONGEST = 1 << 16
"""Bytes of a line beyond which it is given in pieces."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read: which file it was, and the bytes."""

    inode: int
    at: int


@dataclass(slots=True)
class Share:
    """What may still be read: lines, and bytes of their text with so much more for each."""

    lines: int
    size: int
    more: int = 1
    taken: list[str] = field(default_factory=list)

    @property
    def is_spent(self) -> bool:
        """Whether that was all."""
        return self.lines <= 0 or self.size <= 0

    def take(self, line: bytes) -> None:
        """One line."""
        self.lines -= 1
        text = line.decode("utf-8", "replace")
        self.size -= len(text.encode()) + self.more
        self.taken.append(text)


def last(path: str, share: Share, *, start: int = 0, whole: bool = True) -> Mark | None:
    """Take the last lines of a file that begin at ``start`` or later; None where there is no file.

    A last line without an end is taken only if the ``whole`` of it is there, since nobody writes any more.
    """
    try:
        with os.fdopen(regular.opened(path, os.O_RDONLY), "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            start = start if start <= found.st_size else 0
            data, at = b"", found.st_size
            # A block in any case: to go on from there, it must be known where the last line begins.
            while at > start and (not data or (data.count(b"\n") <= share.lines and len(data) < share.size)):
                size = min(_BLOCK, at - start)
                at -= size
                data = os.pread(file.fileno(), size, at) + data
    except OSError:
        return None
    lines = data.split(b"\n")
    rest = lines.pop()
    if at > start and lines:
        del lines[0]  # its beginning was not read
    end = at + len(data)
    if rest and whole:
        lines.append(rest)
    else:
        end -= len(rest)
    before = len(share.taken)
    while lines and not share.is_spent:
        share.take(lines.pop()[-LONGEST:])
    share.taken[before:] = share.taken[before:][::-1]
    return Mark(found.st_ino, end)


def since(path: str, mark: Mark | None, share: Share, *, whole: bool) -> Mark | None:
    """Take what came since; of a file that was renamed within its directory the rest first.

    Gives how far that is; None where there is no file.
    """
    if mark is not None and not _is_still(path, mark):
        old = _renamed(os.path.dirname(path), mark.inode)
        if old is not None:
            mark = _read_on(old, mark, share, whole=True) or mark
            if share.is_spent:
                return mark
        mark = None
    return _read_on(path, mark, share, whole=whole)


def _read_on(path: str, mark: Mark | None, share: Share, *, whole: bool) -> Mark | None:
    try:
        with os.fdopen(regular.opened(path, os.O_RDONLY), "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            at = 0 if mark is None or mark.at > found.st_size else mark.at
            data = os.pread(file.fileno(), max(0, share.size) + LONGEST, at)
    except OSError:
        return None
    ended = whole and at + len(data) >= found.st_size
    begin = 0
    while begin < len(data) and not share.is_spent:
        feed = data.find(b"\n", begin, begin + LONGEST + 1)
        end = feed if feed >= 0 else min(len(data), begin + LONGEST)
        if feed < 0 and not ended and end - begin < LONGEST:
            break  # it is still being written
        share.take(data[begin:end])
        begin = end + (feed >= 0)
    return Mark(found.st_ino, at + begin)


def _is_still(path: str, mark: Mark) -> bool:
    with contextlib.suppress(OSError):
        return os.stat(path).st_ino == mark.inode
    return False


def _renamed(directory: str, inode: int) -> str | None:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return next((entry.path for entry in entries if entry.inode() == inode and entry.is_file()), None)
    return None
