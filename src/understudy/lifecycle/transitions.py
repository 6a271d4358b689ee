"""The table: what an actor becomes, and what is to be done, when something happens to it.

`transition` is pure. Each state has a row; an event without an entry in the row cannot happen there, and raises
:class:`Undecided`, whose text is for the story that the registry tells with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from understudy.lifecycle import settle as ends
from understudy.lifecycle.actor import Actor, Body, Ending, Outcome, Verdict, Wish
from understudy.lifecycle.between import WAITING, Handler, Step, configure, is_steered, pause, resume
from understudy.lifecycle.descent import descend, set_out, signalled, strike
from understudy.lifecycle.effects import (
    Bury,
    ClearAlarm,
    Effect,
    Interrupt,
    Publish,
    Remind,
    SetAlarm,
    Settle,
    Suspend,
)
from understudy.lifecycle.events import (
    Alarm,
    Checkpointed,
    Configure,
    Cued,
    Died,
    Errored,
    Event,
    Expired,
    Finishing,
    Forked,
    ForkFailed,
    Heard,
    Kill,
    Overran,
    Pause,
    Place,
    Ready,
    Rejoin,
    Restart,
    Resulted,
    Resume,
    Rited,
    Silent,
    Stage,
    Stop,
)
from understudy.lifecycle.moment import Moment
from understudy.status import Crash, Health, Status

UNANSWERED_AFTER = 10.0
"""Seconds for which the answer to a fork is waited for beyond ``timeouts.startup``."""


class Undecided(Exception):
    """An event came in a state in which it cannot come."""


def transition(actor: Actor, event: Event, moment: Moment) -> Step:
    """The actor after the event, and what is to be done."""
    handler = TABLE[actor.status].get(type(event))
    if handler is None:
        raise Undecided(f"{type(event).__name__} cannot come while {actor.name} is {actor.status}")
    return handler(actor, event, moment)


# --- birth


def forked(actor: Actor, event: Forked, moment: Moment) -> Step:
    """A process exists; if its end was due meanwhile, it goes at once."""
    alive = replace(actor, body=Body.LIVE, pid=event.pid)
    if actor.wish is Wish.KILL:
        return strike(alive, Ending.ASKED)
    if actor.ending is Ending.STARTUP:
        return strike(alive, Ending.STARTUP)
    return descend(alive, alive.rungs, moment) if alive.rungs else (alive, ())


def fork_failed(actor: Actor, event: ForkFailed, moment: Moment) -> Step:
    """No process: asked again if only the zygote was lost, else an end like any other before READY."""
    if actor.body is Body.LIVE:
        return actor, ()
    if event.lost and actor.wish is Wish.STOP:
        return _unborn(actor)
    if event.lost and actor.ending is Ending.STARTUP:
        return _given_up(actor, moment)
    if event.lost and actor.wish is Wish.NOTHING:
        return ends.launch(replace(actor, status=Status.STARTING) if actor.status is Status.RUNNING else actor)
    told = Crash(kind="unborn", incarnation=actor.incarnation, text=f"could not be forked: {event.reason}")
    return ends.settle(replace(actor, told=told), Died(None, None, Place()), moment)


def become_running(actor: Actor, _: Ready, moment: Moment) -> Step:
    """STARTING -> RUNNING."""
    ready, effects = note_ready(actor, _, moment)
    return replace(ready, status=Status.RUNNING), effects


def note_ready(actor: Actor, _: Ready, moment: Moment) -> Step:
    """The start clock stops; the clock of ``join_in`` runs from the first READY of all."""
    first = moment.now if actor.first_ready_at is None else actor.first_ready_at
    effects: tuple[Effect, ...] = (ClearAlarm(Alarm.START),)
    if (join_in := actor.spec.config.join_in) is not None:
        # Set anew each time: it may have run out while a restart was under way.
        effects = (*effects, SetAlarm(Alarm.JOIN, max(0.0, first + join_in - moment.now)))
    if actor.paused and is_steered(actor):  # it stands still from its first moment, as near as that can be had
        effects = (*effects, Suspend())
    budget = replace(actor.budget, stillbirths=0)
    return replace(actor, ready_at=moment.now, first_ready_at=first, budget=budget), effects


# --- the end, told by the process


def finishing(actor: Actor, event: Finishing, _: Moment) -> Step:
    """The process goes to its end by itself."""
    wish = Wish.STOP if event.stop and actor.wish is Wish.NOTHING else actor.wish
    return replace(actor, status=Status.STOPPING, wish=wish), ()


def resulted(actor: Actor, event: Resulted, _: Moment) -> Step:
    """The first result is kept, each is acknowledged; the process has its exit grace."""
    if actor.result is not None:
        return actor, (Remind(),)
    told = replace(actor, status=Status.STOPPING, result=event.payload)
    return told, (Remind(), *_exit_clock(actor))


def checkpointed(actor: Actor, event: Checkpointed, _: Moment) -> Step:
    """The last one is kept, each is acknowledged."""
    return replace(actor, checkpoint=event.blob, kept=event.number), (Remind(),)


def errored(actor: Actor, event: Errored, moment: Moment) -> Step:
    """The process waits for the verdict; told twice, it gets the same."""
    if actor.told is not None:
        return actor, (Remind(),)
    verdict = ends.verdict(actor, event.crash, moment)
    told = replace(actor, told=event.crash, verdict=verdict)
    if actor.spec.program is not None and event.crash.kind != "boot" and actor.body is Body.LIVE:
        return strike(told, Ending.EXIT)  # it knows nothing of it, and would live on
    if verdict is Verdict.RITES:
        return replace(told, status=Status.STOPPING, rites_for=event.crash), (Remind(),)
    return told, (Remind(), *_exit_clock(actor))


def rited(actor: Actor, event: Rited, _: Moment) -> Step:
    """`__error__` has run."""
    if actor.rites is not None:
        return actor, (Remind(),)
    return replace(actor, rites=event.payload), (Remind(), *_exit_clock(actor))


# --- the end, told by the operating system


def died(actor: Actor, event: Died, moment: Moment) -> Step:
    """See `settle`."""
    return ends.settle(actor, event, moment)


# --- wishes


def stop(actor: Actor, event: Stop, moment: Moment) -> Step:
    """A stop of what may have a process: ordered, then climbed down the ladder."""
    if actor.wish is Wish.KILL:
        return actor, ()
    drain = actor.drain if actor.wish is Wish.STOP else event.drain
    wished = replace(actor, status=Status.STOPPING, wish=Wish.STOP, drain=drain, successor=None)
    return set_out(wished, event.rungs, moment)


def kill(actor: Actor, _: Kill, __: Moment) -> Step:
    """SIGKILL now, or as soon as there is a process to send it to."""
    if actor.wish is Wish.KILL:
        return actor, ()
    wished = replace(actor, wish=Wish.KILL)
    if actor.body is Body.LIVE:
        return strike(wished, Ending.ASKED)
    return replace(wished, status=Status.STOPPING), ()


def restart(actor: Actor, event: Restart, moment: Moment) -> Step:
    """A stop, with another life to follow it."""
    if actor.wish is Wish.KILL:
        return actor, ()
    if actor.wish is Wish.REJOIN:  # which is one, in its order
        return set_out(replace(actor, successor=event.spec or actor.successor), event.rungs, moment)
    wished = replace(actor, status=Status.STOPPING, wish=Wish.RESTART, successor=event.spec or actor.successor)
    return set_out(wished, event.rungs, moment)


def rejoin(actor: Actor, event: Rejoin, moment: Moment) -> Step:
    """An end for its group's sake; another life follows, but of who is ending for good, and of who lives once only."""
    leaves = actor.told is not None and actor.rites_for is None
    if actor.wish is Wish.KILL or leaves:
        return actor, ()
    config = actor.spec.config.restart
    done = actor.wish is Wish.NOTHING and actor.status is Status.STOPPING and config.policy != "always"
    ends_for_good = actor.wish is Wish.STOP or actor.rites_for is not None or done or config.policy == "never"
    wish = Wish.STOP if ends_for_good else Wish.REJOIN
    return set_out(replace(actor, status=Status.STOPPING, wish=wish), event.rungs, moment)


