"""Stop, kill and restart, asked in every state, and the rungs of the ladder."""

from __future__ import annotations

import pytest

from tests.unit.lifecycle.scene import (
    DONE,
    EXIT_0,
    EXIT_1,
    RESULT,
    RITES,
    SIGKILLED,
    SIGSEGV,
    START,
    Pass,
    Scene,
    boom,
    running,
    spec,
    told,
)
from understudy.lifecycle import ladder
from understudy.lifecycle.actor import Body, Ending, Verdict, Wish
from understudy.lifecycle.effects import (
    Bury,
    ClearAlarm,
    Fork,
    KillFamily,
    Publish,
    Remind,
    SetAlarm,
    Settle,
    Terminate,
)
from understudy.lifecycle.events import (
    Alarm,
    Errored,
    Expired,
    Finishing,
    Forked,
    ForkFailed,
    Kill,
    Ready,
    Restart,
    Resulted,
    Rited,
    Stop,
)
from understudy.status import Status

LIVES = {"lives": 3}
HANDLER = ("loop", "error")
GRACE = Stop(ladder.graceful(4.0, START))
LOST = ForkFailed("its zygote died", lost=True)
AT_ONCE = ladder.force(START)


# --- stop


def test_whether_what_has_arrived_is_handled_first_is_for_the_first_stop_to_say():
    assert running().happens(Stop(drain=True)).actor.drain
    assert running().happens(Stop(drain=True), Stop(ladder.graceful(4.0, START))).actor.drain
    assert not running().happens(Stop(), Stop(drain=True)).actor.drain
    assert running().happens(Restart(), Stop(drain=True)).actor.drain, "a restart is no stop"


def test_a_stop_is_ordered_and_without_a_grace_no_clock_runs():
    scene = running().happens(Stop())
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.STOP)
    assert scene.does(Remind)
    assert not scene.does(SetAlarm)
    assert not scene.does(Terminate)
    assert not scene.kills


def test_a_grace_is_climbed_down_rung_by_rung():
    scene = running().happens(GRACE)
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 2.0)
    scene.happens(Pass(2.0), Expired(Alarm.RUNG))
    assert len(scene.does(Terminate)) == 1
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 1.0)
    scene.happens(Pass(1.0), Expired(Alarm.RUNG))
    assert len(scene.does(Terminate)) == 1
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 1.0)
    assert not scene.did(KillFamily)
    scene.happens(Pass(1.0), Expired(Alarm.RUNG))
    assert scene.kills
    assert scene.actor.ending is Ending.LADDER
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


def test_a_clock_that_rings_early_climbs_nothing():
    scene = running().happens(GRACE, Pass(1.5), Expired(Alarm.RUNG))
    assert not scene.does(Terminate)
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 0.5)


def test_rungs_that_are_overdue_are_climbed_at_once_and_in_order():
    scene = running().happens(GRACE, Pass(60), Expired(Alarm.RUNG))
    kinds = [type(effect) for effect in scene.effects]
    assert [kind for kind in kinds if kind in {Terminate, KillFamily}] == [Terminate, Terminate, KillFamily]


def test_the_clock_of_the_next_rung_runs_before_any_signal_is_sent():
    scene = running().happens(GRACE, Pass(1.5), Expired(Alarm.RUNG), Pass(0.6), Expired(Alarm.RUNG))
    kinds = [type(effect) for effect in scene.effects]
    assert kinds.index(SetAlarm) < kinds.index(Terminate)
    scene.happens(Pass(60), Expired(Alarm.RUNG))
    kinds = [type(effect) for effect in scene.effects]
    assert kinds.index(SetAlarm) < kinds.index(Terminate) < kinds.index(KillFamily)


def test_no_grace_at_all_is_a_kill_at_once_that_counts_as_a_stop():
    scene = running(LIVES).happens(Stop(AT_ONCE))
    assert scene.kills
    assert not scene.did(Terminate)
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


