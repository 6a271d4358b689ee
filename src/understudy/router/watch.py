"""Heartbeats and deadlines: what the parent sees of a process that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from time import monotonic

from understudy.config import Heartbeat
from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.events import Alarm, Heard, Overran, Place, Silent, Stage
from understudy.router.world import World
from understudy.spawners import family
from understudy.wire.page import DEADLINE, NEVER, PLACE_SHIFT, SECTIONS

INTERRUPT_AFTER = 0.1
KILL_AFTER = 1.0
_SLACK = 0.5
_STEP = 0.25
"""Beats are looked for at multiples of so many seconds: for many actors at one waking."""
_PAUSE = 1.0


@dataclass(slots=True)
class _Sight:
    """What is remembered of one process."""

    incarnation: int
    heard_at: float
    beat: Heartbeat
    misses: int = 0
    interrupted: tuple[int, float] | None = None


class Watch:
    """Looks at each READY process when something may be due, and not before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sights: dict[int, _Sight] = {}

    def begin(self, actor: Actor) -> None:
        """The actor is READY."""
        self._sights[actor.uid] = _Sight(actor.incarnation, monotonic(), actor.spec.config.heartbeat)
        self._look(actor.uid)

    def heard(self, uid: int) -> None:
        """A frame came from it."""
        sight = self._sights.get(uid)
        if sight is None:
            return
        sight.heard_at = monotonic()
        if sight.misses:
            sight.misses = 0
            self._world.happen(uid, Heard())

    def age(self, uid: int) -> float | None:
        """Seconds since it was heard."""
        sight = self._sights.get(uid)
        return None if sight is None else monotonic() - sight.heard_at

    def misses(self, uid: int) -> int:
        """Missed heartbeats."""
        sight = self._sights.get(uid)
        return 0 if sight is None else sight.misses

    def forgive(self, seconds: float) -> None:
        """The router itself was held up for so long: nobody else is to blame."""
        if seconds > _PAUSE:
            now = monotonic()
            for sight in self._sights.values():
                sight.heard_at = min(now, sight.heard_at + seconds)
            for actor in self._world.registry.living():  # births were held up with us
                self._world.timers.postpone((actor.uid, Alarm.START), seconds)

    def _look(self, uid: int) -> None:
        actor, sight = self._world.registry.actors.get(uid), self._sights.get(uid)
        if sight is None:
            return
        if actor is None or actor.body is not Body.LIVE or actor.incarnation != sight.incarnation:
            del self._sights[uid]
            return
        now = monotonic()
        due = min(self._beats(actor, sight, now), self._deadline(actor, sight, now))
        if uid in self._sights:
            self._world.timers.set((uid, "watch"), due, lambda: self._look(uid))

    def _beats(self, actor: Actor, sight: _Sight, now: float) -> float:
        beat = actor.spec.config.heartbeat
        if beat is not sight.beat:  # it was configured: what came until now came by other terms
            sight.beat, sight.heard_at = beat, now
        next_miss = ceil((sight.heard_at + beat.interval * (sight.misses + 1) + _SLACK) / _STEP) * _STEP
        if now < next_miss:
            return next_miss
        page = self._world.records[actor.uid].page
        if page is not None and page.debugged:
            return now + beat.interval
        sight.misses += 1
        stopped = actor.pid is not None and family.is_stopped(actor.pid)
        held = stopped or page is None or page.place[0] == ""
        lost = sight.misses >= beat.misses
        self._world.happen(actor.uid, Silent(sight.misses, lost=lost, held=held))
        return now + beat.interval

    def _deadline(self, actor: Actor, sight: _Sight, now: float) -> float:
        page = self._world.records[actor.uid].page
        if page is None:
            return NEVER
        late = page.overrun(now)
        if late is not None:
            place, seconds = late
            if seconds >= KILL_AFTER:
                where = Place(SECTIONS[place & 7], place >> PLACE_SHIFT)
                self._world.happen(actor.uid, Overran(Stage.KILL, where))
                return now + KILL_AFTER
            if seconds >= INTERRUPT_AFTER:
                overdue = page.overdue(now)
                if overdue not in {None, sight.interrupted}:
                    sight.interrupted = overdue
                    self._world.happen(actor.uid, Overran(Stage.INTERRUPT, Place()))
                return now + KILL_AFTER - seconds
            return now + INTERRUPT_AFTER - seconds
        # No section that opens from now on can be due before the shortest timeout has passed.
        shortest = actor.spec.config.timeouts.shortest()
        deadline = page.reals[DEADLINE]
        return min(now + shortest, deadline if deadline > now else NEVER) + INTERRUPT_AFTER
