"""Stop, kill and restart by name, glob, ref, or one iterable of these: what each actor's answer is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from time import monotonic
from typing import Any

from understudy.errors import ConfigError, UnknownActor
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Actor, Wish
from understudy.lifecycle.events import Kill, Restart, Stop
from understudy.lifecycle.ladder import Rung
from understudy.lifecycle.registry import is_glob
from understudy.lifecycle.spec import Spec
from understudy.ref import ActorRef
from understudy.router.perform import kill_doomed
from understudy.router.world import World

ASKED, ALREADY, ENDED = "asked", "already", "ended"


def select(world: World, selector: Any) -> list[Actor]:
    """The actors that are meant; raises UnknownActor for an unknown name, an empty list for a glob without a match."""
    if isinstance(selector, str):
        return world.registry.match(selector) if is_glob(selector) else [world.registry.find(selector)]
    if isinstance(selector, ActorRef):
        if selector.system_id != world.system or selector.uid not in world.registry.actors:
            raise UnknownActor(f"{selector!r} is no actor of this system")
        return [world.registry.actors[selector.uid]]
    if isinstance(selector, Iterable):
        return list({actor.uid: actor for one in selector for actor in select(world, one)}.values())
    raise ConfigError(f"{selector!r} names no actor: give a name, a glob, a ref, or one iterable of these")


def check_grace(grace: object) -> float | None:
    """The grace in seconds; raises ConfigError."""
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace < float("inf"):
        raise ConfigError(f"grace must be seconds from 0 on, or None; got {grace!r}")
    return float(grace)


def stop(world: World, selector: Any, grace: float | None) -> dict[str, str]:
    """Ask; the router escalates."""
    seconds = check_grace(grace)
    return _each(world, selector, lambda actor: stop_one(world, actor, ladder.graceful(seconds, monotonic())))


def stop_one(world: World, actor: Actor, rungs: tuple[Rung, ...], cause: str = "stop") -> str:
    """One stop, by its rungs."""
    if actor.status.ended:
        return ENDED
    world.happen(actor.uid, Stop(rungs, cause))
    return ALREADY if actor.wish in {Wish.STOP, Wish.KILL} else ASKED


def kill(world: World, selector: Any) -> dict[str, str]:
    """SIGKILL, sent when this returns."""
    words = _each(world, selector, lambda actor: _kill_one(world, actor))
    kill_doomed(world)
    return words


def restart(world: World, selector: Any, grace: float | None, spec: Spec | None = None) -> dict[str, str]:
    """Stop and begin anew; an ended actor is spawned anew from its spec, under its name and a new uid."""
    world.check_open()
    seconds = check_grace(grace)
    return _each(world, selector, lambda actor: _restart_one(world, actor, ladder.graceful(seconds, monotonic()), spec))


def _each(world: World, selector: Any, act: Callable[[Actor], str]) -> dict[str, str]:
    return {actor.name: act(actor) for actor in select(world, selector)}


def _kill_one(world: World, actor: Actor) -> str:
    if actor.status.ended:
        return ENDED
    world.happen(actor.uid, Kill())
    return ALREADY if actor.wish is Wish.KILL else ASKED


def _restart_one(world: World, actor: Actor, rungs: tuple[Rung, ...], spec: Spec | None) -> str:
    if actor.status.ended:
        world.admit(actor.spec if spec is None else replace(spec, host=actor.spec.host), actor.name)
        return ENDED
    world.happen(actor.uid, Restart(rungs, spec))
    return ALREADY if actor.wish in {Wish.RESTART, Wish.KILL} else ASKED
