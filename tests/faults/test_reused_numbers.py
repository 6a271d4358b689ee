"""The number of a process is free once it was reaped, and may be a stranger's a moment later: strangers live on."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.stage import gone, hold, note, noted, until
from understudy import ActorSystem, Process, Status
from understudy.spawners import family, generation, signals

# Alone: numbers are chosen for the whole machine, and tests beside these would take new processes for old ones.
pytestmark = pytest.mark.soak

WITH_A_CHILD = ["sh", "-c", "sleep 600 & echo $!; wait"]
LAST_PID = "/proc/sys/kernel/ns_last_pid"


class Leaving(Process):
    """Starts something in a session of its own, then exits as soon as the gate opens."""

    def __init__(self, told, gate):
        self.told, self.gate = told, gate

    def __loop__(self):
        note(self.told, subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        hold(self.gate)
        os._exit(0)


@pytest.fixture
def system(nothing_is_left_behind):
    """One with a single zygote at a time."""
    with ActorSystem(learn=False) as opened:
        yield opened


@contextmanager
def stranger(number=None):
    """A program that is none of ours, the leader of its session, with a child; under that number, once it is free."""
    if number is not None and not (os.path.exists(LAST_PID) and os.access(LAST_PID, os.W_OK)):
        pytest.skip("numbers cannot be chosen here")
    process: Any = None
    patience = time.monotonic() + 20
    while process is None or number not in {None, process.pid}:
        if process is not None:
            end(process)
        if time.monotonic() > patience:
            pytest.skip("another program took the number")
        if number is not None:
            with open(LAST_PID, "w") as file:
                file.write(str(number - 1))
        process = subprocess.Popen(WITH_A_CHILD, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process, int(process.stdout.readline())
    finally:
        end(process)


def end(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.read()  # its child holds the pipe, too
    process.stdout.close()
    process.wait()


def running(process, child):
    return process.poll() is None and os.path.exists(f"/proc/{child}")


@pytest.mark.fault("F11")
def test_a_kill_that_comes_after_the_burial_hits_nobody(system, tmp_path, host):
    told, gate, held, released = tmp_path / "told", tmp_path / "gate", threading.Event(), threading.Event()
    ref = system.spawn(Leaving, told, gate, host=host)
    ref.wait_ready(20)
    (left,) = noted(told)
    pid = ref.info().pid

    def hold_up():
        held.set()
        return released.wait(20)

    holding = threading.Thread(target=lambda: system._calls.make(hold_up))
    holding.start()
    held.wait(20)
    killing = threading.Thread(target=ref.kill)
    killing.start()
    until(lambda: len(system._calls._waiting), 20, "the kill being asked for")
    gate.touch()
    if host == "spawn":
        os.waitpid(pid, 0)  # as a handler of the user's may
    until(lambda: not os.path.exists(f"/proc/{pid}"), 20, "the burial")
    with stranger(pid) as (process, child):
        released.set()
        killing.join(20)
        assert ref.wait(20) is Status.KILLED
        gone(int(left))
        assert running(process, child)
    holding.join()


@pytest.mark.fault("F11")
def test_the_sweep_after_a_child_of_a_dead_zygote_hits_nobody_else(system, tmp_path):
    ref = system.spawn(Leaving, tmp_path / "told", tmp_path / "gate")
    ref.wait_ready(20)
    (left,) = noted(tmp_path / "told")
    pid, spawner = ref.info().pid, system._world.spawners["process"]
    os.kill(spawner.pids[0], signal.SIGKILL)
    system.spawn(os.getpid).result(20)  # by another zygote
    (busy,) = spawner.pids
    os.kill(busy, signal.SIGSTOP)
    (tmp_path / "gate").touch()
    assert ref.wait(20) is Status.CRASHED
    until(lambda: not os.path.exists(f"/proc/{pid}"), 20, "the burial")
    with stranger(pid) as (process, child):
        os.kill(busy, signal.SIGCONT)
        gone(int(left))
        assert running(process, child)


@pytest.mark.fault("F11")
def test_a_session_proves_nothing_without_a_mark():
    with stranger() as (process, child):
        departed = family.Departed(process.pid, "nobody", 1, 1)
        assert family.sweep([departed], reaper=None) == []
        assert family.sweep([departed], reaper=os.getpid()) == []
        assert running(process, child)


@pytest.mark.fault("F11")
def test_what_descends_from_a_number_is_spared_where_the_process_that_was_meant_is_gone():
    meant = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(meant.pid)
    meant.wait()
    with stranger() as (process, child):
        family.kill({process.pid: pidfd})
        assert running(process, child)
    os.close(pidfd)


@pytest.mark.fault("F11")
def test_the_parent_signals_nobody_by_number(system, tmp_path, host, monkeypatch):
    """Neither actors nor the zygote, not even one that is stuck."""
    numbers = []
    really = os.kill

    def by_number(pid, number):
        numbers.append(pid)
        really(pid, number)

    refs = [system.spawn(Leaving, tmp_path / "told", tmp_path / "gate", host=host) for _ in range(2)]
    for ref in refs:
        ref.wait_ready(20)
    (zygote,) = system._world.spawners["process"].pids
    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", by_number)
        refs[0].kill()
        assert refs[0].wait(20) is Status.KILLED
        refs[1].stop(grace=0.05)
        refs[1].wait(20)
        patched.setattr(generation, "ANSWER_WITHIN", 0.2)
        really(zygote, signal.SIGSTOP)
        assert system.spawn(os.getppid).result(20) != zygote
    assert numbers == []


@pytest.mark.fault("F11")
def test_a_zygote_that_somebody_else_has_reaped_is_replaced_all_the_same(system):
    (zygote,) = system._world.spawners["process"].pids
    os.kill(zygote, signal.SIGKILL)
    with suppress(ChildProcessError):  # the router reaps it, too: one of the two is late
        os.waitpid(zygote, 0)
    assert system.spawn(os.getppid).result(20) != zygote


@pytest.mark.fault("F11")
def test_who_refuses_a_signal_is_not_taken_for_gone():
    """As another user's process does: what follows in the same round has to be reached."""
    me = os.getpid()
    copy = os.fork()
    if copy == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            else:
                me = 1
            code = 0 if signals.send(me, None, signal.SIGCONT) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0
