"""A stop, and a kill, at any moment of a life: one defined outcome each, never lost, and nothing comes up again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stage import hold, note, noted, notes, running, state_of, until
from understudy import (
    ActorDied,
    ActorKilled,
    ActorSystem,
    MainLoopError,
    Process,
    StartError,
    Status,
    UnknownActor,
)

VARIABLE = "UNDERSTUDY_FAILPOINTS"


class Gate:
    """Opens, in the child, when the test makes the file; in an incarnation before `since` it is open."""

    def __init__(self, path):
        self.path = path

    def __setstate__(self, state):
        self.__dict__.update(state)
        note(f"{self.path}.reached", os.getpid())
        hold(self.path)


class Member(Process):
    """Notes what runs of it; `falls` lives crash."""

    def __init__(self, told, falls=0, gate=None):
        self.told, self.falls = told, falls
        self.config.lives = 5
        self.gate = gate

    def __loop__(self):
        note(self.told, f"loop {self.incarnation}")
        if self.incarnation <= self.falls:
            raise RuntimeError("no luck")
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "onfinish")

    def __result__(self):
        note(self.told, "result")
        return "done"


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


def stays_ended(system, ref, told):
    """Nothing of it is to come: no process, no clock, and a later actor's whole life brings none."""
    before, info = notes(told), ref.info()
    assert (info.pid, info.alive, info.next_restart) == (None, False, None)
    lives = len(ref.history())
    system.spawn(lambda: None).wait(30)
    assert (notes(told), len(ref.history()), ref.info().status) == (before, lives, info.status)


# Where it can be told of already, it stands still until it is sent on or killed; before, it is late by a while.
MOMENTS = [
    ("process", ["zygote.fork=sleep:1"]),  # the first two are none of a fresh interpreter's
    ("process", ["child.born=sleep:1"]),
    ("process", ["child.boot=stop"]),
    ("process", ["child.guard=stop"]),  # up to here, a fork stands where its zygote was told to as it started
    ("process", ["child.open=stop", "child.ready=stop"]),
    ("spawn", ["child.boot=stop", "child.guard=stop", "child.open=stop", "child.ready=stop"]),
]


def members(system, host, windows, tmp_path, monkeypatch):
    """An actor for each of the windows, by the file that tells of it."""
    for window in windows:
        monkeypatch.setenv(VARIABLE, window)
        yield tmp_path / window, system.spawn(Member, tmp_path / window, host=host)


@pytest.mark.requirement("K6")
@pytest.mark.parametrize(("host", "windows"), MOMENTS)
def test_a_stop_before_the_child_is_ready_runs_no_lap_and_ends_it_gracefully(tmp_path, windows, host, monkeypatch):
    monkeypatch.setenv(VARIABLE, windows[0])
    with ActorSystem() as system:
        refs = {}
        for told, ref in members(system, host, windows, tmp_path, monkeypatch):
            assert ref.stop() == "asked"
            assert ref.info().status is Status.STOPPING
            refs[told] = ref
        for ref in refs.values():
            until(lambda ref=ref: ref.done() or goes_on(ref), 30, "its end")  # type: ignore[misc]
            assert (ref.wait(0), ref.result()) == (Status.FINISHED, "done")
            info = ref.info()
            assert (info.pid, info.alive, info.next_restart) == (None, False, None)
        lives = [len(ref.history()) for ref in refs.values()]
    # The system has closed: nobody who was born in it lives.
    assert [notes(told) for told in refs] == [["onfinish", "result"]] * len(windows)
    assert [len(ref.history()) for ref in refs.values()] == lives


@pytest.mark.requirement("K6")
@pytest.mark.parametrize("host", ["process", "spawn"])
@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_an_end_that_is_asked_for_before_orders_are_heard_is_not_lost(told, host, verb, monkeypatch):
    """The thread that hears them stands beside the one that runs the hooks: a lap may have begun by then."""
    monkeypatch.setenv(VARIABLE, "link.subscribe=stop")
    with ActorSystem() as system:
        ref = system.spawn(Member, told, host=host)
        assert getattr(ref, verb)() == "asked"
        until(lambda: ref.done() or goes_on(ref), 30, "its end")
        assert ref.wait(0) is (Status.FINISHED if verb == "stop" else Status.KILLED)
        lives = len(ref.history())
    rest = [one for one in notes(told) if one != "loop 1"]
    assert (rest, len(ref.history())) == (["onfinish", "result"] if verb == "stop" else [], lives)


