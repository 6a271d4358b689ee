"""Stop, kill and restart by name, glob, ref, or one iterable of these: what each actor's answer is.

An order is checked where it is given: to read the selector may run the user's code, which is no business of the
router's thread. There it is carried out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, NamedTuple

from understudy.config import live_options, stands
from understudy.errors import ConfigError, UnknownActor
from understudy.globs import is_glob
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Actor, Wish
from understudy.lifecycle.events import Configure, Kill, Pause, Restart, Resume, Stop
from understudy.lifecycle.ladder import Rung
from understudy.lifecycle.spec import Spec
from understudy.ref import ActorRef
from understudy.router.perform import kill_doomed
from understudy.router.world import World

ASKED, ALREADY, ENDED = "asked", "already", "ended"


class Spawned(NamedTuple):
    """One spawn, as a ref names it."""

    system: str
    uid: int
    shown: str


Meant = tuple[str | Spawned, ...]


def meant(selector: Any) -> Meant:
    """Names, globs and spawns, out of what a user gave; raises ConfigError."""
    if isinstance(selector, str):
        return (str.__str__(selector),)
    if isinstance(selector, ActorRef):
        return (Spawned(selector.system_id, selector.uid, repr(selector)),)
    if isinstance(selector, Iterable) and not isinstance(selector, bytes | bytearray | memoryview):
        return tuple(one for part in selector for one in meant(part))
    raise ConfigError(f"{selector!r} names no actor: give a name, a glob, a ref, or one iterable of these")


def select(world: World, wanted: Meant) -> list[Actor]:
    """The actors that are meant; raises UnknownActor for an unknown name, an empty list for a glob without a match."""
    globs = [one for one in wanted if isinstance(one, str) and is_glob(one)]
    found: dict[int, Actor] = {}
    for one in wanted:
        if not (isinstance(one, str) and is_glob(one)):
            found |= {actor.uid: actor for actor in _found(world, one)}
        elif globs:  # all are held against the names at once, in the place of the first
            found |= {actor.uid: actor for actor in world.registry.match(*globs)}
            globs = []
    return list(found.values())


def uids_of(world: World, who: Any) -> list[int]:
    """Of one actor or group, by name or ref; raises UnknownActor, also for a glob, ConfigError."""
    if isinstance(who, str):
        return [actor.uid for actor in world.registry.named(str.__str__(who))]
    found = [actor.uid for actor in select(world, meant([who]))]
    if not found:
        raise UnknownActor(f"{who!r} names no actor of this system")
    return found


def check_grace(grace: object) -> float | None:
    """The grace in seconds; raises ConfigError."""
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, int | float) or not 0 <= grace < float("inf"):
        raise ConfigError(f"grace must be seconds from 0 on, or None; got {grace!r}")
    return float(grace)


def check_drain(drain: object) -> bool:
    """Whether to handle first what has arrived; raises ConfigError."""
    if not isinstance(drain, bool):
        raise ConfigError(f"drain must be True or False; got {drain!r}")
    return drain


class Order(ABC):
    """One verb and whom it is for; made in the thread that gives it, the rest is for the router's."""

    stands = frozenset({Wish.KILL})
    """The wishes beside which this one is nothing new."""

    def __init__(self, selector: Any) -> None:
        self._wanted = meant(selector)

    def do(self, world: World) -> dict[str, str]:
        """Carry it out."""
        return {actor.name: self._one(world, actor) for actor in select(world, self._wanted)}

    def foresee(self, world: World) -> dict[str, str]:
        """What `do` would answer now."""
        return {actor.name: self._word(actor) for actor in select(world, self._wanted)}

    @abstractmethod
    def _one(self, world: World, actor: Actor) -> str:
        """Carry it out for one; its word."""

    def _word(self, actor: Actor) -> str:
        if actor.status.ended:
            return ENDED
        return ALREADY if actor.wish in self.stands else ASKED


class Stopping(Order):
    """Ask; the router escalates."""

    stands = frozenset({Wish.STOP, Wish.KILL})

    def __init__(self, selector: Any, grace: object = None, *, drain: object = False) -> None:
        super().__init__(selector)
        self._grace, self._drain = check_grace(grace), check_drain(drain)

    def _one(self, world: World, actor: Actor) -> str:
        stop_one(world, actor, ladder.graceful(self._grace, monotonic()), drain=self._drain)
        return self._word(actor)


