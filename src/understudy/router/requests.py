"""One function for each verb of the control socket: from checked fields to plain values, or to an answer for later.

`control.VERBS` says which fields each takes.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from understudy.errors import UnknownActor
from understudy.lifecycle.actor import Actor
from understudy.router import verbs
from understudy.router.desk import Desk, Later
from understudy.router.errands import Outcome
from understudy.router.listing import brief, whole
from understudy.router.listing import info as info_of
from understudy.router.listing import summary as summary_of
from understudy.router.outputs import Cursor
from understudy.status import ActorInfo, Health
from understudy.wire.codec import VERSION, unpack
from understudy.wire.sockets import MAX_CONTROL


def hello(desk: Desk) -> dict[str, Any]:
    """Who answers here."""
    world = desk.world
    return {
        "system": world.system,
        "name": world.name,
        "pid": os.getpid(),
        "version": _version(),
        "protocol": VERSION,
        "started_at": world.started_at,
    }


def snapshot(desk: Desk) -> dict[str, Any]:
    """All living actors, and the number of the last event that is in it; nothing is measured for it."""
    world = desk.world
    return {"system": world.system, "seq": world.publisher.seq, "actors": _rows(desk, world.registry.living())}


def replay(desk: Desk, since: int, limit: int) -> dict[str, Any]:
    """What of the stream is kept, from a number on."""
    publisher = desk.world.publisher
    found = publisher.journal.since(since, limit)
    publisher.repeated += len(found.bodies)
    return {
        "system": desk.world.system,
        "seq": publisher.seq,
        "events": [unpack(body, MAX_CONTROL) for body in found.bodies],
        "more": found.more,
        "missing": found.missing,
    }


def ps(desk: Desk, *, all: bool) -> Any:
    """A row for each living actor, or for each that is listed."""
    registry = desk.world.registry
    return desk.measured(registry.living(), lambda: _rows(desk, registry.listed() if all else registry.living()))


def info(desk: Desk, name: str) -> Any:
    """The row of one actor."""
    find = desk.world.registry.find
    return desk.measured([find(name)], lambda: whole(desk.world, desk.watch, find(name)).to_dict())


def look(desk: Desk, actor: Actor) -> Any:
    """The same of one that is known by more than its name."""

    def tell() -> dict[str, Any]:
        found = desk.world.registry.actors.get(actor.uid)
        if found is None:
            raise UnknownActor(f"{actor.name} ended long ago and is forgotten")
        return whole(desk.world, desk.watch, found).to_dict()

    return desk.measured([actor], tell)


def healthy(desk: Desk, name: str) -> Any:
    """Whether one actor is in health."""
    find = desk.world.registry.find
    return desk.measured([find(name)], lambda: _info(desk, find(name)).health is Health.HEALTHY)


def summary(desk: Desk) -> Any:
    """Counts and sums."""
    return desk.measured(desk.world.registry.living(), lambda: summary_of(desk.world, desk.watch).to_dict())


def story(desk: Desk, name: str) -> list[str]:
    """The last steps of one actor."""
    registry = desk.world.registry
    return registry.story(registry.find(name).uid)


def stop(desk: Desk, name: list[str], grace: float | None, *, drain: bool) -> dict[str, str]:
    """Ask."""
    return verbs.Stopping(name, grace, drain=drain).do(desk.world)


def kill(desk: Desk, name: list[str]) -> dict[str, str]:
    """SIGKILL."""
    return verbs.Killing(name).do(desk.world)


def restart(desk: Desk, name: list[str], grace: float | None) -> dict[str, str]:
    """Stop and begin anew."""
    return verbs.Restarting(name, grace).do(desk.world)


def pause(desk: Desk, name: list[str]) -> dict[str, str]:
    """Stand still."""
    return verbs.Pausing(name).do(desk.world)


def resume(desk: Desk, name: list[str]) -> dict[str, str]:
    """Go on."""
    return verbs.Resuming(name).do(desk.world)


def configure(desk: Desk, name: list[str], options: dict[str, Any]) -> dict[str, str]:
    """Set options."""
    return verbs.Configuring(name, options).do(desk.world)


def logs(desk: Desk, name: list[str], lines: int, after: Cursor | None) -> Later:
    """What they wrote and logged."""
    later = Later()
    desk.outputs.tell(name, lines, after, later.give)
    return later


def stacks(desk: Desk, name: list[str]) -> Later:
    """Where their threads stand."""
    later, world = Later(), desk.world
    world.dumps.take(world, verbs.select(world, tuple(name)), lambda texts: later.give(Outcome(texts)))
    return later


def shutdown(desk: Desk, *, force: bool) -> dict[str, str]:
    """What each actor will be asked; the system closes on a thread."""
    world = desk.world
    words = (verbs.Killing("*") if force else verbs.Stopping("*")).foresee(world)
    if world.closing and not force:  # whom its thread has not reached yet, it will
        words = dict.fromkeys(words, verbs.ALREADY)
    world.shut(force)
    world.closing = True
    return words


def _rows(desk: Desk, actors: list[Actor]) -> list[dict[str, Any]]:
    return [brief(desk.world, desk.watch, actor) for actor in actors]


def _info(desk: Desk, actor: Actor) -> ActorInfo:
    return info_of(desk.world, desk.watch, actor)


@cache
def _version() -> str:
    from importlib.metadata import version  # with a fifth of what else a program loads: for who asks

    return version("understudy")