def goes_on(ref):
    """Send it on where it stands; some steps come twice. It is not its end."""
    pid = ref.info().pid
    if pid is not None and state_of(pid) == "T":
        os.kill(pid, signal.SIGCONT)
    return False


@pytest.mark.requirement("K6")
def test_a_stop_at_any_moment_after_the_spawn_is_heard(system, tmp_path):
    refs = []
    for number in range(40):
        ref = system.spawn(Member, tmp_path / f"{number}")
        # Each a little later in its life than the one before.
        reaches(ref, number * 0.001)
        ref.stop()
        refs.append(ref)
    assert set(system.wait_all(refs, 60).values()) == {Status.FINISHED}
    for number in range(40):
        assert notes(tmp_path / f"{number}") in (["onfinish", "result"], ["loop 1", "onfinish", "result"])


def reaches(ref, age):
    until(lambda: (ref.info().runtime or 0.0) >= age, 20, "its age")


@pytest.mark.requirement("K6")
def test_a_stop_before_there_is_a_process_finishes_with_nothing(system, told):
    (zygote,) = system._world.spawners["process"].pids
    until(lambda: state_of(zygote) == "S", 20, "the zygote's rest")
    system.spawn(lambda: None).wait(30)
    os.kill(zygote, signal.SIGSTOP)
    ref = system.spawn(Member, told)
    assert ref.stop() == "asked"
    os.kill(zygote, signal.SIGKILL)
    assert (ref.wait(30), ref.result()) == (Status.FINISHED, None)
    assert notes(told) == []
    stays_ended(system, ref, told)


@pytest.mark.requirement("K6")
def test_a_stop_while_the_next_life_begins_ends_it_before_its_first_lap(system, told, tmp_path):
    ref = system.spawn(Member, told, falls=1, gate=Gate(tmp_path / "gate"))
    noted(tmp_path / "gate.reached")
    (tmp_path / "gate").touch()
    noted(told)
    (tmp_path / "gate").unlink()
    noted(tmp_path / "gate.reached", 2)
    assert ref.info().status is Status.STARTING
    ref.stop()
    (tmp_path / "gate").touch()
    assert (ref.wait(30), ref.result()) == (Status.FINISHED, "done")
    assert notes(told) == ["loop 1", "onfinish", "result"]
    stays_ended(system, ref, told)


def in_backoff(system, told):
    """An actor whose second crash sent it into a pause that no test outlives."""
    config = {"restart.backoff.base": 1000, "restart.backoff.cap": 1000}
    ref = system.spawn(Member, told, falls=5, config=config)
    noted(told, 2)
    until(lambda: ref.info().status is Status.RESTARTING, 20, "the pause")
    return ref


@pytest.mark.requirement("K6")
def test_a_stop_in_backoff_ends_it_with_the_last_crash(system, told):
    ref = in_backoff(system, told)
    assert ref.stop() == "asked"
    assert ref.wait(30) is Status.CRASHED
    with pytest.raises(MainLoopError, match="no luck") as caught:
        ref.result()
    assert caught.value.incarnation == 2
    stays_ended(system, ref, told)


@pytest.mark.requirement("K6")
def test_a_kill_in_backoff_is_a_kill(system, told):
    ref = in_backoff(system, told)
    assert ref.kill() == "asked"
    assert ref.wait(30) is Status.KILLED
    with pytest.raises(ActorKilled):
        ref.result()
    stays_ended(system, ref, told)


@pytest.mark.requirement("K6")
@pytest.mark.parametrize(("host", "windows"), MOMENTS)
def test_a_kill_before_ready_leaves_nothing(tmp_path, windows, host, monkeypatch):
    monkeypatch.setenv(VARIABLE, windows[0])
    with ActorSystem() as system:
        refs = {}
        for told, ref in members(system, host, windows, tmp_path, monkeypatch):
            assert ref.kill() == "asked"
            refs[told] = ref
        for ref in refs.values():
            assert ref.wait(30) is Status.KILLED
            with pytest.raises(ActorKilled):
                ref.result()
            with pytest.raises(ActorKilled):
                ref.wait_ready(0)
            info = ref.info()
            assert (info.pid, info.alive, info.next_restart) == (None, False, None)
        lives = [len(ref.history()) for ref in refs.values()]
    # The system has closed: nobody who was born in it lives.
    assert [notes(told) for told in refs] == [[]] * len(windows)
    assert [(len(ref.history()), ref.info().status) for ref in refs.values()] == [(one, Status.KILLED) for one in lives]


