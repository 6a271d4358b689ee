"""Figures of living actors: measured in the thread that asks, kept for who asks next; in the router's thread never."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from math import inf
from time import monotonic

from understudy.lifecycle.actor import Actor, Body
from understudy.router.calls import Calls
from understudy.router.records import Record, Sample
from understudy.router.world import World
from understudy.spawners.census import Census, Head
from understudy.spawners.figures import Figures, measure

_SHORTEST = 0.01
"""Seconds: the system's clock of CPU time ticks no finer, so no share is of less."""
PATIENCE = 1.0
"""Seconds that a thread waits for the samples that another one takes. Who is measured for longer is let alone."""
_log = logging.getLogger("understudy")


class Sampler:
    """Measures for whichever thread asks."""

    def __init__(self, world: World, calls: Calls) -> None:
        self._world, self._calls = world, calls
        self._measured_since: dict[int, float] = {}
        """Who is being measured at this moment, by uid."""

    def is_due(self, actor: Actor) -> bool:
        """Whether its figures are older than its settings allow, and whoever measures it is not held up by it."""
        record = self._world.records.get(actor.uid)
        if record is None or actor.body is not Body.LIVE:
            return False
        if monotonic() - self._measured_since.get(actor.uid, inf) >= PATIENCE:
            return False
        sample = record.sample_of(actor)
        return sample is None or monotonic() - sample.at > actor.spec.config.sampling.interval

    def refresh(self, actors: Iterable[Actor]) -> None:
        """Measure those that are due. Asked by the router's own thread, it leaves them as they are."""
        due = [actor for actor in actors if self.is_due(actor)]
        if not due or threading.current_thread() is self._calls.thread:
            return
        census = Census(one.pid for one in self._world.registry.living() if one.pid is not None)
        until = monotonic() + PATIENCE
        for actor in due:
            record = self._world.records.get(actor.uid)
            if record is None or actor.pid is None:
                continue
            if not record.sampling.acquire(timeout=max(0.0, until - monotonic())):
                continue  # the process holds up who looks at it: one thread is enough
            try:
                if self.is_due(actor):
                    self._measured_since[actor.uid] = monotonic()
                    record.sample = self._sample(actor, actor.pid, record, census)
            finally:
                self._measured_since.pop(actor.uid, None)
                record.sampling.release()

    def _sample(self, actor: Actor, pid: int, record: Record, census: Census) -> Sample:
        settings = actor.spec.config.sampling
        pids: Sequence[int] = [pid]
        if settings.family:
            head = Head(pid, self._world.system, actor.uid, actor.incarnation, adopts=actor.spec.host == "process")
            try:
                pids = census.household(head)
            except OSError:
                _log.debug("no descriptor is left to look for the family of %s with", actor.name)
        now = monotonic()
        figures = measure(pids, pss=settings.pss) if pids else Figures()
        began = time.time() if record.current is None else record.current.started_at
        before = record.sample_of(actor)
        share = cpu_percent(figures, before, now, time.time() - began)
        return Sample(now, actor.incarnation, pid, figures, share, _sum_of_cpu(figures, before))


def cpu_percent(figures: Figures, before: Sample | None, now: float, age: float) -> float | None:
    """Of one core, since the sample before; in the first, since the life began, ``age`` seconds ago."""
    if figures.cpu_seconds is None:
        return None
    if before is not None and before.figures.cpu_seconds is not None:
        spent, elapsed = figures.cpu_seconds - before.figures.cpu_seconds, now - before.at
    else:
        spent, elapsed = figures.cpu_seconds, age
    # An orphan that ended takes what it used along.
    return 100.0 * max(0.0, spent) / max(elapsed, _SHORTEST)


def _sum_of_cpu(figures: Figures, before: Sample | None) -> float | None:
    """What the life has used by now: what it had by the sample before, and what was added since."""
    if before is None or before.cpu_seconds is None:
        return figures.cpu_seconds
    if figures.cpu_seconds is None or before.figures.cpu_seconds is None:
        return before.cpu_seconds
    return before.cpu_seconds + max(0.0, figures.cpu_seconds - before.figures.cpu_seconds)
