"""Files that are begun anew when they are too long: those before stay beside them, numbered, the newest first."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

_ORIGIN = "user.understudy.origin"


def spare(path: str) -> str:
    """Where the next one is made before it takes its place; also a copy, before it takes its number."""
    return f"{path}.new"


def older(path: str) -> Iterator[str]:
    """The names of those before, without an end."""
    return (f"{path}.{number}" for number in itertools.count(1))


def put_behind(path: str, files: int, newest: str) -> None:
    """Let ``newest`` be the first of those before, of which there are one less than ``files``; the oldest goes.

    Raises OSError. With one file in all nothing is kept: ``newest`` is left where it is.
    """
    names = list(itertools.islice(older(path), files - 1))
    taken = list(itertools.takewhile(os.path.lexists, names))  # behind a gap nothing has to make room
    for name, after in reversed(list(zip(taken, names[1:], strict=False))):
        os.rename(name, after)
    if names:
        os.rename(newest, names[0])


def tell_origin(fd: int, inode: int) -> None:
    """Say of a copy which file it is one of, where the file system can hold that: who follows reads on in it."""
    with contextlib.suppress(OSError):
        os.setxattr(fd, _ORIGIN, str(inode).encode())


def is_copy_of(fd: int, inode: int) -> bool:
    """Whether that was said of it."""
    with contextlib.suppress(OSError):
        return os.getxattr(fd, _ORIGIN) == str(inode).encode()
    return False


def forget_spare(path: str) -> None:
    """It was not needed, or could not be finished."""
    with contextlib.suppress(OSError):
        os.unlink(spare(path))
