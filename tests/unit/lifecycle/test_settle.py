"""What the end of a process means: the clauses of settle, one by one and in their order."""

from __future__ import annotations

from dataclasses import replace

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
    UNKNOWN,
    Scene,
    boom,
    boot,
    overrun_of,
    running,
    told,
)
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Body, Ending, Verdict
from understudy.lifecycle.effects import Bury, Fork, SetAlarm
from understudy.lifecycle.events import (
    Alarm,
    Died,
    Errored,
    Event,
    Expired,
    Finishing,
    Forked,
    ForkFailed,
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
from understudy.status import Status

HANDLER = ("loop", "error")
LIVES = {"lives": 3}


def forced(scene: Scene) -> Stop:
    """A stop whose grace is over already."""
    return Stop(ladder.force(scene.now))


# --- the clauses, each alone


def test_what_was_killed_by_request_is_killed_and_has_no_result():
    scene = running(LIVES).happens(Kill(), SIGKILLED)
    assert scene.outcome.status is Status.KILLED
    assert scene.outcome.result is None
    assert scene.buried.cause == "killed by request"


def test_an_acknowledged_result_and_exit_0_are_finished():
    scene = running().happens(DONE, Resulted(RESULT), EXIT_0)
    assert scene.outcome.status is Status.FINISHED
    assert scene.outcome.result is RESULT
    assert scene.outcome.crash is None
    assert scene.buried == Bury("finished", None)


def test_an_acknowledged_result_and_our_kill_after_the_exit_grace_are_finished():
    scene = running().happens(DONE, Resulted(RESULT))
    assert scene.only(SetAlarm) == SetAlarm(Alarm.EXIT, 2.0)
    scene.happens(Expired(Alarm.EXIT))
    assert scene.kills
    assert scene.actor.ending is Ending.EXIT
    assert scene.happens(SIGKILLED).outcome.status is Status.FINISHED
    assert scene.outcome.result is RESULT


def test_an_acknowledged_result_is_finished_where_nobody_can_say_how_the_process_ended():
    scene = running().happens(DONE, Resulted(RESULT), UNKNOWN)
    assert scene.outcome.status is Status.FINISHED
    assert scene.outcome.result is RESULT


@pytest.mark.parametrize("death", [SIGSEGV, SIGKILLED, EXIT_1, Died(3, None, Place())])
def test_an_acknowledged_result_and_a_death_not_of_our_making_are_a_crash_that_keeps_the_result(death: Died):
    scene = running(LIVES, HANDLER).happens(DONE, Resulted(RESULT), death)
    assert scene.outcome.status is Status.CRASHED
    assert scene.outcome.result is RESULT
    assert (scene.crash.exit_code, scene.crash.signal) == (death.exit_code, death.signal)


def test_a_stop_at_the_end_of_whose_ladder_it_was_killed_is_killed():
    scene = running(LIVES).happens(Stop())
    scene.happens(forced(scene))
    assert scene.kills
    assert scene.actor.ending is Ending.LADDER
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


@pytest.mark.parametrize("death", [SIGSEGV, SIGKILLED, EXIT_0, EXIT_1, UNKNOWN])
def test_a_death_after_a_stop_is_a_crash_without_another_life_or_rites(death: Died):
    scene = running(LIVES, HANDLER).happens(Stop(), death)
    assert scene.outcome.status is Status.CRASHED
    assert not scene.forks


def test_a_state_that_does_not_open_burns_no_lives_and_holds_no_rites():
    scene = Scene(LIVES, HANDLER).happens(Forked(7), Errored(boot()))
    assert scene.actor.verdict is Verdict.END
    scene.happens(EXIT_1)
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.kind == "boot"
    assert not scene.did(Fork)[1:]


@pytest.mark.parametrize(
    "steps",
    [(Errored(overrun_of("onfinish")), EXIT_1), (Overran(Stage.KILL, Place("onfinish", 17)), SIGKILLED)],
    ids=["told", "ended by us"],
)
def test_a_timeout_of_onfinish_is_a_crash_at_once(steps: tuple[Event, ...]):
    scene = running(LIVES, HANDLER).happens(DONE, *steps)
    assert scene.outcome.status is Status.CRASHED
    assert (scene.crash.kind, scene.crash.section) == ("timeout", "onfinish")
    assert not scene.forks


@pytest.mark.parametrize("death", [SIGSEGV, SIGKILLED, EXIT_0, EXIT_1, UNKNOWN])
def test_any_death_with_lives_left_is_followed_by_another_life(death: Died):
    scene = running(LIVES, HANDLER).happens(death)
    assert scene.status is Status.RESTARTING
    scene.happens(Expired(Alarm.BACKOFF))
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)
    assert scene.forks


