"""A fresh interpreter that is slow to be had, comes too late or not at all, and whose end somebody else has seen."""

from __future__ import annotations

import os
import subprocess
import threading
import time

import pytest

from tests.stage import alive, gone, note, notes, python, until
from understudy import ActorDied, ActorSystem, Process, Status
from understudy.lifecycle import transitions
from understudy.router import closing
from understudy.spawners.fresh import FreshSpawner
from understudy.spawners.guard import Leash
from understudy.spawners.interpreter import Interpreter

THREADS = "understudy-fresh-"


class Serving(Process):
    def __init__(self, told):
        self.told = told

    def __preloop__(self):
        note(self.told, self.incarnation)

    def __loop__(self):
        self.sleep(600)


def starters():
    """The threads that start and wait for interpreters."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)]


class Slow:
    """While it is in place, each start of an actor's interpreter first runs `before`, and `after` once it runs."""

    def __init__(self, monkeypatch, before=lambda: None, after=lambda: None):
        class Popen(subprocess.Popen[bytes]):
            def __init__(self, *args, **kwargs):
                fresh = threading.current_thread().name.startswith(THREADS)
                if fresh:
                    before()
                super().__init__(*args, **kwargs)
                if fresh:
                    after()

        monkeypatch.setattr(subprocess, "Popen", Popen)


@pytest.mark.requirement("A3")
@pytest.mark.fault("F4")
def test_nothing_is_said_before_the_birth_is_told(system, tmp_path, monkeypatch):
    """However long the thread that has started it takes to say so."""

    def idle():
        until_at = time.monotonic() + 1.5
        while time.monotonic() < until_at and not notes(tmp_path / "told"):
            time.sleep(0.01)

    Slow(monkeypatch, after=idle)
    ref = system.spawn(Serving, tmp_path / "told", host="spawn", name="slow")
    ref.wait_ready(30)
    assert ref.info().pid
    assert ref.stop() == "asked"
    assert ref.wait(20) is Status.FINISHED
    assert not [line for line in system.story("slow") if "cannot come" in line]


@pytest.mark.fault("F4")
def test_what_is_born_after_it_was_given_up_runs_no_hook_and_is_ended(system, tmp_path, monkeypatch):
    monkeypatch.setattr(transitions, "UNANSWERED_AFTER", 0.1)
    released, starts = threading.Event(), []

    def wait():
        starts.append(1)
        if len(starts) == 1:
            released.wait(30)

    Slow(monkeypatch, before=wait)
    config = {"timeouts.startup": 1, "lives": 30, "restart.backoff.base": 0}
    ref = system.spawn(Serving, tmp_path / "told", host="spawn", config=config)
    (first,) = until(starters, 20, "the start")
    until(lambda: ref.info().status is Status.RUNNING, 30, "another life")
    pid = ref.info().pid
    spawner = system._world.spawners["spawn"]
    assert isinstance(spawner, FreshSpawner)
    released.set()
    first.join(20)
    until(lambda: list(spawner._living.values()) == [spawner._children[ref.uid]], 20, "the end of who came late")
    assert "1" not in notes(tmp_path / "told")
    assert alive(pid)
    ref.kill()
    assert ref.wait(20) is Status.KILLED
    gone(pid)


@pytest.mark.fault("F11")
def test_a_dead_process_that_cannot_be_reaped_yet_holds_up_nobody_and_is_told_later(system, monkeypatch):
    """As while a tracer of it has not let go."""
    looks = []
    really = Interpreter.reap

    def reap(process):
        looks.append(process)
        return None if len(looks) < 4 else really(process)

    monkeypatch.setattr(Interpreter, "reap", reap)
    ref = system.spawn(os._exit, 7, host="spawn")
    assert system.spawn(os.getpid).result(20)
    with pytest.raises(ActorDied, match="exited with code 7"):
        ref.result(20)
    assert len(looks) >= 4


@pytest.mark.fault("F4")
def test_a_start_that_is_still_under_way_when_the_system_closes_harms_no_descriptor(tmp_path, monkeypatch):
    monkeypatch.setattr(closing, "AFTER_LADDER", 0.1)
    released = threading.Event()
    Slow(monkeypatch, before=lambda: released.wait(30))
    system = ActorSystem()
    system.spawn(Serving, tmp_path / "told", host="spawn")
    spawner = system._world.spawners["spawn"]
    assert isinstance(spawner, FreshSpawner)
    bell = spawner._write
    until(starters, 20, "the start")
    (starter,) = starters()
    system.shutdown(force=True)
    with open(tmp_path / "mine", "wb") as mine:
        assert bell == mine.fileno() or not os.path.exists(f"/proc/self/fd/{bell}")
        ours = bell if bell == mine.fileno() else os.dup2(mine.fileno(), bell)
        released.set()
        starter.join(20)
        if ours != mine.fileno():
            os.close(ours)
    assert (tmp_path / "mine").read_bytes() == b""
    assert notes(tmp_path / "told") == []


def test_a_leash_is_let_go_of_once(tmp_path):
    leash = Leash(str(tmp_path))
    leash.release()
    with open(tmp_path / "mine", "wb") as mine:
        taken = os.dup(mine.fileno())
        fds = [mine.fileno(), taken]
        leash.release()
        assert [os.fstat(fd).st_ino for fd in fds] == [os.fstat(mine.fileno()).st_ino] * 2
        os.close(taken)


SCRIPT = """
import os, signal, sys
from understudy import ActorSystem
how, host = sys.argv[1:]
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
match how:
    case "ignored": signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    case "handled": signal.signal(signal.SIGCHLD, reap)
    case "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
def arranged():
    return sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
def leaves():
    os._exit(7)
with ActorSystem() as system:
    print(system.spawn(arranged, host=host).result(20))
    print(system.spawn(leaves, host=host).exception(20))
    ref = system.spawn(signal.pause, host=host)
    ref.wait_ready(20)
    ref.stop(grace=0.2)
    print(ref.wait(20))
"""


@pytest.mark.fault("F22")
@pytest.mark.parametrize("how", ["ignored", "handled", "blocked"])
def test_what_the_program_does_about_sigchld_hides_no_end(tmp_path, how, host):
    (tmp_path / "program.py").write_text(SCRIPT)
    ended = python(str(tmp_path / "program.py"), how, host)
    assert ended.returncode == 0, ended.stderr
    arranged, failure, last = ended.stdout.splitlines()
    assert arranged == "([], True)"
    if how == "blocked" or host == "process":
        assert "exited with code 7" in failure
    else:  # who ignores SIGCHLD, or waits for anybody's children, has the only word on how it ended
        assert "exited with code 7" in failure or "how is unknown" in failure
    assert last == "FINISHED"
