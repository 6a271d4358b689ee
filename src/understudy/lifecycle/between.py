"""Between two lives: what becomes of an actor in RESTARTING, which has no process and waits for its next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from understudy.lifecycle import budget as budgets
from understudy.lifecycle import settle as ends
from understudy.lifecycle.actor import Actor, Body, Hold, Outcome, Wish
from understudy.lifecycle.effects import ClearAlarm, Continue, Effect, Publish, Remind, SetAlarm, Settle, Suspend
from understudy.lifecycle.events import (
    Alarm,
    Configure,
    Cued,
    Event,
    Expired,
    Kill,
    Pause,
    Rejoin,
    Released,
    Restart,
    Resume,
    Stop,
)
from understudy.lifecycle.moment import Moment
from understudy.status import Status

Step = tuple[Actor, tuple[Effect, ...]]
Handler = Callable[[Actor, Any, Moment], Step]

PAUSED, RUNS = "paused", "running"
"""The two words of an event that tells of a pause."""
WHY = {
    Hold.QUEUED: "as many restarts as a second may have were begun: it queues",
    Hold.QUARANTINE: "it is in quarantine, and others are tried before it",
}


def start_again(actor: Actor, _: Event, __: Moment) -> Step:
    """RESTARTING -> STARTING with the next incarnation."""
    return ends.launch(
        replace(actor, status=Status.STARTING, incarnation=actor.incarnation + 1, wish=Wish.NOTHING, outcome=None)
    )


def stop_waiting(actor: Actor, _: Stop | Expired, __: Moment) -> Step:
    """A stop: there is nothing to stop, the last word stands."""
    last = actor.outcome or Outcome(Status.CRASHED, crash=actor.crash)
    ended = replace(actor, status=last.status, wish=Wish.STOP, outcome=last, next_restart=None, held=None)
    return ended, (ClearAlarm(Alarm.BACKOFF), Settle(last))


def kill_waiting(actor: Actor, _: Kill, __: Moment) -> Step:
    """A kill."""
    outcome = Outcome(Status.KILLED, crash=actor.crash)
    ended = replace(actor, status=Status.KILLED, wish=Wish.KILL, outcome=outcome, next_restart=None, held=None)
    return ended, (ClearAlarm(Alarm.BACKOFF), Settle(outcome))


def restart_now(actor: Actor, event: Restart, moment: Moment) -> Step:
    """A restart by request skips what is left of the pause, and whoever waits for a turn; lives full."""
    recast, cleared = ends.recast(actor, event.spec)
    if actor.held is Hold.GROUP:  # in its order, but without a pause
        return replace(recast, budget=budgets.Budget(), next_restart=moment.now), cleared
    again, effects = start_again(replace(recast, budget=budgets.Budget()), event, moment)
    return again, (ClearAlarm(Alarm.BACKOFF), *cleared, *effects)


def hold_for_group(actor: Actor, _: Rejoin, __: Moment) -> Step:
    """Its pause goes on, but it begins when its group calls for it."""
    if actor.held is Hold.GROUP:
        return actor, ()
    return replace(actor, held=Hold.GROUP), (ClearAlarm(Alarm.BACKOFF),)


def cued(actor: Actor, _: Cued, moment: Moment) -> Step:
    """What is left of its pause is waited for, and its turn, as of anybody's."""
    if actor.held is not Hold.GROUP:
        return actor, ()
    left = 0.0 if actor.next_restart is None else max(0.0, actor.next_restart - moment.now)
    return replace(actor, held=None), (SetAlarm(Alarm.BACKOFF, left),)


def expired_waiting(actor: Actor, event: Expired, moment: Moment) -> Step:
    """A clock ran out."""
    match event.alarm:
        case Alarm.BACKOFF if actor.held is None and moment.hold is None:
            return start_again(actor, event, moment)
        case Alarm.BACKOFF if actor.held is None and moment.hold is not None:
            return replace(actor, held=moment.hold), (Publish("held", None, moment.hold, WHY[moment.hold]),)
        case Alarm.JOIN:
            return stop_waiting(actor, event, moment)
        case _:
            return actor, ()


def pause(actor: Actor, _: Pause, __: Moment) -> Step:
    """It stands still where it next looks, in whichever life; a life that begins looks before its first lap."""
    if actor.paused:
        return actor, ()
    halt = Suspend() if is_steered(actor) and actor.ready_at is not None else Remind()
    return replace(actor, paused=True), (halt, Publish("pause", RUNS, PAUSED, "by request"))


def resume(actor: Actor, _: Resume, __: Moment) -> Step:
    """It goes on; one resume ends any number of pauses."""
    if not actor.paused:
        return actor, ()
    word = Continue() if is_steered(actor) and actor.ready_at is not None else Remind()
    return replace(actor, paused=False), (word, Publish("pause", PAUSED, RUNS, "by request"))


def is_steered(actor: Actor) -> bool:
    """Whether it is made to stand still from outside: a program that runs, and is not on its way to an end."""
    return actor.spec.program is not None and actor.body is Body.LIVE and actor.wish is Wish.NOTHING


def configure(actor: Actor, event: Configure, moment: Moment) -> Step:
    """Its settings change, in this life and in those that follow: here at once, in its process with the order."""
    changes = {**actor.spec.changes, **event.options}
    spec = replace(actor.spec, config=actor.spec.config.override(event.options), changes=changes)
    effects: tuple[Effect, ...] = (Remind(),)
    if "join_in" in event.options and actor.first_ready_at is not None:
        end = spec.config.join_in
        left = None if end is None else max(0.0, actor.first_ready_at + end - moment.now)
        effects = (*effects, ClearAlarm(Alarm.JOIN) if left is None else SetAlarm(Alarm.JOIN, left))
    return replace(actor, spec=spec), effects


WAITING: Mapping[type[Any], Handler] = {
    Stop: stop_waiting,
    Kill: kill_waiting,
    Restart: restart_now,
    Rejoin: hold_for_group,
    Cued: cued,
    Pause: pause,
    Resume: resume,
    Configure: configure,
    Expired: expired_waiting,
    Released: start_again,
}
"""Event -> what follows; what the last process said comes too late."""
