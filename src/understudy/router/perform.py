"""Effects to deeds. Nothing else in the router forks, signals, settles or publishes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from time import monotonic
from typing import Any

from understudy import failpoints
from understudy.errors import ActorKilled, NoCapacity
from understudy.lifecycle import budget
from understudy.lifecycle.actor import Actor, Wish
from understudy.lifecycle.effects import (
    Bury,
    ClearAlarm,
    Continue,
    Cue,
    Effect,
    Fork,
    GiveUp,
    Interrupt,
    KillFamily,
    PassOn,
    Publish,
    Remind,
    SetAlarm,
    Settle,
    Suspend,
    TakeOver,
    Terminate,
    TerminateGroup,
)
from understudy.lifecycle.events import Alarm, Cued, Expired, ForkFailed, Kill, Rejoin, Stop
from understudy.lifecycle.ladder import by_ladder
from understudy.lifecycle.standing import held_back, ordered, stands_still, state_of
from understudy.outcome import build_error
from understudy.router import letters, spawning, watching
from understudy.router.folders import directory_of
from understudy.router.world import Failure, World
from understudy.spawners import family, signals
from understudy.spawners.base import Birth
from understudy.status import Status
from understudy.wire.page import Page
from understudy.wire.sockets import mailbox_of


def perform(world: World, actor: Actor, effects: tuple[Effect, ...]) -> None:
    """Do what was decided, in its order."""
    for effect in effects:
        DEEDS[type(effect)](world, actor, effect)


def kill_doomed(world: World) -> None:
    """SIGKILL the families of all that were doomed in this round: the process table is read once for all."""
    if not world.doomed:
        return
    roots: dict[int, int | None] = {}
    for uid in world.doomed:
        actor = world.registry.actors.get(uid)
        spawner = None if actor is None else world.spawner(actor)
        if spawner is not None and (pid := spawner.pid(uid)) is not None:
            roots[pid] = spawner.pidfd(uid)
    world.doomed.clear()
    if roots and not failpoints.hit("signal.kill"):
        family.kill(roots)


def _fork(world: World, actor: Actor, _: Fork) -> None:
    record, places = world.records[actor.uid], world.hub.places
    if actor.rites_for is None and not places.has(mailbox_of(actor.uid, actor.incarnation)):
        # Reserved before: who looked for it since in vain looks again only when that life has ended.
        _not_born(world, actor, "no port was to be had for its mailbox")
        return
    try:
        page, page_fd = Page.create(f"understudy-page:{world.system}:{actor.uid}:{actor.incarnation}")
    except OSError as error:
        _not_born(world, actor, str(error))
        return
    page.stop, page.paused = ordered(actor), actor.paused
    record.begin(actor.incarnation, page, rites=actor.rites_for is not None)
    birth = Birth(
        system=world.system,
        system_name=world.name,
        uid=actor.uid,
        incarnation=actor.incarnation,
        name=actor.name,
        directory=world.directory,
        key=world.key,
        host=actor.spec.host,
        program=actor.spec.program is not None,
        lives_left=_lives_left(world, actor),
        rites=None if actor.rites_for is None else actor.rites_for.to_dict(),
        modules=actor.spec.modules,
        place=actor.spec.place,
        levels=actor.spec.levels,
        terminal=actor.spec.terminal,
        output=directory_of(world, actor),
        settings=dict(actor.spec.changes),
        blob=state_of(actor),
    )
    try:
        world.spawner(actor).fork(birth, page_fd)
    except OSError as error:
        _not_born(world, actor, str(error))
    finally:
        os.close(page_fd)


def _not_born(world: World, actor: Actor, reason: str) -> None:
    """Tell it in the next round: this one's effects are not done yet."""

    def tell() -> None:
        if world.registry.is_current(actor.uid, actor.incarnation):
            world.happen(actor.uid, ForkFailed(reason))

    world.timers.set((actor.uid, "unborn"), 0.0, tell)


def _remind(world: World, actor: Actor, _: Remind) -> None:
    if actor.spec.program is not None:
        return  # it hears no orders
    page = world.records[actor.uid].page
    if page is not None:
        page.stop, page.paused = ordered(actor), actor.paused
    world.orders.remind(actor)


