"""What actors want to know of others: their rows, and when they were READY, or have ended."""

from __future__ import annotations

from typing import Any

from understudy.errors import TooLarge, UnderstudyError, UnknownActor, WrongProcess
from understudy.lifecycle.actor import Actor
from understudy.router.errands import Outcome
from understudy.router.spawning import granted, refusal
from understudy.router.world import World
from understudy.wire.codec import MAX_ENVELOPE, pack
from understudy.wire.messages import Identity, Steer

_HEAD = 1_000
"""Bytes of an envelope beside the row in it."""


def look(world: World, identity: Identity, message: Steer) -> None:
    """Answer now or when it is known, or so."""
    asker, request = identity.uid, message.request
    try:
        actor = _meant(world, asker, message)
    except UnderstudyError as error:
        world.post.answer(asker, refusal(request, error))
        return
    if message.verb == "info":
        world.look(actor, lambda outcome: _give_row(world, identity, request, outcome))
        return
    cell = world.cells[actor.uid]
    latch: Any = cell.settled if message.verb == "wait" else cell.started

    def tell(_: object) -> None:
        try:
            value = latch.result()
        except UnderstudyError as error:
            # It is kept, and would keep the frames that it came through.
            world.post.answer(asker, refusal(request, error.with_traceback(None)))
        else:
            world.post.answer(asker, granted(request, {} if value is None else {"status": value.value}))

    if not latch.done():
        world.post.answer(asker, granted(request, {}, more=True))
    world.cradle.awaits(asker, latch, tell)


def _meant(world: World, asker: int, message: Steer) -> Actor:
    uid = message.who[0] if len(message.who) == 1 else None
    actor = world.registry.actors.get(uid) if isinstance(uid, int) else None
    if actor is None:
        raise UnknownActor(f"the actor of uid {uid} ended long ago and is forgotten")
    if message.verb == "wait":
        _refuse_ancestors(world, world.registry.actors[asker], actor)
    return actor


def _refuse_ancestors(world: World, asker: Actor, awaited: Actor) -> None:
    """Whoever has spawned the asker takes it along when it ends; the asker would never see that."""
    one: Actor | None = asker
    while one is not None:
        if one.uid == awaited.uid:
            how = "itself" if one is asker else f"{one.name}, which takes it along when it ends"
            raise WrongProcess(f"{asker.name} cannot wait for {how}")
        one = world.registry.parent(one)


def _give_row(world: World, identity: Identity, request: int, outcome: Outcome) -> None:
    """To the life that asked, if it is still there."""
    actor = world.registry.actors.get(identity.uid)
    if actor is None or not world.post.reaches(actor.uid, identity.incarnation):
        return
    error = outcome.error
    if error is None and len(pack(outcome.value)) > MAX_ENVELOPE - _HEAD:
        error = TooLarge(f"what is known of {outcome.value['name']} is too much for one answer")
    answer = granted(request, outcome.value) if error is None else refusal(request, error)
    world.post.answer(identity.uid, answer)
