"""The table of transitions: every state meets every event."""

from __future__ import annotations

import typing
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.lifecycle.scene import (
    DONE,
    EXIT_0,
    EXIT_1,
    IN_LOOP,
    RESULT,
    RITES,
    SIGKILLED,
    SIGSEGV,
    START,
    UNKNOWN,
    Full,
    Scene,
    boom,
    boot,
    overrun_of,
    spec,
)
from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.effects import Bury, KillFamily, Publish, Settle, TakeOver
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
    Released,
    Restart,
    Resulted,
    Resume,
    Rited,
    Silent,
    Stage,
    Stop,
)
from understudy.lifecycle.ladder import Action, Rung
from understudy.lifecycle.transitions import TABLE, Undecided
from understudy.status import Status

EVENTS: tuple[type[Any], ...] = typing.get_args(Event)

OVER, AHEAD = (Rung(START - 1, Action.KILL),), (Rung(START + 1, Action.TERMINATE), Rung(START + 2, Action.KILL))

EXAMPLES: dict[type[Any], tuple[Any, ...]] = {
    Forked: (Forked(8),),
    ForkFailed: (ForkFailed("EAGAIN"), ForkFailed("its zygote died", lost=True)),
    Ready: (Ready(),),
    Finishing: (DONE, Finishing("self.stop()", stop=True)),
    Resulted: (Resulted(RESULT),),
    Checkpointed: (Checkpointed(1, b"a later state"),),
    Errored: (Errored(boom()), Errored(boot()), Errored(overrun_of("onfinish"))),
    Rited: (Rited(RITES),),
    Died: (EXIT_0, EXIT_1, SIGKILLED, SIGSEGV, UNKNOWN),
    Stop: (Stop(), Stop(OVER), Stop(AHEAD)),
    Kill: (Kill(),),
    Restart: (Restart(), Restart(OVER), Restart((), spec({"lives": 5}))),
    Rejoin: (Rejoin(), Rejoin(OVER), Rejoin(AHEAD)),
    Cued: (Cued(),),
    Pause: (Pause(),),
    Resume: (Resume(),),
    Configure: (Configure({"timeouts.loop": 2.0}), Configure({"join_in": 9.0}), Configure({"join_in": None})),
    Expired: tuple(Expired(alarm) for alarm in Alarm),
    Released: (Released(),),
    Overran: (Overran(Stage.INTERRUPT, Place()), Overran(Stage.KILL, IN_LOOP)),
    Silent: (Silent(1, lost=False, held=False), Silent(3, lost=True, held=False), Silent(4, lost=True, held=True)),
    Heard: (Heard(),),
}

BORN: tuple[Any, ...] = (Forked(7),)
READY: tuple[Any, ...] = (*BORN, Ready())
LIVES = {"lives": 3}
HANDLER = ("loop", "error")

