"""Files that must be files: who opens a pipe under their name would wait for somebody at its other end."""

from __future__ import annotations

import errno
import os
import stat


def opened(path: str, flags: int) -> int:
    """A descriptor of a regular file, which is closed at an exec. Raises OSError, also for what is no regular file."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        os.set_blocking(fd, True)
    except BaseException:
        os.close(fd)
        raise
    return fd
