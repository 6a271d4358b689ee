"""Stops at bad moments: before the child hears, twice, of the dead, of a name that begins like another."""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage import note, noted, notes, until
from understudy import ActorKilled, ActorRef, ActorSystem, MainLoopError, Process, Status, UnknownActor


class Idle(Process):
    def __loop__(self):
        self.sleep(600)

    def __result__(self):
        return self.completed_laps


class Brief(Process):
    """Ends by itself after three laps; one that was stopped has done fewer."""

    def __init__(self):
        self.config.num_loops = 3

    def __loop__(self):
        self.sleep(0.001)

    def __result__(self):
        return self.completed_laps


class Falling(Process):
    def __init__(self, told=None):
        self.told = told

    def __loop__(self):
        if self.told:
            note(self.told, self.incarnation)
        raise RuntimeError("no luck")


@pytest.mark.fault("F35")
@pytest.mark.requirement("K6")
def test_each_of_a_thousand_stops_right_after_the_spawn_is_heard(system, monkeypatch):
    chance = random.Random(35)  # noqa: S311 - the same delays each time
    for _ in range(20):
        refs = []
        for number in range(50):
            delay = chance.choice([0, 0, chance.uniform(0, 0.05)])
            monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", f"link.subscribe=sleep:{delay:.4f}" if delay else "")
            refs.append(system.spawn(Idle))
            if number % 5 == 4:
                time.sleep(delay)  # the stop comes somewhat later, at no particular step
            assert refs[-1].stop() == "asked"
        assert [ref.wait(30) for ref in refs] == [Status.FINISHED] * 50
        # Hooks wait for no command: a lap may have begun. None is the result of what never got a process.
        assert {ref.result(0) for ref in refs} <= {None, 0, 1}
    assert system.ps() == []


@pytest.mark.fault("F35")
@pytest.mark.requirement("K6")
@pytest.mark.parametrize(
    ("host", "zygote", "steps"),
    [
        ("process", "child.guard=sleep:0.3", ["child.guard"]),  # a fork does this before it takes on the variables
        ("process", "zygote.standby=skip", ["child.boot", "child.open", "child.ready", "link.subscribe"]),
        ("spawn", "", ["child.boot", "child.guard", "child.open", "child.ready", "link.subscribe"]),
    ],
)
def test_a_stop_while_the_child_stands_at_a_step_of_its_birth_is_heard_at_its_end(monkeypatch, host, zygote, steps):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", zygote)
    with ActorSystem() as system:
        refs = {}
        for step in steps:
            monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", f"{step}=sleep:0.3")
            ref = refs[step] = system.spawn(Idle, host=host)
            until(lambda ref=ref: ref.info().pid)  # type: ignore[misc]
            assert ref.stop() == "asked"
        assert {step: ref.wait(30) for step, ref in refs.items()} == dict.fromkeys(refs, Status.FINISHED)
        assert {ref.result(0) for ref in refs.values()} <= {0, 1}
        assert [len(ref.history()) for ref in refs.values()] == [1] * len(steps)


