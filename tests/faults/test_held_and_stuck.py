"""A process that is stopped, that holds its interpreter, or that is stuck in one section: told from outside."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from tests.stage import alive, note, noted, notes, report_of, running, until
from understudy import (
    ActorDied,
    Health,
    MainLoopTimeoutError,
    OnFinishTimeoutError,
    PostLoopTimeoutError,
    PreloopTimeoutError,
    Process,
    ResultTimeoutError,
    Status,
)

QUICK = {"heartbeat.interval": 0.2, "heartbeat.misses": 3, "restart.backoff.base": 0}
BOUND = 10.0
"""Seconds within which a timeout must have been enforced here; the promise is a tenth of it or less."""


class Working(Process):
    def __init__(self, told):
        self.told = told

    def __loop__(self):
        if self.current_lap == 1:
            note(self.told, os.getpid())
        self.sleep(0.01)

    def __result__(self):
        return self.incarnation


@pytest.fixture
def healths(system, monkeypatch):
    """What is published of the actors' health, in order; an observer would have to be there in time."""
    publish, seen = system._world.publisher.publish, []

    def publishing(kind, name, uid, incarnation, before, after, *rest):
        if kind == "health":
            seen.append(str(after))
        publish(kind, name, uid, incarnation, before, after, *rest)

    monkeypatch.setattr(system._world.publisher, "publish", publishing)
    return seen


@pytest.mark.fault("F19")
def test_a_stopped_process_is_unresponsive_and_then_killed_and_replaced(system, tmp_path, host, healths):
    ref = system.spawn(Working, tmp_path / "told", host=host, config={**QUICK, "lives": 2})
    pid = int(noted(tmp_path / "told")[0])
    running(ref)
    os.kill(pid, signal.SIGSTOP)
    second = int(noted(tmp_path / "told", 2)[1])
    until(lambda: ref.info().health is Health.HEALTHY, 20, "the replacement")
    assert (ref.info().pid, ref.info().incarnation, alive(pid)) == (second, 2, False)
    assert healths[:1] == ["unresponsive"]
    first = ref.history()[0]
    assert first.signal == "SIGKILL"
    assert "silent for 3 heartbeats" in first.cause
    ref.kill()


@pytest.mark.fault("F19")
def test_without_lives_its_end_is_told_as_lost_heartbeats(system, tmp_path):
    ref = system.spawn(Working, tmp_path / "told", name="w", config=QUICK)
    pid = int(noted(tmp_path / "told")[0])
    running(ref)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ActorDied, match="w was silent for 3 heartbeats and was ended") as caught:
        ref.result(30)
    assert caught.value.signal == "SIGKILL"


@pytest.mark.fault("F19")
def test_a_process_that_goes_on_within_the_misses_heals(system, tmp_path, host):
    config = {"heartbeat.interval": 0.2, "heartbeat.misses": 100, "lives": 2}
    ref = system.spawn(Working, tmp_path / "told", host=host, config=config)
    pid = int(noted(tmp_path / "told")[0])
    running(ref)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: ref.info().health is Health.UNRESPONSIVE, 20, "a missed heartbeat")
    assert ref.info().heartbeat_age > 0.2
    os.kill(pid, signal.SIGCONT)
    until(lambda: ref.info().health is Health.HEALTHY, 20, "healing")
    ref.stop()
    assert (ref.result(30), notes(tmp_path / "told")) == (1, [str(pid)])


@pytest.mark.fault("F19")
def test_another_actor_goes_on_meanwhile(system, tmp_path):
    stopped = system.spawn(Working, tmp_path / "one", config=QUICK)
    other = system.spawn(Working, tmp_path / "two", config=QUICK)
    noted(tmp_path / "two")
    running(stopped, other)
    os.kill(int(noted(tmp_path / "one")[0]), signal.SIGSTOP)
    until(lambda: stopped.info().health is Health.UNRESPONSIVE or stopped.done(), 20, "a missed heartbeat")
    laps = other.info().completed_laps
    until(lambda: other.info().completed_laps > laps, 20, "a further lap")
    stopped.wait(30)
    assert (other.info().status, other.info().incarnation) == (Status.RUNNING, 1)
    other.kill()


class Stuck(Process):
    """Gets stuck in that way in one hook of its second lap."""

    def __init__(self, told, how, section="loop"):
        self.told, self.how, self.section = told, how, section
        self.config.num_loops = 2
        self.config.restart.backoff.base = 0
        setattr(self.config.timeouts, section, 0.5)

    def _reach(self, section):
        if section == self.section and self.incarnation == 1 and self.completed_laps >= 1:
            note(self.told, time.time())
            stick(self.how)

    def __preloop__(self):
        self._reach("preloop")

    def __loop__(self):
        self._reach("loop")

    def __postloop__(self):
        self._reach("postloop")

    def __onfinish__(self):
        self._reach("onfinish")

    def __result__(self):
        self._reach("result")
        return "done"


def deadlock_in_c():
    lock, lib = (ctypes.c_char * 64)(), ctypes.PyDLL(None)
    lib.pthread_mutex_lock(lock)
    lib.pthread_mutex_lock(lock)


def read():
    end, _other = os.pipe()
    os.read(end, 1)