def test_a_second_stop_can_only_hasten_the_end():
    scene = running().happens(GRACE, Stop(ladder.graceful(100.0, START)))
    assert scene.actor.rungs[-1].at == START + 4
    scene.happens(Stop())
    assert scene.actor.rungs[-1].at == START + 4
    scene.happens(Stop(ladder.graceful(1.0, START)))
    assert scene.actor.rungs[-1].at == START + 1
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 0.5)


def test_a_stop_after_a_kill_changes_nothing():
    scene = running().happens(Kill())
    before = scene.actor
    assert scene.happens(GRACE).actor is before
    assert not scene.effects


def test_a_stop_before_the_birth_waits_for_the_process_and_reaches_it():
    scene = Scene().happens(Stop(), Forked(7))
    assert (scene.status, scene.actor.body) == (Status.STOPPING, Body.LIVE)
    scene.happens(Ready(), DONE, Resulted(RESULT), EXIT_0)
    assert scene.outcome.status is Status.FINISHED


def test_a_stop_of_what_never_came_to_be_is_finished_with_nothing():
    scene = Scene().happens(Stop(), LOST)
    assert (scene.outcome.status, scene.outcome.result, scene.outcome.crash) == (Status.FINISHED, None, None)
    assert scene.buried == Bury("stopped before it was born", None)
    assert not scene.forks


def test_a_stop_of_a_second_life_that_never_came_to_be_is_a_crash_with_the_last_crash():
    scene = running(LIVES).happens(SIGSEGV, Expired(Alarm.BACKOFF), Stop(), LOST)
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.signal == "SIGSEGV"


def test_the_ladder_waits_for_the_birth():
    scene = Scene().happens(GRACE, Pass(10), Expired(Alarm.RUNG))
    assert not scene.did(Terminate)
    assert not scene.did(KillFamily)
    scene.happens(Forked(7))
    assert scene.kills
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


def test_a_ladder_that_is_not_over_at_the_birth_goes_on_from_there():
    scene = Scene().happens(GRACE, Pass(2.5), Forked(7))
    assert len(scene.does(Terminate)) == 1
    assert scene.only(SetAlarm) == SetAlarm(Alarm.RUNG, 0.5)


def test_a_stop_in_backoff_ends_with_the_last_crash():
    scene = running(LIVES).happens(SIGSEGV, Stop())
    assert scene.outcome.status is Status.CRASHED
    assert scene.crash.signal == "SIGSEGV"
    assert ClearAlarm(Alarm.BACKOFF) in scene.effects
    assert not scene.does(Bury), "it was buried when it died"


@pytest.mark.parametrize("late", [Stop(), GRACE, Kill(), Restart(), Expired(Alarm.BACKOFF), SIGSEGV])
@pytest.mark.parametrize("end", [(DONE, Resulted(RESULT), EXIT_0), (SIGSEGV,), (Kill(), SIGKILLED)])
def test_what_comes_to_an_ended_actor_changes_nothing(end, late):
    scene = running().happens(*end)
    before = scene.actor
    assert before.status.ended
    assert scene.happens(late).actor is before
    assert scene.effects == ()


def test_a_stop_of_its_own_is_a_stop():
    scene = running({"lives": 3, "restart.policy": "always"}).happens(Finishing("self.stop()", stop=True))
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.STOP)
    assert scene.happens(SIGSEGV).outcome.status is Status.CRASHED


def test_the_end_of_the_laps_is_no_stop():
    scene = running(LIVES).happens(DONE)
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.NOTHING)
    assert scene.happens(SIGSEGV).status is Status.RESTARTING


def test_an_order_to_stop_outlives_the_word_that_the_laps_are_over():
    scene = running(LIVES).happens(Stop(), DONE)
    assert scene.actor.wish is Wish.STOP


@pytest.mark.parametrize("wish", [Restart(), Kill()])
def test_a_stop_of_its_own_changes_nothing_of_what_was_asked_from_outside(wish):
    before = running().happens(wish)
    scene = running().happens(wish, Finishing("self.stop()", stop=True))
    assert scene.actor.wish is before.actor.wish


# --- kill


