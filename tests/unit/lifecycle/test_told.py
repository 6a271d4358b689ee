"""What the process tells and what we see of it: verdicts, rites, READY, overruns, silence, and the clocks."""

from __future__ import annotations

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
    Pass,
    Scene,
    boom,
    boot,
    overrun_of,
    running,
    spec,
    told,
)
from understudy.lifecycle.actor import Body, Ending, Verdict, Wish
from understudy.lifecycle.effects import ClearAlarm, Fork, Interrupt, KillFamily, Publish, Remind, SetAlarm
from understudy.lifecycle.events import (
    Alarm,
    Died,
    Errored,
    Expired,
    Forked,
    ForkFailed,
    Heard,
    Kill,
    Overran,
    Place,
    Ready,
    Restart,
    Resulted,
    Rited,
    Silent,
    Stage,
    Stop,
)
from understudy.lifecycle.ladder import force
from understudy.status import Health, Status

LIVES = {"lives": 3}
HANDLER = ("loop", "error")
INTERRUPT, TO_KILL = Overran(Stage.INTERRUPT, Place()), Overran(Stage.KILL, IN_LOOP)
LOST = ForkFailed("its zygote died", lost=True)


# --- birth


def test_a_spawn_asks_for_a_process_and_starts_the_clock():
    scene = Scene({"timeouts.startup": 7.5})
    assert scene.effects[0] == Fork()
    assert scene.only(SetAlarm) == SetAlarm(Alarm.START, 7.5)
    assert scene.only(Publish) == Publish("state", Status.CREATED, Status.STARTING, "spawned")
    assert (scene.status, scene.actor.body, scene.actor.incarnation) == (Status.STARTING, Body.ASKED, 1)


def test_without_a_startup_timeout_no_start_clock_runs_on_from_an_earlier_life():
    scene = Scene({"timeouts.startup": None})
    assert not scene.does(SetAlarm)
    assert ClearAlarm(Alarm.START) in scene.effects


def test_ready_makes_it_running_and_stops_the_start_clock():
    scene = running()
    assert (scene.status, scene.actor.ready_at, scene.actor.pid) == (Status.RUNNING, START, 7)
    assert ClearAlarm(Alarm.START) in scene.effects
    before = scene.actor
    assert scene.happens(Ready()).actor is before


def test_a_request_that_was_lost_with_its_zygote_is_made_again_at_no_lifes_cost():
    scene = Scene().happens(LOST, LOST, LOST)
    assert (scene.status, scene.actor.incarnation, scene.actor.budget.crashes) == (Status.STARTING, 1, ())
    assert scene.forks
    assert scene.happens(Forked(7), Ready()).status is Status.RUNNING


def test_a_start_that_takes_too_long_is_ended_and_told_with_its_phase():
    scene = Scene({"timeouts.startup": 7.5}).happens(Forked(7), Pass(7.5), Expired(Alarm.START))
    assert scene.kills
    assert scene.actor.ending is Ending.STARTUP
    scene.happens(Died(None, "SIGKILL", Place(phase="opening its state")))
    words = "indexer was not READY within 7.5 s; it was opening its state (incarnation 1)"
    assert (scene.crash.kind, scene.crash.headline("indexer")) == ("startup", words)


def test_a_start_clock_that_rings_after_ready_changes_nothing():
    scene = running().happens(Expired(Alarm.START))
    assert (scene.status, scene.effects) == (Status.RUNNING, ())


def test_what_is_born_after_its_time_is_ended_at_its_birth():
    scene = Scene(LIVES).happens(Expired(Alarm.START))
    assert not scene.actor.status.ended
    scene.happens(Forked(7))
    assert scene.kills
    scene.happens(Died(None, "SIGKILL", Place(phase="being forked")))
    assert scene.status is Status.RESTARTING
    assert scene.actor.crash is not None
    assert scene.actor.crash.kind == "startup"


@pytest.mark.parametrize("steps", [(LOST,), (Expired(Alarm.START),)], ids=["its zygote dies", "nobody answers"])
def test_what_is_not_born_in_time_and_never_will_be_is_a_start_timeout(steps):
    scene = Scene({"timeouts.startup": 7.5}).happens(Expired(Alarm.START))
    assert scene.only(SetAlarm) == SetAlarm(Alarm.START, 10.0)
    scene.happens(*steps)
    words = "indexer was not READY within 7.5 s; it was being forked (incarnation 1)"
    assert (scene.crash.kind, scene.crash.headline("indexer")) == ("startup", words)