@pytest.mark.fault("F37")
@pytest.mark.requirement("K6")
def test_a_second_stop_changes_nothing_and_says_so(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    words = [ref.stop() for _ in range(5)]
    assert words[0] == "asked"
    assert set(words[1:]) <= {"already", "ended"}
    assert ref.wait(20) is Status.FINISHED
    assert ref.stop() == "ended"
    assert system.stop(ref.name) == {ref.name: "ended"}
    assert ref.wait(0) is Status.FINISHED
    assert len(ref.history()) == 1


@pytest.mark.fault("F37")
@pytest.mark.requirement("K6")
def test_of_many_threads_that_stop_one_actor_exactly_one_asked_first(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    barrier, words = threading.Barrier(12), []

    def stop():
        barrier.wait(20)
        words.append(ref.stop())

    threads = [threading.Thread(target=stop) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert words.count("asked") == 1
    assert len(words) == 12
    assert ref.wait(20) is Status.FINISHED


@pytest.mark.fault("F37")
@pytest.mark.requirement("K6")
def test_the_dead_the_unknown_and_the_unmatched_each_get_an_answer_of_their_own(system):
    done, crashed, killed = system.spawn(os.getpid), system.spawn(Falling), system.spawn(Idle)
    killed.wait_ready(20)
    killed.kill()
    before = [(ref.wait(20), len(ref.history())) for ref in (done, crashed, killed)]
    for verb in (system.stop, system.kill):
        for ref in (done, crashed, killed):
            assert verb(ref) == {ref.name: "ended"}
        with pytest.raises(UnknownActor, match="no actor is named 'fallin'; did you mean falling-1"):
            verb("fallin")
        with pytest.raises(UnknownActor):
            verb(ActorRef("another.system", 1, "idle-1"))
        assert verb("nobody-*") == {}
        with pytest.raises(UnknownActor):
            verb(["falling-1", "fallin"])
    assert [(ref.wait(0), len(ref.history())) for ref in (done, crashed, killed)] == before
    assert [info.status for info in system.ps(all=True)] == [Status.FINISHED, Status.CRASHED, Status.KILLED]


@pytest.mark.fault("F37")
def test_one_unknown_name_among_others_leaves_these_alone(system):
    ref = system.spawn(Idle, name="idle")
    ref.wait_ready(20)
    for verb in (system.stop, system.kill, system.restart):
        with pytest.raises(UnknownActor):
            verb(["idle", "idol"])
    assert ref.info().alive
    assert ref.info().status is Status.RUNNING
    assert ref.stop() == "asked"


@pytest.mark.fault("F38")
@pytest.mark.requirement("K1")
@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_a_verb_reaches_the_one_name_and_none_that_begins_like_it(system, verb):
    names = ["w", "w1", "w10", "w1.0", "w1/0", "w1-0", "W1"]
    refs = {name: system.spawn(Idle, name=name) for name in names}
    for ref in refs.values():
        ref.wait_ready(20)
    assert getattr(system, verb)("w1") == {"w1": "asked"}
    assert refs["w1"].wait(20) is (Status.FINISHED if verb == "stop" else Status.KILLED)
    others = [name for name in names if name != "w1"]
    # What answers to its own stop by "asked" had heard of none before.
    assert [refs[name].info().status for name in others] == [Status.RUNNING] * len(others)
    assert system.stop(others) == dict.fromkeys(others, "asked")


@pytest.mark.fault("F39")
@pytest.mark.requirement("K6", "A5")
def test_none_of_five_hundred_bearers_of_a_name_feels_the_stop_of_the_one_before(system):
    def reuse(name):
        uids = set()
        for number in range(63):
            first = system.spawn(Idle, name=name)
            if number % 2:
                first.wait_ready(20)
            assert system.stop(name) == {name: "asked"}
            first.stop()
            assert first.wait(20) is Status.FINISHED
            second = system.spawn(Brief, name=name)
            assert first.stop() == "ended"
            assert second.wait(20) is Status.FINISHED
            assert second.result(0) == 3
            uids |= {first.uid, second.uid}
        return uids

    with ThreadPoolExecutor(4) as pool:
        assert len(set().union(*pool.map(reuse, ["role", "role-1", "role/1", "r"]))) == 504
    assert system.ps() == []


@pytest.mark.requirement("K6", "L5")
def test_a_stop_in_backoff_ends_it_with_the_last_crash_and_nothing_comes_up_again(system, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Falling, told, config={"lives": 9, "restart.backoff.base": 600, "restart.backoff.cap": 600})
    noted(told, 2)
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().next_restart)
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.CRASHED
    with pytest.raises(MainLoopError, match="no luck"):
        ref.result(0)
    assert ref.stop() == "ended"
    assert notes(told) == ["1", "2"]
    assert system.ps() == []


@pytest.mark.fault("F36")
@pytest.mark.requirement("K3", "K6")
def test_a_kill_in_backoff_ends_it_as_killed_and_nothing_comes_up_again(system, tmp_path):
    told = tmp_path / "told"
    ref = system.spawn(Falling, told, config={"lives": 9, "restart.backoff.base": 600, "restart.backoff.cap": 600})
    noted(told, 2)
    until(lambda: ref.info().status is Status.RESTARTING and ref.info().next_restart)
    assert ref.kill() == "asked"
    assert ref.wait(0) is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result(0)
    assert notes(told) == ["1", "2"]
    assert len(ref.history()) == 2