# --- clocks


def expired(actor: Actor, event: Expired, moment: Moment) -> Step:
    """A clock ran out while there is, or should be, a process; a clock that no longer matters changes nothing."""
    match event.alarm:
        case Alarm.START if actor.ready_at is None and actor.body is Body.LIVE and actor.ending is None:
            return strike(actor, Ending.STARTUP)
        case Alarm.START if actor.ready_at is None and actor.body is Body.ASKED:
            return _unanswered(actor, moment)
        case Alarm.RUNG if actor.rungs:
            return descend(actor, actor.rungs, moment)
        case Alarm.EXIT if actor.body is Body.LIVE and actor.ending is None:
            return strike(actor, Ending.EXIT)
        case Alarm.JOIN if actor.wish is Wish.NOTHING:
            return stop(actor, Stop(cause="join_in"), moment)
        case Alarm.UNKILLABLE if actor.body is Body.LIVE and actor.ending is not None:
            # A kill is a wish that stands: it is sent again, and told again, until it does something.
            told = Publish("health", None, "unkillable", f"SIGKILL to {actor.pid} did nothing")
            return actor, (told, *signalled())
        case _:
            return actor, ()


# --- what the watch sees


def overran(actor: Actor, event: Overran, _: Moment) -> Step:
    """A section is past its deadline: interrupted first, then ended; the same timeout either way."""
    if actor.ending is not None or actor.told is not None or actor.body is not Body.LIVE:
        return actor, ()
    if event.stage is Stage.INTERRUPT:
        return actor, (Interrupt(),)
    crash = Crash(
        kind="timeout",
        incarnation=actor.incarnation,
        section=event.place.section,
        lap=event.place.lap,
        seconds=getattr(actor.spec.config.timeouts, event.place.section),
    )
    return strike(replace(actor, overrun=crash), Ending.OVERRUN, stacks=True)