def test_a_stop_and_a_kill_are_heard_by_what_is_not_born_in_time():
    stopped = Scene().happens(Expired(Alarm.START), Stop(), LOST)
    assert stopped.outcome.status is Status.FINISHED
    killed = Scene().happens(Kill(), Expired(Alarm.START), Expired(Alarm.START))
    assert killed.outcome.status is Status.KILLED


# --- the verdict


@pytest.mark.parametrize(
    ("config", "hooks", "verdict"),
    [
        (LIVES, ("loop",), Verdict.AGAIN),
        (LIVES, HANDLER, Verdict.AGAIN),
        ({}, HANDLER, Verdict.RITES),
        ({}, ("loop",), Verdict.END),
        ({"lives": 3, "restart.policy": "never"}, ("loop",), Verdict.END),
        ({"lives": 3, "restart.policy": "always"}, ("loop",), Verdict.AGAIN),
    ],
)
def test_who_tells_an_error_hears_whether_there_is_another_life_rites_or_neither(config, hooks, verdict):
    scene = told(boom(), config, hooks)
    assert scene.actor.verdict is verdict
    assert scene.does(Remind)
    rites = verdict is Verdict.RITES
    assert scene.status is (Status.STOPPING if rites else Status.RUNNING)
    # Rites have their section's timeout; who is to leave has the exit grace.
    assert scene.does(SetAlarm) == ([] if rites else [SetAlarm(Alarm.EXIT, 2.0)])


def test_an_error_told_twice_gets_the_same_verdict_and_costs_one_life():
    scene = told(boom(), LIVES).happens(Errored(boom()))
    assert scene.effects == (Remind(),)
    assert scene.happens(EXIT_1).actor.budget.crashes == (START,)


def test_a_verdict_stands_though_a_window_moved_on_since():
    scene = running({"lives": 2, "restart.window": 5}).happens(Errored(boom()), EXIT_1)
    scene.happens(Expired(Alarm.BACKOFF), Forked(8), Ready(), Pass(4), Errored(boom(incarnation=2)))
    assert scene.actor.verdict is Verdict.END
    assert scene.happens(Pass(2), EXIT_1).outcome.status is Status.CRASHED


@pytest.mark.parametrize(("hooks", "verdict"), [(HANDLER, Verdict.RITES), (("loop",), Verdict.END)])
def test_after_a_stop_rites_are_held_only_in_the_process_that_told_the_error(hooks, verdict):
    scene = running(LIVES, hooks).happens(Stop(), Errored(boom()))
    assert scene.actor.verdict is verdict
    silent = running(LIVES, hooks).happens(Stop(), SIGSEGV)
    assert (silent.outcome.status, silent.outcome.rites) == (Status.CRASHED, None)


@pytest.mark.parametrize("wish", [Kill(), Restart()])
def test_there_are_no_rites_for_what_is_to_be_killed_or_begun_anew(wish):
    assert running(hooks=HANDLER).happens(wish, Errored(boom())).actor.verdict is Verdict.END


@pytest.mark.parametrize("crash", [boot(), overrun_of("onfinish")])
def test_there_are_no_rites_for_boot_errors_and_a_timeout_of_onfinish(crash):
    assert running(LIVES, HANDLER).happens(Errored(crash)).actor.verdict is Verdict.END


# --- rites


def test_rites_are_kept_acknowledged_and_end_in_a_crash_with_the_first_error():
    scene = told(boom(), hooks=HANDLER).happens(Rited(RITES))
    assert scene.effects == (Remind(), SetAlarm(Alarm.EXIT, 2.0))
    assert scene.happens(Rited(["again"])).effects == (Remind(),)
    scene.happens(EXIT_1)
    assert (scene.outcome.status, scene.outcome.rites) == (Status.CRASHED, RITES)
    assert scene.crash.type_name == "RuntimeError"


