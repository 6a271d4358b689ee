"""Who watches whom: kept over the lives of who watches, until it has handled the end of whom it watched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Watching:
    """One actor watches another one; ``number`` is that of no other watch of the system."""

    watched: int
    number: int
    end: Any = field(default=None, repr=False)
    """What there is to tell, opaque, once that one has ended."""
    told: int = 0
    """The life of who watches that was told; 0: none yet."""


@dataclass(slots=True)
class Watches:
    """Of all actors of a system, by their uids."""

    _begun: int = 0
    _of: dict[int, dict[int, Watching]] = field(default_factory=dict)
    """For each that watches, whom, in the order in which it began to."""
    _watched_by: dict[int, dict[int, None]] = field(default_factory=dict)
    """For each that has not ended, by whom it is watched."""

    def begin(self, watcher: int, watched: int) -> Watching:
        """The watch that stands from now on: a new one, or that which stood."""
        standing = self._of.setdefault(watcher, {})
        if watched not in standing:
            self._begun += 1
            standing[watched] = Watching(watched, self._begun)
            self._watched_by.setdefault(watched, {})[watcher] = None
        return standing[watched]

    def drop(self, watcher: int, watched: Iterable[int]) -> int:
        """It watches these no more. Gives the number of the last watch by now: what it was told of earlier is void."""
        for uid in watched:
            self._end(watcher, uid)
        return self._begun

    def is_watched(self, uid: int) -> bool:
        """Whether anybody waits for its end."""
        return uid in self._watched_by

    def ended(self, watched: int, end: Any) -> list[int]:
        """It has ended for good: who is to be told, in the order in which they began to watch."""
        watchers = list(self._watched_by.pop(watched, ()))
        for watcher in watchers:
            self._of[watcher][watched].end = end
        return watchers

    def due(self, watcher: int, life: int) -> list[Watching]:
        """What is to be told to that life of it, in the order in which it began to watch; each is given once."""
        due = [one for one in self._of.get(watcher, {}).values() if one.end is not None and one.told != life]
        for one in due:
            one.told = life
        return due

    def handled(self, watcher: int, watched: int, number: int) -> None:
        """It has handled that end; of a watch that is over meanwhile nothing follows."""
        standing = self._of.get(watcher, {}).get(watched)
        if standing is not None and standing.number == number:
            self._end(watcher, watched)

    def forget(self, watcher: int) -> None:
        """It has ended for good, and watches nobody any more."""
        for watched in list(self._of.get(watcher, ())):
            self._end(watcher, watched)

    def _end(self, watcher: int, watched: int) -> None:
        standing = self._of.get(watcher, {})
        standing.pop(watched, None)
        if not standing:
            self._of.pop(watcher, None)
        watchers = self._watched_by.get(watched, {})
        watchers.pop(watcher, None)
        if not watchers:
            self._watched_by.pop(watched, None)
