"""How many restarts a whole system begins: at most so many a second, and of those in quarantine one after the other.

A restart is due when its pause is over. One that may not begin then queues. Those that queue begin in the order in
which they became due, but nobody waits for one in quarantine. What somebody asks for passes, and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from understudy.lifecycle.actor import Actor, Body, Hold
from understudy.lifecycle.budget import is_quarantined
from understudy.lifecycle.events import Alarm, Event, Expired, ForkFailed, Released
from understudy.status import Status

SPAN = 1.0
"""Seconds in any of which no more than `Governor.rate` restarts begin."""
PATIENCE = 5.0
"""Seconds after which a probe that is neither READY nor dead holds up the next one no more."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A restart that began: whose, which of its lives, and when."""

    uid: int
    incarnation: int
    at: float


@dataclass(frozen=True, slots=True)
class Due:
    """A restart that waits for its turn."""

    uid: int
    hold: Hold


@dataclass(frozen=True, slots=True)
class Governor:
    """What it remembers; `rate` None: no bound, but for those in quarantine."""

    rate: int | None = None
    begun: tuple[Begun, ...] = ()
    """The last ones, `rate` at the most, oldest first."""
    queue: tuple[Due, ...] = ()
    """In the order in which they became due."""
    probe: Begun | None = None
    """The last one that began in quarantine, until it is READY or dead."""

    def hold(self, actor: Actor, event: Event, now: float) -> Hold | None:
        """Why the restart of that actor may not begin, if it is due by that event and may not."""
        if actor.status is not Status.RESTARTING or event != _PAUSE_OVER:
            return None
        due = Due(actor.uid, _kind(actor))
        # Where others that queue may begin by now, it follows them.
        return None if self._ready((*self.queue, due), now) == [due] else due.hold

    def ready(self, now: float) -> list[int]:
        """Those that queue and may begin, in their order."""
        return [due.uid for due in self._ready(self.queue, now)]

    def next(self) -> float | None:
        """When somebody who queues may begin, if nothing happens until then; None where nobody queues."""
        free = self._free(0, 0.0)
        moments = [free if due.hold is Hold.QUEUED else max(free, self._patient()) for due in self._firsts()]
        return min(moments, default=None)

    def expected(self, uid: int, now: float) -> float | None:
        """When one that queues will begin, as far as can be foreseen; of one in quarantine: at the latest.

        None where it does not queue.
        """
        ahead = {Hold.QUEUED: 0, Hold.QUARANTINE: 0}
        for due in self.queue:
            if due.uid == uid and due.hold is Hold.QUEUED:
                return self._free(ahead[Hold.QUEUED], now)
            if due.uid == uid:
                turns = ahead[Hold.QUARANTINE]
                return max(self._free(ahead[Hold.QUEUED] + turns, now), max(now, self._patient()) + turns * PATIENCE)
            ahead[due.hold] += 1
        return None

    def after(self, before: Actor, event: Event, actor: Actor, now: float) -> Governor:
        """What it remembers when that event has made ``actor`` of ``before``."""
        known = self
        if self.probe is not None and self.probe.uid == actor.uid and _is_decided(before, actor):
            known = replace(known, probe=None)
        if isinstance(event, ForkFailed) and not event.lost:
            born = tuple(one for one in known.begun if (one.uid, one.incarnation) != (actor.uid, before.incarnation))
            known = replace(known, begun=born)
        if actor.held is not None and actor.held in _QUEUE and before.held not in _QUEUE:
            known = replace(known, queue=(*known.queue, Due(actor.uid, actor.held)))
        if actor.held not in _QUEUE and before.held in _QUEUE:
            known = replace(known, queue=tuple(due for due in known.queue if due.uid != actor.uid))
        if actor.incarnation == before.incarnation or not (isinstance(event, Released) or event == _PAUSE_OVER):
            return known
        begun = Begun(actor.uid, actor.incarnation, now)
        if known.rate is not None:
            known = replace(known, begun=(*known.begun, begun)[-known.rate :])
        return replace(known, probe=begun) if is_quarantined(actor.budget) else known

    def _ready(self, queue: tuple[Due, ...], now: float) -> list[Due]:
        found: list[Due] = []
        is_free = self._patient() <= now
        for due in queue:
            if self._free(len(found), now) > now:
                break
            if due.hold is Hold.QUEUED:
                found.append(due)
            elif is_free:
                found.append(due)
                is_free = False
        return found

    def _firsts(self) -> Iterator[Due]:
        """Of each kind the first that queues."""
        for hold in _QUEUE:
            yield from islice((due for due in self.queue if due.hold is hold), 1)

    def _free(self, ahead: int, now: float) -> float:
        """From when on a restart may begin that has so many before it."""
        if self.rate is None:
            return now
        # Each begins a second after the one that is `rate` places before it.
        place, rounds = len(self.begun) + ahead - self.rate, 1
        while place >= len(self.begun):
            place, rounds = place - self.rate, rounds + 1
        return now + (rounds - 1) * SPAN if place < 0 else max(now, self.begun[place].at + rounds * SPAN)

    def _patient(self) -> float:
        """From when on the next probe may begin."""
        return 0.0 if self.probe is None else self.probe.at + PATIENCE


_QUEUE = (Hold.QUEUED, Hold.QUARANTINE)
_PAUSE_OVER = Expired(Alarm.BACKOFF)


def _kind(actor: Actor) -> Hold:
    return Hold.QUARANTINE if is_quarantined(actor.budget) else Hold.QUEUED


def _is_decided(before: Actor, actor: Actor) -> bool:
    """Whether the process of a probe is READY, or there is none any more."""
    return actor.ready_at is not None or actor.body is Body.NONE or actor.incarnation > before.incarnation
