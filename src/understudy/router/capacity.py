"""Whether this process has room for one more actor, asked before anything is started: libzmq aborts without it."""

from __future__ import annotations

import os
import resource

from understudy.errors import NoCapacity
from understudy.router.world import World

FDS_PER_ACTOR = 3
"""A pidfd and a connection each for orders and reports."""
RESERVE = 64


def check_capacity(world: World) -> None:
    """Raise NoCapacity, with the numbers, where the limit on descriptors leaves no room."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        opened = len(os.listdir("/proc/self/fd"))
    except OSError:
        return  # nothing tells
    starting = sum(1 for actor in world.registry.living() if actor.ready_at is None)
    promised = starting * FDS_PER_ACTOR
    if opened + promised + FDS_PER_ACTOR + RESERVE > limit:
        raise NoCapacity(
            f"one more actor needs {FDS_PER_ACTOR} descriptors in this process: {opened} of {limit} are open, "
            f"{promised} promised to {starting} starting actors, {RESERVE} kept in reserve; raise `ulimit -n`"
        )