# How an actor comes to be where it is: settings, hooks, and what happened since its spawn.
CAST: dict[Status, dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[Any, ...]]]] = {
    Status.STARTING: {
        "asked for": ({}, ("loop",), ()),
        "born": ({}, ("loop",), BORN),
        "over its time before it was born": ({}, ("loop",), (Expired(Alarm.START),)),
        "over its time": ({}, ("loop",), (*BORN, Expired(Alarm.START))),
        "with a state that does not open": (LIVES, ("loop",), (*BORN, Errored(boot()))),
        "in its second life": (LIVES, HANDLER, (*READY, SIGSEGV, Expired(Alarm.BACKOFF))),
        "asked for again by request": ({}, ("loop",), (*READY, Restart(), EXIT_0)),
    },
    Status.RUNNING: {
        "well": (LIVES, HANDLER, READY),
        "heard of before its birth was": (LIVES, HANDLER, (Ready(),)),
        "paused": (LIVES, HANDLER, (*READY, Pause())),
        "with a clock for its end": ({"join_in": 5}, ("loop",), READY),
        "silent": ({}, ("loop",), (*READY, Silent(1, lost=False, held=False))),
        "silent for too long": ({}, ("loop",), (*READY, Silent(3, lost=True, held=True))),
        "over the time of its section": (LIVES, HANDLER, (*READY, Overran(Stage.KILL, IN_LOOP))),
        "about to leave for its next life": (LIVES, HANDLER, (*READY, Errored(boom()))),
        "about to leave for good": ({}, ("loop",), (*READY, Errored(boom()))),
    },
    Status.STOPPING: {
        "asked to stop before it was born": ({}, ("loop",), (Stop(),)),
        "asked to stop": ({}, ("loop",), (*READY, Stop())),
        "on the ladder": ({}, ("loop",), (*READY, Stop(AHEAD))),
        "at the end of the ladder": ({}, ("loop",), (*READY, Stop(OVER))),
        "at the end of the ladder before it was born": ({}, ("loop",), (Stop(OVER),)),
        "at its own end": ({"restart.policy": "always"}, ("loop",), (*READY, DONE)),
        "at its own end by its own wish": ({}, HANDLER, (*READY, Finishing("self.stop()", stop=True))),
        "with its result told": (LIVES, HANDLER, (*READY, DONE, Resulted(RESULT))),
        "in its last rites": ({}, HANDLER, (*READY, Errored(boom()))),
        "after its last rites": ({}, HANDLER, (*READY, Errored(boom()), Rited(RITES))),
        "asked for to hold its rites": ({}, HANDLER, (*READY, SIGSEGV)),
        "in rites in a process of their own": ({}, HANDLER, (*READY, SIGSEGV, Forked(8), Ready())),
        "killed before it was born": ({}, ("loop",), (Kill(),)),
        "killed": (LIVES, ("loop",), (*READY, Kill())),
        "on its way to a restart": (LIVES, ("loop",), (*READY, Restart())),
        "on its way to begin anew with its group": (LIVES, ("loop",), (*READY, Rejoin(AHEAD))),
        "on its way there before it was born": (LIVES, ("loop",), (Rejoin(),)),
        "on its way to a restart before it was born": ({}, ("loop",), (Restart(),)),
    },
    Status.RESTARTING: {
        "after a crash": (LIVES, HANDLER, (*READY, SIGSEGV)),
        "after a crash in a pause": (LIVES, HANDLER, (*READY, Pause(), SIGSEGV)),
        "after a death before READY": (LIVES, HANDLER, (*BORN, SIGKILLED)),
        "after a fork that failed": (LIVES, HANDLER, (ForkFailed("EAGAIN"),)),
        "after its turn did not come": (LIVES, HANDLER, (*READY, SIGSEGV, Full())),
        "held for its group": (LIVES, HANDLER, (*READY, Rejoin(), EXIT_0)),
        "after a crash, and held for its group": (LIVES, HANDLER, (*READY, SIGSEGV, Rejoin())),
        "after it finished": ({"restart.policy": "always"}, ("loop",), (*READY, DONE, Resulted(RESULT), EXIT_0)),
    },
    Status.FINISHED: {
        "with a result": ({}, ("loop",), (*READY, DONE, Resulted(RESULT), EXIT_0)),
        "for it was never born": ({}, ("loop",), (Stop(), ForkFailed("its zygote died", lost=True))),
    },
    Status.CRASHED: {
        "by a signal": ({}, ("loop",), (*READY, SIGSEGV)),
        "after its rites": ({}, HANDLER, (*READY, Errored(boom()), Rited(RITES), EXIT_1)),
        "by a stop in backoff": (LIVES, ("loop",), (*READY, SIGSEGV, Stop())),
    },
    Status.KILLED: {
        "by request": ({}, ("loop",), (*READY, Kill(), SIGKILLED)),
        "in backoff": (LIVES, ("loop",), (*READY, SIGSEGV, Kill())),
    },
}

NEVER_REGISTERED = "an actor is registered when its process is asked for, and is STARTING from then on"
NOT_BEFORE_READY = "a child sends READY first, and what one child sends stays in its order"
ANSWERED_BEFORE = "an end waits for the answer to the fork; what is born after it was given up never gets here"
LEAVES_THE_QUEUE = "who queues is RESTARTING, and leaves the queue when it no longer is"

IMPOSSIBLE: dict[tuple[Status, type[Any]], str] = {
    **{(Status.CREATED, event): NEVER_REGISTERED for event in EVENTS},
    (Status.STARTING, Finishing): NOT_BEFORE_READY,
    (Status.STARTING, Resulted): NOT_BEFORE_READY,
    (Status.STARTING, Checkpointed): NOT_BEFORE_READY,
    (Status.STARTING, Rited): "rites are held in STOPPING, in a process of their own too",
    (Status.RUNNING, Rited): "the verdict that allows rites makes it STOPPING",
    **{
        (status, event): ANSWERED_BEFORE
        for status in (Status.RESTARTING, *CAST)
        for event in (Forked, ForkFailed)
        if status is Status.RESTARTING or status.ended
    },
    **{(status, Released): LEAVES_THE_QUEUE for status in CAST if status is not Status.RESTARTING},
}


def play(status: Status, part: str) -> Scene:
    config, hooks, steps = CAST[status][part]
    scene = Scene(config, hooks).happens(*steps)
    assert scene.status is status, f"{part} is {scene.status}"
    return scene


