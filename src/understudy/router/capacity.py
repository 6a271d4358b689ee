"""Whether this process has room for one more actor, asked before anything is started: libzmq aborts without it."""

from __future__ import annotations

import os
import resource

from understudy.errors import NoCapacity
from understudy.lifecycle.actor import Actor, Body
from understudy.router.world import World

FDS_PER_ACTOR = 4
"""The shared page, a pidfd, and a connection each for orders and reports."""
RESERVE = 64


def check_capacity(world: World, opened: int | None, count: int = 1) -> None:
    """Raise NoCapacity, with the numbers, where the limit has no room for so many beside what is open and promised.

    For the router's thread; ``opened`` is what `opened_descriptors` said just before, None where nothing tells.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needs = FDS_PER_ACTOR + world.hub.places.descriptors
    promises = [_promised(world, actor) for actor in world.registry.living()]
    promised, starting = sum(promises), sum(1 for one in promises if one)
    if opened is not None and opened + promised + count * needs + RESERVE > limit:
        raise NoCapacity(
            f"{_more(count)} {count * needs} descriptors in this process: {opened} of {limit} are open, "
            f"{promised} promised to {starting} starting actors, {RESERVE} kept in reserve; raise `ulimit -n`"
        )


def _more(count: int) -> str:
    return "one more actor needs" if count == 1 else f"{count} more actors need"


def opened_descriptors() -> int | None:
    """How many descriptors this process has open."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def _promised(world: World, actor: Actor) -> int:
    """What an actor will open and has not yet: nothing from its READY on, which came over a connection."""
    if world.records[actor.uid].page is None:
        return FDS_PER_ACTOR
    if actor.ready_at is not None:
        return 0
    return FDS_PER_ACTOR - (2 if actor.body is Body.LIVE else 1)
