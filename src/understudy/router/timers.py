"""The clocks of the router: set, cleared, and popped when due."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable, Iterator

_SPARE = 64


class Timers:
    """A heap of clocks by key; setting one anew replaces it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Hashable]] = []
        self._set: dict[Hashable, tuple[int, float, Callable[[], None]]] = {}
        self._numbers = itertools.count()

    def set(self, key: Hashable, at: float, act: Callable[[], None]) -> None:
        """Call ``act`` at that time."""
        number = next(self._numbers)
        self._set[key] = (number, at, act)
        heapq.heappush(self._heap, (at, number, key))
        if len(self._heap) > _SPARE + 2 * len(self._set):
            # What was cleared, or set anew, waits there for a time that may be far off.
            self._heap = [entry for entry in self._heap if self._stands(entry)]
            heapq.heapify(self._heap)

    def postpone(self, key: Hashable, seconds: float) -> None:
        """Let a clock, if it runs, strike so much later."""
        if key in self._set:
            _, at, act = self._set[key]
            self.set(key, at + seconds, act)

    def clear(self, key: Hashable) -> None:
        """Forget a clock, if it runs."""
        self._set.pop(key, None)

    def next(self) -> float | None:
        """When the earliest clock is due."""
        heap = self._heap
        while heap and not self._stands(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[Callable[[], None]]:
        """The acts of all clocks that are due, earliest first."""
        while self._heap and self._heap[0][0] <= now:
            _, number, key = heapq.heappop(self._heap)
            current = self._set.get(key)
            if current is not None and current[0] == number:
                del self._set[key]
                yield current[2]

    def _stands(self, entry: tuple[float, int, Hashable]) -> bool:
        current = self._set.get(entry[2])
        return current is not None and current[0] == entry[1]