def test_exceptions_timeouts_signals_and_silence_are_counted_in_one_place():
    scene = running({"lives": 5})
    again = (Expired(Alarm.BACKOFF), Forked(8), Ready())
    scene.happens(Errored(boom()), EXIT_1, *again)
    scene.happens(SIGSEGV, *again)
    scene.happens(Overran(Stage.KILL, IN_LOOP), SIGKILLED, *again)
    scene.happens(Silent(3, lost=True, held=True), SIGKILLED, *again)
    assert (scene.status, scene.actor.incarnation) == (Status.RUNNING, 5)
    assert scene.happens(EXIT_0).outcome.status is Status.CRASHED


def test_without_lives_or_a_handler_a_crash_is_the_end():
    scene = running().happens(SIGSEGV)
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.headline("indexer") == "indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 1)"


def test_a_death_without_a_word_and_without_lives_has_its_rites_in_a_process_of_their_own():
    scene = running(hooks=HANDLER).happens(SIGSEGV)
    assert (scene.status, scene.actor.incarnation, scene.actor.body) == (Status.STOPPING, 2, Body.ASKED)
    assert scene.forks
    assert scene.actor.rites_for is not None
    assert scene.actor.rites_for.signal == "SIGSEGV"
    scene.happens(Forked(8), Ready(), Rited(RITES), EXIT_1)
    assert scene.outcome.status is Status.CRASHED
    assert scene.outcome.rites is RITES
    assert scene.crash.incarnation == 1


# --- their order: two hold, the first decides


def test_a_kill_comes_before_an_acknowledged_result():
    assert running().happens(DONE, Resulted(RESULT), Kill(), EXIT_0).outcome.status is Status.KILLED


def test_a_kill_comes_before_a_restart_whichever_was_asked_first():
    for wishes in ((Kill(), Restart()), (Restart(), Kill())):
        scene = running(LIVES).happens(*wishes, SIGKILLED)
        assert scene.outcome.status is Status.KILLED
        assert not scene.did(Fork)[1:]


def test_a_kill_comes_before_last_rites():
    scene = told(boom(), hooks=HANDLER).happens(Rited(RITES), Kill(), EXIT_1)
    assert scene.outcome.status is Status.KILLED
    assert scene.outcome.rites is None


def test_a_kill_comes_before_an_error_that_was_told_and_lives_that_are_left():
    scene = told(boom(), LIVES).happens(Kill(), EXIT_1)
    assert scene.outcome.status is Status.KILLED


def test_a_restart_comes_before_a_result_and_before_rites():
    finished = running().happens(DONE, Resulted(RESULT), Restart(), EXIT_0)
    assert (finished.status, finished.actor.incarnation, finished.actor.result) == (Status.STARTING, 2, None)
    mourned = told(boom(), hooks=HANDLER).happens(Restart(), EXIT_1)
    assert (mourned.status, mourned.actor.incarnation, mourned.actor.rites_for) == (Status.STARTING, 2, None)


def test_rites_come_before_the_end_of_the_ladder():
    scene = told(boom(), hooks=HANDLER).happens(Stop())
    scene.happens(forced(scene), SIGKILLED)
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.type_name == "RuntimeError"


def test_an_acknowledged_result_comes_before_a_stop():
    clean = running().happens(Stop(), DONE, Resulted(RESULT), EXIT_0)
    assert clean.outcome.status is Status.FINISHED
    dead = running().happens(Stop(), DONE, Resulted(RESULT), SIGSEGV)
    assert (dead.outcome.status, dead.outcome.result) == (Status.CRASHED, RESULT)


