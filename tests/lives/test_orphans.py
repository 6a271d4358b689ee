"""However the parent ends, nothing that it ran outlives it for long, and its place is cleared away."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.stage import alive, gone, noted, notes, parent, until

TROUPE = """
import ctypes, os, signal, subprocess, sys, time
from understudy import ActorSystem, Process
from tests.lives.leftovers import WAYS, start
from tests.stage import note

class Idle(Process):
    def __loop__(self):
        note("pids", os.getpid())
        self.play()

    def play(self):
        self.sleep(600)

class Holding(Idle):
    '''Holds the interpreter in C, and no signal gets it out.'''
    def play(self):
        lock, lib = (ctypes.c_char * 64)(), ctypes.PyDLL(None)
        lib.pthread_mutex_lock(lock)
        lib.pthread_mutex_lock(lock)

class Unguarded(Idle):
    '''Lost its guard against the parent's death, and nothing else.'''
    def play(self):
        for fd in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{fd}") and os.readlink(f"/proc/self/fd/{fd}").endswith("/leash"):
                os.close(int(fd))
                note("closed", fd)
        time.sleep(600)

class Stopped(Idle):
    def play(self):
        os.kill(os.getpid(), signal.SIGSTOP)

class Forking(Idle):
    def play(self):
        if os.fork() == 0:
            note("pids", os.getpid())
        time.sleep(600)

class Tree(Idle):
    def play(self):
        for way in WAYS:
            start(way, "pids")
        time.sleep(600)

class Deaf(Idle):
    def play(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        while True:
            try:
                time.sleep(600)
            except BaseException:
                pass

kind, host, end, count = sys.argv[1:]
system = ActorSystem("orphanage")
print(system.endpoint, os.getpid(), flush=True)
for _ in range(int(count)):
    system.spawn(globals()[kind], host=host)
while not os.path.exists("end"):
    time.sleep(0.01)
match end:
    case "exit":
        os._exit(0)
    case "abort":
        os.abort()
    case "segv":
        ctypes.string_at(8)
    case "exec":
        os.execvp("sleep", ["sleep", "600"])
time.sleep(600)
"""

NOTES = {"Forking": 2, "Tree": 10}
"""How many processes one actor of a kind comes to."""


def outlived(cwd, kind, host="process", end="SIGKILL", count=1):
    """Run the troupe, end its parent in that way, and wait for the end of all; gives the parent's wait status."""
    with parent(TROUPE, cwd, kind, host, end, count) as process:
        assert process.stdout is not None
        endpoint, pid = process.stdout.readline().split()
        pids = [int(pid) for pid in noted(cwd / "pids", NOTES.get(kind, 1) * count)]
        place = Path(endpoint.removeprefix("ipc://"))
        assert place.is_dir()
        assert all(alive(pid) for pid in pids)
        (cwd / "end").touch()
        if end == "SIGKILL":
            os.kill(int(pid), signal.SIGKILL)
        gone(*pids)
        until(lambda: not place.exists(), 20, f"the removal of {place}")
        if end == "exec":
            assert process.poll() is None
            process.kill()
        return process.wait(20)


@pytest.mark.requirement("K5")
@pytest.mark.parametrize("kind", ["Idle", "Holding", "Unguarded", "Stopped", "Forking", "Tree", "Deaf"])
def test_a_killed_parent_takes_its_actors_with_it(tmp_path, kind, host):
    assert outlived(tmp_path, kind, host) == -signal.SIGKILL
    if kind == "Unguarded":
        assert notes(tmp_path / "closed")


@pytest.mark.requirement("K5")
@pytest.mark.parametrize(("end", "status"), [("exit", 0), ("abort", -signal.SIGABRT), ("segv", -signal.SIGSEGV)])
def test_so_does_one_that_ends_without_a_word(tmp_path, end, status):
    assert outlived(tmp_path, "Tree", end=end) == status


@pytest.mark.requirement("K5")
def test_so_does_one_that_becomes_another_program(tmp_path, host):
    assert outlived(tmp_path, "Idle", host, end="exec") == -signal.SIGKILL


@pytest.mark.requirement("K5")
def test_twenty_actors_go_with_a_killed_parent(tmp_path):
    assert outlived(tmp_path, "Idle", count=20) == -signal.SIGKILL
