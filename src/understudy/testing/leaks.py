"""Whether a stretch of code left anything behind: processes, descriptors, threads, files.

    with LeakCheck():
        ...                              # raises Leaked, with a line for each thing that is still there

A process counts as left when it was started meanwhile and is a descendant, or bears the mark of the check. The mark
is a word in the environment, which programs inherit, and a page of memory, which forks inherit: so what forked twice,
or took a session of its own, is found too.
"""

from __future__ import annotations

import gc
import math
import mmap
import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from understudy.testing import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from understudy.testing.snapshot import SeenProcess, Snapshot

MARKER = "UNDERSTUDY_TEST"
"""The environment variable that bears the marks of all checks under way, the outermost first, parted by `/`."""

_SHORT, _LONG = 0.005, 0.1  # seconds between two looks: the first pause, and the longest
_EXEC_LOOKS = 4


class Leaked(AssertionError):
    """Something was left behind; `.leaks` lists what."""

    def __init__(self, leaks: list[Leak]) -> None:
        super().__init__(f"left behind:\n{as_text(leaks)}")
        self.leaks = leaks

    def __reduce__(self) -> tuple[type[Leaked], tuple[list[Leak]]]:
        return Leaked, (self.leaks,)


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing left behind, told by pid and command, descriptor and target, thread and name, or path."""

    kind: Literal["process", "zombie", "descriptor", "thread", "file"]
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"


def as_text(leaks: list[Leak]) -> str:
    """A line for each, indented."""
    return "\n".join(f"  {leak}" for leak in leaks)


class LeakCheck:
    """Compares what is there at the end with what was there at the start; also a context manager.

    What goes away by itself within `patience` seconds is no leak; a patience that is negative or not finite raises
    ValueError. Checks may be nested, and run side by side in several processes. What is meant to outlive the stretch
    has to be started before it. Works where there is a /proc; elsewhere `start` raises NotImplementedError.
    """

    def __init__(self, *, patience: float = 2.0) -> None:
        if not math.isfinite(patience) or patience < 0:
            raise ValueError(f"patience is a finite number of seconds from 0 up, not {patience!r}")
        self._patience = patience
        self._before: Snapshot | None = None
        self._mark = _Mark()

    def start(self) -> Self:
        """Note what is there now, and mark what will be started from here on. Raises RuntimeError when under way."""
        if self._before is not None:
            raise RuntimeError("this check is under way already")
        snapshot.require_proc()
        self._mark.put_up()
        self._before = snapshot.take()
        return self

    def leaks(self) -> list[Leak]:
        """What is there now and wasn't at the start, after one look. Raises RuntimeError when not under way."""
        if self._before is None:
            raise RuntimeError("this check was not started")
        after = snapshot.take()
        return [
            *self._processes(self._before, after),
            *(Leak("descriptor", f"{fd} -> {to}") for fd, to in snapshot.new_descriptors(self._before, after).items()),
            *(
                Leak("thread", f"{identity.number} ({name})")
                for identity, name in sorted(after.threads.items())
                if identity not in self._before.threads
            ),
            *(Leak("file", path) for path in self._files(self._before, after)),
        ]

    def finish(self) -> list[Leak]:
        """Look until nothing is left or the patience is over; return what is. The check is over then, too."""
        try:
            return self._settled()
        finally:
            self._before = None
            self._mark.take_down()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leaks = self.finish()
        if leaks and error is not None:
            error.add_note(f"left behind:\n{as_text(leaks)}")
        elif leaks:
            raise Leaked(leaks)

    def _settled(self) -> list[Leak]:
        until = time.monotonic() + self._patience
        leaks = self.leaks()
        if leaks:
            gc.collect()  # what only a cycle still holds is no leak
            leaks = self.leaks()  # however long the first look took
        pause = _SHORT
        while leaks and time.monotonic() < until:
            time.sleep(min(pause, max(0.0, until - time.monotonic())))
            pause = min(2 * pause, _LONG)
            leaks = self.leaks()
        return leaks

    def _processes(self, before: Snapshot, after: Snapshot) -> Iterator[Leak]:
        ours = snapshot.family(after)
        for pid, seen in sorted(after.processes.items()):
            if _same(seen, before.processes.get(pid)) or not (pid in ours or self._mark.is_on(pid)):
                continue
            if seen.zombie:
                yield Leak("zombie", f"{pid} (was {seen.command}, child of {seen.parent})")
            else:
                yield Leak("process", f"{pid}: {snapshot.command_line(pid) or seen.command}")

    def _files(self, before: Snapshot, after: Snapshot) -> Iterator[str]:
        others: list[int] | None = None
        for path in sorted(after.entries - before.entries):
            if path.startswith(snapshot.SHARED_MEMORY):  # the one place that all programs of the machine share
                if others is None:
                    strangers = after.processes.keys() - snapshot.family(after)
                    others = [pid for pid in strangers if not self._mark.is_on(pid)]
                if any(snapshot.holds(pid, path) for pid in others):
                    continue
                if not os.path.lexists(path):  # unlinked and unmapped while we looked for who maps it
                    continue
            yield path


def _same(seen: SeenProcess, earlier: SeenProcess | None) -> bool:
    return earlier is not None and earlier.identity == seen.identity


class _Mark:
    """What tells the processes started during one check from all others."""

    def __init__(self) -> None:
        self._word = uuid.uuid4().hex
        self._outer: str | None = None
        self._page: mmap.mmap | None = None

    def put_up(self) -> None:
        fd = os.memfd_create(self._name)
        try:
            os.ftruncate(fd, mmap.PAGESIZE)
            self._page = mmap.mmap(fd, mmap.PAGESIZE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self._outer = os.environ.get(MARKER)
        os.environ[MARKER] = f"{self._outer}/{self._word}" if self._outer else self._word

    def take_down(self) -> None:
        if self._page is not None:
            self._page.close()
            self._page = None
        if self._outer is None:
            os.environ.pop(MARKER, None)
        else:
            os.environ[MARKER] = self._outer

    def is_on(self, pid: int) -> bool:
        words = self._environment(pid).get(MARKER.encode(), b"").split(b"/")
        return self._word.encode() in words or snapshot.maps(pid, self._name)

    @staticmethod
    def _environment(pid: int) -> dict[bytes, bytes]:
        """Amid an exec there is none for a moment, nor is the page of before mapped any more."""
        for _ in range(_EXEC_LOOKS):
            if (found := snapshot.environment(pid)) or not snapshot.has_memory(pid):
                return found
            time.sleep(_SHORT)
        return {}

    @property
    def _name(self) -> str:
        return f"{MARKER.lower()}:{self._word}"
