"""A subject made of any process that lives: itself and all that descends from it."""

from __future__ import annotations

import os
import select
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Self

from understudy.errors import ActorDied
from understudy.services.waits import values
from understudy.spawners import family, signals
from understudy.waiting import Log
from understudy.wire.bell import Bell


class Watched:
    """A process that was started by other means, as the subject of waits.

    It holds descriptors until `close`, and is a context manager. ``pid`` is its number, which it must bear at that
    moment (ProcessLookupError otherwise); one that has ended and is not reaped yet counts. ``name`` is for errors
    (default: what the process is called). ``logs`` says where it writes: ``{"stdout": "/var/log/web.out"}``, a path or
    a `Log`. What has left its tree by a double fork is a stranger.
    """

    def __init__(self, pid: int, name: str = "", *, logs: Mapping[str, str | Log] | None = None) -> None:
        self.pid = values.whole("Watched.pid", pid, 1, 2**31 - 1)
        self._bell: Bell | None = Bell()
        self._pidfd = os.pidfd_open(pid)
        self._name = name
        self._off = False
        self._logs = {stream: Log(log) if isinstance(log, str) else log for stream, log in (logs or {}).items()}

    @property
    def name(self) -> str:
        """As it was told, else what the process is called by now."""
        return self._name or command(self.pid) or f"process {self.pid}"

    def wakes(self) -> Sequence[int]:
        """Its pidfd, and what `call_off` rings."""
        return (self._pidfd,) if self._bell is None else (self._pidfd, self._bell.read)

    def ended(self) -> BaseException | None:
        """ActorDied once it has ended, with the exit code or signal where it is a child that nobody has reaped."""
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        if not poller.poll(0):
            return None
        try:
            found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            found = None
        if found is None:
            return ActorDied(f"{self.name} (pid {self.pid}) has ended", name=self.name)
        if found.si_code == os.CLD_EXITED:
            told = f"{self.name} (pid {self.pid}) exited with code {found.si_status}"
            return ActorDied(told, name=self.name, exit_code=found.si_status)
        name = signals.name_of(found.si_status)
        told = f"{self.name} (pid {self.pid}) was ended by {name}"
        return ActorDied(told, name=self.name, exit_code=-found.si_status, signal=name)

    def called_off(self) -> bool:
        """Whether `call_off` was called."""
        return self._off

    def call_off(self) -> None:
        """End all waits on its behalf with WaitCancelled; from any thread, and from the handler of a signal."""
        self._off = True
        bell = self._bell
        if bell is not None:
            bell.ring()

    def pids(self) -> Collection[int] | None:
        """Itself and its descendants."""
        return {self.pid, *(one.pid for one in family.descendants(family.table(), [self.pid]))}

    def log(self, stream: str) -> Log | None:
        """Where it writes, as it was told."""
        return self._logs.get(stream)

    def close(self) -> None:
        """Let go of its descriptors, when no wait is under way any more."""
        if self._bell is not None:
            self._bell = None
            os.close(self._pidfd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Watched({self.pid}, {self.name!r})"


def command(pid: int) -> str:
    """What the process is called; empty where it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