def _terminate(world: World, actor: Actor, _: Terminate) -> None:
    world.spawner(actor).signal(actor.uid, signal.SIGTERM)
    if actor.spec.program is not None and actor.pid is not None and family.is_stopped(actor.pid):
        # Not by a pause of ours, but by itself or from outside: it would not take the signal.
        world.spawner(actor).signal_group(actor.uid, signal.SIGCONT)


def _to_group(number: int) -> Callable[[World, Actor, Any], None]:
    return lambda world, actor, _: world.spawner(actor).signal_group(actor.uid, number)


def _interrupt(world: World, actor: Actor, _: Interrupt) -> None:
    if os.environ.get("UNDERSTUDY_INTERRUPT") != "async":
        world.spawner(actor).signal(actor.uid, signals.INTERRUPT)


def _kill_family(world: World, actor: Actor, effect: KillFamily) -> None:
    if not effect.stacks:
        world.doomed[actor.uid] = None
        return
    record, incarnation = world.records[actor.uid], actor.incarnation

    def kill(stacks: str) -> None:
        current = world.registry.actors.get(actor.uid)
        if current is not None and current.incarnation == incarnation:
            record.stacks = stacks
            world.doomed[actor.uid] = None

    world.dumps.last(world, actor, kill)


def _set_alarm(world: World, actor: Actor, effect: SetAlarm) -> None:
    uid, alarm = actor.uid, effect.alarm
    world.timers.set((uid, alarm), monotonic() + effect.after, lambda: world.happen(uid, Expired(alarm)))


def _clear_alarm(world: World, actor: Actor, effect: ClearAlarm) -> None:
    world.timers.clear((actor.uid, effect.alarm))


def _bury(world: World, actor: Actor, effect: Bury) -> None:
    record = world.records[actor.uid]
    incarnation = actor.incarnation if record.current is None else record.current.incarnation
    world.handled += 0 if record.page is None else record.page.handled
    dropped = 0 if record.page is None else record.page.dropped
    lost = 0 if record.page is None else record.page.in_hand
    report = record.bury(actor, incarnation, effect.cause, effect.crash, world.registry.story(actor.uid))
    world.dropped += dropped  # when the page is gone, for whoever counts meanwhile must not count it twice
    world.spawner(actor).forget(actor.uid)
    world.orders.forget(actor.uid)
    world.post.ended(actor.uid)
    world.cradle.ended(actor.uid)
    world.hub.places.release(mailbox_of(actor.uid, incarnation))
    for alarm in (Alarm.RUNG, Alarm.EXIT, Alarm.UNKILLABLE):  # the watch ends by itself
        world.timers.clear((actor.uid, alarm))
    if report is not None:
        data = {"headline": effect.cause, "exit_code": report.exit_code, "signal": report.signal}
        if actor.status is Status.RESTARTING:
            # Nobody will ever be raised this error: without this line it would pass unseen.
            trace = "" if effect.crash is None else effect.crash.traceback
            world.tell(actor, incarnation, f"{effect.cause}; {_what_follows(actor)}", trace=trace)
        world.publisher.publish("report", actor.name, actor.uid, incarnation, None, None, effect.cause, data)
    letters.lose(world, actor, lost)


def _what_follows(actor: Actor) -> str:
    if not budget.is_quarantined(actor.budget):
        return "its understudy takes over"
    times = actor.budget.stillbirths
    return f"it died before READY {times} times running and is in quarantine, where it is tried now and then"


def _settle(world: World, actor: Actor, effect: Settle) -> None:
    for alarm in Alarm:
        world.timers.clear((actor.uid, alarm))
    crash = effect.outcome.crash
    if effect.outcome.status is Status.CRASHED and crash is not None:
        # Whether or not anybody asks for the outcome: a service that is gone must not be gone in silence.
        text = f"{crash.headline(actor.name)}; no understudy takes over"
        world.tell(actor, crash.incarnation, text, level=logging.ERROR, trace=crash.traceback)
    cell = world.cells[actor.uid]
    cell.outcome = effect.outcome
    if not cell.started.done():
        _start_failed(world, actor, effect)
    cell.settled.set_result(effect.outcome.status)
    watching.ended(world, actor)
    spawning.names_are_free(world)


