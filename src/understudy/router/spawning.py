"""Actors that actors spawn: admitted here, beside those of the system itself."""

from __future__ import annotations

from typing import Any

from understudy.errors import ConfigError, NameTaken, ProtocolError, UnderstudyError
from understudy.lifecycle.actor import Tie
from understudy.lifecycle.names import check_name
from understudy.router.capacity import check_capacity, opened_descriptors
from understudy.router.cradle import Wanted
from understudy.router.world import World
from understudy.spawners import specs
from understudy.wire.messages import Answered, Identity, Spawn


def spawn(world: World, identity: Identity, message: Spawn) -> None:
    """One word of an actor; said again, it is answered again."""
    parent, request = identity.uid, message.request
    if (answer := world.cradle.remembered(parent, request)) is not None:
        world.post.answer(parent, answer)
        return
    if (parent, request) in world.cradle.waiting:
        return
    try:
        if len(message.frames) != 1 or (message.replicas is not None and message.replicas < 1):
            raise ProtocolError("a spawn has one frame, and is of one actor or more")
        spec = specs.opened(message.frames[0])
        if spec.host not in world.spawners:
            raise ConfigError(f"host={spec.host!r}: it is one of {', '.join(world.spawners)}")
        name = None if message.given is None else check_name(f"{world.registry.actors[parent].name}/{message.given}")
    except ProtocolError:
        world.dropped += 1
        return
    except UnderstudyError as error:
        _answer(world, parent, refusal(request, error))
        return
    tie = Tie.LINKED if message.linked else Tie.LOOSE
    _try(world, Wanted(parent, identity.incarnation, request, spec, name, message.replicas, tie))


def names_are_free(world: World) -> None:
    """Somebody has ended: who waits for its name tries again, when what is under way is done."""
    if world.cradle.waiting:
        world.timers.set("cradle", 0.0, lambda: _try_again(world))


def granted(request: int, value: dict[str, Any], *, more: bool = False) -> Answered:
    """The answer that gives that value."""
    return Answered(request, value, more=more, error="", text="")


def refusal(request: int, error: UnderstudyError) -> Answered:
    """The answer that raises that error where it was asked."""
    return Answered(request, {}, more=False, error=type(error).__name__, text=str(error))


def _try_again(world: World) -> None:
    for wanted in list(world.cradle.waiting.values()):
        _try(world, wanted)


def _try(world: World, wanted: Wanted) -> None:
    world.cradle.waiting.pop((wanted.parent, wanted.request), None)
    try:
        answer = granted(wanted.request, _admit(world, wanted))
    except NameTaken as error:
        if wanted.name is not None and world.registry.is_leaving(wanted.name, wanted.count):
            world.cradle.waiting[wanted.parent, wanted.request] = wanted
            return
        answer = refusal(wanted.request, error)
    except UnderstudyError as error:
        answer = refusal(wanted.request, error)
    _answer(world, wanted.parent, answer)


def _admit(world: World, wanted: Wanted) -> dict[str, Any]:
    """Its uid and name; of several the name of all, and the uid of the first, which the others follow."""
    kin = world.registry.kin(wanted.parent, wanted.tie)
    check_capacity(world, opened_descriptors(), wanted.count or 1)
    if wanted.count is None:
        actor = world.admit(wanted.spec, wanted.name, kin)
        return {"uid": actor.uid, "name": actor.name}
    name = world.admit_group(wanted.spec, wanted.name, wanted.count, kin)
    return {"uid": world.registry.named(name)[0].uid, "name": name}


def _answer(world: World, parent: int, answer: Answered) -> None:
    world.cradle.remember(parent, answer)
    world.post.answer(parent, answer)
