"""Sparklines: the last minute of a figure in a few characters. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

WINDOW = 60.0
"""Seconds that a sparkline covers."""
_TOGETHER = 0.5
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-=+*%#"


class Trail:
    """What a figure was over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float) -> None:
        """One measurement; of several at nearly the same time the highest counts."""
        if self._seen and now - self._seen[-1][0] < _TOGETHER:
            at, before = self._seen[-1]
            self._seen[-1] = (at, max(before, value))
            return
        self._seen.append((now, value))
        while self._seen[0][0] <= now - WINDOW:
            self._seen.popleft()

    def spark(self, now: float, width: int, *, least: float | None = None, ascii_only: bool = False) -> str:
        """The minute up to now, the highest of each stretch; a space where nothing was measured.

        From ``least`` up to the highest seen, at least up to 1 more; without it from the lowest seen, and what hardly
        changes is flat.
        """
        highest: dict[int, float] = {}
        for at, value in self._seen:
            place = width - 1 - int((now - at) * width / WINDOW)
            if 0 <= place < width:
                highest[place] = max(value, highest.get(place, value))
        if not highest:
            return " " * width
        low, high = _range(highest.values(), least)
        blocks = _ASCII if ascii_only else _BLOCKS
        return "".join(
            blocks[min(len(blocks) - 1, int((highest[place] - low) / (high - low) * len(blocks)))]
            if place in highest
            else " "
            for place in range(width)
        )


def _range(values: Iterable[float], least: float | None) -> tuple[float, float]:
    known = list(values)
    if least is not None:
        return least, max(least + 1.0, *known)
    low, high = min(known), max(known)
    return low, max(high, low + 0.05 * abs(low), low + 1e-9)