DECIDED = [
    pytest.param(status, event, id=f"{event.__name__} while {status}")
    for status in CAST
    for event in EVENTS
    if (status, event) not in IMPOSSIBLE
]


def test_every_pair_of_state_and_event_is_decided_or_impossible_with_a_reason():
    decided = {(status, event) for status, row in TABLE.items() for event in row}
    every = {(status, event) for status in Status for event in EVENTS}
    assert decided | set(IMPOSSIBLE) == every
    assert not decided & set(IMPOSSIBLE)
    assert all(IMPOSSIBLE.values())


def test_the_examples_hold_every_event_and_the_cast_every_state_of_the_registry():
    assert set(EXAMPLES) == set(EVENTS)
    assert set(CAST) == set(Status) - {Status.CREATED}
    for status, parts in CAST.items():
        for part in parts:
            play(status, part)


@pytest.mark.parametrize(("status", "event"), DECIDED)
def test_a_decided_pair_leaves_a_sound_actor(status: Status, event: type[Any]):
    for part in CAST[status]:
        for example in EXAMPLES[event]:
            scene = play(status, part)
            before = scene.actor
            scene.happens(example)
            try:
                check(before, scene)
            except AssertionError as error:
                error.add_note(f"an actor that is {part}, after {example}: {scene.actor}, {scene.effects}")
                raise


def check(before: Actor, scene: Scene) -> None:
    after = scene.actor
    if before.status.ended:
        assert after is before
        assert not scene.effects
        return
    assert (after.uid, after.name) == (before.uid, before.name)
    assert after.incarnation - before.incarnation in {0, 1}
    assert after.status.ended == bool(scene.does(Settle)) == bool(scene.did(Settle))
    # The outcome goes with the word of it, and is held there alone.
    assert not after.status.ended or after.outcome is after.result is after.rites is None
    assert after.outcome is None or after.status.ended or after.status is Status.RESTARTING
    assert (after.body is Body.NONE) == (after.status.ended or after.status is Status.RESTARTING)
    assert (after.pid is not None) == (after.body is Body.LIVE)
    assert (after.next_restart is not None) == (after.status is Status.RESTARTING)
    if scene.forks:
        assert after.body is Body.ASKED
        assert before.body is not Body.LIVE or after.incarnation > before.incarnation
    if scene.kills:
        assert after.body is Body.LIVE
        assert after.ending is not None
    changed = (before.status, before.incarnation) != (after.status, after.incarnation)
    states = [effect for effect in scene.does(Publish) if effect.kind == "state"]
    assert [(each.before, each.after) for each in states] == [(before.status, after.status)] * changed
    check_taking_over(before, scene)


def check_taking_over(before: Actor, scene: Scene) -> None:
    """That another life follows is told when it is decided, once: after the end of the last one, before the state."""
    after = scene.actor
    waits = after.status is Status.RESTARTING
    risen = after.incarnation > before.incarnation and after.rites_for is None
    told = scene.does(TakeOver)
    assert bool(told) == (before.status is not Status.RESTARTING and (waits or risen))
    if told:
        (follows,) = told
        assert follows.ended == before.incarnation
        assert follows.asked == (not waits)
        assert follows.pause == pytest.approx(0 if after.next_restart is None else after.next_restart - scene.now)
        order = [type(effect) for effect in scene.effects]
        assert order.index(Bury) < order.index(TakeOver) < len(order) - 1 == order.index(Publish)
        assert follows.cause == next(iter(scene.does(Bury))).cause


@pytest.mark.parametrize(
    ("status", "event"),
    [pytest.param(status, event, id=f"{event.__name__} while {status}") for status, event in IMPOSSIBLE],
)
def test_an_impossible_pair_is_undecided_and_tells_the_story(status: Status, event: type[Any]):
    scene = play(status, next(iter(CAST[status]))) if status in CAST else Scene()
    if status not in CAST:
        scene.registry.actors[1] = replace(scene.actor, status=status)
    story, before = scene.registry.story(1), scene.actor
    for example in EXAMPLES[event]:
        with pytest.raises(Undecided) as caught:
            scene.happens(example)
        headline, *told = str(caught.value).splitlines()
        assert headline == f"{event.__name__} cannot come while indexer is {status}"
        assert told == story
        assert "spawned as texts:Indexer" in told[0]
    assert scene.actor is before


def test_a_kill_is_for_a_process_that_lives():
    for status, parts in CAST.items():
        for part in parts:
            scene = play(status, part)
            killed = scene.happens(Kill()).does(KillFamily)
            assert bool(killed) == (scene.actor.body is Body.LIVE and "killed" not in part)
