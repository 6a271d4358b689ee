"""What a ref is: equal by identity, hashable, picklable, valid over lives, never another actor's."""

from __future__ import annotations

import gc
import os
import pickle
import signal

import pytest

from tests.stage import note, noted, python, until
from understudy import ActorKilled, ActorRef, ActorSystem, Process, Status, UnknownActor, WaitTimeout, WrongProcess


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Trying(Process):
    """Notes what each call on the ref that it was given comes to."""

    def __init__(self, ref, told):
        self.ref, self.told = ref, told
        self.config.num_loops = 1

    def __loop__(self):
        for call in ("result", "exception", "history", "healthy", "stacks", "timers", "pause", "resume"):
            try:
                note(self.told, f"{call} {getattr(self.ref, call)()}")
            except WrongProcess:
                note(self.told, f"{call} refused")

    def __result__(self):
        return self.ref, {self.ref: "kept"}, self.ref.name, self.ref.uid


def test_refs_are_equal_when_they_name_the_same_spawn(system):
    one, other = system.spawn(Idle, name="one"), system.spawn(Idle, name="other")
    assert one == system.ref("one")
    assert hash(one) == hash(system.ref("one"))
    assert one != other
    assert one != "one"
    assert {one: 1, system.ref("one"): 2, other: 3} == {one: 2, other: 3}
    assert (one.name, other.name) == ("one", "other")
    assert one.uid != other.uid
    assert "one" in repr(one)


def test_a_pickled_ref_is_the_same_ref_and_works(system):
    ref = system.spawn(Idle, name="group/idle")
    again = pickle.loads(pickle.dumps(ref))
    assert type(again) is ActorRef
    assert again == ref
    assert hash(again) == hash(ref)
    assert len(pickle.dumps(ref)) < 300
    again.wait_ready(20)
    assert again.stop() == "asked"
    assert again.wait(20) is ref.wait(0) is Status.FINISHED


def test_a_pickled_ref_answers_after_its_system_has_closed_while_another_ref_is_held():
    with ActorSystem() as system:
        ref = system.spawn(os.getpid)
        packed = pickle.dumps(ref)
        ref.wait(20)
    del system
    gc.collect()
    assert pickle.loads(packed).result(0) == ref.result(0)
    del ref
    gc.collect()
    with pytest.raises(WrongProcess):
        pickle.loads(packed).result(0)


def test_a_ref_that_travels_into_an_actor_and_back_is_the_same_and_opens_nothing_there(system, tmp_path):
    told = tmp_path / "told"
    target = system.spawn(Idle)
    target.wait_ready(20)
    back, kept, name, uid = system.spawn(Trying, target, told).result(20)
    assert back == target
    assert kept == {target: "kept"}
    assert (name, uid) == (target.name, target.uid)
    assert all(line.endswith("refused") for line in noted(told, 8)), noted(told, 8)
    assert target.info().alive


def test_a_ref_in_a_process_without_the_system_is_refused(system, tmp_path):
    ref = system.spawn(Idle)
    packed = tmp_path / "ref"
    packed.write_bytes(pickle.dumps(ref))
    code = (
        "import pickle, sys, understudy\n"
        "ref = pickle.load(open(sys.argv[1], 'rb'))\n"
        "try: ref.stop()\n"
        "except understudy.WrongProcess as error: print('refused', ref.name in str(error))"
    )
    done = python("-c", code, str(packed))
    assert done.stdout.split() == ["refused", "True"], done.stderr
    assert not ref.done()


@pytest.mark.requirement("L2")
def test_a_ref_outlives_restarts_and_never_reaches_the_next_bearer_of_its_name(system):
    ref = system.spawn(Idle, name="role")
    ref.wait_ready(20)
    first = ref.info()
    assert ref.restart() == "asked"
    until(lambda: ref.info().incarnation == 2 and ref.info().status == "RUNNING")
    assert ref.info().uid == first.uid
    assert ref.info().pid != first.pid
    ref.kill()
    assert ref.wait(20) is Status.KILLED
    assert ref.restart() == "ended"
    heir = system.ref("role")
    assert heir != ref
    heir.wait_ready(20)
    assert [ref.stop(), ref.kill()] == ["ended", "ended"]
    assert heir.info().alive
    assert ref.info().status is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result(0)
    assert [life.incarnation for life in ref.history()] == [1, 2]


@pytest.mark.requirement("A5")
def test_the_ref_of_a_name_is_the_living_ones_else_the_last_ones(system):
    with pytest.raises(UnknownActor):
        system.ref("role")
    first = system.spawn(os.getpid, name="role")
    first.wait(20)
    assert system.ref("role") == first
    second = system.spawn(Idle, name="role")
    assert system.ref("role") == second != first
    second.wait_ready(20)
    second.kill()
    second.wait(20)
    assert system.ref("role") == second
    with pytest.raises(UnknownActor, match="did you mean role"):
        system.ref("rolle")


@pytest.mark.requirement("P7")
def test_waits_of_a_ref_keep_their_time_and_tell_what_was_waited_for(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    for wait in (ref.wait, ref.result, ref.exception):
        for timeout in (0, 0.05):
            with pytest.raises(WaitTimeout, match=ref.name):
                wait(timeout)
        with pytest.raises(TimeoutError):
            wait(timeout=0.01)
    ref.kill()
    ref.wait(20)
    assert ref.wait(0) is Status.KILLED
    assert ref.wait(timeout=0) is Status.KILLED
    ref.wait_ready(0)


@pytest.mark.requirement("P7")
def test_waiting_for_one_that_never_gets_ready_raises_its_error(system, monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", "child.open=sleep:600")
    ref = system.spawn(Idle)
    with pytest.raises(WaitTimeout, match="ready"):
        ref.wait_ready(0.05)
    ref.kill()
    with pytest.raises(ActorKilled):
        ref.wait_ready(20)
    assert ref.done()


@pytest.mark.requirement("H1")
def test_a_signal_from_elsewhere_reaches_the_process_that_info_names(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)
    os.kill(ref.info().pid, signal.SIGTERM)
    assert ref.wait(20) is Status.FINISHED
    assert ref.info().pid is None
