"""Which of the ended actors are kept, and of which only the row is: the newest, and those that are referred to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass, field

KEEP_ENDED = 1000
KEEP_BYTES = 64 << 20
"""States and outcomes of the ended that are kept though nobody refers to them; of the newest one also more."""
_LOOK_AT = 3


@dataclass(slots=True)
class Archive:
    """The ended, by uid, in the order in which they ended."""

    keep: Callable[[int], bool] = field(default=lambda _: False)
    """Says whether somebody still holds a reference to an ended actor."""
    _ended: deque[int] = field(default_factory=deque)
    _held: deque[int] = field(default_factory=deque)
    """Those that ended longer ago and are still referred to."""
    _weights: deque[tuple[int, int]] = field(default_factory=deque)
    """Bytes of the ended, oldest first, but for those that were found to be referred to."""
    _weight: int = 0

    def retire(self, uid: int) -> list[int]:
        """One more has ended; those that are kept no more."""
        self._ended.append(uid)
        if len(self._ended) <= KEEP_ENDED:
            return []
        self._held.append(self._ended.popleft())
        # The newest, and a few of the others in turn: all at each end would cost the more the more are held.
        self._held.rotate(1)
        gone: list[int] = []
        for _ in range(min(_LOOK_AT, len(self._held))):
            one = self._held.popleft()
            if self.keep(one):
                self._held.append(one)
            else:
                gone.append(one)
        return gone

    def weigh(self, newest: int, weight: int, listed: Container[int]) -> list[int]:
        """What the newest weighs; while all weigh too much, only the row is kept of those that are named.

        They are the oldest of the listed that nobody refers to.
        """
        self._weights.append((newest, weight))
        self._weight += weight
        light: list[int] = []
        for _ in range(_LOOK_AT):
            if self._weight <= KEEP_BYTES or self._weights[0][0] == newest:
                break
            uid, weight = self._weights.popleft()
            if uid in listed and self.keep(uid):
                self._weights.insert(-1, (uid, weight))
                continue
            self._weight -= weight
            if uid in listed:
                light.append(uid)
        return light