def _start_failed(world: World, actor: Actor, effect: Settle) -> None:
    cell, outcome = world.cells[actor.uid], effect.outcome
    if outcome.status is Status.FINISHED:
        cell.started.set_result(None)
    elif outcome.status is Status.KILLED or outcome.crash is None:
        cell.started.set_exception(ActorKilled(f"{actor.name} was killed before it was READY", name=actor.name))
    else:
        # Built without its original: the router opens no pickle.
        plain = build_error(outcome.crash, actor.name, world.records[actor.uid].report, _CLOSED)
        plain.__cause__ = None
        cell.started.set_exception(plain)


def _take_over(world: World, actor: Actor, effect: TakeOver) -> None:
    data = {
        "pause": effect.pause,
        "lives_left": _lives_left(world, actor),
        "incarnation": effect.ended + 1,
        "asked": effect.asked,
    }
    world.publisher.publish("restart", actor.name, actor.uid, effect.ended, None, None, effect.cause, data)


def _publish(world: World, actor: Actor, effect: Publish) -> None:
    data: dict[str, Any] = {}
    if effect.kind == "state":
        data = {
            "pid": actor.pid,
            "lives_left": _lives_left(world, actor),
            "alive": not actor.status.ended,
            "paused": stands_still(actor),
            "parent": None if (parent := world.registry.parent(actor)) is None else parent.name,
            "depth": actor.depth,
            "group": world.registry.company.name_of(actor),
            **_next_life(world, actor),
        }
        if actor.status is Status.RUNNING and not world.cells[actor.uid].started.done():
            world.cells[actor.uid].started.set_result(None)
    if effect.kind == "pause":
        data = {"paused": stands_still(actor)}
    if effect.kind == "held":
        data = _next_life(world, actor)
    world.publisher.publish(
        effect.kind,
        actor.name,
        actor.uid,
        actor.incarnation,
        None if effect.before is None else str(effect.before),
        None if effect.after is None else str(effect.after),
        effect.cause,
        data,
    )


def _pass_on(world: World, _: Actor, effect: PassOn) -> None:
    other = world.registry.actors[effect.uid]
    rungs = by_ladder(other.spec.config.stop, monotonic()) if effect.rungs is None else effect.rungs
    match effect.wish:
        case Wish.KILL:
            world.happen(other.uid, Kill(effect.cause))
        case Wish.REJOIN:
            world.happen(other.uid, Rejoin(rungs, effect.cause))
        case _:
            world.happen(other.uid, Stop(rungs, effect.cause, effect.drain))


def _cue(world: World, _: Actor, effect: Cue) -> None:
    world.happen(effect.uid, Cued())


def _give_up(world: World, actor: Actor, effect: GiveUp) -> None:
    world.tell(actor, actor.incarnation, effect.cause, level=logging.ERROR)
    world.failures[effect.group] = Failure(effect.name, effect.cause, actor.uid)
    try:
        world.shut(False)  # noqa: FBT003 - not by force
    except NoCapacity as error:
        world.tell(actor, actor.incarnation, f"the system cannot end for it: {error}", level=logging.ERROR)


def _next_life(world: World, actor: Actor) -> dict[str, Any]:
    held = held_back(actor)
    return {
        "next_restart": world.registry.next_restart(actor, monotonic()),
        "restart_held": None if held is None else held.value,
    }


def _lives_left(world: World, actor: Actor) -> int:
    return world.registry.lives_left(actor, monotonic())


_CLOSED = Exception()

DEEDS: dict[type[Any], Callable[[World, Actor, Any], None]] = {
    Fork: _fork,
    Remind: _remind,
    Terminate: _terminate,
    TerminateGroup: _to_group(signal.SIGTERM),
    Suspend: _to_group(signal.SIGSTOP),
    Continue: _to_group(signal.SIGCONT),
    Interrupt: _interrupt,
    KillFamily: _kill_family,
    SetAlarm: _set_alarm,
    ClearAlarm: _clear_alarm,
    Bury: _bury,
    Settle: _settle,
    TakeOver: _take_over,
    Publish: _publish,
    PassOn: _pass_on,
    Cue: _cue,
    GiveUp: _give_up,
}
