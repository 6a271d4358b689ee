"""A clock that moves only when told to."""

from __future__ import annotations

import math


class FakeClock:
    """Stands where it was put until `advance` moves it; times are in seconds, like those of `time.monotonic`.

    Pass `clock.now` where a function without arguments that returns the time is wanted. A start that is not a
    finite number raises ValueError.
    """

    def __init__(self, start: float = 0.0) -> None:
        if not math.isfinite(start):
            raise ValueError(f"a clock starts at a finite number of seconds, not at {start!r}")
        self._now = float(start)

    def now(self) -> float:
        """The time, in seconds; the same until the next `advance`."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Move on by `seconds` and return the new time; what is negative or not finite raises ValueError."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"a clock advances by a finite number of seconds from 0 up, not by {seconds!r}")
        self._now += seconds
        return self._now

    def __repr__(self) -> str:
        return f"FakeClock({self._now!r})"