@pytest.mark.parametrize("death", [SIGSEGV, EXIT_0, SIGKILLED])
def test_if_the_rites_die_the_first_error_stands(death):
    scene = told(boom(), hooks=HANDLER).happens(death)
    assert (scene.outcome.status, scene.outcome.rites) == (Status.CRASHED, None)
    assert scene.crash.type_name == "RuntimeError"
    assert not scene.forks


@pytest.mark.parametrize(
    "steps",
    [
        (Forked(8), Errored(boot(2)), EXIT_1),
        (Forked(8), Expired(Alarm.START), SIGKILLED),
        (Forked(8), Ready(), SIGSEGV),
        (Forked(8), Ready(), Overran(Stage.KILL, Place("error", 0)), SIGKILLED),
        (ForkFailed("EAGAIN"),),
    ],
    ids=["they do not open", "they do not start", "they die", "they take too long", "they cannot be forked"],
)
def test_rites_in_a_process_of_their_own_that_fail_leave_the_first_error(steps):
    scene = running(hooks=HANDLER).happens(SIGSEGV, *steps)
    assert (scene.outcome.status, scene.outcome.rites) == (Status.CRASHED, None)
    assert (scene.crash.signal, scene.crash.incarnation) == ("SIGSEGV", 1)
    assert scene.actor.incarnation == 2


def test_rites_in_a_process_of_their_own_are_asked_for_again_if_the_request_was_lost():
    scene = running(hooks=HANDLER).happens(SIGSEGV, LOST)
    assert scene.forks
    assert (scene.actor.incarnation, scene.actor.rites_for is not None) == (2, True)
    stopped = running(hooks=HANDLER).happens(SIGSEGV, Stop(), LOST)
    assert (stopped.outcome.status, stopped.crash.signal) == (Status.CRASHED, "SIGSEGV")


def test_rites_are_no_life_and_no_restart():
    scene = running(hooks=HANDLER).happens(SIGSEGV, Forked(8), Ready(), Rited(RITES), EXIT_1)
    assert len(scene.actor.budget.crashes) == 1
    assert scene.registry.restarts.total() == 0


def test_restarts_are_counted_whether_for_a_crash_by_request_or_by_policy():
    scene = running({"lives": 2, "restart.policy": "always"})
    anew = (Expired(Alarm.BACKOFF), Forked(8), Ready())
    scene.happens(SIGSEGV, *anew, DONE, Resulted(RESULT), EXIT_0, *anew, Restart(), EXIT_0)
    assert scene.registry.restarts == {"crash": 1, "always": 1, "asked": 1}


# --- the result


def test_a_result_is_acknowledged_each_time_and_the_first_is_kept():
    scene = running().happens(DONE, Resulted(RESULT))
    assert scene.effects == (Remind(), SetAlarm(Alarm.EXIT, 2.0))
    assert scene.happens(Resulted(["another"])).effects == (Remind(),)
    assert scene.happens(EXIT_0).outcome.result is RESULT


def test_without_an_exit_timeout_what_lingers_may_linger():
    scene = running({"timeouts.exit": None}).happens(DONE, Resulted(RESULT))
    assert scene.effects == (Remind(),)


def test_the_exit_grace_ends_who_told_an_error_too():
    scene = told(boom()).happens(Expired(Alarm.EXIT))
    assert scene.kills
    assert scene.happens(SIGKILLED).crash.type_name == "RuntimeError"


# --- overruns


def test_an_overrun_is_interrupted_then_ended_with_stacks():
    scene = running(LIVES).happens(INTERRUPT)
    assert scene.effects == (Interrupt(),)
    scene.happens(TO_KILL)
    assert scene.only(KillFamily) == KillFamily(stacks=True)
    assert scene.actor.ending is Ending.OVERRUN
    assert scene.happens(TO_KILL, INTERRUPT).effects == ()
    assert scene.happens(SIGKILLED).status is Status.RESTARTING


def test_an_overrun_is_met_anew_in_the_next_life():
    scene = running(LIVES).happens(TO_KILL, SIGKILLED, Expired(Alarm.BACKOFF), Forked(8), Ready())
    assert (scene.actor.ending, scene.actor.overrun) == (None, None)
    assert scene.happens(TO_KILL).kills


