"""What an actor started, and what that started in turn, is gone soon after the actor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.lives.leftovers import WAYS, start
from tests.stage import alive, gone, note, noted, running
from understudy import Process

GENERATIONS = """
import os, signal, subprocess, sys
path, left = sys.argv[1], int(sys.argv[2])
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if left:
    command = [sys.executable, "-c", sys.argv[3], path, str(left - 1), sys.argv[3]]
    subprocess.Popen(command, start_new_session=left % 2)
with open(path, "a") as file:
    file.write(f"{os.getpid()}\\n")
signal.pause()
"""
"""A program that starts another of its kind, every second in a session of its own, deaf to polite signals."""


class Elder(Process):
    def __init__(self, path, end):
        self.path, self.end = str(path), end

    def __loop__(self):
        subprocess.Popen([sys.executable, "-c", GENERATIONS, self.path, "3", GENERATIONS])
        noted(self.path, 4)
        for way in WAYS:
            start(way, self.path)
        note(f"{self.path}.ready", "here")
        match self.end:
            case "error":
                raise RuntimeError("no luck")
            case "exit":
                os._exit(2)
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "stop":
                self.stop()
            case "kill":
                self.kill()
        self.sleep(600)


ENDS = {"error": "CRASHED", "exit": "CRASHED", "segv": "CRASHED", "stop": "FINISHED", "kill": "KILLED"}


@pytest.mark.fault("F24")
@pytest.mark.parametrize("end", ENDS)
def test_all_that_descends_from_an_actor_is_gone_after_it(system, tmp_path, end, host):
    ref = system.spawn(Elder, tmp_path / "pids", end, host=host)
    assert str(ref.wait(30)) == ENDS[end]
    gone(*map(int, noted(tmp_path / "pids", 4 + len(WAYS))), seconds=30)


@pytest.mark.fault("F24")
def test_it_is_gone_after_each_life_and_not_only_after_the_last(system, tmp_path):
    class Reborn(Elder):
        def __loop__(self):
            if self.incarnation == 1:
                super().__loop__()
            self.sleep(600)

    ref = system.spawn(Reborn, tmp_path / "pids", "exit", config={"lives": 2})
    pids = [int(pid) for pid in noted(tmp_path / "pids", 4 + len(WAYS))]
    gone(*pids, seconds=30)
    running(ref)
    assert ref.info().incarnation == 2
    ref.kill()


@pytest.mark.fault("F24")
def test_a_living_actor_keeps_what_it_started(system, tmp_path, host):
    keeper = system.spawn(Elder, tmp_path / "kept", "never", host=host)
    noted(tmp_path / "kept.ready", 1, 30)
    kept = [int(pid) for pid in noted(tmp_path / "kept", 4 + len(WAYS))]
    system.spawn(Elder, tmp_path / "pids", "error", host=host).wait(30)
    gone(*map(int, noted(tmp_path / "pids", 4 + len(WAYS))), seconds=30)
    assert all(alive(pid) for pid in kept)
    keeper.kill()
    gone(*kept, seconds=30)
