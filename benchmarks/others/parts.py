"""User code for those that run programs, or functions in processes that are stopped by SIGTERM. Light to import."""

import signal
import sys

from benchmarks.stamps import stamp

BRIEF = "from benchmarks.others.parts import stamp; stamp({!r})"
IDLE = "from benchmarks.others.parts import idle; idle({!r})"
"""For `python -c`, given the path of the board."""


def program(code: str, board: str) -> list[str]:
    """The command line of one of these."""
    return [sys.executable, "-c", code.format(board)]


def idle(board: str) -> None:
    """Stamp, then wait for SIGTERM and return; it's blocked before the stamp, so that none is too early."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    stamp(board)
    signal.sigwait({signal.SIGTERM})