@pytest.mark.requirement("K6")
def test_a_second_stop_is_answered_already_and_a_stop_of_the_ended_ended(system, told):
    ref = system.spawn(Member, told, name="once")
    noted(told)
    assert [ref.stop(), ref.stop()] == ["asked", "already"]
    assert ref.wait(30) is Status.FINISHED
    assert [ref.stop(), ref.kill()] == ["ended", "ended"]
    assert [system.stop("once"), system.kill("once")] == [{"once": "ended"}, {"once": "ended"}]
    assert system.stop("onc*") == {}
    assert notes(told) == ["loop 1", "onfinish", "result"]
    stays_ended(system, ref, told)


@pytest.mark.requirement("K6")
@pytest.mark.parametrize("verb", ["stop", "kill", "restart"])
def test_an_unknown_name_is_an_error_with_the_nearest(system, told, verb):
    ref = system.spawn(Member, told, name="indexer")
    with pytest.raises(UnknownActor, match="indexer"):
        getattr(system, verb)("indxer")
    noted(told)
    running(ref)


@pytest.mark.requirement("K6")
def test_one_unknown_name_among_many_stops_nobody(system, told):
    ref = system.spawn(Member, told, name="known")
    noted(told)
    with pytest.raises(UnknownActor):
        system.stop(["known", "unknown"])
    running(ref)


class Torn(Member):
    """Crashes because it is stopped."""

    def __loop__(self):
        note(self.told, f"loop {self.incarnation}")
        self.sleep(600)
        if self.falls:
            os._exit(7)
        raise RuntimeError("torn")


@pytest.mark.requirement("K6")
@pytest.mark.parametrize(("falls", "error"), [(0, MainLoopError), (1, ActorDied)])
def test_a_crash_on_the_way_to_a_stop_is_the_end_whatever_the_lives(system, told, falls, error):
    ref = system.spawn(Torn, told, falls)
    noted(told)
    ref.stop()
    assert ref.wait(30) is Status.CRASHED
    assert isinstance(ref.exception(), error)
    assert notes(told) == ["loop 1"]
    stays_ended(system, ref, told)


@pytest.mark.requirement("K6")
def test_a_stop_of_what_is_held_waits_for_it_and_with_a_grace_does_not(system, tmp_path):
    refs = [system.spawn(Member, tmp_path / f"{number}") for number in range(2)]
    for number, ref in enumerate(refs):
        noted(tmp_path / f"{number}")
        running(ref)
        os.kill(ref.info().pid, signal.SIGSTOP)
    pid = refs[0].info().pid
    refs[0].stop()
    refs[1].stop(grace=0.5)
    assert refs[1].wait(30) is Status.KILLED
    assert refs[0].info().status is Status.STOPPING
    os.kill(pid, signal.SIGCONT)
    assert refs[0].wait(30) is Status.FINISHED


@pytest.mark.requirement("K6")
def test_after_a_stop_only_a_new_spawn_brings_it_up_and_under_the_same_name(system, told):
    first = system.spawn(Member, told, name="again", config={"restart.policy": "always"})
    noted(told)
    first.stop()
    assert first.wait(30) is Status.FINISHED
    stays_ended(system, first, told)
    second = system.spawn(Member, told, name="again")
    noted(told, 4)
    assert second.uid != first.uid
    running(second)
    assert (first.stop(), second.info().status) == ("ended", Status.RUNNING)
    second.stop()
    assert second.wait(30) is Status.FINISHED


@pytest.mark.requirement("K6")
def test_a_stop_that_cannot_open_its_state_is_a_crash_and_no_more(system, told):
    ref = system.spawn(Member, told, gate=Trap())
    ref.stop()
    assert ref.wait(30) is Status.CRASHED
    assert isinstance(ref.exception(), StartError)
    stays_ended(system, ref, told)


class Trap:
    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise RuntimeError("does not open")
