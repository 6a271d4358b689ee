"""A fresh interpreter that this process starts: known by its pidfd from its first instant to its burial.

Its number proves nothing: a SIGCHLD that is ignored, or a wait for any child, sets it free, and the user's code may do
either at any moment.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from understudy.spawners import signals
from understudy.spawners.circumstances import environment
from understudy.status import Usage

# Its own path first, as strings: nothing of it may depend on where the interpreter would look by itself. What is
# blocked, and that SIGCHLD is ignored, would pass through exec: neither is meant for whom we start. A SIGTERM has to
# wait until the engine, here or in a fork, can heed it.
_BEGIN = (
    "import sys; sys.path[:] = {paths!r}; import signal; signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGTERM]); "
    "signal.signal(signal.SIGCHLD, signal.SIG_DFL); "
)


@dataclass(frozen=True, slots=True)
class End:
    """The exit code (negative: the signal) and what was used; both None where somebody else reaped it."""

    code: int | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A child of this process. The pidfd is its holder's to close."""

    pid: int
    pidfd: int

    @classmethod
    def start(cls, code: str, fds: Sequence[int]) -> Interpreter:
        """Run the code, which finds these descriptors under their numbers; raises OSError where that cannot be had."""
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
        # In a session of its own from its first instant: Ctrl-C is for the parent.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            process = subprocess.Popen(
                [_program(), *flags, "-c", _BEGIN.format(paths=[str(entry) for entry in sys.path]) + code],
                pass_fds=fds,
                env=environment(),  # without it exec reads what other threads are writing, and fails by EFAULT
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()
            process.wait()
            raise
        process.returncode = 0  # from here on nobody but us waits for it, nor by its number
        if not _is_ours(pidfd):
            os.close(pidfd)
            raise ChildProcessError("it ended, and somebody else reaped it, before it could be told from others")
        return cls(process.pid, pidfd)

    def signal(self, number: int) -> bool:
        """Signal it; False if it is gone."""
        return signals.send(self.pid, self.pidfd, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait so long for its end, and leave it unburied."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def reap(self) -> End | None:
        """How it ended; None while it cannot be told, as while it lives, or a tracer of it has not let go."""
        try:
            if os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            # It is dead and keeps its number until this call, which alone tells what it used.
            buried, status, used = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            return End()
        if not buried:
            return End()
        usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss / 1024)
        return End(os.waitstatus_to_exitcode(status), usage)

    def await_end(self) -> End:
        """Wait for its end, however long that takes, and reap it."""
        try:
            os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return End()
        return self.reap() or End()


def _program() -> str:
    if sys.executable:
        return sys.executable
    # An embedded Python often doesn't know; its installation has the program of the same version beside it.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for folder in dict.fromkeys((sys.exec_prefix, sys.base_exec_prefix)):
        program = os.path.join(folder, "bin", f"python{version}")
        if os.access(program, os.X_OK):
            return program
    advice = f"set it to the program of a Python {version}, by which actors are started"
    raise FileNotFoundError(f"sys.executable is {sys.executable!r}, and no python{version} was found: {advice}")


def _is_ours(pidfd: int) -> bool:
    """Whether it is a child of ours that nobody has reaped."""
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
