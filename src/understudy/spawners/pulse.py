"""Who of a process's threads runs: whether the interpreter goes from hand to hand there, or one thread holds it.

A thread that waits for the interpreter wakes up every few milliseconds and uses next to nothing. So where one thread
uses all that is used, or none runs at all, although another has long had something to say, the interpreter is held.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

_ENOUGH = 5
"""Ticks of the processor's clock (10 ms, as a rule) that say something."""
_ALONE = 0.85
_IDLE = 0.6
_LOOKS = 4
_MOST = 256
"""Threads that are looked at."""

Look = dict[int, tuple[str, int]]
"""State, and ticks used so far, of each thread."""


def look(pid: int) -> Look:
    """The threads of a process now; empty where it is gone, or can't be looked at."""
    found: Look = {}
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task")[:_MOST]:
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/stat", "rb", buffering=0) as file:
                values = (text := file.read())[text.rindex(b")") + 2 :].split()
                found[int(thread)] = values[0].decode(), int(values[11]) + int(values[12])
    return found


def heeds(pid: int, number: int) -> bool:
    """Whether the process has a handler for that signal: one that hasn't would be ended by it."""
    with suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


@dataclass(slots=True)
class Pulse:
    """What was seen of one process, look by look."""

    _first: Look | None = None
    _used: Counter[int] = field(default_factory=Counter)
    _looks: int = 0
    _idle: int = 0

    def feel(self, seen: Look) -> None:
        """One more look."""
        if self._first is None:
            self._first = seen
            return
        self._used = Counter(
            {thread: used - self._first[thread][1] for thread, (_, used) in seen.items() if thread in self._first}
        )
        self._looks += 1
        self._idle += all(state != "R" for state, _ in seen.values())

    @property
    def is_faint(self) -> bool:
        """Whether it ran too little to say anything: as it does where the whole machine is busy."""
        return self._used.total() < _ENOUGH and not self.is_held

    @property
    def is_held(self) -> bool:
        """Whether one thread alone can have had the interpreter since the first look."""
        total = self._used.total()
        if total >= _ENOUGH:
            return max(self._used.values()) >= _ALONE * total
        return self._looks >= _LOOKS and self._idle >= _IDLE * self._looks
