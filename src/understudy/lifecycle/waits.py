"""Who waits for whose answer, and where that goes in a circle.

A process tells that its main thread waits; when that is read the answer may be there, and the word of it under way. So
a circle of waits that were told need not have been one at any moment. Whoever is part of it is asked again when the
last of them is known, and it counts once each has said that it still waits: then all of them did at that moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 100
"""Asks of one process that are looked after; a main thread waits for one, others are of signal handlers amid it."""
_REMEMBERED = 16
"""Asks of one process that are over and may still be said to wait, by a word that another has overtaken."""


class Ask(NamedTuple):
    """One ask: who asked, and its number among the asks of that process, which rises."""

    asker: int
    number: int


class Finding(NamedTuple):
    """What follows from a word: the asks of a ``cycle``, in its order, or those that have to say again.

    The first of a cycle is to be ended, and it alone: what it had sent is taken back before those behind it come to
    it. If all ended at once, each would find in its mailbox what another has just given up, and begin the circle anew.
    """

    cycle: tuple[Ask, ...] = ()
    doubtful: tuple[Ask, ...] = ()


@dataclass(slots=True)
class _Wait:
    """One ask that is said to wait; times are counts of words."""

    target: int
    since: int
    known: int = 0
    """It certainly waited then, or later: it was asked then, and said so."""
    asked: deque[int] = field(default_factory=deque)
    """When it was asked whether it still waits, as often as it has not answered yet."""
    over: bool = False
    """It was told of its cycle: it will end, and the others by that."""


@dataclass(slots=True)
class _Asker:
    waits: dict[int, _Wait] = field(default_factory=dict)
    ended: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class Waits:
    """The graph of blocked asks; what one says is heard in its order."""

    def __init__(self) -> None:
        self._askers: dict[int, _Asker] = {}
        self._words = 0

    def block(self, ask: Ask, target: int) -> Finding:
        """That ask waits for an answer of ``target``; said again, it still does."""
        self._words += 1
        asker = self._askers.setdefault(ask.asker, _Asker())
        wait = asker.waits.get(ask.number)
        if wait is not None:
            wait.known = wait.asked.popleft() if wait.asked else wait.known
        elif ask.number in asker.ended or len(asker.waits) >= MOST:
            return Finding()
        else:
            asker.waits[ask.number] = _Wait(target, self._words)
        return self._find(ask.asker)

    def unblock(self, ask: Ask) -> Finding:
        """It waits no more; what its main thread was amid it may wait on."""
        self._words += 1
        asker = self._askers.setdefault(ask.asker, _Asker())
        asker.waits.pop(ask.number, None)
        asker.ended.append(ask.number)
        return self._find(ask.asker)

    def forget(self, asker: int) -> None:
        """The process has ended, with all that it asked."""
        self._askers.pop(asker, None)

    def _find(self, start: int) -> Finding:
        """The cycle through ``start``, if all of it is known to have waited at once, or who has to say so."""
        cycle: list[tuple[Ask, _Wait]] = []
        at = start
        while (step := self._foremost(at)) is not None:
            cycle.append(step)
            at = step[1].target
            if at == start:
                return self._judge(cycle)
            if len(cycle) > len(self._askers):
                break  # a circle that it leads to, and is no part of
        return Finding()

    def _judge(self, cycle: list[tuple[Ask, _Wait]]) -> Finding:
        closed = max(wait.since for _, wait in cycle)
        doubtful = [(ask, wait) for ask, wait in cycle if wait.known < closed]
        if not doubtful:
            cycle[0][1].over = True
            return Finding(cycle=_asks(cycle))
        unasked = [(ask, wait) for ask, wait in doubtful if not (wait.asked and wait.asked[-1] >= closed)]
        for _, wait in unasked:
            wait.asked.append(self._words)
        return Finding(doubtful=_asks(unasked))

    def _foremost(self, asker: int) -> tuple[Ask, _Wait] | None:
        """What its main thread waits for: the last of its asks, which was made amid the others."""
        found = self._askers.get(asker)
        if found is None or not found.waits:
            return None
        number = max(found.waits)
        wait = found.waits[number]
        return None if wait.over else (Ask(asker, number), wait)


def _asks(steps: Iterable[tuple[Ask, _Wait]]) -> tuple[Ask, ...]:
    return tuple(ask for ask, _ in steps)
