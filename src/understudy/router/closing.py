"""The end of all actors of a system, side by side: it costs what the slowest one costs."""

from __future__ import annotations

import logging
from time import monotonic

from understudy.config import StopLadder
from understudy.lifecycle import ladder as ladders
from understudy.lifecycle.actor import Actor
from understudy.lifecycle.events import Kill
from understudy.router import verbs
from understudy.router.calls import Calls
from understudy.router.latch import Latch
from understudy.router.perform import kill_doomed
from understudy.router.world import World
from understudy.status import Status

AFTER_LADDER = 3.0
"""Seconds after its SIGKILL that an actor is waited for; what lives then cannot be killed."""
_log = logging.getLogger("understudy")


def end_all(world: World, calls: Calls, ladder: StopLadder | None, *, force: bool) -> None:
    """Stop every living actor, by the ladder given or its own, or kill it with ``force``; wait for all."""
    now = monotonic()

    def ask() -> list[tuple[Actor, Latch[Status], float]]:
        asked = []
        for actor in world.registry.living():
            rungs = ladders.force(now) if force else ladders.by_ladder(ladder or actor.spec.config.stop, now)
            if force:
                world.happen(actor.uid, Kill("shutdown"))
            else:
                verbs.stop_one(world, actor, rungs, "shutdown")
            asked.append((actor, world.cells[actor.uid].settled, rungs[-1].at))
        kill_doomed(world)
        return asked

    asked = calls.make(ask)
    until = max((at for _, _, at in asked), default=now) + AFTER_LADDER
    for actor, settled, _ in asked:
        try:
            settled.result(max(0.0, until - monotonic()))
        except TimeoutError:
            if not settled.done():
                pid = world.registry.actors[actor.uid].pid
                _log.error("%s (pid %s) cannot be killed and is left behind", actor.name, pid)
