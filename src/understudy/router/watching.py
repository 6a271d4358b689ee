"""What actors are told of the ends of those whom they watch: said to each life anew until one has handled it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from understudy.lifecycle.actor import Actor
from understudy.router.world import World
from understudy.wire.messages import Terminated


def watch(world: World, watcher: int, watched: Iterable[Actor]) -> None:
    """It is to be told of their ends; of those that have ended, at once."""
    for actor in watched:
        world.watches.begin(watcher, actor.uid)
        if actor.status.ended:
            world.watches.ended(actor.uid, _row(world, actor))
    tell(world, world.registry.actors[watcher])


def ended(world: World, actor: Actor) -> None:
    """It has ended for good: who watches it is told, and itself it watches nobody any more."""
    world.watches.forget(actor.uid)
    if world.watches.is_watched(actor.uid):
        for watcher in world.watches.ended(actor.uid, _row(world, actor)):
            tell(world, world.registry.actors[watcher])


def tell(world: World, watcher: Actor) -> None:
    """Tell its present life what that was not told yet. If the way there is not open, it is told as soon as it is."""
    if world.post.reaches(watcher.uid, watcher.incarnation):
        for one in world.watches.due(watcher.uid, watcher.incarnation):
            world.post.answer(watcher.uid, Terminated(one.watched, one.number, one.end))


def _row(world: World, actor: Actor) -> dict[str, Any]:
    # Its children end as well, and may be too many for an envelope.
    return {**world.row(actor), "children": []}
