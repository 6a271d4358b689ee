"""What the end of a process means: the clauses are read from the top, the first that holds decides."""

from __future__ import annotations

from dataclasses import replace

from understudy.lifecycle import budget as budgets
from understudy.lifecycle.actor import Actor, Body, Ending, Hold, Outcome, Verdict, Wish
from understudy.lifecycle.effects import Bury, ClearAlarm, Effect, Fork, SetAlarm, Settle, TakeOver
from understudy.lifecycle.events import Alarm, Died
from understudy.lifecycle.moment import Moment, Sequel
from understudy.lifecycle.programs import result_of
from understudy.lifecycle.spec import Spec
from understudy.status import WAS_KILLED, Crash, Status

_FOLLOWED = frozenset({Sequel.ALONE, Sequel.TOGETHER})
STARVED = ", probably for lack of memory (the kernel counted an OOM kill)"
Step = tuple[Actor, tuple[Effect, ...]]


def settle(actor: Actor, death: Died, moment: Moment) -> Step:
    """The actor after the death of its process, or after the failure to get one."""
    crash = diagnose(actor, death)
    actor, clean_exit = _last_word(actor, death)
    actor = replace(actor, body=Body.NONE, pid=None, rungs=(), misses=0)

    if actor.wish is Wish.KILL:
        return _end(actor, Outcome(Status.KILLED, crash=crash), "killed by request", crash)
    if actor.wish is Wish.RESTART:
        return _anew(actor, crash if actor.result is None else None)
    if actor.wish is Wish.REJOIN:
        return _held_for_group(actor, death, crash, moment)
    if actor.rites_for is not None:
        # A process of their own that held them has failed in nothing; one that told its error first has.
        held = actor.rites is not None and actor.told is None
        cause, failed = ("last rites held", None) if held else (crash.headline(actor.name), crash)
        return _end(actor, _after_rites(actor), cause, failed)
    if actor.result is not None and clean_exit:
        return _finished(actor, moment)
    if actor.result is not None:
        outcome = Outcome(Status.CRASHED, result=actor.result, crash=crash)
        return _end(actor, outcome, crash.headline(actor.name), crash)
    if actor.wish is Wish.STOP and actor.ending is Ending.LADDER:
        return _end(actor, Outcome(Status.KILLED, crash=crash), "killed at the end of the stop's grace", crash)
    if actor.wish is Wish.STOP:
        return _end(actor, Outcome(Status.CRASHED, crash=crash), crash.headline(actor.name), crash)
    if moment.sequel not in _FOLLOWED and _is_final(crash):
        return _end(actor, Outcome(Status.CRASHED, crash=crash), crash.headline(actor.name), crash)
    return _crashed(actor, crash, moment)


def _last_word(actor: Actor, death: Died) -> tuple[Actor, bool]:
    """With its result, if that comes with its end; and whether this end is the one that belongs to a result."""
    if (code := result_of(actor, death)) is not None:
        return replace(actor, result=code), True
    # Where nobody can say how it ended, an acknowledged result speaks for it.
    untold = death.exit_code is None and death.signal is None
    return actor, death.exit_code == 0 or untold or actor.ending in {Ending.EXIT, Ending.LADDER}


def verdict(actor: Actor, crash: Crash, moment: Moment) -> Verdict:
    """The answer to a process that tells ``crash`` and still lives."""
    handled = "error" in actor.spec.hooks
    if actor.wish in {Wish.KILL, Wish.RESTART, Wish.REJOIN} or actor.rites_for is not None:
        return Verdict.END
    if actor.wish is Wish.NOTHING and moment.sequel in _FOLLOWED:
        return Verdict.AGAIN
    if _is_final(crash):
        return Verdict.END
    if actor.wish is Wish.STOP:
        return Verdict.RITES if handled else Verdict.END
    if moment.sequel is None and budgets.lives_left(actor.spec.config, actor.budget, moment.now) > 0:
        return Verdict.AGAIN
    return Verdict.RITES if handled else Verdict.END


