"""How often to ask where nothing wakes who waits."""

from __future__ import annotations

FIRST = 0.005
MOST = 0.25


class Pace:
    """Seconds between one look and the next: 5 ms, then twice as long each time, up to 250 ms."""

    __slots__ = ("_due", "_step")

    def __init__(self) -> None:
        self._step = FIRST
        self._due = -float("inf")

    def is_due(self, now: float) -> bool:
        """Whether the time for the next look has come; at first it has."""
        return now >= self._due

    def left(self, now: float) -> float:
        """The seconds until it comes."""
        return max(0.0, self._due - now)

    def next(self, now: float) -> float:
        """Put the next look off by one step, and say how long that is."""
        step = self._step
        self._step = min(MOST, 2 * step)
        self.put_off(now, step)
        return step

    def put_off(self, now: float, seconds: float) -> None:
        """Put the next look off by so much, whatever the step is."""
        self._due = now + seconds