@pytest.mark.parametrize(
    "steps",
    [
        (Forked(7),),
        (Forked(7), Ready()),
        (Forked(7), Ready(), Stop()),
        (Forked(7), Ready(), GRACE),
        (Forked(7), Ready(), DONE),
        (Forked(7), Ready(), DONE, Resulted(RESULT)),
        (Forked(7), Ready(), Errored(boom())),
        (Forked(7), Ready(), Restart()),
    ],
    ids=["STARTING", "RUNNING", "stopping", "on the ladder", "finishing", "with a result", "told", "restarting"],
)
def test_a_kill_is_sent_at_once_wherever_there_is_a_process(steps):
    scene = Scene(LIVES, HANDLER).happens(*steps, Kill())
    assert scene.only(KillFamily) == KillFamily(stacks=False)
    assert SetAlarm(Alarm.UNKILLABLE, 5.0) in scene.effects
    assert (scene.status, scene.actor.wish, scene.actor.ending) == (Status.STOPPING, Wish.KILL, Ending.ASKED)
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


def test_a_kill_before_the_birth_is_sent_at_the_birth():
    scene = Scene().happens(Kill())
    assert not scene.does(KillFamily)
    assert not scene.actor.status.ended
    scene.happens(Forked(7))
    assert scene.kills
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


@pytest.mark.parametrize("answer", [LOST, ForkFailed("EAGAIN")])
def test_a_kill_of_what_never_came_to_be_is_killed(answer: ForkFailed):
    scene = Scene(LIVES).happens(Kill(), answer)
    assert scene.outcome.status is Status.KILLED
    assert not scene.forks


def test_a_kill_in_backoff_is_killed_and_keeps_the_last_crash():
    scene = running(LIVES).happens(SIGSEGV, Kill())
    assert scene.outcome.status is Status.KILLED
    assert scene.crash.signal == "SIGSEGV"
    assert not scene.kills
    assert ClearAlarm(Alarm.BACKOFF) in scene.effects


def test_a_second_kill_sends_nothing():
    scene = running().happens(Kill(), Kill())
    assert scene.effects == ()


def test_a_kill_outranks_what_we_did_of_our_own_accord():
    scene = running(LIVES).happens(GRACE, Pass(9), Expired(Alarm.RUNG), Kill())
    assert scene.actor.ending is Ending.ASKED
    assert scene.happens(SIGKILLED).buried.cause == "killed by request"


def test_a_kill_that_does_nothing_is_told_once_it_has_stood_for_five_seconds():
    scene = running().happens(Kill(), Pass(5), Expired(Alarm.UNKILLABLE))
    published = scene.only(Publish)
    assert (published.kind, published.after) == ("health", "unkillable")
    assert "7" in (published.cause or "")
    assert scene.status is Status.STOPPING
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


# --- restart


def test_a_restart_is_a_stop_with_another_life_to_follow_it():
    scene = running({"lives": 2}).happens(SIGSEGV, Expired(Alarm.BACKOFF), Forked(8), Ready(), Restart())
    assert (scene.status, scene.actor.wish) == (Status.STOPPING, Wish.RESTART)
    assert scene.does(Remind)
    scene.happens(DONE, Resulted(RESULT), EXIT_0)
    assert (scene.status, scene.actor.incarnation, scene.actor.wish) == (Status.STARTING, 3, Wish.NOTHING)
    assert scene.buried == Bury("restarted by request", None)
    assert scene.forks
    assert not scene.did(Settle), "waiters wait on"
    assert scene.actor.budget.crashes == (), "lives are full"
    assert not [each for each in scene.does(SetAlarm) if each.alarm is Alarm.BACKOFF]


def test_a_restart_follows_whatever_death_and_tells_of_a_crash():
    scene = running().happens(Restart(), SIGSEGV)
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)
    assert scene.buried.crash is not None
    assert scene.buried.crash.signal == "SIGSEGV"


def test_a_restart_has_a_ladder_like_a_stop():
    scene = running().happens(Restart(ladder.graceful(4.0, START)), Pass(4), Expired(Alarm.RUNG))
    assert scene.kills
    scene.happens(SIGKILLED)
    assert (scene.status, scene.actor.incarnation, scene.actor.rungs) == (Status.STARTING, 2, ())