def diagnose(actor: Actor, death: Died) -> Crash:
    """Why the process ended: what it told, else what we ended it for, else what the operating system says."""
    place = death.place
    if actor.told is not None:
        return replace(actor.told, exit_code=death.exit_code, signal=death.signal)
    if actor.overrun is not None and actor.ending is Ending.OVERRUN:
        return replace(actor.overrun, exit_code=death.exit_code, signal=death.signal)
    crash = Crash(
        kind="unknown",
        incarnation=actor.incarnation,
        section=place.section,
        lap=place.lap,
        phase=place.phase if actor.ready_at is None else "",
        exit_code=death.exit_code,
        signal=death.signal,
    )
    if actor.ending is Ending.STARTUP:
        return replace(crash, kind="startup", seconds=actor.spec.config.timeouts.startup)
    if actor.ending is Ending.LOST:
        misses = actor.spec.config.heartbeat.misses
        return replace(crash, kind="lost", text=f"was silent for {misses} heartbeats and was ended")
    if actor.ending in {Ending.ASKED, Ending.LADDER}:
        return replace(crash, kind="signal", text=WAS_KILLED)
    if death.signal is not None:
        why = STARVED if death.starved and death.signal == "SIGKILL" else ""
        return replace(crash, kind="signal", text=f"was ended by {death.signal}{why}")
    if death.exit_code == 0 and actor.spec.program is None:
        return replace(crash, kind="exit", text="exited without a result")
    if death.exit_code is not None:
        return replace(crash, kind="exit", text=f"exited with code {death.exit_code}")
    return replace(crash, text="died; how is unknown, for nobody was left to tell")


def launch(actor: Actor) -> Step:
    """Ask for a process for the actor's incarnation."""
    startup = actor.spec.config.timeouts.startup
    clock = ClearAlarm(Alarm.START) if startup is None else SetAlarm(Alarm.START, startup)
    fresh = replace(
        actor,
        body=Body.ASKED,
        pid=None,
        ending=None,
        ready_at=None,
        misses=0,
        result=None,
        told=None,
        overrun=None,
        verdict=None,
        next_restart=None,
        held=None,
        kept=0,
    )
    return fresh, (Fork(), clock)


def recast(actor: Actor, spec: Spec | None) -> Step:
    """Another target takes over, if there is one: its clock of ``join_in`` begins with its own first READY.

    The host stays: what the last process left is for who started that.
    """
    if spec is None:
        return actor, ()
    spec = replace(spec, host=actor.spec.host)
    return replace(actor, spec=spec, successor=None, first_ready_at=None, checkpoint=None), (ClearAlarm(Alarm.JOIN),)


def _end(actor: Actor, outcome: Outcome, cause: str, crash: Crash | None) -> Step:
    ended = replace(actor, status=outcome.status, crash=crash or actor.crash, outcome=outcome, next_restart=None)
    return ended, (Bury(cause, crash), Settle(outcome))


def _after_rites(actor: Actor) -> Outcome:
    return Outcome(Status.CRASHED, crash=actor.rites_for, rites=actor.rites)


def _is_final(crash: Crash) -> bool:
    """Whether no life follows, however many are left, and no rites are held."""
    return crash.kind == "boot" or (crash.kind == "timeout" and crash.section == "onfinish")


def _finished(actor: Actor, moment: Moment) -> Step:
    outcome = Outcome(Status.FINISHED, result=actor.result)
    begins_anew = actor.spec.config.restart.policy == "always" and actor.wish is Wish.NOTHING
    if begins_anew and moment.sequel is not Sequel.NONE:
        waiting = replace(actor, status=Status.RESTARTING, outcome=outcome, crash=None, next_restart=moment.now)
        follows = TakeOver(actor.incarnation, 0.0, "finished")
        waiting, clock = _pausing(waiting, 0.0, moment)
        return waiting, (Bury("finished", None), *clock, follows)
    return _end(actor, outcome, "finished", None)