def test_what_was_ended_for_an_overrun_stays_a_timeout_though_a_ladder_ended_meanwhile():
    scene = running().happens(TO_KILL, Stop(force(START)))
    assert scene.actor.ending is Ending.OVERRUN
    assert scene.happens(SIGKILLED).crash.kind == "timeout"


@pytest.mark.parametrize("steps", [(Kill(),), (Errored(boom()),)])
def test_an_overrun_of_what_is_on_its_way_out_is_of_no_consequence(steps):
    assert running(LIVES).happens(*steps, TO_KILL).effects == ()


# --- silence


def test_the_first_missed_beat_is_told_and_the_next_one_heard_too():
    scene = running().happens(Silent(1, lost=False, held=False))
    told_of = scene.only(Publish)
    assert (told_of.kind, told_of.before, told_of.after) == ("health", Health.HEALTHY, Health.UNRESPONSIVE)
    assert scene.happens(Silent(2, lost=False, held=False)).effects == ()
    assert scene.actor.misses == 2
    healed = scene.happens(Heard()).only(Publish)
    assert (healed.before, healed.after, scene.actor.misses) == (Health.UNRESPONSIVE, Health.HEALTHY, 0)


def test_a_lost_actor_is_ended_with_stacks_only_if_no_section_explains_its_silence():
    explained = running().happens(Silent(3, lost=True, held=False))
    assert not explained.did(KillFamily)
    held = running().happens(Silent(3, lost=True, held=True))
    assert held.only(KillFamily) == KillFamily(stacks=True)
    assert held.actor.ending is Ending.LOST
    assert held.happens(Silent(4, lost=True, held=True)).effects == ()


def test_a_strict_heartbeat_ends_a_busy_actor_too():
    strict = {"heartbeat.kill": "always"}
    assert running(strict).happens(Silent(3, lost=True, held=False)).kills
    assert not running(strict).happens(Silent(2, lost=False, held=True)).kills


# --- join_in


def test_join_in_runs_from_the_first_ready_over_lives_and_pauses():
    scene = running({"join_in": 60, "lives": 9})
    assert SetAlarm(Alarm.JOIN, 60.0) in scene.effects
    scene.happens(Pass(20), SIGSEGV, Pass(5), Expired(Alarm.BACKOFF), Forked(8), Pass(1), Ready())
    assert SetAlarm(Alarm.JOIN, 34.0) in scene.effects


def test_join_in_acts_as_a_stop():
    scene = running({"join_in": 60, "lives": 9}).happens(Pass(60), Expired(Alarm.JOIN))
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.STOP)
    assert scene.does(Remind)
    assert scene.happens(DONE, Resulted(RESULT), EXIT_0).outcome.status is Status.FINISHED


def test_join_in_ends_an_actor_in_backoff_with_its_last_crash():
    scene = running({"join_in": 60, "lives": 9}).happens(Pass(59), SIGSEGV, Pass(1), Expired(Alarm.JOIN))
    assert (scene.outcome.status, scene.crash.signal) == (Status.CRASHED, "SIGSEGV")


def test_join_in_ends_an_actor_whose_next_life_is_on_its_way():
    scene = running({"join_in": 60, "lives": 9}).happens(SIGSEGV, Expired(Alarm.BACKOFF), Pass(60), Expired(Alarm.JOIN))
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.STOP)


def test_join_in_that_runs_out_during_a_restart_stops_the_new_life_at_its_ready():
    scene = running({"join_in": 60}).happens(Pass(59), Restart(), Pass(1), Expired(Alarm.JOIN), EXIT_0)
    scene.happens(Forked(8), Pass(1), Ready())
    assert SetAlarm(Alarm.JOIN, 0.0) in scene.effects


@pytest.mark.parametrize("crashed", [(), (SIGSEGV,)], ids=["RUNNING", "in backoff"])
def test_another_target_has_its_own_clock_of_join_in(crashed):
    scene = running({"join_in": 60, "lives": 2}).happens(Pass(50), *crashed, Restart((), spec({"join_in": 30})))
    if not crashed:
        scene.happens(EXIT_0)
    assert ClearAlarm(Alarm.JOIN) in scene.effects
    scene.happens(Forked(8), Pass(5), Ready())
    assert SetAlarm(Alarm.JOIN, 30.0) in scene.effects