def test_an_acknowledged_result_comes_before_the_end_of_the_ladder():
    scene = running().happens(Stop(), DONE, Resulted(RESULT))
    scene.happens(forced(scene), SIGKILLED)
    assert scene.outcome.status is Status.FINISHED


def test_an_acknowledged_result_comes_before_lives_and_rites():
    scene = running(LIVES, HANDLER).happens(DONE, Resulted(RESULT), SIGSEGV)
    assert (scene.outcome.status, scene.actor.incarnation) == (Status.CRASHED, 1)


def test_the_end_of_the_ladder_comes_before_an_error_that_was_told():
    scene = running(LIVES).happens(Stop(), Errored(boom()))
    scene.happens(forced(scene), SIGKILLED)
    assert scene.outcome.status is Status.KILLED


def test_a_stop_comes_before_lives_whether_the_crash_was_told_before_or_after_it():
    for steps in ((Errored(boom()), Stop()), (Stop(), Errored(boom()))):
        scene = running(LIVES).happens(*steps, EXIT_1)
        assert scene.outcome.status is Status.CRASHED
        assert scene.crash.type_name == "RuntimeError"
        assert not scene.forks


def test_a_boot_error_and_a_timeout_of_onfinish_come_before_lives():
    reborn = running(LIVES).happens(SIGSEGV, Expired(Alarm.BACKOFF), Forked(8), Errored(boot(2)), EXIT_1)
    assert (reborn.outcome.status, reborn.crash.kind) == (Status.CRASHED, "boot")
    late = running(LIVES).happens(DONE, Errored(overrun_of("onfinish")), EXIT_1)
    assert (late.outcome.status, late.crash.section) == (Status.CRASHED, "onfinish")


def test_lives_come_before_rites():
    scene = running(LIVES, HANDLER).happens(SIGSEGV)
    assert (scene.status, scene.actor.rites_for) == (Status.RESTARTING, None)


# --- what the process told outranks what we saw, and that what the system says


def test_the_crash_is_what_was_told_with_the_word_of_the_system_on_its_end():
    crash = told(boom()).happens(Died(3, None, Place())).crash
    assert (crash.kind, crash.type_name, crash.exit_code, crash.signal) == ("error", "RuntimeError", 3, None)


def test_the_crash_is_the_overrun_for_which_it_was_ended():
    scene = running({"timeouts.loop": 2.5}).happens(Overran(Stage.KILL, IN_LOOP), SIGKILLED)
    assert scene.crash.headline("indexer") == "__loop__ of indexer ran 2.5 s (lap 17, incarnation 1)"
    assert scene.crash.signal == "SIGKILL"


def test_a_told_error_stands_though_an_overrun_followed():
    scene = running().happens(Overran(Stage.INTERRUPT, Place()), Errored(boom()), Overran(Stage.KILL, IN_LOOP))
    assert not scene.kills
    assert scene.happens(EXIT_1).crash.kind == "error"


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (SIGSEGV, "indexer was ended by SIGSEGV in __loop__ (lap 17, incarnation 1)"),
        (EXIT_0, "indexer exited without a result (lap 17, incarnation 1)"),
        (EXIT_1, "indexer exited with code 1 (lap 17, incarnation 1)"),
        (UNKNOWN, "indexer died; how is unknown, for nobody was left to tell (lap 17, incarnation 1)"),
    ],
)
def test_an_untold_death_is_told_by_the_words_of_the_system(death: Died, words: str):
    assert running().happens(death).crash.headline("indexer") == words


def test_a_lost_actor_is_told_as_silent():
    scene = running().happens(Silent(3, lost=True, held=True), SIGKILLED)
    assert scene.crash.kind == "lost"
    assert "was silent for 3 heartbeats" in scene.crash.text


def test_a_death_before_ready_names_the_phase():
    scene = Scene().happens(Forked(7), Died(None, "SIGKILL", Place(phase="connecting")))
    words = "indexer was ended by SIGKILL while connecting, before READY (incarnation 1)"
    assert scene.crash.headline("indexer") == words


