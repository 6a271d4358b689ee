"""Two things happen to an actor at once: there is one outcome, one that the order of the two allows, and it stays."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tests.stage import gone, hold, note, notes, until
from understudy import (
    ActorDied,
    ActorKilled,
    MainLoopError,
    Process,
    Status,
)


class Idle(Process):
    def __loop__(self):
        self.sleep(600)

    def __result__(self):
        return "in good order"


class Falling(Process):
    """Crashes as soon as the gate is open."""

    def __init__(self, gate, told, lives=1):
        self.gate, self.told = gate, told
        self.config.lives = lives
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.told, self.incarnation)
        hold(self.gate)
        raise RuntimeError("no luck")

    def __result__(self):
        return "in good order"


def at_once(*acts):
    """Call them in threads of their own from one barrier; what each gave, in order."""
    barrier, given = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number):
        barrier.wait(20)
        given[number] = acts[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return given


def stays_ended(system, refs, told):
    """Nothing comes up again: not now, and not while others live and end."""
    seen, ended = notes(told), [(ref.wait(0), len(ref.history())) for ref in refs]
    for _ in range(3):
        assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    assert [info.name for info in system.ps()] == []
    assert [(ref.wait(0), len(ref.history())) for ref in refs] == ended
    assert notes(told) == seen
    gone(*(life.pid for ref in refs for life in ref.history() if life.pid))


@pytest.mark.fault("F36")
@pytest.mark.requirement("K6")
@pytest.mark.parametrize("lives", [1, 50])
def test_a_stop_against_a_crash_ends_finished_or_crashed_and_never_restarts_after_it(system, tmp_path, lives):
    told, refs = tmp_path / "told", []
    for number in range(15):
        gate = tmp_path / f"gate-{number}"
        ref = system.spawn(Falling, gate, told, lives)
        ref.wait_ready(20)
        refs.append(ref)
        word, _ = at_once(ref.stop, gate.touch)
        status = ref.wait(20)
        if status is Status.FINISHED:
            assert ref.result(0) == "in good order"
            assert word == "asked"
        else:
            # With the one life the crash may have been first; with many the stop came before the last word was out.
            assert status is Status.CRASHED
            assert isinstance(ref.exception(0), MainLoopError)
            assert word in ({"asked", "ended"} if lives == 1 else {"asked"})
    stays_ended(system, refs, told)


@pytest.mark.fault("F36")
def test_a_stop_against_a_death_without_a_word_ends_finished_or_died(system, tmp_path):
    refs = []
    for _ in range(15):
        ref = system.spawn(Idle, config={"lives": 9})
        ref.wait_ready(20)
        refs.append(ref)
        pid = ref.info().pid
        at_once(ref.stop, lambda pid=pid: os.kill(pid, signal.SIGKILL))
        # The death may come first: then it is RESTARTING or up again, and the stop ends that.
        assert ref.wait(20) in {Status.FINISHED, Status.CRASHED}
        if ref.wait(0) is Status.CRASHED:
            assert isinstance(ref.exception(0), ActorDied)
            assert ref.exception(0).signal == "SIGKILL"
    stays_ended(system, refs, tmp_path / "told")


@pytest.mark.fault("F36")
@pytest.mark.requirement("K3", "K6")
def test_a_kill_against_a_restart_ends_killed_and_only_what_was_spawned_anew_lives(system):
    for number in range(15):
        ref = system.spawn(Idle, name=f"role-{number}")
        ref.wait_ready(20)
        killed, restarted = at_once(ref.kill, ref.restart)
        assert killed == "asked"
        assert ref.wait(20) is Status.KILLED
        with pytest.raises(ActorKilled):
            ref.result(0)
        assert restarted in {"asked", "already", "ended"}
        heir = system.ref(ref.name)
        # "ended" says: this one is over, and its spec was spawned anew. Any other word: nothing comes up again.
        assert (heir != ref) == (restarted == "ended")
        living = [info.uid for info in system.ps()]
        if heir != ref:
            assert living == [heir.uid]
            heir.wait_ready(20)
            heir.kill()
            heir.wait(20)
        else:
            assert living == []
        gone(*(life.pid for life in ref.history() if life.pid))
        assert ref.wait(0) is Status.KILLED
    assert system.ps() == []


@pytest.mark.fault("F36")
def test_a_kill_against_a_crash_with_lives_left_ends_killed(system, tmp_path):
    told, refs = tmp_path / "told", []
    for number in range(15):
        gate = tmp_path / f"gate-{number}"
        ref = system.spawn(Falling, gate, told, 50)
        ref.wait_ready(20)
        refs.append(ref)
        word, _ = at_once(ref.kill, gate.touch)
        assert word == "asked"
        assert ref.wait(20) is Status.KILLED
    stays_ended(system, refs, told)


@pytest.mark.fault("F36")
def test_a_kill_against_the_own_end_gives_one_outcome_to_all_who_ask(system):
    for _ in range(15):
        ref = system.spawn(os.getpid)
        word, first, second = at_once(ref.kill, lambda ref=ref: ref.wait(20), lambda ref=ref: ref.wait(20))
        assert first is second is ref.wait(0)
        if first is Status.FINISHED:
            assert word == "ended"
            assert ref.result(0) == ref.history()[0].pid
        else:
            assert first is Status.KILLED
            with pytest.raises(ActorKilled):
                ref.result(0)


@pytest.mark.fault("F36")
@pytest.mark.requirement("K6")
def test_a_stop_against_a_restart_leaves_one_or_none_and_the_next_stop_ends_it(system):
    for _ in range(10):
        ref = system.spawn(Idle)
        ref.wait_ready(20)
        stopped, restarted = at_once(ref.stop, ref.restart)
        assert stopped == "asked"
        if restarted == "ended":
            heir = system.ref(ref.name)
            heir.wait_ready(20)
            heir.stop()
            assert heir.wait(20) is Status.FINISHED
        # The later wish holds; which one that was shows.
        until(lambda: ref.done() or (ref.info().incarnation == 2 and ref.info().status is Status.RUNNING))  # noqa: B023
        ref.stop()
        assert ref.wait(20) is Status.FINISHED
        assert len(ref.history()) in {1, 2}
    assert system.ps() == []


@pytest.mark.requirement("K6")
def test_verbs_in_any_order_from_many_threads_leave_an_actor_that_the_last_stop_ends(system):
    refs = [system.spawn(Idle, name=f"role-{number}") for number in range(4)]
    acts = [getattr(ref, verb) for ref in refs for verb in ("restart", "stop", "restart", "stop")]
    at_once(*acts, *(ref.info for ref in refs), *(ref.history for ref in refs), lambda: system.restart("role-*"))
    system.stop("*")
    ended = system.wait_all(timeout=30)
    assert set(ended.values()) <= {Status.FINISHED}
    assert [ref.wait(20) for ref in refs] == [Status.FINISHED] * 4
    assert system.ps() == []
