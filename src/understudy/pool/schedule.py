"""Which worker gets which tasks, and of whom some are taken back: decided without a clock, a thread or a socket.

A worker holds one task, or as many as it is expected to do in `AHEAD` seconds, so that it never waits for the next;
what it has not begun can be taken back, so that none of them waits behind a long one while another worker has nothing
to do.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, Literal, Protocol, TypeVar

AHEAD = 0.004
"""Seconds of work that a worker may hold."""
MOST = 512
"""Tasks that it may hold."""
PATIENCE = 0.002
"""Seconds without a word of who holds tasks while others have none, after which some are taken back."""
LATE = 0.05
"""Seconds without a word after which all that a worker has not begun is taken back, whoever has something to do."""
_FRESH = 0.25
"""The weight of the last duration in what the next one is expected to be."""

Mode = Literal["async", "parallel"]


class Duty(Protocol):
    """One task, as far as it matters here."""

    number: int
    priority: int
    pace: Hashable
    """Tasks of one pace take about as long."""

    def begin(self) -> bool:
        """It is given to a worker now; whether it is still wanted."""
        ...


D = TypeVar("D", bound=Duty)


class Backlog(Generic[D]):
    """What no worker has yet: the highest priority first, in each the order of arrival."""

    def __init__(self) -> None:
        self._lines: dict[int, deque[D]] = {}
        self._order: list[int] = []
        self._count = 0
        self.dropped: list[D] = []
        """Those that were not wanted any more when their turn came, for whoever keeps account."""

    def append(self, task: D) -> None:
        """At the end of its line."""
        self._line(task.priority).append(task)
        self._count += 1

    def put_back(self, tasks: Iterable[D]) -> None:
        """At the heads of their lines, in this order."""
        for task in reversed([*tasks]):
            self._line(task.priority).appendleft(task)
            self._count += 1

    def take(self) -> D | None:
        """The next one that is wanted."""
        while self._count:
            priority = self._order[-1]
            line = self._lines[priority]
            task = line.popleft()
            self._count -= 1
            if not line:
                del self._lines[priority]
                self._order.pop()
            if task.begin():
                return task
            self.dropped.append(task)
        return None

    def remove(self, task: D) -> bool:
        """Take that one out; whether it was there."""
        line = self._lines.get(task.priority, deque())
        if task not in line:
            return False
        line.remove(task)
        self._count -= 1
        if not line:
            del self._lines[task.priority]
            self._order.remove(task.priority)
        return True

    def clear(self) -> list[D]:
        """All of it."""
        found = [*self]
        self._lines.clear()
        self._order.clear()
        self._count = 0
        return found

    def _line(self, priority: int) -> deque[D]:
        line = self._lines.get(priority)
        if line is None:
            line = self._lines[priority] = deque()
            insort(self._order, priority)
        return line

    def __iter__(self) -> Iterator[D]:
        for priority in reversed(self._order):
            yield from self._lines[priority]

    def __len__(self) -> int:
        return self._count


class Desk(Generic[D]):
    """What one worker holds."""

    __slots__ = ("ahead", "given", "heard_at", "is_robbed")

    def __init__(self, now: float) -> None:
        self.given: dict[int, tuple[D, float]] = {}
        """By its number each task, and how many seconds it was expected to take when it was given."""
        self.ahead = 0.0
        """These seconds together."""
        self.heard_at = now
        """When it last told of one, or got the first."""
        self.is_robbed = False
        """Whether something was taken back since: it gets nothing ahead until it has told of what it does."""

    def put(self, task: D, seconds: float) -> None:
        """Hold one more."""
        self.given[task.number] = task, seconds
        self.ahead += seconds

    def take(self, number: int) -> D | None:
        """Hold that one no more."""
        found = self.given.pop(number, None)
        if found is None:
            return None
        self.ahead = self.ahead - found[1] if self.given else 0.0
        return found[0]


class Schedule(Generic[D]):
    """The tasks of one pool; workers are named by numbers."""

    def __init__(self, size: int, mode: Mode = "async") -> None:
        self.size = size
        self.mode: Mode = mode
        self.backlog: Backlog[D] = Backlog()
        self.desks: dict[int, Desk[D]] = {}
        self._paces: dict[Hashable, float] = {}

    def join(self, worker: int, now: float) -> None:
        """It is ready for tasks."""
        self.desks[worker] = Desk(now)

    def leave(self, worker: int, not_begun: Iterable[int] = ()) -> list[D]:
        """It is gone: of what it held these it had not begun, and somebody else does them; gives the others."""
        desk = self.desks.pop(worker, None)
        if desk is None:
            return []
        self.backlog.put_back(self._taken(desk, not_begun))
        return [task for task, _ in desk.given.values()]

    def told(self, worker: int, number: int, seconds: float, now: float) -> D | None:
        """A worker has done one, which took so long; None if it did not hold that."""
        desk = self.desks.get(worker)
        task = None if desk is None else desk.take(number)
        if desk is None or task is None:
            return None
        desk.heard_at, desk.is_robbed = now, False
        expected = self._paces.get(task.pace)
        if len(self._paces) > MOST:
            self._paces.clear()
        self._paces[task.pace] = seconds if expected is None else expected + _FRESH * (seconds - expected)
        return task

    def give(self, now: float) -> list[tuple[int, list[D]]]:
        """Who gets which tasks now."""
        if not self.backlog:
            return []
        if self.mode == "parallel":
            return self._give_in_step(now)
        given: dict[int, list[D]] = {}
        for worker, desk in self.desks.items():  # one for each who has none, before anybody has several
            if not desk.given and (task := self._hand(desk, now)) is not None:
                given[worker] = [task]
        share = max(1, len(self.backlog) // max(1, self.size))
        for worker, desk in self.desks.items():
            for _ in range(share):
                if not self._has_room(desk) or (task := self._hand(desk, now)) is None:
                    break
                given.setdefault(worker, []).append(task)
        return [*given.items()]

    def idle(self) -> int:
        """How many workers have nothing to do."""
        return sum(not desk.given for desk in self.desks.values())

    def waiting(self) -> int:
        """How many tasks wait for a worker that is not there, also where they stand behind the one that has begun."""
        behind = sum(max(0, len(desk.given) - 1) for desk in self.desks.values())
        return len(self.backlog) + behind - self.idle()

    def spare(self, now: float) -> tuple[list[tuple[int, int]], float | None]:
        """Of whom to take back how many that are not begun, for others have nothing to do; and when to look again."""
        if self.mode == "parallel":
            return [], None
        idle = 0 if self.backlog else self.idle()
        spare: list[tuple[int, int]] = []
        due: float | None = None
        for worker, desk in self.desks.items():
            held, silent = len(desk.given), now - desk.heard_at
            if not held or desk.is_robbed:
                continue
            patience = PATIENCE if idle and held > 1 else LATE
            if silent < patience:
                due = min(desk.heard_at + patience, desk.heard_at + patience if due is None else due)
            elif silent >= LATE:
                spare.append((worker, held))
            else:
                spare.append((worker, -(-(held - 1) * idle // (idle + 1))))
        return spare, now + PATIENCE if spare and idle else due

    def returned(self, worker: int, numbers: Iterable[int]) -> None:
        """These were taken back from it."""
        desk = self.desks.get(worker)
        if desk is not None:
            desk.is_robbed = True
            self.backlog.put_back(self._taken(desk, numbers))

    @staticmethod
    def _taken(desk: Desk[D], numbers: Iterable[int]) -> list[D]:
        return [task for number in numbers if (task := desk.take(number)) is not None]

    def _give_in_step(self, now: float) -> list[tuple[int, list[D]]]:
        """A batch: when the last one is done, one for each."""
        if any(desk.given for desk in self.desks.values()) or len(self.desks) < min(self.size, len(self.backlog)):
            return []
        given = []
        for worker, desk in self.desks.items():
            if (task := self._hand(desk, now)) is not None:
                given.append((worker, [task]))
        return given

    def _has_room(self, desk: Desk[D]) -> bool:
        if desk.is_robbed:
            return not desk.given
        return len(desk.given) < 2 or (desk.ahead < AHEAD and len(desk.given) < MOST)  # noqa: PLR2004

    def _hand(self, desk: Desk[D], now: float) -> D | None:
        task = self.backlog.take()
        if task is not None:
            if not desk.given:
                desk.heard_at = now
            desk.put(task, self._paces.get(task.pace, AHEAD))
        return task
