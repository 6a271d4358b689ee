"""Who is at a gate: how many may be there, and who has to go where there are more.

Whoever reaches a port can open connections without end, and libzmq knows no limit. So those that have proved nothing
are few, and the oldest of them makes room for the next: who holds a key needs no more than a moment. Of all there are
so many as descriptors allow; beyond that the newest goes, for those inside have work to do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

UNPROVED = 256
"""Connections that may be there without having proved that they know the system, but half of all at the most."""

K = TypeVar("K", bound=Hashable)


class Entrants(Generic[K]):
    """In the order of their coming."""

    def __init__(self, unproved: int = UNPROVED) -> None:
        self._most_unproved = unproved
        self._unproved: dict[K, float] = {}
        self._proved: dict[K, None] = {}

    def __len__(self) -> int:
        return len(self._unproved) + len(self._proved)

    def came(self, who: K, now: float) -> None:
        """One more; under the name of one who has left unheard it is that one no more."""
        self.left(who)
        self._unproved[who] = now

    def left(self, who: K) -> None:
        """It is gone, if it was there."""
        self._unproved.pop(who, None)
        self._proved.pop(who, None)

    def all_left(self, those: Callable[[K], bool]) -> None:
        """Whoever of them it is true for is gone."""
        self._unproved = {who: at for who, at in self._unproved.items() if not those(who)}
        self._proved = {who: None for who in self._proved if not those(who)}

    def surplus(self, proves: Callable[[K, float], bool], most: int) -> list[K]:
        """Who is to go, so that no more than ``most`` are there; they count as gone.

        ``proves`` says of one who came at that time whether it has proved itself by now.
        """
        gone: list[K] = []
        while len(self._unproved) > min(self._most_unproved, max(1, most // 2)):
            oldest = next(iter(self._unproved))
            if proves(oldest, self._unproved.pop(oldest)):
                self._proved[oldest] = None
            else:
                gone.append(oldest)
        while len(self) > max(0, most):
            newest = self._unproved or self._proved
            gone.append(next(reversed(newest)))
            del newest[gone[-1]]
        return gone