def receive():
    end, _other = socket.socketpair()
    end.recv(1)


def spin():
    while True:
        pass


def lock_twice():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def swallow(kind):
    while True:
        with contextlib.suppress(kind):
            time.sleep(60)


STICKY = {
    "sleep in C": lambda: ctypes.PyDLL(None).sleep(30),
    "deadlock in C": deadlock_in_c,
    "regular expression": lambda: re.match(r"(a+)+b", "a" * 40),
    "read": read,
    "sleep": lambda: time.sleep(60),
    "busy": spin,
    "lock": lock_twice,
    "event": lambda: threading.Event().wait(),
    "socket": receive,
    "child": lambda: subprocess.run(["sleep", "600"], check=False),
    "except Exception": lambda: swallow(Exception),
    "except BaseException": lambda: swallow(BaseException),
}


def stick(how):
    STICKY[how]()


HELD = ["sleep in C", "deadlock in C", "regular expression"]


@pytest.mark.fault("F20")
def test_a_section_that_holds_the_interpreter_is_ended_all_the_same(system, tmp_path, host):
    """All of them side by side, as in each of the tests below: most of it is waiting."""
    refs = {how: system.spawn(Stuck, tmp_path / how, how, name=f"s{n}", host=host) for n, how in enumerate(HELD)}
    for how, ref in refs.items():
        began = float(noted(tmp_path / how)[0])
        with pytest.raises(MainLoopTimeoutError) as caught:
            ref.result(30)
        error = caught.value
        assert ref.history()[0].ended_at - began < BOUND, how
        assert str(error) == f"__loop__ of {ref.name} ran 0.5 s (lap 2, incarnation 1)", how
        assert (error.section, error.lap) == ("loop", 2)
        assert isinstance(error, TimeoutError)
        report = report_of(error)
        if report.signal == "SIGKILL":  # ended from outside: where it stood is told by its stacks
            assert "in stick" in report.stacks, how


@pytest.mark.fault("F20")
def test_who_held_the_interpreter_is_replaced_while_lives_are_left(system, tmp_path):
    ref = system.spawn(Stuck, tmp_path / "told", "deadlock in C", config={"lives": 2})
    assert ref.result(30) == "done"
    first, second = ref.history()
    assert (first.signal, first.section, second.exit_code) == ("SIGKILL", "loop", 0)


@pytest.mark.fault("F20")
def test_a_held_interpreter_is_no_lost_heartbeat_where_its_section_may_take_longer(system, healths):
    class Long(Process):
        def __init__(self):
            self.config.num_loops = 1
            self.config.heartbeat.interval = 0.1
            self.config.heartbeat.misses = 1

        def __loop__(self):
            ctypes.PyDLL(None).sleep(2)

        def __result__(self):
            return self.incarnation

    ref = system.spawn(Long)
    assert (ref.result(30), ref.wait(0)) == (1, Status.FINISHED)
    assert "unresponsive" in healths


@pytest.mark.fault("F21")
def test_a_section_that_is_stuck_in_python_is_interrupted(system, tmp_path):
    ways = ["read", "sleep", "busy", "lock", "event", "socket", "child", "except Exception"]
    refs = {how: system.spawn(Stuck, tmp_path / how, how, name=f"s{n}") for n, how in enumerate(ways)}
    for how, ref in refs.items():
        began = float(noted(tmp_path / how)[0])
        with pytest.raises(MainLoopTimeoutError) as caught:
            ref.result(30)
        assert str(caught.value) == f"__loop__ of {ref.name} ran 0.5 s (lap 2, incarnation 1)", how
        (life,) = ref.history()
        assert 0.45 < life.ended_at - began < BOUND, how
        # It ended by itself, interrupted where it stood.
        assert (life.signal, life.exit_code) == (None, 1), how
        assert "in stick" in str(caught.value.__cause__), how


@pytest.mark.fault("F21")
def test_each_section_has_its_own_timeout(system, tmp_path):
    kinds = {
        "preloop": PreloopTimeoutError,
        "loop": MainLoopTimeoutError,
        "postloop": PostLoopTimeoutError,
        "onfinish": OnFinishTimeoutError,
        "result": ResultTimeoutError,
    }
    refs = {section: system.spawn(Stuck, tmp_path / section, "read", section) for section in kinds}
    for section, ref in refs.items():
        with pytest.raises(kinds[section]) as caught:
            ref.result(30)
        assert (caught.value.section, caught.value.lap) == (section, 2)
        assert isinstance(caught.value, TimeoutError)


@pytest.mark.fault("F21")
def test_a_section_that_swallows_every_interruption_is_ended_from_outside(system, tmp_path):
    ref = system.spawn(Stuck, tmp_path / "told", "except BaseException", name="s")
    began = float(noted(tmp_path / "told")[0])
    with pytest.raises(MainLoopTimeoutError, match=r"ran 0\.5 s"):
        ref.result(30)
    (life,) = ref.history()
    assert life.signal == "SIGKILL"
    assert life.ended_at - began < BOUND


@pytest.mark.fault("F21")
def test_who_was_interrupted_begins_anew_while_lives_are_left(system, tmp_path):
    ref = system.spawn(Stuck, tmp_path / "told", "read", config={"lives": 2})
    assert ref.result(30) == "done"