def silent(actor: Actor, event: Silent, _: Moment) -> Step:
    """Missed heartbeats: told at the first, acted on at the last and only if no open section explains them."""
    actor = replace(actor, misses=event.misses)
    effects: tuple[Effect, ...] = ()
    if event.misses == 1:
        effects = (Publish("health", Health.HEALTHY, Health.UNRESPONSIVE, "a heartbeat is missing"),)
    strict = actor.spec.config.heartbeat.kill == "always"
    if event.lost and (event.held or strict) and actor.ending is None and actor.body is Body.LIVE:
        killed, more = strike(actor, Ending.LOST, stacks=True)
        return killed, (*effects, *more)
    return actor, effects


def heard(actor: Actor, _: Heard, __: Moment) -> Step:
    """The heartbeats are back."""
    healed = Publish("health", Health.UNRESPONSIVE, Health.HEALTHY, "heartbeats are back")
    return replace(actor, misses=0), (healed,)


# --- what comes too late


def late(actor: Actor, _: Event, __: Moment) -> Step:
    """True once, no longer of consequence."""
    return actor, ()


# --- pieces


def _exit_clock(actor: Actor) -> tuple[Effect, ...]:
    grace = actor.spec.config.timeouts.exit
    return () if grace is None else (SetAlarm(Alarm.EXIT, grace),)


def _unanswered(actor: Actor, moment: Moment) -> Step:
    """Not born in time. The answer is waited for all the same: what is born unawaited would live unseen."""
    if actor.ending is None:
        return replace(actor, ending=Ending.STARTUP), (SetAlarm(Alarm.START, UNANSWERED_AFTER),)
    return _given_up(actor, moment)


def _given_up(actor: Actor, moment: Moment) -> Step:
    return ends.settle(actor, Died(None, None, Place(phase="being forked")), moment)


def _unborn(actor: Actor) -> Step:
    """A stop before there was a process: nothing ran, so nothing failed; later lives have a crash to tell."""
    first = actor.incarnation == 1
    outcome = Outcome(Status.FINISHED) if first else Outcome(Status.CRASHED, crash=actor.crash)
    ended = replace(actor, status=outcome.status, wish=Wish.STOP, body=Body.NONE, outcome=outcome)
    return ended, (Bury("stopped before it was born", None), Settle(outcome))


_ALIVE: Mapping[type[Any], Handler] = {
    Resulted: resulted,
    Checkpointed: checkpointed,
    Errored: errored,
    Finishing: finishing,
    Died: died,
    Stop: stop,
    Kill: kill,
    Restart: restart,
    Rejoin: rejoin,
    Cued: late,
    Pause: pause,
    Resume: resume,
    Configure: configure,
    Expired: expired,
    Overran: overran,
    Silent: silent,
    Heard: heard,
}

_LATE: Mapping[type[Any], Handler] = dict.fromkeys(
    # A fork is answered before anything can end for good, so Forked and ForkFailed are not among these.
    (Ready, Finishing, Resulted, Checkpointed, Errored, Rited, Died, Overran, Silent, Heard),
    late,
)

_ENDED: Mapping[type[Any], Handler] = {
    **_LATE,
    **dict.fromkeys((Stop, Kill, Restart, Rejoin, Cued, Pause, Resume, Configure, Expired), late),
}

_BEFORE_READY = {key: _ALIVE[key] for key in _ALIVE if key not in {Resulted, Checkpointed, Finishing}}

TABLE: Mapping[Status, Mapping[type[Any], Handler]] = {
    Status.CREATED: {},
    Status.STARTING: {**_BEFORE_READY, Forked: forked, ForkFailed: fork_failed, Ready: become_running},
    # Its READY may be read before the word of its birth: they come by different ways.
    Status.RUNNING: {**_ALIVE, Forked: forked, ForkFailed: fork_failed, Ready: late},
    Status.STOPPING: {**_ALIVE, Forked: forked, ForkFailed: fork_failed, Ready: note_ready, Rited: rited},
    Status.RESTARTING: {**_LATE, **WAITING},
    Status.FINISHED: _ENDED,
    Status.CRASHED: _ENDED,
    Status.KILLED: _ENDED,
}
"""State -> event -> what follows."""
