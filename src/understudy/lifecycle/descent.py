"""How an actor's process is brought to its end: down the rungs of a ladder, the last of which is SIGKILL."""

from __future__ import annotations

from dataclasses import replace

from understudy.lifecycle.actor import Actor, Body, Ending
from understudy.lifecycle.effects import (
    ClearAlarm,
    Continue,
    Effect,
    KillFamily,
    Remind,
    SetAlarm,
    Terminate,
    TerminateGroup,
)
from understudy.lifecycle.events import Alarm
from understudy.lifecycle.ladder import Action, Rung, by_ladder, of_program, tighter
from understudy.lifecycle.moment import Moment
from understudy.status import Status

UNKILLABLE_AFTER = 5.0
"""Seconds after SIGKILL from which a process that still lives is told as unkillable."""
Step = tuple[Actor, tuple[Effect, ...]]


def strike(actor: Actor, why: Ending, *, stacks: bool = False) -> Step:
    """SIGKILL, for that reason."""
    # What was asked for outranks what we did of our own accord.
    ending = why if actor.ending is None or why is Ending.ASKED else actor.ending
    ended = replace(actor, status=Status.STOPPING if why is Ending.ASKED else actor.status, ending=ending)
    return ended, signalled(stacks=stacks)


def signalled(*, stacks: bool = False) -> tuple[Effect, Effect]:
    """The signal, and the clock that tells when it did nothing."""
    return KillFamily(stacks=stacks), SetAlarm(Alarm.UNKILLABLE, UNKILLABLE_AFTER)


def set_out(actor: Actor, rungs: tuple[Rung, ...], moment: Moment) -> Step:
    """An end is asked for, by these rungs; without any the sections' own timeouts bound it, a program its ladder.

    A program that stands still is woken: else it would not take the signal.
    """
    if actor.spec.program is None:
        return descend(actor, rungs, moment)
    rungs = rungs or by_ladder(actor.spec.config.stop, moment.now)
    down, effects = descend(actor, of_program(rungs, moment.now), moment)
    return down, (*effects, Continue()) if actor.paused and actor.body is Body.LIVE else effects


def descend(actor: Actor, rungs: tuple[Rung, ...], moment: Moment) -> Step:
    """Down the ladder that ends sooner, this one or the one that it is on, as far as it is due."""
    rungs = tighter(actor.rungs, rungs)
    if actor.body is not Body.LIVE:
        # There is nobody to send a signal to: `forked` climbs down what is due by then.
        return replace(actor, rungs=rungs), (Remind(),)
    # Clocks before signals: should one of these fail, what comes next comes all the same.
    terms: tuple[Effect, ...] = ()
    while rungs and rungs[0].at <= moment.now:
        action, rungs = rungs[0].action, rungs[1:]
        if action is Action.KILL:
            killed, (last, clock) = strike(replace(actor, rungs=()), Ending.LADDER)
            return killed, (Remind(), clock, *terms, last)
        terms = (*terms, Terminate() if action is Action.TERMINATE else TerminateGroup())
    clock = SetAlarm(Alarm.RUNG, rungs[0].at - moment.now) if rungs else ClearAlarm(Alarm.RUNG)
    return replace(actor, rungs=rungs), (Remind(), clock, *terms)
