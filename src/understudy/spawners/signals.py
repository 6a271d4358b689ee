"""Signals are sent here and nowhere else."""

from __future__ import annotations

import _signal
import contextlib
import errno
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

INTERRUPT = signal.SIGRTMAX - 2
"""Ends a section that overran; users' code does not use it."""
STACKS = signal.SIGRTMAX - 3
"""Makes the fault handler write the stacks of all threads."""

SCARCE = frozenset({errno.EMFILE, errno.ENFILE})
"""No descriptor is left, here or anywhere."""


# Without the enums of `signal`, whose pages every child would have to copy for what it sets on its way.
handle: Callable[[int, Any], Any] = _signal.signal
mask: Callable[[int, Iterable[int]], Any] = _signal.pthread_sigmask
DEFAULT = _signal.SIG_DFL


def send(pid: int, pidfd: int | None, number: int) -> bool:
    """Signal a process, by its pidfd where there is one; False if it is gone.

    True is no proof that the signal was taken: one that runs as another user refuses it, and lives on.
    """
    try:
        if pidfd is not None:
            signal.pidfd_send_signal(pidfd, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send_group(leader: int, number: int) -> None:
    """Signal the process group of a process that nobody has reaped; itself alone, while it leads none yet."""
    with contextlib.suppress(PermissionError):  # some of it run as another user, and the others have it
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            send(leader, None, number)


def kill_verified(pid: int, started: int, start_of: Callable[[int], int | None]) -> bool:
    """SIGKILL the process if it is still the one that started at that tick; numbers are reused, pidfds are not.

    Raises OSError where no descriptor is left for that.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except AttributeError:
        return False
    except OSError as error:
        if error.errno in SCARCE:
            raise
        return False
    try:
        if start_of(pid) != started:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return True
        return False
    finally:
        os.close(pidfd)


def end_self(number: int) -> None:
    """End this process by the default action of a signal."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def name_of(number: int) -> str:
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
