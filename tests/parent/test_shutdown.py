"""Closing a system: twice, from two threads, interrupted, by an exception, with what will not end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.stage import descendants, gone, hold, note, noted, notes, parent, said, until
from understudy import ActorKilled, ActorSystem, MainLoopError, Process, Remote, Status, SystemClosed, WaitTimeout

SCRIPT = """
import os, signal, sys
from tests.stage import hold, note
from understudy import ActorSystem, Process

told, gate = sys.argv[1:]

class Slow(Process):
    def __init__(self):
        self.config.stop.command = 300

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(told, "onfinish")
        hold(gate)

system = ActorSystem()
ref = system.spawn(Slow)
ref.wait_ready(20)
print("up", flush=True)
try:
    system.shutdown()
except KeyboardInterrupt:
    directory = system.endpoint.removeprefix("ipc://")
    print("interrupted", ref.wait(0), system.is_open, os.path.exists(directory), flush=True)
sys.stdin.readline()
"""


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


class Lingering(Process):
    """Its end waits for the gate."""

    def __init__(self, told, gate):
        self.told, self.gate = told, gate

    def __loop__(self):
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "onfinish")
        hold(self.gate)

    def __result__(self):
        return "in good order"


def directory_of(system):
    return system.endpoint.removeprefix("ipc://")


@pytest.mark.requirement("K2")
def test_what_has_ended_answers_after_the_system_has_closed():
    with ActorSystem() as system:
        finished, crashed = system.spawn(os.getpid), system.spawn(os.remove, "/no/such/file")
        killed = system.spawn(Idle)
        assert finished.wait(20) is Status.FINISHED
        assert crashed.wait(20) is Status.CRASHED
        killed.wait_ready(20)
        killed.kill()
    assert finished.result() == finished.history()[0].pid
    with pytest.raises(MainLoopError) as raised:
        crashed.result()
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    with pytest.raises(ActorKilled):
        killed.result()
    assert [ref.wait(0) for ref in (finished, crashed, killed)] == ["FINISHED", "CRASHED", "KILLED"]
    assert [ref.done() for ref in (finished, crashed, killed)] == [True] * 3
    assert finished.info().status is Status.FINISHED
    assert [ref.stop() for ref in (finished, crashed, killed)] == ["ended"] * 3
    assert finished.kill() == "ended"


@pytest.mark.requirement("K2")
def test_a_closed_system_refuses_everything_but_to_be_closed_again():
    system = ActorSystem()
    ref = system.spawn(os.getpid)
    ref.wait(20)
    system.shutdown()
    for ask in (
        lambda: system.spawn(os.getpid),
        lambda: system.stop("*"),
        lambda: system.kill("*"),
        lambda: system.restart("*"),
        lambda: system.restart(ref),
        ref.restart,
        system.ps,
        lambda: system.info("getpid-1"),
        lambda: system.ref("getpid-1"),
        lambda: system.story("getpid-1"),
        system.wait_all,
        system.cleanup,
        system.reap,
    ):
        with pytest.raises(SystemClosed):
            ask()
    system.shutdown()
    system.shutdown(force=True)
    with system:
        assert not system.is_open
    assert "closed" in repr(system)


@pytest.mark.requirement("K2")
def test_two_threads_that_close_at_once_both_return_when_it_is_closed(tmp_path):
    for _ in range(3):
        system, barrier = ActorSystem(), threading.Barrier(3)
        refs = [system.spawn(Idle) for _ in range(3)]
        refs[0].wait_ready(20)

        def close(system=system, barrier=barrier):
            barrier.wait(20)
            system.shutdown()
            return os.path.exists(directory_of(system)), system.is_open

        with ThreadPoolExecutor(3) as pool:
            assert [asked.result(20) for asked in [pool.submit(close) for _ in range(3)]] == [(False, False)] * 3
        assert [ref.wait(0) for ref in refs] == [Status.FINISHED] * 3


@pytest.mark.requirement("K2")
def test_a_forced_shutdown_overtakes_one_that_waits(tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"
    system = ActorSystem()
    ref = system.spawn(Lingering, told, gate, config={"stop.command": 300})
    ref.wait_ready(20)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(system.shutdown)
        noted(told)
        assert not waiting.done()
        system.shutdown(force=True)
        waiting.result(20)
    assert ref.wait(0) is Status.KILLED


@pytest.mark.requirement("K2")
def test_an_exception_leaves_the_with_block_after_all_have_ended_in_good_order(tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"
    gate.touch()
    system = ActorSystem()
    ref = system.spawn(Lingering, told, gate)
    ref.wait_ready(20)
    with pytest.raises(ZeroDivisionError), system:
        raise ZeroDivisionError
    assert ref.result(0) == "in good order"
    assert notes(told) == ["onfinish"]
    assert not os.path.exists(directory_of(system))


@pytest.mark.requirement("K2")
@pytest.mark.fault("F34")
def test_an_interrupt_while_a_shutdown_waits_forces_it_and_is_raised(tmp_path):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, tmp_path / "gate", stdin=subprocess.PIPE) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        noted(told)
        process.send_signal(signal.SIGINT)
        assert said(process) == "interrupted KILLED False False"
        gone(*family)
        process.communicate()
        assert process.returncode == 0


@pytest.mark.fault("F29")
def test_a_sigterm_while_a_shutdown_waits_shortens_it_and_ends_the_parent(tmp_path):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, told, tmp_path / "gate", stdin=subprocess.PIPE) as process:
        assert said(process) == "up"
        family = descendants(process.pid)
        noted(told)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == -signal.SIGTERM
        gone(*family)
    assert notes(told) == ["onfinish"]


@pytest.mark.requirement("K2", "K6")
def test_what_closes_spawns_and_restarts_no_more(tmp_path):
    told, gate = tmp_path / "told", tmp_path / "gate"
    system = ActorSystem()
    ended = system.spawn(os.getpid, name="ended")
    ended.wait(20)
    lingering = system.spawn(Lingering, told, gate)
    lingering.wait_ready(20)
    with ThreadPoolExecutor(1) as pool, Remote(system.endpoint) as remote:
        closing = pool.submit(system.shutdown)
        try:
            noted(told)
            for ask in (
                lambda: system.spawn(os.getpid),
                lambda: system.restart("ended"),
                ended.restart,
                lingering.restart,
                lambda: remote.restart("ended"),
                lambda: remote.restart("*"),
            ):
                with pytest.raises(SystemClosed):
                    ask()
            assert [info.name for info in remote.ps()] == [lingering.name]
        finally:
            gate.touch()
            closing.result(20)
    assert lingering.result(0) == "in good order"
    assert len(lingering.history()) == len(ended.history()) == 1


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("force", [False, True])
def test_cleanup_ends_all_that_live_and_leaves_the_system_open(system, force):
    done = system.spawn(os.getpid)
    done.wait(20)
    refs = [system.spawn(Idle, name=f"idle/{number}") for number in range(4)]
    for ref in refs:
        ref.wait_ready(20)
    end = Status.KILLED if force else Status.FINISHED
    assert system.cleanup(force=force) == {ref.name: end for ref in refs}
    assert system.cleanup(force=force) == {}
    assert system.ps() == []
    assert system.spawn(Idle, name="idle/0").wait_ready(20) is None


@pytest.mark.requirement("P7")
def test_wait_all_waits_for_those_that_are_meant_and_says_how_each_ended(system):
    failing = system.spawn(os.remove, "/no/such/file", name="a/failing")
    fine = system.spawn(os.getpid, name="a/fine")
    idle = system.spawn(Idle, name="b/idle")
    assert system.wait_all(["a/failing", fine], timeout=20) == {"a/failing": "CRASHED", "a/fine": "FINISHED"}
    assert system.wait_all("none-*", timeout=0) == {}
    idle.wait_ready(20)
    with pytest.raises(WaitTimeout, match="b/idle"):
        system.wait_all(timeout=0.05)
    with pytest.raises(WaitTimeout):
        system.wait_all("b/*", timeout=0)
    assert idle.info().alive
    idle.stop()
    assert system.wait_all("b/*", timeout=20) in ({"b/idle": "FINISHED"}, {})
    assert system.wait_all(timeout=0) == {}
    assert failing.done()


@pytest.mark.requirement("P7")
def test_waiting_for_all_costs_what_the_slowest_costs_in_whatever_order(system, tmp_path):
    gates = [tmp_path / f"gate-{number}" for number in range(5)]
    refs = [system.spawn(hold, gate) for gate in gates]
    with ThreadPoolExecutor(2) as pool:
        forward = pool.submit(system.wait_all, refs, 30)
        backward = pool.submit(system.wait_all, refs[::-1], 30)
        for gate in gates[:-1]:
            gate.touch()
        until(lambda: sum(ref.done() for ref in refs) == 4)
        assert not forward.done()
        assert not backward.done()
        gates[-1].touch()
        assert forward.result(20) == backward.result(20) == {ref.name: Status.FINISHED for ref in refs}


def plant():
    """Leave a process behind that took a session of its own."""
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    left.returncode = 0  # nobody is to complain that it was not waited for
    return left.pid


@pytest.mark.requirement("K4")
def test_reap_says_once_what_was_left_behind_and_swept(system):
    assert system.reap() == []
    left = {system.spawn(plant).result(20) for _ in range(3)}
    gone(*left)
    found: list[int] = []

    def told():
        found.extend(system.reap())
        return left <= set(found)

    until(told, what="the word on what was swept")
    assert sorted(found) == sorted(left)
    assert system.reap() == []