def _anew(actor: Actor, crash: Crash | None) -> Step:
    """A restart by request: lives full, no backoff."""
    cause = "restarted by request"
    follows = TakeOver(actor.incarnation, 0.0, cause, asked=True)
    actor, cleared = recast(actor, actor.successor)
    again = replace(
        actor,
        status=Status.STARTING,
        incarnation=actor.incarnation + 1,
        wish=Wish.NOTHING,
        budget=budgets.Budget(),
        rites_for=None,
        rites=None,
    )
    again, effects = launch(again)
    return again, (Bury(cause, crash), *cleared, *effects, follows)


def _held_for_group(actor: Actor, death: Died, crash: Crash, moment: Moment) -> Step:
    """Ended as by a stop; what it came to stands if it is not called for any more."""
    stopped, _ = settle(replace(actor, wish=Wish.STOP), death, replace(moment, sequel=Sequel.NONE))
    failed = crash if actor.result is None else None
    cause = "ended, to begin anew with its group" if failed is None else failed.headline(actor.name)
    follows = TakeOver(actor.incarnation, 0.0, cause)
    actor, cleared = recast(actor, actor.successor)
    waiting = replace(
        actor,
        status=Status.RESTARTING,
        held=Hold.GROUP,
        outcome=stopped.outcome,
        rites_for=None,
        rites=None,
        next_restart=moment.now,
    )
    return waiting, (Bury(cause, failed), *cleared, follows)


def _pausing(actor: Actor, seconds: float, moment: Moment) -> Step:
    """Its pause begins; of who comes up together with others, that is for the group to say."""
    if moment.sequel is Sequel.TOGETHER:
        return replace(actor, held=Hold.GROUP), ()
    return actor, (SetAlarm(Alarm.BACKOFF, seconds),)


def _follows(actor: Actor, moment: Moment) -> bool:
    """Whether another life follows a crash. A verdict given stands, though a window may have moved on since.

    Not so where two members of a group had been promised the last restart that it had left: it has only one.
    """
    if moment.sequel is not None:
        return moment.sequel in _FOLLOWED
    if actor.verdict is not None:
        return actor.verdict is Verdict.AGAIN
    return budgets.lives_left(actor.spec.config, actor.budget, moment.now) > 0


def _crashed(actor: Actor, crash: Crash, moment: Moment) -> Step:
    config, now = actor.spec.config, moment.now
    again = _follows(actor, moment)
    healthy_for = None if actor.ready_at is None else now - actor.ready_at
    buried = Bury(crash.headline(actor.name), crash)
    spent = budgets.charge(config, actor.budget, now, healthy_for)
    if moment.sequel is not None:  # its group counts, and no number of lives bounds the list
        spent = replace(spent, crashes=())
    if actor.ready_at is None and crash.kind != "unborn":  # where no process was to be had, none has died
        spent = budgets.stillborn(spent)
    actor = replace(actor, crash=crash, outcome=None, budget=spent)
    if again:
        wait, budget = budgets.delay(config, actor.budget, moment.chance, before_ready=actor.ready_at is None)
        waiting = replace(actor, status=Status.RESTARTING, budget=budget, next_restart=now + wait)
        waiting, clock = _pausing(waiting, wait, moment)
        return waiting, (buried, *clock, TakeOver(actor.incarnation, wait, buried.cause))
    if actor.verdict in {None, Verdict.AGAIN} and "error" in actor.spec.hooks:
        # It died without a word: the rites need a process of their own.
        rites = replace(actor, status=Status.STOPPING, incarnation=actor.incarnation + 1, rites_for=crash)
        rites, effects = launch(rites)
        return rites, (buried, *effects)
    return _end(actor, Outcome(Status.CRASHED, crash=crash), crash.headline(actor.name), crash)
