"""An actor that is a program: what stands in the place of orders, beats and results, decided without a process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.lifecycle.scene import SIGKILLED, SIGSEGV, START, Pass, Scene, boot
from tests.unit.lifecycle.test_table import EXAMPLES, check
from understudy.lifecycle.actor import Wish
from understudy.lifecycle.effects import (
    ClearAlarm,
    Continue,
    KillFamily,
    SetAlarm,
    Suspend,
    TakeOver,
    Terminate,
    TerminateGroup,
)
from understudy.lifecycle.events import (
    Alarm,
    Died,
    Errored,
    Expired,
    Forked,
    ForkFailed,
    Kill,
    Pause,
    Place,
    Ready,
    Rejoin,
    Restart,
    Resume,
    Stop,
)
from understudy.lifecycle.ladder import Action, by_ladder, force, graceful, of_program
from understudy.lifecycle.programs import BY_SIGTERM, ExitCode, Program
from understudy.lifecycle.transitions import TABLE
from understudy.status import Crash, Status

SIGTERMED = Died(None, "SIGTERM", Place())
BEGUN = (Forked(7), Ready())
SIGNALS = (Terminate, TerminateGroup, Suspend, Continue, KillFamily)


def exits(code: int) -> Died:
    return Died(code, None, Place())


def program(*steps: Any, config: dict[str, Any] | None = None, ok_codes: frozenset[int] = frozenset({0})) -> Scene:
    """One that was just spawned, and what has happened since."""
    scene = Scene(config, ())
    actor = scene.actor
    spec = replace(actor.spec, program=Program(ok_codes), takes="program")
    scene.registry.actors[1] = replace(actor, spec=spec)
    return scene.happens(*steps)


def signals(scene: Scene) -> list[type[Any]]:
    """Those of the last effects that are signals, in their order."""
    return [type(effect) for effect in scene.effects if isinstance(effect, SIGNALS)]


@pytest.mark.requirement("S6")
def test_it_runs_when_it_has_become_its_program_and_not_when_it_was_forked():
    assert program(Forked(7)).status is Status.STARTING
    begun = program(*BEGUN)
    assert begun.status is Status.RUNNING
    assert begun.does(ClearAlarm) == [ClearAlarm(Alarm.START)]


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_code_that_is_right_is_the_result(code):
    ended = program(*BEGUN, exits(code), ok_codes=frozenset({0, 3}))
    assert (ended.status, ended.outcome.result) == (Status.FINISHED, ExitCode(code))
    assert ended.outcome.result.open() == code


def test_any_other_exit_code_is_a_crash_that_costs_a_life():
    again = program(*BEGUN, exits(1), config={"lives": 2})
    assert again.status is Status.RESTARTING
    last = again.happens(Expired(Alarm.BACKOFF), Forked(8), Ready(), exits(1))
    assert last.status is Status.CRASHED
    assert last.crash.headline("redis") == "redis exited with code 1 (incarnation 2)"


def test_exit_code_0_is_a_crash_where_another_one_is_right():
    ended = program(*BEGUN, exits(0), ok_codes=frozenset({3}))
    assert (ended.status, ended.crash.text) == (Status.CRASHED, "exited with code 0")


def test_who_exits_before_it_is_ready_has_not_finished():
    ended = program(Forked(7), Died(0, None, Place(phase="beginning its program")))
    assert ended.status is Status.CRASHED
    assert "before READY" in ended.crash.headline("redis")


def test_what_could_not_be_begun_has_no_further_life():
    ended = program(Forked(7), Errored(boot()), exits(127), config={"lives": 5})
    assert (ended.status, ended.crash.kind) == (Status.CRASHED, "boot")


def test_what_is_waited_for_in_vain_is_ended_at_once_and_costs_a_life():
    vain = Crash("unknown", 1, phase="waiting for Port(6390)", text="was ended, for a stranger holds it")
    scene = program(Forked(7), Errored(vain), config={"lives": 2})
    assert signals(scene) == [KillFamily]
    assert scene.happens(SIGKILLED).status is Status.RESTARTING
    again = scene.happens(Expired(Alarm.BACKOFF), Forked(8), Errored(replace(vain, incarnation=2)), SIGKILLED)
    assert again.crash.headline("redis") == (
        "redis was ended, for a stranger holds it while waiting for Port(6390), before READY (incarnation 2)"
    )


def test_what_finished_begins_anew_by_policy_always():
    again = program(*BEGUN, exits(0), config={"restart.policy": "always"})
    assert again.status is Status.RESTARTING


@pytest.mark.requirement("K2")
def test_a_stop_is_sigterm_at_once_and_goes_down_its_own_ladder_of_10_and_5_and_5_seconds():
    scene = program(*BEGUN, Stop())
    assert scene.status is Status.STOPPING
    assert signals(scene) == [Terminate]
    for pause, signal in ((10.0, TerminateGroup), (5.0, TerminateGroup), (5.0, KillFamily)):
        assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, pause)
        scene.happens(Pass(pause), Expired(Alarm.RUNG))
        assert signals(scene) == [signal]
    assert scene.happens(SIGKILLED).status is Status.KILLED


@pytest.mark.requirement("K1")
def test_a_grace_is_divided_as_for_any_actor_and_ends_with_sigkill():
    rungs = of_program(graceful(4.0, START), START)
    assert [(rung.at - START, rung.action) for rung in rungs] == [
        (0.0, Action.TERMINATE),
        (2.0, Action.TERMINATE_GROUP),
        (3.0, Action.TERMINATE_GROUP),
        (4.0, Action.KILL),
    ]


def test_a_stop_by_force_sends_no_sigterm_before():
    assert signals(program(*BEGUN, Stop(force(START)))) == [KillFamily]
    assert of_program(force(START), START) == force(START)


def test_a_stop_before_its_fork_is_answered_ends_it_when_it_is_there():
    scene = program(Stop())
    assert signals(scene) == []
    assert signals(scene.happens(Forked(7))) == [Terminate]
    assert scene.happens(SIGTERMED).status is Status.FINISHED


def test_a_stop_whose_fork_is_lost_has_run_nothing():
    assert program(Stop(), ForkFailed("its zygote died", lost=True)).outcome.result is None


def test_a_second_stop_that_ends_later_sends_nothing_and_one_that_ends_sooner_says_it_again():
    scene = program(*BEGUN, Stop())
    later = by_ladder(scene.actor.spec.config.stop, START + 1)
    assert signals(scene.happens(Pass(1.0), Stop(later))) == []
    assert signals(scene.happens(Stop(graceful(2.0, scene.now)))) == [Terminate]


@pytest.mark.parametrize(
    ("death", "status", "result"),
    [
        (SIGTERMED, Status.FINISHED, ExitCode(BY_SIGTERM)),
        (exits(0), Status.FINISHED, ExitCode(0)),
        (exits(143), Status.FINISHED, ExitCode(143)),
        (SIGSEGV, Status.CRASHED, None),
        (Died(None, None, Place()), Status.FINISHED, ExitCode(None)),
    ],
)
def test_who_was_stopped_may_exit_as_it_likes_but_not_crash(death, status, result):
    ended = program(*BEGUN, Stop(), death, config={"lives": 3})
    assert (ended.status, ended.outcome.result) == (status, result)


def test_who_was_ended_by_force_has_no_result_though_nobody_saw_its_end():
    unseen = Died(None, None, Place())
    assert program(*BEGUN, Stop(force(START)), unseen).status is Status.KILLED
    assert program(Forked(7), Expired(Alarm.START), Stop(), unseen).status is Status.CRASHED


def test_sigterm_from_elsewhere_is_a_crash():
    ended = program(*BEGUN, SIGTERMED)
    assert (ended.status, ended.crash.text) == (Status.CRASHED, "was ended by SIGTERM")


def test_a_kill_has_no_result_whatever_it_exits_with():
    scene = program(*BEGUN, Kill())
    assert signals(scene) == [KillFamily]
    assert scene.happens(exits(0)).outcome.result is None
    assert scene.status is Status.KILLED


@pytest.mark.parametrize("death", [SIGTERMED, exits(1)])
def test_a_restart_is_a_stop_that_another_life_follows(death):
    scene = program(*BEGUN, Restart())
    assert signals(scene) == [Terminate]
    scene.happens(death)
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)
    assert not scene.buried.crash, "who was asked to end has not failed"


def test_a_group_that_begins_anew_waits_for_it_as_for_any_member():
    scene = program(*BEGUN, Rejoin())
    assert signals(scene) == [Terminate]
    assert scene.happens(SIGTERMED).status is Status.RESTARTING
    assert [one.cause for one in scene.does(TakeOver)] == ["ended, to begin anew with its group"]


def test_the_end_of_join_in_stops_it():
    scene = program(*BEGUN, Expired(Alarm.JOIN), config={"join_in": 5})
    assert signals(scene) == [Terminate]


@pytest.mark.requirement("A8")
def test_a_pause_and_a_resume_are_signals_to_the_group():
    scene = program(*BEGUN, Pause())
    assert signals(scene) == [Suspend]
    assert signals(scene.happens(Pause())) == [], "it stands still already"
    assert signals(scene.happens(Resume())) == [Continue]


def test_what_is_paused_before_it_was_begun_stands_still_from_then_on():
    scene = program(Pause())
    assert signals(scene) == []
    assert signals(scene.happens(Forked(7))) == []
    assert signals(scene.happens(Ready())) == [Suspend]


def test_a_pause_stands_over_lives():
    scene = program(*BEGUN, Pause(), SIGSEGV, config={"lives": 2})
    assert signals(scene.happens(Expired(Alarm.BACKOFF), Forked(8))) == []
    assert signals(scene.happens(Ready())) == [Suspend]


def test_a_stop_wakes_what_stands_still_and_is_not_undone_by_a_pause():
    scene = program(*BEGUN, Pause(), Stop())
    assert sorted(signals(scene), key=str) == sorted([Terminate, Continue], key=str)
    assert scene.actor.wish is Wish.STOP
    assert signals(program(*BEGUN, Stop(), Pause())) == []
    assert signals(program(Pause(), Stop(), Forked(7), Ready())) == []


CAST: dict[str, tuple[Any, ...]] = {
    "asked for": (),
    "born": (Forked(7),),
    "not to be begun": (Forked(7), Errored(boot())),
    "heard of before its birth was": (Ready(),),
    "well": BEGUN,
    "paused": (*BEGUN, Pause()),
    "stopping before it was born": (Stop(),),
    "stopping": (*BEGUN, Stop()),
    "stopping in a pause": (*BEGUN, Pause(), Stop()),
    "killed": (*BEGUN, Kill()),
    "on its way to a restart": (*BEGUN, Restart()),
    "on its way to begin anew with its group": (*BEGUN, Rejoin()),
    "waiting after a crash": (*BEGUN, exits(1)),
    "waiting in a pause": (*BEGUN, Pause(), exits(1)),
    "ended": (*BEGUN, exits(0)),
}


@pytest.mark.parametrize("part", CAST)
def test_whatever_happens_leaves_a_sound_actor(part):
    status = program(*CAST[part], config={"lives": 3}).status
    for event in TABLE[status]:
        for example in EXAMPLES[event]:
            scene = program(*CAST[part], config={"lives": 3})
            before = scene.actor
            check(before, scene.happens(example))
