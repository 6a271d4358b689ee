"""Lines of files that others write to: the last ones, and what came since; also where a file was renamed or cut."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from understudy.wire import regular, turning

LONGEST = 1 << 16
"""Bytes of a line beyond which it is given in pieces."""
_BLOCK = 1 << 16
_MOST = 99
"""Files before the present one that are looked for."""


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
    with _opened([path]) as files:
        return _last(files[0], share, start, whole=whole) if files else None


def latest(path: str, share: Share, *, whole: bool) -> Mark | None:
    """Take the last lines of a file and, as far as there is room, of those before it."""
    before, mark = len(share.taken), None
    seen: set[int] = set()
    for one in _chain(path):
        with _opened([one]) as files:
            if not files or share.is_spent:
                break
            if (inode := os.fstat(files[0]).st_ino) in seen:
                continue  # it was renamed meanwhile
            newer, share.taken[before:] = share.taken[before:], []
            found = _last(files[0], share, 0, whole=whole or bool(seen))
            share.taken += newer
            mark = mark or found
            seen.add(inode)
    return mark


def since(path: str, mark: Mark | None, share: Share, *, whole: bool) -> Mark | None:
    """Take what came since; of a file that was renamed within its directory the rest first, then of those after it.

    Gives how far that is; None where there is no file.
    """
    with _opened([path]) as files:
        if mark is None:
            return _read_on(files[0], None, share, whole=whole) if files else None
        found = os.fstat(files[0]) if files else None
        if found is not None and found.st_ino == mark.inode:
            mark = _in_copy(path, mark, found.st_size)
            if mark.inode == found.st_ino:
                return _read_on(files[0], mark, share, whole=whole)
    with _opened(_chain(path), mark.inode) as files:
        known = [os.fstat(fd) for fd in files]
        at = next((number for number, one in enumerate(known) if one.st_ino == mark.inode), None)
        if at is None:
            unread = files[: int(os.path.exists(path))]
            mark = _rest_elsewhere(path, mark, share, whole=whole or bool(unread))
        else:
            # By the numbers alone those of somebody who counts upwards would be taken to be newer.
            least = known[at].st_mtime_ns
            unread = [fd for fd, one in zip(files[:at], known, strict=False) if one.st_mtime_ns >= least]
            unread.append(files[at])
        # The oldest first; while there is no newer one yet, the end of a line may still come.
        for number, fd in reversed(list(enumerate(unread))):
            if share.is_spent and mark is not None:
                break
            mark = _read_on(fd, mark, share, whole=whole or number > 0)
        return mark


def _in_copy(path: str, mark: Mark, size: int) -> Mark:
    """The same place in the copy that was made before the file was cut to that size, if it was copied."""
    with _opened([next(turning.older(path))] if mark.at > size else []) as copies:
        for copy in copies:
            found = os.fstat(copy)
            if turning.is_copy_of(copy, mark.inode) and found.st_size >= mark.at:
                return Mark(found.st_ino, mark.at)
    return mark


def _rest_elsewhere(path: str, mark: Mark, share: Share, *, whole: bool) -> Mark | None:
    """Of a file that somebody renamed in his own way; None where it is gone."""
    old = _renamed(os.path.dirname(path), mark.inode)
    with _opened([] if old is None else [old]) as files:
        if files and os.fstat(files[0]).st_ino == mark.inode:
            return _read_on(files[0], mark, share, whole=whole)
    return None


@contextlib.contextmanager
def _opened(paths: Iterable[str], last_inode: int = -1) -> Iterator[list[int]]:
    """Those that are there, up to the first that is not, or to that one; each once, whatever was renamed meanwhile."""
    found: dict[int, int] = {}
    try:
        for path in paths:
            try:
                fd = regular.opened(path, os.O_RDONLY)
            except OSError:
                break
            inode = os.fstat(fd).st_ino
            if inode in found:
                os.close(fd)
            else:
                found[inode] = fd
            if inode == last_inode:
                break
        yield list(found.values())
    finally:
        for fd in found.values():
            os.close(fd)


def _chain(path: str) -> Iterator[str]:
    """The file and those before it, the newest first: who renames them meanwhile lets none be missed."""
    if os.path.exists(path):
        yield path
    yield from itertools.islice(turning.older(path), _MOST)


def _last(fd: int, share: Share, start: int, *, whole: bool) -> Mark | None:
    try:
        found = os.fstat(fd)
        start = start if start <= found.st_size else 0
        data, at = b"", found.st_size
        # A block in any case: to go on from there, it must be known where the last line begins.
        while at > start and (not data or (data.count(b"\n") <= share.lines and len(data) < share.size)):
            size = min(_BLOCK, at - start)
            at -= size
            data = os.pread(fd, size, at) + data
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


def _read_on(fd: int, mark: Mark | None, share: Share, *, whole: bool) -> Mark | None:
    """What is behind the mark, if it is one of this file, else all."""
    try:
        found = os.fstat(fd)
        at = 0 if mark is None or mark.inode != found.st_ino or mark.at > found.st_size else mark.at
        data = os.pread(fd, max(0, share.size) + LONGEST, at)
    except OSError:
        return mark
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


def _renamed(directory: str, inode: int) -> str | None:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return next((entry.path for entry in entries if entry.inode() == inode and entry.is_file()), None)
    return None
