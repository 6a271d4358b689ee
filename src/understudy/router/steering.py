"""What actors order others to do: the verbs of the system, for who is inside of it."""

from __future__ import annotations

from typing import Any

from understudy.errors import UnderstudyError
from understudy.ref import ActorRef
from understudy.router import looking, verbs, watching
from understudy.router.post import PAIRS
from understudy.router.spawning import granted, refusal
from understudy.router.world import World
from understudy.wire.messages import Identity, Steer


def steer(world: World, identity: Identity, message: Steer) -> None:
    """Carry it out and answer: a word for each by its name, or of each child its uid."""
    if message.verb in {"info", "wait", "ready"}:
        looking.look(world, identity, message)
        return
    who = [_meant(world, one) for one in message.who]
    try:
        words = list(_done(world, identity, message, who).items())
    except UnderstudyError as error:
        world.post.answer(identity.uid, refusal(message.request, error))
        return
    for begin in range(0, max(1, len(words)), PAIRS):
        part, more = dict(words[begin : begin + PAIRS]), begin + PAIRS < len(words)
        world.post.answer(identity.uid, granted(message.request, part, more=more))


def _meant(world: World, one: int | str) -> str | ActorRef[Any]:
    return one if isinstance(one, str) else ActorRef(world.system, one, f"the actor of uid {one}")


def _done(world: World, identity: Identity, message: Steer, who: list[str | ActorRef[Any]]) -> dict[str, Any]:
    match message.verb:
        case "stop":
            return verbs.Stopping(who, message.grace, drain=message.drain).do(world)
        case "kill":
            return verbs.Killing(who).do(world)
        case "restart":
            return verbs.Restarting(who, message.grace).do(world)
        case "watch":
            watching.watch(world, identity.uid, verbs.select(world, verbs.meant(who)))
            return {}
        case "unwatch":
            return {"number": world.watches.drop(identity.uid, (one for one in message.who if isinstance(one, int)))}
        case _:
            parents = verbs.select(world, verbs.meant(who))
            return {child.name: child.uid for one in parents for child in world.registry.children(one.uid)}