def test_the_rungs_of_a_restart_do_not_reach_the_next_life():
    scene = running().happens(Restart(ladder.graceful(4.0, START)), DONE, Resulted(RESULT), EXIT_0)
    scene.happens(Forked(8), Ready(), Pass(9), Expired(Alarm.RUNG))
    assert (scene.status, scene.effects) == (Status.RUNNING, ())


def test_a_restart_without_grace_of_what_is_not_born_yet_is_a_restart_all_the_same():
    scene = Scene().happens(Restart(AT_ONCE))
    assert scene.actor.wish is Wish.RESTART
    scene.happens(Forked(7))
    assert scene.kills
    scene.happens(SIGKILLED)
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)


@pytest.mark.parametrize("answer", [LOST, ForkFailed("EAGAIN")])
def test_a_restart_of_what_cannot_be_born_tries_the_next(answer: ForkFailed):
    scene = Scene().happens(Restart(), answer)
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)
    assert scene.forks


def test_a_restart_in_backoff_skips_it_and_fills_the_lives():
    scene = running(LIVES).happens(SIGSEGV, Restart())
    assert (scene.status, scene.actor.incarnation, scene.actor.budget.crashes) == (Status.STARTING, 2, ())
    assert ClearAlarm(Alarm.BACKOFF) in scene.effects
    assert scene.forks


def test_the_last_of_stop_and_restart_counts():
    stopped = running(LIVES).happens(Restart((), spec({"lives": 9})), Stop(), SIGSEGV)
    assert stopped.outcome.status is Status.CRASHED
    assert stopped.actor.spec.config.lives == 3
    restarted = running(LIVES).happens(Stop(), Restart(), SIGSEGV)
    assert (restarted.status, restarted.actor.incarnation) == (Status.STARTING, 2)


def test_a_restart_after_a_kill_changes_nothing():
    scene = running().happens(Kill(), Restart())
    assert scene.effects == ()
    assert scene.happens(SIGKILLED).outcome.status is Status.KILLED


def test_a_restart_during_the_rites_gives_them_up():
    scene = told(boom(), hooks=HANDLER).happens(Rited(RITES), Restart(), EXIT_1)
    assert (scene.status, scene.actor.rites_for, scene.actor.rites) == (Status.STARTING, None, None)
    scene.happens(Forked(8), Ready(), DONE, Resulted(RESULT), EXIT_0)
    assert (scene.outcome.status, scene.outcome.rites) == (Status.FINISHED, None)


@pytest.mark.parametrize(
    "steps",
    [(Forked(7), Ready(), Restart((), spec({"lives": 9})), EXIT_0), (ForkFailed("x"), Restart((), spec({"lives": 9})))],
    ids=["RUNNING", "in backoff"],
)
def test_a_restart_with_another_target_replaces_it(steps):
    scene = Scene(LIVES).happens(*steps)
    assert (scene.status, scene.actor.incarnation) == (Status.STARTING, 2)
    assert scene.actor.spec.config.lives == 9
    assert scene.actor.successor is None


def test_a_stop_takes_back_a_restart_with_its_target():
    scene = running(LIVES).happens(Restart((), spec({"lives": 9})), Stop(), Restart(), EXIT_0)
    assert (scene.status, scene.actor.spec.config.lives) == (Status.STARTING, 3)


def test_a_plain_restart_after_one_with_a_target_keeps_that_target():
    scene = running().happens(Restart((), spec({"lives": 9})), Restart(), EXIT_0)
    assert scene.actor.spec.config.lives == 9


def test_a_new_life_begins_with_nothing_of_the_last():
    scene = running(LIVES).happens(Errored(boom()), EXIT_1, Expired(Alarm.BACKOFF))
    actor = scene.actor
    assert (actor.told, actor.verdict, actor.ending, actor.overrun, actor.result) == (None,) * 5
    assert (actor.ready_at, actor.pid, actor.misses, actor.next_restart, actor.rungs) == (None, None, 0, None, ())
    assert len(scene.did(Fork)) == 2
    scene.happens(Forked(8), Ready(), Errored(boom(incarnation=2)))
    assert scene.actor.verdict is Verdict.AGAIN