class Killing(Order):
    """SIGKILL, sent when `do` returns."""

    def do(self, world: World) -> dict[str, str]:
        """Carry it out."""
        words = super().do(world)
        kill_doomed(world)
        return words

    def _one(self, world: World, actor: Actor) -> str:
        if not actor.status.ended:
            world.happen(actor.uid, Kill())
        return self._word(actor)


class Restarting(Order):
    """Stop and begin anew; an ended actor is spawned anew from its spec, under its name and a new uid."""

    stands = frozenset({Wish.RESTART, Wish.KILL})

    def __init__(self, selector: Any, grace: object = None, spec: Spec | None = None) -> None:
        super().__init__(selector)
        self._grace, self._spec = check_grace(grace), spec

    def do(self, world: World) -> dict[str, str]:
        """Carry it out."""
        world.check_open()
        if self._spec is not None:
            _check_kind(self._spec, select(world, self._wanted))
        return super().do(world)

    def _one(self, world: World, actor: Actor) -> str:
        if actor.status.ended and not actor.spec.blob:
            raise UnknownActor(f"{actor.name} ended long ago, and its original state is no longer kept: spawn it anew")
        if actor.status.ended:
            spec = actor.spec if self._spec is None else replace(self._spec, host=actor.spec.host)
            anew = world.admit(spec, actor.name, *world.registry.kept_place(actor))
            world.registry.replicas.succeed(actor.uid, actor.name, anew.uid)
        elif world.registry.goes_for_good(actor):
            return ALREADY
        else:
            world.happen(actor.uid, Restart(ladder.graceful(self._grace, monotonic()), self._spec))
        return self._word(actor)


class Pausing(Order):
    """Let them stand still at their next check."""

    def _one(self, world: World, actor: Actor) -> str:
        word = self._word(actor)
        world.happen(actor.uid, Pause())
        return word

    def _word(self, actor: Actor) -> str:
        if actor.status.ended:
            return ENDED
        return ALREADY if actor.paused else ASKED


class Resuming(Order):
    """Let them go on."""

    def _one(self, world: World, actor: Actor) -> str:
        word = self._word(actor)
        world.happen(actor.uid, Resume())
        return word

    def _word(self, actor: Actor) -> str:
        if actor.status.ended:
            return ENDED
        return ASKED if actor.paused else ALREADY


class Configuring(Order):
    """Set options while they run."""

    def __init__(self, selector: Any, options: Mapping[str, Any]) -> None:
        super().__init__(selector)
        self._options = live_options(options)

    def do(self, world: World) -> dict[str, str]:
        """Carry it out; for nobody where a program is among them."""
        for actor in select(world, self._wanted):
            if actor.spec.program is not None and not actor.status.ended:
                raise ConfigError(f"{actor.name} is a program: it hears no orders, so nothing of it can be configured")
        return super().do(world)

    def _one(self, world: World, actor: Actor) -> str:
        word = self._word(actor)
        if word == ASKED:
            world.happen(actor.uid, Configure(self._options))
        return word

    def _word(self, actor: Actor) -> str:
        if actor.status.ended:
            return ENDED
        return ALREADY if stands(actor.spec.config, self._options) else ASKED


def stop_one(world: World, actor: Actor, rungs: tuple[Rung, ...], cause: str = "stop", *, drain: bool = False) -> None:
    """One stop, by its rungs; of what has ended nothing."""
    if not actor.status.ended:
        world.happen(actor.uid, Stop(rungs, cause, drain))


def _check_kind(spec: Spec, actors: Iterable[Actor]) -> None:
    """What takes the place of a program has to be one; and the other way round."""
    for actor in actors:
        if (spec.program is None) != (actor.spec.program is None):
            kinds = ("a program", "a Process") if actor.spec.program else ("a Process", "a program")
            raise ConfigError(f"{actor.name} is {kinds[0]}; {kinds[1]} cannot take its place: spawn that anew")


def _found(world: World, one: str | Spawned) -> list[Actor]:
    if isinstance(one, str):
        return world.registry.named(one)
    actor = world.registry.actors.get(one.uid)
    if one.system != world.system or actor is None:
        raise UnknownActor(f"{one.shown} is no actor of this system")
    return [actor]