def test_a_fork_that_fails_is_told_with_its_reason():
    scene = Scene().happens(ForkFailed("OSError: [Errno 11] EAGAIN"))
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.kind == "unborn"
    assert scene.crash.text == "could not be forked: OSError: [Errno 11] EAGAIN"


def test_a_stop_and_a_fork_that_fails_are_a_crash_that_says_so():
    scene = Scene(LIVES).happens(Stop(), ForkFailed("EAGAIN"))
    assert (scene.outcome.status, scene.crash.kind) == (Status.CRASHED, "unborn")


# --- the policy


@pytest.mark.requirement("L5")
def test_policy_never_gives_no_second_life():
    scene = running({"lives": 3, "restart.policy": "never"}).happens(SIGSEGV)
    assert scene.outcome.status is Status.CRASHED


@pytest.mark.requirement("L5")
def test_policy_always_begins_anew_what_finished_at_no_lifes_cost():
    scene = running({"lives": 1, "restart.policy": "always"})
    for incarnation in range(1, 6):
        scene.happens(DONE, Resulted([incarnation]), EXIT_0)
        assert scene.status is Status.RESTARTING
        assert scene.only(SetAlarm) == SetAlarm(Alarm.BACKOFF, 0.0)
        assert scene.buried == Bury("finished", None)
        scene.happens(Expired(Alarm.BACKOFF), Forked(8), Ready())
        assert scene.actor.incarnation == incarnation + 1
    assert scene.actor.budget.crashes == ()
    assert scene.happens(SIGSEGV).outcome.status is Status.CRASHED


@pytest.mark.requirement("L5")
@pytest.mark.parametrize("asked", [(Stop(), DONE), (Finishing("self.stop()", stop=True),), (DONE, Stop())])
def test_policy_always_begins_nothing_anew_after_a_stop(asked: tuple[Event, ...]):
    scene = running({"restart.policy": "always"}).happens(*asked, Resulted(RESULT), EXIT_0)
    assert scene.outcome.status is Status.FINISHED
    assert not scene.forks


def test_policy_always_keeps_the_last_result_for_a_stop_between_two_lives():
    scene = running({"restart.policy": "always"}).happens(DONE, Resulted(RESULT), EXIT_0, Stop())
    assert (scene.outcome.status, scene.outcome.result) == (Status.FINISHED, RESULT)


def test_policy_always_ends_with_the_last_life_and_forgets_results_before_it():
    scene = running({"restart.policy": "always"}).happens(DONE, Resulted(RESULT), EXIT_0)
    scene.happens(Expired(Alarm.BACKOFF), Forked(8), Ready(), SIGSEGV)
    assert (scene.outcome.status, scene.outcome.result) == (Status.CRASHED, None)


# --- every process is buried once, with its crash where it failed


def test_a_life_that_told_its_error_has_a_report_though_its_rites_were_held():
    scene = told(boom(), hooks=HANDLER).happens(Rited(RITES), EXIT_1)
    assert scene.outcome.rites is RITES
    assert scene.buried.crash == replace(boom(), exit_code=1)
    assert scene.buried.cause == "RuntimeError: no luck (__loop__ of indexer, lap 17, incarnation 1)"


def test_a_process_that_only_held_the_rites_is_no_crash():
    scene = running(hooks=HANDLER).happens(SIGSEGV)
    assert scene.buried.crash is not None
    scene.happens(Forked(8), Ready(), Rited(RITES), EXIT_1)
    assert scene.buried == Bury("last rites held", None)


def test_a_process_that_died_in_the_rites_is_reported_by_its_own_death():
    scene = running(hooks=HANDLER).happens(SIGSEGV, Forked(8), Ready(), Died(None, "SIGBUS", Place("error", 0)))
    assert scene.buried.crash is not None
    assert (scene.buried.crash.signal, scene.buried.crash.incarnation) == ("SIGBUS", 2)
    assert "SIGBUS" in scene.buried.cause
    assert scene.crash.signal == "SIGSEGV"
